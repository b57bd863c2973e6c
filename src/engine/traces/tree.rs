//! One trace as a tree of spans, parents before what they called, in the order of time.

use crate::aws::traces::TraceDocuments;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// Deeper spans are left out: nobody reads them, and a chain of thousands would be the stack's end.
const DEEPEST: usize = 64;

/// What came of a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    #[default]
    Ok,
    /// It has not ended.
    Open,
    Error,
    Throttle,
    Fault,
}

impl Mark {
    fn of(node: &Value) -> Self {
        let status = node["http"]["response"]["status"].as_u64().unwrap_or_default();
        let says = |name: &str| node[name] == true;
        match () {
            () if says("fault") || (500..600).contains(&status) => Mark::Fault,
            () if says("throttle") || status == 429 => Mark::Throttle,
            () if says("error") || (400..500).contains(&status) => Mark::Error,
            () if node.get("end_time").is_none() => Mark::Open,
            () => Mark::Ok,
        }
    }

    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Mark::Ok => "",
            Mark::Open => "running",
            Mark::Error => "ERROR",
            Mark::Throttle => "THROTTLED",
            Mark::Fault => "FAULT",
        }
    }
}

/// A segment or subsegment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Span {
    pub id: String,
    pub name: String,
    /// `AWS::Lambda::Function`, `aws`, `remote`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    pub depth: usize,
    /// After the trace's beginning.
    pub start_ms: f64,
    /// Until now, of what has not ended, nothing is known.
    pub duration_ms: Option<f64>,
    pub mark: Mark,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u64>,
    /// A statement, an operation, an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What its exceptions say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, Value>,
}

/// A trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trace {
    pub id: String,
    /// Seconds since the epoch.
    pub start: f64,
    pub duration_ms: f64,
    /// X-Ray has not kept all of it.
    pub cut: bool,
    pub spans: Vec<Span>,
}

struct Nodes<'d> {
    segments: Vec<&'d Value>,
    seen: HashSet<&'d str>,
    start: f64,
    spans: Vec<Span>,
}

impl Trace {
    pub fn of(documents: &TraceDocuments) -> Trace {
        // What X-Ray infers of a service that sends nothing repeats the call to it.
        let segments: Vec<&Value> = documents.segments.iter().filter(|segment| segment["inferred"] != true).collect();
        let start = segments.iter().map(|segment| began(segment)).fold(f64::INFINITY, f64::min);
        let start = if start.is_finite() { start } else { 0.0 };
        let known: HashSet<&str> = segments.iter().flat_map(|segment| ids(segment)).collect();
        let mut nodes = Nodes { segments, seen: HashSet::new(), start, spans: Vec::new() };
        let mut tops: Vec<&Value> = nodes.segments.clone();
        tops.retain(|segment| segment["parent_id"].as_str().is_none_or(|parent| !known.contains(parent)));
        in_time(&mut tops);
        tops.into_iter().for_each(|top| nodes.visit(top, 0));
        // Of segments that call each other none is the first; they are shown as they come.
        nodes.segments.clone().into_iter().for_each(|segment| nodes.visit(segment, 0));
        let ends = nodes.spans.iter().map(|span| span.start_ms + span.duration_ms.unwrap_or_default());
        let duration_ms = ends.fold(0.0, f64::max);
        Trace { id: documents.id.clone(), start, duration_ms, cut: documents.cut, spans: nodes.spans }
    }

    /// The request that it began with, its status, and whether anything went wrong.
    pub fn worst(&self) -> Mark {
        self.spans.iter().map(|span| span.mark).max().unwrap_or_default()
    }
}

impl<'d> Nodes<'d> {
    fn visit(&mut self, node: &'d Value, depth: usize) {
        let id = node["id"].as_str().unwrap_or_default();
        if depth > DEEPEST || !self.seen.insert(id) {
            return;
        }
        self.spans.push(span(node, depth, self.start));
        let mut below: Vec<&Value> = node["subsegments"].as_array().into_iter().flatten().collect();
        below.extend(self.segments.iter().filter(|segment| segment["parent_id"] == id));
        in_time(&mut below);
        below.into_iter().for_each(|node| self.visit(node, depth + 1));
    }
}

fn began(node: &Value) -> f64 {
    node["start_time"].as_f64().unwrap_or_default()
}

fn in_time(nodes: &mut [&Value]) {
    nodes.sort_by(|one, other| began(one).total_cmp(&began(other)));
}

fn ids(node: &Value) -> Vec<&str> {
    let mut found: Vec<&str> = node["id"].as_str().into_iter().collect();
    found.extend(node["subsegments"].as_array().into_iter().flatten().flat_map(ids));
    found
}

