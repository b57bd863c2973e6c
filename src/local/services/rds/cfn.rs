//! The CloudFormation types: each sends its service the requests that a client would send.

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::resource::{Look, ResourceContext, ResourceFault, ResourceType, TagForm, until};

mod cluster;
mod groups;
mod instance;

pub(super) fn types() -> Vec<ResourceType> {
    let [subnet_group, cluster_parameters, parameters] = groups::types();
    vec![cluster::resource_type(), instance::resource_type(), subnet_group, cluster_parameters, parameters]
}

/// How long the names of clusters, instances and groups may be.
const LONGEST_NAME: usize = 63;

/// The tags of a resource, those of an ARN asked for.
async fn tags_of(cx: &ResourceContext, arn: &str) -> Result<Value, Fault> {
    Ok(cx.ask("ListTagsForResource", json!({"ResourceName": arn})).await?["TagList"].clone())
}

async fn retag(cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let operations = ("RemoveTagsFromResource", "AddTagsToResource");
    cx.retag(operations, json!({"ResourceName": arn}), TagForm::List, (old, new)).await
}

/// Asks for a status until it is `available`.
async fn until_available(
    cx: &ResourceContext,
    what: &str,
    (operation, input, pointer): (&str, Value, &str),
) -> Result<(), ResourceFault> {
    let look = || async {
        let found = cx.ask(operation, input.clone()).await?;
        match found.pointer(pointer).and_then(Value::as_str).unwrap_or("unknown") {
            "available" => Ok(Look::Settled(())),
            "failed" => Err(ResourceFault::not_stabilized(format!(
                "{what} failed; its engine did not come up (see the local cloud's log)"
            ))),
            // It stays so until somebody starts it.
            "stopped" => Err(ResourceFault::not_stabilized(format!("{what} is stopped; start it and try again"))),
            status => Ok(Look::Still(status.to_owned())),
        }
    };
    until(what, look).await
}

/// Waits until a description is refused as not found.
async fn until_gone(cx: &ResourceContext, what: &str, (operation, input): (&str, Value)) -> Result<(), ResourceFault> {
    let look = || async {
        match cx.ask(operation, input.clone()).await.map_err(ResourceFault::from) {
            Ok(_) => Ok(Look::Still("being deleted".to_owned())),
            Err(failed) if failed.is_not_found() => Ok(Look::Settled(())),
            Err(failed) => Err(failed),
        }
    };
    until(what, look).await
}
