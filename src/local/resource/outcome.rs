//! What a provider answers.

use serde_json::{Map, Value};

use crate::local::fault::Fault;

/// What making or changing a resource ends in.
pub type Made = Result<Provisioned, ResourceFault>;

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

impl Provisioned {
    /// A resource without attributes.
    pub fn named(physical_id: impl Into<String>) -> Self {
        Provisioned { physical_id: physical_id.into(), ..Provisioned::default() }
    }

    /// A resource with the members of `attributes`.
    pub fn with(physical_id: impl Into<String>, attributes: Value) -> Self {
        let attributes = match attributes {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        Provisioned { attributes, ..Provisioned::named(physical_id) }
    }
}

/// The handler error code by which a provider says that a change needs a new resource.
pub const NOT_UPDATABLE: &str = "NotUpdatable";

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

    /// It was made, and does not become usable.
    pub fn not_stabilized(message: impl Into<String>) -> Self {
        ResourceFault::new("NotStabilized", message)
    }

    /// Whether the thing is not there.
    pub fn is_not_found(&self) -> bool {
        self.handler_code == "NotFound"
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
