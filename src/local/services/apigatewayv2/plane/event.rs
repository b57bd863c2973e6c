//! The event of a Lambda proxy integration, in either format.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::COOKIE;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::request::{Incoming, Landing};
use crate::execute_api::request::{query_pairs, request_time};
use crate::services::apigatewayv2::route_key::Parameters;
use crate::tracer::TRACE_HEADER;

/// Headers that belong to the connection.
const OF_CONNECTION: &[&str] = &["connection", "keep-alive", "te", "transfer-encoding", "upgrade"];

/// The event of format 2.0. What there is nothing to say of is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'e> {
    version: &'static str,
    route_key: &'e str,
    raw_path: &'e str,
    raw_query_string: &'e str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<&'e str>,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: Context<'e>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    path_parameters: &'e Parameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'e, str>>,
    is_base64_encoded: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    stage_variables: &'e BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'e> {
    account_id: &'e str,
    api_id: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Authorizer<'e>>,
    domain_name: &'e str,
    domain_prefix: &'e str,
    http: Http<'e>,
    request_id: &'e str,
    route_key: &'e str,
    stage: &'e str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
struct Authorizer<'e> {
    iam: &'e Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'e> {
    method: &'e str,
    path: &'e str,
    protocol: &'static str,
    source_ip: String,
    user_agent: &'e str,
}

/// The event of format 2.0, as JSON.
pub(super) fn of_format_2(request: &Incoming, landing: &Landing<'_>) -> serde_json::Result<String> {
    let stage = landing.staged.stage;
    let (path, domain) = (landing.staged.whole_path(), landing.domain());
    let (body, is_base64_encoded) = body(request);
    let context = Context {
        account_id: &landing.scope.account,
        api_id: landing.api,
        authorizer: landing.iam.as_ref().map(|iam| Authorizer { iam }),
        domain_name: &domain,
        domain_prefix: landing.api,
        http: Http {
            method: request.verb(),
            path: &path,
            protocol: request.protocol(),
            source_ip: request.source_ip(),
            user_agent: request.header("user-agent").unwrap_or_default(),
        },
        request_id: &request.request_id,
        route_key: &landing.route.route_key,
        stage: &stage.stage_name,
        time: request_time(request.at),
        time_epoch: request.at.millis(),
    };
    serde_json::to_string(&Event {
        version: "2.0",
        route_key: &landing.route.route_key,
        raw_path: &path,
        raw_query_string: request.raw_query(),
        cookies: cookies(request),
        headers: joined(headers(request, landing), |name| name != COOKIE.as_str()),
        query_string_parameters: joined(grouped(query_pairs(request.head.uri.query())), |_| true),
        request_context: context,
        path_parameters: &landing.parameters,
        body,
        is_base64_encoded,
        stage_variables: &stage.stage_variables,
    })
}

/// The event of format 1.0 as HTTP APIs write it, as JSON.
pub(super) fn of_format_1(request: &Incoming, landing: &Landing<'_>) -> serde_json::Result<String> {
    let stage = landing.staged.stage;
    let path = landing.staged.whole_path();
    let (headers, query) = (headers(request, landing), grouped(query_pairs(request.head.uri.query())));
    let last = |all: &BTreeMap<String, Vec<String>>| -> Map<String, Value> {
        all.iter().map(|(name, values)| (name.clone(), json!(values.last()))).collect()
    };
    let or_null = |value: Value, empty: bool| if empty { Value::Null } else { value };
    let (body, encoded) = body(request);
    let event = json!({
        "version": "1.0", "resource": landing.resource(), "path": path, "httpMethod": request.verb(),
        "headers": last(&headers), "multiValueHeaders": headers,
        "queryStringParameters": or_null(json!(last(&query)), query.is_empty()),
        "multiValueQueryStringParameters": or_null(json!(query), query.is_empty()),
        "pathParameters": or_null(json!(landing.parameters), landing.parameters.is_empty()),
        "stageVariables": or_null(json!(stage.stage_variables), stage.stage_variables.is_empty()),
        "requestContext": {
            "accountId": landing.scope.account, "apiId": landing.api, "domainName": landing.domain(),
            "domainPrefix": landing.api, "extendedRequestId": request.request_id, "httpMethod": request.verb(),
            "identity": identity(request, landing), "path": path, "protocol": request.protocol(),
            "requestId": request.request_id, "requestTime": request_time(request.at),
            "requestTimeEpoch": request.at.millis(), "resourceId": landing.route.route_key,
            "resourcePath": landing.resource(), "stage": stage.stage_name,
        },
        "body": body, "isBase64Encoded": encoded,
    });
    serde_json::to_string(&event)
}

fn identity(request: &Incoming, landing: &Landing<'_>) -> Value {
    let iam = landing.iam.as_ref().unwrap_or(&Value::Null);
    json!({
        "accessKey": iam["accessKey"], "accountId": iam["accountId"], "caller": iam["callerId"],
        "cognitoAuthenticationProvider": null, "cognitoAuthenticationType": null, "cognitoIdentityId": null,
        "cognitoIdentityPoolId": null, "principalOrgId": null, "sourceIp": request.source_ip(),
        "user": iam["userId"], "userAgent": request.header("user-agent").unwrap_or_default(), "userArn": iam["userArn"],
    })
}

/// The headers as functions see them: in small letters, with the gateway's own.
fn headers(request: &Incoming, landing: &Landing<'_>) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &request.head.headers {
        if !OF_CONNECTION.contains(&name.as_str()) {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            all.entry(name.as_str().to_owned()).or_default().push(value);
        }
    }
    let mut forwarded = all.remove("x-forwarded-for").unwrap_or_default();
    forwarded.push(request.source_ip());
    let mut set = |name: &str, value: String| all.insert(name.to_owned(), vec![value]);
    set("host", landing.domain());
    set(TRACE_HEADER, request.trace.to_string());
    set("x-forwarded-for", forwarded.join(", "));
    set("x-forwarded-port", "443".to_owned());
    set("x-forwarded-proto", "https".to_owned());
    all
}

