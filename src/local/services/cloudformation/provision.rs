//! One resource on the way forward: made, changed, replaced, restored or left alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::resource::{NOT_UPDATABLE, Provisioned, ResourceFault, ResourceType};

use super::blueprint::Blueprint;
use super::engine::Run;
use super::remove::unfinished;
use super::secrets;
use super::state::{Attempt, Instance, Intent, Resource, Retired};
use super::status::Status;
use super::update::{Decision, decide, own_name};
use super::walk::Outcome;

const REPLACING: &str = "Requested update requires the creation of a new physical resource; hence creating one.";
const CUSTOM_NAMED: &str = "CloudFormation cannot update a stack when a custom-named resource requires replacing.";
const INITIATED: &str = "Resource creation Initiated";

impl Run {
    /// Brings one resource to what the blueprint says.
    pub(super) async fn provision(self: &Arc<Self>, blueprint: &Blueprint, name: &str, rolling_back: bool) -> Outcome {
        if rolling_back
            && self.operation().is_some_and(|operation| operation.skip.iter().any(|skipped| skipped == name))
        {
            return self.skip(name).await;
        }
        let kind = blueprint.kind(name);
        let intent = match self.intent(blueprint, name).await {
            Ok(intent) => intent,
            Err(sentence) => return self.cannot_start(name, kind, sentence).await,
        };
        let decision = self.cell.peek(|stack| decide(stack.resources.get(name), kind, &intent, rolling_back));
        match decision {
            Decision::Keep => self.keep(name, intent).await,
            Decision::Create | Decision::Replace => self.make(name, kind, intent).await,
            Decision::Resume => self.resume(blueprint, name, intent, rolling_back).await,
            Decision::Update => self.change(name, intent, true).await,
            Decision::Restore => self.restore(name, intent).await,
        }
    }

    async fn intent(&self, blueprint: &Blueprint, name: &str) -> Result<Intent, String> {
        let exports: BTreeMap<String, String> = self.cfn.export_values(&self.cell.get().scope.region);
        let found = self.cell.peek(|stack| blueprint.intent(stack, &exports, name))?;
        if !found.imports.is_empty() {
            // Recorded before the resource is made: from now on the exports are in use.
            self.cell.record(|stack, _| stack.imports.extend(found.imports)).await;
        }
        Ok(found.value)
    }

    /// A resource whose properties cannot be evaluated fails before its provider is asked.
    async fn cannot_start(&self, name: &str, kind: &str, sentence: String) -> Outcome {
        self.cell
            .record(|stack, events| {
                let resource =
                    stack.resources.entry(name.to_owned()).or_insert_with(|| Resource::new(kind, self.now()));
                let status = if resource.live.is_some() { Status::UpdateFailed } else { Status::CreateFailed };
                self.mark(resource, status, Some(sentence));
                events.push(self.resource_event(stack, name));
            })
            .await;
        Outcome::Failed
    }

    async fn skip(&self, name: &str) -> Outcome {
        self.cell
            .record(|stack, events| {
                let Some(resource) = stack.resources.get_mut(name) else { return };
                resource.settle();
                self.mark(
                    resource,
                    Status::UpdateComplete,
                    Some("Resource was skipped during the rollback".to_owned()),
                );
                events.push(self.resource_event(stack, name));
            })
            .await;
        Outcome::Done
    }

    /// Nothing a provider would see differs; policies, order and metadata may.
    async fn keep(&self, name: &str, intent: Intent) -> Outcome {
        let same = self.cell.peek(|stack| {
            let Some(resource) = stack.resources.get(name) else { return true };
            !resource.status.failed() && resource.live.as_ref().is_some_and(|live| live.plan == intent)
        });
        if same {
            return Outcome::Done;
        }
        self.cell
            .record(|stack, events| {
                let Some(resource) = stack.resources.get_mut(name) else { return };
                if let Some(live) = &mut resource.live {
                    live.plan = intent;
                }
                // It failed in this or the operation before, and is now found to be as it should.
                if resource.status.failed() {
                    self.mark(resource, Status::UpdateComplete, None);
                    events.push(self.resource_event(stack, name));
                }
            })
            .await;
        Outcome::Done
    }

