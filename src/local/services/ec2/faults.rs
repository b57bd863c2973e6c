//! What EC2 refuses, in its own codes and words.

use std::fmt;

use crate::fault::Fault;
use crate::store::StoreError;

/// Kinds of things that have ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Vpc,
    Subnet,
    RouteTable,
    Association,
    InternetGateway,
    Endpoint,
    SecurityGroup,
    SecurityGroupRule,
    NetworkInterface,
    NetworkAcl,
    PrefixList,
    Zone,
    Region,
    Instance,
    Any,
}

impl Kind {
    const fn not_found(self) -> &'static str {
        match self {
            Kind::Vpc => "InvalidVpcID.NotFound",
            Kind::Subnet => "InvalidSubnetID.NotFound",
            Kind::RouteTable => "InvalidRouteTableID.NotFound",
            Kind::Association => "InvalidAssociationID.NotFound",
            Kind::InternetGateway => "InvalidInternetGatewayID.NotFound",
            Kind::Endpoint => "InvalidVpcEndpointId.NotFound",
            Kind::SecurityGroup => "InvalidGroup.NotFound",
            Kind::SecurityGroupRule => "InvalidSecurityGroupRuleId.NotFound",
            Kind::NetworkInterface => "InvalidNetworkInterfaceID.NotFound",
            Kind::NetworkAcl => "InvalidNetworkAclID.NotFound",
            Kind::PrefixList => "InvalidPrefixListID.NotFound",
            Kind::Zone | Kind::Region => "InvalidParameterValue",
            Kind::Instance => "InvalidInstanceID.NotFound",
            Kind::Any => "InvalidID",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Vpc => "vpc ID",
            Kind::Subnet => "subnet ID",
            Kind::RouteTable => "routeTable ID",
            Kind::Association => "association ID",
            Kind::InternetGateway => "internetGateway ID",
            Kind::Endpoint => "Vpc Endpoint Id",
            Kind::SecurityGroup => "security group",
            Kind::SecurityGroupRule => "security group rule ID",
            Kind::NetworkInterface => "networkInterface ID",
            Kind::NetworkAcl => "networkAcl ID",
            Kind::PrefixList => "prefix list ID",
            Kind::Zone => "zone",
            Kind::Region => "region",
            Kind::Instance => "instance ID",
            Kind::Any => "ID",
        })
    }
}

/// Why a request about the network was refused.
#[derive(Debug)]
pub(super) enum NetFault {
    DryRun,
    NotFound(Kind, String),
    /// Something still needs it.
    InUse(String),
    DuplicateRule(String),
    RuleNotFound,
    DuplicateGroup {
        name: String,
        vpc: String,
    },
    NoDefaultVpc,
    InvalidValue(String),
    MissingParameter(&'static str),
    Combination(String),
    /// A rule of its own: AWS's code and words.
    Refused(&'static str, String),
    /// AWS knows it and the local cloud does not.
    Unsupported(String),
    Store(StoreError),
}

impl From<StoreError> for NetFault {
    fn from(error: StoreError) -> Self {
        NetFault::Store(error)
    }
}

impl From<NetFault> for Fault {
    fn from(fault: NetFault) -> Self {
        match fault {
            NetFault::DryRun => {
                Fault::new("DryRunOperation", "Request would have succeeded, but DryRun flag is set.").status(412)
            }
            NetFault::NotFound(Kind::Zone, name) => {
                Fault::new("InvalidParameterValue", format!("Invalid availability zone: [{name}]"))
            }
            NetFault::NotFound(kind, id) => Fault::new(kind.not_found(), format!("The {kind} '{id}' does not exist")),
            NetFault::InUse(message) => Fault::new("DependencyViolation", message),
            NetFault::DuplicateRule(rule) => {
                Fault::new("InvalidPermission.Duplicate", format!("the specified rule \"{rule}\" already exists"))
            }
            NetFault::RuleNotFound => {
                Fault::new("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
            }
            NetFault::DuplicateGroup { name, vpc } => Fault::new(
                "InvalidGroup.Duplicate",
                format!("The security group '{name}' already exists for VPC '{vpc}'"),
            ),
            NetFault::NoDefaultVpc => Fault::new("VPCIdNotSpecified", "No default VPC for this user"),
            NetFault::InvalidValue(message) => Fault::new("InvalidParameterValue", message),
            NetFault::MissingParameter(name) => {
                Fault::new("MissingParameter", format!("The request must contain the parameter {name}"))
            }
            NetFault::Combination(message) => Fault::new("InvalidParameterCombination", message),
            NetFault::Refused(code, message) => Fault::new(code, message),
            NetFault::Unsupported(what) => Fault::unsupported(what),
            NetFault::Store(error) => error.into(),
        }
    }
}
