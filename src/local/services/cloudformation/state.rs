//! What is known of a stack: the document on disk, one per stack.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::resource::Provisioned;
use crate::scope::Scope;

use super::status::Status;

/// What clients see in place of the value of a `NoEcho` parameter.
pub(super) const MASK: &str = "****";

/// One stack, deleted ones too: their events can be read by ARN.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stack {
    pub(super) id: String,
    pub(super) name: String,
    /// Who deploys it, where.
    pub(super) scope: Scope,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) created: Timestamp,
    pub(super) updated: Option<Timestamp>,
    pub(super) deleted: Option<Timestamp>,
    /// What the last operation that succeeded deployed; what a failed update goes back to.
    pub(super) deployed: Option<Deployment>,
    /// What the operation at work, or the last one that failed, wants.
    pub(super) goal: Option<Deployment>,
    pub(super) operation: Option<Operation>,
    pub(super) last_operations: Vec<PastOperation>,
    pub(super) resources: IndexMap<String, Resource>,
    pub(super) outputs: Vec<Output>,
    /// Names of exports of other stacks that this one uses.
    pub(super) imports: BTreeSet<String>,
    pub(super) termination_protection: bool,
    pub(super) policy: Option<String>,
    pub(super) change_set_id: Option<String>,
    /// For a nested stack: the ids of the stack it belongs to and of the outermost one.
    pub(super) parent: Option<String>,
    pub(super) root: Option<String>,
}

impl Stack {
    /// A stack that nothing is known of but its name.
    pub(super) fn blank(scope: &Scope, (name, id): (&str, String), created: Timestamp) -> Self {
        Stack {
            id,
            name: name.to_owned(),
            scope: scope.clone(),
            status: Status::ReviewInProgress,
            reason: None,
            created,
            updated: None,
            deleted: None,
            deployed: None,
            goal: None,
            operation: None,
            last_operations: Vec::new(),
            resources: IndexMap::new(),
            outputs: Vec::new(),
            imports: BTreeSet::new(),
            termination_protection: false,
            policy: None,
            change_set_id: None,
            parent: None,
            root: None,
        }
    }

    /// The deployment that describes the stack to clients.
    pub(super) fn shown(&self) -> Option<&Deployment> {
        self.goal.as_ref().or(self.deployed.as_ref())
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.status == Status::DeleteComplete
    }
}

/// A template with everything that was sent along to deploy it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Deployment {
    /// The template's digest in the library.
    pub(super) template: String,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) tags: Vec<Tag>,
    pub(super) capabilities: Vec<String>,
    pub(super) role_arn: Option<String>,
    pub(super) disable_rollback: bool,
    pub(super) express: bool,
    pub(super) timeout_minutes: Option<u32>,
    pub(super) description: Option<String>,
}

/// Without the values of parameters: those of `NoEcho` ones are secrets.
impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<&String> = self.parameters.keys().collect();
        let Deployment { template, tags, capabilities, role_arn, .. } = self;
        f.debug_struct("Deployment")
            .field("template", template)
            .field("parameters", &parameters)
            .field("tags", tags)
            .field("capabilities", capabilities)
            .field("role_arn", role_arn)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum OperationKind {
    CreateStack,
    UpdateStack,
    DeleteStack,
    Rollback,
    ContinueRollback,
    #[serde(rename = "CREATE_CHANGESET")]
    CreateChangeSet,
}

/// What to do when a create fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum OnFailure {
    DoNothing,
    #[default]
    Rollback,
    Delete,
}

/// The operation at work on a stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Operation {
    pub(super) kind: OperationKind,
    pub(super) id: String,
    pub(super) client_token: Option<String>,
    pub(super) started: Timestamp,
    pub(super) express: bool,
    pub(super) on_failure: OnFailure,
    /// Resources that a delete leaves where they are.
    pub(super) retain: Vec<String>,
    /// Resources that a continued rollback passes over.
    pub(super) skip: Vec<String>,
    /// `FORCE_DELETE_STACK`: what cannot be deleted is left behind.
    pub(super) force: bool,
    pub(super) retain_except_on_create: bool,
    /// The change set that is being executed, by name.
    pub(super) change_set: Option<String>,
    /// The status to return to if a delete turns out to be impossible.
    pub(super) before: Status,
    pub(super) before_reason: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PastOperation {
    pub(super) operation_type: OperationKind,
    pub(super) operation_id: String,
}

/// One logical resource and everything physical that was made for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Resource {
    pub(super) kind: String,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) changed: Timestamp,
    /// What `Ref` and `Fn::GetAtt` see.
    pub(super) live: Option<Instance>,
    /// A creation that was begun and not yet answered. Written before the provider is asked, so that after a
    /// crash the same token finds what was made.
    pub(super) attempt: Option<Attempt>,
    /// What a creation that failed had made already: deleted by the rollback, or before the next try.
    pub(super) unfinished: Option<Instance>,
    /// What the live instance replaced, or what was taken back: deleted in the cleanup.
    pub(super) retired: Vec<Retired>,
    /// An update failed or was cut short: what is there may be neither old nor new.
    pub(super) uncertain: bool,
    /// What that update wanted.
    pub(super) tried: Option<Value>,
}

impl Resource {
    pub(super) fn new(kind: &str, now: Timestamp) -> Self {
        Resource {
            kind: kind.to_owned(),
            status: Status::CreateInProgress,
            reason: None,
            changed: now,
            live: None,
            attempt: None,
            unfinished: None,
            retired: Vec::new(),
            uncertain: false,
            tried: None,
        }
    }

    pub(super) fn physical_id(&self) -> Option<&str> {
        self.live.as_ref().or(self.unfinished.as_ref()).map(|instance| instance.physical_id.as_str())
    }

