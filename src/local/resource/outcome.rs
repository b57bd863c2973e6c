//! What a provider answers.

use serde_json::{Map, Value};

use crate::fault::Fault;

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

/// CloudFormation's handler codes with the errors of services that they stand for. Any other error is `InvalidRequest`.
const HANDLER_CODES: &[(&str, &[&str])] = &[
    (
        "AlreadyExists",
        &[
            "AlreadyExistsException",
            "BucketAlreadyExists",
            "BucketAlreadyOwnedByYou",
            "BucketPolicyAlreadyExists",
            "CacheClusterAlreadyExists",
            "CacheParameterGroupAlreadyExists",
            "CacheSubnetGroupAlreadyExists",
            "ConflictException",
            "DBClusterAlreadyExistsFault",
            "DBClusterRoleAlreadyExists",
            "DBInstanceAlreadyExists",
            "DBParameterGroupAlreadyExists",
            "DBSubnetGroupAlreadyExists",
            "EntityAlreadyExists",
            "InvalidGroup.Duplicate",
            "InvalidPermission.Duplicate",
            "ReplicationGroupAlreadyExists",
            "Resource.AlreadyAssociated",
            "ResourceAlreadyExistsException",
            "ResourceConflictException",
            "ResourceExistsException",
            "RouteAlreadyExists",
        ],
    ),
    (
        "NotFound",
        &[
            "CacheClusterNotFound",
            "CacheParameterGroupNotFound",
            "CacheSubnetGroupNotFoundFault",
            "ChangeSetNotFound",
            "DBClusterNotFoundFault",
            "DBClusterRoleNotFound",
            "DBInstanceNotFound",
            "DBParameterGroupNotFound",
            "DBSubnetGroupNotFoundFault",
            "DBClusterSnapshotNotFoundFault",
            "GlobalClusterNotFoundFault",
            "InvalidAssociationID.NotFound",
            "InvalidGroup.NotFound",
            "InvalidInstanceID.NotFound",
            "InvalidInternetGatewayID.NotFound",
            "InvalidNetworkAclID.NotFound",
            "InvalidNetworkInterfaceID.NotFound",
            "InvalidPermission.NotFound",
            "InvalidPrefixListID.NotFound",
            "InvalidRoute.NotFound",
            "InvalidRouteTableID.NotFound",
            "InvalidRouteTableId.NotFound",
            "InvalidSecurityGroupRuleId.NotFound",
            "InvalidSubnetID.NotFound",
            "InvalidVpcEndpoint.NotFound",
            "InvalidVpcEndpointId.NotFound",
            "InvalidVpcID.NotFound",
            "NoSuchBucket",
            "NoSuchBucketPolicy",
            "NoSuchCORSConfiguration",
            "NoSuchConfiguration",
            "NoSuchEntity",
            "NoSuchKey",
            "NoSuchLifecycleConfiguration",
            "NoSuchPublicAccessBlockConfiguration",
            "NoSuchTagSet",
            "NoSuchUpload",
            "NoSuchVersion",
            "NoSuchWebsiteConfiguration",
            "NotFoundException",
            "ObjectLockConfigurationNotFoundError",
            "OwnershipControlsNotFoundError",
            "ReplicationConfigurationNotFoundError",
            "ReplicationGroupNotFoundFault",
            "ResourceNotFoundException",
            "ServerSideEncryptionConfigurationNotFoundError",
            "TagNotFound",
            "TypeNotFoundException",
        ],
    ),
    (
        "ServiceLimitExceeded",
        &[
            "DBClusterQuotaExceededFault",
            "DBParameterGroupQuotaExceeded",
            "DBSubnetGroupQuotaExceeded",
            "InstanceQuotaExceeded",
            "InsufficientFreeAddressesInSubnet",
            "LimitExceeded",
            "LimitExceededException",
            "RulesPerSecurityGroupLimitExceeded",
            "TagLimitExceeded",
            "TooManyTagsException",
        ],
    ),
    ("Throttling", &["TooManyRequestsException"]),
    ("AccessDenied", &["AccessDenied"]),
    (
        "ServiceInternalError",
        &[
            "InternalError",
            "InternalFailure",
            "InternalServerErrorException",
            "InternalServiceError",
            "ServiceException",
        ],
    ),
    (
        "ResourceConflict",
        &[
            "BucketNotEmpty",
            "CacheSubnetGroupInUse",
            "DeleteConflict",
            "DependencyViolation",
            "InvalidCacheParameterGroupState",
            "InvalidDBClusterStateFault",
            "InvalidDBInstanceState",
            "InvalidDBParameterGroupState",
            "InvalidDBSubnetGroupStateFault",
            "InvalidIPAddress.InUse",
            "InvalidReplicationGroupState",
        ],
    ),
];

impl From<Fault> for ResourceFault {
    fn from(fault: Fault) -> Self {
        let known = HANDLER_CODES.iter().find(|(_, codes)| codes.contains(&fault.code.as_str()));
        let by_code = known.map_or("InvalidRequest", |(handler_code, _)| handler_code);
        ResourceFault { handler_code: fault.handler_code.unwrap_or(by_code), fault, made: None }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use regex::Regex;

    use super::*;

    #[test]
    fn an_error_has_the_handler_code_that_cloudformation_gives_it() {
        let cases = [
            ("ResourceExistsException", "AlreadyExists"),
            ("InvalidGroup.Duplicate", "AlreadyExists"),
            ("InvalidVpcID.NotFound", "NotFound"),
            ("NotFoundException", "NotFound"),
            ("DependencyViolation", "ResourceConflict"),
            ("InstanceQuotaExceeded", "ServiceLimitExceeded"),
            ("InternalFailure", "ServiceInternalError"),
            ("ValidationError", "InvalidRequest"),
            ("NotImplemented", "InvalidRequest"),
        ];
        for (code, handler_code) in cases {
            assert_eq!(ResourceFault::from(Fault::new(code, "")).handler_code, handler_code, "{code}");
        }
    }

    #[test]
    fn a_fault_that_says_what_it_is_to_cloudformation_is_believed() {
        let busy = Fault::new("ResourceConflictException", "").handler_code("ResourceConflict");
        assert_eq!(ResourceFault::from(busy).handler_code, "ResourceConflict");
    }

    /// What a service's code says of itself, in the services that provide resource types: that something is there already,
    /// that it is not, or that there are too many.
    #[test]
    fn no_error_of_a_service_is_left_out_that_says_what_it_is() {
        let telling =
            r#""(\w[\w.]*(?:AlreadyExists|NotFound|QuotaExceeded)\w*|(?:ResourceExists|NoSuch)\w+|\w+\.Duplicate)""#;
        let telling = Regex::new(telling).unwrap();
        let listed: BTreeSet<&str> = HANDLER_CODES.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
        let mut left_out = BTreeSet::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("services")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.ends_with("rds_data") {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let codes = telling.captures_iter(&text).map(|found| found[1].to_owned());
                    left_out.extend(codes.filter(|code| !listed.contains(code.as_str())));
                }
            }
        }
        assert_eq!(left_out, BTreeSet::new());
    }
}
