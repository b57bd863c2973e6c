//! What X-Ray is told of an invocation: a segment of the service, and within it one of the function.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html>

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::failure::Failure;
use crate::cloud::Cloud;
use crate::services::lambda::state::Version;
use crate::tracer::{Request, TraceHeader, seconds};

/// An invocation as a part of a trace.
#[derive(Clone, Debug)]
pub(in crate::services::lambda) struct Traced {
    /// As it came: its parent is the caller's segment.
    header: TraceHeader,
    sampled: bool,
    service_id: String,
    function_id: String,
    /// When the request came, in microseconds since the epoch.
    received: i64,
    /// Of an event: which try this is.
    attempt: Option<u32>,
}

/// When what happened, in microseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// The environment's start, if this invocation began with it, and how long that took.
    pub init: Option<(i64, Duration)>,
    pub began: i64,
    /// The function's answer.
    pub answered: i64,
}

fn id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

impl Traced {
    /// Goes on with the caller's trace or begins one. Who traces actively looks at what nobody has decided about; who passes
    /// through looks only at what the caller looks at.
    pub(in crate::services::lambda) fn of(cloud: &Cloud, version: &Version, caller: Option<TraceHeader>) -> Arc<Self> {
        let received = cloud.clock.micros();
        let header = caller.unwrap_or_else(|| {
            let (high, low): (u64, u32) = rand::random();
            let root = format!("1-{:08x}-{high:016x}{low:08x}", received.div_euclid(1_000_000));
            TraceHeader { root, parent: None, sampled: None }
        });
        let sampled = header.sampled.unwrap_or_else(|| {
            let recorder = cloud.recorder().filter(|_| version.tracing == "Active");
            recorder.is_some_and(|recorder| recorder.samples(&version.region, &request(version, &version.arn())))
        });
        Arc::new(Traced { header, sampled, service_id: id(), function_id: id(), received, attempt: None })
    }

    /// The same for a try at an event that was accepted at `accepted` (milliseconds).
    pub(in crate::services::lambda) fn of_event(self: Arc<Self>, accepted: i64, attempt: u32) -> Arc<Self> {
        let traced = Arc::unwrap_or_clone(self);
        Arc::new(Traced { received: accepted.saturating_mul(1000), attempt: Some(attempt), ..traced })
    }

    /// What an event is kept with, so that every try goes on with the same trace and decision.
    pub(in crate::services::lambda) fn to_keep(&self) -> String {
        TraceHeader { sampled: Some(self.sampled), ..self.header.clone() }.to_string()
    }

    /// What the function is given: `Root=…;Parent=…;Sampled=…`, its own segment as the parent.
    pub(super) fn header(&self) -> String {
        TraceHeader { sampled: Some(self.sampled), ..self.header.below(&self.function_id) }.to_string()
    }

    /// Trace and function segment, if anybody looks.
    pub(super) fn looked_at(&self) -> Option<(&str, &str)> {
        self.sampled.then_some((self.header.root.as_str(), self.function_id.as_str()))
    }

    /// Writes both segments of an invocation that has ended.
    pub(super) fn record(
        &self,
        (cloud, version): (&Cloud, &Version),
        (request_id, failure): (&str, Option<&Failure>),
        times: Times,
    ) {
        if !self.sampled {
            return;
        }
        let ended = cloud.clock.micros();
        let mut service = self.service(version, request_id, ended);
        let mut parent = self.service_id.clone();
        if let Some(attempt) = self.attempt {
            parent = id();
            service["subsegments"] = json!([
                part(&id(), "Dwell Time", self.received, times.began),
                part(&parent, &format!("Attempt #{attempt}"), times.began, ended),
            ]);
        }
        let mut function = part(&self.function_id, &version.name, times.began, ended);
        function["trace_id"] = json!(self.header.root);
        function["parent_id"] = json!(parent);
        function["origin"] = json!("AWS::Lambda::Function");
        let arn = version.arn();
        function["aws"] = json!({"account_id": version.account, "function_arn": arn, "resource_names": [version.name]});
        let mut parts = Vec::new();
        if let Some((began, took)) = times.init {
            let took = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
            parts.push(part(&id(), "Initialization", began, began.saturating_add(took)));
        }
        parts.push(part(&id(), "Invocation", times.began, times.answered));
        parts.push(part(&id(), "Overhead", times.answered, ended));
        if let Some(failure) = failure {
            let cause = cause(failure, request_id);
            for node in [&mut function, &mut service] {
                node["fault"] = json!(true);
            }
            function["cause"] = cause;
        }
        for part in &mut parts {
            part["aws"] = json!({"function_arn": arn});
        }
        function["subsegments"] = json!(parts);
        self.send(cloud, version, [service, function]);
    }

    /// Writes the service's segment of a request that found no room.
    pub(in crate::services::lambda) fn throttled(&self, cloud: &Cloud, version: &Version, request_id: &str) {
        if !self.sampled {
            return;
        }
        let mut service = self.service(version, request_id, cloud.clock.micros());
        service["http"] = json!({"response": {"status": 429}});
        (service["error"], service["throttle"]) = (json!(true), json!(true));
        self.send(cloud, version, [service]);
    }

    fn service(&self, version: &Version, request_id: &str, ended: i64) -> Value {
        let mut service = part(&self.service_id, &version.name, self.received, ended);
        service["trace_id"] = json!(self.header.root);
        if let Some(parent) = &self.header.parent {
            service["parent_id"] = json!(parent);
        }
        service["http"] = json!({"response": {"status": if self.attempt.is_some() { 202 } else { 200 }}});
        service["aws"] = json!({"request_id": request_id});
        service["origin"] = json!("AWS::Lambda");
        service["resource_arn"] = json!(version.arn());
        service
    }

    fn send<const N: usize>(&self, cloud: &Cloud, version: &Version, documents: [Value; N]) {
        let Some(recorder) = cloud.recorder() else { return };
        for document in documents {
            recorder.record(&version.region, document);
        }
    }
}

fn request<'r>(version: &'r Version, arn: &'r str) -> Request<'r> {
    Request { service: &version.name, kind: "AWS::Lambda", arn, host: "", method: "POST", path: "" }
}

fn part(id: &str, name: &str, began: i64, ended: i64) -> Value {
    json!({"id": id, "name": name, "start_time": seconds(began), "end_time": seconds(ended.max(began))})
}

/// The exception that the caller is told, as X-Ray has it.
fn cause(failure: &Failure, request_id: &str) -> Value {
    let payload: Value = serde_json::from_slice(&failure.payload(request_id)).unwrap_or_default();
    let text = |name: &str| payload[name].as_str().map(|text| text.chars().take(1000).collect::<String>());
    let exception = json!({
        "id": id(), "type": text("errorType").unwrap_or_else(|| failure.kind().to_owned()),
        "message": text("errorMessage").unwrap_or_default(),
    });
    json!({"working_directory": "/var/task", "exceptions": [exception]})
}
