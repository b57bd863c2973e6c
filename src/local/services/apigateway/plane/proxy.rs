//! The answer of a Lambda proxy integration: `{statusCode, headers, multiValueHeaders, body, isBase64Encoded}` and nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use super::refusal::Refusal;

const KEYS: &[&str] = &["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"];

/// Reads a function's answer.
///
/// # Errors
/// It is not in the agreed form: the client gets 502.
pub(super) fn answer(payload: &[u8], binary: bool) -> Result<Response<Bytes>, Refusal> {
    let malformed = |_| Refusal::MalformedAnswer;
    let map: Map<String, Value> = serde_json::from_slice(payload).map_err(malformed)?;
    if map.is_empty() || map.keys().any(|key| !KEYS.contains(&key.as_str())) {
        return Err(Refusal::MalformedAnswer);
    }
    let mut response = Response::new(body(&map, binary)?);
    *response.status_mut() = status(map.get("statusCode"))?;
    for (name, value) in members(&map, "headers")? {
        put(&mut response, name, value)?;
    }
    for (name, values) in members(&map, "multiValueHeaders")? {
        let values = values.as_array().ok_or(Refusal::MalformedAnswer)?;
        for value in values {
            put(&mut response, name, value)?;
        }
    }
    let headers = response.headers_mut();
    headers.entry(http::header::CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Ok(response)
}

fn status(value: Option<&Value>) -> Result<StatusCode, Refusal> {
    let number = match value {
        None | Some(Value::Null) => Some(200),
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text.parse().ok(),
        Some(_) => None,
    };
    let status =
        number.and_then(|number| u16::try_from(number).ok()).and_then(|number| StatusCode::from_u16(number).ok());
    status.ok_or(Refusal::MalformedAnswer)
}

fn body(map: &Map<String, Value>, binary: bool) -> Result<Bytes, Refusal> {
    let encoded = match map.get("isBase64Encoded") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(encoded)) => *encoded,
        Some(_) => return Err(Refusal::MalformedAnswer),
    };
    match map.get("body") {
        None | Some(Value::Null) => Ok(Bytes::new()),
        // Only an API with binary media types decodes.
        Some(Value::String(text)) if encoded && binary => {
            STANDARD.decode(text).map(Bytes::from).map_err(|_| Refusal::MalformedAnswer)
        }
        Some(Value::String(text)) => Ok(Bytes::from(text.clone())),
        Some(_) => Err(Refusal::MalformedAnswer),
    }
}

fn members<'m>(
    map: &'m Map<String, Value>,
    key: &str,
) -> Result<impl Iterator<Item = (&'m String, &'m Value)>, Refusal> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None.into_iter().flatten()),
        Some(Value::Object(members)) => Ok(Some(members.iter()).into_iter().flatten()),
        Some(_) => Err(Refusal::MalformedAnswer),
    }
}

fn put(response: &mut Response<Bytes>, name: &str, value: &Value) -> Result<(), Refusal> {
    let text = match value {
        Value::Null => return Ok(()),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return Err(Refusal::MalformedAnswer),
    };
    let name: HeaderName = name.parse().map_err(|_| Refusal::MalformedAnswer)?;
    let value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Refusal::MalformedAnswer)?;
    // Length and connection are the gateway's own business.
    if ![http::header::CONTENT_LENGTH, http::header::TRANSFER_ENCODING, http::header::CONNECTION].contains(&name) {
        let same = response.headers().get_all(&name).iter().any(|there| *there == value);
        if !same {
            response.headers_mut().append(name, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_the_agreed_form_pass_and_others_do_not() {
        let good = [
            (r#"{"statusCode": 201, "body": "x"}"#, 201, "x"),
            (r#"{"statusCode": "204"}"#, 204, ""),
            (r#"{"body": "only"}"#, 200, "only"),
            (r#"{"headers": {"a": true}, "body": null}"#, 200, ""),
            (r#"{"statusCode": 200, "body": "aGk=", "isBase64Encoded": true}"#, 200, "hi"),
        ];
        for (payload, status, body) in good {
            let response = answer(payload.as_bytes(), true).unwrap();
            assert_eq!((response.status().as_u16(), response.body().as_ref()), (status, body.as_bytes()), "{payload}");
            assert_eq!(response.headers()["content-type"], "application/json");
        }
        let bad = [
            "{}",
            "\"text\"",
            "[]",
            "null",
            r#"{"statusCode": "no"}"#,
            r#"{"body": {"a": 1}}"#,
            r#"{"body": "x", "extra": 1}"#,
            r#"{"multiValueHeaders": {"a": "b"}}"#,
            r#"{"headers": {"bad name": "x"}}"#,
        ];
        for payload in bad {
            assert_eq!(answer(payload.as_bytes(), false).unwrap_err(), Refusal::MalformedAnswer, "{payload}");
        }
        let merged = answer(br#"{"headers": {"Set": "1"}, "multiValueHeaders": {"set": ["1", "2"]}}"#, false).unwrap();
        assert_eq!(merged.headers().get_all("set").iter().count(), 2);
    }
}
