//! Where all users write down what they measured: a few shares, so that no user waits for another.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::report::{Late, Moment};
use super::tally::Tally;

const SHARES: usize = 8;
/// A request that begins within this time of its moment is in time.
const IN_TIME: Duration = Duration::from_millis(10);
/// Digits of the times of a moment, which is read off a chart.
const DIGITS: u8 = 2;

/// One request, done.
pub(super) struct Done {
    /// When it should have begun.
    pub(super) due: Instant,
    pub(super) ended: Instant,
    pub(super) verdict: Result<(), String>,
    pub(super) sent: usize,
    pub(super) received: usize,
}

pub(super) struct Recorder {
    begun: Instant,
    steady: Instant,
    shares: Vec<Mutex<Share>>,
}

/// What some of the users measured.
#[derive(Debug)]
struct Share {
    ramp_up: Tally,
    steady: Tally,
    /// Since the last look.
    lately: Tally,
    late: Late,
    last: Option<Instant>,
}

impl Share {
    fn new() -> Self {
        Share {
            ramp_up: Tally::default(),
            steady: Tally::default(),
            lately: Tally::precise_to(DIGITS),
            late: Late::default(),
            last: None,
        }
    }
}

/// Everything that was measured.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) ramp_up: Tally,
    pub(super) steady: Tally,
    pub(super) late: Late,
    /// When the last request was done.
    pub(super) last: Option<Instant>,
}

impl Recorder {
    pub(super) fn new(begun: Instant, ramp_up: Duration) -> Self {
        let shares = (0..SHARES).map(|_| Mutex::new(Share::new())).collect();
        Recorder { begun, steady: begun + ramp_up, shares }
    }

    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    fn share(&self, user: usize) -> MutexGuard<'_, Share> {
        // What a user that panicked had written is whole: each write is.
        self.shares[user % SHARES].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn record(&self, user: usize, done: &Done) {
        let took = done.ended.saturating_duration_since(done.due);
        let mut share = self.share(user);
        let share = &mut *share;
        share.last = share.last.max(Some(done.ended));
        let phase = if done.due < self.steady { &mut share.ramp_up } else { &mut share.steady };
        for tally in [phase, &mut share.lately] {
            match &done.verdict {
                Ok(()) => tally.answered(took),
                Err(kind) => tally.failed(kind, took),
            }
            tally.transferred(done.sent, done.received);
        }
    }

    /// How long after its moment a request began, and whether there was a connection free for it.
    pub(super) fn began(&self, user: usize, late: Duration, free: bool) {
        if late < IN_TIME {
            return;
        }
        let late_ms = (late.as_secs_f64() * 1e6).round() / 1e3;
        let mut share = self.share(user);
        share.late.requests += 1;
        share.late.by_generator += u64::from(free);
        share.late.max_ms = share.late.max_ms.max(late_ms);
    }

    /// A request that never began: it waited at least until now.
    pub(super) fn unsent(&self, due: Instant, now: Instant) {
        self.share(0).late.unsent += 1;
        self.record(0, &Done { due, ended: now, verdict: Err("not sent".to_owned()), sent: 0, received: 0 });
    }

    /// What happened since the last look.
    pub(super) fn moment(&self, until: Duration, over: Duration) -> Moment {
        let mut all = Tally::precise_to(DIGITS);
        for user in 0..SHARES {
            let lately = std::mem::replace(&mut self.share(user).lately, Tally::precise_to(DIGITS));
            all.add(&lately);
        }
        Moment::of(&all, until, over)
    }

    pub(super) fn recorded(&self) -> Recorded {
        let mut all =
            Recorded { ramp_up: Tally::default(), steady: Tally::default(), late: Late::default(), last: None };
        for user in 0..SHARES {
            let share = self.share(user);
            all.ramp_up.add(&share.ramp_up);
            all.steady.add(&share.steady);
            all.late.requests += share.late.requests;
            all.late.by_generator += share.late.by_generator;
            all.late.unsent += share.late.unsent;
            all.late.max_ms = all.late.max_ms.max(share.late.max_ms);
            all.last = all.last.max(share.last);
        }
        all
    }
}
