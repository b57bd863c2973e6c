//! In whose name and where a call runs: account, region, caller.

use serde::{Deserialize, Serialize};

/// The one account of the local cloud.
pub const ACCOUNT: &str = "000000000000";
/// CloudFormation as a caller: it makes things for the owner of a stack.
pub const CLOUDFORMATION: &str = "cloudformation.amazonaws.com";
/// Where nothing names a region.
pub const DEFAULT_REGION: &str = "us-east-1";
/// The partition in every ARN.
pub const PARTITION: &str = "aws";

/// Account, region and caller of one request; carried along when a service calls another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    pub account: String,
    pub region: String,
    pub caller: Caller,
}

/// Who signed the request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Caller {
    /// The home's own key: may do everything.
    Root,
    /// An IAM user with an access key of their own.
    User { name: String, arn: String },
    /// A session of an assumed role. `arn` is `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    Role { role_arn: String, arn: String },
    /// An AWS service acting for itself, such as `apigateway.amazonaws.com`.
    Service { principal: String },
    /// Nobody signed: public objects, API Gateway's data plane.
    Anonymous,
}

impl Scope {
    /// The root user in `region`.
    pub fn root(region: impl Into<String>) -> Self {
        Scope { account: ACCOUNT.into(), region: region.into(), caller: Caller::Root }
    }

    /// The same account and region, acting as an AWS service.
    #[must_use]
    pub fn as_service(&self, principal: &str) -> Self {
        Scope { caller: Caller::Service { principal: principal.into() }, ..self.clone() }
    }

    /// `arn:aws:<service>:<region>:<account>:<resource>`.
    pub fn arn(&self, service: &str, resource: impl AsRef<str>) -> String {
        format!("arn:{PARTITION}:{service}:{}:{}:{}", self.region, self.account, resource.as_ref())
    }

    /// The ARN form of services without regions: `arn:aws:<service>::<account>:<resource>`.
    pub fn global_arn(&self, service: &str, resource: impl AsRef<str>) -> String {
        format!("arn:{PARTITION}:{service}::{}:{}", self.account, resource.as_ref())
    }
}
