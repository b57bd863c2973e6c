//! Deployments: frozen copies of an API.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, List, nothing};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigatewayv2::state::{Deployment, HttpApis, set_text};

fn shape(deployment: &Deployment) -> Value {
    let mut value = json!({
        "DeploymentId": deployment.id, "CreatedDate": deployment.created, "AutoDeployed": deployment.auto_deployed,
        "DeploymentStatus": "DEPLOYED",
    });
    if let Some(description) = &deployment.description {
        value["Description"] = json!(description);
    }
    value
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreateDeployment {
    api_id: String,
    stage_name: Option<String>,
    description: Option<String>,
}

/// CreateDeployment; a stage that is named goes on to it.
pub(crate) async fn create(apis: Arc<HttpApis>, call: &Call, input: CreateDeployment) -> Answer {
    let fresh = apis.fresh();
    apis.change_api(&call.scope, &input.api_id, |api| {
        if let Some(there) = api.deployments.values().find(|there| there.made_by == call.request_id) {
            return Ok(shape(there));
        }
        let deployment = Deployment {
            id: fresh.id.clone(),
            description: input.description.filter(|text| !text.is_empty()),
            created: fresh.now,
            auto_deployed: false,
            snapshot: api.freeze()?,
            made_by: call.request_id.clone(),
        };
        if let Some(name) = &input.stage_name {
            let stage = api.stage_mut(name)?;
            if stage.auto_deploy {
                return Err(GatewayFault::invalid(
                    "Deployment ID cannot be set on a stage that has autoDeploy enabled",
                ));
            }
            stage.deployment_id = Some(fresh.id.clone());
            stage.last_updated_date = fresh.now;
            stage.last_deployment_status_message =
                Some(format!("Successfully deployed stage with deployment ID '{}'", fresh.id));
        }
        let answer = shape(&deployment);
        api.deployments.insert(fresh.id, deployment);
        Ok(answer)
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Named {
    api_id: String,
    deployment_id: String,
}

/// GetDeployment.
pub(crate) async fn get(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    let api = apis.api(&call.scope, &input.api_id)?;
    Ok(shape(api.deployments.get(&input.deployment_id).ok_or_else(|| GatewayFault::missing("Deployment"))?))
}

/// GetDeployments, newest first.
pub(crate) async fn list(apis: Arc<HttpApis>, call: &Call, input: List) -> Answer {
    let api = apis.api(&call.scope, &input.api_id)?;
    let mut all: Vec<&Deployment> = api.deployments.values().collect();
    all.sort_by_key(|deployment| std::cmp::Reverse(deployment.created));
    input.page(all.into_iter().map(shape).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UpdateDeployment {
    api_id: String,
    deployment_id: String,
    description: Option<String>,
}

/// UpdateDeployment.
pub(crate) async fn update(apis: Arc<HttpApis>, call: &Call, input: UpdateDeployment) -> Answer {
    apis.change_api(&call.scope, &input.api_id, |api| {
        let deployment = api.deployments.get_mut(&input.deployment_id);
        let deployment = deployment.ok_or_else(|| GatewayFault::missing("Deployment"))?;
        set_text(&mut deployment.description, input.description);
        Ok(shape(deployment))
    })
    .await
}

/// DeleteDeployment: one that a stage uses stays.
pub(crate) async fn delete(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    let id = &input.deployment_id;
    apis.change_api(&call.scope, &input.api_id, |api| {
        if api.stages.values().any(|stage| stage.deployment_id.as_ref() == Some(id)) {
            return Err(GatewayFault::invalid("Active stages pointing to this deployment must be moved or deleted"));
        }
        api.deployments.remove(id).ok_or_else(|| GatewayFault::missing("Deployment"))?;
        nothing()
    })
    .await
}
