//! The event of a Lambda proxy integration, format 1.0.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::request::Incoming;

fn or_null(map: Map<String, Value>) -> Value {
    if map.is_empty() { Value::Null } else { Value::Object(map) }
}

/// Does a media type of the API's list match? `*/*` and `image/*` do what they say.
pub(super) fn is_binary(binary: &[String], content_type: &str) -> bool {
    let family = content_type.split('/').next().unwrap_or_default();
    binary
        .iter()
        .any(|kind| kind == "*/*" || kind.eq_ignore_ascii_case(content_type) || kind.strip_suffix("/*") == Some(family))
}

/// What the event is made of besides the request.
pub(super) struct Parts<'p> {
    pub resource: &'p str,
    pub path_parameters: Map<String, Value>,
    pub headers: (Map<String, Value>, Map<String, Value>),
    pub stage_variables: Map<String, Value>,
    pub context: Value,
    pub binary: &'p [String],
}

/// The event as the function gets it.
pub(super) fn event(request: &Incoming, parts: Parts<'_>) -> Value {
    let binary = is_binary(parts.binary, &request.content_type()) && !request.body.is_empty();
    let body = match request.body.is_empty() {
        true => Value::Null,
        false if binary => json!(STANDARD.encode(&request.body)),
        false => json!(String::from_utf8_lossy(&request.body)),
    };
    let (query, all_query) = request.query_maps();
    json!({
        "resource": parts.resource, "path": request.path, "httpMethod": request.verb.as_str(),
        "headers": or_null(parts.headers.0), "multiValueHeaders": or_null(parts.headers.1),
        "queryStringParameters": or_null(query), "multiValueQueryStringParameters": or_null(all_query),
        "pathParameters": or_null(parts.path_parameters), "stageVariables": or_null(parts.stage_variables),
        "requestContext": parts.context, "body": body, "isBase64Encoded": binary,
    })
}
