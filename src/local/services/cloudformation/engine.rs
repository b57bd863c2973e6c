//! The engine: takes a stack through the phases of an operation until it rests.
//!
//! The phase is the stack's status on disk, and each phase can be entered again at any point: so a restart after a
//! kill -9 goes on where the stack stands, and a request that changes the status (delete, cancel) changes the course.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::resource::{ResourceContext, ResourceFault, ResourceType};

use super::CloudFormation;
use super::blueprint::Blueprint;
use super::cell::Cell;
use super::events::{Event, STACK_TYPE, What};
use super::order::Walk;
use super::state::{Deployment, ExecutionStatus, OnFailure, Operation, PastOperation, Resource, Stack};
use super::status::Status;
use super::walk::{Ended, Manner, Stop};

/// One stack's operation at work.
pub(super) struct Run {
    pub(super) cfn: Arc<CloudFormation>,
    pub(super) cell: Arc<Cell>,
}

/// Sets the engine to work on a stack, unless it is at work already; then it is told to look at the status again.
pub(super) fn kick(cfn: &Arc<CloudFormation>, cell: &Arc<Cell>) {
    let id = cell.get().id.clone();
    let mut runners = cfn.runners.lock().unwrap_or_else(PoisonError::into_inner);
    if runners.contains_key(&id) {
        cell.poke.notify_one();
        return;
    }
    let run = Arc::new(Run { cfn: cfn.clone(), cell: cell.clone() });
    runners.insert(id.clone(), tokio::spawn(async move { run.until_at_rest(&id).await }));
}

impl Run {
    async fn until_at_rest(self: Arc<Self>, id: &str) {
        loop {
            self.phases().await;
            self.finish().await;
            // Under the same lock as `kick`: either this sees the new status, or `kick` sees no runner.
            let mut runners = self.cfn.runners.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.cell.peek(|stack| stack.status.in_progress()) {
                runners.remove(id);
                return;
            }
        }
    }

    async fn phases(self: &Arc<Self>) {
        loop {
            match self.cell.peek(|stack| stack.status) {
                Status::CreateInProgress => self.create().await,
                Status::UpdateInProgress => self.update().await,
                Status::RollbackInProgress => self.roll_back_create().await,
                Status::UpdateRollbackInProgress => self.roll_back_update().await,
                Status::UpdateCompleteCleanupInProgress => self.clean_up(Status::UpdateComplete).await,
                Status::UpdateRollbackCompleteCleanupInProgress => self.clean_up(Status::UpdateRollbackComplete).await,
                Status::DeleteInProgress => self.delete().await,
                _ => return,
            }
        }
    }

    /// The operation is over: it becomes history.
    async fn finish(&self) {
        let Some(operation) = self.operation() else { return };
        let status = self.cell.peek(|stack| stack.status);
        if status.in_progress() {
            // A request was quicker than this: the next operation has begun.
            return;
        }
        if let Some(name) = &operation.change_set {
            let execution = if matches!(status, Status::CreateComplete | Status::UpdateComplete) {
                ExecutionStatus::ExecuteComplete
            } else {
                ExecutionStatus::ExecuteFailed
            };
            let changed = self.cell.change_sets.change(|sets| {
                if let Some(set) = sets.get_mut(name) {
                    set.execution = execution;
                }
                Ok::<_, crate::fault::Fault>(())
            });
            if let Err(fault) = changed.await {
                tracing::error!(%fault, "the end of a change set's execution cannot be written");
            }
        }
        self.cell
            .record(|stack, _| {
                if stack.status.in_progress() {
                    return;
                }
                stack.operation = None;
                let past = PastOperation { operation_type: operation.kind, operation_id: operation.id.clone() };
                stack.last_operations.insert(0, past);
                stack.last_operations.truncate(2);
            })
            .await;
    }

    async fn create(self: &Arc<Self>) {
        let ended = match self.goal().await {
            Ok(blueprint) => {
                let left = self.time_left(&blueprint.deployment);
                let ended = self.forward(&Arc::new(blueprint), Status::CreateInProgress, left).await;
                if ended.stop.is_none() && ended.failed.is_empty() {
                    match self.publish_outputs(Status::CreateInProgress).await {
                        Ok(()) => return,
                        Err(sentence) => return self.create_failed(&sentence).await,
                    }
                }
                ended
            }
            Err(sentence) => return self.create_failed(&sentence).await,
        };
        match ended.stop {
            Some(Stop::Interrupted) => {}
            Some(Stop::Timeout) => self.create_failed("Stack creation time exceeded the specified timeout.").await,
            _ => self.create_failed(&failures(self, &ended.failed)).await,
        }
    }

