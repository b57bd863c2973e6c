//! Events.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Service, page};
use crate::call::Call;
use crate::clock::Timestamp;
use crate::services::elasticache::faults::CacheFault;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeEvents {
    source_identifier: Option<String>,
    source_type: Option<String>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    /// In minutes; an hour if nothing is said.
    duration: Option<i64>,
    max_records: Option<usize>,
    marker: Option<String>,
}

pub(in super::super) async fn describe(service: Service, call: &Call, input: DescribeEvents) -> Answer {
    if input.source_identifier.is_some() && input.source_type.is_none() {
        return Err(CacheFault::Combination("Cannot specify SourceIdentifier without SourceType.".to_owned()));
    }
    let now = service.cloud.clock.now();
    let from = input.start_time.unwrap_or_else(|| now.plus_millis(-60_000 * input.duration.unwrap_or(60)));
    let until = input.end_time.unwrap_or(now);
    let caches = service.caches.get();
    let events = caches.regions.get(&call.scope.region).into_iter().flat_map(|region| region.events.iter());
    let wanted = events.filter(|event| {
        event.at >= from
            && event.at <= until
            && input.source_type.as_ref().is_none_or(|kind| *kind == event.kind)
            && input.source_identifier.as_ref().is_none_or(|source| *source == event.source)
    });
    let shown = wanted.map(|event| {
        json!({"SourceIdentifier": event.source, "SourceType": event.kind, "Message": event.message, "Date": event.at})
    });
    let shown: Vec<Value> = shown.collect();
    page("Events", shown, input.max_records, input.marker.as_deref())
}
