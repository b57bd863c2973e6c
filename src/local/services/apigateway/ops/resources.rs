//! Resources: the paths of an API.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Patches, nothing, page};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::state::{Api, ApiGateway, Resource, shown};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateResource {
    rest_api_id: String,
    parent_id: String,
    path_part: String,
}

fn check_part(api: &Api, parent: &Resource, part: &str, own: Option<&str>) -> Result<(), GatewayFault> {
    let inner = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).map(|name| name.trim_end_matches('+'));
    let fits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-:$~".contains(c));
    if !fits(inner.unwrap_or(part)) {
        return Err(GatewayFault::invalid(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.",
        ));
    }
    if parent.path.ends_with("+}") {
        return Err(GatewayFault::invalid("Cannot create a child of a resource with a greedy path variable."));
    }
    let siblings = api
        .resources
        .values()
        .filter(|there| there.parent_id.as_ref() == Some(&parent.id) && Some(there.id.as_str()) != own);
    for sibling in siblings {
        if sibling.path_part.as_deref() == Some(part) {
            return Err(GatewayFault::Conflict(format!(
                "Another resource with the same parent already has this name: {part}"
            )));
        }
        let variable = |text: Option<&str>| text.is_some_and(|text| text.starts_with('{') && !text.ends_with("+}"));
        if variable(sibling.path_part.as_deref()) && variable(Some(part)) {
            return Err(GatewayFault::invalid(
                "A sibling ({id}) of this resource already has a variable path part -- only one is allowed"
                    .replace("{id}", sibling.path_part.as_deref().unwrap_or_default()),
            ));
        }
    }
    Ok(())
}

/// CreateResource.
pub(crate) async fn create(gateway: Arc<ApiGateway>, call: &Call, input: CreateResource) -> Answer {
    // The id comes from the request, so that the same request once more finds what it made.
    let id = id_of(&call.request_id, &input.path_part);
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            if let Some(there) = api.resources.get(&id) {
                return shown(there);
            }
            let parent = api.resource(&input.parent_id)?.clone();
            check_part(api, &parent, &input.path_part, None)?;
            let path = format!("{}/{}", parent.path.trim_end_matches('/'), input.path_part);
            let resource = Resource {
                id: id.clone(),
                parent_id: Some(parent.id),
                path_part: Some(input.path_part),
                path,
                ..Resource::default()
            };
            let answer = shown(&resource);
            api.resources.insert(id, resource);
            answer
        })
        .await
}

/// Six lower-case letters and digits that follow from a request and a name.
pub(super) fn id_of(request: &str, name: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(format!("{request}/{name}")))[..10].to_owned()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GetResource {
    rest_api_id: String,
    resource_id: String,
    #[serde(default)]
    embed: Vec<String>,
}

/// Methods are shown in full only when they are asked for.
fn shape(resource: &Resource, embed: &[String]) -> Answer {
    let mut value = shown(resource)?;
    if !embed.iter().any(|what| what == "methods")
        && let Some(methods) = value.get_mut("resourceMethods").and_then(Value::as_object_mut)
    {
        methods.values_mut().for_each(|method| *method = serde_json::json!({}));
    }
    Ok(value)
}

/// GetResource.
pub(crate) async fn get(gateway: Arc<ApiGateway>, call: &Call, input: GetResource) -> Answer {
    shape(gateway.api(&call.scope, &input.rest_api_id)?.resource(&input.resource_id)?, &input.embed)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct List {
    rest_api_id: String,
    position: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    embed: Vec<String>,
}

/// GetResources.
pub(crate) async fn list(gateway: Arc<ApiGateway>, call: &Call, input: List) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    let items = api.resources.values().map(|resource| shape(resource, &input.embed)).collect::<Result<_, _>>()?;
    page(items, input.position.as_deref(), input.limit)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Update {
    rest_api_id: String,
    resource_id: String,
    #[serde(default)]
    patch_operations: Patches,
}

/// UpdateResource: `/pathPart`; the paths of everything below follow.
pub(crate) async fn update(gateway: Arc<ApiGateway>, call: &Call, input: Update) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            for operation in &input.patch_operations {
                if operation.path != "/pathPart" {
                    return Err(GatewayFault::unsupported(format!(
                        "the patch path {} of UpdateResource",
                        operation.path
                    )));
                }
                let resource = api.resource(&input.resource_id)?.clone();
                let parent = resource
                    .parent_id
                    .as_deref()
                    .ok_or_else(|| GatewayFault::invalid("The root resource has no path part"))?;
                let parent = api.resource(parent)?.clone();
                let part = operation.value()?;
                check_part(api, &parent, part, Some(&resource.id))?;
                let (old, new) = (resource.path.clone(), format!("{}/{part}", parent.path.trim_end_matches('/')));
                for there in api.resources.values_mut() {
                    if there.id == resource.id {
                        there.path_part = Some(part.to_owned());
                        there.path.clone_from(&new);
                    } else if let Some(rest) = there.path.strip_prefix(&format!("{old}/")) {
                        there.path = format!("{new}/{rest}");
                    }
                }
            }
            shown(api.resource(&input.resource_id)?)
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    rest_api_id: String,
    resource_id: String,
}

/// DeleteResource, with everything below it.
pub(crate) async fn delete(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let gone = api.resource(&input.resource_id)?.clone();
            if gone.parent_id.is_none() {
                return Err(GatewayFault::invalid("Root resource cannot be deleted"));
            }
            let below = format!("{}/", gone.path);
            api.resources.retain(|id, there| *id != gone.id && !there.path.starts_with(&below));
            nothing()
        })
        .await
}