    /// Makes a resource that is not there, or a successor for one that is.
    async fn make(&self, name: &str, kind: &str, intent: Intent) -> Outcome {
        let named = self.cell.peek(|stack| stack.resources.get(name).and_then(|there| own_name(there, kind, &intent)));
        if let Some(named) = named {
            let sentence = format!("{CUSTOM_NAMED} Rename {named} and update the stack again.");
            return self.cannot_start(name, kind, sentence).await;
        }
        if let Err(sentence) = self.clear_away(name).await {
            return self.cannot_start(name, kind, sentence).await;
        }
        let token = self.cfn.cloud.ids.uuid();
        self.cell
            .record(|stack, events| {
                let resource =
                    stack.resources.entry(name.to_owned()).or_insert_with(|| Resource::new(kind, self.now()));
                let (status, reason) = match resource.live {
                    Some(_) => (Status::UpdateInProgress, Some(REPLACING.to_owned())),
                    None => (Status::CreateInProgress, None),
                };
                kind.clone_into(&mut resource.kind);
                resource.attempt = Some(Attempt { token, kind: kind.to_owned(), plan: intent });
                self.mark(resource, status, reason);
                events.push(self.resource_event(stack, name));
            })
            .await;
        self.attempt(name).await
    }

    /// Deletes what a creation of this resource that failed in an earlier operation has left.
    async fn clear_away(&self, name: &str) -> Result<(), String> {
        let left = self.cell.peek(|stack| unfinished(stack, name));
        let Some(left) = left else { return Ok(()) };
        self.ask_to_delete(&left).await?;
        self.cell
            .record(|stack, _| {
                if let Some(resource) = stack.resources.get_mut(name) {
                    resource.unfinished = None;
                }
            })
            .await;
        Ok(())
    }

    /// Goes on with a creation that a crash cut short, then looks whether it is still what is wanted.
    async fn resume(
        self: &Arc<Self>,
        blueprint: &Blueprint,
        name: &str,
        intent: Intent,
        rolling_back: bool,
    ) -> Outcome {
        if self.attempt(name).await == Outcome::Failed {
            return Outcome::Failed;
        }
        let kind = blueprint.kind(name);
        match self.cell.peek(|stack| decide(stack.resources.get(name), kind, &intent, rolling_back)) {
            Decision::Keep => self.keep(name, intent).await,
            Decision::Restore => self.restore(name, intent).await,
            Decision::Update => self.change(name, intent, true).await,
            Decision::Create | Decision::Replace | Decision::Resume => self.make(name, kind, intent).await,
        }
    }

    /// Asks the provider for what [`Resource::attempt`] says and records the answer.
    pub(super) async fn attempt(&self, name: &str) -> Outcome {
        let attempt = self.cell.peek(|stack| stack.resources.get(name).and_then(|resource| resource.attempt.clone()));
        let Some(attempt) = attempt else { return Outcome::Done };
        let answer = self.ask_to_create(name, &attempt).await;
        match answer {
            Ok(provisioned) => {
                self.cell.record(|stack, events| self.created(stack, events, name, provisioned)).await;
                Outcome::Done
            }
            Err(error) => {
                self.cell.record(|stack, events| self.not_created(stack, events, name, &error)).await;
                Outcome::Failed
            }
        }
    }

