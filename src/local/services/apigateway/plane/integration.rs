//! Runs a method's integration: a Lambda function as proxy or through templates, or a mock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::compile::{CompiledMethod, CompiledResponse};
use super::event::{self, event};
use super::refusal::Refusal;
use super::request::{Incoming, Landing, context};
use super::trace::{Called, Journey};
use super::{mapping, proxy};
use crate::cloud::Cloud;
use crate::execute_api::function::{lambda_arn, with_variables};
use crate::fault::Fault;
use crate::scope::Scope;
use crate::services::apigateway::state::Texts;
use crate::services::apigateway::vtl::{Inputs, Params, Template, render};

/// One request on its way through a method.
pub(super) struct Passage<'p> {
    pub cloud: &'p Arc<Cloud>,
    pub scope: &'p Scope,
    pub request: &'p Incoming,
    pub landing: &'p Landing<'p>,
    pub method: &'p CompiledMethod,
    pub path_parameters: &'p BTreeMap<String, String>,
    pub binary: &'p [String],
    pub journey: &'p Journey,
}

/// What an integration gave: its body, and the text that selects the response (an error message, a mock's status).
struct Outcome {
    body: String,
    select: Option<String>,
}

const INVOCATION_TYPE: &str = "X-Amz-Invocation-Type";