    async fn create_failed(&self, sentence: &str) {
        let on_failure = self.operation().map(|operation| operation.on_failure).unwrap_or_default();
        let (status, reason) = match on_failure {
            OnFailure::Rollback => (Status::RollbackInProgress, format!("{sentence} Rollback requested by user.")),
            OnFailure::Delete => (Status::DeleteInProgress, format!("{sentence} Delete requested by user.")),
            OnFailure::DoNothing => (Status::CreateFailed, format!("{sentence} ")),
        };
        self.change_status(Status::CreateInProgress, status, Some(reason)).await;
    }

    async fn update(self: &Arc<Self>) {
        let ended = match self.goal().await {
            Ok(blueprint) => {
                let ended = self.forward(&Arc::new(blueprint), Status::UpdateInProgress, None).await;
                if ended.stop.is_none() && ended.failed.is_empty() {
                    match self.publish_outputs(Status::UpdateInProgress).await {
                        Ok(()) => return,
                        Err(sentence) => return self.update_failed(&sentence).await,
                    }
                }
                ended
            }
            Err(sentence) => return self.update_failed(&sentence).await,
        };
        if ended.stop != Some(Stop::Interrupted) {
            self.update_failed(&failures(self, &ended.failed)).await;
        }
    }

    async fn update_failed(&self, sentence: &str) {
        let on_failure = self.operation().map(|operation| operation.on_failure).unwrap_or_default();
        let has_past = self.cell.peek(|stack| stack.deployed.is_some());
        let status = if on_failure == OnFailure::DoNothing || !has_past {
            Status::UpdateFailed
        } else {
            Status::UpdateRollbackInProgress
        };
        self.change_status(Status::UpdateInProgress, status, Some(format!("{sentence} "))).await;
    }

    /// Makes or changes every resource of the blueprint, in order.
    pub(super) async fn forward(
        self: &Arc<Self>,
        blueprint: &Arc<Blueprint>,
        phase: Status,
        left: Option<Duration>,
    ) -> Ended {
        let names = blueprint.resources().to_vec();
        let manner = Manner { phase, stop_at_failure: true, time_left: left };
        let rolling_back = phase == Status::UpdateRollbackInProgress;
        self.walk(manner, Walk::new(&blueprint.waits_for()), &names, |run, node| {
            let (blueprint, name) = (blueprint.clone(), names[node].clone());
            async move { run.provision(&blueprint, &name, rolling_back).await }
        })
        .await
    }

    /// The blueprint of what the operation wants.
    async fn goal(&self) -> Result<Blueprint, String> {
        let goal = self.cell.peek(|stack| stack.goal.clone());
        self.blueprint(goal).await
    }

    pub(super) async fn blueprint(&self, deployment: Option<Deployment>) -> Result<Blueprint, String> {
        let deployment = deployment.ok_or("The stack has no template.")?;
        let parsed = self.cfn.library.get(&deployment.template).map_err(|fault| fault.message)?;
        let stack = self.cell.peek(Stack::clone);
        Blueprint::open(&self.cfn.cloud, parsed, deployment, &stack).await
    }

    fn time_left(&self, deployment: &Deployment) -> Option<Duration> {
        let minutes = i64::from(deployment.timeout_minutes?);
        let started = self.operation()?.started;
        let left = started.millis() + minutes * 60_000 - self.now().millis();
        Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
    }

    pub(super) fn operation(&self) -> Option<Operation> {
        self.cell.peek(|stack| stack.operation.clone())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.cfn.cloud.clock.now()
    }

    /// Takes the stack from one status to the next, unless a request was quicker.
    pub(super) async fn change_status(&self, from: Status, to: Status, reason: Option<String>) {
        self.cell
            .record(|stack, events| {
                if stack.status == from {
                    self.set_status(stack, events, to, reason);
                }
            })
            .await;
    }

    /// Gives the stack a status, with its event.
    pub(super) fn set_status(&self, stack: &mut Stack, events: &mut Vec<Event>, to: Status, reason: Option<String>) {
        self.cfn.set_status(stack, events, to, reason);
    }

    /// Gives a resource a status; its event is the caller's.
    pub(super) fn mark(&self, resource: &mut Resource, status: Status, reason: Option<String>) {
        resource.status = status;
        resource.reason = reason;
        resource.changed = self.now();
    }

