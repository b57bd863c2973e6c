//! A function's answer as the client gets it, by the rules of the integration's payload format.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What an answer without a content type is.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain;charset=UTF-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Reads an answer of format 2.0: `{statusCode, headers, cookies, body, isBase64Encoded}`, or any other JSON, which is the
/// body of a 200.
///
/// # Errors
/// It is not JSON, or the agreed members are not what they should be: the client gets 500.
pub(super) fn of_format_2(payload: &Bytes) -> Result<Response<Bytes>, Refusal> {
    match serde_json::from_slice(payload) {
        Ok(Value::Object(members)) if members.contains_key("statusCode") => {
            let mut response = agreed(&members)?;
            for cookie in list(&members, "cookies")? {
                let cookie = cookie.as_str().ok_or(Refusal::Failed)?;
                let cookie = HeaderValue::from_bytes(cookie.as_bytes()).map_err(|_| Refusal::Failed)?;
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Ok(Value::String(text)) => Ok(inferred(text.into())),
        Ok(_) => Ok(inferred(payload.clone())),
        Err(_) => Err(Refusal::Failed),
    }
}

/// Reads an answer of format 1.0: `{statusCode, headers, multiValueHeaders, body, isBase64Encoded}`.
///
/// # Errors
/// As of [`of_format_2`], and it has no status.
pub(super) fn of_format_1(payload: &Bytes) -> Result<Response<Bytes>, Refusal> {
    let members: Map<String, Value> = serde_json::from_slice(payload).map_err(|_| Refusal::Failed)?;
    if !members.contains_key("statusCode") {
        return Err(Refusal::Failed);
    }
    let mut response = agreed(&members)?;
    for (name, values) in object(&members, "multiValueHeaders")? {
        let name: HeaderName = name.parse().map_err(|_| Refusal::Failed)?;
        response.headers_mut().remove(&name);
        for value in values.as_array().ok_or(Refusal::Failed)? {
            put(&mut response, &name, value)?;
        }
    }
    Ok(response)
}

fn inferred(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// What both formats have.
fn agreed(members: &Map<String, Value>) -> Result<Response<Bytes>, Refusal> {
    let mut response = Response::new(body(members)?);
    *response.status_mut() = status(&members["statusCode"])?;
    for (name, value) in object(members, "headers")? {
        put(&mut response, &name.parse().map_err(|_| Refusal::Failed)?, value)?;
    }
    response.headers_mut().entry(CONTENT_TYPE).or_insert(TEXT);
    Ok(response)
}

fn status(value: &Value) -> Result<StatusCode, Refusal> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let number = number.and_then(|number| u16::try_from(number).ok()).filter(|number| (200..600).contains(number));
    number.and_then(|number| StatusCode::from_u16(number).ok()).ok_or(Refusal::Failed)
}

fn body(members: &Map<String, Value>) -> Result<Bytes, Refusal> {
    let encoded = match members.get("isBase64Encoded") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(encoded)) => *encoded,
        Some(_) => return Err(Refusal::Failed),
    };
    match members.get("body") {
        None | Some(Value::Null) => Ok(Bytes::new()),
        Some(Value::String(text)) if encoded => STANDARD.decode(text).map(Bytes::from).map_err(|_| Refusal::Failed),
        Some(Value::String(text)) => Ok(Bytes::from(text.clone())),
        Some(_) => Err(Refusal::Failed),
    }
}

fn object<'m>(
    members: &'m Map<String, Value>,
    key: &str,
) -> Result<impl Iterator<Item = (&'m String, &'m Value)>, Refusal> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(None.into_iter().flatten()),
        Some(Value::Object(members)) => Ok(Some(members.iter()).into_iter().flatten()),
        Some(_) => Err(Refusal::Failed),
    }
}

fn list<'m>(members: &'m Map<String, Value>, key: &str) -> Result<&'m [Value], Refusal> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(Refusal::Failed),
    }
}

