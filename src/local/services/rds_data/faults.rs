//! What the Data API refuses, and AWS's codes for it.

use crate::fault::Fault;

const SERVER_SHUTDOWN: u16 = 1053;
const CONNECTION_KILLED: u16 = 1927;

/// Why there is no transaction of an id, in AWS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// Too old, or never begun.
    Expired,
    /// Committed or rolled back.
    Ended,
    /// A statement of it was given up.
    Aborted,
}

impl Gone {
    const fn said(self) -> &'static str {
        match self {
            Gone::Expired => "Transaction may be expired.",
            Gone::Ended => "One previous call resulted in a termination of your transaction.",
            Gone::Aborted => "Transaction has been aborted due to an error from a previous call.",
        }
    }
}

/// Why a request fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum DataFault {
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    BadRequest(String),
    #[error("The DB cluster {0} doesn't have a DB instance.")]
    NoInstance(String),
    #[error("HttpEndpoint is not enabled for resource {0}")]
    NotEnabled(String),
    #[error("{0}")]
    State(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("The Aurora DB instance {0} is resuming after being auto-paused. Please wait a few seconds and try again.")]
    Resuming(String),
    #[error("{0}")]
    InvalidSecret(String),
    #[error("{0}")]
    Secrets(String),
    #[error("{0}")]
    Denied(String),
    #[error("Database error code: {code}. Message: {message}")]
    Database { code: u16, message: String },
    #[error("Transaction is still running a query")]
    Busy,
    #[error("Transaction {id} is not found. {}", .why.said())]
    TransactionNotFound { id: String, why: Gone },
    #[error("Request timed out")]
    Timeout { connection: u32 },
    #[error("Connection is not available, request timed out")]
    NoConnection,
    #[error("{0}")]
    Unsupported(String),
    #[error("{0}")]
    Other(Fault),
}

impl From<DataFault> for Fault {
    fn from(fault: DataFault) -> Self {
        let code = match &fault {
            // Not in the service model; it is what AWS answers.
            DataFault::Invalid(_) => "ValidationException",
            DataFault::BadRequest(_) => "BadRequestException",
            DataFault::NoInstance(_) => "DatabaseNotFoundException",
            DataFault::NotEnabled(_) => "HttpEndpointNotEnabledException",
            DataFault::State(_) => "InvalidResourceStateException",
            DataFault::Unavailable(_) => "DatabaseUnavailableException",
            DataFault::Resuming(_) => "DatabaseResumingException",
            DataFault::InvalidSecret(_) => "InvalidSecretException",
            DataFault::Secrets(_) => "SecretsErrorException",
            DataFault::Denied(_) => "AccessDeniedException",
            DataFault::Database { .. } | DataFault::Busy => "DatabaseErrorException",
            DataFault::TransactionNotFound { .. } => "TransactionNotFoundException",
            DataFault::Timeout { .. } | DataFault::NoConnection => "StatementTimeoutException",
            DataFault::Unsupported(_) => "UnsupportedResultException",
            DataFault::Other(_) => "InternalServerErrorException",
        };
        let message = fault.to_string();
        match fault {
            DataFault::Other(fault) => fault,
            DataFault::Timeout { connection } => Fault::new(code, message).member("dbConnectionId", connection),
            _ => Fault::new(code, message),
        }
    }
}

impl From<Fault> for DataFault {
    fn from(fault: Fault) -> Self {
        DataFault::Other(fault)
    }
}

impl From<mysql_async::Error> for DataFault {
    fn from(error: mysql_async::Error) -> Self {
        match error {
            // The engine is going away, or coming back.
            mysql_async::Error::Server(error) if matches!(error.code, SERVER_SHUTDOWN | CONNECTION_KILLED) => {
                DataFault::Unavailable(format!("Communications link failure: {}", error.message))
            }
            mysql_async::Error::Server(error) => DataFault::Database { code: error.code, message: error.message },
            other => DataFault::Unavailable(format!("Communications link failure: {other}")),
        }
    }
}
