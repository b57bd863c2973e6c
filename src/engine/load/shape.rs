//! How much load, at whose pace, and for how long. Pure.

use std::time::Duration;

use super::dice::Dice;
use crate::lab::model::Range;

/// How much load, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    pub pace: Pace,
    /// Ends the load, whichever comes first.
    pub requests: Option<u64>,
    pub within: Duration,
}

/// What says when the next request is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Users, each of whom waits for an answer before sending the next request.
    Users(Users),
    /// A clock, which waits for nobody: so many requests in each second.
    Rate { per_second: f64, connections: u32 },
}

/// Users and their habits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Users {
    pub count: u32,
    /// How many begin in a second; all at once without it.
    pub spawn_rate: Option<f64>,
    /// Seconds between two bursts.
    pub wait: Option<Range>,
    /// Requests, one after the other, between two waits.
    pub burst: Option<Range>,
}

impl Users {
    /// So many users without a pause.
    pub fn eager(count: u32) -> Self {
        Users { count, spawn_rate: None, wait: None, burst: None }
    }

    /// When the user of a number, counted from 0, begins.
    pub(super) fn begins(&self, user: u32) -> Duration {
        self.spawn_rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(f64::from(user) / rate))
    }

    pub(super) fn next_burst(&self, dice: &mut Dice) -> u64 {
        self.burst.map_or(1, |burst| dice.between(burst.from as i64, burst.to as i64).unsigned_abs())
    }

    pub(super) fn next_wait(&self, dice: &mut Dice) -> Option<Duration> {
        let wait = self.wait?;
        Some(Duration::from_secs_f64(wait.from + (wait.to - wait.from) * dice.share()))
    }
}

impl Shape {
    /// Users without a pause who send so many requests.
    pub fn requests(users: u32, requests: u64, within: Duration) -> Self {
        Shape { pace: Pace::Users(Users::eager(users)), requests: Some(requests), within }
    }

    /// How long it takes until every user has begun.
    pub fn ramp_up(&self) -> Duration {
        match self.pace {
            Pace::Users(users) => users.begins(users.count.saturating_sub(1)),
            Pace::Rate { .. } => Duration::ZERO,
        }
    }
}

/// The moments of a constant rate, counted from the beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Schedule {
    pub(super) per_second: f64,
    /// How many moments there are.
    pub(super) count: u64,
}

impl Schedule {
    pub(super) fn of(per_second: f64, shape: &Shape) -> Self {
        // The last moment lies before the end.
        let fit = (shape.within.as_secs_f64() * per_second).ceil().max(1.0) as u64;
        Schedule { per_second, count: shape.requests.map_or(fit, |requests| requests.min(fit)) }
    }

    /// How long it takes to send them all at this rate.
    pub(super) fn whole(&self) -> Duration {
        self.due(self.count)
    }

    pub(super) fn due(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_begin_at_their_rate_and_the_ramp_ends_with_the_last() {
        let users = Users { spawn_rate: Some(25.0), ..Users::eager(100) };
        assert_eq!((users.begins(0), users.begins(50)), (Duration::ZERO, Duration::from_secs(2)));
        let shape = Shape { pace: Pace::Users(users), requests: None, within: Duration::from_secs(120) };
        assert_eq!(shape.ramp_up(), Duration::from_millis(3960));
        assert_eq!(Shape::requests(100, 1, Duration::from_secs(1)).ramp_up(), Duration::ZERO);
    }

    #[test]
    fn waits_and_bursts_keep_to_their_ranges() {
        let range = |from, to| Some(Range { from, to });
        let users = Users { wait: range(1.0, 2.0), burst: range(1.0, 5.0), ..Users::eager(1) };
        let mut dice = Dice::new(1);
        let (mut shortest, mut longest) = (Duration::MAX, Duration::ZERO);
        for _ in 0..1000 {
            assert!((1..=5).contains(&users.next_burst(&mut dice)));
            let wait = users.next_wait(&mut dice).unwrap();
            (shortest, longest) = (shortest.min(wait), longest.max(wait));
        }
        assert!(shortest >= Duration::from_secs(1) && longest <= Duration::from_secs(2));
        assert!(longest - shortest > Duration::from_millis(900));
    }

    #[test]
    fn a_rate_has_as_many_moments_as_fit_before_the_end() {
        let shape = |requests| Shape {
            pace: Pace::Rate { per_second: 400.0, connections: 1 },
            requests,
            within: Duration::from_millis(2500),
        };
        let schedule = Schedule::of(400.0, &shape(None));
        assert_eq!(
            (schedule.count, schedule.due(0), schedule.due(999)),
            (1000, Duration::ZERO, Duration::from_micros(2_497_500))
        );
        assert_eq!(schedule.whole(), Duration::from_millis(2500), "the last has its share of the time, too");
        assert_eq!(Schedule::of(400.0, &shape(Some(7))).count, 7);
        assert_eq!(Schedule::of(0.1, &shape(None)).count, 1);
    }
}
