//! Runs a load from its beginning to its end, and looks at it now and then.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::connection::Dialer;
use super::desk::Desk;
use super::mix::Mix;
use super::rate::{self, Rate};
use super::recorder::Recorder;
use super::report::{Late, Moment, Report};
use super::sender::Lane;
use super::shape::{Pace, Schedule, Shape, Users};
use super::tally::Tally;
use super::users::{self, Crowd};
use crate::engine::http::HttpError;

/// At most so many moments are kept of a load.
const MOST_MOMENTS: u64 = 3600;
/// How long requests under way may take after the load was ended from outside.
const GRACE: Duration = Duration::from_secs(1);

/// A load that was run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Without the ramp-up, if that was over.
    pub tally: Tally,
    pub took: Duration,
    /// While users were still beginning.
    pub ramp_up: Option<Report>,
    /// Of a constant rate.
    pub late: Option<Late>,
    pub over_time: Vec<Moment>,
    /// It was ended from outside.
    pub stopped: bool,
}

impl Run {
    pub fn report(&self) -> Report {
        Report::of(&self.tally, self.took)
    }
}

/// How often a load is looked at: once a second, oftener in a short one, which would have nothing to show, and seldom in a
/// long one.
fn interval(within: Duration) -> Duration {
    match within.as_secs() {
        0..=60 => Duration::from_millis(250),
        seconds => Duration::from_secs(seconds.div_ceil(MOST_MOMENTS)),
    }
}

/// Who looks at a load while it runs.
pub struct Watch<S, F> {
    /// Is told of every moment.
    pub seen: S,
    /// Ends the load before its time.
    pub stop: F,
}

impl Watch<fn(&Moment), std::future::Pending<()>> {
    /// Nobody.
    pub fn nobody() -> Self {
        Watch { seen: |_| {}, stop: std::future::pending() }
    }
}

/// Sends the requests, numbered from 0, until the shape's end or until it is stopped.
///
/// # Errors
/// The load could not begin. Failed requests are in what comes of it.
pub async fn drive(
    mix: Mix,
    shape: &Shape,
    watch: Watch<impl FnMut(&Moment), impl Future<Output = ()>>,
) -> Result<Run, HttpError> {
    // Reading the system's authorities takes longer than many a request: once, and before the clock runs.
    let lane = Arc::new(Lane { dialer: Dialer::to(&mix.uri)?, mix });
    let recorder = Arc::new(Recorder::new(Instant::now(), shape.ramp_up()));
    let ending = Arc::new(AtomicBool::new(false));
    let mut work = JoinSet::new();
    let wanted = match shape.pace {
        Pace::Users(habits) => crowd(&mut work, lane, &recorder, (shape, habits), &ending),
        Pace::Rate { per_second, connections } => {
            let schedule = Schedule::of(per_second, shape);
            let desk = Desk::new(connections.max(1));
            let rate = Arc::new(Rate { lane, recorder: recorder.clone(), schedule, desk, ending: ending.clone() });
            paced(&mut work, rate)
        }
    };
    let interval = interval(shape.within);
    let watched = Watched { work, wanted, ending, interval };
    let (over_time, stopped) = watched.until_done(&recorder, watch).await;
    Ok(result(&recorder, shape, over_time, stopped))
}

fn crowd(
    work: &mut JoinSet<()>,
    lane: Arc<Lane>,
    recorder: &Arc<Recorder>,
    (shape, habits): (&Shape, Users),
    ending: &Arc<AtomicBool>,
) -> Option<Wanted> {
    let crowd = Arc::new(Crowd {
        lane,
        recorder: recorder.clone(),
        habits,
        requests: shape.requests.unwrap_or(u64::MAX),
        deadline: recorder.begun() + shape.within,
        next: AtomicU64::new(0),
        ending: ending.clone(),
    });
    for number in 0..habits.count {
        work.spawn(users::user(crowd.clone(), number));
    }
    None
}

