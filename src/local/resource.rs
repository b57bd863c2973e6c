//! What CloudFormation asks of a service for one resource type.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::cloud::Cloud;
use super::fault::Fault;
use super::scope::Scope;

/// Where and for whom a resource is made.
#[derive(Clone)]
pub struct ResourceContext {
    pub cloud: Arc<Cloud>,
    /// The stack's scope: who deploys it.
    pub scope: Scope,
    pub stack_id: String,
    pub stack_name: String,
    pub logical_id: String,
    /// The same for every try at one thing: an interrupted create that is tried again finds what it made. A change has a token
    /// of its own, another in each operation; a deletion has that of the create.
    pub token: String,
    /// The stack's own tags and `aws:cloudformation:*`, for types that carry tags.
    pub stack_tags: Vec<(String, String)>,
    /// Express mode: done when the configuration is applied, no wait for readiness.
    pub express: bool,
}

impl ResourceContext {
    /// A name for a resource whose template gives none: `<stack>-<logical id>-<suffix from the token>`, at most `longest` characters.
    pub fn generated_name(&self, longest: usize) -> String {
        let suffix: String = self.token.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let room = longest.saturating_sub(suffix.len() + 1);
        let mut stem = format!("{}-{}", self.stack_name, self.logical_id);
        stem.truncate(room);
        format!("{}-{suffix}", stem.trim_end_matches('-'))
    }

    /// The resource's `Tags` (a list of `Key` and `Value`) with the stack's tags added, those of the resource winning.
    pub fn tags(&self, own: Option<&Value>) -> Value {
        let own: Vec<Value> = own.and_then(Value::as_array).cloned().unwrap_or_default();
        let taken = |key: &str| own.iter().any(|tag| tag.get("Key").and_then(Value::as_str) == Some(key));
        let inherited = self.stack_tags.iter().filter(|(key, _)| !taken(key));
        let inherited = inherited.map(|(key, value)| serde_json::json!({"Key": key, "Value": value}));
        Value::Array(own.iter().cloned().chain(inherited).collect())
    }
}

/// A resource that exists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Provisioned {
    /// What `DescribeStackResources` shows.
    pub physical_id: String,
    /// What `Ref` gives, where it is not the physical id.
    pub reference: Option<String>,
    /// What `Fn::GetAtt` gives, nested attributes under their dotted names (`Endpoint.Address`).
    pub attributes: Map<String, Value>,
}

/// Why a resource could not be made, changed or deleted; the fields of CloudFormation's own reason text.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceFault {
    /// CloudFormation's handler error code: `AlreadyExists`, `NotFound`, `InvalidRequest`, `NotStabilized`, …
    pub handler_code: &'static str,
    pub fault: Fault,
    /// The physical id of what a create had made when it failed: the engine keeps it on record, and the rollback deletes it.
    pub made: Option<Box<str>>,
}

impl ResourceFault {
    pub fn new(handler_code: &'static str, message: impl Into<String>) -> Self {
        ResourceFault { handler_code, fault: Fault::new(handler_code, message), made: None }
    }
}

/// For what a create does after the resource is there: settings, members, the wait until it is usable.
pub trait Unfinished<T> {
    /// Says with the error that `physical_id` had been made.
    ///
    /// # Errors
    /// The same, with [`ResourceFault::made`].
    fn unfinished(self, physical_id: &str) -> Result<T, ResourceFault>;
}

impl<T, E: Into<ResourceFault>> Unfinished<T> for Result<T, E> {
    fn unfinished(self, physical_id: &str) -> Result<T, ResourceFault> {
        self.map_err(|error| ResourceFault { made: Some(physical_id.into()), ..error.into() })
    }
}

impl From<Fault> for ResourceFault {
    fn from(fault: Fault) -> Self {
        let code = fault.code.as_str();
        let handler_code = if code.contains("AlreadyExists")
            || code.contains("EntityAlreadyExists")
            || code.contains("AlreadyOwnedByYou")
        {
            "AlreadyExists"
        } else if code.contains("NotFound") || code.contains("NoSuch") {
            "NotFound"
        } else if code.contains("Limit") || code.contains("Quota") {
            "ServiceLimitExceeded"
        } else if code.contains("Throttl") {
            "Throttling"
        } else if code.contains("AccessDenied") {
            "AccessDenied"
        } else if code.contains("Internal") {
            "ServiceInternalError"
        } else if code.contains("DependencyViolation") || code.contains("InUse") || code.contains("DeleteConflict") {
            "ResourceConflict"
        } else {
            "InvalidRequest"
        };
        ResourceFault { handler_code, fault, made: None }
    }
}

/// One CloudFormation resource type, provided by the service it belongs to (`services/<name>/cfn.rs`).
///
/// Properties come checked against the type's schema and with every intrinsic function resolved. An implementation sends
/// its service the requests that a client would send, through [`Cloud::call`] in the context's scope.
#[async_trait]
pub trait ResourceType: Send + Sync + 'static {
    /// `AWS::S3::Bucket`.
    fn type_name(&self) -> &'static str;

    /// Makes the resource and waits until it is usable (unless the context says express). Called again with the same
    /// token after an interruption, it finds what it made. An error after the resource is there names it ([`Unfinished`]).
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault>;

    /// Changes the resource in place. The engine has already decided, from the schema, that no replacement is needed.
    async fn update(
        &self,
        cx: &ResourceContext,
        physical_id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault>;

    /// Deletes the resource; that it is gone already is success.
    async fn delete(&self, cx: &ResourceContext, physical_id: &str, properties: &Value) -> Result<(), ResourceFault>;
}
