//! Tags, by ARN: `arn:aws:apigateway:REGION::/apis/ID`, `…/stages/NAME`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::{Answer, nothing};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigatewayv2::state::{HttpApis, Region, Texts};

fn with_tags<R>(region: &mut Region, arn: &str, change: impl FnOnce(&mut Texts) -> R) -> Result<R, GatewayFault> {
    let missing = || GatewayFault::NotFound(format!("Invalid resource ARN specified: {arn}"));
    let path = arn.split_once("::/").map(|(_, path)| path).ok_or_else(missing)?;
    let tags = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["apis", id] => region.apis.get_mut(*id).map(|api| &mut api.own().tags),
        ["apis", id, "stages", name] => {
            region.apis.get_mut(*id).and_then(|api| api.own().stages.get_mut(*name)).map(|stage| &mut stage.tags)
        }
        _ => None,
    };
    tags.map(change).ok_or_else(missing)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TagResource {
    resource_arn: String,
    #[serde(default)]
    tags: Texts,
}

/// TagResource.
pub(crate) async fn tag(apis: Arc<HttpApis>, call: &Call, input: TagResource) -> Answer {
    apis.regions
        .change_region(&call.scope, |region| with_tags(region, &input.resource_arn, |tags| tags.extend(input.tags)))
        .await?;
    nothing()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// UntagResource.
pub(crate) async fn untag(apis: Arc<HttpApis>, call: &Call, input: UntagResource) -> Answer {
    let remove = |tags: &mut Texts| tags.retain(|key, _| !input.tag_keys.contains(key));
    apis.regions.change_region(&call.scope, |region| with_tags(region, &input.resource_arn, remove)).await?;
    nothing()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct GetTags {
    resource_arn: String,
}

/// GetTags.
pub(crate) async fn get(apis: Arc<HttpApis>, call: &Call, input: GetTags) -> Answer {
    let tags = with_tags(&mut apis.regions.region(&call.scope), &input.resource_arn, |tags| tags.clone())?;
    Ok(json!({"Tags": tags}))
}
