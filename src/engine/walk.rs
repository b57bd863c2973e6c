//! Walks a plan: a step starts when what it needs is done; after a failure nothing new starts and what runs settles.

use super::event::{Event, Events};
use crate::error::Failure;
use crate::plan::{Action, Step, StepId};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What a step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// In a few words: `3 resources added`.
    pub did: String,
    /// There was nothing to do.
    pub unchanged: bool,
}

impl Done {
    pub fn did(did: impl Into<String>) -> Self {
        Done { did: did.into(), unchanged: false }
    }

    pub fn nothing() -> Self {
        Done { did: "nothing to do".to_owned(), unchanged: true }
    }
}

/// Does one step. Dropping the future abandons it; what AWS was asked to do goes on there.
pub trait Runner {
    fn run(&self, step: &Step) -> impl Future<Output = Result<Done, Failure>>;
}

/// How a walk ended.
#[derive(Debug, Default)]
pub struct Report {
    pub finished: Vec<StepId>,
    /// In the order in which they failed: the first is the one to look at.
    pub failed: Vec<(StepId, Failure)>,
    pub skipped: Vec<StepId>,
    pub took: Duration,
}

impl Report {
    /// The first failure, or success.
    pub fn into_result(mut self) -> Result<(), Failure> {
        match self.failed.is_empty() {
            true => Ok(()),
            false => Err(self.failed.remove(0).1),
        }
    }
}

/// Walks `steps`, which are in an order that respects their edges.
pub async fn walk(steps: &[Step], runner: &impl Runner, events: &Events) -> Report {
    let start = Instant::now();
    let work = steps.iter().filter(|step| step.action != Action::Keep).count();
    events.emit(Event::RunStarted { steps: work });
    let mut report = Report::default();
    let mut done: BTreeSet<&StepId> = BTreeSet::new();
    let mut waiting: Vec<&Step> = steps.iter().collect();
    let mut running = FuturesUnordered::new();
    loop {
        let halted = !report.failed.is_empty();
        let mut progress = false;
        if !halted {
            let known: BTreeSet<&StepId> = steps.iter().map(|step| &step.id).collect();
            let is_ready = |step: &&Step| step.after.iter().all(|need| done.contains(need) || !known.contains(need));
            let (ready, rest): (Vec<&Step>, Vec<&Step>) = waiting.into_iter().partition(is_ready);
            waiting = rest;
            for step in ready {
                if step.action == Action::Keep {
                    done.insert(&step.id);
                    report.finished.push(step.id.clone());
                    progress = true;
                } else {
                    running.push(timed(step, runner, events));
                }
            }
        }
        if progress {
            continue;
        }
        let Some((step, ended)) = running.next().await else { break };
        match ended {
            Ok(()) => {
                done.insert(&step.id);
                report.finished.push(step.id.clone());
            }
            Err(failure) => report.failed.push((step.id.clone(), failure)),
        }
    }
    for step in waiting.into_iter().filter(|step| step.action != Action::Keep) {
        let because = report.failed.first().map(|(id, _)| id.0.clone()).unwrap_or_default();
        events.emit(Event::StepSkipped { step: step.id.0.clone(), because });
        report.skipped.push(step.id.clone());
    }
    report.took = start.elapsed();
    let kept = steps.iter().filter(|step| step.action == Action::Keep && done.contains(&step.id)).count();
    events.emit(Event::RunFinished {
        finished: report.finished.len() - kept,
        failed: report.failed.len(),
        skipped: report.skipped.len(),
        took: report.took,
    });
    report
}

