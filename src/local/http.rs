//! The listener: HTTP/1.1 on loopback, one task per connection, a drain with a limit at the end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::arriving::Arriving;
use super::guard::{self, Refusal};
use super::service::Body;
use super::socket;

/// How much of a request's head is read before hyper gives up; [`guard`] is stricter.
const HEAD_BUFFER: usize = 256 * 1024;
/// How long requests under way may take to finish when the cloud stops.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// How long a client may keep the listener waiting.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the rest of a request's head, and for the next request of a connection; then the connection is closed.
    pub head: Duration,
    /// For the next piece of a request's body; then the request fails.
    pub piece: Duration,
    /// For taking none of an answer; then the connection is closed.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { head: Duration::from_secs(30), piece: Duration::from_secs(20), answer: Duration::from_secs(120) }
    }
}

/// The other end of the connection; an extension of every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The HTTP body that holds `bytes`.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A plain JSON answer that is no AWS answer: the admin API's and the guard's.
pub fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full(format!("{value}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// Answers requests on `listener` with `handle` until `stop` turns true; then lets those under way finish.
pub async fn run<H, F>(listener: TcpListener, patience: Patience, mut stop: watch::Receiver<bool>, handle: H)
where
    H: Fn(Request<Arriving>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let closing = stop.clone();
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection((stream, peer), patience, closing, handle.clone()));
                }
                Err(error) => {
                    // Out of file descriptors: others must close theirs first, and a tight loop would not help them.
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = asked(&mut stop) => break,
        }
    }
    drop(listener);
    let drained = tokio::time::timeout(DRAIN_WITHIN, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(connections = connections.len(), "connections were cut at shutdown");
        connections.shutdown().await;
    }
}

/// Waits until the cloud is asked to stop.
async fn asked(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and the cloud with it.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn connection<H, F>(
    (mut stream, peer): (TcpStream, SocketAddr),
    patience: Patience,
    mut stop: watch::Receiver<bool>,
    handle: H,
) where
    H: Fn(Request<Arriving>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    socket::settle(&stream, patience.answer);
    match stream.local_addr() {
        Ok(local) if guard::same_user(peer, local).await => {}
        _ => {
            let body = format!("{}\n", Refusal::ForeignUser);
            let head = "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: ";
            let _ = stream.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes()).await;
            return;
        }
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let answer = handle(Arriving::of(request, patience.piece));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(HEAD_BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = asked(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended badly");
    }
}
