//! The ways back and out: rollback of a create, rollback of an update, the cleanup after an update, deletion.

use std::sync::Arc;

use super::engine::{Run, failures};
use super::remove::{Doomed, everything, kept, retired, unfinished};
use super::state::{Policy, Stack};
use super::status::Status;
use super::walk::Stop;

impl Run {
    /// After a crash: asks for what was being made, so that it is known and can be deleted.
    async fn settle_attempts(self: &Arc<Self>) {
        let names = self.cell.peek(|stack| {
            let begun = stack.resources.iter().filter(|(_, resource)| resource.attempt.is_some());
            begun.map(|(name, _)| name.clone()).collect::<Vec<_>>()
        });
        let mut tasks = tokio::task::JoinSet::new();
        for name in names {
            let run = self.clone();
            tasks.spawn(async move { run.attempt(&name).await });
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Deletes what a failed create made.
    pub(super) async fn roll_back_create(self: &Arc<Self>) {
        self.settle_attempts().await;
        self.forget_unmade().await;
        let phase = Status::RollbackInProgress;
        let doomed = self.cell.peek(|stack| everything(stack, |_, instance| kept(instance, stack.operation.as_ref())));
        let ended = self.remove(doomed, phase).await;
        if ended.stop == Some(Stop::Interrupted) {
            return;
        }
        if ended.failed.is_empty() {
            self.cell.record(|stack, _| stack.imports.clear()).await;
            self.change_status(phase, Status::RollbackComplete, None).await;
        } else {
            self.change_status(phase, Status::RollbackFailed, Some(failures(self, &ended.failed))).await;
        }
    }

    /// A resource that failed before anything was made of it is gone at once.
    async fn forget_unmade(&self) {
        self.cell
            .record(|stack, events| {
                let unmade = |stack: &Stack, name: &String| {
                    stack.resources.get(name).is_some_and(|resource| {
                        resource.live.is_none()
                            && resource.unfinished.is_none()
                            && resource.status == Status::CreateFailed
                            && resource.retired.is_empty()
                    })
                };
                let names: Vec<String> = stack.resources.keys().filter(|name| unmade(stack, name)).cloned().collect();
                for name in names {
                    if let Some(resource) = stack.resources.get_mut(&name) {
                        self.mark(resource, Status::DeleteComplete, None);
                    }
                    events.push(self.resource_event(stack, &name));
                }
            })
            .await;
    }

    /// Brings back what an update changed, then cleans up what it added.
    pub(super) async fn roll_back_update(self: &Arc<Self>) {
        let phase = Status::UpdateRollbackInProgress;
        self.settle_attempts().await;
        let past = self.cell.peek(|stack| stack.deployed.clone());
        let blueprint = match self.blueprint(past).await {
            Ok(blueprint) => Arc::new(blueprint),
            Err(sentence) => return self.change_status(phase, Status::UpdateRollbackFailed, Some(sentence)).await,
        };
        let ended = self.forward(&blueprint, phase, None).await;
        if ended.stop == Some(Stop::Interrupted) {
            return;
        }
        if ended.failed.is_empty() {
            self.change_status(phase, Status::UpdateRollbackCompleteCleanupInProgress, None).await;
        } else {
            self.change_status(phase, Status::UpdateRollbackFailed, Some(failures(self, &ended.failed))).await;
        }
    }

    /// Deletes what the deployment that now holds no longer has: replaced and removed resources.
    pub(super) async fn clean_up(self: &Arc<Self>, rest: Status) {
        let phase = self.cell.peek(|stack| stack.status);
        // After an update the goal has become what is deployed; after a rollback it is given up here.
        let current = self.cell.peek(|stack| stack.deployed.clone());
        let failed = match self.blueprint(current).await {
            Ok(blueprint) => {
                let doomed = self.cell.peek(|stack| leftovers(stack, |name| blueprint.includes(name)));
                let ended = self.remove(doomed, phase).await;
                if ended.stop == Some(Stop::Interrupted) {
                    return;
                }
                let failed = !ended.failed.is_empty();
                self.forget(|name| blueprint.includes(name)).await;
                failed.then(|| "One or more resources could not be deleted.".to_owned())
            }
            Err(sentence) => Some(sentence),
        };
        self.cell.record(|stack, _| stack.goal = None).await;
        self.change_status(phase, rest, failed).await;
    }

    /// Takes out of the records what is no longer of the stack; what could not be deleted is left behind.
    async fn forget(&self, includes: impl Fn(&str) -> bool) {
        self.cell
            .record(|stack, _| {
                stack.resources.retain(|name, _| includes(name));
                for resource in stack.resources.values_mut() {
                    resource.retired.clear();
                    resource.unfinished = None;
                }
            })
            .await;
    }

    /// Deletes the stack.
    pub(super) async fn delete(self: &Arc<Self>) {
        let phase = Status::DeleteInProgress;
        if let Some(sentence) = self.export_in_use() {
            return self.delete_refused(sentence).await;
        }
        self.settle_attempts().await;
        let doomed = self.cell.peek(|stack| {
            let operation = stack.operation.as_ref();
            let named =
                |name: &str| operation.is_some_and(|operation| operation.retain.iter().any(|kept| kept == name));
            let policy = |policy| matches!(policy, Policy::Retain | Policy::RetainExceptOnCreate);
            everything(stack, |name, instance| named(name) || policy(instance.plan.deletion_policy))
        });
        let ended = self.remove(doomed, phase).await;
        if ended.stop == Some(Stop::Interrupted) {
            return;
        }
        let force = self.operation().is_some_and(|operation| operation.force);
        if !ended.failed.is_empty() && !force {
            return self.change_status(phase, Status::DeleteFailed, Some(failures(self, &ended.failed))).await;
        }
        self.cell
            .record(|stack, events| {
                for name in &ended.failed {
                    if let Some(resource) = stack.resources.get_mut(name) {
                        self.mark(resource, Status::DeleteSkipped, None);
                        resource.live = None;
                        resource.unfinished = None;
                    }
                    events.push(self.resource_event(stack, name));
                }
                stack.imports.clear();
                stack.outputs.clear();
                self.set_status(stack, events, Status::DeleteComplete, None);
            })
            .await;
        self.cfn.registry.release(&self.cell.get());
    }

    /// Nothing was deleted: the stack is again what it was, and says why.
    async fn delete_refused(&self, sentence: String) {
        self.cell
            .record(|stack, events| {
                let before = stack.operation.as_ref().map_or(Status::DeleteFailed, |operation| operation.before);
                // Interrupted creates have no state to return to.
                let to = if before.in_progress() { Status::DeleteFailed } else { before };
                self.set_status(stack, events, to, Some(sentence));
            })
            .await;
    }
}

/// Replaced resources, and live ones that the deployment does not include.
fn leftovers(stack: &Stack, includes: impl Fn(&str) -> bool) -> Vec<Doomed> {
    let mut doomed = Vec::new();
    for (name, resource) in &stack.resources {
        if let Some(live) = resource.live.as_ref().filter(|_| !includes(name)) {
            doomed.push(Doomed {
                logical_id: name.clone(),
                instance: live.clone(),
                retired: false,
                unfinished: false,
                keep: kept(live, stack.operation.as_ref()),
            });
        }
        doomed.extend(unfinished(stack, name));
        doomed.extend(retired(stack, name));
    }
    doomed
}