    /// Records a creation that failed, and what it has made all the same.
    fn not_created(
        &self,
        stack: &mut super::state::Stack,
        events: &mut Vec<super::events::Event>,
        name: &str,
        error: &ResourceFault,
    ) {
        let operation = stack.operation.as_ref().map(|operation| operation.id.clone()).unwrap_or_default();
        let Some(resource) = stack.resources.get_mut(name) else { return };
        let attempt = resource.attempt.clone();
        if let (Some(attempt), Some(id)) = (attempt, &error.made) {
            resource.unfinished = Some(attempt.instance(id, operation));
        }
        if let Some((failed, _)) = ends(resource.status) {
            self.mark(resource, failed, Some(self.handler_sentence(error)));
            events.push(self.resource_event(stack, name));
        }
        if let Some(resource) = stack.resources.get_mut(name) {
            resource.attempt = None;
        }
    }

    fn created(
        &self,
        stack: &mut super::state::Stack,
        events: &mut Vec<super::events::Event>,
        name: &str,
        provisioned: Provisioned,
    ) {
        let made_by = stack.operation.as_ref().map(|operation| operation.id.clone()).unwrap_or_default();
        let Some(resource) = stack.resources.get_mut(name) else { return };
        let Some(attempt) = resource.attempt.take() else { return };
        let mut instance = attempt.instance(&provisioned.physical_id, made_by);
        instance.take(provisioned);
        if let Some(old) = resource.live.replace(instance) {
            resource.retired.push(Retired { instance: old, restorable: true });
        }
        resource.settle();
        // A cancelled resource has had its event; it was made all the same, and the rollback will delete it.
        let Some((_, complete)) = ends(resource.status) else { return };
        let status = resource.status;
        self.mark(resource, status, Some(INITIATED.to_owned()));
        events.push(self.resource_event(stack, name));
        if let Some(resource) = stack.resources.get_mut(name) {
            self.mark(resource, complete, None);
        }
        events.push(self.resource_event(stack, name));
    }

    async fn ask_to_create(&self, name: &str, attempt: &Attempt) -> Result<Provisioned, ResourceFault> {
        let provider = self.provider(&attempt.kind)?;
        let cx = self.context(provider, name, &attempt.token);
        let properties = secrets::resolve(&cx.cloud, &cx.scope, &attempt.plan.properties).await?;
        provider.create(&cx, &properties).await
    }

    /// Changes a resource in place.
    async fn change(&self, name: &str, intent: Intent, may_replace: bool) -> Outcome {
        if let Some((kind, error)) = self.refusal(name, &intent) {
            return self.cannot_start(name, &kind, self.handler_sentence(&error)).await;
        }
        let begun = self
            .cell
            .record(|stack, events| {
                let resource = stack.resources.get_mut(name)?;
                let believed = resource.believed(&intent.properties);
                resource.uncertain = true;
                resource.tried = Some(intent.properties.clone());
                self.mark(resource, Status::UpdateInProgress, None);
                let live = resource.live.clone();
                events.push(self.resource_event(stack, name));
                Some((live?, believed))
            })
            .await;
        let Some((old, believed)) = begun else { return Outcome::Failed };
        match self.ask_to_update(name, (&old, believed), &intent).await {
            Ok(provisioned) => {
                self.cell
                    .record(|stack, events| {
                        let Some(resource) = stack.resources.get_mut(name) else { return };
                        resource.settle();
                        if let Some(live) = &mut resource.live {
                            live.take(provisioned);
                            live.plan = intent;
                        }
                        let Some((_, complete)) = ends(resource.status) else { return };
                        self.mark(resource, complete, None);
                        events.push(self.resource_event(stack, name));
                    })
                    .await;
                Outcome::Done
            }
            Err(error) if may_replace && error.handler_code == NOT_UPDATABLE => {
                self.cell
                    .record(|stack, _| {
                        if let Some(resource) = stack.resources.get_mut(name) {
                            resource.settle();
                        }
                    })
                    .await;
                self.make(name, &old.kind, intent).await
            }
            Err(error) => {
                let sentence = self.handler_sentence(&error);
                self.cell
                    .record(|stack, events| {
                        let Some(resource) = stack.resources.get_mut(name) else { return };
                        let Some((failed, _)) = ends(resource.status) else { return };
                        self.mark(resource, failed, Some(sentence));
                        events.push(self.resource_event(stack, name));
                    })
                    .await;
                Outcome::Failed
            }
        }
    }

