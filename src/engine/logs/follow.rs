//! Follows logs: looks again and again, tells each event once, misses none that comes late.
//!
//! Events do not come in the order of their times: a function's lines reach the log when they were sent, and other functions'
//! meanwhile. So each look begins some time before the newest event and leaves out what was told already; now and then one
//! goes back further, for what came very late.

use super::{Source, Walk};
use crate::aws::AwsError;
use crate::aws::logs::LogEvent;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

const SECOND: i64 = 1000;
/// How far back an ordinary look goes, and how far each look goes that is to find what came late: up to a minute, and the
/// time since the last such look.
const BACK: i64 = 3 * SECOND;
const FAR_BACK: i64 = 90 * SECOND;
/// Every so many looks one goes back far.
const FAR_EVERY: u64 = 15;
/// How much the clock here and the functions' clocks may differ.
const SKEW: i64 = 300 * SECOND;
/// Requests without an answer are sent again for so long before that is an error. Refusals to answer so often are waited out.
const PATIENCE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What was told of one log.
#[derive(Debug, Default)]
pub struct Seen {
    newest: Option<i64>,
    /// Time and digest of events that a later look can meet again.
    told: BTreeSet<(i64, u64)>,
}

impl Seen {
    /// Whether an event is told for the first time.
    pub fn is_new(&mut self, event: &LogEvent) -> bool {
        let mut hasher = DefaultHasher::new();
        event.id.hash(&mut hasher);
        self.newest = self.newest.max(Some(event.time));
        self.told.insert((event.time, hasher.finish()))
    }

    /// Where a look at `now` begins that goes back by `back`. Never goes back as time goes on.
    fn from(&self, since: i64, now: i64, back: i64) -> i64 {
        // An event of the future, which a log may hold, hides none of today.
        let newest = self.newest.map_or(i64::MIN, |newest| newest.min(now));
        (newest.max(now - SKEW) - back).max(since)
    }

    /// Forgets what no look will meet again.
    fn forget(&mut self, since: i64, now: i64) {
        let from = self.from(since, now, FAR_BACK);
        self.told = self.told.split_off(&(from, 0));
    }
}

/// Looks at several logs again and again.
pub struct Follower<'s, S> {
    sources: &'s [S],
    seen: Vec<Seen>,
    since: i64,
    looks: u64,
}

impl<'s, S: Source> Follower<'s, S> {
    pub fn new(sources: &'s [S], since: i64) -> Self {
        Follower { sources, seen: sources.iter().map(|_| Seen::default()).collect(), since, looks: 0 }
    }

    /// One look at `now`: tells each event that is new, by their times.
    ///
    /// # Errors
    /// A page could not be had. What was told stays told, and the next look finds the rest.
    pub async fn look(&mut self, now: i64, mut tell: impl FnMut(usize, LogEvent)) -> Result<(), AwsError> {
        let back = if self.looks.is_multiple_of(FAR_EVERY) { FAR_BACK } else { BACK };
        let first = self.looks == 0;
        let from = |number: usize| if first { self.since } else { self.seen[number].from(self.since, now, back) };
        let mut walk = Walk::new(self.sources, from, None);
        while let Some((number, event)) = walk.next().await? {
            if self.seen[number].is_new(&event) {
                tell(number, event);
            }
        }
        self.looks += 1;
        self.seen.iter_mut().for_each(|seen| seen.forget(self.since, now));
        Ok(())
    }

