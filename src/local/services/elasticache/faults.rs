//! What ElastiCache refuses, in its own codes and words.

use std::fmt;

use crate::fault::Fault;
use crate::process::engines::EngineError;
use crate::store::StoreError;

/// Kinds of things that have names here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ReplicationGroup,
    CacheCluster,
    SubnetGroup,
    ParameterGroup,
}

impl Kind {
    const fn not_found(self) -> (&'static str, u16) {
        match self {
            Kind::ReplicationGroup => ("ReplicationGroupNotFoundFault", 404),
            Kind::CacheCluster => ("CacheClusterNotFound", 404),
            Kind::SubnetGroup => ("CacheSubnetGroupNotFoundFault", 400),
            Kind::ParameterGroup => ("CacheParameterGroupNotFound", 404),
        }
    }

    const fn already_exists(self) -> &'static str {
        match self {
            Kind::ReplicationGroup => "ReplicationGroupAlreadyExists",
            Kind::CacheCluster => "CacheClusterAlreadyExists",
            Kind::SubnetGroup => "CacheSubnetGroupAlreadyExists",
            Kind::ParameterGroup => "CacheParameterGroupAlreadyExists",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::ReplicationGroup => "ReplicationGroup",
            Kind::CacheCluster => "CacheCluster",
            Kind::SubnetGroup => "Cache Subnet Group",
            Kind::ParameterGroup => "CacheParameterGroup",
        })
    }
}

/// Why a request about caches was refused.
#[derive(Debug)]
pub(super) enum CacheFault {
    NotFound(Kind, String),
    AlreadyExists(Kind, String),
    /// The group's status does not allow it.
    InvalidState {
        group: String,
        status: String,
    },
    /// Something still uses it.
    InUse(Kind, String),
    InvalidValue(String),
    Combination(String),
    InvalidArn(String),
    InvalidSubnet(String),
    TagNotFound(String),
    NoFailover,
    /// AWS has it and the local cloud does not.
    Unsupported(String),
    NoEngine(EngineError),
    /// Another service of the cloud refused what this needs of it.
    Other(Fault),
    Store(StoreError),
}

impl From<StoreError> for CacheFault {
    fn from(error: StoreError) -> Self {
        CacheFault::Store(error)
    }
}

impl From<CacheFault> for Fault {
    fn from(fault: CacheFault) -> Self {
        match fault {
            CacheFault::NotFound(kind, name) => {
                let (code, status) = kind.not_found();
                Fault::new(code, format!("{kind} {name} not found.")).status(status)
            }
            CacheFault::AlreadyExists(kind, name) => {
                Fault::new(kind.already_exists(), format!("{kind} {name} already exists."))
            }
            CacheFault::InvalidState { group, status } => Fault::new(
                "InvalidReplicationGroupState",
                format!("Replication group {group} has status {status} which is not valid for this operation."),
            ),
            CacheFault::InUse(Kind::SubnetGroup, name) => Fault::new(
                "CacheSubnetGroupInUse",
                format!("Cache subnet group {name} is currently in use by a cache cluster."),
            ),
            CacheFault::InUse(_, name) => Fault::new(
                "InvalidCacheParameterGroupState",
                format!(
                    "One or more cache clusters are still members of this parameter group {name}, so the group cannot be deleted."
                ),
            ),
            CacheFault::InvalidValue(message) => Fault::new("InvalidParameterValue", message),
            CacheFault::Combination(message) => Fault::new("InvalidParameterCombination", message),
            CacheFault::InvalidArn(arn) => Fault::new("InvalidARN", format!("ARN '{arn}' is invalid.")),
            CacheFault::InvalidSubnet(message) => Fault::new("InvalidSubnet", message),
            CacheFault::TagNotFound(key) => Fault::new("TagNotFound", format!("Tag {key} not found.")).status(404),
            CacheFault::NoFailover => {
                Fault::new("TestFailoverNotAvailableFault", "TestFailover is not available in the local cloud.")
            }
            CacheFault::Unsupported(what) => Fault::unsupported(what),
            CacheFault::NoEngine(error) => {
                let remedies = error.remedies().join("; or ");
                Fault::new(
                    "InsufficientCacheClusterCapacity",
                    format!("The local cloud has {error}. Remedy: {remedies}"),
                )
            }
            CacheFault::Other(fault) => fault,
            CacheFault::Store(error) => error.into(),
        }
    }
}
