//! The daemon that SDKs send to: documents as datagrams, and beside them, on the same port, the two operations of sampling over
//! plain HTTP. <https://docs.aws.amazon.com/xray/latest/devguide/xray-daemon.html>
//!
//! Who sends a datagram cannot be asked: any user of this machine may. So there is a bound on how much comes in, on what a trace
//! and all traces may hold, and nothing that comes in is ever run, asked for or sent on. The HTTP side answers this user alone.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::state::XRay;
use crate::call::{Call, Client};
use crate::fault::Fault;
use crate::guard;
use crate::http::json;
use crate::scope::Scope;
use crate::service::{Body, Service};
use crate::store;
use crate::wire::{codec, fault, model};

/// The longest datagram that there is.
const LONGEST_DATAGRAM: usize = 65_535;
/// How many bytes of datagrams a second are read; what is beyond waits in the kernel, or is lost there.
const BYTES_PER_SECOND: usize = 16 << 20;
/// How many documents one datagram may hold.
const MOST_DOCUMENTS: usize = 100;
/// UDP and TCP want the same port; so often another one is tried.
const TRIES: usize = 20;
/// The longest request about sampling: 25 documents.
const LONGEST_REQUEST: usize = 64 * 1024;
const HEAD_WITHIN: Duration = Duration::from_secs(30);
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// The requests that the daemon hands on, unsigned as they are.
const PATHS: [&str; 2] = ["/GetSamplingRules", "/SamplingTargets"];

/// A daemon of one region; ends when dropped.
pub(super) struct Daemon {
    pub address: SocketAddr,
    _listening: JoinSet<()>,
}

impl Daemon {
    /// Listens on loopback: on the port that it had before, which shells and programs may have been told, or on a free one.
    ///
    /// # Errors
    /// No port is free for both.
    pub(super) fn start(xray: &Arc<XRay>, region: &str) -> io::Result<Self> {
        let note = xray.daemon_note(region);
        let before = note.as_ref().and_then(|note| std::fs::read_to_string(note).ok()?.trim().parse().ok());
        let (datagrams, connections) = match before.map(on) {
            Some(Ok(bound)) => bound,
            _ => bind()?,
        };
        let address = datagrams.local_addr()?;
        if let Some(note) = note {
            store::replace(&note, address.port().to_string().as_bytes())?;
        }
        datagrams.set_nonblocking(true)?;
        connections.set_nonblocking(true)?;
        let (datagrams, connections) = (UdpSocket::from_std(datagrams)?, TcpListener::from_std(connections)?);
        let mut listening = JoinSet::new();
        let of = || (Arc::downgrade(xray), region.to_owned());
        listening.spawn(receive(datagrams, of()));
        listening.spawn(accept(connections, of()));
        tracing::info!(%address, region, "the X-Ray daemon listens");
        Ok(Daemon { address, _listening: listening })
    }
}

type Bound = (std::net::UdpSocket, std::net::TcpListener);

fn on(port: u16) -> io::Result<Bound> {
    let connections = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    Ok((std::net::UdpSocket::bind(connections.local_addr()?)?, connections))
}

