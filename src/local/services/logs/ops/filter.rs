//! FilterLogEvents: the streams of a group merged by time, filtered by a pattern.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::events::read;
use super::streams::named_group;
use crate::call::Call;
use crate::services::logs::faults::LogsFault;
use crate::services::logs::pattern::{Pattern, PatternError};
use crate::services::logs::state::Logs;
use crate::services::logs::stream::Event;

const MOST_EVENTS: usize = 10_000;
const MOST_STREAMS: usize = 100;
const PAGE_BYTES: usize = 1_048_576;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FilterLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
    start_from_head: Option<bool>,
    /// AWS ignores it: events are always interleaved.
    #[serde(rename = "interleaved")]
    _interleaved: Option<bool>,
    #[serde(rename = "unmask")]
    _unmask: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filtered {
    events: Vec<Match>,
    /// Always empty on AWS too ("this parameter is deprecated").
    searched_log_streams: Vec<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Match {
    log_stream_name: String,
    timestamp: i64,
    message: String,
    ingestion_time: i64,
    event_id: String,
}

/// Where an event stands among those of all streams.
type Place = (i64, i64, String, u64);

fn place(stream: &str, event: &Event) -> Place {
    (event.time(), event.ingested(), stream.to_owned(), event.number())
}

fn encode(place: &Place) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::json!(place).to_string())
}

fn decode(token: &str) -> Result<Place, LogsFault> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.ok_or_else(|| LogsFault::invalid("The specified nextToken is invalid."))
}

/// 56 digits, different for every event of a group.
fn event_id(stream: &str, event: &Event) -> String {
    let hash = stream
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{:014}{hash:020}{:022}", event.time(), event.number())
}

/// FilterLogEvents.
pub(crate) async fn filter(logs: Arc<Logs>, call: &Call, input: FilterLogEvents) -> Result<Filtered, LogsFault> {
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        return Err(LogsFault::invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters."));
    }
    if input.start_from_head == Some(false) {
        return Err(LogsFault::Unsupported("startFromHead false of FilterLogEvents".into()));
    }
    let limit = input.limit.unwrap_or(MOST_EVENTS);
    if !(1..=MOST_EVENTS).contains(&limit) {
        return Err(LogsFault::invalid(format!("The limit must be between 1 and {MOST_EVENTS}, not {limit}.")));
    }
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or(""));
    let pattern = pattern.map_err(|PatternError(why)| LogsFault::Invalid(why))?;
    let after = input.next_token.as_deref().map(decode).transpose()?;
    let (_, group) = named_group(&logs, call, input.log_group_name, input.log_group_identifier)?;
    let streams = match &input.log_stream_names {
        Some(names) if names.len() > MOST_STREAMS => {
            return Err(LogsFault::invalid(format!("At most {MOST_STREAMS} logStreamNames can be given.")));
        }
        Some(names) => names.iter().map(|name| logs.stream(&group, name)).collect::<Result<_, _>>()?,
        None => logs.streams(&group),
    };
    // What an earlier page has told need not be read again.
    let since = input.start_time.max(group.horizon(logs.now())).max(after.as_ref().map(|after| after.0));
    let mut found: Vec<(Place, Event)> = Vec::new();
    for stream in streams {
        let wanted = input.log_stream_name_prefix.as_deref().is_none_or(|prefix| stream.name.starts_with(prefix));
        let recent = stream.summary().last.is_some_and(|last| since.is_none_or(|since| last >= since));
        if !wanted || !recent {
            continue;
        }
        let name = stream.name.clone();
        let events = read(stream, since).await?;
        let matching = events
            .into_iter()
            .filter(|event| input.end_time.is_none_or(|end| event.time() <= end) && pattern.matches(event.message()));
        found.extend(matching.map(|event| (place(&name, &event), event)));
    }
    found.retain(|(place, _)| after.as_ref().is_none_or(|after| place > after));
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(first_page(found, limit))
}

fn first_page(found: Vec<(Place, Event)>, limit: usize) -> Filtered {
    let mut room = PAGE_BYTES;
    let fitting = found.iter().take(limit).take_while(|(_, event)| {
        let fits = event.message().len() <= room;
        room = room.saturating_sub(event.message().len());
        fits
    });
    let count = fitting.count();
    let next_token = (count < found.len() && count > 0).then(|| encode(&found[count - 1].0));
    let events = found.into_iter().take(count).map(|((_, _, stream, _), event)| Match {
        event_id: event_id(&stream, &event),
        timestamp: event.time(),
        ingestion_time: event.ingested(),
        message: event.3,
        log_stream_name: stream,
    });
    Filtered { events: events.collect(), searched_log_streams: Vec::new(), next_token }
}