    /// The event for a resource's present status.
    pub(super) fn resource_event(&self, stack: &Stack, logical_id: &str) -> Event {
        let resource = stack.resources.get(logical_id);
        let plan = resource.and_then(|resource| {
            let attempt = resource.attempt.as_ref().map(|attempt| &attempt.plan);
            attempt.or(resource.live.as_ref().map(|instance| &instance.plan))
        });
        Event {
            id: self.cfn.event_id(logical_id, resource.map(|resource| resource.status)),
            at: self.now(),
            logical_id: logical_id.to_owned(),
            physical_id: resource.and_then(Resource::physical_id).unwrap_or_default().to_owned(),
            kind: resource.map(|resource| resource.kind.clone()).unwrap_or_default(),
            reason: resource.and_then(|resource| resource.reason.clone()),
            properties: plan.map(|plan| plan.public().to_string()),
            client_token: stack.operation.as_ref().and_then(|operation| operation.client_token.clone()),
            operation: stack.operation.as_ref().map(|operation| (operation.kind, operation.id.clone())),
            what: What::Changed(resource.map_or(Status::DeleteComplete, |resource| resource.status)),
        }
    }

    /// What a provider is told about where it works.
    pub(super) fn context(&self, kind: &ResourceType, logical_id: &str, token: &str) -> ResourceContext {
        self.cell.peek(|stack| {
            let deployment = stack.shown();
            let own = deployment.into_iter().flat_map(|deployment| &deployment.tags);
            let mut stack_tags: Vec<(String, String)> = own.map(|tag| (tag.key.clone(), tag.value.clone())).collect();
            stack_tags.push(("aws:cloudformation:stack-name".to_owned(), stack.name.clone()));
            stack_tags.push(("aws:cloudformation:stack-id".to_owned(), stack.id.clone()));
            stack_tags.push(("aws:cloudformation:logical-id".to_owned(), logical_id.to_owned()));
            ResourceContext {
                cloud: self.cfn.cloud.clone(),
                scope: stack.scope.clone(),
                service: kind.service(),
                stack_id: stack.id.clone(),
                stack_name: stack.name.clone(),
                logical_id: logical_id.to_owned(),
                token: token.to_owned(),
                stack_tags,
                old_stack_tags: Vec::new(),
                express: stack.operation.as_ref().is_some_and(|operation| operation.express),
            }
        })
    }

    /// CloudFormation's sentence for what a provider answered.
    pub(super) fn handler_sentence(&self, error: &ResourceFault) -> String {
        format!(
            "Resource handler returned message: \"{}\" (RequestToken: {}, HandlerErrorCode: {})",
            error.fault.message,
            self.cfn.cloud.ids.uuid(),
            error.handler_code
        )
    }
}

impl CloudFormation {
    /// Gives a stack a status, with its event.
    pub(super) fn set_status(&self, stack: &mut Stack, events: &mut Vec<Event>, to: Status, reason: Option<String>) {
        stack.status = to;
        stack.reason.clone_from(&reason);
        if to == Status::DeleteComplete {
            stack.deleted = Some(self.cloud.clock.now());
        }
        let operation = stack.operation.as_ref();
        events.push(Event {
            id: self.cloud.ids.uuid(),
            at: self.cloud.clock.now(),
            logical_id: stack.name.clone(),
            physical_id: stack.id.clone(),
            kind: STACK_TYPE.to_owned(),
            reason,
            properties: None,
            client_token: operation.and_then(|operation| operation.client_token.clone()),
            operation: operation.map(|operation| (operation.kind, operation.id.clone())),
            what: What::Changed(to),
        });
    }

    /// AWS's form, made unique: two events of one resource may fall into the same millisecond.
    pub(super) fn event_id(&self, logical_id: &str, status: Option<Status>) -> String {
        format!("{logical_id}-{}-{}", status.map_or("EVENT", Status::name), self.cloud.ids.uuid())
    }
}

/// `The following resource(s) failed to create: [A, B].`, then those that failed to update.
pub(super) fn failures(run: &Run, failed: &[String]) -> String {
    run.cell.peek(|stack| {
        let of = |status: Status| -> Vec<&str> {
            let has =
                |name: &&String| stack.resources.get(name.as_str()).is_some_and(|resource| resource.status == status);
            failed.iter().filter(has).map(String::as_str).collect()
        };
        let sentence = |names: Vec<&str>, verb: &str| {
            let list = names.join(", ");
            (!names.is_empty()).then(|| format!("The following resource(s) failed to {verb}: [{list}]."))
        };
        let parts = [
            sentence(of(Status::CreateFailed), "create"),
            sentence(of(Status::UpdateFailed), "update"),
            sentence(of(Status::DeleteFailed), "delete"),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    })
}
