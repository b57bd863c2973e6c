//! The warm environments of one version of a function.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use super::failure::Failure;
use super::log_lines::Report;
use super::trace::Times;
use super::worker::{INIT_WITHIN, NotStarted, Ran, Worker, finish_log};
use super::{Invocation, Outcome};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::process::Child;
use crate::services::lambda::state::Version;

/// So many environments start at once without a second thought; a freed one often comes sooner than a new one.
const STARTING_AT_ONCE: usize = 4;
/// A call that waits gets the next environment that is freed. If none was for so long, more start. On AWS every call that waits gets
/// one at once; here they all share a few cores, and hundreds that start together keep each other, and all that are warm,
/// from doing anything.
const PATIENCE: Duration = Duration::from_millis(50);
/// A call that has waited so long although others are served shows that there are too few: one more starts, and no sooner the next.
const TOO_LONG: Duration = Duration::from_millis(200);
const ONE_MORE: Duration = Duration::from_millis(100);
/// Unused for so long, an environment is ended.
const IDLE_FOR: Duration = Duration::from_secs(5 * 60);
/// A process that is gone before it took the work is replaced so often.
const TRIES: usize = 3;

/// Environments of one revision of one version.
pub(super) struct Pool {
    pub(super) cloud: Arc<Cloud>,
    pub version: Arc<Version>,
    pub(super) task_root: PathBuf,
    state: Mutex<State>,
    /// How many environments there are; whoever waits for the end watches it.
    alive: watch::Sender<usize>,
    /// A start has ended, well or badly.
    started: Notify,
}

#[derive(Default)]
struct State {
    idle: VecDeque<(Worker, Instant)>,
    waiting: VecDeque<oneshot::Sender<Result<Worker, NotStarted>>>,
    starting: usize,
    /// When the last one was started beyond those that may be at once.
    more: Option<Instant>,
    /// When the last one has done its work.
    freed: Option<Instant>,
    /// Every process, those that are still starting too, for a stop that waits for nothing.
    children: Vec<Arc<Child>>,
    /// The cloud stops: a process that has been spawned all the same is ended at once.
    stopped: bool,
    /// No new work comes: what is freed is ended.
    retired: bool,
}