async fn timed<'a>(step: &'a Step, runner: &impl Runner, events: &Events) -> (&'a Step, Result<(), Failure>) {
    let start = Instant::now();
    let id = step.id.0.clone();
    events.emit(Event::StepStarted { step: id.clone(), title: step.work.title() });
    match runner.run(step).await {
        Ok(Done { did, unchanged }) => {
            events.emit(Event::StepFinished { step: id, did, unchanged, took: start.elapsed() });
            (step, Ok(()))
        }
        Err(failure) => {
            let reason =
                std::error::Error::source(&failure).map_or_else(|| failure.summary.clone(), ToString::to_string);
            events.emit(Event::StepFailed { step: id, reason, took: start.elapsed() });
            (step, Err(failure))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Work;
    use std::cell::RefCell;
    use std::collections::BTreeMap;
    use tokio::sync::Notify;

    /// Steps wait for their gate, if they have one, then fail or not.
    #[derive(Default)]
    struct Scripted {
        gates: BTreeMap<&'static str, Notify>,
        failing: BTreeSet<&'static str>,
        log: RefCell<Vec<String>>,
    }

    impl Runner for Scripted {
        async fn run(&self, step: &Step) -> Result<Done, Failure> {
            let name = step.id.0.trim_start_matches("stack/");
            self.log.borrow_mut().push(format!("start {name}"));
            if let Some(gate) = self.gates.get(name) {
                gate.notified().await;
            }
            self.log.borrow_mut().push(format!("end {name}"));
            match self.failing.contains(name) {
                true => Err(Failure::failed(format!("cannot deploy {name}"))),
                false => Ok(Done::did("it")),
            }
        }
    }

    fn step(name: &str, after: &[&str], action: Action) -> Step {
        let work = |name: &str| Work::DeployStack { stack: name.to_owned() };
        Step {
            id: work(name).id(),
            work: work(name),
            after: after.iter().map(|name| work(name).id()).collect(),
            action,
        }
    }

    fn names(ids: &[StepId]) -> Vec<&str> {
        ids.iter().map(|id| id.0.trim_start_matches("stack/")).collect()
    }

    #[tokio::test]
    async fn independent_steps_run_at_once_and_dependents_after_what_they_need() {
        let steps = [step("a", &[], Action::Add), step("b", &[], Action::Add), step("c", &["a", "b"], Action::Add)];
        let runner = Scripted { gates: BTreeMap::from([("a", Notify::new())]), ..Scripted::default() };
        let (events, mut seen) = Events::channel();
        // `a` only ends once `b` has: they must run at once.
        let (report, ()) = tokio::join!(walk(&steps, &runner, &events), async {
            while !matches!(seen.recv().await, Some(Event::StepFinished { .. })) {}
            runner.gates["a"].notify_one();
        });
        assert!(report.failed.is_empty() && report.finished.len() == 3);
        let log = runner.log.into_inner();
        assert_eq!(log[3..], ["end a", "start c", "end c"]);
    }

    #[tokio::test]
    async fn after_a_failure_nothing_starts_and_what_runs_settles() {
        let steps = [
            step("bad", &[], Action::Add),
            step("slow", &[], Action::Add),
            step("next", &["slow"], Action::Add),
            step("user", &["bad"], Action::Add),
        ];
        let runner = Scripted {
            gates: BTreeMap::from([("slow", Notify::new())]),
            failing: BTreeSet::from(["bad"]),
            ..Scripted::default()
        };
        let (events, mut seen) = Events::channel();
        let (report, ()) = tokio::join!(walk(&steps, &runner, &events), async {
            while !matches!(seen.recv().await, Some(Event::StepFailed { .. })) {}
            runner.gates["slow"].notify_one();
        });
        assert_eq!(names(&report.finished), ["slow"]);
        assert_eq!(names(&report.skipped), ["next", "user"]);
        assert_eq!(report.into_result().unwrap_err().summary, "cannot deploy bad");
    }

    #[tokio::test]
    async fn steps_with_nothing_to_do_are_done_without_being_run() {
        let steps = [step("a", &[], Action::Keep), step("b", &["a"], Action::Change)];
        let runner = Scripted::default();
        let report = walk(&steps, &runner, &Events::channel().0).await;
        assert_eq!(report.finished.len(), 2);
        assert_eq!(runner.log.into_inner(), ["start b", "end b"]);
    }
}