/// A value as a header has it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Passage<'_> {
    /// Runs the integration within its own time.
    pub(super) async fn run(&self) -> Result<Response<Bytes>, Refusal> {
        let integration = self.method.method.method_integration.as_ref().ok_or(Refusal::Configuration)?;
        let within = Duration::from_millis(u64::from(integration.timeout_in_millis));
        let run = async {
            match integration.kind.as_str() {
                "AWS_PROXY" => self.proxy().await,
                "AWS" => self.respond(self.invoke_with_templates().await?),
                "MOCK" => self.respond(self.mock()?),
                _ => Err(Refusal::Configuration),
            }
        };
        tokio::time::timeout(within, run).await.unwrap_or(Err(Refusal::TimedOut))
    }

    fn stage_variables(&self) -> Map<String, Value> {
        self.landing.stage.variables.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
    }

    /// The function to call, stage variables put in.
    fn function(&self) -> Result<String, Refusal> {
        let integration = self.method.method.method_integration.as_ref().ok_or(Refusal::Configuration)?;
        let uri = with_variables(integration.uri.as_deref().unwrap_or_default(), &self.landing.stage.variables);
        lambda_arn(&uri).map(str::to_owned).ok_or(Refusal::Configuration)
    }

    /// Invokes the function, whose policy has to let this method.
    async fn invoke(&self, payload: Bytes, event: bool) -> Result<(Value, Bytes), Refusal> {
        let function = self.function()?;
        let landing = self.landing;
        let resource =
            format!("{}/{}/{}{}", landing.api, landing.stage.stage_name, self.request.verb, landing.resource_path);
        let source = self.scope.arn("execute-api", resource);
        let scope = self.scope.as_service("apigateway.amazonaws.com");
        let mut input = json!({"FunctionName": function});
        if event {
            input["InvocationType"] = "Event".into();
        }
        let (trace, called) = self.journey.call(self.cloud);
        let mut call = PendingCall { passage: self, called: Some(called), function: &function };
        let reply = self.cloud.call_for(&scope, ("lambda", "Invoke"), (input, payload), (trace, source)).await;
        call.ended(match &reply {
            Ok(reply) => (reply.status.unwrap_or(200), reply.body.len()),
            Err(fault) => (fault.status.unwrap_or(if fault.code == "TooManyRequestsException" { 429 } else { 500 }), 0),
        });
        reply.map(|reply| (reply.output, reply.body)).map_err(|fault| refused(&fault, &function))
    }

    async fn proxy(&self) -> Result<Response<Bytes>, Refusal> {
        let landing = self.landing;
        let parts = event::Parts {
            resource: landing.resource_path,
            path_parameters: self.path_parameters.iter().map(|(name, value)| (name.clone(), json!(value))).collect(),
            headers: self.request.header_maps(landing.api, landing.region, &self.journey.header()),
            stage_variables: self.stage_variables(),
            context: context(self.request, landing),
            binary: self.binary,
        };
        let payload = event(self.request, parts).to_string();
        let (output, body) = self.invoke(payload.into(), false).await?;
        if output.get("FunctionError").is_some() {
            return Err(Refusal::MalformedAnswer);
        }
        proxy::answer(&body, !self.binary.is_empty())
    }

    fn render(&self, template: &Template, body: &str, params: &Params) -> Result<(String, Option<Value>), Refusal> {
        let mut context = context(self.request, self.landing);
        context["responseOverride"] = json!({"header": {}});
        let inputs =
            Inputs { body, params, context: &context, stage_variables: &Value::Object(self.stage_variables()) };
        render(template, &inputs).map(|rendered| (rendered.text, rendered.context)).map_err(|why| {
            tracing::warn!(why, resource = self.landing.resource_path, "a mapping template failed");
            Refusal::Configuration
        })
    }

    /// The body for the integration, by template or as it came, and `$context` as the template left it.
    fn integration_body(&self) -> Result<(String, Option<Value>), Refusal> {
        let kind = self.request.content_type();
        let passthrough =
            self.method.method.method_integration.as_ref().map(|integration| integration.passthrough_behavior.as_str());
        let body = || String::from_utf8_lossy(&self.request.body).into_owned();
        match self.method.templates.get(&kind) {
            Some(template) => {
                let params = self.request.params(self.path_parameters);
                self.render(template, &body(), &params)
            }
            None => match passthrough {
                Some("WHEN_NO_MATCH") => Ok((body(), None)),
                Some("WHEN_NO_TEMPLATES") if self.method.templates.is_empty() => Ok((body(), None)),
                _ => Err(Refusal::UnsupportedMediaType),
            },
        }
    }

    async fn invoke_with_templates(&self) -> Result<Outcome, Refusal> {
        let (mut body, changed) = self.integration_body()?;
        if body.trim().is_empty() {
            body = "{}".into();
        }
        let asynchronous = self.invocation_type(changed.as_ref()).as_deref() == Some("Event");
        let (output, payload) = self.invoke(body.into(), asynchronous).await?;
        let text = String::from_utf8_lossy(&payload).into_owned();
        let error = output.get("FunctionError").is_some().then(|| serde_json::from_slice::<Value>(&payload).ok());
        let select = error.flatten().and_then(|error| error.get("errorMessage")?.as_str().map(str::to_owned));
        Ok(Outcome { body: text, select })
    }

    /// `X-Amz-Invocation-Type`, the one header that the integration itself heeds: as a template has set it, or a mapping.
    fn invocation_type(&self, changed: Option<&Value>) -> Option<String> {
        let set = changed.and_then(|context| context["requestOverride"]["header"].as_object());
        let set = set.and_then(|headers| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(INVOCATION_TYPE)));
        if let Some((_, value)) = set {
            return Some(plain(value));
        }
        let integration = self.method.method.method_integration.as_ref()?;
        let (_, source) = integration.request_parameters.iter().find(|(target, _)| {
            target.eq_ignore_ascii_case(&format!("integration.request.header.{INVOCATION_TYPE}"))
        })?;
        match source.strip_prefix("method.request.header.") {
            Some(name) => self.request.header(&name.to_lowercase()).map(str::to_owned),
            None => Some(source.trim_matches('\'').to_owned()),
        }
    }

    fn mock(&self) -> Result<Outcome, Refusal> {
        let answer: Value = serde_json::from_str(&self.integration_body()?.0).map_err(|_| Refusal::Configuration)?;
        let status = answer.get("statusCode").and_then(Value::as_u64).ok_or(Refusal::Configuration)?;
        Ok(Outcome { body: String::new(), select: Some(status.to_string()) })
    }

    /// The client's answer: the integration response that is selected, its template and its headers.
    fn respond(&self, outcome: Outcome) -> Result<Response<Bytes>, Refusal> {
        let chosen = self.method.response(outcome.select.as_deref()).ok_or(Refusal::Configuration)?;
        if !self.method.method.method_responses.contains_key(&chosen.response.status_code) {
            return Err(Refusal::Configuration);
        }
        let (body, kind, changed) = self.response_body(chosen, &outcome.body)?;
        let mut response = Response::new(Bytes::from(body));
        let mut status: u16 = chosen.response.status_code.parse().map_err(|_| Refusal::Configuration)?;
        let headers = response.headers_mut();
        if let Ok(kind) = HeaderValue::from_str(&kind) {
            headers.insert(http::header::CONTENT_TYPE, kind);
        }
        let mut put = |name: &str, value: &str| {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
                headers.insert(name, value);
            }
        };
        for (name, value) in self.mapped_headers(&chosen.response.response_parameters, &outcome.body) {
            put(&name, &value);
        }
        let overrides = changed.as_ref().map_or(&Value::Null, |context| &context["responseOverride"]);
        for (name, value) in overrides["header"].as_object().into_iter().flatten() {
            put(name, &plain(value));
        }
        if !overrides["status"].is_null() {
            status = plain(&overrides["status"]).parse().map_err(|_| Refusal::Configuration)?;
        }
        *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Refusal::Configuration)?;
        Ok(response)
    }

    /// Body, its type, and `$context` as the template left it.
    fn response_body(&self, chosen: &CompiledResponse, body: &str) -> Result<(String, String, Option<Value>), Refusal> {
        let template = chosen.templates.get_key_value("application/json").or_else(|| chosen.templates.iter().next());
        match template {
            None => Ok((body.to_owned(), "application/json".into(), None)),
            Some((kind, template)) => {
                let params = self.request.params(self.path_parameters);
                let (text, changed) = self.render(template, body, &params)?;
                Ok((text, kind.clone(), changed))
            }
        }
    }

    fn mapped_headers(&self, parameters: &Texts, body: &str) -> Vec<(String, String)> {
        if parameters.is_empty() {
            return Vec::new();
        }
        let (context, variables) = (context(self.request, self.landing), Value::Object(self.stage_variables()));
        let value = |source: &str| mapping::response_value(source, body, &context, &variables);
        let headers = parameters.iter().filter_map(|(target, source)| {
            Some((target.strip_prefix("method.response.header.")?.to_owned(), value(source)?))
        });
        headers.collect()
    }
}

/// A call of a function that has no answer yet. One that is given up has none.
struct PendingCall<'p> {
    passage: &'p Passage<'p>,
    called: Option<Called>,
    function: &'p str,
}

impl PendingCall<'_> {
    fn ended(&mut self, answer: (u16, usize)) {
        if let Some(called) = self.called.take() {
            self.passage.journey.called(self.passage.cloud, called, self.function, Some(answer));
        }
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        if let Some(called) = self.called.take() {
            self.passage.journey.called(self.passage.cloud, called, self.function, None);
        }
    }
}

/// What a fault of Lambda means to the client.
fn refused(fault: &Fault, function: &str) -> Refusal {
    match fault.code.as_str() {
        "InvalidRequestContentException" => Refusal::BadBody(fault.message.clone()),
        "RequestTooLargeException" => Refusal::TooLarge,
        _ => {
            tracing::warn!(%fault, function, "API Gateway could not invoke the function");
            Refusal::Configuration
        }
    }
}