impl Pool {
    pub(super) fn new(cloud: Arc<Cloud>, version: Arc<Version>, task_root: PathBuf) -> Arc<Self> {
        let (state, alive, started) = (Mutex::default(), watch::Sender::new(0), Notify::new());
        Arc::new(Pool { cloud, version, task_root, state, alive, started })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one invocation on a warm environment, or on a new one.
    pub(super) async fn run(self: &Arc<Self>, mut invocation: Invocation) -> Result<Outcome, Fault> {
        for _ in 0..TRIES {
            let mut worker = match self.acquire().await {
                Ok(worker) => worker,
                Err(not_started) => return self.not_started(&invocation, not_started).await,
            };
            match worker.run(invocation).await {
                Ran::Done(outcome) => {
                    self.give(worker);
                    return Ok(outcome);
                }
                Ran::Undelivered(back) => {
                    self.give(worker);
                    invocation = back;
                }
            }
        }
        let failure = Failure::Exited(std::process::ExitStatus::default());
        Ok(Outcome { payload: failure.payload(&invocation.request_id), failed: true, tail: None })
    }

    /// The outcome of an invocation whose environment did not start, told in the log of that environment.
    async fn not_started(&self, invocation: &Invocation, not_started: NotStarted) -> Result<Outcome, Fault> {
        let NotStarted { failure, log, began, took } = not_started;
        if let Failure::Fault(fault) = failure {
            log.close().await;
            return Err(fault);
        }
        if invocation.tail {
            log.start_tail();
        }
        let now = self.cloud.clock.now();
        if let Some(line) = super::log_lines::start(&self.version, now, &invocation.request_id) {
            log.line(line);
        }
        let report = Report {
            request_id: &invocation.request_id,
            duration: Duration::ZERO,
            init: None,
            memory_used: 0,
            failure: Some(&failure),
            trace: &invocation.trace,
        };
        finish_log(&log, &self.cloud, &self.version, &report);
        let now = self.cloud.clock.micros();
        let times = Times { init: Some((began, took)), began: now, answered: now };
        invocation.trace.record((&self.cloud, &self.version), (&invocation.request_id, Some(&failure)), times);
        let tail = log.take_tail();
        log.close().await;
        Ok(Outcome { payload: failure.payload(&invocation.request_id), failed: true, tail })
    }

    async fn acquire(self: &Arc<Self>) -> Result<Worker, NotStarted> {
        let mut mine = {
            let mut state = self.state();
            while let Some((worker, _)) = state.idle.pop_back() {
                if worker.is_usable() {
                    return Ok(worker);
                }
                self.end(worker);
            }
            let (sender, mine) = oneshot::channel();
            state.waiting.push_back(sender);
            self.start_more(&mut state, Duration::ZERO);
            mine
        };
        let began = Instant::now();
        loop {
            tokio::select! {
                got = &mut mine => return match got {
                    Ok(got) => got,
                    // Only a stopping cloud drops those who wait.
                    Err(_) => Err(self.stopping()),
                },
                () = tokio::time::sleep(PATIENCE) => {
                    self.start_more(&mut self.state(), began.elapsed());
                }
            }
        }
    }

    fn stopping(&self) -> NotStarted {
        let version = &self.version;
        let log = super::log_stream::LogStream::open(
            self.cloud.clone(),
            version.scope(),
            version.logging.group.clone(),
            &version.version,
        );
        let failure = Failure::Fault(Fault::internal("the local cloud is stopping"));
        NotStarted { failure, log, began: self.cloud.clock.micros(), took: Duration::ZERO }
    }

    /// Starts an environment for a call that has `waited` so long, if it needs one.
    fn start_more(self: &Arc<Self>, state: &mut State, waited: Duration) {
        let since = |moment: Option<Instant>| moment.map_or(Duration::MAX, |moment| moment.elapsed());
        let wanted = state.starting < state.waiting.len();
        let may = match since(state.freed) >= PATIENCE {
            true => state.starting < STARTING_AT_ONCE || since(state.more) >= PATIENCE,
            false => waited >= TOO_LONG && since(state.more) >= ONE_MORE,
        };
        if wanted && may {
            state.more = Some(Instant::now());
            self.start(state);
        }
    }

    fn start(self: &Arc<Self>, state: &mut State) {
        state.starting += 1;
        self.alive.send_modify(|alive| *alive += 1);
        let pool = self.clone();
        tokio::spawn(async move {
            let mut started = Worker::start(&pool, INIT_WITHIN).await;
            // An initialisation that took longer than its phase is tried once more, within the invocation's own time.
            if let Err(NotStarted { failure: Failure::InitTimedOut, log, .. }) = &started {
                log.close().await;
                let within = Duration::from_secs(u64::from(pool.version.timeout));
                started = Worker::start(&pool, within).await;
                if let Err(NotStarted { failure: failure @ Failure::InitTimedOut, .. }) = &mut started {
                    *failure = Failure::TimedOut { seconds: within.as_secs_f64() };
                }
            }
            pool.started(started);
        });
    }

    /// How many environments there are, those that start or end included.
    pub(super) fn size(&self) -> usize {
        *self.alive.borrow()
    }

    /// Starts environments that no call waits for yet, and waits until they have started or failed.
    pub(super) async fn warm(self: &Arc<Self>, count: usize) {
        {
            let mut state = self.state();
            (0..count.min(STARTING_AT_ONCE)).for_each(|_| self.start(&mut state));
        }
        loop {
            let started = self.started.notified();
            if self.state().starting == 0 {
                return;
            }
            started.await;
        }
    }

    /// Keeps a process that has just been spawned, so that a stop ends it whatever it is doing.
    pub(super) async fn spawned(&self, child: &Arc<Child>) {
        let stopped = {
            let mut state = self.state();
            state.children.retain(|child| child.ended().is_none());
            state.children.push(child.clone());
            state.stopped
        };
        if stopped {
            child.kill().await;
        }
    }

    fn started(self: &Arc<Self>, started: Result<Worker, NotStarted>) {
        match started {
            Ok(worker) => {
                self.state().starting -= 1;
                self.give(worker);
            }
            Err(not_started) => self.failed(not_started),
        }
        self.started.notify_waiters();
    }

    /// Tells whoever waits longest, if anybody does.
    fn failed(&self, mut not_started: NotStarted) {
        let mut state = self.state();
        state.starting -= 1;
        self.alive.send_modify(|alive| *alive -= 1);
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(Err(not_started)) {
                Err(Err(back)) => not_started = back,
                _ => return,
            }
        }
        tokio::spawn(async move { not_started.log.close().await });
    }

    /// Takes an environment back: to whoever waits longest, or to the idle ones.
    fn give(self: &Arc<Self>, mut worker: Worker) {
        let mut state = self.state();
        state.freed = Some(Instant::now());
        if !worker.is_alive() {
            self.end(worker);
            if !state.waiting.is_empty() && state.starting == 0 {
                self.start(&mut state);
            }
            return;
        }
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(Ok(worker)) {
                Err(Ok(back)) => worker = back,
                _ => return,
            }
        }
        if state.retired {
            self.end(worker);
        } else {
            state.idle.push_back((worker, Instant::now()));
        }
    }

    fn end(self: &Arc<Self>, worker: Worker) {
        let pool = self.clone();
        tokio::spawn(async move {
            worker.end().await;
            pool.alive.send_modify(|alive| *alive -= 1);
        });
    }

    /// Ends environments that nobody has used for a while, or whose keys run out.
    pub(super) fn tidy(self: &Arc<Self>) {
        let mut state = self.state();
        let idle = std::mem::take(&mut state.idle);
        for (worker, since) in idle {
            if since.elapsed() < IDLE_FOR && worker.is_usable() {
                state.idle.push_back((worker, since));
            } else {
                self.end(worker);
            }
        }
    }

    /// No new work: idle environments end now, busy ones when they have finished.
    pub(super) fn retire(self: &Arc<Self>) {
        let mut state = self.state();
        state.retired = true;
        for (worker, _) in std::mem::take(&mut state.idle) {
            self.end(worker);
        }
    }

    /// Waits until the last environment has ended.
    pub(super) async fn ended(&self) {
        // The sender is in `self`: it cannot be gone.
        let _ = self.alive.subscribe().wait_for(|alive| *alive == 0).await;
    }

    /// Ends every environment at once.
    pub(super) async fn stop(self: &Arc<Self>) {
        let children = {
            let mut state = self.state();
            state.waiting.clear();
            state.stopped = true;
            std::mem::take(&mut state.children)
        };
        self.retire();
        for child in children {
            child.kill().await;
        }
        self.ended().await;
    }
}
