//! Finding and reading traces: GetTraceSummaries and BatchGetTraces.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::page;
use crate::call::Call;
use crate::clock::Timestamp;
use crate::scope::Scope;
use crate::services::xray::assemble::Assembled;
use crate::services::xray::faults::XRayFault;
use crate::services::xray::filter::{Filter, parse};
use crate::services::xray::segment::RETENTION_SECONDS;
use crate::services::xray::state::XRay;
use crate::services::xray::store::Found;
use crate::services::xray::summary;
use crate::tracer::is_trace_id;

/// How many summaries a page has, and how many traces are looked at for one.
const PAGE: usize = 100;
const MOST_SCANNED: usize = 2000;
/// "The maximum number of trace ids is 5."
const MOST_TRACES: usize = 5;
/// The longest time that one question may be about.
const LONGEST_RANGE: i64 = 24 * 3600 * 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct GetTraceSummaries {
    start_time: Timestamp,
    end_time: Timestamp,
    time_range_type: Option<String>,
    sampling: Option<bool>,
    sampling_strategy: Option<Strategy>,
    filter_expression: Option<String>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Strategy {
    name: Option<String>,
}

/// Checks the time that a question is about.
pub(super) fn range(start: Timestamp, end: Timestamp, longest: i64) -> Result<(i64, i64), XRayFault> {
    if end < start {
        return Err(XRayFault::invalid("The EndTime must not be before the StartTime."));
    }
    if end.millis() - start.millis() > longest {
        return Err(XRayFault::invalid(format!("Time range cannot be longer than {} hours.", longest / 3_600_000)));
    }
    Ok((start.millis(), end.millis()))
}

impl XRay {
    /// Reads a filter expression; groups are those of the caller's region.
    pub(super) fn filter(&self, scope: &Scope, expression: &str) -> Result<Filter, XRayFault> {
        let settings = self.settings.region(scope);
        parse(expression, &|name| settings.groups.get(name).map(|group| group.filter.clone()))
    }
}

/// Which traces a question is about, by the time that it names.
struct Wanted {
    from: i64,
    until: i64,
    by: String,
}

impl Wanted {
    /// The seconds in which the traces to look at began. A trace ends, or is sent, after that.
    fn began(&self) -> (i64, i64) {
        let from = self.from.div_euclid(1000);
        match self.by.as_str() {
            "TraceId" => (from, self.until.div_euclid(1000)),
            _ => (from - RETENTION_SECONDS, self.until.div_euclid(1000)),
        }
    }

    fn fits(&self, found: &Found, trace: &Assembled) -> bool {
        #[expect(clippy::cast_possible_truncation, reason = "a time in a document, to the millisecond")]
        let millis = |seconds: f64| (seconds * 1000.0) as i64;
        let within = |time: i64| (self.from..=self.until).contains(&time);
        match self.by.as_str() {
            "Event" => within(found.last),
            "Service" => trace.segments.iter().filter_map(|segment| segment.end).any(|end| within(millis(end))),
            // Whole seconds.
            _ => (self.from.div_euclid(1000)..=self.until.div_euclid(1000)).contains(&found.began),
        }
    }
}

pub(crate) async fn summaries(xray: Arc<XRay>, call: &Call, input: GetTraceSummaries) -> Result<Value, XRayFault> {
    let (from, until) = range(input.start_time, input.end_time, LONGEST_RANGE)?;
    if input.sampling == Some(true) || input.sampling_strategy.is_some_and(|strategy| strategy.name.is_some()) {
        return Err(XRayFault::Unsupported(
            "a sample of the summaries (Sampling, SamplingStrategy of GetTraceSummaries)".into(),
        ));
    }
    let filter = xray.filter(&call.scope, input.filter_expression.as_deref().unwrap_or_default())?;
    let after = page::after(input.next_token.as_deref())?;
    let wanted = Wanted { from, until, by: input.time_range_type.unwrap_or_else(|| "TraceId".into()) };
    let (region, now) = (call.scope.region.clone(), xray.now());
    let searching = tokio::task::spawn_blocking(move || {
        let (from, until) = wanted.began();
        let place = |found: &Found| format!("{:010}/{}", found.began, found.id);
        let all = xray.store.between(&region, from, until);
        let mut rest = all.iter().filter(|found| after.as_ref().is_none_or(|after| place(found) < *after)).peekable();
        let (mut scanned, mut summaries, mut last) = (0, Vec::new(), None);
        while summaries.len() < PAGE && scanned < MOST_SCANNED {
            let Some(found) = rest.next() else { break };
            (scanned, last) = (scanned + 1, Some(found));
            let trace = found.assembled();
            if wanted.fits(found, &trace) && filter.fits(&trace) {
                summaries.push(summary::of(found, &trace));
            }
        }
        let mut answer = json!({
            "TraceSummaries": summaries, "TracesProcessedCount": scanned, "ApproximateTime": Timestamp::from_millis(now),
        });
        if let Some(last) = last.filter(|_| rest.peek().is_some()) {
            answer["NextToken"] = json!(page::token(&place(last)));
        }
        answer
    });
    searching.await.map_err(|error| XRayFault::Disk(error.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct BatchGetTraces {
    trace_ids: Vec<String>,
    #[serde(rename = "NextToken")]
    _next_token: Option<String>,
}

/// Checks the ids of traces.
pub(super) fn ids(ids: &[String]) -> Result<(), XRayFault> {
    if ids.is_empty() || ids.len() > MOST_TRACES {
        return Err(XRayFault::invalid(format!("A request names 1 to {MOST_TRACES} traces.")));
    }
    match ids.iter().find(|id| !is_trace_id(id)) {
        Some(id) => Err(XRayFault::invalid(format!("Invalid trace id: {}", id.chars().take(40).collect::<String>()))),
        None => Ok(()),
    }
}

pub(crate) async fn batch(xray: Arc<XRay>, call: &Call, input: BatchGetTraces) -> Result<Value, XRayFault> {
    ids(&input.trace_ids)?;
    let (mut traces, mut unknown) = (Vec::new(), Vec::new());
    for id in &input.trace_ids {
        let Some(found) = xray.store.trace(&call.scope.region, id) else {
            unknown.push(id);
            continue;
        };
        let trace = found.assembled();
        let segments = trace.segments.iter();
        let segments = segments.map(|segment| json!({"Id": segment.id, "Document": segment.document.to_string()}));
        traces.push(json!({
            "Id": id, "Duration": trace.duration(), "LimitExceeded": found.limit_exceeded,
            "Segments": segments.collect::<Value>(),
        }));
    }
    Ok(json!({"Traces": traces, "UnprocessedTraceIds": unknown}))
}
