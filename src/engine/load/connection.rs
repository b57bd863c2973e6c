//! One HTTP/1.1 connection, driven by the task that uses it: no request crosses to another task and back.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::Uri;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::ConfigBuilderExt as _;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::engine::http::{HttpError, MAX_BODY};

/// Makes connections to one place.
pub(super) struct Dialer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There was no connection.
    Connect,
    /// The connection ended before the answer did.
    Broken,
    /// The answer is longer than API Gateway's can be.
    Large,
}

impl Trouble {
    /// The kind of error it is counted as.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Trouble::Connect => "connect",
            Trouble::Broken => "broken off",
            Trouble::Large => "answer too large",
        }
    }
}

impl Dialer {
    /// # Errors
    /// The address has no host, or the system's certificate authorities cannot be read.
    pub(super) fn to(uri: &Uri) -> Result<Self, HttpError> {
        let wrong = || HttpError::Address(uri.to_string());
        let host = uri.host().ok_or_else(wrong)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match uri.scheme_str() {
            Some("http") => None,
            Some("https") => Some((tls()?, ServerName::try_from(host.clone()).map_err(|_| wrong())?)),
            _ => return Err(wrong()),
        };
        let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        Ok(Dialer { host, port, tls })
    }

    pub(super) async fn dial(&self) -> Result<Connection, Trouble> {
        self.connect().await.map_err(|_| Trouble::Connect)
    }

    async fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let wire = match &self.tls {
            None => Wire::Plain(stream),
            Some((tls, name)) => Wire::Tls(Box::new(tls.connect(name.clone(), stream).await?)),
        };
        let (sender, driver) = http1::handshake(TokioIo::new(wire)).await.map_err(io::Error::other)?;
        Ok(Connection { sender, driver: Some(Box::pin(driver)), used: false })
    }
}

fn tls() -> Result<TlsConnector, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Authorities(io::Error::other(error)))?
        .with_native_roots()
        .map_err(HttpError::Authorities)?
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

type Driver = Pin<Box<http1::Connection<TokioIo<Wire>, Full<Bytes>>>>;

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// None when the connection has ended.
    driver: Option<Driver>,
    used: bool,
}

/// What became of a request.
pub(super) enum Exchange {
    Answered(u16, Bytes),
    Failed(Trouble),
    /// The connection had been closed while it was idle, and nothing was sent.
    Unsent(Box<http::Request<Full<Bytes>>>),
}

impl Connection {
    pub(super) fn is_open(&self) -> bool {
        self.driver.is_some() && !self.sender.is_closed()
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn exchange(&mut self, request: http::Request<Full<Bytes>>) -> Exchange {
        let Connection { sender, driver, used } = self;
        let reused = std::mem::replace(used, true);
        let work = async {
            if sender.ready().await.is_err() {
                return if reused { Exchange::Unsent(Box::new(request)) } else { Exchange::Failed(Trouble::Broken) };
            }
            match sender.try_send_request(request).await {
                Ok(answer) => match whole(answer).await {
                    Ok((status, body)) => Exchange::Answered(status, body),
                    Err(trouble) => Exchange::Failed(trouble),
                },
                Err(mut error) => match error.take_message().filter(|_| reused) {
                    Some(request) => Exchange::Unsent(Box::new(request)),
                    None => Exchange::Failed(Trouble::Broken),
                },
            }
        };
        beside(driver, work).await
    }

    /// Waits for something else; a connection that is closed meanwhile is noticed.
    pub(super) async fn idle<T>(&mut self, wait: impl Future<Output = T>) -> T {
        beside(&mut self.driver, wait).await
    }
}

/// Does some work, and with it what the connection has to do.
async fn beside<T>(driver: &mut Option<Driver>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(move |cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        let Some(running) = driver.as_mut() else { return Poll::Pending };
        if running.as_mut().poll(cx).is_ready() {
            *driver = None;
        }
        // What was just read or sent may be what the work waits for.
        work.as_mut().poll(cx)
    })
    .await
}

async fn whole(answer: http::Response<Incoming>) -> Result<(u16, Bytes), Trouble> {
    let status = answer.status().as_u16();
    let mut body = answer.into_body();
    let (mut first, mut more) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Trouble::Broken)?.into_data() else { continue };
        if first.len() + more.len() + data.len() > MAX_BODY {
            return Err(Trouble::Large);
        }
        // Most answers are one piece, which is not copied.
        match (first.is_empty(), more.is_empty()) {
            (true, true) => first = data,
            (false, true) => {
                more.extend_from_slice(&std::mem::take(&mut first));
                more.extend_from_slice(&data);
            }
            _ => more.extend_from_slice(&data),
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok((status, if more.is_empty() { first } else { more.freeze() }))
}

/// A connection with or without TLS.
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Wire::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Wire::Plain(stream) => stream.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
