//! Integrations and integration responses. Templates are read here: what cannot be rendered is refused before any call.

use std::sync::Arc;

use regex::Regex;
use serde::Deserialize;

use super::methods::check_status;
use super::{Answer, Patches, nothing};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::execute_api::function::lambda_arn;
use crate::services::apigateway::patch::{self, Kind};
use crate::services::apigateway::plane::mapping;
use crate::services::apigateway::state::{ApiGateway, Integration, IntegrationResponse, Texts, shown};
use crate::services::apigateway::vtl::Template;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PutIntegration {
    rest_api_id: String,
    resource_id: String,
    http_method: String,
    #[serde(rename = "type")]
    kind: String,
    integration_http_method: Option<String>,
    uri: Option<String>,
    credentials: Option<String>,
    #[serde(default)]
    request_parameters: Texts,
    #[serde(default)]
    request_templates: Texts,
    passthrough_behavior: Option<String>,
    cache_namespace: Option<String>,
    #[serde(default)]
    cache_key_parameters: Vec<String>,
    timeout_in_millis: Option<u32>,
    connection_type: Option<String>,
    response_transfer_mode: Option<String>,
}

fn check(integration: &Integration) -> Result<(), GatewayFault> {
    match integration.kind.as_str() {
        "MOCK" => {}
        "AWS" | "AWS_PROXY" => {
            let uri = integration.uri.as_deref().unwrap_or_default();
            if lambda_arn(uri).is_none() {
                let service = uri.split(':').nth(4).unwrap_or(uri);
                return match uri.starts_with("arn:") && service != "lambda" {
                    true => Err(GatewayFault::unsupported(format!("integrations with {service} (uri {uri})"))),
                    false => Err(GatewayFault::invalid(format!("Invalid ARN specified in the request: {uri}"))),
                };
            }
            if integration.http_method.is_none() {
                return Err(GatewayFault::invalid("Enumeration value for HttpMethod must be non-empty"));
            }
            if integration.http_method.as_deref() != Some("POST") {
                return Err(GatewayFault::invalid("Integrations of type Lambda are invoked with the HTTP method POST"));
            }
        }
        kind @ ("HTTP" | "HTTP_PROXY") => {
            return Err(GatewayFault::unsupported(format!("integrations of type {kind}")));
        }
        kind => return Err(GatewayFault::invalid(format!("Invalid integration type specified: {kind}"))),
    }
    if !["WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"].contains(&integration.passthrough_behavior.as_str()) {
        return Err(GatewayFault::invalid(format!(
            "Invalid passthrough behavior specified: {}",
            integration.passthrough_behavior
        )));
    }
    if !(50..=29_000).contains(&integration.timeout_in_millis) {
        return Err(GatewayFault::invalid("Timeout should be between 50 ms and 29000 ms"));
    }
    integration.request_templates.values().try_for_each(|text| Template::parse(text).map(|_| ()))?;
    for (target, source) in &integration.request_parameters {
        mapping::check_request(target, source)?;
    }
    Ok(())
}

/// PutIntegration.
pub(crate) async fn put(gateway: Arc<ApiGateway>, call: &Call, input: PutIntegration) -> Answer {
    if input.connection_type.as_deref().is_some_and(|kind| kind != "INTERNET") {
        return Err(GatewayFault::unsupported("integrations over a VPC link"));
    }
    if input.response_transfer_mode.as_deref().is_some_and(|mode| mode != "BUFFERED") {
        return Err(GatewayFault::unsupported("streamed integration responses"));
    }
    let mut integration = Integration {
        kind: input.kind,
        http_method: input.integration_http_method,
        uri: input.uri,
        credentials: input.credentials.filter(|role| !role.is_empty()),
        request_parameters: input.request_parameters,
        request_templates: input.request_templates,
        passthrough_behavior: input.passthrough_behavior.unwrap_or_else(|| "WHEN_NO_MATCH".into()),
        timeout_in_millis: input.timeout_in_millis.unwrap_or(29_000),
        cache_namespace: input.cache_namespace.unwrap_or_else(|| input.resource_id.clone()),
        cache_key_parameters: input.cache_key_parameters,
        ..Integration::default()
    };
    if integration.credentials.is_some() {
        return Err(GatewayFault::unsupported(
            "the parameter credentials of integrations; give the function a resource permission",
        ));
    }
    check(&integration)?;
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let method = api.method_mut(&input.resource_id, &input.http_method)?;
            if let Some(there) = method.method_integration.take() {
                integration.integration_responses = there.integration_responses;
            }
            let answer = shown(&integration);
            method.method_integration = Some(integration);
            answer
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    rest_api_id: String,
    resource_id: String,
    http_method: String,
}

