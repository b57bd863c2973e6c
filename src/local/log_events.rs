//! Events on their way to CloudWatch Logs: kept in memory, and cut into requests that `PutLogEvents` takes.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use crate::fault::Fault;

/// What CloudWatch Logs counts for an event beside its text, in bytes.
const OVERHEAD: usize = 26;
/// The longest text that an event holds, in bytes.
pub(crate) const LONGEST_TEXT: usize = 256 * 1024 - OVERHEAD;
/// What one request takes: so many events, and so many bytes.
const MOST_EVENTS: usize = 10_000;
const FULLEST_BATCH: usize = 1_048_576;
/// So many bytes wait while the log service fails; what comes then is lost.
const MOST_KEPT: usize = 16 << 20;
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LogEvent {
    /// Milliseconds since 1970.
    timestamp: i64,
    message: String,
}

impl LogEvent {
    /// Of a text, which is cut where it is too long for an event.
    pub(crate) fn new(timestamp: i64, mut message: String) -> Self {
        message.truncate(message.floor_char_boundary(LONGEST_TEXT));
        LogEvent { timestamp, message }
    }

    fn size(&self) -> usize {
        self.message.len() + OVERHEAD
    }
}

/// The events of one log stream that are still to be sent.
#[derive(Default)]
pub(crate) struct Waiting {
    events: VecDeque<LogEvent>,
    bytes: usize,
    lost: usize,
}

impl Waiting {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// One more, or one more that is lost.
    pub(crate) fn push(&mut self, event: LogEvent) {
        if self.bytes > MOST_KEPT {
            self.lost += 1;
            return;
        }
        self.bytes += event.size();
        self.events.push_back(event);
    }

    /// How many were lost since it was last asked.
    pub(crate) fn take_lost(&mut self) -> usize {
        std::mem::take(&mut self.lost)
    }

    /// The oldest events, as many as one request takes, in the order of their times.
    pub(crate) fn batch(&mut self) -> Vec<LogEvent> {
        let mut room = FULLEST_BATCH;
        let fits = |event: &&LogEvent| {
            let fits = event.size() <= room;
            room = room.saturating_sub(event.size());
            fits
        };
        let count = self.events.iter().take(MOST_EVENTS).take_while(fits).count();
        let mut batch: Vec<LogEvent> = self.events.drain(..count).collect();
        self.bytes -= batch.iter().map(LogEvent::size).sum::<usize>();
        batch.sort_by_key(|event| event.timestamp);
        batch
    }

    /// Puts back what could not be sent, before what has come since.
    pub(crate) fn put_back(&mut self, unsent: Vec<LogEvent>) {
        self.bytes += unsent.iter().map(LogEvent::size).sum::<usize>();
        unsent.into_iter().rev().for_each(|event| self.events.push_front(event));
    }
}

/// Whether the log service will never take what it refused so.
pub(crate) fn is_final(fault: &Fault) -> bool {
    matches!(fault.code.as_str(), "InvalidParameterException" | "ResourceNotFoundException")
}

/// How long to wait after one more failure.
pub(crate) fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(events: usize, length: usize) -> Waiting {
        let mut waiting = Waiting::default();
        (0..events).for_each(|_| waiting.push(LogEvent::new(1, "x".repeat(length))));
        waiting
    }

    #[test]
    fn a_batch_is_what_put_log_events_takes() {
        assert_eq!(waiting(MOST_EVENTS + 5, 10).batch().len(), MOST_EVENTS);
        let mut long = waiting(5, 2 * LONGEST_TEXT);
        assert_eq!([long.batch().len(), long.batch().len(), long.batch().len()], [4, 1, 0]);
        assert_eq!(long.bytes, 0);
    }

    #[test]
    fn what_was_not_sent_goes_before_what_came_since() {
        let mut waiting = Waiting::default();
        let event = |time| LogEvent::new(time, "é".into());
        [2, 1].into_iter().for_each(|time| waiting.push(event(time)));
        let batch = waiting.batch();
        assert_eq!(batch, [event(1), event(2)]);
        waiting.push(event(3));
        waiting.put_back(batch);
        assert_eq!(waiting.batch(), [event(1), event(2), event(3)]);
        assert!(waiting.is_empty() && waiting.bytes == 0);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for_and_what_is_lost_is_counted() {
        let mut waiting = waiting(100, LONGEST_TEXT);
        let kept = waiting.len();
        assert!(kept * 256 * 1024 >= MOST_KEPT && kept < 70, "{kept}");
        assert_eq!((waiting.take_lost(), waiting.take_lost()), (100 - kept, 0));
    }
}
