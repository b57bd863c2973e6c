//! What QuickSight refuses, with AWS's codes.

use super::kind::Kind;
use crate::fault::Fault;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub(super) enum AssetFault {
    #[error("The account {0} is not the one of the request's signature.")]
    OtherAccount(String),
    #[error("{} {id} is not found.", kind.name())]
    NotFound { kind: Kind, id: String },
    /// A version of a dashboard.
    #[error("Version {version} of Dashboard {id} is not found.")]
    NoVersion { id: String, version: i64 },
    #[error("{} {id} already exists.", kind.name())]
    AlreadyExists { kind: Kind, id: String },
    #[error("{0}")]
    Invalid(String),
    #[error("The NextToken is not valid.")]
    InvalidNextToken,
    #[error("Version {0} is the published one; publish another before it is deleted.")]
    Published(i64),
    #[error("{0}")]
    Unsupported(String),
    /// What another service said.
    #[error("{0}")]
    Elsewhere(Fault),
    #[error(transparent)]
    Disk(#[from] StoreError),
}

impl From<AssetFault> for Fault {
    fn from(fault: AssetFault) -> Self {
        let message = fault.to_string();
        let code = match &fault {
            AssetFault::OtherAccount(_) => "AccessDeniedException",
            AssetFault::NotFound { .. } | AssetFault::NoVersion { .. } => "ResourceNotFoundException",
            AssetFault::AlreadyExists { .. } => "ResourceExistsException",
            AssetFault::Invalid(_) => "InvalidParameterValueException",
            AssetFault::InvalidNextToken => "InvalidNextTokenException",
            AssetFault::Published(_) => "ConflictException",
            AssetFault::Unsupported(what) => return Fault::unsupported(what),
            AssetFault::Elsewhere(_) => "InvalidParameterValueException",
            AssetFault::Disk(_) => return Fault::internal(message),
        };
        let answer = Fault::new(code, message);
        match fault {
            AssetFault::NotFound { kind, .. } | AssetFault::AlreadyExists { kind, .. } => {
                answer.member("ResourceType", kind.resource_type())
            }
            AssetFault::NoVersion { .. } => answer.member("ResourceType", Kind::Dashboard.resource_type()),
            _ => answer,
        }
    }
}
