//! Writing a stream and reading it page by page.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::streams::named_group;
use crate::call::Call;
use crate::services::logs::faults::LogsFault;
use crate::services::logs::state::Logs;
use crate::services::logs::stream::{Event, Stream};

const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1_048_576;
const EVENT_OVERHEAD: usize = 26;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PutLogEvents {
    log_group_name: String,
    log_stream_name: String,
    log_events: Vec<InputEvent>,
    /// Ignored, as by AWS since 2023.
    #[serde(rename = "sequenceToken")]
    _sequence_token: Option<String>,
    /// Only metadata for another service (CloudWatch application signals).
    #[serde(rename = "entity")]
    _entity: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputEvent {
    timestamp: i64,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Put {
    next_sequence_token: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_log_events_info: Option<Rejected>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rejected {
    #[serde(skip_serializing_if = "Option::is_none")]
    too_new_log_event_start_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    too_old_log_event_end_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_log_event_end_index: Option<usize>,
}

fn check_batch(events: &[InputEvent]) -> Result<(), LogsFault> {
    if events.is_empty() || events.len() > MOST_EVENTS {
        return Err(LogsFault::invalid(format!(
            "1 validation error detected: Value at 'logEvents' failed to satisfy constraint: \
             Member must have length between 1 and {MOST_EVENTS}"
        )));
    }
    let bytes: usize = events.iter().map(|event| event.message.len() + EVENT_OVERHEAD).sum();
    if bytes > MOST_BYTES {
        return Err(LogsFault::invalid(format!("Upload too large: {bytes} bytes exceeds limit of {MOST_BYTES}")));
    }
    if events.iter().any(|event| event.message.is_empty()) {
        return Err(LogsFault::invalid("Log event message must not be empty."));
    }
    if events.windows(2).any(|pair| pair[0].timestamp > pair[1].timestamp) {
        return Err(LogsFault::invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    let span = events[events.len() - 1].timestamp - events[0].timestamp;
    if span > DAY {
        return Err(LogsFault::invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    Ok(())
}

/// Which part of an ordered batch is taken, and why the rest is not.
fn taken(events: &[InputEvent], now: i64, horizon: Option<i64>) -> (std::ops::Range<usize>, Rejected) {
    let before = |moment: i64| events.partition_point(|event| event.timestamp < moment);
    let too_old = before(now - 14 * DAY);
    let expired = horizon.map_or(0, before);
    let too_new = events.partition_point(|event| event.timestamp <= now + 2 * HOUR);
    let rejected = Rejected {
        too_new_log_event_start_index: (too_new < events.len()).then_some(too_new),
        too_old_log_event_end_index: (too_old > 0).then_some(too_old),
        expired_log_event_end_index: (expired > 0).then_some(expired),
    };
    (too_old.max(expired).min(too_new)..too_new, rejected)
}

/// PutLogEvents.
pub(crate) async fn put(logs: Arc<Logs>, call: &Call, input: PutLogEvents) -> Result<Put, LogsFault> {
    check_batch(&input.log_events)?;
    let group = logs.group(&call.scope, &input.log_group_name)?;
    let stream = logs.stream(&group, &input.log_stream_name)?;
    let now = logs.now();
    let (range, rejected) = taken(&input.log_events, now, group.horizon(now));
    if !range.is_empty() {
        let write = move || {
            let events: Vec<_> = input.log_events[range].iter().map(|e| (e.timestamp, e.message.as_str())).collect();
            stream.append(&events, now)
        };
        tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other).flatten()?;
    }
    let rejected_log_events_info = (rejected != Rejected::default()).then_some(rejected);
    Ok(Put {
        next_sequence_token: "49039859627520474168951741232341412338823164234326178834",
        rejected_log_events_info,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GetLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<usize>,
    start_from_head: Option<bool>,
    /// There is no data protection here: nothing is masked.
    #[serde(rename = "unmask")]
    _unmask: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page {
    events: Vec<OutputEvent>,
    next_forward_token: String,
    next_backward_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputEvent {
    timestamp: i64,
    message: String,
    ingestion_time: i64,
}

/// A place between two events: before the event with this time and number.
type Place = (i64, u64);

fn token(direction: char, (time, number): Place) -> String {
    format!("{direction}/{time:020}{number:036}/s")
}

fn parse_token(token: &str) -> Option<(char, Place)> {
    let (direction, rest) = token.split_once('/')?;
    let digits = rest.strip_suffix("/s")?;
    let (time, number) = digits.split_at_checked(20)?;
    let direction = direction.chars().next().filter(|direction| "fb".contains(*direction))?;
    Some((direction, (time.parse().ok()?, number.parse().ok()?)))
}

/// At most this much text in one answer, beside the number of events.
const PAGE_BYTES: usize = 1_048_576;

fn page(events: &[Event], from: Option<(char, Place)>, from_head: bool, limit: usize) -> Page {
    let at = |place: Place| events.partition_point(|event| (event.time(), event.number()) < place);
    let (forward, start) = match from {
        Some(('f', place)) => (true, at(place)),
        Some((_, place)) => (false, at(place)),
        None if from_head => (true, 0),
        None => (false, events.len()),
    };
    let mut room = PAGE_BYTES;
    let mut fits = |event: &Event| {
        let size = event.message().len() + EVENT_OVERHEAD;
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    let range = if forward {
        let count = events[start..].iter().take(limit).take_while(|event| fits(event)).count();
        start..start + count
    } else {
        let count = events[..start].iter().rev().take(limit).take_while(|event| fits(event)).count();
        start - count..start
    };
    // Past the last event the place stays where it was, so that a client that gets its own token back knows the end.
    let after = |index: usize| events.get(index).map_or((0, 0), |event| (event.time(), event.number() + 1));
    let before = |index: usize| events.get(index).map_or((i64::MAX, 0), |event| (event.time(), event.number()));
    let unmoved = from.map(|(_, place)| place).filter(|_| range.is_empty());
    let forward_place = match range.end.checked_sub(1) {
        Some(last) if !range.is_empty() => after(last),
        last => unmoved.unwrap_or_else(|| last.map_or((0, 0), after)),
    };
    let backward_place =
        if range.is_empty() { unmoved.unwrap_or_else(|| before(range.start)) } else { before(range.start) };
    Page {
        events: events[range].iter().map(output).collect(),
        next_forward_token: token('f', forward_place),
        next_backward_token: token('b', backward_place),
    }
}

fn output(event: &Event) -> OutputEvent {
    OutputEvent { timestamp: event.time(), message: event.message().to_owned(), ingestion_time: event.ingested() }
}

/// Reads a stream on a thread that may wait for the disk.
pub(super) async fn read(stream: Arc<Stream>, since: Option<i64>) -> Result<Vec<Event>, LogsFault> {
    Ok(tokio::task::spawn_blocking(move || stream.read(since)).await.map_err(std::io::Error::other).flatten()?)
}

/// GetLogEvents.
pub(crate) async fn get(logs: Arc<Logs>, call: &Call, input: GetLogEvents) -> Result<Page, LogsFault> {
    let limit = input.limit.unwrap_or(MOST_EVENTS);
    if !(1..=MOST_EVENTS).contains(&limit) {
        return Err(LogsFault::invalid(format!("The limit must be between 1 and {MOST_EVENTS}, not {limit}.")));
    }
    let from = match input.next_token.as_deref() {
        Some(token) => {
            Some(parse_token(token).ok_or_else(|| LogsFault::invalid("The specified nextToken is invalid."))?)
        }
        None => None,
    };
    let (_, group) = named_group(&logs, call, input.log_group_name, input.log_group_identifier)?;
    let stream = logs.stream(&group, &input.log_stream_name)?;
    // Forward of a place nothing older is wanted.
    let forward = from.filter(|(direction, _)| *direction == 'f').map(|(_, (time, _))| time);
    let since = input.start_time.max(group.horizon(logs.now())).max(forward);
    let mut events = read(stream, since).await?;
    if let Some(end) = input.end_time {
        events.retain(|event| event.time() < end);
    }
    Ok(page(&events, from, input.start_from_head.unwrap_or(false), limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(count: u64) -> Vec<Event> {
        (0..count).map(|n| Event(n, i64::try_from(n).unwrap() * 10, 0, format!("event {n}"))).collect()
    }

    fn texts(page: &Page) -> Vec<&str> {
        page.events.iter().map(|event| event.message.as_str()).collect()
    }

    #[test]
    fn forward_tokens_walk_to_the_end_and_then_stand_still() {
        let mut all = events(3);
        let first = page(&all, None, true, 2);
        assert_eq!(texts(&first), ["event 0", "event 1"]);
        let second = page(&all, parse_token(&first.next_forward_token), false, 2);
        assert_eq!(texts(&second), ["event 2"]);
        let end = page(&all, parse_token(&second.next_forward_token), false, 2);
        assert_eq!((texts(&end).len(), &end.next_forward_token), (0, &second.next_forward_token));
        all.push(Event(3, 40, 0, "new".into()));
        assert_eq!(texts(&page(&all, parse_token(&end.next_forward_token), false, 2)), ["new"]);
    }

    #[test]
    fn without_a_token_the_newest_come_first_and_backward_goes_to_older_ones() {
        let all = events(3);
        let newest = page(&all, None, false, 2);
        assert_eq!(texts(&newest), ["event 1", "event 2"]);
        let older = page(&all, parse_token(&newest.next_backward_token), false, 2);
        assert_eq!(texts(&older), ["event 0"]);
        assert_eq!(texts(&page(&[], None, true, 2)).len(), 0);
    }

    #[test]
    fn events_too_old_expired_or_too_new_are_named_by_index() {
        let now = 100 * DAY;
        let at = |timestamp| InputEvent { timestamp, message: "m".into() };
        let batch = [at(now - 2 * DAY), at(now - HOUR), at(now), at(now + 3 * HOUR)];
        let (range, rejected) = taken(&batch, now, Some(now - DAY));
        assert_eq!(range, 1..3);
        assert_eq!(
            rejected,
            Rejected {
                too_new_log_event_start_index: Some(3),
                too_old_log_event_end_index: None,
                expired_log_event_end_index: Some(1)
            }
        );
        assert!(matches!(check_batch(&[at(5), at(4)]), Err(LogsFault::Invalid(_))));
    }
}
