//! Sends the load: closed loop, as many connections as users.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use tokio::time::Instant;

use super::report::{Report, Tally};
use super::request::Request;
use crate::engine::http::{HttpClient, HttpError};

/// How much load, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How many send at the same time.
    pub users: usize,
    /// Ends the load, whichever comes first.
    pub requests: u64,
    pub within: Duration,
}

/// Tells from status and body whether an answer is right, and if not, what kind of error it is.
pub type Judge = Arc<dyn Fn(u16, &Bytes) -> Result<(), String> + Send + Sync>;

/// Sends the requests numbered from 0.
///
/// # Errors
/// The load could not begin. Failed requests are in the report.
pub async fn drive(request: &Request, shape: Shape, judge: Judge) -> Result<Report, HttpError> {
    // Reading the system's authorities takes longer than many a request: once, and before the clock runs.
    let http = HttpClient::new()?;
    let (next, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut users = tokio::task::JoinSet::new();
    for _ in 0..shape.users {
        let user = User { http: http.clone(), request: request.clone(), judge: judge.clone(), next: next.clone() };
        users.spawn(user.run(shape.requests, begun + shape.within));
    }
    let mut all = Tally::default();
    while let Some(tally) = users.join_next().await {
        match tally {
            Ok(tally) => all.add(&tally),
            Err(error) => all.failed(format!("lost user: {error}"), Duration::ZERO),
        }
    }
    Ok(all.report(begun.elapsed()))
}

struct User {
    http: HttpClient,
    request: Request,
    judge: Judge,
    next: Arc<AtomicU64>,
}

impl User {
    async fn run(self, requests: u64, deadline: Instant) -> Tally {
        let mut tally = Tally::default();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= requests || Instant::now() >= deadline {
                return tally;
            }
            let begun = Instant::now();
            match self.send(number).await {
                Ok(()) => tally.answered(begun.elapsed()),
                Err(kind) => tally.failed(kind, begun.elapsed()),
            }
        }
    }

    async fn send(&self, number: u64) -> Result<(), String> {
        let mut request = http::Request::new(Full::new(self.request.body(number)));
        *request.method_mut() = self.request.method.clone();
        *request.uri_mut() = self.request.uri.clone();
        *request.headers_mut() = self.request.headers.clone();
        match self.http.send(request).await {
            Ok(answer) => (self.judge)(answer.status().as_u16(), answer.body()),
            Err(HttpError::Late) => Err("timeout".to_owned()),
            Err(_) => Err("connection".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{HeaderMap, Method, Response};
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use serde_json::json;

    use super::*;

    /// Answers every fourth request with 503.
    async fn serve(listener: tokio::net::TcpListener) {
        let count = Arc::new(AtomicU64::new(0));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let count = count.clone();
            tokio::spawn(async move {
                let service = service_fn(move |_: http::Request<hyper::body::Incoming>| {
                    let failing = count.fetch_add(1, Ordering::Relaxed) % 4 == 3;
                    let answer =
                        Response::builder().status(if failing { 503 } else { 200 }).body(Full::new(Bytes::new()));
                    async move { Ok::<_, Infallible>(answer.unwrap()) }
                });
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    #[tokio::test]
    async fn every_request_is_sent_once_and_errors_are_counted_by_kind() {
        let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(serve(listener));
        let request = Request { method: Method::POST, uri, headers: HeaderMap::new(), body: Some(json!({})) };
        let shape = Shape { users: 3, requests: 40, within: Duration::from_secs(60) };
        let judge: Judge = Arc::new(|status, _| if status == 200 { Ok(()) } else { Err(status.to_string()) });
        let report = drive(&request, shape, judge).await.unwrap();
        assert_eq!((report.requests, report.errors.get("503")), (40, Some(&10)));
        assert!(report.rps > 0.0 && report.latency_ms.max >= report.latency_ms.p50);
        server.abort();
    }
}