fn bind() -> io::Result<Bound> {
    let mut last = io::Error::other("no port is free");
    for _ in 0..TRIES {
        match on(0) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn receive(socket: UdpSocket, (xray, region): (Weak<XRay>, String)) {
    let mut buffer = vec![0; LONGEST_DATAGRAM];
    let (mut since, mut read) = (Instant::now(), 0);
    loop {
        let length = match socket.recv_from(&mut buffer).await {
            Ok((length, _)) => length,
            Err(error) => {
                tracing::warn!(%error, "the X-Ray daemon cannot read a datagram");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(xray) = xray.upgrade() else { return };
        match documents(&buffer[..length]) {
            Ok(documents) => {
                let each = length / documents.len().max(1);
                documents.into_iter().for_each(|document| xray.intake.offer(&region, document, each));
            }
            Err(why) => xray.intake.refused(why),
        }
        drop(xray);
        if since.elapsed() > Duration::from_secs(1) {
            (since, read) = (Instant::now(), 0);
        }
        read += length;
        if read > BYTES_PER_SECOND {
            tokio::time::sleep(Duration::from_secs(1).saturating_sub(since.elapsed())).await;
        }
    }
}

/// A datagram: `{"format": "json", "version": 1}`, a new line, documents.
fn documents(datagram: &[u8]) -> Result<Vec<Value>, &'static str> {
    let end = datagram.iter().position(|byte| *byte == b'\n').ok_or("the datagram has no header")?;
    let (head, body) = datagram.split_at(end);
    let head: Value = serde_json::from_slice(head).map_err(|_| "the datagram's header is no JSON")?;
    if head["format"] != "json" || head["version"] != 1 {
        return Err("the datagram's header is not that of version 1");
    }
    let documents = serde_json::Deserializer::from_slice(body).into_iter::<Value>().take(MOST_DOCUMENTS);
    let documents: Vec<Value> = documents.collect::<Result<_, _>>().map_err(|_| "ParseError")?;
    if documents.is_empty() { Err("the datagram holds no document") } else { Ok(documents) }
}

async fn accept(listener: TcpListener, of: (Weak<XRay>, String)) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => { connections.spawn(serve((stream, peer), of.clone())); }
                Err(error) => {
                    tracing::error!(%error, "the X-Ray daemon cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn serve((stream, peer): (TcpStream, SocketAddr), (xray, region): (Weak<XRay>, String)) {
    let Ok(local) = stream.local_addr() else { return };
    if !guard::same_user(peer, local).await {
        return;
    }
    let service = service_fn(|request: Request<Incoming>| {
        let (xray, region) = (xray.upgrade(), region.clone());
        async move {
            Ok::<_, Infallible>(match xray {
                Some(xray) => answer(xray, &region, request).await,
                None => refused(StatusCode::SERVICE_UNAVAILABLE, "The local cloud is stopping."),
            })
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%peer, %error, "a connection to the X-Ray daemon ended badly");
    }
}

fn refused(status: StatusCode, message: &str) -> Response<Body> {
    json(status, &serde_json::json!({"message": message}))
}

async fn answer(xray: Arc<XRay>, region: &str, request: Request<Incoming>) -> Response<Body> {
    if let Err(refusal) = guard::check(request.uri(), request.headers()) {
        return refused(refusal.status(), &refusal.to_string());
    }
    if request.method() != Method::POST || !PATHS.contains(&request.uri().path()) {
        return refused(
            StatusCode::FORBIDDEN,
            "The daemon hands on GetSamplingRules and SamplingTargets, nothing else.",
        );
    }
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(BODY_WITHIN, Limited::new(body, LONGEST_REQUEST).collect()).await;
    let Ok(Ok(body)) = body else {
        return refused(StatusCode::BAD_REQUEST, "The request's body did not arrive whole.");
    };
    let request_id = xray.cloud.ids.uuid();
    let answered = operate(xray, region, (&head, &body.to_bytes()), &request_id).await;
    answered.unwrap_or_else(|refused| fault::answer(model::model("xray"), &refused, &request_id))
}

async fn operate(
    xray: Arc<XRay>,
    region: &str,
    (head, body): (&Parts, &Bytes),
    request_id: &str,
) -> Result<Response<Body>, Fault> {
    let model = model::model("xray").ok_or_else(|| Fault::internal("there is no model of X-Ray"))?;
    let asked = codec::asked(model, head, body)?;
    let operation = asked.operation;
    let (input, payload) = asked.input()?;
    let call = Call {
        service: "xray",
        operation: operation.name.to_owned(),
        input,
        body: payload,
        file: None,
        scope: Scope::root(region).as_service("xray.amazonaws.com"),
        request_id: request_id.to_owned(),
        trace: None,
        source: None,
        client: Client::default(),
    };
    let reply = xray.call(call).await?;
    codec::answer(model, operation, reply, request_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_datagram_is_a_header_and_documents() {
        let head = "{\"format\":\"json\",\"version\":1}\n";
        let read = |text: &str| documents(text.as_bytes());
        assert_eq!(read(&format!("{head}{{\"a\":1}}")), Ok(vec![json!({"a": 1})]));
        assert_eq!(read(&format!("{head}{{\"a\":1}}\n{{\"b\":2}}\n")).unwrap().len(), 2);
        for bad in ["", "{}", "{\"format\":\"xml\",\"version\":1}\n{}", head, &format!("{head}{{"), "no\n{}"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
