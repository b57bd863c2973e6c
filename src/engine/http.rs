//! The HTTP client for the lab's own endpoints: TLS verified by the system's authorities, a deadline on everything.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;

/// API Gateway answers within 30 s, whatever happens behind it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);
/// API Gateway's own limit of a payload is 10 MB.
pub(crate) const MAX_BODY: usize = 11 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("the system's certificate authorities cannot be read")]
    Authorities(#[source] std::io::Error),
    #[error("`{0}` is no address that requests can be sent to")]
    Address(String),
    #[error("no connection to the endpoint")]
    NoConnection(#[source] hyper_util::client::legacy::Error),
    #[error("the answer broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no answer within {} s", DEADLINE.as_secs())]
    Late,
}

/// Sends requests and reads whole answers over pooled connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl HttpClient {
    pub fn new() -> Result<Self, HttpError> {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(HttpError::Authorities)?
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        Ok(HttpClient { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, HttpError> {
        let answer = async {
            let answer = self.client.request(request).await.map_err(HttpError::NoConnection)?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await.map_err(HttpError::Broken)?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        tokio::time::timeout(DEADLINE, answer).await.map_err(|_| HttpError::Late)?
    }
}
