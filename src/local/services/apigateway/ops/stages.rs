//! Stages.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Answer, Patches, nothing};
use crate::call::Call;
use crate::clock::Timestamp;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::patch::{self, Kind, Operation};
use crate::services::apigateway::state::{ApiGateway, Stage, Texts, UsagePlan, shown};

/// What a stage is made of.
pub(super) struct NewStage {
    pub name: String,
    pub deployment: String,
    pub description: Option<String>,
    pub variables: Texts,
    pub tracing: bool,
    pub tags: Texts,
}

pub(super) fn new_stage(new: NewStage, now: Timestamp) -> Result<Stage, GatewayFault> {
    let fits = new.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if new.name.is_empty() || new.name.len() > 128 || !fits {
        return Err(GatewayFault::invalid("Stage name only allows a-zA-Z0-9_-"));
    }
    Ok(Stage {
        deployment_id: new.deployment,
        stage_name: new.name,
        description: new.description,
        cache_cluster_enabled: false,
        cache_cluster_status: "NOT_AVAILABLE".into(),
        method_settings: Default::default(),
        variables: new.variables,
        access_log_settings: None,
        tracing_enabled: new.tracing,
        tags: new.tags,
        created_date: now,
        last_updated_date: now,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateStage {
    rest_api_id: String,
    stage_name: String,
    deployment_id: String,
    description: Option<String>,
    #[serde(default)]
    variables: Texts,
    #[serde(default)]
    tracing_enabled: bool,
    #[serde(default)]
    tags: Texts,
    cache_cluster_enabled: Option<bool>,
}

/// CreateStage.
pub(crate) async fn create(gateway: Arc<ApiGateway>, call: &Call, input: CreateStage) -> Answer {
    if input.cache_cluster_enabled == Some(true) {
        return Err(GatewayFault::unsupported("the parameter cacheClusterEnabled of stages"));
    }
    let new = NewStage {
        name: input.stage_name.clone(),
        deployment: input.deployment_id.clone(),
        description: input.description,
        variables: input.variables,
        tracing: input.tracing_enabled,
        tags: input.tags,
    };
    let stage = new_stage(new, gateway.cloud.clock.now())?;
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            if api.stages.contains_key(&input.stage_name) {
                return Err(GatewayFault::Conflict("Stage already exists".into()));
            }
            if !api.deployments.contains_key(&input.deployment_id) {
                return Err(GatewayFault::invalid("Deployment id does not exist"));
            }
            let answer = shown(&stage);
            api.stages.insert(input.stage_name, stage);
            answer
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    rest_api_id: String,
    stage_name: String,
}

/// GetStage.
pub(crate) async fn get(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    shown(gateway.api(&call.scope, &input.rest_api_id)?.stage(&input.stage_name)?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct List {
    rest_api_id: String,
    deployment_id: Option<String>,
}

/// GetStages.
pub(crate) async fn list(gateway: Arc<ApiGateway>, call: &Call, input: List) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    let wanted = |stage: &&Stage| input.deployment_id.as_ref().is_none_or(|id| stage.deployment_id == *id);
    let items = api.stages.values().filter(wanted).map(shown).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"item": items}))
}

/// DeleteStage.
pub(crate) async fn delete(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    let (id, name) = (&input.rest_api_id, &input.stage_name);
    gateway
        .regions
        .change_region(&call.scope, |region| {
            let names_it =
                |plan: &&UsagePlan| plan.api_stages.iter().any(|stage| stage.api_id == *id && stage.stage == *name);
            if let Some(plan) = region.plans.values().find(names_it) {
                let message = format!("Stage {name} is used by usage plan {}; remove it from the plan first", plan.id);
                return Err(GatewayFault::invalid(message));
            }
            let api = region.api_mut(&call.scope, id)?;
            api.stages.remove(name).ok_or_else(|| GatewayFault::missing("stage"))?;
            nothing()
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Update {
    rest_api_id: String,
    stage_name: String,
    #[serde(default)]
    patch_operations: Patches,
}

/// Method settings by the last two parts of their patch path.
const SETTINGS: &[(&str, &str, &str, Kind)] = &[
    ("metrics", "enabled", "metricsEnabled", Kind::Bool),
    ("logging", "loglevel", "loggingLevel", Kind::Text),
    ("logging", "dataTrace", "dataTraceEnabled", Kind::Bool),
    ("throttling", "burstLimit", "throttlingBurstLimit", Kind::Number),
    ("throttling", "rateLimit", "throttlingRateLimit", Kind::Number),
    ("caching", "enabled", "cachingEnabled", Kind::Bool),
    ("caching", "ttlInSeconds", "cacheTtlInSeconds", Kind::Number),
    ("caching", "dataEncrypted", "cacheDataEncrypted", Kind::Bool),
    ("caching", "requireAuthorizationForCacheControl", "requireAuthorizationForCacheControl", Kind::Bool),
    ("caching", "unauthorizedCacheControlHeaderStrategy", "unauthorizedCacheControlHeaderStrategy", Kind::Text),
];

/// `/<path with ~1>/<method>/<group>/<setting>`: one method's setting, `*/*` for all.
fn set_method(stage: &mut Stage, operation: &Operation, path: &[String]) -> Result<bool, GatewayFault> {
    if let [resource, verb] = path
        && operation.removes()
    {
        return Ok(stage.method_settings.remove(&setting_key(resource, verb)).is_some());
    }
    let [resource, verb, group, name] = path else { return Ok(false) };
    let Some((_, _, field, kind)) = SETTINGS.iter().find(|(there, setting, ..)| there == group && setting == name)
    else {
        return Ok(false);
    };
    let setting = stage.method_settings.entry(setting_key(resource, verb)).or_default();
    let mut value = shown(setting)?;
    value[*field] = operation.typed(*kind)?;
    *setting = serde_json::from_value(value).map_err(|error| GatewayFault::invalid(error.to_string()))?;
    if setting.logging_level != "OFF" || setting.data_trace_enabled {
        return Err(GatewayFault::unsupported(
            "execution logs of stages (logging/loglevel, logging/dataTrace); access logs are",
        ));
    }
    if setting.caching_enabled {
        return Err(GatewayFault::unsupported("the method setting caching/enabled of stages"));
    }
    Ok(true)
}

/// `*/*`, `hello/world/GET`, `/GET`: the path without its first slash.
fn setting_key(resource: &str, verb: &str) -> String {
    format!("{}/{verb}", if resource == "*" || resource == "/*" { "*" } else { resource.trim_start_matches('/') })
}

/// UpdateStage.
pub(crate) async fn update(gateway: Arc<ApiGateway>, call: &Call, input: Update) -> Answer {
    let allowed = [
        ("/description", Kind::Text),
        ("/deploymentId", Kind::Text),
        ("/tracingEnabled", Kind::Bool),
        ("/variables/*", Kind::Text),
        ("/accessLogSettings/format", Kind::Text),
        ("/accessLogSettings/destinationArn", Kind::Text),
    ];
    let now = gateway.cloud.clock.now();
    let logs = input
        .patch_operations
        .iter()
        .any(|operation| operation.path.starts_with("/accessLogSettings/") && !operation.removes());
    gateway
        .regions
        .change_region(&call.scope, |region| {
            if logs && region.cloudwatch_role.is_none() {
                return Err(GatewayFault::invalid(
                    "CloudWatch Logs role ARN must be set in account settings to enable logging",
                ));
            }
            let api = region.api_mut(&call.scope, &input.rest_api_id)?;
            let mut stage = api.stage(&input.stage_name)?.clone();
            let mut rest = Vec::new();
            for operation in input.patch_operations {
                let path = patch::parts(&operation.path);
                if path == ["accessLogSettings"] && operation.removes() {
                    stage.access_log_settings = None;
                } else if path.first().is_some_and(|first| first == "variables")
                    || !set_method(&mut stage, &operation, &path)?
                {
                    rest.push(operation);
                }
            }
            patch::apply(&mut stage, &rest, &allowed)?;
            if !api.deployments.contains_key(&stage.deployment_id) {
                return Err(GatewayFault::invalid("Deployment id does not exist"));
            }
            if let Some(arn) = stage.access_log_settings.as_ref().and_then(|log| log.destination_arn.as_deref())
                && !arn.contains(":logs:")
            {
                return Err(GatewayFault::unsupported("access logs to anything but a log group"));
            }
            stage.last_updated_date = now;
            let answer = shown(&stage);
            api.stages.insert(input.stage_name, stage);
            answer
        })
        .await
}
