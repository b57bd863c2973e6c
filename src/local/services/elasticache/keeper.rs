//! Keeps the groups' nodes running: starts them, brings back what ends, stops them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ElastiCache;
use super::faults::CacheFault;
use super::node::{self, NodeError, Plan};
use super::state::{Group, Status};
use crate::process::{Child, port};
use crate::store::StoreError;

/// How long a node may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Whoever looks after one node.
pub(super) struct Keeper {
    stop: watch::Sender<bool>,
    /// Asks for a restart.
    reboot: Arc<tokio::sync::Notify>,
    task: JoinHandle<()>,
}

impl ElastiCache {
    /// After a start of the local cloud: what was there runs again, what was being made is made, what was going goes.
    pub(super) async fn bring_back(self: &Arc<Self>) {
        let nothing_runs = self.caches.change(|caches| {
            for group in caches.regions.values_mut().flat_map(|region| region.groups.values_mut()) {
                group.nodes.iter_mut().for_each(|node| node.running = false);
                if group.status == Status::Available {
                    group.status = Status::Modifying;
                }
            }
            Ok::<_, StoreError>(())
        });
        if let Err(error) = nothing_runs.await {
            tracing::error!(%error, "cannot note that no cache node runs");
        }
        let caches = self.caches.get();
        let groups =
            caches.regions.iter().flat_map(|(region, caches)| caches.groups.values().map(move |group| (region, group)));
        join_all(groups.map(|(region, group)| async move {
            match group.status {
                Status::Deleting => self.remove(region, &group.id).await,
                Status::CreateFailed => {}
                Status::Creating | Status::Available | Status::Modifying => self.bring_up(region, &group.id).await,
            }
        }))
        .await;
    }

    /// Starts every node of a group that does not run, the primary first, and then calls the group available. A failure is
    /// the group's status and an event.
    pub(super) async fn bring_up(self: &Arc<Self>, region: &str, id: &str) {
        let Some(group) = self.caches.get().group(region, id).cloned() else { return };
        let first = group.status == Status::Creating;
        if let Err(error) = self.cloud.engines.cache() {
            let message = format!("Replication group {id} cannot run: {error}");
            self.settle(region, id, if first { Status::CreateFailed } else { Status::Modifying }, &message).await;
            return;
        }
        for at in 0..group.nodes.len() {
            if let Err(error) = self.start_node(region, id, at, first).await {
                tracing::error!(group = id, node = at, error = causes(&error), "a cache node does not start");
                let status = if first { Status::CreateFailed } else { Status::Modifying };
                let message = format!("Cache node {} does not start: {}", at + 1, causes(&error));
                self.settle(region, id, status, &message).await;
                return;
            }
        }
        let engine = self.cloud.engines.redis.as_ref();
        let real = engine.map(|engine| format!("{} {}", engine.kind, engine.version)).unwrap_or_default();
        let message = match first {
            true => format!(
                "Replication group {id} created: {real} of this machine serves {} {}",
                group.engine, group.engine_version
            ),
            false => format!("Replication group {id} is available again on {real}"),
        };
        self.settle(region, id, Status::Available, &message).await;
    }

    async fn start_node(self: &Arc<Self>, region: &str, id: &str, at: usize, first: bool) -> Result<(), NodeError> {
        // The port was free when it was chosen; whoever was quicker has it now. A port that clients know is kept.
        const TRIES: usize = 5;
        let missing = || NodeError::Directory(std::io::Error::other("the group is gone"));
        for _ in 1..TRIES {
            let plan = self.plan(region, id, at).ok_or_else(missing)?;
            if self.keepers.lock().await.contains_key(&(region.to_owned(), cluster(&plan))) {
                return Ok(());
            }
            match plan.start(&self.cloud).await {
                Ok(child) => {
                    self.keep(region, id, at, &plan, child).await;
                    return Ok(());
                }
                Err(error) if first && error.ended_early() => {
                    let port = port::free().map_err(NodeError::Directory)?;
                    self.note_node(region, id, at, move |node| node.port = port).await;
                }
                Err(error) => return Err(error),
            }
        }
        let plan = self.plan(region, id, at).ok_or_else(missing)?;
        let child = plan.start(&self.cloud).await?;
        self.keep(region, id, at, &plan, child).await;
        Ok(())
    }

