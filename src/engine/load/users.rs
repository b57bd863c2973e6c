//! Load at the pace of users: each waits for an answer before the next request, and now and then for longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::time::Instant;

use super::dice::Dice;
use super::recorder::Recorder;
use super::sender::{Lane, Sender};
use super::shape::Users;

/// What all users look at.
pub(super) struct Crowd {
    pub(super) lane: Arc<Lane>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) habits: Users,
    pub(super) requests: u64,
    pub(super) deadline: Instant,
    /// The number of the next request.
    pub(super) next: AtomicU64,
    /// No more requests are sent.
    pub(super) ending: Arc<AtomicBool>,
}

/// One user, counted from 0, from its beginning to the end of the load.
pub(super) async fn user(crowd: Arc<Crowd>, user: u32) {
    let mut sender = Sender::new(crowd.lane.clone());
    // Habits are repeatable as requests are, and every user's are its own.
    let mut dice = Dice::new(u64::from(user) << 32 | 0x5eed);
    tokio::time::sleep_until(crowd.recorder.begun() + crowd.habits.begins(user)).await;
    loop {
        for _ in 0..crowd.habits.next_burst(&mut dice) {
            let due = Instant::now();
            if crowd.ending.load(Ordering::Relaxed) || due >= crowd.deadline {
                return;
            }
            let number = crowd.next.fetch_add(1, Ordering::Relaxed);
            if number >= crowd.requests {
                return;
            }
            let under_way = crowd.recorder.under_way(user as usize, due);
            under_way.done(sender.send(number).await);
        }
        if let Some(wait) = crowd.habits.next_wait(&mut dice) {
            let left = crowd.deadline.saturating_duration_since(Instant::now());
            sender.sleep(wait.min(left)).await;
        }
    }
}