/// GetIntegration.
pub(crate) async fn get(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    let method = api.method(&input.resource_id, &input.http_method)?;
    shown(method.method_integration.as_ref().ok_or_else(|| GatewayFault::missing("Integration"))?)
}

/// DeleteIntegration.
pub(crate) async fn delete(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let gone = api.method_mut(&input.resource_id, &input.http_method)?.method_integration.take();
            gone.map(|_| ()).ok_or_else(|| GatewayFault::missing("Integration"))
        })
        .await?;
    nothing()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Update {
    rest_api_id: String,
    resource_id: String,
    http_method: String,
    #[serde(default)]
    patch_operations: Patches,
}

/// UpdateIntegration.
pub(crate) async fn update(gateway: Arc<ApiGateway>, call: &Call, input: Update) -> Answer {
    let allowed = [
        ("/uri", Kind::Text),
        ("/httpMethod", Kind::Text),
        ("/passthroughBehavior", Kind::Text),
        ("/timeoutInMillis", Kind::Number),
        ("/cacheNamespace", Kind::Text),
        ("/requestParameters/*", Kind::Text),
        ("/requestTemplates/*", Kind::Text),
    ];
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let integration = api.integration_mut(&input.resource_id, &input.http_method)?;
            patch::apply(integration, &input.patch_operations, &allowed)?;
            check(integration)?;
            shown(integration)
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PutResponse {
    rest_api_id: String,
    resource_id: String,
    http_method: String,
    status_code: String,
    selection_pattern: Option<String>,
    #[serde(default)]
    response_parameters: Texts,
    #[serde(default)]
    response_templates: Texts,
}

fn check_response(response: &IntegrationResponse) -> Result<(), GatewayFault> {
    check_status(&response.status_code)?;
    if let Some(pattern) = &response.selection_pattern {
        Regex::new(pattern)
            .map_err(|_| GatewayFault::invalid(format!("Invalid selection pattern specified: {pattern}")))?;
    }
    response.response_templates.values().try_for_each(|text| Template::parse(text).map(|_| ()))?;
    for (target, source) in &response.response_parameters {
        mapping::check_response(target, source)?;
    }
    Ok(())
}

/// PutIntegrationResponse.
pub(crate) async fn put_response(gateway: Arc<ApiGateway>, call: &Call, input: PutResponse) -> Answer {
    let response = IntegrationResponse {
        status_code: input.status_code.clone(),
        selection_pattern: input.selection_pattern,
        response_parameters: input.response_parameters,
        response_templates: input.response_templates,
    };
    check_response(&response)?;
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let method = api.method_mut(&input.resource_id, &input.http_method)?;
            let declared = method.method_responses.get(&input.status_code);
            let declared = declared.ok_or_else(|| GatewayFault::missing("Response status code"))?;
            let undeclared = response.response_parameters.keys().find(|key| !declared.response_parameters.contains_key(*key));
            if let Some(key) = undeclared {
                return Err(GatewayFault::invalid(format!("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: {key}]")));
            }
            let integration = method.method_integration.as_mut().ok_or_else(|| GatewayFault::missing("Integration"))?;
            let answer = shown(&response);
            integration.integration_responses.insert(input.status_code, response);
            answer
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NamedResponse {
    rest_api_id: String,
    resource_id: String,
    http_method: String,
    status_code: String,
}

/// GetIntegrationResponse.
pub(crate) async fn get_response(gateway: Arc<ApiGateway>, call: &Call, input: NamedResponse) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    let integration = api.method(&input.resource_id, &input.http_method)?.method_integration.as_ref();
    let integration = integration.ok_or_else(|| GatewayFault::missing("Integration"))?;
    shown(
        integration
            .integration_responses
            .get(&input.status_code)
            .ok_or_else(|| GatewayFault::missing("Response status code"))?,
    )
}

/// DeleteIntegrationResponse.
pub(crate) async fn delete_response(gateway: Arc<ApiGateway>, call: &Call, input: NamedResponse) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let gone = api
                .integration_mut(&input.resource_id, &input.http_method)?
                .integration_responses
                .remove(&input.status_code);
            gone.map(|_| ()).ok_or_else(|| GatewayFault::missing("Response status code"))
        })
        .await?;
    nothing()
}
