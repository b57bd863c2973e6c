//! What CloudWatch Logs refuses, and AWS's code and words for it.

use crate::fault::Fault;
use crate::store::StoreError;

/// A refusal of CloudWatch Logs.
#[derive(Debug)]
pub(super) enum LogsFault {
    GroupExists,
    StreamExists,
    NoGroup,
    NoStream,
    NoResource,
    Protected,
    TooManyTags,
    /// A parameter that AWS refuses, in AWS's words.
    Invalid(String),
    /// AWS knows it and this local cloud does not.
    Unsupported(String),
    Disk(String),
}

impl LogsFault {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        LogsFault::Invalid(message.into())
    }
}

impl From<StoreError> for LogsFault {
    fn from(error: StoreError) -> Self {
        LogsFault::Disk(error.to_string())
    }
}

impl From<std::io::Error> for LogsFault {
    fn from(error: std::io::Error) -> Self {
        LogsFault::Disk(error.to_string())
    }
}

impl From<LogsFault> for Fault {
    fn from(fault: LogsFault) -> Self {
        match fault {
            LogsFault::GroupExists => {
                Fault::new("ResourceAlreadyExistsException", "The specified log group already exists")
            }
            LogsFault::StreamExists => {
                Fault::new("ResourceAlreadyExistsException", "The specified log stream already exists")
            }
            LogsFault::NoGroup => Fault::new("ResourceNotFoundException", "The specified log group does not exist."),
            LogsFault::NoStream => Fault::new("ResourceNotFoundException", "The specified log stream does not exist."),
            LogsFault::NoResource => Fault::new("ResourceNotFoundException", "The specified resource does not exist."),
            LogsFault::Protected => Fault::new(
                "ValidationException",
                "The log group has deletion protection enabled and cannot be deleted.",
            ),
            LogsFault::TooManyTags => Fault::new("TooManyTagsException", "A log group can have no more than 50 tags."),
            LogsFault::Invalid(message) => Fault::new("InvalidParameterException", message),
            LogsFault::Unsupported(what) => Fault::unsupported(what),
            LogsFault::Disk(message) => Fault::internal(message),
        }
    }
}