fn paced(work: &mut JoinSet<()>, rate: Arc<Rate>) -> Option<Wanted> {
    let (more, wanted) = unbounded_channel();
    let clock = rate.clone();
    work.spawn_blocking(move || clock.clock(&more));
    Some(Wanted { told: wanted, rate, workers: 0 })
}

/// Workers of a constant rate are made when they are wanted.
struct Wanted {
    told: UnboundedReceiver<()>,
    rate: Arc<Rate>,
    workers: usize,
}

struct Watched {
    work: JoinSet<()>,
    wanted: Option<Wanted>,
    ending: Arc<AtomicBool>,
    interval: Duration,
}

impl Watched {
    async fn until_done(
        mut self,
        recorder: &Recorder,
        watch: Watch<impl FnMut(&Moment), impl Future<Output = ()>>,
    ) -> (Vec<Moment>, bool) {
        let Watch { mut seen, stop } = watch;
        let (mut moments, sliver) = (Vec::new(), self.interval / 4);
        // Looks, and tells when it did.
        let mut look = |last: Duration| {
            let until = recorder.begun().elapsed();
            // The rate of a sliver of time would say nothing.
            let moment = recorder.moment(until, until.saturating_sub(last).max(sliver));
            if moment.requests > 0 || moments.is_empty() || until - last > sliver {
                seen(&moment);
                moments.push(moment);
            }
            until
        };
        let mut last = Duration::ZERO;
        let mut tick = tokio::time::interval_at(recorder.begun() + self.interval, self.interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut stop = pin!(stop);
        let mut stopped = None;
        loop {
            tokio::select! {
                biased;
                () = &mut stop, if stopped.is_none() => {
                    self.ending.store(true, Ordering::Relaxed);
                    stopped = Some(Instant::now() + GRACE);
                }
                () = more(&mut self.wanted) => self.one_more_worker(),
                _ = tick.tick() => last = look(last),
                done = self.work.join_next() => match done {
                    None => break,
                    Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Some(_) => {}
                },
                () = tokio::time::sleep_until(stopped.unwrap_or_else(Instant::now)), if stopped.is_some() => break,
            }
        }
        self.work.shutdown().await;
        // What came after the last look, even if that was just now.
        look(last);
        (moments, stopped.is_some())
    }

    fn one_more_worker(&mut self) {
        if let Some(wanted) = &mut self.wanted {
            self.work.spawn(rate::worker(wanted.rate.clone(), wanted.workers));
            wanted.workers += 1;
        }
    }
}

/// Waits until one more worker is wanted; for ever, if none will be.
async fn more(wanted: &mut Option<Wanted>) {
    match wanted {
        Some(some) => match some.told.recv().await {
            Some(()) => {}
            None => {
                *wanted = None;
                std::future::pending().await
            }
        },
        None => std::future::pending().await,
    }
}

fn result(recorder: &Recorder, shape: &Shape, over_time: Vec<Moment>, stopped: bool) -> Run {
    let mut recorded = recorder.recorded();
    let answered = recorded.last.unwrap_or_else(Instant::now).saturating_duration_since(recorder.begun());
    // The last request of a constant rate has its share of the time too, as every other.
    let took = match shape.pace {
        Pace::Rate { per_second, .. } if !stopped => answered.max(Schedule::of(per_second, shape).whole()),
        _ => answered,
    };
    let ramp_up = shape.ramp_up();
    let late = matches!(shape.pace, Pace::Rate { .. }).then_some(recorded.late);
    // An end during the ramp-up leaves nothing else to report.
    if ramp_up.is_zero() || took <= ramp_up {
        recorded.steady.add(&recorded.ramp_up);
        return Run { tally: recorded.steady, took, ramp_up: None, late, over_time, stopped };
    }
    let apart = Report::of(&recorded.ramp_up, ramp_up);
    Run { tally: recorded.steady, took: took - ramp_up, ramp_up: Some(apart), late, over_time, stopped }
}

#[cfg(test)]
#[path = "drive_tests.rs"]
mod tests;
