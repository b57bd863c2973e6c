//! Carrying out many steps at once, each as soon as what it waits for is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::engine::Run;
use super::order::Walk;
use super::status::Status;

/// How one step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed,
}

/// Why no further steps were started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Failure,
    Timeout,
    /// The stack's status was changed from outside: a delete or a cancel.
    Interrupted,
}

/// What a walk does when something goes wrong.
pub(super) struct Manner {
    /// The status that the stack has while this goes on; another one means that a request came in between.
    pub(super) phase: Status,
    /// Start nothing more after a failure, and tell what is under way that it is cancelled.
    pub(super) stop_at_failure: bool,
    pub(super) time_left: Option<Duration>,
}

/// What came of a walk.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Logical ids in the order in which they failed.
    pub(super) failed: Vec<String>,
    pub(super) stop: Option<Stop>,
}

impl Run {
    /// Runs `step` for every node of `walk`; returns when everything that was started has settled.
    pub(super) async fn walk<F, Fut>(
        self: &Arc<Self>,
        manner: Manner,
        mut walk: Walk,
        names: &[String],
        step: F,
    ) -> Ended
    where
        F: Fn(Arc<Run>, usize) -> Fut,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        let mut ended = Ended::default();
        let mut tasks = JoinSet::new();
        let mut under_way: HashMap<tokio::task::Id, usize> = HashMap::new();
        let deadline = manner.time_left.map(|left| tokio::time::Instant::now() + left);
        loop {
            if ended.stop.is_none() && self.cell.peek(|stack| stack.status) != manner.phase {
                self.stop_walk(&mut ended, Stop::Interrupted, &under_way, names).await;
            }
            while ended.stop.is_none()
                && let Some(node) = walk.next()
            {
                under_way.insert(tasks.spawn(step(self.clone(), node)).id(), node);
            }
            if tasks.is_empty() {
                return ended;
            }
            tokio::select! {
                Some(done) = tasks.join_next_with_id() => {
                    let (id, outcome) = match done {
                        Ok((id, outcome)) => (id, outcome),
                        Err(error) => (error.id(), Outcome::Failed),
                    };
                    let Some(node) = under_way.remove(&id) else { continue };
                    if outcome == Outcome::Done {
                        walk.done(node);
                        continue;
                    }
                    self.settle_failed(&names[node]).await;
                    if !ended.failed.contains(&names[node]) {
                        ended.failed.push(names[node].clone());
                    }
                    if manner.stop_at_failure && ended.stop.is_none() {
                        self.stop_walk(&mut ended, Stop::Failure, &under_way, names).await;
                    }
                }
                () = self.cell.poke.notified() => {}
                () = until(deadline), if ended.stop.is_none() => {
                    self.stop_walk(&mut ended, Stop::Timeout, &under_way, names).await;
                }
            }
        }
    }

    /// Nothing more is started; what is under way is told that it is cancelled, and settles.
    async fn stop_walk(
        &self,
        ended: &mut Ended,
        why: Stop,
        under_way: &HashMap<tokio::task::Id, usize>,
        names: &[String],
    ) {
        ended.stop = Some(why);
        let mut nodes: Vec<usize> = under_way.values().copied().collect();
        nodes.sort_unstable();
        for node in nodes {
            if self.announce_cancelled(&names[node]).await {
                ended.failed.push(names[node].clone());
            }
        }
    }

    /// Gives a resource whose work is being cut short its failed status. False if it has none under way.
    async fn announce_cancelled(&self, logical_id: &str) -> bool {
        self.cell
            .record(|stack, events| {
                let Some(resource) = stack.resources.get_mut(logical_id) else { return false };
                let (status, reason) = match resource.status {
                    Status::CreateInProgress => (Status::CreateFailed, "Resource creation cancelled"),
                    Status::UpdateInProgress => (Status::UpdateFailed, "Resource update cancelled"),
                    _ => return false,
                };
                self.mark(resource, status, Some(reason.to_owned()));
                events.push(self.resource_event(stack, logical_id));
                true
            })
            .await
    }

    /// A step that ended without saying so (a panic in a provider) still leaves a failed resource.
    async fn settle_failed(&self, logical_id: &str) {
        let silent =
            |status| matches!(status, Status::CreateInProgress | Status::UpdateInProgress | Status::DeleteInProgress);
        if !self.cell.peek(|stack| stack.resources.get(logical_id).is_some_and(|resource| silent(resource.status))) {
            return;
        }
        self.cell
            .record(|stack, events| {
                let Some(resource) = stack.resources.get_mut(logical_id) else { return };
                let status = match resource.status {
                    Status::CreateInProgress => Status::CreateFailed,
                    Status::DeleteInProgress => Status::DeleteFailed,
                    _ => Status::UpdateFailed,
                };
                self.mark(resource, status, Some("Internal Failure".to_owned()));
                events.push(self.resource_event(stack, logical_id));
            })
            .await;
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
