//! What IAM refuses, and what AWS calls it.

use std::fmt;

use crate::fault::Fault;
use crate::store::StoreError;

/// A refusal of IAM.
#[derive(Debug)]
pub(super) enum IamFault {
    NoSuchEntity(String),
    AlreadyExists(String),
    DeleteConflict(&'static str),
    LimitExceeded(String),
    Malformed(String),
    InvalidInput(String),
    Unmodifiable(String),
    AccessDenied(String),
    Unsupported(String),
    Store(StoreError),
}

impl IamFault {
    /// `The role with name X cannot be found.`
    pub(super) fn no(kind: impl fmt::Display, name: &str) -> Self {
        IamFault::NoSuchEntity(format!("The {kind} with name {name} cannot be found."))
    }

    pub(super) fn no_policy(arn: &str) -> Self {
        IamFault::NoSuchEntity(format!("Policy {arn} was not found."))
    }
}

impl From<StoreError> for IamFault {
    fn from(error: StoreError) -> Self {
        IamFault::Store(error)
    }
}

impl From<IamFault> for Fault {
    fn from(fault: IamFault) -> Self {
        match fault {
            IamFault::NoSuchEntity(message) => Fault::new("NoSuchEntity", message),
            IamFault::AlreadyExists(message) => Fault::new("EntityAlreadyExists", message),
            IamFault::DeleteConflict(message) => Fault::new("DeleteConflict", message),
            IamFault::LimitExceeded(message) => Fault::new("LimitExceeded", message),
            IamFault::Malformed(message) => Fault::new("MalformedPolicyDocument", message),
            IamFault::InvalidInput(message) => Fault::new("InvalidInput", message),
            IamFault::Unmodifiable(message) => Fault::new("UnmodifiableEntity", message),
            IamFault::AccessDenied(message) => Fault::new("AccessDenied", message).status(403),
            IamFault::Unsupported(what) => Fault::unsupported(what),
            IamFault::Store(error) => error.into(),
        }
    }
}
