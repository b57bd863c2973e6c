//! Deleting what should no longer be there: the whole stack, or what an update left over.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::engine::Run;
use super::order::Walk;
use super::secrets;
use super::state::{Instance, Operation, Policy, Stack};
use super::status::Status;
use super::walk::{Ended, Manner, Outcome};

/// A physical resource that is to go.
#[derive(Clone, Debug)]
pub(super) struct Doomed {
    pub(super) logical_id: String,
    pub(super) instance: Instance,
    /// It was replaced, or taken back: the logical resource lives on.
    pub(super) retired: bool,
    /// A creation of it failed and left it behind.
    pub(super) unfinished: bool,
    pub(super) keep: bool,
}

impl Doomed {
    fn live(logical_id: &str, instance: &Instance, keep: bool) -> Self {
        Doomed {
            logical_id: logical_id.to_owned(),
            instance: instance.clone(),
            retired: false,
            unfinished: false,
            keep,
        }
    }
}

/// What a creation that failed has left of one logical resource. It was never anybody's, so no policy keeps it.
pub(super) fn unfinished(stack: &Stack, name: &str) -> Option<Doomed> {
    let resource = stack.resources.get(name)?;
    let instance = resource.unfinished.clone()?;
    let retired = resource.live.is_some();
    Some(Doomed { logical_id: name.to_owned(), instance, retired, unfinished: true, keep: false })
}

/// Everything physical of a stack. `keep` decides for each live resource.
pub(super) fn everything(stack: &Stack, keep: impl Fn(&str, &Instance) -> bool) -> Vec<Doomed> {
    let mut doomed = Vec::new();
    for (name, resource) in &stack.resources {
        if let Some(live) = &resource.live {
            doomed.push(Doomed::live(name, live, keep(name, live)));
        }
        doomed.extend(unfinished(stack, name));
        doomed.extend(retired(stack, name));
    }
    doomed
}

/// What replacements left of one logical resource.
pub(super) fn retired(stack: &Stack, name: &str) -> Vec<Doomed> {
    let Some(resource) = stack.resources.get(name) else { return Vec::new() };
    let made_here =
        |instance: &Instance| stack.operation.as_ref().is_some_and(|operation| operation.id == instance.made_by);
    let retired = resource.retired.iter().map(|retired| {
        let policy = retired.instance.plan.update_replace_policy;
        // What this very operation made and then took back was never anybody's.
        let keep = retired.restorable
            && policy != Policy::Delete
            && !(policy == Policy::RetainExceptOnCreate && made_here(&retired.instance));
        Doomed {
            logical_id: name.to_owned(),
            instance: retired.instance.clone(),
            retired: true,
            unfinished: false,
            keep,
        }
    });
    retired.collect()
}

/// Whether a policy keeps a live resource when its stack, or its place in the template, goes.
pub(super) fn kept(instance: &Instance, operation: Option<&Operation>) -> bool {
    let made_here = operation.is_some_and(|operation| operation.id == instance.made_by);
    match instance.plan.deletion_policy {
        Policy::Delete | Policy::Snapshot => false,
        Policy::Retain => !(made_here && operation.is_some_and(|operation| operation.retain_except_on_create)),
        Policy::RetainExceptOnCreate => !made_here,
    }
}

impl Run {
    /// Deletes in reverse order; what cannot be deleted keeps what it was made of.
    pub(super) async fn remove(self: &Arc<Self>, doomed: Vec<Doomed>, phase: Status) -> Ended {
        let names: Vec<String> = doomed.iter().map(|item| item.logical_id.clone()).collect();
        let waits_for: Vec<BTreeSet<usize>> = doomed
            .iter()
            .map(|item| {
                let needed = |&other: &usize| item.instance.plan.after.contains(&names[other]);
                (0..names.len()).filter(needed).collect()
            })
            .collect();
        let manner = Manner { phase, stop_at_failure: false, time_left: None };
        let walk = Walk::reversed(&waits_for);
        self.walk(manner, walk, &names, |run, node| {
            let item = doomed[node].clone();
            async move { run.remove_one(item, phase).await }
        })
        .await
    }

