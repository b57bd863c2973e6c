//! What becomes of a running cluster, and what is put on record of it: available, failed, paused, resumed.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::cluster::{Cluster, ClusterError, Health};
use super::frontdoor::probe;
use super::state::{Rds, Region, Source, Status};
use crate::clock::Timestamp;
use crate::scope::Scope;

/// How long until a cluster that failed is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How long at most until an idle cluster is looked at again; in between its settings or the clock may have changed.
const LOOK_WHETHER_IDLE: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_secs(5) };

/// A cluster and where it is on record.
struct Watched {
    rds: Arc<Rds>,
    scope: Scope,
    identifier: String,
    running: Arc<Cluster>,
}

/// Says what becomes of a cluster, until it is stopped: available after a real login through the front door, failed when there
/// is none for long. Its engine is tried again all the same, and one that comes back is available again. One that nobody uses
/// is paused, if it is one that pauses.
pub(super) async fn watch(rds: Arc<Rds>, scope: Scope, identifier: String) {
    let Ok(cluster) = rds.region(&scope).cluster(&identifier).cloned() else { return };
    let Some(running) = rds.running(&cluster.resource_id) else { return };
    let mut said_available = running.is_paused().then_some(true);
    let watched = Watched { rds, scope, identifier, running };
    loop {
        watched.pause_ends().await;
        let answered = answers(&watched.rds, &watched.running).await;
        // Whoever stopped it says what it is now.
        if watched.running.health() == Health::Stopped {
            return;
        }
        if watched.running.is_paused() {
            continue;
        }
        let available = answered.is_ok();
        if said_available != Some(available) {
            let answered = answered.map_err(|reason| reason.to_string());
            note(&watched.rds, &watched.scope, &watched.identifier, answered).await;
            said_available = Some(available);
        }
        match available {
            true => tokio::select! {
                () = watched.running.away() => {}
                () = watched.pause_when_idle() => {}
            },
            false => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

/// Whether somebody can log in through the front door, by and by.
pub(super) async fn answers(rds: &Rds, running: &Cluster) -> Result<(), ClusterError> {
    running.running(rds.patience).await?;
    Ok(probe(running).await?)
}

/// Records that a cluster and its instance are available, or why they are not.
pub(super) async fn note(rds: &Rds, scope: &Scope, identifier: &str, answered: Result<(), String>) {
    let (status, message) = match answered {
        Ok(()) => (Status::Available, "The cluster is available".to_owned()),
        Err(reason) => {
            error!(cluster = %identifier, reason, "the cluster did not become available");
            (Status::Failed, format!("The cluster is not available: {reason}"))
        }
    };
    record(rds, scope, identifier, |region, now| {
        if let Some(cluster) = region.clusters.get_mut(identifier) {
            if matches!(cluster.status, Status::Deleting | Status::Stopping) {
                return;
            }
            cluster.status = status;
        }
        let writer = region.instances.values_mut().find(|instance| instance.cluster == identifier);
        if let Some(writer) = writer {
            writer.status = status;
            let name = writer.identifier.clone();
            if status == Status::Available {
                region.tell(now, Source::Instance, &name, "availability", "DB instance started");
            }
        }
        let category = if status == Status::Available { "notification" } else { "failure" };
        region.tell(now, Source::Cluster, identifier, category, &message);
    })
    .await;
}

async fn record(rds: &Rds, scope: &Scope, identifier: &str, change: impl FnOnce(&mut Region, Timestamp)) {
    let now = rds.cloud.clock.now();
    let changed = rds.change(scope, |region| {
        region.cluster(identifier)?;
        change(region, now);
        Ok(())
    });
    if let Err(reason) = changed.await {
        warn!(cluster = %identifier, %reason, "what became of the cluster could not be written");
    }
}

impl Watched {
    /// Records what RDS tells of an instance's pauses (RDS-EVENT-0370 to 0374), and whether it is paused now.
    async fn tell(&self, message: &'static str, paused: Option<bool>) {
        info!(cluster = %self.identifier, message, "auto-pause");
        record(&self.rds, &self.scope, &self.identifier, |region, now| {
            if let (Some(cluster), Some(paused)) = (region.clusters.get_mut(&self.identifier), paused) {
                cluster.paused = paused;
            }
            if let Some(writer) = region.writer(&self.identifier).map(|writer| writer.identifier.clone()) {
                region.tell(now, Source::Instance, &writer, "notification, serverless", message);
            }
        })
        .await;
    }

    /// After how long it pauses; `None` if it does not: only a cluster whose minimum capacity is 0 and whose instance is
    /// serverless and available does.
    fn pauses_after(&self) -> Option<Duration> {
        let book = self.rds.shelf.get();
        let region = book.regions.get(&self.scope.region)?;
        let own = region.cluster(&self.identifier).ok()?.scaling.as_ref()?.pauses_after()?;
        let writer = region.writer(&self.identifier)?;
        let can = writer.class == "db.serverless" && writer.status == Status::Available;
        let own = Duration::from_secs(own.into());
        can.then(|| self.rds.cloud.drills.pause_after().unwrap_or(own))
    }

    /// Pauses the cluster when nobody has used it for as long as it says. Ends only with a pause.
    async fn pause_when_idle(&self) {
        loop {
            let look = match (self.pauses_after(), self.running.idle()) {
                (Some(after), Some(idle)) => {
                    if idle >= after {
                        self.try_to_pause().await;
                    }
                    // Not before it may be due, and not so often that it costs anything.
                    after.saturating_sub(idle).max(Duration::from_millis(100)).min(LOOK_WHETHER_IDLE)
                }
                _ => LOOK_WHETHER_IDLE,
            };
            tokio::select! {
                () = tokio::time::sleep(look) => {}
                () = self.rds.cloud.drills.changed() => {}
            }
        }
    }

    async fn try_to_pause(&self) {
        self.tell("Initiated pause for the DB instance.", None).await;
        let paused = self.running.fall_asleep().await;
        if !matches!(paused, Ok(true)) {
            if let Err(reason) = paused {
                warn!(cluster = %self.identifier, %reason, "the cluster could not be paused");
            }
            // The next try is as far away as the first was.
            self.running.touch();
            self.tell("Pause was canceled for the DB instance.", None).await;
        }
    }

    /// If the cluster is paused: records that, waits until somebody wakes it, and records how that went.
    async fn pause_ends(&self) {
        if !self.running.is_paused() {
            return;
        }
        let mut health = self.running.health_changes();
        let _ = health.wait_for(|health| *health != Health::Pausing).await;
        if self.running.health() == Health::Paused && !self.is_on_record() {
            self.tell("Successfully paused the DB instance.", Some(true)).await;
        }
        let _ = health.wait_for(|health| *health != Health::Paused).await;
        if self.running.health() == Health::Stopped {
            return;
        }
        self.tell("Initiated resume for the DB instance.", Some(false)).await;
        let _ = health.wait_for(|health| *health != Health::Resuming).await;
        if self.running.health() == Health::Running {
            self.tell("Successfully resumed the DB instance.", None).await;
        }
    }

    /// Whether it is on record as paused: it was before the local cloud was started again.
    fn is_on_record(&self) -> bool {
        let book = self.rds.shelf.get();
        let region = book.regions.get(&self.scope.region);
        region.and_then(|region| region.cluster(&self.identifier).ok()).is_some_and(|cluster| cluster.paused)
    }
}
