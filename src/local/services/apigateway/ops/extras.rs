//! Gateway responses, models and request validators.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::resources::id_of;
use super::{Answer, nothing, page};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::state::{ApiGateway, GatewayResponse, Model, Texts, Validator, shown};

/// The response types that API Gateway knows.
const TYPES: &[&str] = &[
    "ACCESS_DENIED",
    "API_CONFIGURATION_ERROR",
    "AUTHORIZER_CONFIGURATION_ERROR",
    "AUTHORIZER_FAILURE",
    "BAD_REQUEST_BODY",
    "BAD_REQUEST_PARAMETERS",
    "DEFAULT_4XX",
    "DEFAULT_5XX",
    "EXPIRED_TOKEN",
    "INTEGRATION_FAILURE",
    "INTEGRATION_TIMEOUT",
    "INVALID_API_KEY",
    "INVALID_SIGNATURE",
    "MISSING_AUTHENTICATION_TOKEN",
    "QUOTA_EXCEEDED",
    "REQUEST_TOO_LARGE",
    "RESOURCE_NOT_FOUND",
    "THROTTLED",
    "UNAUTHORIZED",
    "UNSUPPORTED_MEDIA_TYPE",
    "WAF_FILTERED",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PutGatewayResponse {
    rest_api_id: String,
    response_type: String,
    status_code: Option<String>,
    #[serde(default)]
    response_parameters: Texts,
    #[serde(default)]
    response_templates: Texts,
}

/// PutGatewayResponse.
pub(crate) async fn put_response(gateway: Arc<ApiGateway>, call: &Call, input: PutGatewayResponse) -> Answer {
    if !TYPES.contains(&input.response_type.as_str()) {
        return Err(GatewayFault::invalid(format!("Invalid response type specified: {}", input.response_type)));
    }
    if let Some(status) = &input.status_code {
        super::methods::check_status(status)?;
    }
    for (target, source) in &input.response_parameters {
        let quoted = source.len() > 1 && source.starts_with('\'') && source.ends_with('\'');
        if !target.starts_with("gatewayresponse.header.") || !quoted {
            return Err(GatewayFault::unsupported(format!(
                "the gateway response parameter {target}: {source} (only static headers are)"
            )));
        }
    }
    let response = GatewayResponse {
        response_type: input.response_type.clone(),
        status_code: input.status_code,
        response_parameters: input.response_parameters,
        response_templates: input.response_templates,
        default_response: false,
    };
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let answer = shown(&response);
            api.gateway_responses.insert(input.response_type, response);
            answer
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NamedResponse {
    rest_api_id: String,
    response_type: String,
}

/// GetGatewayResponse.
pub(crate) async fn get_response(gateway: Arc<ApiGateway>, call: &Call, input: NamedResponse) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    match api.gateway_responses.get(&input.response_type) {
        Some(response) => shown(response),
        None if TYPES.contains(&input.response_type.as_str()) => shown(&default_response(&input.response_type)),
        None => Err(GatewayFault::missing("response type")),
    }
}

fn default_response(kind: &str) -> GatewayResponse {
    GatewayResponse {
        response_type: kind.to_owned(),
        response_templates: BTreeMap::from([(
            "application/json".to_owned(),
            "{\"message\":$context.error.messageString}".to_owned(),
        )]),
        default_response: true,
        ..GatewayResponse::default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct List {
    rest_api_id: String,
    position: Option<String>,
    limit: Option<usize>,
}

/// GetGatewayResponses: the API's own and the defaults.
pub(crate) async fn list_responses(gateway: Arc<ApiGateway>, call: &Call, input: List) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    let items = TYPES.iter().map(|kind| match api.gateway_responses.get(*kind) {
        Some(response) => shown(response),
        None => shown(&default_response(kind)),
    });
    page(items.collect::<Result<_, _>>()?, input.position.as_deref(), input.limit)
}

/// DeleteGatewayResponse: the default comes back.
pub(crate) async fn delete_response(gateway: Arc<ApiGateway>, call: &Call, input: NamedResponse) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let gone = api.gateway_responses.remove(&input.response_type);
            gone.map(|_| ()).ok_or_else(|| GatewayFault::NotFound("Gateway response type not defined on api".into()))
        })
        .await?;
    nothing()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateModel {
    rest_api_id: String,
    name: String,
    description: Option<String>,
    schema: Option<String>,
    content_type: String,
}

