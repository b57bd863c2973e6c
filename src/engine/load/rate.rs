//! Load at a constant rate: every request has its moment, whatever became of those before it. A stall of the lab is seen as it
//! would be by users who do not know of each other: what should have been sent meanwhile is counted from when it should have been.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::desk::{Desk, Next};
use super::recorder::Recorder;
use super::sender::{Lane, Sender};
use super::shape::Schedule;

/// How long after the last moment what is still waiting may begin.
const GRACE: Duration = Duration::from_secs(1);
/// The clock looks this often whether the load was ended.
const LOOK: Duration = Duration::from_millis(50);

/// What the clock and the workers share.
pub(super) struct Rate {
    pub(super) lane: Arc<Lane>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) schedule: Schedule,
    pub(super) desk: Desk,
    pub(super) ending: Arc<AtomicBool>,
}

impl Rate {
    fn due(&self, number: u64) -> Instant {
        self.recorder.begun() + self.schedule.due(number)
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// The clock. It has a thread of its own: timers of the runtime are a millisecond coarse, and its threads may be busy.
    pub(super) fn clock(&self, wanted: &UnboundedSender<()>) {
        for number in 0..self.schedule.count {
            self.wait_until(self.due(number));
            if self.is_ending() {
                break;
            }
            // Without a receiver the load has ended.
            if self.desk.hand_out(number) && wanted.send(()).is_err() {
                break;
            }
        }
        let end = Instant::now() + GRACE;
        while !self.desk.is_clear() && !self.is_ending() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.give_up(self.desk.close());
    }

    fn wait_until(&self, due: Instant) {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_ending() {
                return;
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    /// What never began is an error, unless the load was ended from outside.
    fn give_up(&self, left: impl Iterator<Item = u64>) {
        let now = Instant::now();
        for number in left.take_while(|_| !self.is_ending()) {
            self.recorder.unsent(self.due(number), now);
        }
    }
}

/// One worker, with one connection.
pub(super) async fn worker(rate: Arc<Rate>, worker: usize) {
    let mut sender = Sender::new(rate.lane.clone());
    loop {
        let ticket = match rate.desk.next() {
            Next::Now(ticket) => ticket,
            Next::Closed => return,
            Next::Wait(told) => match sender.idle(told).await {
                Ok(ticket) => ticket,
                Err(_) => return,
            },
        };
        let due = rate.due(ticket.number);
        rate.recorder.began(worker, Instant::now().saturating_duration_since(due), ticket.free);
        let under_way = rate.recorder.under_way(worker, due);
        under_way.done(sender.send(ticket.number).await);
    }
}