fn grouped(pairs: Vec<(String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in pairs {
        all.entry(name).or_default().push(value);
    }
    all
}

/// Values of one name are one text, with commas between.
fn joined(all: BTreeMap<String, Vec<String>>, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    all.into_iter().filter(|(name, _)| wanted(name)).map(|(name, values)| (name, values.join(","))).collect()
}

fn cookies(request: &Incoming) -> Vec<&str> {
    let lines = request.head.headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).map(str::trim).filter(|cookie| !cookie.is_empty()).collect()
}

/// The body as text, or in base64 if its content type says that it is none; and which of them it is.
fn body(request: &Incoming) -> (Option<Cow<'_, str>>, bool) {
    if request.body.is_empty() {
        return (None, false);
    }
    let text = request.header("content-type").is_some_and(is_text).then(|| std::str::from_utf8(&request.body));
    match text {
        Some(Ok(text)) => (Some(text.into()), false),
        _ => (Some(STANDARD.encode(&request.body).into()), true),
    }
}

/// What HTTP APIs take for text: the types that AWS was seen to hand on as they are. No type is binary, and so is a form.
fn is_text(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    let utf8 = charset.is_none_or(|(_, charset)| {
        ["utf-8", "utf8", "us-ascii"].iter().any(|known| charset.trim_matches('"').eq_ignore_ascii_case(known))
    });
    utf8 && (kind.starts_with("text/")
        || matches!(kind.as_str(), "application/json" | "application/xml" | "application/javascript"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_aws_takes_for_it() {
        for text in ["application/json", "text/csv", "Application/JSON; charset=UTF-8", "text/plain;charset=utf-8"] {
            assert!(is_text(text), "{text}");
        }
        for binary in ["", "application/x-www-form-urlencoded", "image/png", "application/json; charset=utf-16"] {
            assert!(!is_text(binary), "{binary}");
        }
    }
}
