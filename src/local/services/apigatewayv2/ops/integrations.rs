//! Integrations: Lambda functions, as proxies.

use std::sync::Arc;

use serde::Deserialize;

use super::{Answer, List, nothing};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::execute_api::function::lambda_arn;
use crate::services::apigatewayv2::state::{HttpApis, Integration, set_text, shown};

/// "30 seconds, or from 50 milliseconds": what an integration may take.
const LONGEST: u32 = 30_000;
const SHORTEST: u32 = 50;

/// What CreateIntegration and UpdateIntegration say.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Put {
    api_id: String,
    integration_id: Option<String>,
    integration_type: Option<String>,
    integration_uri: Option<String>,
    integration_method: Option<String>,
    connection_type: Option<String>,
    payload_format_version: Option<String>,
    timeout_in_millis: Option<u32>,
    description: Option<String>,
}

/// A function's ARN, or the form of it that REST APIs use, may hold stage variables.
pub(super) fn lambda_uri(uri: &str) -> Result<String, GatewayFault> {
    let arn = lambda_arn(uri).unwrap_or(uri);
    match arn.starts_with("arn:aws:lambda:") && arn.contains(":function:") {
        true => Ok(uri.to_owned()),
        false => Err(GatewayFault::invalid(format!("Invalid lambda function: {uri}"))),
    }
}

/// What a quick create makes.
pub(super) fn managed(apis: &HttpApis, uri: String) -> Integration {
    Integration {
        integration_id: apis.cloud.ids.lower(7),
        integration_type: "AWS_PROXY".into(),
        integration_uri: uri,
        integration_method: Some("POST".into()),
        connection_type: "INTERNET".into(),
        payload_format_version: "2.0".into(),
        timeout_in_millis: LONGEST,
        api_gateway_managed: true,
        ..Integration::default()
    }
}

fn apply(integration: &mut Integration, put: Put) -> Result<(), GatewayFault> {
    match put.integration_type.as_deref() {
        None => {}
        Some("AWS_PROXY") => integration.integration_type = "AWS_PROXY".into(),
        Some("HTTP_PROXY") => return Err(GatewayFault::unsupported("HTTP_PROXY integrations of HTTP APIs")),
        Some(other) => {
            return Err(GatewayFault::invalid(format!(
                "Integration type {other} is not supported on protocolType HTTP"
            )));
        }
    }
    match put.connection_type.as_deref() {
        None | Some("INTERNET") => {}
        Some(other) => return Err(GatewayFault::unsupported(format!("integrations with ConnectionType {other}"))),
    }
    if let Some(version) = put.payload_format_version {
        if !["1.0", "2.0"].contains(&version.as_str()) {
            return Err(GatewayFault::invalid(format!("PayloadFormatVersion must be 1.0 or 2.0, not {version}")));
        }
        integration.payload_format_version = version;
    }
    if let Some(timeout) = put.timeout_in_millis {
        if !(SHORTEST..=LONGEST).contains(&timeout) {
            let message = format!("Timeout should be between {SHORTEST} ms and {LONGEST} ms");
            return Err(GatewayFault::invalid(message));
        }
        integration.timeout_in_millis = timeout;
    }
    if let Some(uri) = put.integration_uri {
        integration.integration_uri = lambda_uri(&uri)?;
    }
    set_text(&mut integration.integration_method, put.integration_method);
    set_text(&mut integration.description, put.description);
    Ok(())
}

/// CreateIntegration.
pub(crate) async fn create(apis: Arc<HttpApis>, call: &Call, input: Put) -> Answer {
    let id = apis.cloud.ids.lower(7);
    if input.integration_uri.is_none() {
        return Err(GatewayFault::invalid("Integration URI is required: the ARN of a Lambda function"));
    }
    if input.payload_format_version.is_none() {
        return Err(GatewayFault::invalid("PayloadFormatVersion is a required parameter for integration"));
    }
    let api = input.api_id.clone();
    let mut integration = Integration {
        integration_id: id.clone(),
        connection_type: "INTERNET".into(),
        timeout_in_millis: LONGEST,
        made_by: call.request_id.clone(),
        ..Integration::default()
    };
    apply(&mut integration, input)?;
    apis.change_routes(&call.scope, &api, |api| {
        if let Some(there) = api.integrations.values().find(|there| there.made_by == call.request_id) {
            return shown(there);
        }
        let answer = shown(&integration);
        api.integrations.insert(id, integration);
        answer
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Named {
    api_id: String,
    integration_id: String,
}

/// GetIntegration.
pub(crate) async fn get(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    let api = apis.api(&call.scope, &input.api_id)?;
    shown(api.integrations.get(&input.integration_id).ok_or_else(|| GatewayFault::missing("Integration"))?)
}

/// GetIntegrations.
pub(crate) async fn list(apis: Arc<HttpApis>, call: &Call, input: List) -> Answer {
    let api = apis.api(&call.scope, &input.api_id)?;
    let items = api.integrations.values().map(shown).collect::<Result<Vec<_>, _>>()?;
    input.page(items)
}

/// UpdateIntegration.
pub(crate) async fn update(apis: Arc<HttpApis>, call: &Call, input: Put) -> Answer {
    let (api, id) = (input.api_id.clone(), input.integration_id.clone().unwrap_or_default());
    apis.change_routes(&call.scope, &api, |api| {
        let integration = api.integrations.get_mut(&id).ok_or_else(|| GatewayFault::missing("Integration"))?;
        apply(integration, input)?;
        shown(integration)
    })
    .await
}

/// DeleteIntegration: one behind a route stays.
pub(crate) async fn delete(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    let id = &input.integration_id;
    apis.change_routes(&call.scope, &input.api_id, |api| {
        if let Some(route) = api.routes.values().find(|route| route.integration() == Some(id)) {
            let message = format!("Cannot delete integration '{id}', route '{}' refers to it", route.route_id);
            return Err(GatewayFault::Conflict(message));
        }
        api.integrations.remove(id).ok_or_else(|| GatewayFault::missing("Integration"))?;
        nothing()
    })
    .await
}
