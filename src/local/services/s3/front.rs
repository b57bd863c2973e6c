//! HTTP in and out: requests go to the s3s crate as streams, errors get their request id.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};

use crate::local::cloud::Cloud;
use crate::local::service::Body;

use super::faults::S3Fault;
use super::protocol::Protocol;
use super::protocol::access::{Access, Auth, TOKEN, session_token};
use super::store::Store;

/// The most that is gathered of an answer to put a request id into it; error documents are far smaller.
const LONGEST_ERROR: usize = 64 * 1024;

pub(super) fn service(cloud: &Arc<Cloud>, store: &Arc<Store>) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Protocol(store.clone()));
    builder.set_auth(Auth(cloud.clone()));
    builder.set_access(Access(store.clone()));
    builder.set_host(Hosts);
    builder.build()
}

/// Answers one request.
pub(super) async fn answer(service: &S3Service, request: Request<Incoming>, request_id: &str) -> Response<Body> {
    let head = request.method() == Method::HEAD;
    if is_form(&request) {
        return plain(S3Fault::NotSupported("uploads by HTML form (PostObject)".into()), request_id);
    }
    let token = session_token(&request);
    let answered = TOKEN.scope(token, service.call(request.map(s3s::Body::from))).await;
    let response = match answered {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(error = %s3s::StdError::from(error), "S3 could not answer");
            return plain(S3Fault::Disk("the answer could not be written".into()), request_id);
        }
    };
    let mut response = match response.status() {
        StatusCode::NOT_MODIFIED => without_body(response),
        status if (status.is_client_error() || status.is_server_error()) && !head => {
            with_request_id(response, request_id).await
        }
        _ => response.map(BodyExt::boxed_unsync),
    };
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("x-amz-request-id", id.clone());
        response.headers_mut().insert("x-amz-id-2", id);
    }
    response
}

/// `multipart/form-data` is gathered in memory by the crate before anything is checked: it is refused at the door.
fn is_form<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    request.method() == Method::POST && kind.to_ascii_lowercase().starts_with("multipart/form-data")
}

fn without_body(response: Response<s3s::Body>) -> Response<Body> {
    let (mut head, _) = response.into_parts();
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(CONTENT_TYPE);
    Response::from_parts(head, full(Bytes::new()))
}

async fn with_request_id(response: Response<s3s::Body>, request_id: &str) -> Response<Body> {
    let (mut head, mut body) = response.into_parts();
    match body.store_all_limited(LONGEST_ERROR).await {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let message = own_message(&text).map(|message| format!("<Message>{message}</Message>")).unwrap_or_default();
            let text = text.replacen("</Error>", &format!("{message}<RequestId>{request_id}</RequestId></Error>"), 1);
            head.headers.remove(CONTENT_LENGTH);
            Response::from_parts(head, full(Bytes::from(text)))
        }
        Err(_) => Response::from_parts(head, body.boxed_unsync()),
    }
}

/// AWS's words for what the crate itself refuses, with a code and without a message.
fn own_message(error: &str) -> Option<&'static str> {
    let code = error.split_once("<Code>")?.1.split_once("</Code>")?.0;
    if error.contains("<Message>") {
        return None;
    }
    match code {
        "InvalidBucketName" => Some("The specified bucket is not valid."),
        "KeyTooLongError" => Some("Your key is too long"),
        "InvalidURI" => Some("Couldn't parse the specified URI."),
        "MalformedXML" => {
            Some("The XML you provided was not well-formed or did not validate against our published schema")
        }
        _ => None,
    }
}

/// A refusal that the crate has no part in.
fn plain(fault: S3Fault, request_id: &str) -> Response<Body> {
    let (code, status, message) = fault.parts();
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request_id}</RequestId></Error>"
    );
    let mut response = Response::new(full(Bytes::from(text)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// Hosts that name a bucket: `<bucket>.localhost`, `<bucket>.s3.localhost`, `<bucket>.s3.<region>.localhost`.
struct Hosts;

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> s3s::S3Result<VirtualHost<'a>> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        match bucket_of(name) {
            Some(bucket) => Ok(VirtualHost::new("localhost").with_bucket(bucket)),
            None => Ok(VirtualHost::new("localhost")),
        }
    }
}

fn bucket_of(host: &str) -> Option<&str> {
    let rest = host.strip_suffix(".localhost")?;
    match rest.rfind(".s3.").filter(|at| !rest[at + 4..].contains('.')) {
        Some(at) => Some(&rest[..at]),
        None if rest == "s3" || rest.starts_with("s3.") => None,
        None => Some(rest.strip_suffix(".s3").unwrap_or(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::bucket_of;

    #[test]
    fn a_bucket_may_stand_before_the_host() {
        let cases = [
            ("localhost", None),
            ("s3.localhost", None),
            ("s3.eu-west-1.localhost", None),
            ("my-bucket.localhost", Some("my-bucket")),
            ("a.b.s3.localhost", Some("a.b")),
            ("my-bucket.s3.eu-west-1.localhost", Some("my-bucket")),
        ];
        for (host, bucket) in cases {
            assert_eq!(bucket_of(host), bucket, "{host}");
        }
    }
}
