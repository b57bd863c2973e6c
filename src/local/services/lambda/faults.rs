//! What Lambda refuses, and AWS's code and words for it.

use crate::fault::Fault;
use crate::store::StoreError;

/// A refusal of Lambda.
#[derive(Debug)]
pub(super) enum LambdaFault {
    /// `arn:…:function:NAME[:QUALIFIER]` does not exist.
    NoFunction(String),
    NoAlias(String),
    NoPolicy,
    NoStatement(String),
    NoEventConfig(String),
    /// Something with that name is there already, in AWS's words.
    Exists(String),
    /// It is in use, or being changed, in AWS's words.
    Busy(String),
    Invalid(String),
    /// The revision that the client read is no longer the current one.
    StaleRevision,
    /// The payload of an invocation is not JSON.
    BadPayload(String),
    TooLarge(usize),
    /// No environment may be started for this call; with AWS's `Reason`.
    Throttled(&'static str),
    /// The function's resource policy does not let a service invoke it.
    NotPermitted {
        who: String,
        function: String,
    },
    /// AWS knows it and this local cloud does not.
    Unsupported(String),
    /// Another service's fault, passed on.
    Other(Fault),
    /// The disk or a child process failed.
    Internal(String),
}

impl LambdaFault {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        LambdaFault::Invalid(message.into())
    }

    pub(super) fn in_progress(arn: &str) -> Self {
        LambdaFault::Busy(format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
        ))
    }

    pub(super) fn unsupported(what: impl Into<String>) -> Self {
        LambdaFault::Unsupported(what.into())
    }
}

impl From<StoreError> for LambdaFault {
    fn from(error: StoreError) -> Self {
        LambdaFault::Internal(error.to_string())
    }
}

impl From<std::io::Error> for LambdaFault {
    fn from(error: std::io::Error) -> Self {
        LambdaFault::Internal(error.to_string())
    }
}

impl From<LambdaFault> for Fault {
    fn from(fault: LambdaFault) -> Self {
        let user = |fault: Fault| fault.member("Type", "User");
        match fault {
            LambdaFault::NoFunction(arn) => {
                user(Fault::new("ResourceNotFoundException", format!("Function not found: {arn}")).status(404))
            }
            LambdaFault::NoAlias(arn) => {
                user(Fault::new("ResourceNotFoundException", format!("Cannot find alias arn: {arn}")).status(404))
            }
            LambdaFault::NoPolicy => {
                user(Fault::new("ResourceNotFoundException", "The resource you requested does not exist.").status(404))
            }
            LambdaFault::NoStatement(id) => {
                let message = format!("Statement {id} is not found in resource policy.");
                user(Fault::new("ResourceNotFoundException", message).status(404))
            }
            LambdaFault::NoEventConfig(arn) => {
                let message = format!("The function {arn} doesn't have an EventInvokeConfig");
                user(Fault::new("ResourceNotFoundException", message).status(404))
            }
            LambdaFault::Exists(message) => user(Fault::new("ResourceConflictException", message).status(409)),
            // The same code as of what exists, and another matter to CloudFormation.
            LambdaFault::Busy(message) => {
                user(Fault::new("ResourceConflictException", message).status(409)).handler_code("ResourceConflict")
            }
            LambdaFault::Invalid(message) => user(Fault::new("InvalidParameterValueException", message).status(400)),
            LambdaFault::StaleRevision => {
                let message = "The Revision Id provided does not match the latest Revision Id. \
                               Call the GetFunction/GetAlias API to retrieve the latest Revision Id";
                user(Fault::new("PreconditionFailedException", message).status(412))
            }
            LambdaFault::BadPayload(why) => {
                let message =
                    format!("Could not parse request body into json: Could not parse payload into json: {why}");
                user(Fault::new("InvalidRequestContentException", message).status(400))
            }
            LambdaFault::TooLarge(limit) => {
                let message = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation");
                user(Fault::new("RequestTooLargeException", message).status(413))
            }
            LambdaFault::Throttled(reason) => {
                let fault = Fault::new("TooManyRequestsException", "Rate Exceeded.").status(429);
                user(fault.member("Reason", reason))
            }
            LambdaFault::NotPermitted { who, function } => {
                let message =
                    format!("{who} is not authorized to perform: lambda:InvokeFunction on resource: {function}");
                Fault::new("AccessDeniedException", message).status(403)
            }
            LambdaFault::Unsupported(what) => Fault::unsupported(what),
            LambdaFault::Other(fault) => fault,
            LambdaFault::Internal(message) => {
                Fault::new("ServiceException", message).status(500).member("Type", "Service")
            }
        }
    }
}