    async fn remove_one(&self, item: Doomed, phase: Status) -> Outcome {
        if item.keep {
            self.removed(&item, Status::DeleteSkipped, None).await;
            return Outcome::Done;
        }
        self.deleting(&item).await;
        let tries = if cleaning(phase) { 3 } else { 1 };
        let mut failure = None;
        for _ in 0..tries {
            match self.ask_to_delete(&item).await {
                Ok(()) => {
                    self.removed(&item, Status::DeleteComplete, None).await;
                    return Outcome::Done;
                }
                Err(sentence) => failure = Some(sentence),
            }
        }
        self.not_removed(&item, failure).await;
        Outcome::Failed
    }

    pub(super) async fn ask_to_delete(&self, item: &Doomed) -> Result<(), String> {
        let sentence = |error| self.handler_sentence(&error);
        let provider = self.provider(&item.instance.kind).map_err(sentence)?;
        let cx = self.context(provider, &item.logical_id, &item.instance.token);
        let written = &item.instance.plan.properties;
        // A secret that is gone must not stand in the way of a deletion.
        let properties = secrets::resolve(&cx.cloud, &cx.scope, written).await.unwrap_or_else(|_| written.clone());
        provider.delete(&cx, &item.instance.physical_id, &properties).await.map_err(sentence)
    }

    async fn deleting(&self, item: &Doomed) {
        self.cell
            .record(|stack, events| {
                if item.retired {
                    events.push(self.instance_event(stack, item, Status::DeleteInProgress, None));
                } else if let Some(resource) = stack.resources.get_mut(&item.logical_id) {
                    self.mark(resource, Status::DeleteInProgress, None);
                    events.push(self.resource_event(stack, &item.logical_id));
                }
            })
            .await;
    }

    async fn removed(&self, item: &Doomed, status: Status, reason: Option<String>) {
        self.cell
            .record(|stack, events| {
                if item.retired {
                    events.push(self.instance_event(stack, item, status, reason));
                    if let Some(resource) = stack.resources.get_mut(&item.logical_id) {
                        let token = &item.instance.token;
                        resource.retired.retain(|retired| retired.instance.token != *token);
                        resource.unfinished.take_if(|unfinished| unfinished.token == *token);
                    }
                    return;
                }
                let Some(resource) = stack.resources.get_mut(&item.logical_id) else { return };
                self.mark(resource, status, reason);
                events.push(self.resource_event(stack, &item.logical_id));
                if let Some(resource) = stack.resources.get_mut(&item.logical_id) {
                    if item.unfinished {
                        resource.unfinished = None;
                    } else {
                        resource.live = None;
                    }
                }
            })
            .await;
    }

    async fn not_removed(&self, item: &Doomed, sentence: Option<String>) {
        self.cell
            .record(|stack, events| {
                if item.retired {
                    events.push(self.instance_event(stack, item, Status::DeleteFailed, sentence));
                } else if let Some(resource) = stack.resources.get_mut(&item.logical_id) {
                    self.mark(resource, Status::DeleteFailed, sentence);
                    events.push(self.resource_event(stack, &item.logical_id));
                }
            })
            .await;
    }

    /// The event for a physical resource that no longer stands behind its logical one.
    fn instance_event(
        &self,
        stack: &Stack,
        item: &Doomed,
        status: Status,
        reason: Option<String>,
    ) -> super::events::Event {
        let mut event = self.resource_event(stack, &item.logical_id);
        event.id = self.cfn.event_id(&item.logical_id, Some(status));
        event.physical_id.clone_from(&item.instance.physical_id);
        event.kind.clone_from(&item.instance.kind);
        event.properties = Some(item.instance.plan.public().to_string());
        event.reason = reason;
        event.what = super::events::What::Changed(status);
        event
    }
}

const fn cleaning(phase: Status) -> bool {
    matches!(phase, Status::UpdateCompleteCleanupInProgress | Status::UpdateRollbackCompleteCleanupInProgress)
}
