//! What the gateway answers by itself: AWS's status and body.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};

use crate::execute_api::request::Unread;

/// Why a request got no answer of its integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No such stage, path or method.
    NotFound,
    /// The route asks for a signature of somebody who may.
    Forbidden,
    Throttled,
    TooLarge,
    BadRequest,
    /// The integration failed, is not permitted, or answered in no form that is agreed; the log says which.
    Failed,
    /// The integration took too long, or the function runs as often as it may.
    Unavailable,
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => Refusal::TooLarge,
            Unread::Interrupted => Refusal::BadRequest,
        }
    }
}

impl Refusal {
    const fn look(self) -> (StatusCode, &'static str) {
        match self {
            Refusal::NotFound => (StatusCode::NOT_FOUND, "Not Found"),
            Refusal::Forbidden => (StatusCode::FORBIDDEN, "Forbidden"),
            Refusal::Throttled => (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
            Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
            Refusal::BadRequest => (StatusCode::BAD_REQUEST, "Bad Request"),
            Refusal::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            Refusal::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        }
    }

    /// `$context.error.responseType`
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Refusal::NotFound => "NOT_FOUND",
            Refusal::Forbidden => "ACCESS_DENIED",
            Refusal::Throttled => "THROTTLED",
            Refusal::TooLarge => "REQUEST_TOO_LARGE",
            Refusal::BadRequest => "BAD_REQUEST",
            Refusal::Failed | Refusal::Unavailable => "INTEGRATION_FAILURE",
        }
    }

    pub(super) const fn message(self) -> &'static str {
        self.look().1
    }

    pub(super) fn answer(self) -> Response<Bytes> {
        let (status, message) = self.look();
        let mut response = Response::new(Bytes::from(format!("{{\"message\":\"{message}\"}}")));
        *response.status_mut() = status;
        response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