fn put(response: &mut Response<Bytes>, name: &HeaderName, value: &Value) -> Result<(), Refusal> {
    let text = match value {
        Value::Null => return Ok(()),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return Err(Refusal::Failed),
    };
    let value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Refusal::Failed)?;
    // Length and connection are the gateway's own business.
    if ![CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name) {
        response.headers_mut().append(name, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(answer: Result<Response<Bytes>, Refusal>) -> (u16, String, String) {
        let answer = answer.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), kind, String::from_utf8(answer.body().to_vec()).unwrap())
    }

    #[test]
    fn json_without_a_status_is_the_body_of_a_200() {
        let cases = [
            (r#"{"b": 1,  "a": [2]}"#, r#"{"b": 1,  "a": [2]}"#),
            (r#""Hello""#, "Hello"),
            ("[1]", "[1]"),
            ("null", "null"),
            ("7", "7"),
            (r#"{"body": "x"}"#, r#"{"body": "x"}"#),
        ];
        for (payload, body) in cases {
            let expected = (200, "application/json".to_owned(), body.to_owned());
            assert_eq!(seen(of_format_2(&Bytes::from_static(payload.as_bytes()))), expected, "{payload}");
        }
    }

    #[test]
    fn an_answer_with_a_status_is_taken_apart() {
        let text = "text/plain;charset=UTF-8";
        let cases = [
            (r#"{"statusCode": 201, "body": "x", "extra": 1}"#, 201, text, "x"),
            (r#"{"statusCode": "204"}"#, 204, text, ""),
            (r#"{"statusCode": 200, "body": "aGk=", "isBase64Encoded": true}"#, 200, text, "hi"),
            (
                r#"{"statusCode": 200, "headers": {"Content-Type": "a/b", "Content-Length": "9"}, "body": null}"#,
                200,
                "a/b",
                "",
            ),
        ];
        for (payload, status, kind, body) in cases {
            let payload = Bytes::from_static(payload.as_bytes());
            let expected = (status, kind.to_owned(), body.to_owned());
            assert_eq!(seen(of_format_2(&payload)), expected);
            assert_eq!(seen(of_format_1(&payload)), expected);
        }
        let cookies =
            of_format_2(&Bytes::from_static(br#"{"statusCode": 200, "cookies": ["a=1", "b=2; Secure"]}"#)).unwrap();
        let cookies: Vec<&HeaderValue> = cookies.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2; Secure"]);
        let many = br#"{"statusCode": 200, "headers": {"x": "0"}, "multiValueHeaders": {"X": ["1", "2"]}}"#;
        let many = of_format_1(&Bytes::from_static(many)).unwrap();
        assert_eq!(many.headers().get_all("x").iter().collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn what_is_not_agreed_is_an_error() {
        let both = [
            "{oops",
            "",
            r#"{"statusCode": "no"}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": null}"#,
            r#"{"statusCode": 200, "body": {"a": 1}}"#,
            r#"{"statusCode": 200, "headers": []}"#,
            r#"{"statusCode": 200, "headers": {"bad name": "x"}}"#,
            r#"{"statusCode": 200, "headers": {"x": {}}}"#,
            r#"{"statusCode": 200, "isBase64Encoded": "yes"}"#,
            r#"{"statusCode": 200, "isBase64Encoded": true, "body": "%"}"#,
        ];
        for payload in both {
            let payload = Bytes::from_static(payload.as_bytes());
            assert_eq!(of_format_2(&payload).unwrap_err(), Refusal::Failed, "{payload:?}");
            assert_eq!(of_format_1(&payload).unwrap_err(), Refusal::Failed, "{payload:?}");
        }
        assert!(of_format_2(&Bytes::from_static(br#"{"statusCode": 200, "cookies": "a=1"}"#)).is_err());
        for payload in ["{}", "[]", "\"text\"", r#"{"body": "x"}"#] {
            assert_eq!(of_format_1(&Bytes::from_static(payload.as_bytes())).unwrap_err(), Refusal::Failed, "{payload}");
        }
    }
}
