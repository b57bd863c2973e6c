//! Beginning an operation on a stack.

use std::sync::Arc;

use crate::scope::Scope;

use super::CloudFormation;
use super::cell::Cell;
use super::engine;
use super::faults::CfnFault;
use super::ops::account::MAX_STACKS;
use super::state::{OnFailure, Operation, OperationKind, Stack};
use super::status::Status;

/// How long an answer is held back for a stack that is nearly ready.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(200);

/// What every request that begins an operation says about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    pub(super) client_token: Option<String>,
    pub(super) express: bool,
    pub(super) on_failure: OnFailure,
    pub(super) retain: Vec<String>,
    pub(super) skip: Vec<String>,
    pub(super) force: bool,
    pub(super) retain_except_on_create: bool,
    pub(super) change_set: Option<String>,
}

/// The parent of a nested stack.
#[derive(Clone, Debug)]
pub(super) struct Parent {
    pub(super) id: String,
    pub(super) root: String,
}

impl CloudFormation {
    /// The stack, or the refusal that all operations but `DescribeStacks` give.
    pub(super) fn stack(&self, scope: &Scope, name: &str) -> Result<Arc<Cell>, CfnFault> {
        self.registry.find(scope, name).ok_or_else(|| CfnFault::StackDoesNotExist(name.to_owned()))
    }

    pub(super) fn operation(&self, kind: OperationKind, terms: Terms, stack: &Stack) -> Operation {
        Operation {
            kind,
            id: self.cloud.ids.uuid(),
            client_token: terms.client_token,
            started: self.cloud.clock.now(),
            express: terms.express,
            on_failure: terms.on_failure,
            retain: terms.retain,
            skip: terms.skip,
            force: terms.force,
            retain_except_on_create: terms.retain_except_on_create,
            change_set: terms.change_set,
            before: stack.status,
            before_reason: stack.reason.clone(),
        }
    }

    /// A stack of this name that nothing else is known of.
    pub(super) fn blank_stack(&self, scope: &Scope, name: &str, parent: Option<&Parent>) -> Stack {
        let id = scope.arn("cloudformation", format!("stack/{name}/{}", self.cloud.ids.uuid()));
        Stack {
            parent: parent.map(|parent| parent.id.clone()),
            root: parent.map(|parent| parent.root.clone()),
            ..Stack::blank(scope, (name, id), self.cloud.clock.now())
        }
    }

    /// Whether one more stack fits into the account.
    pub(super) fn room_for_a_stack(&self, scope: &Scope) -> Result<(), CfnFault> {
        let live = self.registry.all(&scope.region).iter().filter(|cell| !cell.get().is_deleted()).count();
        if live >= MAX_STACKS { Err(CfnFault::TooManyStacks) } else { Ok(()) }
    }

    /// Holds the answer back for a moment if the stack may be at rest by then. Waiters of the SDKs and the AWS CLI look
    /// once at once and then every 30 seconds: without this, a stack that is ready in 50 milliseconds takes them 30 seconds.
    pub(super) async fn moment(&self, cell: &Cell) {
        let rest = cell.until(|stack| !stack.status.in_progress() && stack.operation.is_none());
        // Past the moment the client polls: that is what an operation in progress looks like on AWS.
        let _still_at_work = tokio::time::timeout(MOMENT, rest).await;
    }

    /// Sets the operation to work; `change` puts its goal into the stack. Answers the operation's id.
    ///
    /// # Errors
    /// The disk does not take it: then nothing was begun.
    pub(super) async fn begin(
        self: &Arc<Self>,
        cell: &Arc<Cell>,
        (kind, status): (OperationKind, Status),
        terms: Terms,
        change: impl FnOnce(&mut Stack),
    ) -> Result<String, CfnFault> {
        let operation = self.operation(kind, terms, &cell.get());
        let id = operation.id.clone();
        cell.change(|stack, events| {
            stack.operation = Some(operation);
            change(stack);
            self.set_status(stack, events, status, Some("User Initiated".to_owned()));
            Ok::<_, CfnFault>(())
        })
        .await?;
        engine::kick(self, cell);
        Ok(id)
    }
}

/// AWS's rule for names of stacks and change sets.
///
/// # Errors
/// `ValidationError` in AWS's words, naming the member.
pub(super) fn check_name(member: &str, name: &str) -> Result<(), CfnFault> {
    let fits = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let rule = if !fits {
        "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    } else if name.len() > 128 {
        "Member must have length less than or equal to 128"
    } else {
        return Ok(());
    };
    Err(CfnFault::validation(format_args!(
        "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: {rule}"
    )))
}
