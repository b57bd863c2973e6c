//! Aliases.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Nothing, page};
use crate::call::Call;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::names::Target;
use crate::services::lambda::state::{Alias, Function, Lambda};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Routing {
    #[serde(default)]
    additional_version_weights: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreateAlias {
    function_name: String,
    name: String,
    function_version: String,
    description: Option<String>,
    routing_config: Option<Routing>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AliasShape {
    alias_arn: String,
    name: String,
    function_version: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    routing_config: Option<Routing>,
    revision_id: String,
}

fn shape(call: &Call, target: &Target, name: &str, alias: &Alias) -> AliasShape {
    let target = Target { name: target.name.clone(), qualifier: Some(name.to_owned()) };
    AliasShape {
        alias_arn: target.arn(&call.scope),
        name: name.to_owned(),
        function_version: alias.version.clone(),
        description: alias.description.clone(),
        routing_config: (!alias.weights.is_empty())
            .then(|| Routing { additional_version_weights: alias.weights.clone() }),
        revision_id: alias.revision.clone(),
    }
}

fn check(call: &Call, target: &Target, function: &Function, alias: &Alias) -> Result<(), LambdaFault> {
    for version in std::iter::once(&alias.version).chain(alias.weights.keys()) {
        let is_version = version == "$LATEST" || version.parse::<u64>().is_ok();
        if !is_version || !function.knows(version) {
            let missing = Target { name: target.name.clone(), qualifier: Some(version.clone()) };
            return Err(LambdaFault::NoFunction(missing.arn(&call.scope)));
        }
    }
    if !alias.weights.is_empty() {
        let fits = alias.weights.len() == 1 && alias.weights.values().all(|weight| (0.0..=1.0).contains(weight));
        if !fits
            || alias.version == "$LATEST"
            || alias.weights.contains_key("$LATEST")
            || alias.weights.contains_key(&alias.version)
        {
            return Err(LambdaFault::invalid(
                "An alias can route to one additional published version, with a weight between 0 and 1.",
            ));
        }
    }
    Ok(())
}

/// CreateAlias.
pub(crate) async fn create(lambda: Arc<Lambda>, call: &Call, input: CreateAlias) -> Result<AliasShape, LambdaFault> {
    let target = Target::unqualified(&input.function_name)?;
    let name = input.name;
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if name.is_empty() || name.len() > 128 || !is_word || name.chars().all(|c| c.is_ascii_digit()) {
        return Err(LambdaFault::invalid(format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
        )));
    }
    let alias = Alias {
        version: input.function_version,
        description: input.description.unwrap_or_default(),
        weights: input.routing_config.map(|routing| routing.additional_version_weights).unwrap_or_default(),
        revision: lambda.cloud.ids.uuid(),
        made_by: call.request_id.clone(),
    };
    lambda
        .change(&call.scope, &target, |function| {
            check(call, &target, function, &alias)?;
            match function.aliases.get(&name) {
                Some(there) if there.made_by == call.request_id => return Ok(shape(call, &target, &name, there)),
                Some(_) => {
                    let arn = Target { name: target.name.clone(), qualifier: Some(name.clone()) }.arn(&call.scope);
                    return Err(LambdaFault::Exists(format!("Alias already exists: {arn}")));
                }
                None => {}
            }
            let answer = shape(call, &target, &name, &alias);
            function.aliases.insert(name, alias);
            Ok(answer)
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UpdateAlias {
    function_name: String,
    name: String,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<Routing>,
    revision_id: Option<String>,
}

fn missing(call: &Call, target: &Target, name: &str) -> LambdaFault {
    LambdaFault::NoAlias(Target { name: target.name.clone(), qualifier: Some(name.to_owned()) }.arn(&call.scope))
}

/// UpdateAlias.
pub(crate) async fn update(lambda: Arc<Lambda>, call: &Call, input: UpdateAlias) -> Result<AliasShape, LambdaFault> {
    let target = Target::unqualified(&input.function_name)?;
    lambda
        .change(&call.scope, &target, |function| {
            let mut alias =
                function.aliases.get(&input.name).cloned().ok_or_else(|| missing(call, &target, &input.name))?;
            if input.revision_id.as_ref().is_some_and(|revision| *revision != alias.revision) {
                return Err(LambdaFault::StaleRevision);
            }
            if let Some(version) = input.function_version {
                alias.version = version;
            }
            if let Some(description) = input.description {
                alias.description = description;
            }
            if let Some(routing) = input.routing_config {
                alias.weights = routing.additional_version_weights;
            }
            alias.revision = lambda.cloud.ids.uuid();
            check(call, &target, function, &alias)?;
            let answer = shape(call, &target, &input.name, &alias);
            function.aliases.insert(input.name, alias);
            Ok(answer)
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct NamedAlias {
    function_name: String,
    name: String,
}

/// GetAlias.
pub(crate) async fn get(lambda: Arc<Lambda>, call: &Call, input: NamedAlias) -> Result<AliasShape, LambdaFault> {
    let target = Target::unqualified(&input.function_name)?;
    let function = lambda.function(&call.scope, &target)?;
    let alias = function.aliases.get(&input.name).ok_or_else(|| missing(call, &target, &input.name))?;
    Ok(shape(call, &target, &input.name, alias))
}

/// DeleteAlias; deleting what is not there succeeds, as on AWS.
pub(crate) async fn delete(lambda: Arc<Lambda>, call: &Call, input: NamedAlias) -> Result<Nothing, LambdaFault> {
    let target = Target::unqualified(&input.function_name)?;
    let delete = |function: &mut Function| {
        function.aliases.remove(&input.name);
        function.policies.remove(&input.name);
        Ok(())
    };
    lambda.change(&call.scope, &target, delete).await?;
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ListAliases {
    function_name: String,
    function_version: Option<String>,
    marker: Option<String>,
    max_items: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Aliases {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
    aliases: Vec<AliasShape>,
}

/// ListAliases.
pub(crate) async fn list(lambda: Arc<Lambda>, call: &Call, input: ListAliases) -> Result<Aliases, LambdaFault> {
    let target = Target::unqualified(&input.function_name)?;
    let function = lambda.function(&call.scope, &target)?;
    let wanted = |alias: &Alias| input.function_version.as_ref().is_none_or(|version| alias.version == *version);
    let found = function.aliases.iter().filter(|(_, alias)| wanted(alias));
    let found = found.map(|(name, alias)| shape(call, &target, name, alias)).collect();
    let (aliases, next_marker) =
        page(found, |alias: &AliasShape| alias.name.clone(), input.marker.as_deref(), input.max_items);
    Ok(Aliases { next_marker, aliases })
}
