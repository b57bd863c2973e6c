//! HTTP in and out: requests go to the s3s crate as streams, errors get their request id.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};

use crate::arriving::Arriving;
use crate::cloud::Cloud;
use crate::service::Body;

use super::faults::S3Fault;
use super::protocol::Protocol;
use super::protocol::access::{Access, Auth, TOKEN, session_token};
use super::store::Store;

/// The most that is gathered of an answer to put a request id into it; error documents are far smaller.
const LONGEST_ERROR: usize = 64 * 1024;
/// A thousand parts with their checksums.
const LONGEST_ATTRIBUTES: usize = 1024 * 1024;

/// What the crate says of a method and an address that no operation of S3 has. S3 does not call that unimplemented.
const NO_OPERATION: &str = "<Message>Unknown operation</Message>";

pub(super) fn service(cloud: &Arc<Cloud>, store: &Arc<Store>) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Protocol(store.clone()));
    builder.set_auth(Auth(cloud.clone()));
    builder.set_access(Access(store.clone()));
    builder.set_host(Hosts);
    builder.build()
}

/// Answers one request.
pub(super) async fn answer(service: &S3Service, request: Request<Arriving>, request_id: &str) -> Response<Body> {
    let head = request.method() == Method::HEAD;
    if is_form(&request) {
        return plain(S3Fault::NotSupported("uploads by HTML form (PostObject)".into()), request_id);
    }
    let attributes = request.method() == Method::GET && asks_for_attributes(request.uri().query().unwrap_or_default());
    let token = session_token(&request);
    let answered = TOKEN.scope(token, service.call(request.map(s3s::Body::http_body))).await;
    let response = match answered {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(error = %s3s::StdError::from(error), "S3 could not answer");
            return plain(S3Fault::Disk("the answer could not be written".into()), request_id);
        }
    };
    let mut response = match response.status() {
        StatusCode::NOT_MODIFIED => without_body(response),
        StatusCode::NOT_IMPLEMENTED if head => plain(S3Fault::MethodNotAllowed, request_id).map(|_| full(Bytes::new())),
        status if (status.is_client_error() || status.is_server_error()) && !head => {
            with_request_id(response, request_id).await
        }
        StatusCode::OK if attributes => with_plain_etag(response).await,
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

fn asks_for_attributes(query: &str) -> bool {
    query.split('&').any(|field| field.split('=').next() == Some("attributes"))
}

/// `GetObjectAttributes` is the one answer in which S3 leaves out the quotes of the tag, which the crate's type always writes.
async fn with_plain_etag(response: Response<s3s::Body>) -> Response<Body> {
    let (mut head, mut body) = response.into_parts();
    match body.store_all_limited(LONGEST_ATTRIBUTES).await {
        Ok(bytes) => {
            head.headers.remove(CONTENT_LENGTH);
            Response::from_parts(head, full(Bytes::from(unquoted(&String::from_utf8_lossy(&bytes)))))
        }
        Err(_) => Response::from_parts(head, body.boxed_unsync()),
    }
}

fn unquoted(document: &str) -> String {
    document.replacen("<ETag>\"", "<ETag>", 1).replacen("\"</ETag>", "</ETag>", 1)
}

async fn with_request_id(response: Response<s3s::Body>, request_id: &str) -> Response<Body> {
    let (mut head, mut body) = response.into_parts();
    match body.store_all_limited(LONGEST_ERROR).await {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            if head.status == StatusCode::NOT_IMPLEMENTED && text.contains(NO_OPERATION) {
                return plain(S3Fault::MethodNotAllowed, request_id);
            }
            let message = worded(&text).map(|words| format!("<Message>{words}</Message>")).unwrap_or_default();
            let end = format!("{message}<RequestId>{request_id}</RequestId></Error>");
            let text = text.replacen("</Error>", &end, 1);
            head.headers.remove(CONTENT_LENGTH);
            Response::from_parts(head, full(Bytes::from(text)))
        }
        Err(_) => Response::from_parts(head, body.boxed_unsync()),
    }
}

/// What AWS says where the crate refuses without a word.
fn worded(error: &str) -> Option<String> {
    if error.contains("<Message>") {
        return None;
    }
    let code = error.split_once("<Code>")?.1.split_once("</Code>")?.0;
    Some(match code {
        "InvalidBucketName" => S3Fault::InvalidBucketName.parts().2,
        "KeyTooLongError" => S3Fault::KeyTooLong.parts().2,
        "MalformedXML" => S3Fault::MalformedXml.parts().2,
        "IncompleteBody" => S3Fault::IncompleteBody.parts().2,
        "MethodNotAllowed" => "The specified method is not allowed against this resource.".to_owned(),
        "InvalidURI" => "Couldn't parse the specified URI.".to_owned(),
        "MissingRequestBodyError" => "Request Body is empty".to_owned(),
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.".to_owned(),
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing method."
                .to_owned()
        }
        "NotImplemented" => "The local cloud does not support this request.".to_owned(),
        _ => return None,
    })
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
    use super::{asks_for_attributes, bucket_of, unquoted, worded};

    #[test]
    fn the_attributes_of_an_object_have_their_tag_without_quotes() {
        assert_eq!(unquoted("<A><ETag>\"5d41\"</ETag><B/></A>"), "<A><ETag>5d41</ETag><B/></A>");
        assert!(asks_for_attributes("attributes") && asks_for_attributes("x=1&attributes="));
        assert!(!asks_for_attributes("x=attributes") && !asks_for_attributes(""));
    }

    #[test]
    fn a_refusal_of_the_crate_gets_words_and_keeps_those_it_has() {
        let words = worded("<Error><Code>InvalidBucketName</Code></Error>");
        assert_eq!(words.as_deref(), Some("The specified bucket is not valid."));
        assert_eq!(worded("<Error><Code>InvalidBucketName</Code><Message>so</Message></Error>"), None);
        assert_eq!(worded("<Error><Code>Odd</Code></Error>"), None);
    }

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