    fn plan(&self, region: &str, id: &str, at: usize) -> Option<Plan> {
        let caches = self.caches.get();
        let caches = caches.regions.get(region)?;
        let group = caches.groups.get(id)?.clone();
        group.nodes.get(at)?;
        let values = caches.values(&group.parameter_group);
        Some(Plan { region: region.to_owned(), group, at, engine: self.cloud.engines.redis.clone()?, values })
    }

    async fn keep(self: &Arc<Self>, region: &str, id: &str, at: usize, plan: &Plan, child: Child) {
        tracing::info!(group = id, node = cluster(plan), pid = child.pid(), engine = %plan.engine.kind, "a cache node is up");
        self.note_node(region, id, at, |node| node.running = true).await;
        let (stop, stopping) = watch::channel(false);
        let reboot = Arc::new(tokio::sync::Notify::new());
        let (service, rebooting) = (self.clone(), reboot.clone());
        let (region, id) = (region.to_owned(), id.to_owned());
        let key = (region.clone(), cluster(plan));
        let mut keepers = self.keepers.lock().await;
        if self.closed.load(Ordering::Acquire) {
            // The local cloud stopped while the node started.
            child.stop(GRACE).await;
            return;
        }
        let task =
            tokio::spawn(async move { service.look_after((&region, &id, at), child, stopping, rebooting).await });
        keepers.insert(key, Keeper { stop, reboot, task });
    }

    /// Until told to stop: waits for the node to end, and brings it back on its port.
    async fn look_after(
        self: Arc<Self>,
        (region, id, at): (&str, &str, usize),
        mut child: Child,
        mut stopping: watch::Receiver<bool>,
        reboot: Arc<tokio::sync::Notify>,
    ) {
        loop {
            let status = tokio::select! {
                status = child.wait() => status,
                () = reboot.notified() => child.stop(GRACE).await,
                () = told(&mut stopping) => {
                    child.stop(GRACE).await;
                    return;
                }
            };
            tracing::warn!(group = id, node = child.name(), %status, "a cache node ended; it is started again, empty");
            self.note_node(region, id, at, |node| node.running = false).await;
            self.settle(
                region,
                id,
                Status::Modifying,
                &format!("Cache node 000{} ended ({status}); recovery has begun", at + 1),
            )
            .await;
            match self.restart((region, id, at), &mut stopping).await {
                Some(again) => child = again,
                None => return,
            }
            self.note_node(region, id, at, |node| node.running = true).await;
            self.settle(region, id, Status::Available, &format!("Finished recovery for cache nodes 000{}", at + 1))
                .await;
        }
    }

    /// Tries until it runs, with growing pauses. `None`: the group is gone or the local cloud stops. A start is never given
    /// up half-way: its process would be nobody's.
    async fn restart(
        &self,
        (region, id, at): (&str, &str, usize),
        stopping: &mut watch::Receiver<bool>,
    ) -> Option<Child> {
        let mut pause = Duration::from_millis(100);
        while !*stopping.borrow() {
            match self.plan(region, id, at)?.start(&self.cloud).await {
                Ok(child) => return Some(child),
                Err(error) => {
                    tracing::error!(group = id, node = at, error = causes(&error), "a cache node does not come back")
                }
            }
            // Either way the loop looks again.
            let _ = tokio::time::timeout(pause, told(stopping)).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
        None
    }

    /// Restarts one node, whose memory is lost.
    pub(super) async fn reboot(&self, region: &str, cluster: &str) {
        if let Some(keeper) = self.keepers.lock().await.get(&(region.to_owned(), cluster.to_owned())) {
            keeper.reboot.notify_one();
        }
    }

    /// Stops one node for good.
    pub(super) async fn stop_node(&self, region: &str, cluster: &str) {
        let keeper = self.keepers.lock().await.remove(&(region.to_owned(), cluster.to_owned()));
        if let Some(keeper) = keeper {
            keeper.end().await;
        }
        let directory = node::directory(&self.cloud, region, cluster);
        if let Err(error) = std::fs::remove_dir_all(&directory)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(directory = %directory.display(), %error, "cannot remove a cache node's directory");
        }
    }

