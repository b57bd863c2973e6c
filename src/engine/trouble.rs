//! Why a stack could not be brought to where it should be.

use crate::aws::AwsError;
use std::fmt;

/// Why a stack could not be brought to where it should be.
#[derive(Debug)]
pub enum Trouble {
    Aws(AwsError),
    /// The first resource that failed; the next attempt may mend it.
    Resource(Failed),
    /// A resource that does not work, in a status that an update of its stack does not mend and that may last.
    Hopeless(Failed),
    /// CloudFormation refused the change before it began.
    Refused {
        reason: String,
    },
    /// The operation ended badly and no event says why.
    Ended {
        stack_id: String,
        status: String,
    },
    /// A value that the stack takes from elsewhere is not there.
    Unknown {
        parameter: String,
    },
    TimedOut {
        stack_id: String,
        after: u64,
        last: String,
    },
    /// The stack was made by somebody else.
    Foreign {
        name: String,
    },
}

/// A resource that failed, and why in AWS's words.
#[derive(Debug)]
pub struct Failed {
    pub stack_id: String,
    pub resource: String,
    pub kind: String,
    pub reason: String,
}

impl Trouble {
    pub fn stack_id(&self) -> Option<&str> {
        match self {
            Trouble::Resource(Failed { stack_id, .. })
            | Trouble::Hopeless(Failed { stack_id, .. })
            | Trouble::Ended { stack_id, .. }
            | Trouble::TimedOut { stack_id, .. } => Some(stack_id),
            Trouble::Aws(_) | Trouble::Refused { .. } | Trouble::Unknown { .. } | Trouble::Foreign { .. } => None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Aws(error) => error.fmt(f),
            Trouble::Resource(Failed { resource, kind, reason, .. })
            | Trouble::Hopeless(Failed { resource, kind, reason, .. }) => write!(f, "{resource} ({kind}): {reason}"),
            Trouble::Refused { reason } => write!(f, "CloudFormation refused the change: {reason}"),
            Trouble::Ended { status, .. } => write!(f, "the stack ended in {status}"),
            Trouble::Unknown { parameter } => write!(f, "nothing gives a value to parameter `{parameter}`"),
            Trouble::TimedOut { after, last, .. } => write!(f, "gave up after {after} s: {last}"),
            Trouble::Foreign { name } => {
                write!(f, "a stack called `{name}` is there, and its tags do not say that it is this lab's")
            }
        }
    }
}

impl std::error::Error for Trouble {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Trouble::Aws(error) => error.source(),
            _ => None,
        }
    }
}

impl From<AwsError> for Trouble {
    fn from(error: AwsError) -> Self {
        Trouble::Aws(error)
    }
}
