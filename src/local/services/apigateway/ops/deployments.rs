//! Deployments: frozen copies of an API.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::stages::{NewStage, new_stage};
use super::{Answer, Patches, nothing, page};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::state::{Api, ApiGateway, Deployment, Snapshot, Texts};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateDeployment {
    rest_api_id: String,
    stage_name: Option<String>,
    stage_description: Option<String>,
    description: Option<String>,
    #[serde(default)]
    variables: Texts,
    #[serde(default)]
    tracing_enabled: bool,
    cache_cluster_enabled: Option<bool>,
}

fn shape(deployment: &Deployment, summary: bool) -> Value {
    let mut value = json!({"id": deployment.id, "createdDate": deployment.created});
    if let Some(description) = &deployment.description {
        value["description"] = json!(description);
    }
    if summary {
        let resources = deployment.snapshot.resources.values().filter(|resource| !resource.resource_methods.is_empty());
        let paths: BTreeMap<&str, Value> = resources
            .map(|resource| {
                let methods = resource.resource_methods.iter().map(|(verb, method)| {
                    (verb.clone(), json!({"authorizationType": method.authorization_type, "apiKeyRequired": method.api_key_required}))
                });
                (resource.path.as_str(), Value::Object(methods.collect()))
            })
            .collect();
        value["apiSummary"] = json!(paths);
    }
    value
}

fn freeze(api: &Api) -> Result<Snapshot, GatewayFault> {
    let methods: Vec<_> = api.resources.values().flat_map(|resource| resource.resource_methods.values()).collect();
    if methods.is_empty() {
        return Err(GatewayFault::invalid("The REST API doesn't contain any methods"));
    }
    if methods.iter().any(|method| method.method_integration.is_none()) {
        return Err(GatewayFault::invalid("No integration defined for method"));
    }
    Ok(Snapshot {
        resources: api.resources.clone(),
        gateway_responses: api.gateway_responses.clone(),
        validators: api.validators.clone(),
        binary_media_types: api.binary_media_types.clone(),
    })
}

/// CreateDeployment, with a stage if one is named.
pub(crate) async fn create(gateway: Arc<ApiGateway>, call: &Call, input: CreateDeployment) -> Answer {
    if input.cache_cluster_enabled == Some(true) {
        return Err(GatewayFault::unsupported("the parameter cacheClusterEnabled of stages"));
    }
    let (id, now) = (gateway.cloud.ids.lower(6), gateway.cloud.clock.now());
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            if let Some(there) = api.deployments.values().find(|deployment| deployment.made_by == call.request_id) {
                return Ok(shape(there, false));
            }
            let deployment = Deployment {
                id: id.clone(),
                description: input.description,
                created: now,
                snapshot: freeze(api)?,
                made_by: call.request_id.clone(),
            };
            // An empty name is none.
            if let Some(name) = input.stage_name.filter(|name| !name.is_empty()) {
                match api.stages.get_mut(&name) {
                    Some(stage) => {
                        stage.deployment_id.clone_from(&id);
                        stage.variables.extend(input.variables);
                        stage.last_updated_date = now;
                    }
                    None => {
                        let new = NewStage {
                            name: name.clone(),
                            deployment: id.clone(),
                            description: input.stage_description,
                            variables: input.variables,
                            tracing: input.tracing_enabled,
                            tags: Texts::new(),
                        };
                        api.stages.insert(name, new_stage(new, now)?);
                    }
                }
            }
            let answer = shape(&deployment, false);
            api.deployments.insert(id, deployment);
            Ok(answer)
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Get {
    rest_api_id: String,
    deployment_id: String,
    #[serde(default)]
    embed: Vec<String>,
}

/// GetDeployment.
pub(crate) async fn get(gateway: Arc<ApiGateway>, call: &Call, input: Get) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    let deployment = api.deployments.get(&input.deployment_id).ok_or_else(|| GatewayFault::missing("Deployment"))?;
    Ok(shape(deployment, input.embed.iter().any(|what| what == "apisummary")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct List {
    rest_api_id: String,
    position: Option<String>,
    limit: Option<usize>,
}

/// GetDeployments, newest first.
pub(crate) async fn list(gateway: Arc<ApiGateway>, call: &Call, input: List) -> Answer {
    let api = gateway.api(&call.scope, &input.rest_api_id)?;
    let mut all: Vec<&Deployment> = api.deployments.values().collect();
    all.sort_by_key(|deployment| std::cmp::Reverse(deployment.created));
    page(all.into_iter().map(|deployment| shape(deployment, false)).collect(), input.position.as_deref(), input.limit)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Update {
    rest_api_id: String,
    deployment_id: String,
    #[serde(default)]
    patch_operations: Patches,
}

/// UpdateDeployment: `/description`.
pub(crate) async fn update(gateway: Arc<ApiGateway>, call: &Call, input: Update) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            let deployment =
                api.deployments.get_mut(&input.deployment_id).ok_or_else(|| GatewayFault::missing("Deployment"))?;
            for operation in &input.patch_operations {
                if operation.path != "/description" {
                    return Err(GatewayFault::unsupported(format!(
                        "the patch path {} of UpdateDeployment",
                        operation.path
                    )));
                }
                deployment.description = operation.value.clone();
            }
            Ok(shape(deployment, false))
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    rest_api_id: String,
    deployment_id: String,
}

/// DeleteDeployment.
pub(crate) async fn delete(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    gateway
        .change_api(&call.scope, &input.rest_api_id, |api| {
            if api.stages.values().any(|stage| stage.deployment_id == input.deployment_id) {
                return Err(GatewayFault::invalid(
                    "Active stages pointing to this deployment must be moved or deleted",
                ));
            }
            let gone = api.deployments.remove(&input.deployment_id);
            gone.map(|_| ()).ok_or_else(|| GatewayFault::missing("Deployment"))
        })
        .await?;
    gateway.plane.forget(&input.rest_api_id);
    nothing()
}
