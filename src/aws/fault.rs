//! What AWS answered instead of success, with its code, message and request id as fields.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;
use std::fmt;

/// A request that did not succeed.
#[derive(Debug)]
pub enum AwsError {
    /// The service answered with an error.
    Fault { operation: &'static str, code: String, message: String, request_id: Option<String> },
    /// There was no answer: no connection, no credentials, a timeout.
    NoAnswer { operation: &'static str, source: Box<dyn Error + Send + Sync> },
    /// The answer lacks something that the API promises.
    Incomplete { operation: &'static str, missing: &'static str },
}

impl AwsError {
    /// For `map_err`: keeps code, message and request id of an SDK error.
    pub fn of<E>(operation: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        move |error| match error {
            SdkError::ServiceError(service) => {
                let meta = service.err().meta();
                // The answer to a HEAD has no body, and so no code.
                let status = || format!("HTTP {}", service.raw().status());
                AwsError::Fault {
                    operation,
                    code: meta.code().map_or_else(status, str::to_owned),
                    message: meta.message().unwrap_or_default().to_owned(),
                    request_id: meta.extra("aws_request_id").map(str::to_owned),
                }
            }
            other => AwsError::NoAnswer { operation, source: Box::new(Chain::of(&other)) },
        }
    }

    /// AWS's error code, where the service answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            AwsError::Fault { code, .. } => Some(code),
            AwsError::NoAnswer { .. } | AwsError::Incomplete { .. } => None,
        }
    }

    /// AWS's words, where the service answered.
    pub fn message(&self) -> Option<&str> {
        match self {
            AwsError::Fault { message, .. } => Some(message),
            AwsError::NoAnswer { .. } | AwsError::Incomplete { .. } => None,
        }
    }

    pub fn is(&self, wanted: &str) -> bool {
        self.code() == Some(wanted)
    }

    /// Nobody knows whether the service did what it was asked for: no answer came, or one that says no more than that something
    /// is wrong with the service.
    pub fn is_unclear(&self) -> bool {
        let of_service = |code: &str| {
            code.starts_with("HTTP 5")
                || ["InternalServerErrorException", "InternalFailure", "ServiceUnavailableError", "ServiceUnavailable"]
                    .contains(&code)
        };
        self.code().is_none_or(of_service)
    }

    /// The service refused to look at the request, since there are too many.
    pub fn is_throttled(&self) -> bool {
        const CODES: [&str; 5] =
            ["ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "HTTP 429"];
        self.code().is_some_and(|code| CODES.contains(&code))
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AwsError::Fault { operation, code, message, request_id } => {
                write!(f, "{operation} answered {code}: {message}")?;
                request_id.iter().try_for_each(|id| write!(f, " (request {id})"))
            }
            AwsError::NoAnswer { operation, .. } => write!(f, "{operation} got no answer"),
            AwsError::Incomplete { operation, missing } => write!(f, "{operation} answered without `{missing}`"),
        }
    }
}

impl Error for AwsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            AwsError::NoAnswer { source, .. } => Some(source.as_ref()),
            AwsError::Fault { .. } | AwsError::Incomplete { .. } => None,
        }
    }
}

/// The innermost causes of an SDK error, told once: its own outer layers only say "dispatch failure".
#[derive(Debug)]
struct Chain(String);

impl Chain {
    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut told: Vec<String> = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !told.contains(&text) {
                told.push(text);
            }
            next = cause.source();
        }
        if told.is_empty() {
            told.push(error.to_string());
        }
        Chain(told.join(": "))
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Chain {}
