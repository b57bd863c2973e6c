//! What X-Ray refuses, in AWS's codes.

use crate::fault::Fault;
use crate::store::StoreError;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.parts().1)]
pub(super) enum XRayFault {
    Invalid(String),
    /// A filter expression that cannot be read: what is wrong with it.
    Filter(String),
    NoGroup,
    GroupExists(String),
    NoRule,
    RuleExists(String),
    RuleLimit,
    NoResource(String),
    TooManyTags,
    Unsupported(String),
    Disk(String),
}

impl XRayFault {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        XRayFault::Invalid(message.into())
    }

    fn parts(&self) -> (&'static str, String) {
        const INVALID: &str = "InvalidRequestException";
        match self {
            XRayFault::Invalid(message) => (INVALID, message.clone()),
            XRayFault::Filter(why) => (INVALID, format!("Invalid filter expression: {why}")),
            XRayFault::NoGroup => (INVALID, "Group not found".into()),
            XRayFault::GroupExists(name) => (INVALID, format!("A group with the name {name} already exists.")),
            XRayFault::NoRule => (INVALID, "Sampling rule does not exist.".into()),
            XRayFault::RuleExists(name) => (INVALID, format!("A sampling rule with the name {name} already exists.")),
            XRayFault::RuleLimit => {
                ("RuleLimitExceededException", "You have reached the maximum number of sampling rules.".into())
            }
            XRayFault::NoResource(arn) => ("ResourceNotFoundException", format!("The resource {arn} was not found.")),
            XRayFault::TooManyTags => {
                ("TooManyTagsException", "A resource can have at most 50 tags that its owner gave it.".into())
            }
            XRayFault::Unsupported(what) => ("NotImplemented", what.clone()),
            XRayFault::Disk(why) => ("InternalFailure", why.clone()),
        }
    }
}

impl From<StoreError> for XRayFault {
    fn from(error: StoreError) -> Self {
        XRayFault::Disk(error.to_string())
    }
}

impl From<XRayFault> for Fault {
    fn from(fault: XRayFault) -> Self {
        let (code, message) = fault.parts();
        match &fault {
            XRayFault::Unsupported(what) => Fault::unsupported(what),
            XRayFault::Disk(why) => Fault::internal(why),
            XRayFault::NoGroup | XRayFault::NoRule => Fault::new(code, message).handler_code("NotFound"),
            XRayFault::GroupExists(_) | XRayFault::RuleExists(_) => {
                Fault::new(code, message).handler_code("AlreadyExists")
            }
            _ => Fault::new(code, message),
        }
    }
}
