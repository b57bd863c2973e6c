//! What Secrets Manager refuses, in AWS's codes and words. No message ever holds a secret's value.

use crate::fault::Fault;
use crate::store::StoreError;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.parts().1)]
pub(super) enum SecretFault {
    NotFound,
    /// No version has this stage.
    NoStage(String),
    NoVersion(String),
    AlreadyExists(String),
    TokenTaken {
        token: String,
        arn: String,
    },
    MarkedForDeletion,
    NameInDeletion,
    /// An AWS service owns the secret.
    Owned(String),
    InvalidName,
    InvalidParameter(String),
    InvalidRequest(String),
    InvalidNextToken,
    MalformedPolicy,
    PublicPolicy,
    Disk(String),
}

impl SecretFault {
    /// AWS's code and message.
    pub(super) fn parts(&self) -> (&'static str, String) {
        match self {
            SecretFault::NotFound => ("ResourceNotFoundException", "Secrets Manager can't find the specified secret.".into()),
            SecretFault::NoStage(stage) => (
                "ResourceNotFoundException",
                format!("Secrets Manager can't find the specified secret value for staging label: {stage}"),
            ),
            SecretFault::NoVersion(version) => (
                "ResourceNotFoundException",
                format!("Secrets Manager can't find the specified secret value for VersionId: {version}"),
            ),
            SecretFault::AlreadyExists(name) => {
                ("ResourceExistsException", format!("The operation failed because the secret {name} already exists."))
            }
            SecretFault::TokenTaken { token, arn } => (
                "ResourceExistsException",
                format!("You can't use ClientRequestToken {token} because that value is already in use for a version of secret {arn}."),
            ),
            SecretFault::MarkedForDeletion => (
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.".into(),
            ),
            SecretFault::NameInDeletion => (
                "InvalidRequestException",
                "You can't create this secret because a secret with this name is already scheduled for deletion.".into(),
            ),
            SecretFault::Owned(service) => (
                "InvalidRequestException",
                format!("You can't perform this operation on the secret because it is managed by the service {service}."),
            ),
            SecretFault::InvalidName => (
                "ValidationException",
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!".into(),
            ),
            SecretFault::InvalidParameter(message) => ("InvalidParameterException", message.clone()),
            SecretFault::InvalidRequest(message) => ("InvalidRequestException", message.clone()),
            SecretFault::InvalidNextToken => ("InvalidNextTokenException", "The NextToken value is invalid.".into()),
            SecretFault::MalformedPolicy => {
                ("MalformedPolicyDocumentException", "This resource policy contains a syntax error.".into())
            }
            SecretFault::PublicPolicy => (
                "PublicPolicyException",
                "You can't attach a resource policy that allows broad access to the secret while BlockPublicPolicy is on.".into(),
            ),
            SecretFault::Disk(cause) => ("InternalServiceError", cause.clone()),
        }
    }
}

impl From<SecretFault> for Fault {
    fn from(fault: SecretFault) -> Self {
        let (code, message) = fault.parts();
        Fault::new(code, message)
    }
}

impl From<StoreError> for SecretFault {
    fn from(error: StoreError) -> Self {
        SecretFault::Disk(error.to_string())
    }
}
