//! Where all users write down what they measured: a few shares, so that no user waits for another.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::report::{Late, Moment};
use super::sender::Sent;
use super::tally::Tally;

const SHARES: usize = 8;
/// A request that begins within this time of its moment is in time.
const IN_TIME: Duration = Duration::from_millis(10);
/// Digits of the times of a moment, which is read off a chart.
const DIGITS: u8 = 2;

/// One request, done.
struct Done {
    /// When it should have begun.
    due: Instant,
    ended: Instant,
    verdict: Result<(), String>,
    sent: usize,
    received: usize,
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

/// A request that was sent. One that is given up, because the load has ended, is written down too: nobody knows what became
/// of it.
pub(super) struct UnderWay<'r> {
    recorder: &'r Recorder,
    user: usize,
    due: Instant,
    over: bool,
}

impl UnderWay<'_> {
    pub(super) fn done(mut self, sent: Sent) {
        self.over = true;
        let Sent { verdict, sent, received } = sent;
        self.recorder.record(self.user, &Done { due: self.due, ended: Instant::now(), verdict, sent, received });
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.over {
            let cut =
                Done { verdict: Err("cut off".to_owned()), sent: 0, received: 0, due: self.due, ended: Instant::now() };
            self.recorder.record(self.user, &cut);
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

    fn record(&self, user: usize, done: &Done) {
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

    /// A request that is sent now.
    pub(super) fn under_way(&self, user: usize, due: Instant) -> UnderWay<'_> {
        UnderWay { recorder: self, user, due, over: false }
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
