//! CloudFormation's errors and their AWS codes.

use std::fmt;

use crate::fault::Fault;
use crate::store::StoreError;

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum CfnFault {
    Validation(String),
    /// What is deployed is what is asked for.
    NoUpdates,
    /// `DescribeStacks` words it differently from all other operations.
    NoSuchStack(String),
    StackDoesNotExist(String),
    StackExists(String),
    ChangeSetExists(String),
    NoSuchChangeSet(String),
    InvalidChangeSetStatus(String),
    InsufficientCapabilities(String),
    TooManyStacks,
    NoSuchType(String),
    Other(Fault),
}

impl CfnFault {
    pub(super) fn validation(message: impl fmt::Display) -> Self {
        CfnFault::Validation(message.to_string())
    }

    pub(super) fn unsupported(what: impl fmt::Display) -> Self {
        CfnFault::Other(Fault::unsupported(what))
    }
}

impl From<Fault> for CfnFault {
    fn from(fault: Fault) -> Self {
        CfnFault::Other(fault)
    }
}

impl From<StoreError> for CfnFault {
    fn from(error: StoreError) -> Self {
        CfnFault::Other(error.into())
    }
}

impl From<CfnFault> for Fault {
    fn from(fault: CfnFault) -> Self {
        match fault {
            CfnFault::Validation(message) => Fault::new("ValidationError", message),
            CfnFault::NoUpdates => Fault::new("ValidationError", "No updates are to be performed."),
            CfnFault::NoSuchStack(name) => {
                Fault::new("ValidationError", format!("Stack with id {name} does not exist"))
            }
            CfnFault::StackDoesNotExist(name) => {
                Fault::new("ValidationError", format!("Stack [{name}] does not exist"))
            }
            CfnFault::StackExists(name) => {
                Fault::new("AlreadyExistsException", format!("Stack [{name}] already exists"))
            }
            CfnFault::ChangeSetExists(name) => {
                Fault::new("AlreadyExistsException", format!("ChangeSet {name} already exists"))
            }
            CfnFault::NoSuchChangeSet(name) => {
                Fault::new("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist")).status(404)
            }
            CfnFault::InvalidChangeSetStatus(message) => Fault::new("InvalidChangeSetStatus", message),
            CfnFault::InsufficientCapabilities(needed) => {
                Fault::new("InsufficientCapabilitiesException", format!("Requires capabilities : [{needed}]"))
            }
            CfnFault::TooManyStacks => Fault::new("LimitExceededException", "Limit for stack has been exceeded"),
            CfnFault::NoSuchType(name) => {
                Fault::new("TypeNotFoundException", format!("The type '{name}' cannot be found.")).status(404)
            }
            CfnFault::Other(fault) => fault,
        }
    }
}
