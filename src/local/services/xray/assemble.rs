//! A trace put together from its documents: subsegments that came by themselves joined to their parents, and segments inferred
//! for downstream services that sent none.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::segment::moment;

/// So deep subsegments are joined into each other; those below stand apart. (What is deeper few clients can read, and a chain of
/// thousands would be the stack's end.)
const DEEPEST: usize = 64;

/// What went wrong in one segment or subsegment, by its own members or by its response's status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub fault: bool,
    pub error: bool,
    pub throttle: bool,
}

impl Flags {
    pub(super) fn of(node: &Value) -> Self {
        let status = node["http"]["response"]["status"].as_u64().unwrap_or_default();
        let says = |name: &str| node[name] == true;
        Flags {
            fault: says("fault") || (500..600).contains(&status),
            error: says("error") || (400..500).contains(&status),
            throttle: says("throttle") || status == 429,
        }
    }

    pub(super) fn is_ok(self) -> bool {
        self == Flags::default()
    }
}

/// One segment with all that belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub id: String,
    pub name: String,
    pub parent: Option<String>,
    /// `AWS::Lambda::Function`, `remote`, …
    pub origin: Option<String>,
    /// Of a downstream service that sent nothing.
    pub inferred: bool,
    pub start: f64,
    pub end: Option<f64>,
    pub flags: Flags,
    pub document: Value,
}

/// A trace.
#[derive(Clone, Debug, Default)]
pub(super) struct Assembled {
    pub id: String,
    /// In the order of their start.
    pub segments: Vec<Segment>,
    /// The segment in which each segment or subsegment is, by id.
    owners: HashMap<String, usize>,
    /// A segment or subsegment has not ended, or its parent never came.
    pub partial: bool,
}

impl Assembled {
    pub(super) fn of<'d>(id: &str, documents: impl Iterator<Item = &'d str>) -> Self {
        let parsed = documents.filter_map(|text| serde_json::from_str::<Value>(text).ok());
        let (apart, mut whole): (Vec<Value>, Vec<Value>) =
            parsed.partition(|document| document["type"] == "subsegment");
        let mut waiting: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for subsegment in apart {
            waiting.entry(text(&subsegment, "parent_id")).or_default().push(subsegment);
        }
        whole.iter_mut().for_each(|segment| join(segment, &mut waiting, DEEPEST));
        let orphans: Vec<Value> = left_over(waiting);
        let mut trace = Assembled { id: id.to_owned(), partial: !orphans.is_empty(), ..Assembled::default() };
        whole.extend(orphans);
        let called: HashSet<String> = whole.iter().map(|segment| text(segment, "parent_id")).collect();
        let mut inferred = Vec::new();
        for segment in &whole {
            trace.partial |= is_open(segment);
            each_subsegment(segment, &mut |subsegment| {
                trace.partial |= is_open(subsegment);
                if !called.contains(&text(subsegment, "id")) {
                    inferred.extend(infer(id, subsegment));
                }
            });
        }
        whole.extend(inferred);
        trace.segments = whole.into_iter().map(Segment::of).collect();
        trace.segments.sort_by(|one, other| one.start.total_cmp(&other.start));
        trace.own();
        trace
    }

    /// Notes in which segment every id is.
    fn own(&mut self) {
        let owners = &mut self.owners;
        for (at, segment) in self.segments.iter().enumerate() {
            owners.insert(segment.id.clone(), at);
            each_subsegment(&segment.document, &mut |subsegment| {
                owners.insert(text(subsegment, "id"), at);
            });
        }
    }

    /// The segment that called this one.
    pub(super) fn caller(&self, segment: &Segment) -> Option<&Segment> {
        self.owners.get(segment.parent.as_deref()?).map(|at| &self.segments[*at])
    }

    /// The segments called by this one or by the subsegment of it with the id.
    pub(super) fn called_by<'t>(&'t self, id: &'t str) -> impl Iterator<Item = &'t Segment> {
        self.segments.iter().filter(move |segment| segment.parent.as_deref() == Some(id))
    }

    /// Where the trace begins: the first segment that nobody in it called.
    pub(super) fn root(&self) -> Option<&Segment> {
        let entries = self.segments.iter().filter(|segment| !segment.inferred);
        entries.clone().find(|segment| self.caller(segment).is_none()).or_else(|| entries.clone().next())
    }

    pub(super) fn start(&self) -> f64 {
        self.segments.first().map_or(0.0, |segment| segment.start)
    }

    pub(super) fn end(&self) -> f64 {
        self.segments.iter().filter_map(|segment| segment.end).fold(self.start(), f64::max)
    }

    /// From the first beginning to the last end.
    pub(super) fn duration(&self) -> f64 {
        rounded(self.end() - self.start())
    }

    /// How long the caller waited.
    pub(super) fn response_time(&self) -> Option<f64> {
        let root = self.root()?;
        root.end.map(|end| rounded(end - root.start))
    }
}

/// Microseconds are what documents have; a difference of doubles has noise beyond them.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1_000_000.0).round() / 1_000_000.0
}

