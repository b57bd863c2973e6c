//! The door of one cloud: requests under way are counted, so that a reset can wait for them, and ended if they do not end.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

pub(super) struct Gate {
    closed: AtomicBool,
    inside: AtomicUsize,
    left: Notify,
    cut: watch::Sender<bool>,
}

/// The right to be inside.
pub(super) struct Pass(Arc<Gate>);

impl Gate {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Gate {
            closed: AtomicBool::new(false),
            inside: AtomicUsize::new(0),
            left: Notify::new(),
            cut: watch::Sender::new(false),
        })
    }

    /// `None`: the gate is closed.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Pass> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        let pass = Pass(self.clone());
        (!self.closed.load(Ordering::SeqCst)).then_some(pass)
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Waits until nobody is inside; false: somebody still is.
    pub(super) async fn emptied(&self, within: Duration) -> bool {
        let empty = async {
            while self.inside.load(Ordering::SeqCst) > 0 {
                self.left.notified().await;
            }
        };
        tokio::time::timeout(within, empty).await.is_ok()
    }

    /// Ends what is still under way.
    pub(super) fn cut(&self) {
        self.cut.send_replace(true);
    }
}

impl Pass {
    /// Does `work` inside. `None`: it was cut.
    pub(super) async fn run<R>(self, work: impl Future<Output = R>) -> Option<R> {
        let mut cut = self.0.cut.subscribe();
        tokio::select! {
            done = work => Some(done),
            // The gate lives as long as its pass: an error cannot be.
            _ = cut.wait_for(|cut| *cut) => None,
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.left.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(5);
    const LATE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_closed_gate_lets_nobody_in_and_waits_for_who_is_inside() {
        let gate = Gate::new();
        let inside = gate.enter().unwrap();
        gate.close();
        assert!(gate.enter().is_none());
        assert!(!gate.emptied(SOON).await);
        let (work, done) = tokio::sync::oneshot::channel::<()>();
        let working = tokio::spawn(inside.run(async move { done.await.is_ok() }));
        let waiting = gate.clone();
        let waiting = tokio::spawn(async move { waiting.emptied(LATE).await });
        work.send(()).unwrap();
        assert_eq!(working.await.unwrap(), Some(true));
        assert!(waiting.await.unwrap());
    }

    #[tokio::test]
    async fn what_does_not_end_is_cut() {
        let gate = Gate::new();
        let endless = tokio::spawn(gate.enter().unwrap().run(std::future::pending::<()>()));
        gate.close();
        assert!(!gate.emptied(SOON).await);
        gate.cut();
        assert!(gate.emptied(LATE).await);
        assert_eq!(endless.await.unwrap(), None);
    }
}
