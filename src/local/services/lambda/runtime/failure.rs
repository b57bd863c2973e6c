//! How a function's process can fail, and the payload that tells the caller.

use std::process::ExitStatus;

use bytes::Bytes;
use serde_json::json;

use crate::fault::Fault;

/// Why an environment did not start, or an invocation did not end by itself.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// There is no `bootstrap` that could be started.
    Entrypoint(String),
    Exited(ExitStatus),
    OutOfMemory,
    /// The function reported an error: its body and error type.
    Reported {
        body: Bytes,
        kind: String,
    },
    TimedOut {
        seconds: f64,
    },
    InitTimedOut,
    ResponseTooLarge(usize),
    /// The function's role cannot be assumed, or the cloud itself failed.
    Fault(Fault),
}

impl Failure {
    /// Lambda's name of the error.
    pub(super) fn kind(&self) -> &str {
        match self {
            Failure::Entrypoint(_) => "Runtime.InvalidEntrypoint",
            Failure::Exited(_) => "Runtime.ExitError",
            Failure::OutOfMemory => "Runtime.OutOfMemory",
            Failure::Reported { kind, .. } => kind,
            Failure::TimedOut { .. } | Failure::InitTimedOut => "Sandbox.Timedout",
            Failure::ResponseTooLarge(_) => "Function.ResponseSizeTooLarge",
            Failure::Fault(fault) => &fault.code,
        }
    }

    fn message(&self) -> String {
        match self {
            Failure::Entrypoint(why) => why.clone(),
            Failure::Exited(status) if status.success() => "Runtime exited without providing a reason".into(),
            Failure::Exited(status) => format!("Runtime exited with error: {}", status_text(*status)),
            Failure::OutOfMemory => "Runtime exited with error: signal: killed".into(),
            Failure::Reported { .. } => "Unknown application error occurred".into(),
            Failure::TimedOut { seconds } => format!("Task timed out after {seconds:.2} seconds"),
            Failure::InitTimedOut => "Task timed out after 10.00 seconds".into(),
            Failure::ResponseTooLarge(most) => {
                format!("Response payload size exceeded maximum allowed payload size ({most} bytes).")
            }
            Failure::Fault(fault) => fault.message.clone(),
        }
    }

    /// The payload that the caller of `request_id` gets.
    pub(super) fn payload(&self, request_id: &str) -> Bytes {
        match self {
            Failure::Reported { body, .. } if !body.is_empty() => body.clone(),
            Failure::ResponseTooLarge(_) => {
                json!({"errorMessage": self.message(), "errorType": self.kind()}).to_string().into()
            }
            _ => {
                let message = format!("RequestId: {request_id} Error: {}", self.message());
                json!({"errorType": self.kind(), "errorMessage": message}).to_string().into()
            }
        }
    }

    /// What the log says, besides the lines of the invocation; nothing for what the function reported by itself.
    pub(super) fn log_line(&self, request_id: &str, now: &str) -> Option<String> {
        match self {
            Failure::Reported { .. } | Failure::Fault(_) => None,
            Failure::TimedOut { .. } => Some(format!("{now} {request_id} {}", self.message())),
            _ => Some(format!("RequestId: {request_id} Error: {}\n{}", self.message(), self.kind())),
        }
    }

    /// `Status:` of the REPORT line.
    pub(super) fn status(&self) -> &'static str {
        match self {
            Failure::TimedOut { .. } | Failure::InitTimedOut => "timeout",
            _ => "error",
        }
    }
}

fn status_text(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    let names = [(6, "aborted"), (9, "killed"), (11, "segmentation fault"), (15, "terminated")];
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => match names.iter().find(|(number, _)| *number == signal) {
            Some((_, name)) => format!("signal: {name}"),
            None => format!("signal: {signal}"),
        },
        (None, None) => "unknown".into(),
    }
}