    /// Follows until `tell` has enough (it says `false`).
    ///
    /// # Errors
    /// A refusal, or no answer for a minute.
    pub async fn follow(
        mut self,
        pause: Duration,
        clock: impl Fn() -> i64,
        mut tell: impl FnMut(usize, LogEvent),
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<(), AwsError> {
        let (mut next, mut failing) = (pause, Duration::ZERO);
        while goes_on() {
            match self.look(clock(), &mut tell).await {
                Ok(()) => (next, failing) = (pause, Duration::ZERO),
                Err(error) if is_throttled(&error) => next = (next * 2).min(LONGEST_PAUSE),
                Err(error @ AwsError::NoAnswer { .. }) if failing >= PATIENCE => return Err(error),
                Err(AwsError::NoAnswer { .. }) => {
                    next = (next * 2).min(LONGEST_PAUSE);
                    failing += next;
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(next).await;
        }
        Ok(())
    }
}

/// AWS asks for fewer requests, in one of its many words for it.
fn is_throttled(error: &AwsError) -> bool {
    error.code().is_some_and(|code| {
        ["Throttl", "TooManyRequests", "LimitExceeded", "ServiceUnavailable", "SlowDown"]
            .iter()
            .any(|word| code.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::logs::LogPage;
    use std::cell::{Cell, RefCell};

    /// A log in memory with pages of two events, which can refuse a request.
    #[derive(Default)]
    struct Log {
        events: RefCell<Vec<LogEvent>>,
        /// So many requests are answered before one is refused.
        refuse_after: Cell<Option<usize>>,
        asked: Cell<usize>,
    }

    impl Log {
        fn put(&self, id: &str, time: i64) {
            let event = LogEvent { id: id.to_owned(), stream: "s".to_owned(), time, message: id.to_owned() };
            let mut events = self.events.borrow_mut();
            events.push(event);
            events.sort_by_key(|event| event.time);
        }
    }

    impl Source for Log {
        async fn page(&self, from: i64, to: Option<i64>, next: Option<String>) -> Result<LogPage, AwsError> {
            self.asked.set(self.asked.get() + 1);
            match self.refuse_after.get() {
                Some(0) => {
                    self.refuse_after.set(None);
                    let (code, message) = ("ThrottlingException".to_owned(), "Rate exceeded".to_owned());
                    return Err(AwsError::Fault { operation: "logs:FilterLogEvents", code, message, request_id: None });
                }
                left => self.refuse_after.set(left.map(|left| left - 1)),
            }
            let start: usize = next.map_or(0, |next| next.parse().unwrap());
            let events = self.events.borrow();
            let wanted = events.iter().filter(|event| event.time >= from && to.is_none_or(|to| event.time <= to));
            let page: Vec<LogEvent> = wanted.clone().skip(start).take(2).cloned().collect();
            let more = wanted.count() > start + 2;
            Ok(LogPage { events: page, next: more.then(|| (start + 2).to_string()) })
        }
    }

    async fn look(follower: &mut Follower<'_, Log>, now: i64) -> (Vec<String>, bool) {
        let mut told = Vec::new();
        let done = follower.look(now, |number, event| told.push(format!("{number}{}", event.message))).await;
        (told, done.is_ok())
    }

    const NOW: i64 = 1_700_000_000_000;

    #[tokio::test]
    async fn events_of_all_logs_come_in_the_order_of_their_times_and_once() {
        let logs = [Log::default(), Log::default()];
        for (at, id) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
            logs[at % 2].put(id, NOW + i64::try_from(at).unwrap());
        }
        let mut follower = Follower::new(&logs, NOW - 1000);
        assert_eq!(look(&mut follower, NOW + 10).await.0, ["0a", "1b", "0c", "1d", "0e"]);
        assert_eq!(look(&mut follower, NOW + 20).await.0.len(), 0);
        // In the very millisecond of the last one, and before it.
        logs[0].put("f", NOW + 4);
        logs[1].put("g", NOW + 2);
        assert_eq!(look(&mut follower, NOW + 30).await.0, ["1g", "0f"]);
        assert_eq!(look(&mut follower, NOW + 40).await.0.len(), 0);
    }

    #[tokio::test]
    async fn what_comes_late_is_told_and_what_is_of_the_future_hides_nothing() {
        let log = [Log::default()];
        let mut follower = Follower::new(&log, NOW - 1_000_000);
        log[0].put("future", NOW + 7_000_000);
        assert_eq!(look(&mut follower, NOW).await.0, ["0future"]);
        log[0].put("today", NOW + 100);
        assert_eq!(look(&mut follower, NOW + 1000).await.0, ["0today"]);
        log[0].put("late", NOW - 50_000);
        let mut told = Vec::new();
        for second in 2..2 + FAR_EVERY {
            told.extend(look(&mut follower, NOW + i64::try_from(second).unwrap() * 1000).await.0);
        }
        assert_eq!(told, ["0late"]);
    }

    #[tokio::test]
    async fn a_refusal_in_the_middle_of_a_look_loses_and_doubles_nothing() {
        let log = [Log::default()];
        (0..7).for_each(|n| log[0].put(&n.to_string(), NOW + n));
        let mut follower = Follower::new(&log, NOW);
        log[0].refuse_after.set(Some(2));
        let (mut told, done) = look(&mut follower, NOW + 10).await;
        assert!(!done && told.len() == 4);
        let (rest, done) = look(&mut follower, NOW + 20).await;
        told.extend(rest);
        assert!(done && told == ["00", "01", "02", "03", "04", "05", "06"], "{told:?}");
    }

    #[tokio::test]
    async fn throttling_is_waited_out_and_any_other_refusal_is_an_error() {
        let log = [Log::default()];
        log[0].put("a", NOW);
        log[0].refuse_after.set(Some(0));
        let told = Cell::new(0);
        let tell = |_, _| told.set(told.get() + 1);
        let follower = Follower::new(&log, NOW);
        let followed = follower.follow(Duration::from_millis(1), || NOW + 10, tell, || told.get() == 0).await;
        assert!(followed.is_ok() && told.get() == 1 && log[0].asked.get() == 2);
        let fault = |code: &str| AwsError::Fault {
            operation: "logs:FilterLogEvents",
            code: code.to_owned(),
            message: String::new(),
            request_id: None,
        };
        assert!(is_throttled(&fault("ThrottlingException")) && is_throttled(&fault("LimitExceededException")));
        assert!(!is_throttled(&fault("InvalidParameterException")));
    }

    #[test]
    fn what_no_look_meets_again_is_forgotten() {
        let mut seen = Seen::default();
        for second in 0..1000 {
            let time = NOW + second * SECOND;
            let event = LogEvent { id: second.to_string(), stream: String::new(), time, message: String::new() };
            assert!(seen.is_new(&event));
            seen.forget(NOW, time);
        }
        assert!(seen.told.len() <= 91, "{}", seen.told.len());
    }
}