/// The models that every API has from the start.
pub(super) fn default_models(gateway: &ApiGateway) -> BTreeMap<String, Model> {
    let schema = |title: &str| {
        format!(
            "{{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"{title} Schema\",\n  \"type\" : \"object\"\n}}"
        )
    };
    let model = |name: &str| Model {
        id: gateway.cloud.ids.lower(6),
        name: name.to_owned(),
        description: Some(format!("This is a default {} schema model", name.to_lowercase())),
        schema: Some(schema(name)),
        content_type: "application/json".into(),
    };
    ["Empty", "Error"].into_iter().map(|name| (name.to_owned(), model(name))).collect()
}

/// CreateModel.
pub(crate) async fn create_model(gateway: Arc<ApiGateway>, call: &Call, input: CreateModel) -> Answer {
    if !input.name.chars().all(|c| c.is_ascii_alphanumeric()) || input.name.is_empty() {
        return Err(GatewayFault::invalid("Model name must be alphanumeric"));
    }
    if let Some(schema) = &input.schema
        && input.content_type == "application/json"
        && serde_json::from_str::<Value>(schema).is_err()
    {
        return Err(GatewayFault::invalid("Invalid model specified: the schema is not JSON"));
    }
    let model = Model {
        id: id_of(&call.request_id, &input.name),
        name: input.name.clone(),
        description: input.description,
        schema: input.schema,
        content_type: input.content_type,
    };
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            match api.models.get(&input.name) {
                // The same request once more finds what it made.
                Some(there) if there.id == model.id => return shown(there),
                Some(_) => return Err(GatewayFault::Conflict("Model name already exists for this REST API".into())),
                None => {}
            }
            let answer = shown(&model);
            api.models.insert(input.name, model);
            answer
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NamedModel {
    rest_api_id: String,
    model_name: String,
}

/// GetModel.
pub(crate) async fn get_model(gateway: Arc<ApiGateway>, call: &Call, input: NamedModel) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    shown(
        api.models
            .get(&input.model_name)
            .ok_or_else(|| GatewayFault::NotFound("Invalid model name specified".into()))?,
    )
}

/// GetModels.
pub(crate) async fn list_models(gateway: Arc<ApiGateway>, call: &Call, input: List) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    page(api.models.values().map(shown).collect::<Result<_, _>>()?, input.position.as_deref(), input.limit)
}

/// DeleteModel.
pub(crate) async fn delete_model(gateway: Arc<ApiGateway>, call: &Call, input: NamedModel) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let gone = api.models.remove(&input.model_name);
            gone.map(|_| ()).ok_or_else(|| GatewayFault::NotFound("Invalid model name specified".into()))
        })
        .await?;
    nothing()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateValidator {
    rest_api_id: String,
    name: Option<String>,
    #[serde(default)]
    validate_request_body: bool,
    #[serde(default)]
    validate_request_parameters: bool,
}

/// CreateRequestValidator. Bodies are not held against a schema here, so a validator that promises it is refused.
pub(crate) async fn create_validator(gateway: Arc<ApiGateway>, call: &Call, input: CreateValidator) -> Answer {
    if input.validate_request_body {
        return Err(GatewayFault::unsupported("the parameter validateRequestBody of request validators"));
    }
    let validator = Validator {
        id: id_of(&call.request_id, "validator"),
        name: input.name,
        validate_request_body: false,
        validate_request_parameters: input.validate_request_parameters,
    };
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            // The same request once more finds what it made.
            shown(api.validators.entry(validator.id.clone()).or_insert(validator))
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NamedValidator {
    rest_api_id: String,
    request_validator_id: String,
}

/// GetRequestValidator.
pub(crate) async fn get_validator(gateway: Arc<ApiGateway>, call: &Call, input: NamedValidator) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    shown(api.validators.get(&input.request_validator_id).ok_or_else(|| GatewayFault::missing("Request Validator"))?)
}

/// GetRequestValidators.
pub(crate) async fn list_validators(gateway: Arc<ApiGateway>, call: &Call, input: List) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    page(api.validators.values().map(shown).collect::<Result<_, _>>()?, input.position.as_deref(), input.limit)
}

/// DeleteRequestValidator.
pub(crate) async fn delete_validator(gateway: Arc<ApiGateway>, call: &Call, input: NamedValidator) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let used = api.resources.values().flat_map(|resource| resource.resource_methods.values());
            if used.clone().any(|method| method.request_validator_id.as_ref() == Some(&input.request_validator_id)) {
                return Err(GatewayFault::Conflict("Request Validator is used by a method".into()));
            }
            let gone = api.validators.remove(&input.request_validator_id);
            gone.map(|_| ()).ok_or_else(|| GatewayFault::missing("Request Validator"))
        })
        .await?;
    nothing()
}
