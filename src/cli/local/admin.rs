//! The client of the admin API, and the end of a local cloud.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::error::Failure;
use crate::local::Found;

/// Why the admin API did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    #[error("cannot reach {url}")]
    Unreachable { url: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("{url} did not answer within {} s", within.as_secs())]
    Silent { url: String, within: Duration },
    #[error("{url} answered {status}: {message}")]
    Refused { url: String, status: u16, message: String },
}

/// Sends one request to the admin API of `found`.
pub(super) async fn ask(found: &Found, method: Method, path: &str, within: Duration) -> Result<Value, AdminError> {
    tell(found, method, path, &Value::Null, within).await
}

/// The same with a body, unless that is null.
pub(super) async fn tell(
    found: &Found,
    method: Method,
    path: &str,
    body: &Value,
    within: Duration,
) -> Result<Value, AdminError> {
    let url = format!("{}/_labctl/{path}", found.endpoint);
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let exchanged = tokio::time::timeout(within, exchange(method, &url, body)).await;
    let (status, body) = match exchanged {
        Ok(Ok(answer)) => answer,
        Ok(Err(source)) => return Err(AdminError::Unreachable { url, source }),
        Err(_) => return Err(AdminError::Silent { url, within }),
    };
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    if (200..300).contains(&status) {
        return Ok(value);
    }
    let message = value["message"].as_str().unwrap_or("no reason given").to_owned();
    Err(AdminError::Refused { url, status, message })
}

async fn exchange(
    method: Method,
    url: &str,
    body: Bytes,
) -> Result<(u16, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::builder().method(method).uri(url).body(Full::new(body))?;
    let response = client.request(request).await?;
    Ok((response.status().as_u16(), response.into_body().collect().await?.to_bytes()))
}

/// Does it answer, and is it the process that the note names?
pub(super) async fn is_healthy(found: &Found) -> bool {
    let status = ask(found, Method::GET, "status", Duration::from_secs(5)).await;
    status.is_ok_and(|status| status["pid"] == found.pid)
}

/// The local cloud that runs on `home`, if one does.
pub(super) fn find(home: &Path) -> Result<Option<Found>, Failure> {
    match Found::find(home) {
        Ok(found) => Ok(found),
        // A home below a file, or none: nothing can run there.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(Failure::usage(format!("cannot read the local cloud's directory {}", home.display()))
            .because(error)
            .hint(format!("name a directory of your own: export {}=/path/to/a/directory", crate::env::LABCTL_HOME))),
    }
}

/// Asks it to stop, waits until it has let go of its home, and ends it if it does not listen.
pub(super) async fn stop(home: &Path, found: &Found) -> Result<(), Failure> {
    let asked = ask(found, Method::POST, "stop", Duration::from_secs(5)).await;
    let pid = i32::try_from(found.pid).ok().and_then(Pid::from_raw);
    if let (Err(_), Some(pid)) = (&asked, pid) {
        let _ = kill_process(pid, Signal::TERM);
    }
    // A database flushes its pages before it ends.
    if gone(home, Duration::from_secs(60)).await? {
        return Ok(());
    }
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::KILL);
    }
    match gone(home, Duration::from_secs(10)).await? {
        true => Ok(()),
        false => Err(Failure::failed(format!("the local cloud does not stop: process {}", found.pid))
            .hint(format!("kill -9 {}", found.pid))),
    }
}

async fn gone(home: &Path, within: Duration) -> Result<bool, Failure> {
    let deadline = Instant::now() + within;
    while find(home)?.is_some() || !is_free(home) {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(true)
}

/// Has its process let go of the home? The note goes a moment before the lock.
fn is_free(home: &Path) -> bool {
    let Ok(lock) = std::fs::File::open(home.join("run/lock")) else { return true };
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockShared).is_ok()
}
