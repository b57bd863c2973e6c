//! Tags, by ARN: `arn:aws:apigateway:REGION::/restapis/ID`, `…/stages/NAME`, `/apikeys/ID`, `/usageplans/ID`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Answer, nothing};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::state::{ApiGateway, Region, Texts};

fn with_tags<R>(region: &mut Region, arn: &str, change: impl FnOnce(&mut Texts) -> R) -> Result<R, GatewayFault> {
    let missing = || GatewayFault::NotFound(format!("Invalid resource ARN specified: {arn}"));
    let path = arn.split_once("::/").map(|(_, path)| path).ok_or_else(missing)?;
    let tags = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["restapis", id] => region.apis.get_mut(*id).map(|api| &mut api.own().tags),
        ["restapis", id, "stages", name] => {
            region.apis.get_mut(*id).and_then(|api| api.own().stages.get_mut(*name)).map(|stage| &mut stage.tags)
        }
        ["apikeys", id] => region.keys.get_mut(*id).map(|key| &mut key.tags),
        ["usageplans", id] => region.plans.get_mut(*id).map(|plan| &mut plan.tags),
        _ => None,
    };
    tags.map(change).ok_or_else(missing)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TagResource {
    resource_arn: String,
    tags: Texts,
}

/// TagResource.
pub(crate) async fn tag(gateway: Arc<ApiGateway>, call: &Call, input: TagResource) -> Answer {
    gateway
        .regions
        .change_region(&call.scope, |region| with_tags(region, &input.resource_arn, |tags| tags.extend(input.tags)))
        .await?;
    nothing()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// UntagResource.
pub(crate) async fn untag(gateway: Arc<ApiGateway>, call: &Call, input: UntagResource) -> Answer {
    let remove = |tags: &mut Texts| tags.retain(|key, _| !input.tag_keys.contains(key));
    gateway.regions.change_region(&call.scope, |region| with_tags(region, &input.resource_arn, remove)).await?;
    nothing()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GetTags {
    resource_arn: String,
}

/// GetTags.
pub(crate) async fn get(gateway: Arc<ApiGateway>, call: &Call, input: GetTags) -> Answer {
    let tags = with_tags(&mut gateway.regions.region(&call.scope), &input.resource_arn, |tags| tags.clone())?;
    Ok(json!({"tags": tags}))
}
