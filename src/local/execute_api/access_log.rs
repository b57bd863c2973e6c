//! Access logs: gathered, and sent to their log group in the background.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::scope::Scope;

const GATHER: Duration = Duration::from_millis(200);
/// After a failure, doubled up to the longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How many lines of a group are kept while the log service fails; then the oldest go.
const MOST: usize = 50_000;
/// PutLogEvents' limits, and what it counts for each event beside its text.
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1_048_576;
const OVERHEAD: usize = 26;
/// The longest line that an event can hold.
const LONGEST_LINE: usize = 262_144 - OVERHEAD;

/// The name of the one stream of a group.
const STREAM: &str = "access";

/// A region and a log group.
type Key = (String, String);

/// The lines of one group that are still to be sent.
#[derive(Default)]
struct Waiting {
    events: Vec<Value>,
    /// Lines that there was no room for, since it was last told.
    dropped: usize,
    /// Somebody sends them.
    sending: bool,
}

impl Waiting {
    /// Puts back what could not be sent, before what has come since.
    fn put_back(&mut self, mut unsent: Vec<Value>) {
        unsent.append(&mut self.events);
        let spare = unsent.len().saturating_sub(MOST);
        unsent.drain(..spare);
        self.dropped += spare;
        self.events = unsent;
    }
}

/// Lines by region and log group.
#[derive(Clone, Default)]
pub(crate) struct AccessLog {
    lines: Arc<Mutex<HashMap<Key, Waiting>>>,
}

impl AccessLog {
    fn lines(&self) -> MutexGuard<'_, HashMap<Key, Waiting>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line to the group that the ARN names.
    pub(crate) fn write(&self, cloud: &Arc<Cloud>, scope: &Scope, group_arn: &str, mut line: String) {
        let Some(group) = group_arn.split(":log-group:").nth(1).map(|name| name.trim_end_matches(":*").to_owned())
        else {
            return;
        };
        line.truncate(line.floor_char_boundary(LONGEST_LINE));
        let key = (scope.region.clone(), group);
        let event = json!({"timestamp": cloud.clock.now().millis(), "message": line});
        let mut lines = self.lines();
        let waiting = lines.entry(key.clone()).or_default();
        if waiting.events.len() < MOST {
            waiting.events.push(event);
        } else {
            waiting.dropped += 1;
        }
        if !std::mem::replace(&mut waiting.sending, true) {
            tokio::spawn(self.clone().send_all(cloud.clone(), scope.as_service("apigateway.amazonaws.com"), key));
        }
    }

    /// Sends the lines of one group until there are no more.
    async fn send_all(self, cloud: Arc<Cloud>, scope: Scope, key: Key) {
        let mut pause = GATHER;
        loop {
            tokio::time::sleep(pause).await;
            let (events, dropped) = {
                let mut lines = self.lines();
                let Some(waiting) = lines.get_mut(&key) else { return };
                if waiting.events.is_empty() {
                    lines.remove(&key);
                    return;
                }
                (std::mem::take(&mut waiting.events), std::mem::take(&mut waiting.dropped))
            };
            if dropped > 0 {
                tracing::warn!(dropped, group = key.1, "access log lines are lost: too many wait");
            }
            pause = match send(&cloud, &scope, &key.1, events).await {
                Ok(()) => GATHER,
                Err((fault, unsent)) if fault.code == "ResourceNotFoundException" => {
                    tracing::warn!(%fault, lines = unsent.len(), group = key.1, "access log lines are lost");
                    GATHER
                }
                Err((fault, unsent)) => {
                    tracing::warn!(%fault, group = key.1, "access log lines wait for the log service");
                    if let Some(waiting) = self.lines().get_mut(&key) {
                        waiting.put_back(unsent);
                    }
                    (pause * 2).min(LONGEST_PAUSE)
                }
            };
        }
    }
}

/// Sends every line, or gives back those that were not taken.
async fn send(cloud: &Cloud, scope: &Scope, group: &str, events: Vec<Value>) -> Result<(), (Fault, Vec<Value>)> {
    let mut left = events.as_slice();
    while !left.is_empty() {
        let (now, later) = left.split_at(fitting(left));
        put(cloud, scope, group, now).await.map_err(|fault| (fault, left.to_vec()))?;
        left = later;
    }
    Ok(())
}

/// How many of the events go into one request: at least one.
fn fitting(events: &[Value]) -> usize {
    let mut bytes = 0;
    let fits = |event: &&Value| {
        bytes += event["message"].as_str().map_or(0, str::len) + OVERHEAD;
        bytes <= MOST_BYTES
    };
    events.iter().take(MOST_EVENTS).take_while(fits).count().max(1)
}

async fn put(cloud: &Cloud, scope: &Scope, group: &str, events: &[Value]) -> Result<(), Fault> {
    let input = json!({"logGroupName": group, "logStreamName": STREAM, "logEvents": events});
    match cloud.call(scope, "logs", "PutLogEvents", input.clone()).await {
        Err(fault) if fault.code == "ResourceNotFoundException" => {}
        other => return other.map(drop),
    }
    let stream = json!({"logGroupName": group, "logStreamName": STREAM});
    match cloud.call(scope, "logs", "CreateLogStream", stream).await {
        Err(fault) if fault.code != "ResourceAlreadyExistsException" => return Err(fault),
        _ => {}
    }
    cloud.call(scope, "logs", "PutLogEvents", input).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(length: usize) -> Value {
        json!({"timestamp": 1, "message": "x".repeat(length)})
    }

    #[test]
    fn a_request_holds_what_put_log_events_takes_and_never_nothing() {
        assert_eq!(fitting(&vec![event(10); MOST_EVENTS + 5]), MOST_EVENTS);
        assert_eq!(fitting(&vec![event(LONGEST_LINE); 5]), 4);
        assert_eq!(fitting(&[event(2 * MOST_BYTES)]), 1);
    }

    #[test]
    fn what_was_not_sent_goes_before_what_came_since_and_the_oldest_make_room() {
        let mut waiting = Waiting { events: vec![json!("new")], ..Waiting::default() };
        waiting.put_back(vec![json!("old"), json!("older")]);
        assert_eq!(waiting.events, [json!("old"), json!("older"), json!("new")]);
        waiting.put_back(vec![json!("n"); MOST]);
        assert_eq!((waiting.events.len(), waiting.dropped), (MOST, 3));
        assert_eq!(waiting.events.last(), Some(&json!("new")));
    }
}
