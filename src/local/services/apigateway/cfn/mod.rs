//! The CloudFormation types of API Gateway.

mod api;
mod keys;
mod stage;

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::resource::{Properties, Provisioned, ResourceContext, ResourceType, TagForm};

pub(super) fn types() -> Vec<ResourceType> {
    let key = ["Name", "Description", "Enabled", "CustomerId", "GenerateDistinctId", "Value", "Tags"];
    let plan = ["UsagePlanName", "Description", "ApiStages", "Throttle", "Quota", "Tags"];
    let rest_api = [
        "Name",
        "Description",
        "EndpointConfiguration",
        "BinaryMediaTypes",
        "ApiKeySourceType",
        "DisableExecuteApiEndpoint",
        "Tags",
    ];
    let stage = ["Description", "Variables", "TracingEnabled", "Tags", "MethodSettings", "AccessLogSetting"];
    vec![
        ResourceType::new("AWS::ApiGateway::RestApi", &rest_api, api::RestApi)
            .fixed(&["ApiKeySourceType", "EndpointConfiguration"])
            .kept(&[&["Name"]])
            .defaults(|_| json!({"ApiKeySourceType": "HEADER", "EndpointConfiguration": {"Types": ["EDGE"]}})),
        ResourceType::new("AWS::ApiGateway::Resource", api::RESOURCE, api::Resource),
        ResourceType::new("AWS::ApiGateway::Method", api::METHOD, api::Method).and(&["Integration", "MethodResponses"]),
        ResourceType::new("AWS::ApiGateway::GatewayResponse", api::GATEWAY_RESPONSE, api::GatewayResponse),
        ResourceType::new("AWS::ApiGateway::Model", api::MODEL, api::Model),
        ResourceType::new("AWS::ApiGateway::RequestValidator", api::VALIDATOR, api::RequestValidator),
        ResourceType::new("AWS::ApiGateway::Deployment", stage::DEPLOYMENT, stage::Deployment).fixed(&["StageName"]),
        ResourceType::new("AWS::ApiGateway::Stage", &["RestApiId", "StageName", "DeploymentId"], stage::Stage)
            .and(&stage),
        ResourceType::new("AWS::ApiGateway::Account", &["CloudWatchRoleArn"], stage::Account),
        ResourceType::new("AWS::ApiGateway::ApiKey", &key, keys::ApiKey),
        ResourceType::new("AWS::ApiGateway::UsagePlan", &plan, keys::UsagePlan).kept(&[&["UsagePlanName"]]),
        ResourceType::new("AWS::ApiGateway::UsagePlanKey", keys::IN_PLAN, keys::UsagePlanKey),
    ]
}

/// `RestApiId` as the API writes it: `restApiId`.
fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// The named properties under the API's names.
fn pick(properties: &Value, names: &[&str]) -> Value {
    names.iter().filter_map(|name| Some((lower_first(name), properties.get(*name)?.clone()))).collect()
}

/// Brings the tags of `path` (`/restapis/ID`) up to date.
async fn retag(cx: &ResourceContext, path: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let arn = format!("arn:aws:apigateway:{}::{path}", cx.scope.region);
    let operations = ("UntagResource", "TagResource");
    cx.retag(operations, json!({"resourceArn": arn}), TagForm::LowerMap, (old, new)).await
}

/// One patch operation that makes the value at `path` what it should be.
fn patch(path: &str, value: Option<&Value>) -> Value {
    match value {
        Some(value) => json!({"op": "replace", "path": path, "value": value.to_text()}),
        None => json!({"op": "remove", "path": path}),
    }
}

/// Patch operations that make the named properties what the template now says.
fn patches(old: &Value, new: &Value, names: &[&'static str]) -> Vec<Value> {
    let changed = new.changed(old, names).into_iter();
    changed.map(|name| patch(&format!("/{}", lower_first(name)), new.get(name))).collect()
}

/// Sends `operation` with the patch operations, if there are any, for the thing that `place` names.
async fn change(cx: &ResourceContext, operation: &str, mut place: Value, changes: Vec<Value>) -> Result<(), Fault> {
    if !changes.is_empty() {
        place["patchOperations"] = changes.into();
        cx.ask(operation, place).await?;
    }
    Ok(())
}

/// A resource whose `Ref` is its physical id, with one attribute of the same value.
fn provisioned(id: &str, attribute: &str) -> Provisioned {
    Provisioned::with(id, json!({attribute: id}))
}
