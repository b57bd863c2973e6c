//! An AWS error, free of any wire protocol.

use std::fmt;

use serde_json::{Map, Value};

/// What an operation answers when it refuses or fails. `wire::fault` turns it into bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The error's code as clients see it, such as `DBClusterNotFoundFault` or `ValidationError`.
    pub code: String,
    pub message: String,
    /// The HTTP status. `None`: the one that the service model gives the code, else 400.
    pub status: Option<u16>,
    /// Further members of the error's shape (`dbConnectionId`, `Reason`, …).
    pub members: Map<String, Value>,
    /// What it is to CloudFormation (`ResourceConflict`), where a service gives one code to several faults.
    pub handler_code: Option<&'static str>,
}

impl Fault {
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Fault { code: code.into(), message: message.into(), status: None, members: Map::new(), handler_code: None }
    }

    #[must_use]
    pub fn handler_code(self, handler_code: &'static str) -> Self {
        Fault { handler_code: Some(handler_code), ..self }
    }

    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The operation exists on AWS and not here. The message names it.
    pub fn unsupported_operation(service: &str, operation: &str) -> Self {
        Fault::new(
            "NotImplemented",
            format!("The local cloud does not support the operation {operation} of {service}. Supported operations: docs/reference/local.md"),
        )
        .status(501)
    }

    /// The parameter or value exists on AWS and not here. `what` names it, such as `CreateDBCluster.GlobalClusterIdentifier`.
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Fault::new("NotImplemented", format!("The local cloud does not support {what}.")).status(501)
    }

    /// Our own failure (disk, child process): the cause is in the message, never a secret.
    pub fn internal(message: impl fmt::Display) -> Self {
        Fault::new("InternalFailure", message.to_string()).status(500)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}
