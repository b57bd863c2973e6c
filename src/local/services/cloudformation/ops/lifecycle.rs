//! Deleting, going back, cancelling, protecting.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;

use super::super::CloudFormation;
use super::super::begin::Terms;
use super::super::faults::CfnFault;
use super::super::prepare::{DeploymentConfig, DeploymentMode};
use super::super::state::{OperationKind, Stack};
use super::super::status::Status;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DeleteStack {
    stack_name: String,
    #[serde(default)]
    retain_resources: Vec<String>,
    /// A stack keeps the role it was made with; the local cloud deletes in the stack's own scope.
    #[serde(rename = "RoleARN")]
    _role_arn: Option<String>,
    client_request_token: Option<String>,
    #[serde(default)]
    deletion_mode: DeletionMode,
    #[serde(default)]
    deployment_config: DeploymentConfig,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum DeletionMode {
    #[default]
    Standard,
    ForceDeleteStack,
}

/// DeleteStack. Of nothing: success.
pub(in super::super) async fn delete(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: DeleteStack,
) -> Result<Value, CfnFault> {
    let Some(cell) = cfn.registry.find(&call.scope, &input.stack_name) else { return Ok(json!({})) };
    let admission = cell.admission.lock().await;
    let stack = cell.get();
    if stack.is_deleted() || stack.status == Status::DeleteInProgress {
        return Ok(json!({}));
    }
    if stack.termination_protection {
        return Err(CfnFault::validation(format_args!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        )));
    }
    // Creating and rolling back may be cut short; other operations must come to rest first.
    let interruptible = matches!(stack.status, Status::CreateInProgress | Status::RollbackInProgress);
    if stack.status.in_progress() && !interruptible {
        return Err(CfnFault::validation(format_args!(
            "Stack [{}] cannot be deleted while in status {}",
            stack.name,
            stack.status.name()
        )));
    }
    check_retained(&stack, &input)?;
    let terms = Terms {
        client_token: input.client_request_token,
        express: input.deployment_config.mode == DeploymentMode::Express,
        retain: input.retain_resources,
        force: input.deletion_mode == DeletionMode::ForceDeleteStack,
        ..Terms::default()
    };
    cell.change_sets
        .change(|sets| {
            sets.clear();
            Ok::<_, CfnFault>(())
        })
        .await?;
    cfn.begin(&cell, (OperationKind::DeleteStack, Status::DeleteInProgress), terms, |_| {}).await?;
    drop(admission);
    cfn.moment(&cell).await;
    Ok(json!({}))
}

