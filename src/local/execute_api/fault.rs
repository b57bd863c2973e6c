//! What the control planes refuse, and AWS's code and words for it.

use crate::fault::Fault;
use crate::scope::Scope;
use crate::store::StoreError;

/// A refusal.
#[derive(Debug)]
pub(crate) enum GatewayFault {
    NotFound(String),
    Conflict(String),
    Invalid(String),
    /// AWS knows it and this local cloud does not.
    Unsupported(String),
    Internal(String),
}

impl GatewayFault {
    /// `Invalid <thing> identifier specified`.
    pub(crate) fn missing(what: &str) -> Self {
        GatewayFault::NotFound(format!("Invalid {what} identifier specified"))
    }

    pub(crate) fn no_api(scope: &Scope, id: &str) -> Self {
        GatewayFault::NotFound(format!("Invalid API identifier specified {}:{id}", scope.account))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        GatewayFault::Invalid(message.into())
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        GatewayFault::Unsupported(what.into())
    }
}

impl From<StoreError> for GatewayFault {
    fn from(error: StoreError) -> Self {
        GatewayFault::Internal(error.to_string())
    }
}

impl From<GatewayFault> for Fault {
    fn from(fault: GatewayFault) -> Self {
        match fault {
            GatewayFault::NotFound(message) => Fault::new("NotFoundException", message).status(404),
            GatewayFault::Conflict(message) => Fault::new("ConflictException", message).status(409),
            GatewayFault::Invalid(message) => Fault::new("BadRequestException", message).status(400),
            GatewayFault::Unsupported(what) => Fault::unsupported(what),
            GatewayFault::Internal(message) => Fault::internal(message),
        }
    }
}