fn span(node: &Value, depth: usize, start: f64) -> Span {
    let text = |node: &Value| node.as_str().map(str::to_owned);
    let exceptions = node["cause"]["exceptions"].as_array().into_iter().flatten();
    let message = |exception: &Value| {
        let (kind, message) = (text(&exception["type"]), text(&exception["message"]));
        let parts: Vec<String> = [kind, message].into_iter().flatten().filter(|part| !part.is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    };
    let millis = |seconds: f64| (seconds * 1_000_000.0).round() / 1000.0;
    Span {
        id: text(&node["id"]).unwrap_or_default(),
        name: text(&node["name"]).unwrap_or_default(),
        kind: text(&node["origin"]).or_else(|| text(&node["namespace"])),
        depth,
        start_ms: millis(began(node) - start),
        duration_ms: node["end_time"].as_f64().map(|end| millis(end - began(node)).max(0.0)),
        mark: Mark::of(node),
        status: node["http"]["response"]["status"].as_u64(),
        detail: detail(node),
        messages: exceptions.filter_map(message).collect(),
        annotations: node["annotations"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    }
}

fn detail(node: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let request = &node["http"]["request"];
    let statement =
        || text(&node["sql"]["sanitized_query"]).or_else(|| text(&node["metadata"]["default"]["statement"]));
    let address = || match (text(&request["method"]), text(&request["url"])) {
        (Some(method), Some(url)) => Some(format!("{method} {url}")),
        (method, url) => url.or(method),
    };
    let operation = || text(&node["aws"]["operation"]);
    statement().or_else(operation).or_else(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn documents(segments: Vec<Value>) -> TraceDocuments {
        TraceDocuments { id: "1-6b49d200-000000000000000000000001".to_owned(), cut: false, segments }
    }

    #[test]
    fn spans_come_parents_first_in_time_with_their_marks() {
        let trace = Trace::of(&documents(vec![
            json!({"id": "f", "name": "put", "origin": "AWS::Lambda::Function", "parent_id": "s", "start_time": 10.02,
                "end_time": 10.09, "fault": true, "cause": {"exceptions": [{"type": "Oops", "message": "no hero"}]},
                "subsegments": [
                    {"id": "q", "name": "lab@aurora", "namespace": "remote", "start_time": 10.03, "end_time": 10.05,
                        "sql": {"sanitized_query": "SELECT 1"}},
                    {"id": "i", "name": "Initialization", "start_time": 10.01, "end_time": 10.02}]}),
            json!({"id": "x", "name": "lab@aurora", "inferred": true, "parent_id": "q", "start_time": 10.03, "end_time": 10.05}),
            json!({"id": "s", "name": "put", "origin": "AWS::Lambda", "parent_id": "l", "start_time": 10.01, "end_time": 10.1,
                "http": {"response": {"status": 200}}}),
            json!({"id": "g", "name": "api/dev", "origin": "AWS::ApiGateway::Stage", "start_time": 10.0, "end_time": 10.11,
                "http": {"request": {"method": "POST", "url": "https://x/dev/"}, "response": {"status": 502}},
                "annotations": {"aws:api_id": "x"},
                "subsegments": [{"id": "l", "name": "Lambda", "namespace": "aws", "aws": {"operation": "Invoke"},
                    "start_time": 10.005, "end_time": 10.105}]}),
        ]));
        let shown: Vec<_> = trace.spans.iter().map(|span| (span.depth, span.id.as_str(), span.start_ms)).collect();
        assert_eq!(
            shown,
            [(0, "g", 0.0), (1, "l", 5.0), (2, "s", 10.0), (3, "f", 20.0), (4, "i", 10.0), (4, "q", 30.0)]
        );
        assert_eq!((trace.duration_ms, trace.worst()), (110.0, Mark::Fault));
        assert_eq!(trace.spans[0].detail.as_deref(), Some("POST https://x/dev/"));
        assert_eq!((trace.spans[0].status, trace.spans[0].mark), (Some(502), Mark::Fault));
        assert_eq!(
            (trace.spans[3].messages.as_slice(), trace.spans[3].mark),
            (["Oops: no hero".to_owned()].as_slice(), Mark::Fault)
        );
        assert_eq!((trace.spans[5].detail.as_deref(), trace.spans[5].duration_ms), (Some("SELECT 1"), Some(20.0)));
    }

    #[test]
    fn circles_orphans_and_what_runs_on_are_shown() {
        let trace = Trace::of(&documents(vec![
            json!({"id": "a", "name": "a", "parent_id": "b", "start_time": 1.0, "end_time": 2.0}),
            json!({"id": "b", "name": "b", "parent_id": "a", "start_time": 1.0, "end_time": 2.0}),
            json!({"id": "c", "name": "c", "parent_id": "gone", "start_time": 3.0, "in_progress": true}),
        ]));
        assert_eq!(trace.spans.iter().map(|span| span.id.as_str()).collect::<Vec<_>>(), ["c", "a", "b"]);
        assert_eq!((trace.spans[0].mark, trace.spans[0].duration_ms), (Mark::Open, None));
        assert_eq!(Trace::of(&documents(Vec::new())).spans, []);
    }
}
