//! A request as the gateway sees it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::execute_api::request::request_time;
use crate::services::apigateway::state::Stage;
use crate::services::apigateway::vtl::Params;

/// A request to a stage.
pub(super) struct Incoming {
    pub verb: Method,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The path below the stage as it came, with its first slash.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub source_ip: String,
    pub request_id: String,
    pub extended_id: String,
    pub at: Timestamp,
}

/// The name as browsers and curl write it. HTTP names have no case, and the one they came in is gone once they are read.
pub(super) fn title_case(name: &str) -> String {
    let parts = name.split('-').map(|part| {
        let mut chars = part.chars();
        chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
    });
    parts.collect::<Vec<_>>().join("-")
}

impl Incoming {
    /// The parts of the path, decoded.
    pub(super) fn parts(&self) -> Vec<String> {
        let trimmed = self.path.trim_matches('/');
        let parts = trimmed.split('/').filter(|_| !trimmed.is_empty());
        parts.map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The content type without its parameters; `application/json` if the client gave none.
    pub(super) fn content_type(&self) -> String {
        let given =
            self.header("content-type").and_then(|text| text.split(';').next()).map(|text| text.trim().to_lowercase());
        given.filter(|text| !text.is_empty()).unwrap_or_else(|| "application/json".into())
    }

    /// The headers as functions see them, the last value of each; and all values.
    pub(super) fn header_maps(&self, api: &str, region: &str, trace: &str) -> (Map<String, Value>, Map<String, Value>) {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in &self.headers {
            let hop = ["connection", "transfer-encoding", "keep-alive", "te", "upgrade", "content-length"]
                .contains(&name.as_str());
            if !hop {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                all.entry(title_case(name.as_str())).or_default().push(value);
            }
        }
        let mut set = |name: &str, value: String| all.insert(name.to_owned(), vec![value]);
        set("Host", format!("{api}.execute-api.{region}.amazonaws.com"));
        set("X-Amzn-Trace-Id", trace.to_owned());
        set("X-Forwarded-For", self.source_ip.clone());
        set("X-Forwarded-Port", "443".into());
        set("X-Forwarded-Proto", "https".into());
        let single = all.iter().map(|(name, values)| (name.clone(), json!(values.last())));
        (single.collect(), all.iter().map(|(name, values)| (name.clone(), json!(values))).collect())
    }

    /// The query as the last value of each name; and all values.
    pub(super) fn query_maps(&self) -> (Map<String, Value>, Map<String, Value>) {
        let (mut single, mut all) = (Map::new(), Map::new());
        for (name, value) in &self.query {
            single.insert(name.clone(), json!(value));
            if let Some(values) = all.entry(name.clone()).or_insert_with(|| json!([])).as_array_mut() {
                values.push(json!(value));
            }
        }
        (single, all)
    }

    /// Parameters for templates.
    pub(super) fn params(&self, path: &BTreeMap<String, String>) -> Params {
        let header = self
            .headers
            .iter()
            .map(|(name, value)| (title_case(name.as_str()), json!(String::from_utf8_lossy(value.as_bytes()))));
        Params {
            path: path.iter().map(|(name, value)| (name.clone(), json!(value))).collect(),
            query: self.query_maps().0,
            header: header.collect(),
        }
    }
}

/// Where in the API a request has landed.
pub(super) struct Landing<'l> {
    pub account: &'l str,
    pub region: &'l str,
    pub api: &'l str,
    pub stage: &'l Stage,
    pub resource_id: &'l str,
    pub resource_path: &'l str,
    pub api_key: Option<(&'l str, &'l str)>,
}

/// `requestContext` of proxy events, `$context` of templates.
pub(super) fn context(request: &Incoming, landing: &Landing<'_>) -> Value {
    let mut identity = json!({
        "accessKey": null, "accountId": null, "caller": null, "cognitoAuthenticationProvider": null,
        "cognitoAuthenticationType": null, "cognitoIdentityId": null, "cognitoIdentityPoolId": null, "principalOrgId": null,
        "sourceIp": request.source_ip, "user": null, "userAgent": request.header("user-agent"), "userArn": null,
    });
    if let Some((id, value)) = landing.api_key {
        identity["apiKey"] = json!(value);
        identity["apiKeyId"] = json!(id);
    }
    json!({
        "accountId": landing.account, "apiId": landing.api, "deploymentId": landing.stage.deployment_id,
        "domainName": format!("{}.execute-api.{}.amazonaws.com", landing.api, landing.region), "domainPrefix": landing.api,
        "extendedRequestId": request.extended_id, "httpMethod": request.verb.as_str(), "identity": identity,
        "path": format!("/{}{}", landing.stage.stage_name, request.path), "protocol": "HTTP/1.1", "requestId": request.request_id,
        "requestTime": request_time(request.at), "requestTimeEpoch": request.at.millis(), "resourceId": landing.resource_id,
        "resourcePath": landing.resource_path, "stage": landing.stage.stage_name,
    })
}
