//! The CloudFormation types: each sends its service the requests that a client would send.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::local::fault::Fault;
use crate::local::resource::{ResourceContext, ResourceFault, ResourceType};

mod cluster;
mod groups;
mod instance;

pub(super) fn types() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(cluster::Cluster),
        Arc::new(instance::Instance),
        Arc::new(groups::SubnetGroup),
        Arc::new(groups::ParameterGroup::CLUSTER),
        Arc::new(groups::ParameterGroup::INSTANCE),
    ]
}

async fn send(cx: &ResourceContext, operation: &str, input: Value) -> Result<Value, Fault> {
    cx.cloud.call(&cx.scope, "rds", operation, input).await
}

/// The properties that the request has under the same name.
fn pick(properties: &Value, names: &[&str]) -> Map<String, Value> {
    let found = names.iter().filter_map(|name| Some(((*name).to_owned(), properties.get(name)?.clone())));
    found.collect()
}

/// Refuses by name what the type has and no request of ours carries.
fn refuse_others(properties: &Value, type_name: &str, known: &[&[&str]]) -> Result<(), Fault> {
    let others = properties.as_object().into_iter().flat_map(Map::keys);
    let mut others = others.filter(|name| !known.iter().any(|names| names.contains(&name.as_str())));
    others.next().map_or(Ok(()), |name| Err(Fault::unsupported(format!("the property {name} of {type_name}"))))
}

/// Refuses by name, before anything is changed, a change that no request of ours can make.
fn refuse_changes(old: &Value, new: &Value, type_name: &str, changeable: &[&[&str]]) -> Result<(), Fault> {
    let mut names = old.as_object().into_iter().chain(new.as_object()).flat_map(Map::keys);
    let fixed = |name: &&String| !changeable.iter().any(|names| names.contains(&name.as_str()));
    let changed = names.find(|name| fixed(name) && old.get(*name) != new.get(*name));
    changed.map_or(Ok(()), |name| Err(Fault::unsupported(format!("a change of the property {name} of {type_name}"))))
}

fn text<'a>(properties: &'a Value, name: &str) -> Option<&'a str> {
    properties.get(name).and_then(Value::as_str)
}

/// The name of the template, or one made of the stack's and the resource's names.
fn name(cx: &ResourceContext, properties: &Value, property: &str) -> String {
    let name = text(properties, property).map_or_else(|| cx.generated_name(63), str::to_owned);
    let mut name: String = name
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    name
}

/// Whether a resource that is there already was made by an earlier try at this very resource of the stack.
fn is_ours(cx: &ResourceContext, tags: Option<&Value>) -> bool {
    let tag = |key: &str| {
        let tags = tags.and_then(Value::as_array).into_iter().flatten();
        tags.filter(|tag| text(tag, "Key") == Some(key)).find_map(|tag| text(tag, "Value"))
    };
    tag("aws:cloudformation:stack-id") == Some(&cx.stack_id)
        && tag("aws:cloudformation:logical-id") == Some(&cx.logical_id)
}

/// The tags of a resource, those of an ARN asked for.
async fn tags_of(cx: &ResourceContext, arn: &str) -> Result<Value, Fault> {
    let found = send(cx, "ListTagsForResource", json!({"ResourceName": arn})).await?;
    Ok(found.get("TagList").cloned().unwrap_or_default())
}

/// Success, and that it is gone already.
fn gone(result: Result<Value, Fault>) -> Result<(), ResourceFault> {
    match result {
        Err(fault) if !fault.code.contains("NotFound") => Err(fault.into()),
        _ => Ok(()),
    }
}

/// Replaces the tags of a resource when the template's changed.
async fn retag(cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let (old, new) = (cx.tags(old.get("Tags")), cx.tags(new.get("Tags")));
    if old == new {
        return Ok(());
    }
    let keys = |tags: &Value| -> Vec<String> {
        tags.as_array().into_iter().flatten().filter_map(|tag| text(tag, "Key").map(str::to_owned)).collect()
    };
    let left = keys(&new);
    let gone: Vec<String> = keys(&old).into_iter().filter(|key| !left.contains(key)).collect();
    if !gone.is_empty() {
        send(cx, "RemoveTagsFromResource", json!({"ResourceName": arn, "TagKeys": gone})).await?;
    }
    send(cx, "AddTagsToResource", json!({"ResourceName": arn, "Tags": new})).await.map(|_| ())
}

/// How long a cluster may take to come or go; how soon it is looked at first.
const PATIENCE: Duration = Duration::from_secs(180);
const FIRST_LOOK: Duration = Duration::from_millis(5);

/// Asks for a status until it settles.
async fn until(
    cx: &ResourceContext,
    what: &str,
    ask: (&'static str, Value, &'static str),
) -> Result<(), ResourceFault> {
    let (operation, input, pointer) = ask;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut pause = FIRST_LOOK;
    loop {
        let found = send(cx, operation, input.clone()).await?;
        match found.pointer(pointer).and_then(Value::as_str) {
            Some("available") => return Ok(()),
            Some("failed") => {
                let reason = format!("{what} failed; its engine did not come up (see the local cloud's log)");
                return Err(not_stabilized(reason));
            }
            // It stays so until somebody starts it.
            Some("stopped") => return Err(not_stabilized(format!("{what} is stopped; start it and try again"))),
            status if tokio::time::Instant::now() > deadline => {
                return Err(not_stabilized(format!("{what} is still {}", status.unwrap_or("unknown"))));
            }
            _ => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

fn not_stabilized(reason: String) -> ResourceFault {
    ResourceFault::new("NotStabilized", reason)
}

/// Waits until a description is refused as not found.
async fn until_gone(cx: &ResourceContext, operation: &str, input: Value) -> Result<(), ResourceFault> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut pause = FIRST_LOOK;
    loop {
        match send(cx, operation, input.clone()).await {
            Ok(_) => {}
            Err(fault) if fault.code.contains("NotFound") => return Ok(()),
            Err(fault) => return Err(fault.into()),
        }
        if tokio::time::Instant::now() > deadline {
            return Err(not_stabilized("it is still being deleted".into()));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
