//! The service graph: which services traces went through, who called whom, and how that went.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::assemble::{Assembled, Segment, rounded};
use crate::scope::ACCOUNT;

/// Durations in a histogram are told with so many digits.
const PRECISION: f64 = 1000.0;

/// Name and type.
type Name = (String, Option<String>);

#[derive(Default)]
struct Statistics {
    ok: u64,
    fault: u64,
    throttle: u64,
    other_errors: u64,
    total: u64,
    seconds: f64,
    /// Thousandths of a second, and how often.
    histogram: BTreeMap<u64, u64>,
    from: Option<f64>,
    until: f64,
}

impl Statistics {
    fn add(&mut self, segment: &Segment) {
        self.total += 1;
        match segment.flags {
            flags if flags.is_ok() => self.ok += 1,
            flags if flags.fault => self.fault += 1,
            flags if flags.throttle => self.throttle += 1,
            _ => self.other_errors += 1,
        }
        self.from = Some(self.from.map_or(segment.start, |from| from.min(segment.start)));
        self.until = self.until.max(segment.end.unwrap_or(segment.start));
        if let Some(duration) = segment.duration() {
            self.seconds += duration;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration is never negative")]
            let thousandths = (duration * PRECISION).round() as u64;
            *self.histogram.entry(thousandths).or_default() += 1;
        }
    }

    fn summary(&self) -> Value {
        json!({
            "OkCount": self.ok,
            "ErrorStatistics": {
                "ThrottleCount": self.throttle, "OtherCount": self.other_errors,
                "TotalCount": self.throttle + self.other_errors,
            },
            "FaultStatistics": {"OtherCount": self.fault, "TotalCount": self.fault},
            "TotalCount": self.total,
            "TotalResponseTime": rounded(self.seconds),
        })
    }

    fn histogram(&self) -> Value {
        #[expect(clippy::cast_precision_loss, reason = "thousandths of a second of one request")]
        let entries =
            self.histogram.iter().map(|(value, count)| json!({"Value": *value as f64 / PRECISION, "Count": count}));
        entries.collect()
    }
}

/// The services of traces, each with the services it called.
#[derive(Default)]
pub(super) struct Graph {
    /// In the order in which they were met.
    names: Vec<Name>,
    services: Vec<Statistics>,
    edges: BTreeMap<(usize, usize), Statistics>,
    roots: Vec<usize>,
}

impl Graph {
    /// Takes one trace after the other: all together may be many times as large as what is kept of them.
    pub(super) fn of(traces: impl Iterator<Item = Assembled>) -> Self {
        let mut graph = Graph::default();
        traces.for_each(|trace| graph.add(&trace));
        graph
    }

    fn node(&mut self, name: Name) -> usize {
        if let Some(at) = self.names.iter().position(|there| *there == name) {
            return at;
        }
        self.names.push(name);
        self.services.push(Statistics::default());
        self.names.len() - 1
    }

    fn add(&mut self, trace: &Assembled) {
        for segment in &trace.segments {
            // What has no parent yet belongs to a service that is not known.
            if segment.document["type"] == "subsegment" {
                continue;
            }
            let at = self.node((segment.name.clone(), segment.origin.clone()));
            self.services[at].add(segment);
            let from = match trace.caller(segment).filter(|caller| caller.id != segment.id) {
                Some(caller) => self.node((caller.name.clone(), caller.origin.clone())),
                None => {
                    if !self.roots.contains(&at) {
                        self.roots.push(at);
                    }
                    let client = self.node((segment.name.clone(), Some("client".to_owned())));
                    self.services[client].add(segment);
                    client
                }
            };
            self.edges.entry((from, at)).or_default().add(segment);
        }
    }

    /// `Services`, in the model's words.
    pub(super) fn services(&self) -> Value {
        let service = |(at, (name, kind)): (usize, &Name)| {
            let statistics = &self.services[at];
            let edges = self.edges.iter().filter(|((from, _), _)| *from == at).map(|((_, to), edge)| {
                json!({
                    "ReferenceId": to, "StartTime": edge.from.unwrap_or_default(), "EndTime": edge.until,
                    "SummaryStatistics": edge.summary(), "ResponseTimeHistogram": edge.histogram(), "Aliases": [],
                })
            });
            let mut service = json!({
                "ReferenceId": at, "Name": name, "Names": [name], "AccountId": ACCOUNT, "State": "active",
                "StartTime": statistics.from.unwrap_or_default(), "EndTime": statistics.until,
                "Edges": edges.collect::<Value>(), "SummaryStatistics": statistics.summary(),
                "DurationHistogram": statistics.histogram(), "ResponseTimeHistogram": statistics.histogram(),
            });
            if let Some(kind) = kind {
                service["Type"] = json!(kind);
            }
            if self.roots.contains(&at) {
                service["Root"] = json!(true);
            }
            service
        };
        self.names.iter().enumerate().map(service).collect()
    }
}