impl Segment {
    fn of(document: Value) -> Self {
        let some = |name: &str| document[name].as_str().map(str::to_owned);
        Segment {
            id: text(&document, "id"),
            name: text(&document, "name"),
            parent: some("parent_id"),
            origin: some("origin"),
            inferred: document["inferred"] == true,
            start: start(&document),
            end: moment(&document["end_time"]),
            flags: Flags::of(&document),
            document,
        }
    }

    pub(super) fn duration(&self) -> Option<f64> {
        self.end.map(|end| rounded(end - self.start))
    }
}

pub(super) fn text(node: &Value, name: &str) -> String {
    node[name].as_str().unwrap_or_default().to_owned()
}

pub(super) fn subsegments(node: &Value) -> &[Value] {
    node["subsegments"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Every subsegment below a segment, parents first.
pub(super) fn each_subsegment<'v>(node: &'v Value, each: &mut impl FnMut(&'v Value)) {
    for subsegment in subsegments(node) {
        each(subsegment);
        each_subsegment(subsegment, each);
    }
}

fn is_open(node: &Value) -> bool {
    node["in_progress"] == true || node.get("end_time").is_none()
}

/// Puts subsegments that came by themselves where they belong, in the order of their start.
fn join(node: &mut Value, waiting: &mut BTreeMap<String, Vec<Value>>, deep: usize) {
    if deep == 0 || waiting.is_empty() {
        return;
    }
    let come = waiting.remove(&text(node, "id")).unwrap_or_default();
    let Some(members) = node.as_object_mut() else { return };
    if !come.is_empty() {
        let there = members.entry("subsegments").or_insert_with(|| json!([]));
        if let Some(there) = there.as_array_mut() {
            let known: HashSet<String> = there.iter().map(|subsegment| text(subsegment, "id")).collect();
            let fresh = come.into_iter().filter(|subsegment| !known.contains(&text(subsegment, "id")));
            there.extend(fresh.map(embedded));
            there.sort_by(|one, other| start(one).total_cmp(&start(other)));
        }
    }
    for subsegment in members.get_mut("subsegments").and_then(Value::as_array_mut).into_iter().flatten() {
        join(subsegment, waiting, deep - 1);
    }
}

fn start(node: &Value) -> f64 {
    moment(&node["start_time"]).unwrap_or_default()
}

/// A subsegment within its parent needs no name of it.
fn embedded(mut subsegment: Value) -> Value {
    if let Some(members) = subsegment.as_object_mut() {
        for name in ["type", "trace_id", "parent_id"] {
            members.shift_remove(name);
        }
    }
    subsegment
}

/// Subsegments whose parents never came, those joined that have each other.
fn left_over(mut waiting: BTreeMap<String, Vec<Value>>) -> Vec<Value> {
    let ids: HashSet<String> = waiting.values().flatten().map(|subsegment| text(subsegment, "id")).collect();
    let tops: Vec<String> = waiting.keys().filter(|parent| !ids.contains(*parent)).cloned().collect();
    let mut found: Vec<Value> = tops.iter().filter_map(|top| waiting.remove(top)).flatten().collect();
    found.iter_mut().for_each(|subsegment| join(subsegment, &mut waiting, DEEPEST));
    // What is its own ancestor has no top, and what is too deep has one; both are shown as they came.
    found.extend(waiting.into_values().flatten());
    found
}

/// The segment that a call to a service, which sends none itself, stands for.
fn infer(trace_id: &str, subsegment: &Value) -> Option<Value> {
    let namespace = subsegment["namespace"].as_str()?;
    // "X-Ray considers the trace to be broken until the downstream service uploads a segment."
    if subsegment["http"]["request"]["traced"] == true {
        return None;
    }
    // What stands within a document was not looked at when it came.
    let began = moment(&subsegment["start_time"])?;
    if moment(&subsegment["end_time"]).is_some_and(|ended| ended < began) {
        return None;
    }
    let origin = origin(namespace, subsegment)?;
    let id = text(subsegment, "id");
    let mut segment = Map::new();
    segment.insert("id".into(), json!(hex::encode(&Sha256::digest(format!("{trace_id}/{id}"))[..8])));
    let mut copy = |names: &[&str]| {
        let there = names.iter().filter_map(|name| Some(((*name).to_owned(), subsegment.get(*name)?.clone())));
        segment.extend(there);
    };
    copy(&["name", "start_time", "end_time", "in_progress"]);
    copy(&["http", "aws", "error", "fault", "throttle", "cause", "sql"]);
    segment.insert("parent_id".into(), json!(id));
    segment.insert("inferred".into(), json!(true));
    segment.insert("trace_id".into(), json!(trace_id));
    segment.insert("origin".into(), json!(origin));
    Some(Value::Object(segment))
}

fn origin(namespace: &str, subsegment: &Value) -> Option<String> {
    let name = subsegment["name"].as_str()?;
    let aws = &subsegment["aws"];
    Some(match (namespace, name) {
        ("remote", _) if subsegment.get("sql").is_some() => "Database::SQL".to_owned(),
        ("remote", _) => "remote".to_owned(),
        ("aws", "DynamoDB") if aws.get("table_name").is_some() => "AWS::DynamoDB::Table".to_owned(),
        ("aws", "SQS") if aws.get("queue_url").is_some() => "AWS::SQS::Queue".to_owned(),
        ("aws", name) => format!("AWS::{name}"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "1-6b49d200-000000000000000000000001";

    fn trace(documents: &[Value]) -> Assembled {
        let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
        Assembled::of(TRACE, texts.iter().map(String::as_str))
    }

    fn segment(id: &str, start: f64, end: f64) -> Value {
        json!({"id": id, "name": format!("s{id}"), "trace_id": TRACE, "start_time": start, "end_time": end})
    }

    fn subsegment(id: &str, parent: &str, start: f64, end: f64) -> Value {
        let mut made = segment(id, start, end);
        made["type"] = json!("subsegment");
        made["parent_id"] = json!(parent);
        made
    }

    #[test]
    fn subsegments_that_come_by_themselves_are_joined_whatever_their_order() {
        let documents = [
            subsegment("c", "b", 3.0, 4.0),
            subsegment("b", "a", 2.0, 5.0),
            subsegment("d", "a", 1.5, 1.8),
            segment("a", 1.0, 6.0),
        ];
        let made = trace(&documents);
        assert_eq!((made.segments.len(), made.partial, made.duration()), (1, false, 5.0));
        let below = subsegments(&made.segments[0].document);
        assert_eq!(below.iter().map(|node| text(node, "id")).collect::<Vec<_>>(), ["d", "b"]);
        assert_eq!(subsegments(&below[1])[0]["id"], "c");
        assert!(below[1].get("trace_id").is_none() && below[1].get("type").is_none());
    }

    #[test]
    fn what_has_no_parent_yet_is_shown_and_the_trace_is_partial() {
        let made = trace(&[subsegment("c", "b", 3.0, 4.0), subsegment("b", "a", 2.0, 5.0)]);
        assert_eq!((made.segments.len(), made.partial), (1, true));
        assert_eq!(subsegments(&made.segments[0].document)[0]["id"], "c");
        let circle = trace(&[subsegment("c", "b", 3.0, 4.0), subsegment("b", "c", 2.0, 5.0)]);
        assert_eq!(circle.segments.len(), 2);
    }

    #[test]
    fn a_chain_of_thousands_is_cut_into_pieces_that_can_be_read() {
        let chain = (1..3000).map(|n| subsegment(&n.to_string(), &(n - 1).to_string(), f64::from(n), 9999.0));
        let made = trace(&std::iter::once(segment("0", 0.0, 9999.0)).chain(chain).collect::<Vec<_>>());
        assert!(made.partial && made.segments.len() > 10);
        let depth = made.segments[0].document.to_string().matches("subsegments").count();
        assert_eq!(depth, DEEPEST);
    }

    #[test]
    fn a_call_to_a_service_that_sends_nothing_is_inferred_and_one_that_does_is_not() {
        let mut caller = segment("a", 1.0, 6.0);
        caller["subsegments"] = json!([
            {"id": "b", "name": "DynamoDB", "start_time": 2, "end_time": 3, "namespace": "aws", "aws": {"table_name": "t"},
                "http": {"response": {"status": 500}}},
            {"id": "c", "name": "Lambda", "start_time": 3, "end_time": 4, "namespace": "aws"},
            {"id": "d", "name": "own work", "start_time": 4, "end_time": 5},
            {"id": "f", "name": "SQS", "start_time": 1e308, "end_time": 1e308, "namespace": "aws"},
            {"id": "g", "name": "SQS", "start_time": 4, "end_time": 3, "namespace": "aws"},
            {"id": "h", "name": "SQS", "namespace": "aws"},
        ]);
        let mut callee = segment("e", 3.1, 3.9);
        callee["parent_id"] = json!("c");
        callee["origin"] = json!("AWS::Lambda");
        let made = trace(&[caller, callee]);
        let origins: Vec<_> = made.segments.iter().map(|segment| segment.origin.as_deref()).collect();
        assert_eq!(origins, [None, Some("AWS::DynamoDB::Table"), Some("AWS::Lambda")]);
        let inferred = &made.segments[1];
        assert!(inferred.inferred && inferred.flags.fault && inferred.id.len() == 16);
        assert_eq!(made.caller(inferred).map(|caller| caller.id.as_str()), Some("a"));
        assert_eq!(made.root().map(|root| root.id.as_str()), Some("a"));
        assert_eq!(made.called_by("c").map(|called| called.id.as_str()).collect::<Vec<_>>(), ["e"]);
    }

    #[test]
    fn what_runs_on_makes_a_trace_partial_and_gives_no_response_time() {
        let mut open = segment("a", 1.0, 6.0);
        open.as_object_mut().unwrap().remove("end_time");
        open["in_progress"] = json!(true);
        let made = trace(&[open]);
        assert_eq!((made.partial, made.response_time(), made.duration()), (true, None, 0.0));
    }
}
