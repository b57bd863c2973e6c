//! The Lambda Runtime API, one listener for each process: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;

use super::Invocation;
use crate::guard;

/// "Invocation payload (request and response): 6 MB", with the room that Lambda gives the envelope.
pub(super) const MOST_RESPONSE: usize = 6_291_556;
const PREFIX: &str = "/2018-06-01/runtime/";

/// An invocation on its way to the process.
pub(super) struct Job {
    pub invocation: Invocation,
    pub deadline_ms: i64,
    pub trace_id: String,
    pub done: oneshot::Sender<Answer>,
}

/// What the process said to an invocation.
pub(super) enum Answer {
    Response(Bytes),
    Error { body: Bytes, kind: String },
    TooLarge,
}

/// How far the process has come with its start.
#[derive(Clone, Debug)]
pub(super) enum Init {
    Starting,
    /// It has asked for its first invocation.
    Ready,
    Failed {
        body: Bytes,
        kind: String,
    },
}

/// The meeting place of a process and those who have work for it.
pub(super) struct Slot {
    desk: Mutex<Desk>,
    work: Notify,
    /// For who watches the process only while it works.
    given: Notify,
    init: watch::Sender<Init>,
}

#[derive(Default)]
struct Desk {
    waiting: Option<Job>,
    running: Option<(String, oneshot::Sender<Answer>)>,
}

impl Slot {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Slot {
            desk: Mutex::default(),
            work: Notify::new(),
            given: Notify::new(),
            init: watch::Sender::new(Init::Starting),
        })
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn init(&self) -> watch::Receiver<Init> {
        self.init.subscribe()
    }

    /// Lays work on the desk; the process takes it with its next request.
    pub(super) fn give(&self, job: Job) {
        self.desk().waiting = Some(job);
        self.work.notify_one();
        self.given.notify_one();
    }

    /// Returns at once while the process starts or has work; else when it is given some.
    pub(super) async fn busy(&self) {
        let idle = || {
            let desk = self.desk();
            desk.waiting.is_none() && desk.running.is_none()
        };
        if matches!(*self.init.borrow(), Init::Ready) && idle() {
            self.given.notified().await;
        }
    }

    /// Takes work back that the process never fetched.
    pub(super) fn take_back(&self) -> Option<Job> {
        self.desk().waiting.take()
    }

    /// Gives up the running invocation; the process can no longer answer it.
    pub(super) fn forget(&self) {
        self.desk().running = None;
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        self.init.send_replace(Init::Ready);
        if self.desk().running.is_some() {
            return refused(
                StatusCode::FORBIDDEN,
                "InvalidStateTransition",
                "The running invocation has no answer yet",
            );
        }
        loop {
            if let Some(job) = self.take() {
                return job;
            }
            self.work.notified().await;
        }
    }

    fn take(&self) -> Option<Response<Full<Bytes>>> {
        let mut desk = self.desk();
        let job = desk.waiting.take()?;
        let response = deliver(&job);
        desk.running = Some((job.invocation.request_id, job.done));
        Some(response)
    }

    fn finish(&self, id: &str, answer: Answer) -> Response<Full<Bytes>> {
        let too_large = matches!(answer, Answer::TooLarge);
        let mut desk = self.desk();
        match desk.running.take_if(|(running, _)| running == id) {
            None => refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
            Some((_, done)) => {
                // The caller may have given up meanwhile.
                let _ = done.send(answer);
                if too_large {
                    let why = format!("Exceeded maximum allowed payload size ({MOST_RESPONSE} bytes).");
                    return refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &why);
                }
                accepted()
            }
        }
    }

    fn fail_init(&self, body: Bytes, kind: String) -> Response<Full<Bytes>> {
        let starting = self.init.send_if_modified(|init| {
            let starting = matches!(init, Init::Starting);
            if starting {
                *init = Init::Failed { body, kind };
            }
            starting
        });
        match starting {
            true => accepted(),
            false => refused(StatusCode::FORBIDDEN, "InvalidStateTransition", "The initialisation is over"),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let Some(path) = head.uri.path().strip_prefix(PREFIX) else { return not_found() };
        if head.method == Method::GET {
            return if path == "invocation/next" { self.next().await } else { not_found() };
        }
        if head.method != Method::POST {
            return not_found();
        }
        let kind = head.headers.get("lambda-runtime-function-error-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or("Runtime.Unknown").to_owned();
        let body = match Limited::new(body, MOST_RESPONSE).collect().await {
            Ok(body) => Some(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => None,
            Err(_) => return refused(StatusCode::BAD_REQUEST, "InvalidRequest", "The request's body was cut"),
        };
        match (path.split('/').collect::<Vec<_>>().as_slice(), body) {
            (["init", "error"], body) => self.fail_init(body.unwrap_or_default(), kind),
            (["invocation", id, "response"], Some(body)) => self.finish(id, Answer::Response(body)),
            (["invocation", id, "error"], Some(body)) => self.finish(id, Answer::Error { body, kind }),
            (["invocation", id, "response" | "error"], None) => self.finish(id, Answer::TooLarge),
            _ => not_found(),
        }
    }
}

fn deliver(job: &Job) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(job.invocation.payload.clone()));
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &str| {
        // What cannot stand in a header (a control character in a client context) is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("content-type", "application/json");
    set("lambda-runtime-aws-request-id", &job.invocation.request_id);
    set("lambda-runtime-deadline-ms", &job.deadline_ms.to_string());
    set("lambda-runtime-invoked-function-arn", &job.invocation.arn);
    set("lambda-runtime-trace-id", &job.trace_id);
    if let Some(context) = &job.invocation.client_context {
        set("lambda-runtime-client-context", context);
    }
    response
}

fn with_status(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn accepted() -> Response<Full<Bytes>> {
    with_status(StatusCode::ACCEPTED, json!({"status": "OK"}).to_string())
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    with_status(status, json!({"errorMessage": message, "errorType": kind}).to_string())
}

fn not_found() -> Response<Full<Bytes>> {
    with_status(StatusCode::NOT_FOUND, "404 page not found".into())
}

/// Serves one process; ends when dropped.
pub(super) struct Server {
    pub address: SocketAddr,
    _serving: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(slot: Arc<Slot>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, slot));
        Ok(Server { address, _serving: serving })
    }
}

async fn accept(listener: TcpListener, slot: Arc<Slot>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => { connections.spawn(serve(stream, peer, slot.clone())); }
                Err(error) => {
                    tracing::error!(%error, "the Runtime API cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, slot: Arc<Slot>) {
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    if !guard::same_user(peer, local).await {
        return;
    }
    let service = service_fn(|request| {
        let slot = &slot;
        async move { Ok::<_, Infallible>(slot.answer(request).await) }
    });
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%peer, %error, "a connection to the Runtime API ended badly");
    }
}