    /// What is there is what was wanted last.
    pub(super) fn settle(&mut self) {
        self.uncertain = false;
        self.tried = None;
    }

    /// The properties that the physical resource has as far as a change to `wanted` is concerned. After an update that failed
    /// each may be the old or the tried one: the provider is told of the one that is not wanted, so that it sets the property.
    pub(super) fn believed(&self, wanted: &Value) -> Value {
        let plan = self.live.as_ref().map(|live| live.plan.properties.clone()).unwrap_or_default();
        let Some(Value::Object(tried)) = self.tried.as_ref().filter(|_| self.uncertain) else { return plan };
        let mut believed = match plan {
            Value::Object(members) => members,
            other => return other,
        };
        for name in believed.keys().chain(tried.keys()).cloned().collect::<BTreeSet<_>>() {
            if tried.get(&name) != wanted.get(&name) {
                match tried.get(&name) {
                    Some(value) => believed.insert(name, value.clone()),
                    None => believed.remove(&name),
                };
            }
        }
        Value::Object(believed)
    }
}

/// A physical resource.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) kind: String,
    pub(super) physical_id: String,
    pub(super) reference: Option<String>,
    pub(super) attributes: Map<String, Value>,
    pub(super) plan: Intent,
    pub(super) token: String,
    /// Made by the operation with this id: `RetainExceptOnCreate` asks.
    pub(super) made_by: String,
}

/// Without the attributes' values: an access key's secret is one.
impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attributes: Vec<&String> = self.attributes.keys().collect();
        let Instance { kind, physical_id, plan, made_by, .. } = self;
        f.debug_struct("Instance")
            .field("kind", kind)
            .field("physical_id", physical_id)
            .field("attributes", &attributes)
            .field("plan", plan)
            .field("made_by", made_by)
            .finish_non_exhaustive()
    }
}

impl Instance {
    /// Takes what a provider answered. What an update does not name stays: a key's secret is told only once.
    pub(super) fn take(&mut self, provisioned: Provisioned) {
        self.physical_id = provisioned.physical_id;
        self.reference = provisioned.reference.or(self.reference.take());
        self.attributes.extend(provisioned.attributes);
    }
}

/// What a resource should be: its part of the template, evaluated.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Intent {
    /// Intrinsic functions are resolved; dynamic references (`{{resolve:…}}`) stay as written.
    pub(super) properties: Value,
    /// The same with `NoEcho` parameters masked, for events; `None` when there is nothing to mask.
    pub(super) masked: Option<Value>,
    pub(super) deletion_policy: Policy,
    pub(super) update_replace_policy: Policy,
    /// Logical ids of this stack that it was made after: deleted before them.
    pub(super) after: Vec<String>,
    /// The stack's tags, for types that carry tags.
    pub(super) tags: Vec<Tag>,
    pub(super) metadata: Option<Value>,
}

/// As events show it.
impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Intent { deletion_policy, after, .. } = self;
        f.debug_struct("Intent")
            .field("properties", self.public())
            .field("deletion_policy", deletion_policy)
            .field("after", after)
            .finish_non_exhaustive()
    }
}

impl Intent {
    /// What events and change sets show.
    pub(super) fn public(&self) -> &Value {
        self.masked.as_ref().unwrap_or(&self.properties)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) token: String,
    pub(super) kind: String,
    pub(super) plan: Intent,
}

impl Attempt {
    /// What the attempt has made under `physical_id`, in the operation `made_by`.
    pub(super) fn instance(self, physical_id: &str, made_by: String) -> Instance {
        Instance {
            kind: self.kind,
            physical_id: physical_id.to_owned(),
            reference: None,
            attributes: Map::new(),
            plan: self.plan,
            token: self.token,
            made_by,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Retired {
    pub(super) instance: Instance,
    /// Still what a rollback would go back to; false once it was itself taken back by a rollback.
    pub(super) restorable: bool,
}

/// `DeletionPolicy` and `UpdateReplacePolicy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Policy {
    #[default]
    Delete,
    Retain,
    RetainExceptOnCreate,
    Snapshot,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Output {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) description: Option<String>,
    pub(super) export: Option<String>,
}

/// A change set, with the deployment that it would make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ChangeSet {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) created: Timestamp,
    /// CREATE, or UPDATE if false.
    pub(super) creates_stack: bool,
    pub(super) status: ChangeSetStatus,
    pub(super) reason: Option<String>,
    pub(super) execution: ExecutionStatus,
    pub(super) deployment: Deployment,
    pub(super) on_failure: OnFailure,
    pub(super) client_token: Option<String>,
    /// As `DescribeChangeSet` gives them, with values.
    pub(super) changes: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ChangeSetStatus {
    CreateComplete,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum ExecutionStatus {
    Unavailable,
    Available,
    ExecuteInProgress,
    ExecuteComplete,
    ExecuteFailed,
    Obsolete,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_secret_is_not_shown_by_debug() {
        let deployment =
            Deployment { parameters: [("Password".to_owned(), "hush".to_owned())].into(), ..Deployment::default() };
        let plan = Intent {
            properties: json!({"MasterUserPassword": "hush"}),
            masked: Some(json!({"MasterUserPassword": MASK})),
            deletion_policy: Policy::Delete,
            update_replace_policy: Policy::Delete,
            after: Vec::new(),
            tags: Vec::new(),
            metadata: None,
        };
        let attempt = Attempt { token: "t".into(), kind: "AWS::IAM::AccessKey".into(), plan };
        let mut instance = attempt.instance("AKIA", "op".into());
        instance.attributes.insert("SecretAccessKey".into(), json!("hush"));
        let shown = format!("{deployment:?} {instance:?}");
        assert!(!shown.contains("hush") && shown.contains("SecretAccessKey") && shown.contains("Password"), "{shown}");
    }
}
