//! What the Data API refuses, and AWS's codes for it.

use crate::fault::Fault;

const SERVER_SHUTDOWN: u16 = 1053;
const CONNECTION_KILLED: u16 = 1927;

/// Why a request fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum DataFault {
    #[error("{0}")]
    BadRequest(String),
    #[error("The DB cluster {0} was not found.")]
    DatabaseNotFound(String),
    #[error("HttpEndpoint is not enabled for resource {0}")]
    NotEnabled(String),
    #[error("{0}")]
    State(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    InvalidSecret(String),
    #[error("{0}")]
    Secrets(String),
    #[error("Database error code: {code}. Message: {message}")]
    Database { code: u16, message: String },
    #[error("Transaction {0} is not found")]
    TransactionNotFound(String),
    #[error("Request timed out")]
    Timeout { connection: u32 },
    #[error("{0}")]
    Unsupported(String),
    #[error("{0}")]
    Other(Fault),
}

impl From<DataFault> for Fault {
    fn from(fault: DataFault) -> Self {
        let code = match &fault {
            DataFault::BadRequest(_) => "BadRequestException",
            DataFault::DatabaseNotFound(_) => "DatabaseNotFoundException",
            DataFault::NotEnabled(_) => "HttpEndpointNotEnabledException",
            DataFault::State(_) => "InvalidResourceStateException",
            DataFault::Unavailable(_) => "DatabaseUnavailableException",
            DataFault::InvalidSecret(_) => "InvalidSecretException",
            DataFault::Secrets(_) => "SecretsErrorException",
            DataFault::Database { .. } => "DatabaseErrorException",
            DataFault::TransactionNotFound(_) => "TransactionNotFoundException",
            DataFault::Timeout { .. } => "StatementTimeoutException",
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
