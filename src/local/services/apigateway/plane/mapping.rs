//! Parameter mappings: `method.response.header.X: integration.response.body.y`, and their like for requests.

use serde_json::Value;

use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::vtl::{Budget, JsonPath};

fn refused(expression: &str) -> GatewayFault {
    GatewayFault::invalid(format!("Invalid mapping expression specified: {expression}"))
}

fn is_static(source: &str) -> bool {
    source.len() >= 2 && source.starts_with('\'') && source.ends_with('\'')
}

fn check_source(source: &str, root: &str) -> Result<(), GatewayFault> {
    if is_static(source) || source.starts_with("context.") || source.starts_with("stageVariables.") {
        return Ok(());
    }
    let rest = source.strip_prefix(root).ok_or_else(|| refused(source))?;
    match rest.split_once('.').unwrap_or((rest, "")) {
        ("body", path) => JsonPath::parse(path).map(|_| ()).map_err(GatewayFault::unsupported),
        ("header" | "querystring" | "path" | "multivalueheader" | "multivaluequerystring", name)
            if !name.is_empty() =>
        {
            Ok(())
        }
        _ => Err(refused(source)),
    }
}

/// `integration.request.header.X` from something of the request.
pub(in crate::services::apigateway) fn check_request(target: &str, source: &str) -> Result<(), GatewayFault> {
    let place = target.strip_prefix("integration.request.").and_then(|rest| rest.split_once('.'));
    if place.is_none_or(|(place, name)| !["header", "querystring", "path"].contains(&place) || name.is_empty()) {
        return Err(refused(target));
    }
    check_source(source, "method.request.")
}

/// `method.response.header.X` from something of the integration's response.
pub(in crate::services::apigateway) fn check_response(target: &str, source: &str) -> Result<(), GatewayFault> {
    if target.strip_prefix("method.response.header.").is_none_or(str::is_empty) {
        return Err(refused(target));
    }
    check_source(source, "integration.response.")
}

/// What a source of a response mapping gives; a Lambda function's answer has a body and no headers to speak of.
pub(super) fn response_value(source: &str, body: &str, context: &Value, stage_variables: &Value) -> Option<String> {
    if is_static(source) {
        return Some(source[1..source.len() - 1].to_owned());
    }
    let text = |value: Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    let select = |path: &str, from: &Value| {
        let path = JsonPath::parse(path).ok()?;
        path.select(from, &mut Budget::for_body(body.len())).ok()?.and_then(text)
    };
    if let Some(path) = source.strip_prefix("context.") {
        return select(path, context);
    }
    if let Some(name) = source.strip_prefix("stageVariables.") {
        return stage_variables.get(name).cloned().and_then(text);
    }
    match source.strip_prefix("integration.response.body")? {
        "" => Some(body.to_owned()),
        path => select(path.trim_start_matches('.'), &serde_json::from_str(body).ok()?),
    }
}
