//! Stages.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::{Answer, List, nothing, only_for_websockets};
use crate::call::Call;
use crate::clock::Timestamp;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigatewayv2::route_key::DEFAULT;
use crate::services::apigatewayv2::state::{
    AccessLogSettings, Api, HttpApis, RouteSettings, Stage, Texts, set_text, shown,
};

/// What CreateStage and UpdateStage say.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Put {
    api_id: String,
    stage_name: String,
    auto_deploy: Option<bool>,
    deployment_id: Option<String>,
    description: Option<String>,
    default_route_settings: Option<RouteSettings>,
    route_settings: Option<BTreeMap<String, RouteSettings>>,
    stage_variables: Option<Texts>,
    access_log_settings: Option<AccessLogSettings>,
    tags: Option<Texts>,
}

/// What a stage begins with.
#[derive(Default)]
pub(super) struct NewStage {
    pub name: String,
    pub auto_deploy: bool,
    pub deployment: Option<String>,
    /// By a quick create.
    pub managed: bool,
    pub made_by: String,
}

pub(super) fn new_stage(new: NewStage, now: Timestamp) -> Result<Stage, GatewayFault> {
    let fits = new.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if new.name != DEFAULT && (new.name.is_empty() || new.name.len() > 128 || !fits) {
        return Err(GatewayFault::invalid(
            "Stage name only allows alphanumeric characters, hyphens, and underscores, or $default",
        ));
    }
    Ok(Stage {
        stage_name: new.name,
        auto_deploy: new.auto_deploy,
        deployment_id: new.deployment,
        description: None,
        default_route_settings: RouteSettings::default(),
        route_settings: BTreeMap::new(),
        stage_variables: Texts::new(),
        access_log_settings: None,
        tags: Texts::new(),
        created_date: now,
        last_updated_date: now,
        last_deployment_status_message: None,
        api_gateway_managed: new.managed,
        made_by: new.made_by,
    })
}

fn checked_settings(settings: &RouteSettings) -> Result<(), GatewayFault> {
    let logs = settings.data_trace_enabled || settings.logging_level.as_deref().is_some_and(|level| level != "OFF");
    only_for_websockets("Execution logging", logs)?;
    let negative = settings.throttling_burst_limit.is_some_and(|limit| limit < 0)
        || settings.throttling_rate_limit.is_some_and(|limit| limit < 0.0);
    match negative {
        true => Err(GatewayFault::invalid("Throttling limits must not be negative")),
        false => Ok(()),
    }
}

fn checked_log(log: &AccessLogSettings) -> Result<(), GatewayFault> {
    let (Some(arn), Some(format)) = (&log.destination_arn, &log.format) else {
        return Err(GatewayFault::invalid("Access log settings take both a destination ARN and a format"));
    };
    if !format.contains("$context.requestId") {
        return Err(GatewayFault::invalid("The access log format must include at least $context.requestId"));
    }
    match arn.contains(":logs:") && arn.contains(":log-group:") {
        true => Ok(()),
        false if arn.contains(":firehose:") => {
            Err(GatewayFault::unsupported("access logs to anything but a log group"))
        }
        false => Err(GatewayFault::invalid(format!("Invalid ARN specified in the request. ARN: {arn}"))),
    }
}

/// "Variable names can have alphanumeric and underscore characters, and the values must match [A-Za-z0-9-._~:/?#&=,]+."
fn checked_variable(name: &str, value: &str) -> Result<(), GatewayFault> {
    let of = |text: &str, more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
    match !name.is_empty() && of(name, "_") && of(value, "-._~:/?#&=,") {
        true => Ok(()),
        false => Err(GatewayFault::invalid(format!("Invalid stage variable {name}: {value}"))),
    }
}

