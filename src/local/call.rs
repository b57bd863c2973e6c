//! One AWS operation call, free of any wire protocol.

use std::path::PathBuf;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

use super::scope::Scope;
use super::tracer::TraceHeader;

/// A request to one operation of one service.
///
/// `input` has the member names of the AWS service model. Timestamps are numbers (seconds since the epoch, fractions
/// allowed), blobs are base64 text; a member that *is* the HTTP payload (Lambda's `Payload`, S3's `Body`) travels in `body`.
#[derive(Clone, Debug)]
pub struct Call {
    /// The service's name as in [`super::service::Service::name`], such as `rds-data`.
    pub service: &'static str,
    /// The operation's name in the service model, such as `ExecuteStatement`.
    pub operation: String,
    pub input: Value,
    pub body: Bytes,
    /// In place of `body`: a file inside the home that the service takes over. Only callers inside the process set it.
    pub file: Option<PathBuf>,
    pub scope: Scope,
    /// The request id that the client will see.
    pub request_id: String,
    /// The trace that the caller is in.
    pub trace: Option<TraceHeader>,
    /// The ARN of what an AWS service calls for, a stage and method of API Gateway's say: a policy's `aws:SourceArn`.
    pub source: Option<String>,
    /// Who waits for the answer.
    pub client: Client,
}

/// Who waits for the answer of a call. What was begun is done although they are gone; what only waits can end with them.
#[derive(Clone, Debug, Default)]
pub struct Client(Option<watch::Receiver<()>>);

/// As long as it is there, so is the client.
pub(crate) struct Here(#[expect(dead_code, reason = "its end is what is heard of")] watch::Sender<()>);

impl Client {
    /// One that may go. The default one, a part of this cloud, never does.
    pub(crate) fn new() -> (Here, Client) {
        let (here, client) = watch::channel(());
        (Here(here), Client(Some(client)))
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.0.as_ref().is_some_and(|client| client.has_changed().is_err())
    }

    /// Waits until the client is gone.
    pub(crate) async fn gone(&self) {
        match self.0.clone() {
            Some(mut client) => while client.changed().await.is_ok() {},
            None => std::future::pending().await,
        }
    }
}

/// The answer of an operation, in the same terms as [`Call`].
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub output: Value,
    /// The member that is the HTTP payload, if the operation has one.
    pub body: Bytes,
    /// In place of `body`: a file that holds it. Set by S3's `GetObject` for callers inside the process, which read it in place.
    pub file: Option<PathBuf>,
    /// The HTTP status, where the model leaves the choice (Lambda's `Invoke`).
    pub status: Option<u16>,
}

impl From<Value> for Reply {
    fn from(output: Value) -> Self {
        Reply { output, ..Reply::default() }
    }
}