    pub(super) async fn stop_all(&self) {
        let mut keepers = self.keepers.lock().await;
        self.closed.store(true, Ordering::Release);
        let keepers = std::mem::take(&mut *keepers);
        join_all(keepers.into_values().map(Keeper::end)).await;
    }

    /// The end of a group: processes, interfaces, record.
    pub(super) async fn remove(&self, region: &str, id: &str) {
        let Some(group) = self.caches.get().group(region, id).cloned() else { return };
        for node in group.nodes.iter().rev() {
            self.stop_node(region, &node.cluster).await;
            self.release_interface(region, node.interface.as_deref()).await;
        }
        let now = self.cloud.clock.now();
        let forgotten = self.caches.change(|caches| {
            let caches = caches.of(region);
            caches.groups.remove(id);
            caches.tags.retain(|arn, _| !arn.ends_with(&format!(":replicationgroup:{id}")));
            caches.tell("replication-group", id, format!("Replication group {id} deleted"), now);
            Ok::<_, StoreError>(())
        });
        if let Err(error) = forgotten.await {
            tracing::error!(group = id, %error, "cannot forget a deleted replication group");
        }
    }

    /// Notes a group's new status, and why; a group that goes away stays on its way.
    pub(super) async fn settle(&self, region: &str, id: &str, status: Status, message: &str) {
        let now = self.cloud.clock.now();
        let noted = self.caches.change(|caches| {
            let caches = caches.of(region);
            if let Some(group) = caches.groups.get_mut(id).filter(|group| group.status != Status::Deleting) {
                let all_run = group.nodes.iter().all(|node| node.running);
                group.status = if status == Status::Available && !all_run { Status::Modifying } else { status };
            }
            caches.tell("replication-group", id, message, now);
            Ok::<_, StoreError>(())
        });
        if let Err(error) = noted.await {
            tracing::error!(group = id, %error, "cannot note the status of a replication group");
        }
    }

    async fn note_node(&self, region: &str, id: &str, at: usize, change: impl FnOnce(&mut super::state::Node)) {
        let noted = self.caches.change(|caches| {
            if let Some(node) = caches.of(region).groups.get_mut(id).and_then(|group| group.nodes.get_mut(at)) {
                change(node);
            }
            Ok::<_, StoreError>(())
        });
        if let Err(error) = noted.await {
            tracing::error!(group = id, %error, "cannot note the state of a cache node");
        }
    }

    /// Sends a command to every node that runs, as its keeper.
    pub(super) async fn tell_nodes(&self, group: &Group, commands: &[Vec<String>]) -> Result<(), CacheFault> {
        for node in &group.nodes {
            let access = node::access(&self.cloud, group, node.port)
                .map_err(|error| CacheFault::Other(crate::fault::Fault::internal(error)))?;
            let words: Vec<Vec<&str>> =
                commands.iter().map(|words| words.iter().map(String::as_str).collect()).collect();
            let words: Vec<&[&str]> = words.iter().map(Vec::as_slice).collect();
            let told = super::resp::ask(&access, &words).await;
            told.map_err(|error| {
                CacheFault::Other(crate::fault::Fault::internal(format!("cache node {}: {error}", node.cluster)))
            })?;
        }
        Ok(())
    }
}

impl Keeper {
    async fn end(self) {
        self.stop.send_replace(true);
        // A panic in the task has been logged; the child ends with its spawner.
        let _ = self.task.await;
    }
}

/// Until the node is to stop; at once if whoever could say so is gone.
async fn told(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn cluster(plan: &Plan) -> String {
    plan.group.nodes.get(plan.at).map(|node| node.cluster.clone()).unwrap_or_default()
}

/// An error with its causes, on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