fn check_retained(stack: &Stack, input: &DeleteStack) -> Result<(), CfnFault> {
    let failed = stack.status == Status::DeleteFailed;
    if input.deletion_mode == DeletionMode::ForceDeleteStack && !failed {
        return Err(CfnFault::validation(
            "Invalid operation on stack. FORCE_DELETE_STACK is valid only for stacks in DELETE_FAILED status.",
        ));
    }
    if input.retain_resources.is_empty() {
        return Ok(());
    }
    if !failed {
        return Err(CfnFault::validation(format_args!(
            "Invalid operation on stack [{}]. RetainResources is valid only for stacks in DELETE_FAILED status.",
            stack.id
        )));
    }
    let known = |name: &&String| stack.resources.contains_key(*name);
    let unknown: Vec<&str> = input.retain_resources.iter().filter(|name| !known(name)).map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(CfnFault::validation(format_args!(
        "The specified resources to retain must be in a valid state: [{}]",
        unknown.join(", ")
    )))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CancelUpdateStack {
    stack_name: String,
    client_request_token: Option<String>,
}

/// CancelUpdateStack.
pub(in super::super) async fn cancel_update(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: CancelUpdateStack,
) -> Result<Value, CfnFault> {
    let cell = cfn.stack(&call.scope, &input.stack_name)?;
    let _admission = cell.admission.lock().await;
    let refused = |stack: &Stack| {
        CfnFault::validation(format_args!(
            "CancelUpdateStack cannot be called from current stack status: {}",
            stack.status.name()
        ))
    };
    cell.change(|stack, events| {
        if stack.status != Status::UpdateInProgress {
            return Err(refused(stack));
        }
        if let Some(operation) = &mut stack.operation
            && input.client_request_token.is_some()
        {
            operation.client_token.clone_from(&input.client_request_token);
        }
        cfn.set_status(stack, events, Status::UpdateRollbackInProgress, Some("User Initiated".to_owned()));
        Ok(())
    })
    .await?;
    super::super::engine::kick(&cfn, &cell);
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct RollbackStack {
    stack_name: String,
    #[serde(rename = "RoleARN")]
    _role_arn: Option<String>,
    client_request_token: Option<String>,
    #[serde(default)]
    retain_except_on_create: bool,
    #[serde(default)]
    deployment_config: DeploymentConfig,
}

/// RollbackStack: of a create or update that failed with rollback disabled.
pub(in super::super) async fn roll_back(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: RollbackStack,
) -> Result<Value, CfnFault> {
    let cell = cfn.stack(&call.scope, &input.stack_name)?;
    let _admission = cell.admission.lock().await;
    let stack = cell.get();
    let status = match stack.status {
        Status::CreateFailed => Status::RollbackInProgress,
        Status::UpdateFailed if stack.deployed.is_some() => Status::UpdateRollbackInProgress,
        Status::UpdateFailed => Status::RollbackInProgress,
        other => {
            return Err(CfnFault::validation(format_args!(
                "Stack:{} is in {} state and can not be rolled back.",
                stack.id,
                other.name()
            )));
        }
    };
    let terms = Terms {
        client_token: input.client_request_token,
        express: input.deployment_config.mode == DeploymentMode::Express,
        retain_except_on_create: input.retain_except_on_create,
        ..Terms::default()
    };
    let operation = cfn.begin(&cell, (OperationKind::Rollback, status), terms, |_| {}).await?;
    Ok(json!({"StackId": stack.id, "OperationId": operation}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ContinueUpdateRollback {
    stack_name: String,
    #[serde(rename = "RoleARN")]
    _role_arn: Option<String>,
    #[serde(default)]
    resources_to_skip: Vec<String>,
    client_request_token: Option<String>,
    #[serde(default)]
    force_rollback: bool,
}

/// ContinueUpdateRollback.
pub(in super::super) async fn continue_rollback(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: ContinueUpdateRollback,
) -> Result<Value, CfnFault> {
    if input.force_rollback {
        return Err(CfnFault::unsupported("the parameter ForceRollback of ContinueUpdateRollback"));
    }
    let cell = cfn.stack(&call.scope, &input.stack_name)?;
    let _admission = cell.admission.lock().await;
    let stack = cell.get();
    if stack.status != Status::UpdateRollbackFailed {
        return Err(CfnFault::validation(format_args!(
            "Stack:{} is in {} state and can not be rolled back.",
            stack.id,
            stack.status.name()
        )));
    }
    let failed =
        |name: &&String| stack.resources.get(*name).is_some_and(|resource| resource.status == Status::UpdateFailed);
    if let Some(wrong) = input.resources_to_skip.iter().find(|name| !failed(name)) {
        return Err(CfnFault::validation(format_args!(
            "The following resource(s) cannot be skipped, as they are not in UPDATE_FAILED state: [{wrong}]"
        )));
    }
    let terms = Terms { client_token: input.client_request_token, skip: input.resources_to_skip, ..Terms::default() };
    let begun = (OperationKind::ContinueRollback, Status::UpdateRollbackInProgress);
    cfn.begin(&cell, begun, terms, |_| {}).await?;
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct UpdateTerminationProtection {
    stack_name: String,
    enable_termination_protection: bool,
}

/// UpdateTerminationProtection.
pub(in super::super) async fn termination_protection(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: UpdateTerminationProtection,
) -> Result<Value, CfnFault> {
    let cell = cfn.stack(&call.scope, &input.stack_name)?;
    let id = cell
        .change(|stack, _| {
            stack.termination_protection = input.enable_termination_protection;
            Ok::<_, CfnFault>(stack.id.clone())
        })
        .await?;
    Ok(json!({"StackId": id}))
}
