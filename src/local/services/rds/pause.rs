//! A cluster that nobody uses: its engine ends, its front door stays, and whoever comes starts it again.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::cluster::{Cluster, ClusterError, Health};
use super::engine::ADMIN;
use crate::clock::Timestamp;

/// How long a resumed engine may take beyond what was added on purpose.
pub(crate) const RESUME_PATIENCE: Duration = Duration::from_secs(120);

/// Who uses a cluster, and whether it is to sleep.
pub(super) struct Use {
    asleep: watch::Sender<bool>,
    /// Clients of the front door. Those of the Data API are not among them: it keeps its connections for the next call.
    clients: AtomicUsize,
    /// When somebody last used it, in milliseconds since the epoch.
    last: AtomicI64,
    /// Counts the ends of the engine: a connection of an earlier era is dead.
    era: AtomicU64,
}

impl Use {
    pub(super) fn new(asleep: bool, now: Timestamp) -> Self {
        Use {
            asleep: watch::Sender::new(asleep),
            clients: AtomicUsize::new(0),
            last: AtomicI64::new(now.millis()),
            era: AtomicU64::new(0),
        }
    }

    pub(super) fn next_era(&self) {
        self.era.fetch_add(1, Ordering::Relaxed);
    }
}

/// A client of the front door, for as long as it is there.
pub(crate) struct Client<'a>(&'a Cluster);

impl Drop for Client<'_> {
    fn drop(&mut self) {
        self.0.touch();
        self.0.usage.clients.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Cluster {
    /// Counts a client in, and wakes the engine for it.
    pub(crate) fn enter(&self) -> Client<'_> {
        self.usage.clients.fetch_add(1, Ordering::SeqCst);
        self.touch();
        self.wake();
        Client(self)
    }

    /// Somebody uses it now.
    pub(crate) fn touch(&self) {
        self.usage.last.store(self.cloud.clock.now().millis(), Ordering::Relaxed);
    }

    /// Ends a pause, if there is one; does not wait.
    pub(crate) fn wake(&self) {
        self.usage.asleep.send_if_modified(std::mem::take);
    }

    /// [`Cluster::wake`], and waits until the engine runs.
    ///
    /// # Errors
    /// As [`Cluster::running`].
    pub(crate) async fn be_awake(&self) -> Result<(), ClusterError> {
        self.touch();
        self.wake();
        self.running(RESUME_PATIENCE + self.cloud.drills.resume_delay()).await
    }

    /// Whether it is paused, about to be, or on its way back.
    pub(crate) fn is_paused(&self) -> bool {
        matches!(self.health(), Health::Pausing | Health::Paused | Health::Resuming)
    }

    pub(crate) fn era(&self) -> u64 {
        self.usage.era.load(Ordering::Relaxed)
    }

    /// How long nobody has used it; `None` while somebody does.
    pub(super) fn idle(&self) -> Option<Duration> {
        if self.has_clients() {
            return None;
        }
        let millis = self.cloud.clock.now().millis() - self.usage.last.load(Ordering::Relaxed);
        Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
    }

    fn has_clients(&self) -> bool {
        self.usage.clients.load(Ordering::SeqCst) > 0
    }

    /// Resolves when the engine is to end for a pause.
    pub(super) async fn sent_to_sleep(&self) {
        // An error means that the sender is gone, which we hold.
        let _ = self.usage.asleep.subscribe().wait_for(|asleep| *asleep).await;
    }

    /// Waits until the cluster is not paused. False: it is being stopped.
    pub(super) async fn awake(&self) -> bool {
        let mut asleep = self.usage.asleep.subscribe();
        if *asleep.borrow() {
            self.set_health(Health::Paused);
            tokio::select! {
                woken = asleep.wait_for(|asleep| !*asleep) => drop(woken),
                () = self.stopped() => return false,
            }
        }
        if !self.is_paused() {
            return true;
        }
        self.set_health(Health::Resuming);
        tokio::select! {
            () = tokio::time::sleep(self.cloud.drills.resume_delay()) => true,
            () = self.stopped() => false,
        }
    }

    /// Pauses the cluster, unless somebody uses it after all: a client has come, or the engine still works for one that has
    /// gone, or for the Data API. Says whether it is paused.
    ///
    /// # Errors
    /// The engine is away.
    pub(super) async fn fall_asleep(&self) -> Result<bool, ClusterError> {
        if self.has_clients() || self.works().await? {
            return Ok(false);
        }
        let mut health = self.health_changes();
        self.usage.asleep.send_replace(true);
        // A client that came between the look and the word has not seen the word.
        if self.has_clients() {
            self.wake();
        }
        let settled = health.wait_for(|health| matches!(health, Health::Paused | Health::Resuming | Health::Stopped));
        // The sender lives as long as the cluster; a pause that was called off before the engine heard of it changes nothing.
        tokio::select! {
            settled = settled => Ok(settled.is_ok_and(|health| *health == Health::Paused)),
            () = self.called_off() => Ok(false),
        }
    }

    /// Resolves when somebody wakes the cluster before its engine has begun to end.
    async fn called_off(&self) {
        let mut asleep = self.usage.asleep.subscribe();
        let _ = asleep.wait_for(|asleep| !*asleep).await;
        if self.health() != Health::Running {
            std::future::pending::<()>().await;
        }
    }

    /// Whether a statement runs or a transaction has begun to read or write.
    async fn works(&self) -> Result<bool, ClusterError> {
        /// Columns of it.
        const USER: usize = 1;
        const COMMAND: usize = 4;
        let processes = self.ask("SHOW PROCESSLIST").await?;
        let at_work = |row: &Vec<Option<String>>| {
            let word = |at: usize| row.get(at).and_then(Option::as_deref).unwrap_or_default();
            word(USER) != ADMIN && !matches!(word(COMMAND), "Sleep" | "Daemon")
        };
        if processes.iter().any(at_work) {
            return Ok(true);
        }
        let open = self.ask("SELECT COUNT(*) FROM information_schema.INNODB_TRX").await?;
        Ok(open.first().and_then(|row| row.first()?.as_deref()).is_some_and(|count| count != "0"))
    }
}
