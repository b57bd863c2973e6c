//! The account's settings.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Answer, Patches};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::state::{ApiGateway, Region};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Empty {}

fn shape(region: &Region) -> Answer {
    let mut value = json!({
        "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0}, "features": ["UsagePlans"], "apiKeyVersion": "4",
    });
    if let Some(role) = &region.cloudwatch_role {
        value["cloudwatchRoleArn"] = json!(role);
    }
    Ok(value)
}

/// GetAccount.
pub(crate) async fn get(gateway: Arc<ApiGateway>, call: &Call, _input: Empty) -> Answer {
    shape(&gateway.regions.region(&call.scope))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Update {
    #[serde(default)]
    patch_operations: Patches,
}

/// UpdateAccount: the role for logs must let API Gateway in.
pub(crate) async fn update(gateway: Arc<ApiGateway>, call: &Call, input: Update) -> Answer {
    let mut role = gateway.regions.region(&call.scope).cloudwatch_role;
    for operation in &input.patch_operations {
        if operation.path != "/cloudwatchRoleArn" {
            return Err(GatewayFault::unsupported(format!("the patch path {} of UpdateAccount", operation.path)));
        }
        role = operation.value.clone().filter(|arn| !arn.is_empty() && !operation.removes());
    }
    if let Some(role) = &role {
        let session = json!({"RoleArn": role, "RoleSessionName": "BackplaneAssumeRoleSession"});
        let service = call.scope.as_service("apigateway.amazonaws.com");
        gateway.cloud.call(&service, "sts", "AssumeRole", session).await.map_err(|_| {
            GatewayFault::invalid("The role ARN does not have required permissions configured. Please grant trust permission for API Gateway and add the required role policy.")
        })?;
    }
    gateway
        .regions
        .change_region(&call.scope, |region| {
            region.cloudwatch_role = role;
            shape(region)
        })
        .await
}
