//! `DescribeStackResource`, `DescribeStackResources` and `ListStackResources`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;

use super::super::CloudFormation;
use super::super::faults::CfnFault;
use super::super::state::{Resource, Stack};
use super::answer::{Named, compact, page};

const PAGE: usize = 100;
/// AWS describes no more than this at once.
const MOST: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeOne {
    stack_name: String,
    logical_resource_id: String,
}

/// DescribeStackResource.
pub(in super::super) async fn describe_one(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: DescribeOne,
) -> Result<Value, CfnFault> {
    let stack = cfn.stack(&call.scope, &input.stack_name)?.get();
    let name = &input.logical_resource_id;
    let Some(resource) = stack.resources.get(name) else { return Err(no_resource(name, &stack.name)) };
    let mut detail = shown(&stack, name, resource, "LastUpdatedTimestamp");
    detail["Metadata"] = json!(resource.live.as_ref().and_then(|live| Some(live.plan.metadata.as_ref()?.to_string())));
    Ok(compact(json!({"StackResourceDetail": detail})))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Describe {
    stack_name: Option<String>,
    logical_resource_id: Option<String>,
    physical_resource_id: Option<String>,
}

/// DescribeStackResources, by stack or by a physical id of any stack.
pub(in super::super) async fn describe(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: Describe,
) -> Result<Value, CfnFault> {
    let stack = match (&input.stack_name, &input.physical_resource_id) {
        (Some(name), None) => {
            cfn.registry.find(&call.scope, name).ok_or_else(|| CfnFault::NoSuchStack(name.clone()))?.get()
        }
        (None, Some(id)) => {
            let has = |stack: &Arc<Stack>| stack.resources.values().any(|resource| resource.physical_id() == Some(id));
            let mut stacks = cfn.registry.all(&call.scope.region).into_iter().map(|cell| cell.get());
            let missing = || CfnFault::validation(format_args!("Stack for {id} does not exist"));
            stacks.find(|stack| !stack.is_deleted() && has(stack)).ok_or_else(missing)?
        }
        _ => {
            return Err(CfnFault::validation(
                "Either StackName or PhysicalResourceId must be specified, and not both.",
            ));
        }
    };
    if let Some(name) = input.logical_resource_id.as_ref().filter(|name| !stack.resources.contains_key(*name)) {
        return Err(no_resource(name, &stack.name));
    }
    let wanted = |name: &String| input.logical_resource_id.as_ref().is_none_or(|only| only == name);
    let found = stack.resources.iter().filter(|(name, _)| wanted(name)).take(MOST);
    let found: Vec<Value> = found.map(|(name, resource)| shown(&stack, name, resource, "Timestamp")).collect();
    Ok(compact(json!({"StackResources": found})))
}

/// ListStackResources.
pub(in super::super) async fn list(cfn: Arc<CloudFormation>, call: &Call, input: Named) -> Result<Value, CfnFault> {
    let stack = cfn
        .registry
        .find(&call.scope, &input.stack_name)
        .ok_or_else(|| CfnFault::NoSuchStack(input.stack_name.clone()))?
        .get();
    let found = stack.resources.iter().map(|(name, resource)| {
        let mut summary = shown(&stack, name, resource, "LastUpdatedTimestamp");
        if let Some(summary) = summary.as_object_mut() {
            summary.remove("StackName");
            summary.remove("StackId");
        }
        summary
    });
    page("StackResourceSummaries", found.collect(), input.next_token.as_deref(), PAGE)
}

fn shown(stack: &Stack, name: &str, resource: &Resource, time: &str) -> Value {
    json!({
        "StackName": stack.name,
        "StackId": stack.id,
        "LogicalResourceId": name,
        "PhysicalResourceId": resource.physical_id(),
        "ResourceType": resource.kind,
        time: resource.changed,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    })
}

fn no_resource(name: &str, stack: &str) -> CfnFault {
    CfnFault::validation(format_args!("Resource {name} does not exist for stack {stack}"))
}
