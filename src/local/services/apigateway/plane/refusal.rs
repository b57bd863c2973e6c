//! What the gateway answers by itself: AWS's status, error type and body, or what the API's gateway responses make of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::execute_api::request::Unread;
use crate::execute_api::variables;
use crate::services::apigateway::state::GatewayResponse;

/// Why a request got no answer of its integration.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Refusal {
    /// No such API, stage, path or method.
    MissingAuthenticationToken,
    /// The stage or the API is not there.
    Forbidden,
    InvalidApiKey,
    Throttled,
    QuotaExceeded,
    TooLarge,
    UnsupportedMediaType,
    BadParameters(String),
    BadBody(String),
    /// The integration cannot work as it is configured; the log says why.
    Configuration,
    /// A proxy integration's answer is not in the agreed form.
    MalformedAnswer,
    TimedOut,
}

/// What a refusal looks like.
struct Look<'m> {
    kind: &'static str,
    status: u16,
    error_type: &'static str,
    message: &'m str,
    /// Errors of integrations have a space after the colon, the gateway's own do not.
    spaced: bool,
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => Refusal::TooLarge,
            Unread::Interrupted => Refusal::BadBody("Could not read the request's body".into()),
        }
    }
}

impl Refusal {
    fn look(&self) -> Look<'_> {
        let look = |kind, status, error_type, message, spaced| Look { kind, status, error_type, message, spaced };
        match self {
            Refusal::MissingAuthenticationToken => look(
                "MISSING_AUTHENTICATION_TOKEN",
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
                false,
            ),
            Refusal::Forbidden => look("ACCESS_DENIED", 403, "ForbiddenException", "Forbidden", false),
            Refusal::InvalidApiKey => look("INVALID_API_KEY", 403, "ForbiddenException", "Forbidden", false),
            Refusal::Throttled => look("THROTTLED", 429, "TooManyRequestsException", "Too Many Requests", false),
            Refusal::QuotaExceeded => look("QUOTA_EXCEEDED", 429, "LimitExceededException", "Limit Exceeded", false),
            Refusal::TooLarge => look("REQUEST_TOO_LARGE", 413, "RequestTooLargeException", "Request Too Long", false),
            Refusal::UnsupportedMediaType => {
                look("UNSUPPORTED_MEDIA_TYPE", 415, "BadRequestException", "Unsupported Media Type", false)
            }
            Refusal::BadParameters(message) => {
                look("BAD_REQUEST_PARAMETERS", 400, "BadRequestException", message, true)
            }
            Refusal::BadBody(message) => look("BAD_REQUEST_BODY", 400, "BadRequestException", message, true),
            Refusal::Configuration => {
                look("API_CONFIGURATION_ERROR", 500, "InternalServerErrorException", "Internal server error", true)
            }
            Refusal::MalformedAnswer => {
                look("INTEGRATION_FAILURE", 502, "InternalServerErrorException", "Internal server error", true)
            }
            Refusal::TimedOut => {
                look("INTEGRATION_TIMEOUT", 504, "InternalServerErrorException", "Endpoint request timed out", true)
            }
        }
    }

    /// The HTTP answer; `own` are the API's gateway responses, and `known` holds the `context` and `stageVariables` of their templates,
    /// as far as the request came.
    pub(super) fn answer(&self, own: &BTreeMap<String, GatewayResponse>, mut known: Value) -> Response<Bytes> {
        let look = self.look();
        let family = if look.status < 500 { "DEFAULT_4XX" } else { "DEFAULT_5XX" };
        let custom = own.get(look.kind).or_else(|| own.get(family));
        let message = Value::from(look.message).to_string();
        let space = if look.spaced { " " } else { "" };
        let template = custom.and_then(|custom| custom.response_templates.get("application/json"));
        let body = match template {
            Some(template) => {
                known["context"]["error"] = json!({"message": look.message, "responseType": look.kind});
                filled(template, &known, &message)
            }
            None => format!("{{\"message\":{space}{message}}}"),
        };
        let mut response = Response::new(Bytes::from(body));
        let status = custom.and_then(|custom| custom.status_code.as_deref()?.parse().ok()).unwrap_or(look.status);
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-amzn-errortype", HeaderValue::from_static(look.error_type));
        for (target, source) in custom.into_iter().flat_map(|custom| &custom.response_parameters) {
            let name = target.strip_prefix("gatewayresponse.header.").and_then(|name| name.parse::<HeaderName>().ok());
            let value = HeaderValue::from_str(source.trim_matches('\'')).ok();
            if let (Some(name), Some(value)) = (name, value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Puts values in for `$context.…` and `$stageVariables.…`, and no more: these templates have no logic. What is not known is empty.
/// `message` is the error's, as a JSON text with its quotes.
fn filled(template: &str, known: &Value, message: &str) -> String {
    variables::fill(template, |name| match name {
        "context.error.messageString" => Some(message.to_owned()),
        _ if name.starts_with("context.") || name.starts_with("stageVariables.") => {
            Some(variables::find(known, name).map(plain).unwrap_or_default())
        }
        _ => None,
    })
}

/// A text of a client's must not end the JSON text that it is put in.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(_) => {
            let quoted = value.to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_response_is_filled_in_with_what_is_known() {
        let template = r#"{"m": $context.error.messageString, "t": "$context.error.responseType", "p": "$context.path", "v": "$stageVariables.v.", "n": "$context.none", "$": 1, "x": "$input.body"}"#;
        let own = GatewayResponse {
            response_templates: BTreeMap::from([("application/json".to_owned(), template.to_owned())]),
            ..GatewayResponse::default()
        };
        let known = json!({"context": {"path": "/a\"b\""}, "stageVariables": {"v": "one"}});
        let answer = Refusal::Throttled.answer(&BTreeMap::from([("THROTTLED".to_owned(), own)]), known);
        let expected = r#"{"m": "Too Many Requests", "t": "THROTTLED", "p": "/a\"b\"", "v": "one.", "n": "", "$": 1, "x": "$input.body"}"#;
        assert_eq!(answer.body(), expected);
    }
}
