//! `CreateStack` and `UpdateStack`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::call::Call;
use crate::scope::Scope;
use crate::template::Problem;

use super::super::CloudFormation;
use super::super::begin::{Parent, Terms, check_name};
use super::super::blueprint::Blueprint;
use super::super::changeset;
use super::super::faults::CfnFault;
use super::super::prepare::{DeployRequest, refuse};
use super::super::state::{OperationKind, Stack};
use super::super::status::Status;

/// CreateStack.
pub(in super::super) async fn create(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: DeployRequest,
) -> Result<Value, CfnFault> {
    let (stack, operation) = cfn.create_stack(&call.scope, input, None).await?;
    cfn.moment(&*cfn.stack(&call.scope, &stack)?).await;
    Ok(json!({"StackId": stack, "OperationId": operation}))
}

/// UpdateStack.
pub(in super::super) async fn update(
    cfn: Arc<CloudFormation>,
    call: &Call,
    input: DeployRequest,
) -> Result<Value, CfnFault> {
    let (stack, operation) = cfn.update_stack(&call.scope, input).await?;
    cfn.moment(&*cfn.stack(&call.scope, &stack)?).await;
    Ok(json!({"StackId": stack, "OperationId": operation}))
}

impl CloudFormation {
    /// Begins the creation of a stack; answers its id and the operation's.
    pub(in super::super) async fn create_stack(
        self: &Arc<Self>,
        scope: &Scope,
        request: DeployRequest,
        parent: Option<&Parent>,
    ) -> Result<(String, String), CfnFault> {
        check_name("stackName", &request.stack_name)?;
        let prepared = self.prepare(scope, &request, None).await?;
        refuse(&prepared.problems)?;
        let _naming = self.registry.naming.lock().await;
        if let Some(there) = self.registry.find(scope, &request.stack_name) {
            return same_request(&there.get(), &request)
                .ok_or_else(|| CfnFault::StackExists(request.stack_name.clone()));
        }
        self.room_for_a_stack(scope)?;
        let mut stack = self.blank_stack(scope, &request.stack_name, parent);
        stack.termination_protection = request.enable_termination_protection;
        let blueprint = self.blueprint(prepared, &stack).await?;
        refuse(&self.found(&request, &blueprint, &stack))?;
        let cell = self.registry.prepare(stack)?;
        let terms = terms(&request)?;
        let id = cell.get().id.clone();
        // Found by others only once it is on disk; the engine starts then.
        let operation = self.operation(OperationKind::CreateStack, terms, &cell.get());
        let operation_id = operation.id.clone();
        cell.change(|stack, events| {
            stack.operation = Some(operation);
            stack.goal = Some(blueprint.deployment);
            self.set_status(stack, events, Status::CreateInProgress, Some("User Initiated".to_owned()));
            Ok::<_, CfnFault>(())
        })
        .await?;
        self.registry.add(&cell);
        super::super::engine::kick(self, &cell);
        Ok((id, operation_id))
    }

    /// Begins an update; answers the stack's id and the operation's.
    pub(in super::super) async fn update_stack(
        self: &Arc<Self>,
        scope: &Scope,
        request: DeployRequest,
    ) -> Result<(String, String), CfnFault> {
        let cell = self.stack(scope, &request.stack_name)?;
        let _admission = cell.admission.lock().await;
        let stack = cell.get();
        if let Some(same) = same_request(&stack, &request) {
            return Ok(same);
        }
        can_update(&stack)?;
        let prepared = self.prepare(scope, &request, Some(&stack)).await?;
        refuse(&prepared.problems)?;
        let blueprint = self.blueprint(prepared, &stack).await?;
        refuse(&self.found(&request, &blueprint, &stack))?;
        if !self.differs(&stack, &blueprint)? {
            return Err(CfnFault::NoUpdates);
        }
        let now = self.cloud.clock.now();
        let begun = (OperationKind::UpdateStack, Status::UpdateInProgress);
        let operation = self.begin(&cell, begun, terms(&request)?, |stack| {
            stack.goal = Some(blueprint.deployment);
            stack.updated = Some(now);
        });
        Ok((stack.id.clone(), operation.await?))
    }

    /// What property validation finds once parameters have their values.
    pub(in super::super) fn found(
        &self,
        request: &DeployRequest,
        blueprint: &Blueprint,
        stack: &Stack,
    ) -> Vec<Problem> {
        if request.disable_validation { Vec::new() } else { blueprint.problems(stack) }
    }

    /// Whether carrying out the blueprint would do anything.
    pub(in super::super) fn differs(&self, stack: &Stack, blueprint: &Blueprint) -> Result<bool, CfnFault> {
        let old = self.deployed_template(stack);
        let exports = self.export_values(&stack.scope.region);
        let changes = changeset::changes(stack, old.as_deref(), blueprint, &exports)
            .map_err(|sentence| CfnFault::validation(format_args!("Template error: {sentence}")))?;
        let outputs_differ = match blueprint.outputs(stack, &exports) {
            Ok(outputs) => outputs.value != stack.outputs,
            Err(_) => true,
        };
        let tags = stack.deployed.as_ref().map(|deployed| &deployed.tags);
        Ok(!changes.is_empty() || outputs_differ || tags != Some(&blueprint.deployment.tags))
    }

    pub(in super::super) fn deployed_template(&self, stack: &Stack) -> Option<Arc<super::super::templates::Parsed>> {
        let digest = &stack.deployed.as_ref().or(stack.goal.as_ref())?.template;
        self.library.get(digest).ok()
    }
}

/// A request that is sent again with the same token while its operation is at work is the same request.
fn same_request(stack: &Stack, request: &DeployRequest) -> Option<(String, String)> {
    let operation = stack.operation.as_ref()?;
    let same = operation.client_token.is_some() && operation.client_token == request.client_request_token;
    same.then(|| (stack.id.clone(), operation.id.clone()))
}

/// # Errors
/// The stack's status does not allow an update.
pub(in super::super) fn can_update(stack: &Stack) -> Result<(), CfnFault> {
    if stack.is_deleted() {
        return Err(CfnFault::StackDoesNotExist(stack.name.clone()));
    }
    if stack.status.can_update() {
        return Ok(());
    }
    Err(CfnFault::validation(format_args!(
        "Stack:{} is in {} state and can not be updated.",
        stack.id,
        stack.status.name()
    )))
}

fn terms(request: &DeployRequest) -> Result<Terms, CfnFault> {
    Ok(Terms {
        client_token: request.client_request_token.clone(),
        express: request.express(),
        on_failure: request.on_failure()?,
        retain_except_on_create: request.retain_except_on_create,
        ..Terms::default()
    })
}
