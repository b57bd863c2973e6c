//! Calls of a function: what one printed, and what many took.

use super::load::{Report, Tally};
use crate::aws::functions::{Called, FunctionCall};
use crate::aws::logs::{LogEvent, LogQuery};
use crate::aws::{Aws, AwsError};
use serde::Serialize;
use serde_json::Value;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Clocks here and there differ, and what was logged before a call belongs to it: its environment's start.
const BEFORE: i64 = 60_000;
/// How long the whole of a log may take to arrive.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(300);

/// What a function says of its failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Thrown {
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<String>,
}

impl Thrown {
    /// Reads the payload of a failed call. A custom runtime may put anything there.
    pub fn of(payload: &[u8]) -> Thrown {
        let value: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let stack = value["stackTrace"].as_array().into_iter().flatten();
        Thrown {
            kind: text("errorType").unwrap_or_else(|| "Error".to_owned()),
            message: text("errorMessage")
                .unwrap_or_else(|| String::from_utf8_lossy(payload).into_owned())
                .trim_end()
                .to_owned(),
            stack: stack.map(|line| line.as_str().map_or_else(|| line.to_string(), str::to_owned)).collect(),
        }
    }
}

/// How long an environment took to start for a call, in milliseconds; `None` for one that was warm. From the line REPORT, as
/// text or as JSON.
pub fn init_ms(log: &str) -> Option<f64> {
    // The line REPORT is the last: what the function printed came before.
    let report = ["REPORT RequestId: ", "\"platform.report\""].iter().filter_map(|word| log.rfind(word)).max()?;
    let after = |word: &str| log[report..].split_once(word).map(|(_, rest)| rest);
    let rest = after("Init Duration: ").or_else(|| after("\"initDurationMs\":"))?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// A line that says that the call began, or that it ended.
fn marks(message: &str, words: [&str; 2], request_id: &str) -> bool {
    message.contains(request_id) && (message.starts_with(words[0]) || message.contains(words[1]))
}

fn begins(message: &str, request_id: &str) -> bool {
    marks(message, ["START RequestId: ", "\"platform.start\""], request_id)
}

fn ends(message: &str, request_id: &str) -> bool {
    marks(message, ["REPORT RequestId: ", "\"platform.report\""], request_id)
}

/// The log lines of one call: those that came with the answer, or, when these are only the end, those of the log itself.
/// `false` when the log did not have them in time.
pub async fn lines(aws: &Aws, group: &str, called: &Called, begun: i64) -> Result<(Vec<String>, bool), AwsError> {
    let tail = called.log.as_deref().unwrap_or_default();
    let lines: Vec<String> = tail.lines().map(str::to_owned).collect();
    let Some(id) = called.request_id.as_deref() else { return Ok((lines, true)) };
    if lines.iter().any(|line| begins(line, id)) {
        return Ok((lines, true));
    }
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(found) = from_log(aws, group, id, begun - BEFORE).await? {
            return Ok((found, true));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok((lines, false))
}

/// An environment has one call at a time: between its START and its REPORT the stream holds the lines of that call alone.
async fn from_log(aws: &Aws, group: &str, id: &str, from: i64) -> Result<Option<Vec<String>>, AwsError> {
    let query = LogQuery { group: group.to_owned(), pattern: Some(format!("\"{id}\"")), from, ..LogQuery::default() };
    let marked = all(aws, &query).await?;
    let (Some(first), Some(last)) =
        (marked.iter().find(|event| begins(&event.message, id)), marked.iter().find(|event| ends(&event.message, id)))
    else {
        return Ok(None);
    };
    let (stream, from, to) = (Some(first.stream.clone()), first.time, Some(last.time));
    let events = all(aws, &LogQuery { group: group.to_owned(), stream, pattern: None, from, to }).await?;
    Ok(between(&events, id))
}

fn between(events: &[LogEvent], id: &str) -> Option<Vec<String>> {
    let start = events.iter().position(|event| begins(&event.message, id))?;
    let end = events.iter().rposition(|event| ends(&event.message, id))?;
    let own = events.get(start..=end)?.iter();
    Some(own.map(|event| event.message.trim_end().to_owned()).collect())
}

async fn all(aws: &Aws, query: &LogQuery) -> Result<Vec<LogEvent>, AwsError> {
    let (mut events, mut next) = (Vec::new(), None);
    loop {
        let page = aws.log_events(query, next).await?;
        events.extend(page.events);
        next = page.next;
        if next.is_none() {
            return Ok(events);
        }
    }
}

/// What many calls of a function came to.
#[derive(Clone, Debug, Serialize)]
pub struct Repeated {
    #[serde(flatten)]
    pub report: Report,
    pub concurrency: u16,
    /// Calls for which an environment had to be started.
    pub cold_starts: u64,
    /// Whether it was ended early.
    pub interrupted: bool,
    /// What the first failed call said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_error: Option<Thrown>,
}

#[derive(Default)]
struct Count {
    tally: Tally,
    cold_starts: u64,
    first_error: Option<Thrown>,
}

/// Calls a function `times` times, so many calls at once, until `stop`: what is then under way is not counted.
pub async fn repeat(
    aws: &Aws,
    call: &FunctionCall,
    (times, concurrency): (u32, u16),
    stop: impl Future<Output = ()>,
) -> Repeated {
    let (next, begun) = (AtomicU32::new(0), Instant::now());
    let count = RefCell::new(Count::default());
    let users = (0..concurrency).map(async |_| {
        while next.fetch_add(1, Ordering::Relaxed) < times {
            let begun = Instant::now();
            let called = aws.call_function(call).await;
            count.borrow_mut().add(called, begun.elapsed());
        }
    });
    let interrupted = tokio::select! {
        _ = futures_util::future::join_all(users) => false,
        () = stop => true,
    };
    let Count { tally, cold_starts, first_error } = count.into_inner();
    // Payloads were not counted.
    let report = Report { bytes: None, ..Report::of(&tally, begun.elapsed()) };
    Repeated { report, concurrency, cold_starts, interrupted, first_error }
}

impl Count {
    fn add(&mut self, called: Result<Called, AwsError>, took: Duration) {
        match called {
            Ok(called) => {
                self.cold_starts += u64::from(called.log.as_deref().and_then(init_ms).is_some());
                match called.error {
                    None => self.tally.answered(took),
                    Some(_) => {
                        let thrown = Thrown::of(&called.payload);
                        self.tally.failed(&thrown.kind, took);
                        self.first_error.get_or_insert(thrown);
                    }
                }
            }
            Err(error) => {
                let kind = error.code().unwrap_or("connection").to_owned();
                self.tally.failed(&kind, took);
                self.first_error.get_or_insert(Thrown { kind, message: error.to_string(), stack: Vec::new() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cold_start_is_read_from_the_report_in_either_form() {
        let text = "REPORT RequestId: a\tDuration: 1.00 ms\tInit Duration: 45.20 ms\t";
        assert_eq!(init_ms(text), Some(45.2));
        assert_eq!(init_ms("{\"type\":\"platform.report\",\"metrics\":{\"initDurationMs\":7.5}}"), Some(7.5));
        assert_eq!(init_ms("Init Duration: 5.00 ms\nREPORT RequestId: a\tDuration: 1.00 ms\t"), None);
        assert_eq!(init_ms("REPORT RequestId: a\tDuration: 1.00 ms\t"), None);
    }

    #[test]
    fn the_lines_of_a_call_are_those_between_its_start_and_its_report() {
        let texts = [
            "START RequestId: one Version: 1",
            "theirs",
            "REPORT RequestId: one\t",
            "START RequestId: two Version: 1",
            "ours, REPORT of two",
            "END RequestId: two",
            "REPORT RequestId: two\t",
        ];
        let event =
            |text: &str| LogEvent { id: String::new(), stream: String::new(), time: 1, message: text.to_owned() };
        let events: Vec<_> = texts.iter().map(|text| event(text)).collect();
        let ours =
            ["START RequestId: two Version: 1", "ours, REPORT of two", "END RequestId: two", "REPORT RequestId: two"];
        assert_eq!(between(&events, "two").unwrap(), ours);
        assert_eq!(between(&events[..5], "two"), None);
    }

    #[test]
    fn a_failure_is_told_in_the_functions_words_or_as_it_is() {
        let thrown = Thrown::of(br#"{"errorType":"Oops","errorMessage":"no such hero","stackTrace":["a","b"]}"#);
        assert_eq!((thrown.kind.as_str(), thrown.message.as_str(), thrown.stack.len()), ("Oops", "no such hero", 2));
        assert_eq!(Thrown::of(br#"{"errorMessage":"no such hero\n"}"#).message, "no such hero");
        assert_eq!(Thrown::of(b"plain"), Thrown { kind: "Error".into(), message: "plain".into(), stack: Vec::new() });
    }
}
