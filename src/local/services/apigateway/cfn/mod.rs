//! The CloudFormation types of API Gateway.

mod api;
mod keys;
mod stage;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::local::call::Call;
use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType};

pub(super) fn types() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(api::RestApi),
        Arc::new(api::Resource),
        Arc::new(api::Method),
        Arc::new(api::GatewayResponse),
        Arc::new(api::Model),
        Arc::new(api::RequestValidator),
        Arc::new(stage::Deployment),
        Arc::new(stage::Stage),
        Arc::new(stage::Account),
        Arc::new(keys::ApiKey),
        Arc::new(keys::UsagePlan),
        Arc::new(keys::UsagePlanKey),
    ]
}

/// Sends the service a request that carries the resource's token as its id, so that a second try finds what the first made.
async fn send(cx: &ResourceContext, operation: &str, input: Value) -> Result<Value, Fault> {
    let call = Call {
        service: "apigateway",
        operation: operation.to_owned(),
        input,
        body: Bytes::new(),
        file: None,
        scope: cx.scope.clone(),
        request_id: format!("{}/{}", cx.token, cx.logical_id),
    };
    cx.cloud.dispatch(call).await.map(|reply| reply.output)
}

fn gone_is_success(result: Result<Value, Fault>) -> Result<(), ResourceFault> {
    match result {
        Err(fault) if fault.code != "NotFoundException" => Err(fault.into()),
        _ => Ok(()),
    }
}

/// Refuses properties that are not handled, by name.
fn only(type_name: &str, properties: &Value, known: &[&str]) -> Result<(), Fault> {
    let unknown = properties.as_object().and_then(|map| map.keys().find(|key| !known.contains(&key.as_str())));
    unknown.map_or(Ok(()), |key| Err(Fault::unsupported(format!("the property {key} of {type_name}"))))
}

/// `RestApiId` as the API writes it: `restApiId`.
fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase().to_string() + chars.as_str()).unwrap_or_default()
}

/// Properties that are true or false; a template's parameter is text, even there.
const FLAGS: &[&str] = &[
    "ApiKeyRequired",
    "DisableExecuteApiEndpoint",
    "Enabled",
    "GenerateDistinctId",
    "TracingEnabled",
    "ValidateRequestBody",
    "ValidateRequestParameters",
];

/// The named properties under the API's names.
fn pick(properties: &Value, names: &[&str]) -> Map<String, Value> {
    let typed = |name: &str, value: &Value| match value.as_str().and_then(|text| text.parse::<bool>().ok()) {
        Some(flag) if FLAGS.contains(&name) => Value::Bool(flag),
        _ => value.clone(),
    };
    names.iter().filter_map(|name| Some((lower_first(name), typed(name, properties.get(*name)?)))).collect()
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A property's value as a patch operation writes it.
fn patch_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A number that a template may have written as text.
fn number(value: Option<&Value>) -> Option<Value> {
    match value? {
        Value::String(text) => serde_json::from_str::<serde_json::Number>(text).ok().map(Value::Number),
        other => Some(other.clone()),
    }
}

fn tag_map(tags: &Value) -> Map<String, Value> {
    let pairs = tags.as_array().into_iter().flatten();
    pairs.filter_map(|tag| Some((tag.get("Key")?.as_str()?.to_owned(), tag.get("Value")?.clone()))).collect()
}

/// Brings the tags of `path` (`/restapis/ID`) up to date.
async fn retag(cx: &ResourceContext, path: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let arn = format!("arn:aws:apigateway:{}::{path}", cx.scope.region);
    let tags = tag_map(&cx.tags(new.get("Tags")));
    let before = tag_map(old.get("Tags").unwrap_or(&Value::Null));
    let removed: Vec<&String> = before.keys().filter(|key| !tags.contains_key(*key)).collect();
    if !removed.is_empty() {
        send(cx, "UntagResource", json!({"resourceArn": arn, "tagKeys": removed})).await?;
    }
    if !tags.is_empty() {
        send(cx, "TagResource", json!({"resourceArn": arn, "tags": tags})).await?;
    }
    Ok(())
}

/// Patch operations that make the named properties what the template now says.
fn patches(old: &Value, new: &Value, names: &[&str]) -> Vec<Value> {
    let changed = names.iter().filter(|name| old.get(**name) != new.get(**name));
    let patches = changed.map(|name| {
        let path = format!("/{}", lower_first(name));
        match new.get(*name) {
            Some(value) => json!({"op": "replace", "path": path, "value": patch_text(value)}),
            None => json!({"op": "remove", "path": path}),
        }
    });
    patches.collect()
}

/// A resource whose `Ref` is its physical id, with one attribute of the same value.
fn provisioned(id: &str, attribute: Option<&str>) -> Provisioned {
    let attributes = attribute.map(|name| (name.to_owned(), Value::from(id)));
    Provisioned { physical_id: id.to_owned(), reference: None, attributes: attributes.into_iter().collect() }
}
