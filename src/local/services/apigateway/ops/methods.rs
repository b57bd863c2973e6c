//! Methods and method responses.

use std::sync::Arc;

use serde::Deserialize;

use super::{Answer, Patches, nothing};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::patch::{self, Kind};
use crate::services::apigateway::state::{Api, ApiGateway, Flags, Method, MethodResponse, Texts, shown};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PutMethod {
    rest_api_id: String,
    resource_id: String,
    http_method: String,
    authorization_type: String,
    #[serde(default)]
    api_key_required: bool,
    operation_name: Option<String>,
    #[serde(default)]
    request_parameters: Flags,
    #[serde(default)]
    request_models: Texts,
    request_validator_id: Option<String>,
}

const VERBS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "ANY"];

fn check_authorization(kind: &str) -> Result<(), GatewayFault> {
    match kind {
        "NONE" => Ok(()),
        "AWS_IAM" | "CUSTOM" | "COGNITO_USER_POOLS" => {
            Err(GatewayFault::unsupported(format!("the authorization type {kind} of REST API methods")))
        }
        other => Err(GatewayFault::invalid(format!(
            "Invalid authorization type specified: {other}. Must be one of NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS"
        ))),
    }
}

fn check_parameters<'k>(
    keys: impl Iterator<Item = &'k String>,
    prefix: &str,
    places: &[&str],
) -> Result<(), GatewayFault> {
    for key in keys {
        let named = key.strip_prefix(prefix).and_then(|rest| rest.split_once('.'));
        if named.is_none_or(|(place, name)| !places.contains(&place) || name.is_empty()) {
            return Err(GatewayFault::invalid(format!("Invalid mapping expression specified: {key}")));
        }
    }
    Ok(())
}

/// PutMethod.
pub(crate) async fn put(gateway: Arc<ApiGateway>, call: &Call, input: PutMethod) -> Answer {
    if !VERBS.contains(&input.http_method.as_str()) {
        return Err(GatewayFault::invalid(format!(
            "Invalid HttpMethod specified. Valid options are {}",
            VERBS.join(",")
        )));
    }
    check_authorization(&input.authorization_type)?;
    check_parameters(input.request_parameters.keys(), "method.request.", &["path", "querystring", "header"])?;
    let place = Api::place(&input.resource_id, &input.http_method);
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            if input.request_validator_id.as_ref().is_some_and(|id| !api.validators.contains_key(id)) {
                return Err(GatewayFault::invalid("Invalid Request Validator identifier specified"));
            }
            // A second try at one request begins again with a method that has nothing yet.
            let ours = api.methods_put_by.get(&place) == Some(&call.request_id);
            let resource = api.resource_mut(&input.resource_id)?;
            if resource.resource_methods.contains_key(&input.http_method) && !ours {
                return Err(GatewayFault::Conflict("Method already exists for this resource".into()));
            }
            let method = Method {
                http_method: input.http_method.clone(),
                authorization_type: input.authorization_type,
                api_key_required: input.api_key_required,
                request_validator_id: input.request_validator_id,
                operation_name: input.operation_name,
                request_parameters: input.request_parameters,
                request_models: input.request_models,
                ..Method::default()
            };
            let answer = shown(&method);
            resource.resource_methods.insert(input.http_method, method);
            api.methods_put_by.insert(place, call.request_id.clone());
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

/// GetMethod.
pub(crate) async fn get(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    shown(gateway.api(&call.scope, &input.rest_api_id)?.method(&input.resource_id, &input.http_method)?)
}

/// DeleteMethod.
pub(crate) async fn delete(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let gone = api.resource_mut(&input.resource_id)?.resource_methods.remove(&input.http_method);
            api.methods_put_by.remove(&Api::place(&input.resource_id, &input.http_method));
            gone.map(|_| ()).ok_or_else(|| GatewayFault::missing("Method"))
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

/// UpdateMethod.
pub(crate) async fn update(gateway: Arc<ApiGateway>, call: &Call, input: Update) -> Answer {
    let allowed = [
        ("/authorizationType", Kind::Text),
        ("/apiKeyRequired", Kind::Bool),
        ("/operationName", Kind::Text),
        ("/requestValidatorId", Kind::Text),
        ("/requestParameters/*", Kind::Bool),
        ("/requestModels/*", Kind::Text),
    ];
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let method = api.method_mut(&input.resource_id, &input.http_method)?;
            patch::apply(method, &input.patch_operations, &allowed)?;
            check_authorization(&method.authorization_type)?;
            shown(method)
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
    #[serde(default)]
    response_parameters: Flags,
    #[serde(default)]
    response_models: Texts,
}

pub(super) fn check_status(text: &str) -> Result<(), GatewayFault> {
    match text.parse::<u16>() {
        Ok(status) if (100..600).contains(&status) => Ok(()),
        _ => Err(GatewayFault::invalid(format!("Invalid status code specified: {text}"))),
    }
}

/// PutMethodResponse.
pub(crate) async fn put_response(gateway: Arc<ApiGateway>, call: &Call, input: PutResponse) -> Answer {
    check_status(&input.status_code)?;
    check_parameters(input.response_parameters.keys(), "method.response.", &["header"])?;
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let method = api.method_mut(&input.resource_id, &input.http_method)?;
            if method.method_responses.contains_key(&input.status_code) {
                return Err(GatewayFault::Conflict("Response already exists for this resource".into()));
            }
            let response = MethodResponse {
                status_code: input.status_code.clone(),
                response_parameters: input.response_parameters,
                response_models: input.response_models,
            };
            let answer = shown(&response);
            method.method_responses.insert(input.status_code, response);
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

/// GetMethodResponse.
pub(crate) async fn get_response(gateway: Arc<ApiGateway>, call: &Call, input: NamedResponse) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    let response = api.method(&input.resource_id, &input.http_method)?.method_responses.get(&input.status_code);
    shown(response.ok_or_else(|| GatewayFault::missing("Response status code"))?)
}

/// DeleteMethodResponse.
pub(crate) async fn delete_response(gateway: Arc<ApiGateway>, call: &Call, input: NamedResponse) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let gone =
                api.method_mut(&input.resource_id, &input.http_method)?.method_responses.remove(&input.status_code);
            gone.map(|_| ()).ok_or_else(|| GatewayFault::missing("Response status code"))
        })
        .await?;
    nothing()
}
