//! REST APIs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Patches, nothing, page};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::patch::{self, Kind};
use crate::services::apigateway::state::{Api, ApiGateway, Resource, Texts};
use crate::store::Shared;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Endpoints {
    types: Option<Vec<String>>,
    ip_address_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateRestApi {
    name: String,
    description: Option<String>,
    version: Option<String>,
    #[serde(default)]
    binary_media_types: Vec<String>,
    api_key_source: Option<String>,
    endpoint_configuration: Option<Endpoints>,
    #[serde(default)]
    tags: Texts,
    #[serde(default)]
    disable_execute_api_endpoint: bool,
}

pub(super) fn shape(api: &Api) -> Value {
    let mut value = json!({
        "id": api.id, "name": api.name, "createdDate": api.created, "apiKeySource": "HEADER", "rootResourceId": api.root,
        "endpointConfiguration": {"types": api.endpoint_types, "ipAddressType": api.ip_address_type.as_deref().unwrap_or("ipv4")},
        "disableExecuteApiEndpoint": api.disable_execute_api_endpoint, "tags": api.tags,
    });
    if let Some(description) = &api.description {
        value["description"] = json!(description);
    }
    if let Some(version) = &api.version {
        value["version"] = json!(version);
    }
    if !api.binary_media_types.is_empty() {
        value["binaryMediaTypes"] = json!(api.binary_media_types);
    }
    value
}

/// CreateRestApi.
pub(crate) async fn create(gateway: Arc<ApiGateway>, call: &Call, input: CreateRestApi) -> Answer {
    if input.name.is_empty() {
        return Err(GatewayFault::invalid("API name must not be blank"));
    }
    if input.api_key_source.as_deref().is_some_and(|source| source != "HEADER") {
        return Err(GatewayFault::unsupported("the parameter apiKeySource AUTHORIZER of REST APIs"));
    }
    let types = input.endpoint_configuration.as_ref().and_then(|endpoints| endpoints.types.clone());
    let types = types.unwrap_or_else(|| vec!["EDGE".into()]);
    if types.iter().any(|kind| kind != "EDGE" && kind != "REGIONAL") {
        return Err(GatewayFault::unsupported("private REST APIs (endpointConfiguration.types PRIVATE)"));
    }
    let (id, root) = (gateway.cloud.ids.lower(10), gateway.cloud.ids.lower(10));
    let resource = Resource { id: root.clone(), path: "/".into(), ..Resource::default() };
    let api = Api {
        id: id.clone(),
        name: input.name,
        description: input.description,
        created: gateway.cloud.clock.now(),
        version: input.version,
        binary_media_types: input.binary_media_types,
        endpoint_types: types,
        ip_address_type: input.endpoint_configuration.and_then(|endpoints| endpoints.ip_address_type),
        disable_execute_api_endpoint: input.disable_execute_api_endpoint,
        tags: input.tags,
        resources: BTreeMap::from([(root.clone(), resource)]),
        root,
        deployments: BTreeMap::new(),
        stages: BTreeMap::new(),
        gateway_responses: BTreeMap::new(),
        models: super::extras::default_models(&gateway),
        validators: BTreeMap::new(),
        made_by: call.request_id.clone(),
        methods_put_by: BTreeMap::new(),
    };
    gateway
        .regions
        .change_region(&call.scope, |region| {
            // The same request once more finds what it made.
            if let Some(there) = region.apis.values().find(|api| api.made_by == call.request_id) {
                return Ok(shape(there));
            }
            let answer = shape(&api);
            region.apis.insert(id, Shared::new(api));
            Ok(answer)
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    rest_api_id: String,
}

/// GetRestApi.
pub(crate) async fn get(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    Ok(shape(&*gateway.api(&call.scope, &input.rest_api_id)?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct List {
    position: Option<String>,
    limit: Option<usize>,
}

/// GetRestApis.
pub(crate) async fn list(gateway: Arc<ApiGateway>, call: &Call, input: List) -> Answer {
    let items = gateway.regions.region(&call.scope).apis.values().map(|api| shape(api)).collect();
    page(items, input.position.as_deref(), input.limit)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Update {
    rest_api_id: String,
    #[serde(default)]
    patch_operations: Patches,
}

/// UpdateRestApi.
pub(crate) async fn update(gateway: Arc<ApiGateway>, call: &Call, input: Update) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            for operation in &input.patch_operations {
                let path = patch::parts(&operation.path);
                match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                    ["name"] => api.name = operation.value()?.to_owned(),
                    ["description"] => api.description = operation.value.clone(),
                    ["version"] => api.version = operation.value.clone(),
                    ["disableExecuteApiEndpoint"] => {
                        api.disable_execute_api_endpoint = operation.typed(Kind::Bool)?.as_bool().unwrap_or(false);
                    }
                    ["apiKeySource"] if operation.value()? == "HEADER" => {}
                    ["binaryMediaTypes", media] if operation.removes() => {
                        api.binary_media_types.retain(|there| there != media)
                    }
                    ["binaryMediaTypes", media] => api.binary_media_types.push((*media).to_owned()),
                    _ => {
                        return Err(GatewayFault::unsupported(format!(
                            "the patch path {} of UpdateRestApi",
                            operation.path
                        )));
                    }
                }
            }
            Ok(shape(api))
        })
        .await
}

/// DeleteRestApi.
pub(crate) async fn delete(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    let id = &input.rest_api_id;
    gateway
        .regions
        .change_region(&call.scope, |region| {
            let planned = region.plans.values().any(|plan| plan.api_stages.iter().any(|stage| stage.api_id == *id));
            if planned {
                for plan in region.plans.values_mut() {
                    plan.api_stages.retain(|stage| stage.api_id != *id);
                }
            }
            region.apis.remove(id).map(|_| ()).ok_or_else(|| GatewayFault::no_api(&call.scope, id))
        })
        .await?;
    gateway.plane.forget(id);
    nothing()
}
