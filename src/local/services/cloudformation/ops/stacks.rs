//! `DescribeStacks` and `ListStacks`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;

use super::super::CloudFormation;
use super::super::faults::CfnFault;
use super::super::state::{MASK, Stack};
use super::super::status::Status;
use super::answer::page;

const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeStacks {
    stack_name: Option<String>,
    next_token: Option<String>,
}

/// DescribeStacks. A deleted stack is found by its id only.
pub(in super::super) async fn describe(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: DescribeStacks,
) -> Result<Value, CfnFault> {
    let stacks = match &input.stack_name {
        Some(name) => {
            vec![cfn.registry.find(&call.scope, name).ok_or_else(|| CfnFault::NoSuchStack(name.clone()))?.get()]
        }
        None => {
            let all = cfn.registry.all(&call.scope.region).into_iter().map(|cell| cell.get());
            all.filter(|stack| !stack.is_deleted()).collect()
        }
    };
    let shown = stacks.iter().map(|stack| cfn.shown(stack)).collect();
    page("Stacks", shown, input.next_token.as_deref(), PAGE)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ListStacks {
    next_token: Option<String>,
    #[serde(default)]
    stack_status_filter: Vec<String>,
}

/// ListStacks, deleted ones too.
pub(in super::super) async fn list(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: ListStacks,
) -> Result<Value, CfnFault> {
    let wanted = |status: Status| {
        input.stack_status_filter.is_empty() || input.stack_status_filter.iter().any(|name| name == status.name())
    };
    let stacks = cfn.registry.all(&call.scope.region).into_iter().map(|cell| cell.get());
    let shown = stacks.filter(|stack| wanted(stack.status)).map(|stack| {
        json!({
            "StackId": stack.id,
            "StackName": stack.name,
            "TemplateDescription": stack.shown().and_then(|deployment| deployment.description.clone()),
            "CreationTime": stack.created,
            "LastUpdatedTime": stack.updated,
            "DeletionTime": stack.deleted,
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "ParentId": stack.parent,
            "RootId": stack.root,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        })
    });
    page("StackSummaries", shown.collect(), input.next_token.as_deref(), PAGE)
}

impl CloudFormation {
    fn shown(&self, stack: &Stack) -> Value {
        let deployment = stack.shown().cloned().unwrap_or_default();
        let template = self.library.get(&deployment.template).ok();
        let secret = |name: &str| {
            template
                .as_ref()
                .and_then(|parsed| parsed.template.parameters.get(name))
                .is_none_or(|parameter| parameter.no_echo)
        };
        let parameters = deployment.parameters.iter().map(|(name, value)| {
            json!({"ParameterKey": name, "ParameterValue": if secret(name) { MASK } else { value.as_str() }})
        });
        let outputs = stack.outputs.iter().map(|output| {
            json!({
                "OutputKey": output.key,
                "OutputValue": output.value,
                "Description": output.description,
                "ExportName": output.export,
            })
        });
        json!({
            "StackId": stack.id,
            "StackName": stack.name,
            "ChangeSetId": stack.change_set_id,
            "Description": deployment.description,
            "Parameters": parameters.collect::<Vec<_>>(),
            "CreationTime": stack.created,
            "DeletionTime": stack.deleted,
            "LastUpdatedTime": stack.updated,
            "RollbackConfiguration": {},
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DisableRollback": deployment.disable_rollback,
            "DeploymentConfig": {
                "Mode": if deployment.express { "EXPRESS" } else { "STANDARD" },
                "DisableRollback": deployment.disable_rollback,
            },
            "NotificationARNs": [],
            "TimeoutInMinutes": deployment.timeout_minutes,
            "Capabilities": deployment.capabilities,
            "Outputs": outputs.collect::<Vec<_>>(),
            "RoleARN": deployment.role_arn,
            "Tags": deployment.tags,
            "EnableTerminationProtection": stack.termination_protection,
            "ParentId": stack.parent,
            "RootId": stack.root,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
            "LastOperations": stack.last_operations,
        })
    }
}