    /// The resource's type, and why what it is cannot become what is wanted. A rollback asks nobody: a property without a
    /// default that the update brought stays, rather than that the stack stays between two templates.
    fn refusal(&self, name: &str, intent: &Intent) -> Option<(String, ResourceFault)> {
        self.cell.peek(|stack| {
            if stack.status == Status::UpdateRollbackInProgress {
                return None;
            }
            let live = stack.resources.get(name)?.live.as_ref()?;
            let may = self.provider(&live.kind).and_then(|of| of.may_become(&live.plan.properties, &intent.properties));
            Some((live.kind.clone(), may.err()?))
        })
    }

    async fn ask_to_update(
        &self,
        name: &str,
        (old, believed): (&Instance, Value),
        intent: &Intent,
    ) -> Result<Provisioned, ResourceFault> {
        let provider = self.provider(&old.kind)?;
        let mut cx = self.context(provider, name, &self.change_token(name));
        cx.old_stack_tags = old.plan.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        let new = secrets::resolve(&cx.cloud, &cx.scope, &intent.properties).await?;
        // The secret that the old properties name may be gone: then they are given as written.
        let before = secrets::resolve(&cx.cloud, &cx.scope, &believed).await.unwrap_or(believed);
        provider.update(&cx, &old.physical_id, &before, &new).await
    }

    /// The same for every try at a change in one operation and direction. The create's own would tell the provider that what
    /// it is asked to change has been made already, a rollback's that it has been changed.
    fn change_token(&self, name: &str) -> String {
        let what = self.cell.peek(|stack| {
            let operation = stack.operation.as_ref().map(|operation| operation.id.as_str()).unwrap_or_default();
            format!("{operation}/{}/{name}", stack.status.name())
        });
        hex::encode(&Sha256::digest(what)[..16])
    }

    /// Takes back a replacement: the first of the predecessors lives again, the successors go in the cleanup.
    async fn restore(&self, name: &str, intent: Intent) -> Outcome {
        let reverted = self
            .cell
            .record(|stack, events| {
                let resource = stack.resources.get_mut(name)?;
                let at = resource.retired.iter().position(|retired| retired.restorable)?;
                let original = resource.retired.remove(at).instance;
                for later in &mut resource.retired {
                    later.restorable = false;
                }
                if let Some(successor) = resource.live.replace(original) {
                    resource.retired.push(Retired { instance: successor, restorable: false });
                }
                resource.settle();
                resource.kind = resource.live.as_ref().map(|live| live.kind.clone()).unwrap_or_default();
                self.mark(resource, Status::UpdateInProgress, None);
                events.push(self.resource_event(stack, name));
                let resource = stack.resources.get_mut(name)?;
                let differs = resource.live.as_ref().is_some_and(|live| live.plan.properties != intent.properties);
                if !differs {
                    self.mark(resource, Status::UpdateComplete, None);
                    events.push(self.resource_event(stack, name));
                }
                Some(differs)
            })
            .await;
        match reverted {
            Some(true) => self.change(name, intent, false).await,
            Some(false) => self.keep(name, intent).await,
            None => Outcome::Failed,
        }
    }

    pub(super) fn provider(&self, kind: &str) -> Result<&ResourceType, ResourceFault> {
        let missing = || {
            let message = format!("The local cloud does not support the resource type {kind}.");
            ResourceFault::new("InvalidRequest", message)
        };
        self.cfn.cloud.resource_type(kind).ok_or_else(missing)
    }
}

/// The failed and the complete status that end a status under way; `None` for a resource that was already told to stop.
fn ends(status: Status) -> Option<(Status, Status)> {
    match status {
        Status::CreateInProgress => Some((Status::CreateFailed, Status::CreateComplete)),
        Status::UpdateInProgress => Some((Status::UpdateFailed, Status::UpdateComplete)),
        _ => None,
    }
}
