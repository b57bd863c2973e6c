//! A request as a part of a trace. <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-xray.html>

use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderMap, Response};
use serde_json::{Value, json};

use super::request::{Incoming, Landing};
use crate::cloud::Cloud;
use crate::scope::Scope;
use crate::services::apigateway::state::{Api, Stage};
use crate::tracer::{Request, TRACE_HEADER, TraceHeader, seconds};

/// Where a traced request goes.
pub(super) struct Place<'p> {
    pub region: &'p str,
    pub api: &'p Api,
    pub stage: &'p Stage,
    pub method: &'p str,
    /// Below the stage.
    pub path: &'p str,
}

impl Place<'_> {
    fn name(&self) -> String {
        format!("{}/{}", self.api.name, self.stage.stage_name)
    }

    fn arn(&self) -> String {
        format!("arn:aws:apigateway:{}::/restapis/{}/stages/{}", self.region, self.api.id, self.stage.stage_name)
    }

    fn host(&self) -> String {
        format!("{}.execute-api.{}.amazonaws.com", self.api.id, self.region)
    }
}

/// The trace that a request is in, and what the gateway has seen of it.
pub(super) struct Journey {
    /// As it came, with the stage's own decision if it has one.
    header: TraceHeader,
    /// The gateway's own segment, if it writes one.
    segment: Option<String>,
    began: i64,
    call: OnceLock<LambdaCall>,
}

/// A call of a function, as the gateway sees it.
struct LambdaCall {
    id: String,
    function: String,
    began: i64,
    ended: i64,
    /// Of Lambda's answer; nothing if there was none in time.
    status: Option<u16>,
    length: usize,
}

impl Journey {
    /// Goes on with the client's trace or begins one; only a stage with tracing decides and writes.
    pub(super) fn of(cloud: &Cloud, headers: &HeaderMap, place: Option<Place<'_>>) -> Self {
        let given = headers.get(TRACE_HEADER).and_then(|header| TraceHeader::parse(header.to_str().ok()?));
        let mut header = given.unwrap_or_else(|| TraceHeader::begin(cloud.clock.now(), &cloud.ids));
        let mut segment = None;
        if let Some((place, recorder)) = place.filter(|place| place.stage.tracing_enabled).zip(cloud.recorder()) {
            let (name, arn, host) = (place.name(), place.arn(), place.host());
            let path = format!("/{}{}", place.stage.stage_name, place.path);
            let request = Request {
                service: &name,
                kind: "AWS::ApiGateway::Stage",
                arn: &arn,
                host: &host,
                method: place.method,
                path: &path,
            };
            let sampled = header.sampled.unwrap_or_else(|| recorder.samples(place.region, &request));
            header.sampled = Some(sampled);
            segment = sampled.then(|| cloud.ids.hex(16));
        }
        Journey { header, segment, began: cloud.clock.micros(), call: OnceLock::new() }
    }

    /// What the integration and the client are told.
    pub(super) fn header(&self) -> String {
        match &self.segment {
            Some(segment) => self.header.below(segment).to_string(),
            None => self.header.to_string(),
        }
    }

    /// What Lambda is told: the gateway's call as the parent. Whoever gives it back says how the call ended.
    pub(super) fn call(&self, cloud: &Cloud) -> (TraceHeader, Called) {
        let called = Called { id: cloud.ids.hex(16), began: cloud.clock.micros() };
        match &self.segment {
            Some(_) => (self.header.below(&called.id), called),
            None => (self.header.clone(), called),
        }
    }

    pub(super) fn called(&self, cloud: &Cloud, called: Called, function: &str, answer: Option<(u16, usize)>) {
        let Called { id, began } = called;
        let (status, length) = answer.map_or((None, 0), |(status, length)| (Some(status), length));
        let call = LambdaCall { id, function: function.to_owned(), began, ended: cloud.clock.micros(), status, length };
        // A request calls one function at most.
        let _ = self.call.set(call);
    }

    /// Writes the gateway's segment.
    pub(super) fn record(
        &self,
        (cloud, scope, api): (&Cloud, &Scope, &Api),
        request: &Incoming,
        landing: &Landing<'_>,
        response: &Response<Bytes>,
    ) {
        let (Some(segment), Some(recorder)) = (&self.segment, cloud.recorder()) else { return };
        let place = Place {
            region: landing.region,
            api,
            stage: landing.stage,
            method: request.verb.as_str(),
            path: &request.path,
        };
        let (stage, status) = (&landing.stage.stage_name, response.status().as_u16());
        let mut document = json!({
            "id": segment, "name": place.name(), "trace_id": self.header.root, "origin": "AWS::ApiGateway::Stage",
            "start_time": seconds(self.began), "end_time": seconds(cloud.clock.micros().max(self.began)),
            "resource_arn": place.arn(),
            "http": {
                "request": {
                    "url": format!("https://{}/{stage}{}", place.host(), request.path), "method": place.method,
                    "client_ip": request.source_ip, "x_forwarded_for": true,
                },
                "response": {"status": status, "content_length": response.body().len()},
            },
            "aws": {"api_gateway": {
                "account_id": scope.account, "rest_api_id": api.id, "stage": stage, "request_id": request.request_id,
            }},
            "annotations": {"aws:api_id": api.id, "aws:api_stage": stage},
            "metadata": {"default": {"extended_request_id": request.extended_id, "request_id": request.request_id}},
        });
        if let Some(agent) = request.header("user-agent") {
            document["http"]["request"]["user_agent"] = json!(agent);
        }
        if let Some(parent) = &self.header.parent {
            document["parent_id"] = json!(parent);
        }
        mark(&mut document, status);
        if let Some(call) = self.call.get() {
            document["subsegments"] = json!([call.subsegment(landing.region)]);
        }
        recorder.record(landing.region, document);
    }
}

/// A call that has begun.
pub(super) struct Called {
    id: String,
    began: i64,
}

impl LambdaCall {
    fn subsegment(&self, region: &str) -> Value {
        let name = self.function.split(":function:").nth(1).unwrap_or(&self.function);
        let url = format!("https://lambda.{region}.amazonaws.com/2015-03-31/functions/{}/invocations", self.function);
        let mut subsegment = json!({
            "id": self.id, "name": "Lambda", "start_time": seconds(self.began), "end_time": seconds(self.ended),
            "namespace": "aws", "http": {"request": {"url": url, "method": "POST"}},
            "aws": {"function_name": name, "region": region, "operation": "Invoke", "resource_names": [name]},
        });
        match self.status {
            Some(status) => {
                subsegment["http"]["response"] = json!({"status": status, "content_length": self.length});
                mark(&mut subsegment, status);
            }
            None => subsegment["fault"] = json!(true),
        }
        subsegment
    }
}

/// What a status means to X-Ray.
fn mark(node: &mut Value, status: u16) {
    match status {
        429 => (node["error"], node["throttle"]) = (json!(true), json!(true)),
        400..500 => node["error"] = json!(true),
        500.. => node["fault"] = json!(true),
        _ => {}
    }
}
