//! Published versions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::page;
use super::shape::FunctionConfiguration;
use crate::call::Call;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::names::Target;
use crate::services::lambda::state::{Function, Lambda, Version};
use crate::store::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct PublishVersion {
    function_name: String,
    #[serde(rename = "CodeSha256")]
    code_sha256: Option<String>,
    description: Option<String>,
    revision_id: Option<String>,
}

/// Is there anything in `latest` that the newest version does not have?
fn same(latest: &Version, newest: &Version) -> bool {
    let plain = |version: &Version| Version {
        version: String::new(),
        revision: String::new(),
        modified: 0,
        description: String::new(),
        ..version.clone()
    };
    serde_json::to_value(plain(latest)).ok() == serde_json::to_value(plain(newest)).ok()
}

/// Makes a version of `$LATEST`, or gives back the newest one if nothing has changed since.
pub(super) fn publish_in(function: &mut Function, lambda: &Lambda, description: Option<String>) -> Shared<Version> {
    if let Some(newest) = function.versions.values().next_back()
        && same(function.newest(), newest)
    {
        return newest.clone();
    }
    let mut version = Version::clone(function.newest());
    version.version = function.next_version.to_string();
    version.revision = lambda.cloud.ids.uuid();
    if let Some(description) = description {
        version.description = description;
    }
    let version = Shared::new(version);
    function.versions.insert(function.next_version, version.clone());
    function.next_version += 1;
    version
}

/// PublishVersion.
pub(crate) async fn publish(
    lambda: Arc<Lambda>,
    call: &Call,
    input: PublishVersion,
) -> Result<FunctionConfiguration, LambdaFault> {
    let target = Target::unqualified(&input.function_name)?;
    lambda
        .change(&call.scope, &target, |function| {
            function.is_settled(|| target.arn(&call.scope))?;
            if input.code_sha256.as_ref().is_some_and(|digest| *digest != function.latest.code.sha256) {
                return Err(LambdaFault::invalid(format!(
                    "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the CodeSHA256 in $LATEST.",
                    input.code_sha256.as_deref().unwrap_or_default(),
                    function.latest.code.sha256
                )));
            }
            if input.revision_id.as_ref().is_some_and(|revision| *revision != function.latest.revision) {
                return Err(LambdaFault::StaleRevision);
            }
            Ok(FunctionConfiguration::own(&publish_in(function, &lambda, input.description)))
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ListVersions {
    function_name: String,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Versions {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
    versions: Vec<FunctionConfiguration>,
}

/// ListVersionsByFunction: `$LATEST` first.
pub(crate) async fn list(lambda: Arc<Lambda>, call: &Call, input: ListVersions) -> Result<Versions, LambdaFault> {
    let target = Target::unqualified(&input.function_name)?;
    let function = lambda.function(&call.scope, &target)?;
    let arn = Target { qualifier: None, ..target }.arn(&call.scope);
    let shapes = function
        .all_versions()
        .map(|version| FunctionConfiguration::of(version, format!("{arn}:{}", version.version)).for_list());
    // Of numbers with leading zeros the order of the texts is theirs.
    let key = |shape: &FunctionConfiguration| format!("{:0>20}", shape.version.replace("$LATEST", ""));
    let (versions, next_marker) = page(shapes.collect(), key, input.marker.as_deref(), input.max_items);
    Ok(Versions { next_marker, versions })
}
