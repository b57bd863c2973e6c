//! What the control plane refuses, and AWS's codes for it.

use super::ops::quotas::Quota;
use crate::fault::Fault;
use crate::store::StoreError;

/// Why an operation is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum RdsFault {
    #[error("DBCluster {0} not found.")]
    ClusterNotFound(String),
    #[error("DB Cluster already exists")]
    ClusterExists,
    #[error("{0}")]
    ClusterState(String),
    #[error("DBInstance {0} not found.")]
    InstanceNotFound(String),
    #[error("DB instance already exists")]
    InstanceExists,
    #[error("{0}")]
    InstanceState(String),
    #[error("DB subnet group '{0}' does not exist.")]
    SubnetGroupNotFound(String),
    #[error("The DB subnet group '{0}' already exists.")]
    SubnetGroupExists(String),
    #[error("Cannot delete the subnet group '{0}' because at least one database instance: {1} is still using it.")]
    SubnetGroupInUse(String, String),
    #[error(
        "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: {0}. Add subnets to cover at least 2 AZs."
    )]
    TooFewZones(String),
    #[error("{0}")]
    InvalidSubnet(String),
    #[error("{kind} not found: {name}")]
    ParameterGroupNotFound { kind: &'static str, name: String },
    #[error("Parameter group {0} already exists")]
    ParameterGroupExists(String),
    #[error("{0}")]
    ParameterGroupState(String),
    #[error("The IAM role ARN value {0} is already associated with the DB cluster.")]
    RoleExists(String),
    #[error("The IAM role ARN value {0} is not associated with the DB cluster.")]
    RoleNotFound(String),
    #[error("{0}")]
    InvalidValue(String),
    #[error("{0}")]
    InvalidCombination(String),
    #[error("You have reached the quota of {} in this region: take some away first", .0.name())]
    QuotaExceeded(Quota),
    /// Another service's answer, or our own failure.
    #[error("{0}")]
    Other(Fault),
}

impl RdsFault {
    fn code(&self) -> &'static str {
        match self {
            RdsFault::ClusterNotFound(_) => "DBClusterNotFoundFault",
            RdsFault::ClusterExists => "DBClusterAlreadyExistsFault",
            RdsFault::ClusterState(_) => "InvalidDBClusterStateFault",
            RdsFault::InstanceNotFound(_) => "DBInstanceNotFound",
            RdsFault::InstanceExists => "DBInstanceAlreadyExists",
            RdsFault::InstanceState(_) => "InvalidDBInstanceState",
            RdsFault::SubnetGroupNotFound(_) => "DBSubnetGroupNotFoundFault",
            RdsFault::SubnetGroupExists(_) => "DBSubnetGroupAlreadyExists",
            RdsFault::SubnetGroupInUse(..) => "InvalidDBSubnetGroupStateFault",
            RdsFault::TooFewZones(_) => "DBSubnetGroupDoesNotCoverEnoughAZs",
            RdsFault::InvalidSubnet(_) => "InvalidSubnet",
            RdsFault::ParameterGroupNotFound { .. } => "DBParameterGroupNotFound",
            RdsFault::ParameterGroupExists(_) => "DBParameterGroupAlreadyExists",
            RdsFault::ParameterGroupState(_) => "InvalidDBParameterGroupState",
            RdsFault::RoleExists(_) => "DBClusterRoleAlreadyExists",
            RdsFault::RoleNotFound(_) => "DBClusterRoleNotFound",
            RdsFault::QuotaExceeded(Quota::Clusters) => "DBClusterQuotaExceededFault",
            RdsFault::QuotaExceeded(Quota::Instances) => "InstanceQuotaExceeded",
            RdsFault::QuotaExceeded(Quota::SubnetGroups) => "DBSubnetGroupQuotaExceeded",
            RdsFault::QuotaExceeded(Quota::ClusterParameterGroups | Quota::ParameterGroups) => {
                "DBParameterGroupQuotaExceeded"
            }
            RdsFault::InvalidValue(_) => "InvalidParameterValue",
            RdsFault::InvalidCombination(_) => "InvalidParameterCombination",
            RdsFault::Other(_) => "InternalFailure",
        }
    }
}

impl From<RdsFault> for Fault {
    fn from(fault: RdsFault) -> Self {
        match fault {
            RdsFault::Other(fault) => fault,
            own => Fault::new(own.code(), own.to_string()),
        }
    }
}

impl From<Fault> for RdsFault {
    fn from(fault: Fault) -> Self {
        RdsFault::Other(fault)
    }
}

impl From<StoreError> for RdsFault {
    fn from(error: StoreError) -> Self {
        RdsFault::Other(error.into())
    }
}

impl From<super::cluster::ClusterError> for RdsFault {
    fn from(error: super::cluster::ClusterError) -> Self {
        RdsFault::Other(Fault::internal(error))
    }
}