fn apply(api: &Api, stage: &mut Stage, put: Put) -> Result<(), GatewayFault> {
    if let Some(settings) = put.default_route_settings {
        checked_settings(&settings)?;
        stage.default_route_settings = settings;
    }
    for (key, settings) in put.route_settings.unwrap_or_default() {
        checked_settings(&settings)?;
        if !api.routes.values().any(|route| route.route_key == key) {
            let message = format!("Unable to find Route by key {key} within the provided RouteSettings");
            return Err(GatewayFault::NotFound(message));
        }
        stage.route_settings.insert(key, settings);
    }
    if let Some(log) = put.access_log_settings {
        checked_log(&log)?;
        stage.access_log_settings = Some(log);
    }
    // An update names the variables that it changes, and empties those that it takes away.
    for (name, value) in put.stage_variables.unwrap_or_default() {
        checked_variable(&name, &value)?;
        match value.is_empty() {
            true => stage.stage_variables.remove(&name),
            false => stage.stage_variables.insert(name, value),
        };
    }
    if let Some(auto) = put.auto_deploy {
        stage.auto_deploy = auto;
    }
    if let Some(deployment) = put.deployment_id {
        if stage.auto_deploy {
            return Err(GatewayFault::invalid("Deployment ID cannot be set on a stage that has autoDeploy enabled"));
        }
        if !api.deployments.contains_key(&deployment) {
            return Err(GatewayFault::missing("Deployment"));
        }
        stage.deployment_id = Some(deployment);
    }
    set_text(&mut stage.description, put.description);
    if let Some(tags) = put.tags {
        stage.tags = tags;
    }
    Ok(())
}

/// CreateStage. One that deploys by itself does so at once.
pub(crate) async fn create(apis: Arc<HttpApis>, call: &Call, input: Put) -> Answer {
    let (id, name) = (input.api_id.clone(), input.stage_name.clone());
    let now = apis.cloud.clock.now();
    let new = NewStage { name: name.clone(), made_by: call.request_id.clone(), ..NewStage::default() };
    let mut stage = new_stage(new, now)?;
    apis.change_api(&call.scope, &id, |api| {
        match api.stages.get(&name) {
            Some(there) if there.made_by == call.request_id => return shown(there),
            Some(_) => return Err(GatewayFault::Conflict("Stage already exists".into())),
            None => {}
        }
        apply(api, &mut stage, input)?;
        let deploys = stage.auto_deploy;
        api.stages.insert(name.clone(), stage);
        if deploys {
            api.deploy_itself(apis.fresh());
        }
        shown(api.stage_mut(&name)?)
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Named {
    api_id: String,
    stage_name: String,
}

/// GetStage.
pub(crate) async fn get(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    let api = apis.api(&call.scope, &input.api_id)?;
    shown(api.stages.get(&input.stage_name).ok_or_else(|| GatewayFault::missing("stage"))?)
}

/// GetStages.
pub(crate) async fn list(apis: Arc<HttpApis>, call: &Call, input: List) -> Answer {
    let api = apis.api(&call.scope, &input.api_id)?;
    let items = api.stages.values().map(shown).collect::<Result<Vec<_>, _>>()?;
    input.page(items)
}

/// UpdateStage.
pub(crate) async fn update(apis: Arc<HttpApis>, call: &Call, input: Put) -> Answer {
    let (id, name, now) = (input.api_id.clone(), input.stage_name.clone(), apis.cloud.clock.now());
    apis.change_api(&call.scope, &id, |api| {
        let mut stage = api.stage_mut(&name)?.clone();
        let deployed = stage.auto_deploy;
        apply(api, &mut stage, input)?;
        stage.last_updated_date = now;
        let begins = stage.auto_deploy && !deployed;
        api.stages.insert(name.clone(), stage);
        if begins {
            api.deploy_itself(apis.fresh());
        }
        shown(api.stage_mut(&name)?)
    })
    .await
}

/// DeleteStage.
pub(crate) async fn delete(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    apis.change_api(&call.scope, &input.api_id, |api| {
        api.stages.remove(&input.stage_name).ok_or_else(|| GatewayFault::missing("stage"))?;
        nothing()
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct OfRoute {
    api_id: String,
    stage_name: String,
    route_key: String,
}

/// DeleteRouteSettings.
pub(crate) async fn delete_route_settings(apis: Arc<HttpApis>, call: &Call, input: OfRoute) -> Answer {
    apis.change_api(&call.scope, &input.api_id, |api| {
        let stage = api.stage_mut(&input.stage_name)?;
        stage.route_settings.remove(&input.route_key).ok_or_else(|| GatewayFault::missing("RouteSettings"))?;
        nothing()
    })
    .await
}

/// DeleteAccessLogSettings.
pub(crate) async fn delete_access_log(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    apis.change_api(&call.scope, &input.api_id, |api| {
        api.stage_mut(&input.stage_name)?.access_log_settings = None;
        nothing()
    })
    .await
}
