//! Running functions: pools of warm processes that speak the Runtime API.

mod api;
mod environment;
mod failure;
mod fleet;
mod log_lines;
mod log_stream;
mod memory;
mod output;
mod pool;
mod trace;
mod worker;

pub(super) use environment::assume;
pub(super) use fleet::{Fleet, Limits};
pub(super) use trace::Traced;

use std::sync::Arc;

use bytes::Bytes;

/// One call of a function.
#[derive(Clone, Debug)]
pub(super) struct Invocation {
    pub request_id: String,
    pub payload: Bytes,
    /// The ARN as the caller named the function, qualifier and all.
    pub arn: String,
    /// JSON text, as it came.
    pub client_context: Option<String>,
    /// Give back the end of the log.
    pub tail: bool,
    pub trace: Arc<Traced>,
}

/// What a call of a function came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub payload: Bytes,
    /// The function, or its process, failed; the payload says how.
    pub failed: bool,
    /// The last 4 KB of the log, if asked for.
    pub tail: Option<Vec<u8>>,
}
