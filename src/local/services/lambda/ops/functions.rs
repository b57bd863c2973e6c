//! Reading, listing and deleting functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shape::FunctionConfiguration;
use super::{Nothing, Qualified, page};
use crate::call::Call;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::names::LATEST;
use crate::services::lambda::state::{Functions, Lambda, Version};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetFunction {
    configuration: FunctionConfiguration,
    code: CodeLocation,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<Concurrency>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CodeLocation {
    repository_type: &'static str,
    location: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Concurrency {
    reserved_concurrent_executions: u32,
}

fn located(lambda: &Lambda, version: &Version) -> CodeLocation {
    let endpoint = lambda.cloud.endpoint_url().unwrap_or_default();
    let digest = lambda.code.zip(&version.code);
    let file = digest.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    CodeLocation {
        repository_type: "S3",
        location: format!("{endpoint}/_aws/lambda/code/{}/{file}", lambda.link_secret),
    }
}

fn configured(
    lambda: &Lambda,
    call: &Call,
    input: &Qualified,
) -> Result<(Arc<Version>, FunctionConfiguration), LambdaFault> {
    let target = input.target()?;
    let function = lambda.function(&call.scope, &target)?;
    let arn = target.arn(&call.scope);
    let shown = function.shown(target.qualifier.as_deref());
    let (version, in_progress) = shown.ok_or_else(|| LambdaFault::NoFunction(arn.clone()))?;
    let shape = FunctionConfiguration::of(version, arn).in_progress(in_progress);
    Ok((version.pointer(), shape))
}

/// GetFunction.
pub(crate) async fn get(lambda: Arc<Lambda>, call: &Call, input: Qualified) -> Result<GetFunction, LambdaFault> {
    let (version, configuration) = configured(&lambda, call, &input)?;
    let function = lambda.function(&call.scope, &input.target()?)?;
    Ok(GetFunction {
        configuration,
        code: located(&lambda, &version),
        tags: function.tags.clone(),
        concurrency: function.reserved.map(|reserved| Concurrency { reserved_concurrent_executions: reserved }),
    })
}

/// GetFunctionConfiguration.
pub(crate) async fn configuration(
    lambda: Arc<Lambda>,
    call: &Call,
    input: Qualified,
) -> Result<FunctionConfiguration, LambdaFault> {
    configured(&lambda, call, &input).map(|(_, shape)| shape)
}

/// GetFunctionCodeSigningConfig: a function has none.
pub(crate) async fn code_signing(lambda: Arc<Lambda>, call: &Call, input: Qualified) -> Result<Value, LambdaFault> {
    let function = lambda.function(&call.scope, &input.target()?)?;
    Ok(json!({"CodeSigningConfigArn": "", "FunctionName": function.latest.name}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ListFunctions {
    function_version: Option<String>,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListedFunctions {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
    functions: Vec<FunctionConfiguration>,
}

/// ListFunctions.
pub(crate) async fn list(
    lambda: Arc<Lambda>,
    call: &Call,
    input: ListFunctions,
) -> Result<ListedFunctions, LambdaFault> {
    let functions = lambda.functions.get();
    let every_version = input.function_version.as_deref() == Some("ALL");
    let here = functions.get(&call.scope.region).into_iter().flat_map(BTreeMap::values);
    let shapes: Vec<FunctionConfiguration> = here
        .flat_map(|function| function.all_versions().take(if every_version { usize::MAX } else { 1 }))
        .map(|version| match every_version {
            true => FunctionConfiguration::of(
                version,
                format!("{}:{}", version.arn().trim_end_matches(&format!(":{}", version.version)), version.version),
            ),
            false => FunctionConfiguration::own(version),
        })
        .map(FunctionConfiguration::for_list)
        .collect();
    let key = |shape: &FunctionConfiguration| format!("{} {:>20}", shape.function_name, shape.version);
    let (functions, next_marker) = page(shapes, key, input.marker.as_deref(), input.max_items);
    Ok(ListedFunctions { next_marker, functions })
}

/// DeleteFunction: the whole function, or one version that no alias points to.
pub(crate) async fn delete(lambda: Arc<Lambda>, call: &Call, input: Qualified) -> Result<Nothing, LambdaFault> {
    let target = input.target()?;
    let arn = target.arn(&call.scope);
    match target.qualifier.as_deref() {
        None => {
            lambda
                .functions
                .change(|functions: &mut Functions| {
                    let gone = functions.get_mut(&call.scope.region).and_then(|here| here.remove(&target.name));
                    gone.map(|_| ()).ok_or_else(|| LambdaFault::NoFunction(arn.clone()))
                })
                .await?;
        }
        Some(LATEST) => {
            return Err(LambdaFault::invalid("$LATEST version cannot be deleted without deleting the function."));
        }
        Some(qualifier) => {
            let number: u64 = qualifier
                .parse()
                .map_err(|_| LambdaFault::invalid("Deletion of aliases is not currently supported."))?;
            lambda
                .change(&call.scope, &target, |function| {
                    let uses = |alias: &&crate::services::lambda::state::Alias| {
                        alias.version == qualifier || alias.weights.contains_key(qualifier)
                    };
                    if function.aliases.values().any(|alias| uses(&alias)) {
                        let message =
                            format!("Function version {qualifier} is used by an alias and cannot be deleted.");
                        return Err(LambdaFault::Busy(message));
                    }
                    function.versions.remove(&number);
                    Ok(())
                })
                .await?;
        }
    }
    let retired = lambda.fleet.retire(&arn);
    tokio::spawn(async move {
        for pool in retired {
            pool.gone().await;
        }
        if let Err(error) = lambda.remove_unused_code().await {
            tracing::warn!(%error, "unused function code stays on disk");
        }
    });
    Ok(Nothing {})
}

impl Lambda {
    /// Removes the code that no function uses any more.
    pub(in crate::services::lambda) async fn remove_unused_code(self: &Arc<Self>) -> std::io::Result<()> {
        let _alone = self.code_in_use.write().await;
        let lambda = self.clone();
        let remove = move || {
            let functions = lambda.functions.get();
            let all = functions.values().flat_map(BTreeMap::values);
            let known = all.flat_map(|function| function.all_versions().chain([&function.latest]));
            let mut used: Vec<_> = known.map(|version| version.code.clone()).collect();
            // Calls that still run on what their function was before an update.
            used.extend(lambda.fleet.codes());
            lambda.code.keep_only(used.iter())
        };
        tokio::task::spawn_blocking(remove).await.map_err(std::io::Error::other).flatten()
    }
}
