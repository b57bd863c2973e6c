//! From records to running engines and back: bringing clusters up, keeping their settings, taking them down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tracing::warn;

use super::cluster::{Cluster, ClusterError, Health, Settings};
use super::data::{UNFINISHED, remove_directories};
use super::engine::{First, Layout};
use super::faults::RdsFault;
use super::parameters::{for_engine, is_on, set_global, value};
use super::state::{DbCluster, DbInstance, Rds, Region, Source, Status};
use super::versions::Version;
use super::watch::{answers, note, watch};
use crate::fault::Fault;
use crate::process::port;
use crate::scope::Scope;

/// How long a cluster may take from its start to its first login, and its engine to come back.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// How often another port is tried when somebody else was faster.
const PORT_TRIES: usize = 5;

/// What the front door and the engine of a cluster go by.
fn settings(rds: &Rds, scope: &Scope, region: &Region, cluster: &DbCluster) -> Result<Settings, RdsFault> {
    let engine = rds.cloud.engines.sql().map_err(Fault::internal)?;
    let family = Version::find(&cluster.engine_version).map_or("aurora-mysql8.0", Version::family);
    let group = region.cluster_parameters.get(&cluster.parameter_group);
    let of = |name| value(group, family, name);
    let associated = |role: Option<&str>| {
        role.filter(|arn| cluster.roles.iter().any(|role| role.role_arn == *arn)).map(str::to_owned)
    };
    let default = of("aws_default_s3_role");
    Ok(Settings {
        identifier: cluster.identifier.clone(),
        scope: Scope::root(scope.region.clone()),
        resource_id: cluster.resource_id.clone(),
        port: cluster.port,
        iam: cluster.iam,
        require_secure_transport: is_on(of("require_secure_transport")),
        all_roles_on_login: is_on(of("activate_all_roles_on_login")),
        load_role: associated(of("aurora_load_from_s3_role").or(default)),
        select_role: associated(of("aurora_select_into_s3_role").or(default)),
        parameters: for_engine(group, engine.kind),
    })
}

/// How a cluster comes to run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// For the first time: it may take another port than its record's.
    New,
    Again,
    /// Its front door alone.
    Paused,
}

/// Starts a cluster's engine and front door; gives its port.
async fn launch(rds: &Rds, scope: &Scope, cluster: &DbCluster, how: How) -> Result<u16, RdsFault> {
    let mut settings = settings(rds, scope, &rds.region(scope), cluster)?;
    let engine = rds.cloud.engines.sql().map_err(Fault::internal)?;
    let tries = if how == How::New { PORT_TRIES } else { 1 };
    let mut problem = None;
    for _ in 0..tries {
        let paused = how == How::Paused;
        match Cluster::launch(rds.cloud.clone(), engine.clone(), settings.clone(), paused).await {
            Ok(running) => {
                rds.put_running(&cluster.resource_id, running);
                return Ok(settings.port);
            }
            Err(ClusterError::Port { port: taken, source }) => {
                problem = Some(ClusterError::Port { port: taken, source });
                settings.port = port::free().map_err(Fault::internal)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(problem.map_or_else(|| Fault::internal("no free port").into(), RdsFault::from))
}

/// Keeps what a new cluster starts with, before the cluster is on record.
pub(super) fn prepare(rds: &Rds, resource_id: &str, first: &First) -> Result<(), RdsFault> {
    let layout = Layout::open(&rds.cloud, resource_id).map_err(Fault::internal)?;
    first.save(&layout).map_err(|error| Fault::internal(error).into())
}

/// A new cluster: its engine starts now, so that it is there when the first instance is made.
pub(super) async fn begin(rds: &Arc<Rds>, scope: &Scope, cluster: &DbCluster) -> Result<u16, RdsFault> {
    let port = launch(rds, scope, cluster, How::New).await?;
    tokio::spawn(watch(rds.clone(), scope.clone(), cluster.identifier.clone()));
    Ok(port)
}

/// A cluster that was stopped, or that ran before the local cloud was restarted. Whoever starts a cluster that was paused
/// ends the pause; only a restart of the local cloud does not.
pub(super) async fn resume(rds: &Arc<Rds>, scope: &Scope, cluster: &DbCluster) -> Result<(), RdsFault> {
    if cluster.paused {
        rds.change(scope, |region| {
            region.cluster_mut(&cluster.identifier)?.paused = false;
            Ok(())
        })
        .await?;
    }
    again(rds, scope, cluster, How::Again).await
}

async fn again(rds: &Arc<Rds>, scope: &Scope, cluster: &DbCluster, how: How) -> Result<(), RdsFault> {
    launch(rds, scope, cluster, how).await?;
    tokio::spawn(watch(rds.clone(), scope.clone(), cluster.identifier.clone()));
    Ok(())
}

/// A new instance is available as soon as its cluster is.
pub(super) async fn settle_instance(rds: Arc<Rds>, scope: Scope, cluster: String) {
    let Ok(record) = rds.region(&scope).cluster(&cluster).cloned() else { return };
    // Of a cluster that is not available yet its own watch sees the instance, which is on record by now.
    if record.status == Status::Available
        && let Some(running) = rds.running(&record.resource_id)
    {
        let answered = answers(&rds, &running).await;
        if running.health() != Health::Stopped {
            note(&rds, &scope, &cluster, answered.map_err(|reason| reason.to_string())).await;
        }
    }
}

/// Puts changed settings into force. Dynamic parameters go to the running engine; the others wait for its next start.
pub(super) async fn refresh(
    rds: &Rds,
    scope: &Scope,
    identifier: &str,
    changed: &BTreeMap<String, String>,
) -> Result<(), RdsFault> {
    let region = rds.region(scope);
    let cluster = region.cluster(identifier)?;
    let Some(running) = rds.running(&cluster.resource_id) else { return Ok(()) };
    let fresh = settings(rds, scope, &region, cluster)?;
    let engine: Vec<String> = fresh
        .parameters
        .iter()
        .filter(|(name, _)| changed.contains_key(if name == "default_time_zone" { "time_zone" } else { name }))
        .map(|(name, _)| if name == "default_time_zone" { "time_zone".to_owned() } else { name.clone() })
        .collect();
    running.set(fresh);
    // A change of a cluster ends its pause, as on AWS; only what the engine itself is told waits for that.
    running.wake();
    if !engine.is_empty() {
        running.be_awake().await?;
    }
    for name in engine {
        running.administer(&set_global(&name, &changed[&name], running.kind())).await?;
    }
    Ok(())
}

/// Stops a cluster's engine; what it holds stays.
pub(super) async fn halt(rds: Arc<Rds>, scope: Scope, identifier: String) {
    let Ok(cluster) = rds.region(&scope).cluster(&identifier).cloned() else { return };
    if let Some(running) = rds.take_running(&cluster.resource_id) {
        running.stop().await;
    }
    let now = rds.cloud.clock.now();
    let changed = rds.change(&scope, |region| {
        let cluster = region.cluster_mut(&identifier)?;
        cluster.status = Status::Stopped;
        cluster.paused = false;
        if let Some(writer) = region.writer(&identifier).map(|writer| writer.identifier.clone()) {
            region.instance_mut(&writer)?.status = Status::Stopped;
        }
        region.tell(now, Source::Cluster, &identifier, "notification", "DB cluster stopped");
        Ok(())
    });
    if let Err(reason) = changed.await {
        warn!(cluster = %identifier, %reason, "the cluster's status could not be written");
    }
}

/// Deletes a cluster: engine, files, managed secret, record.
pub(super) async fn remove(rds: Arc<Rds>, scope: Scope, identifier: String) {
    let Ok(cluster) = rds.region(&scope).cluster(&identifier).cloned() else { return };
    discard(&rds, &scope, &cluster).await;
    let now = rds.cloud.clock.now();
    let changed = rds.change(&scope, |region| {
        region.clusters.remove(&identifier);
        region.tell(now, Source::Cluster, &identifier, "deletion", "DB cluster deleted");
        Ok(())
    });
    if let Err(reason) = changed.await {
        warn!(cluster = %identifier, %reason, "a deleted cluster could not be taken off the record");
    }
}

/// Takes back a cluster whose creation failed: nothing of it stays, and its name is free again.
pub(super) async fn take_back(rds: &Rds, scope: &Scope, cluster: &DbCluster) {
    discard(rds, scope, cluster).await;
    let changed = rds.change(scope, |region| {
        // Two requests may have raced for the name: the record may be the other's.
        if region.clusters.get(&cluster.identifier).is_some_and(|there| there.resource_id == cluster.resource_id) {
            region.clusters.remove(&cluster.identifier);
        }
        Ok(())
    });
    if let Err(reason) = changed.await {
        warn!(cluster = %cluster.identifier, %reason, "a cluster that was not made could not be taken off the record");
    }
}

/// Ends a cluster's engine and deletes its files and its managed secret.
async fn discard(rds: &Rds, scope: &Scope, cluster: &DbCluster) {
    let identifier = &cluster.identifier;
    if let Some(running) = rds.take_running(&cluster.resource_id) {
        running.discard().await;
    }
    let directory = rds.cloud.home.state("rds").join("clusters").join(&cluster.resource_id);
    let removed = tokio::task::spawn_blocking(move || match std::fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    });
    if let Ok(Err(reason)) = removed.await {
        warn!(cluster = %identifier, %reason, "the files of a deleted cluster could not be removed");
    }
    if let Some(secret) = &cluster.secret {
        forget_secret(rds, scope, &secret.arn).await;
    }
}

/// Deletes the managed secret of a cluster that is no more.
async fn forget_secret(rds: &Rds, scope: &Scope, arn: &str) {
    let input = json!({"SecretId": arn, "ForceDeleteWithoutRecovery": true});
    let service = scope.as_service("rds.amazonaws.com");
    if let Err(fault) = rds.cloud.call(&service, "secretsmanager", "DeleteSecret", input).await {
        warn!(secret = %arn, %fault, "the managed secret of a deleted cluster could not be deleted");
    }
}

/// Deletes the managed secrets that no cluster names: the local cloud was killed after it had made the secret and
/// before it put the cluster on record.
async fn forget_stray_secrets(rds: &Rds, scope: &Scope, region: &Region) -> Result<(), Fault> {
    let service = scope.as_service("rds.amazonaws.com");
    let owned: BTreeSet<&str> =
        region.clusters.values().filter_map(|cluster| Some(cluster.secret.as_ref()?.arn.as_str())).collect();
    let mut next = Value::Null;
    loop {
        let input = json!({"Filters": [{"Key": "owning-service", "Values": ["rds"]}], "NextToken": next});
        let page = rds.cloud.call(&service, "secretsmanager", "ListSecrets", input).await?;
        let listed = page["SecretList"].as_array().into_iter().flatten();
        for arn in listed.filter_map(|secret| secret["ARN"].as_str()).filter(|arn| !owned.contains(arn)) {
            forget_secret(rds, scope, arn).await;
        }
        next = page["NextToken"].clone();
        if next.is_null() {
            return Ok(());
        }
    }
}

/// Deletes the directories that no cluster names: the local cloud was killed after it had made one and before it put the
/// cluster on record, or while an engine set up its first data directory.
fn forget_stray_directories(rds: &Rds, regions: &BTreeMap<String, Region>) -> std::io::Result<()> {
    let clusters = regions.values().flat_map(|region| region.clusters.values());
    let owned: BTreeSet<&str> = clusters.map(|cluster| cluster.resource_id.as_str()).collect();
    let state = rds.cloud.home.state("rds");
    let stray = |name: &str| !owned.contains(name);
    let unfinished = |name: &str| name.starts_with(UNFINISHED);
    remove_directories(&state.join("clusters"), stray)?;
    remove_directories(&state.join("templates"), unfinished)
}

/// What ran before the local cloud was restarted is starting, until somebody has logged in to it; what was paused still is.
async fn nothing_runs(rds: &Rds, scope: &Scope) -> Result<(), RdsFault> {
    let start = |status: &mut Status| {
        if matches!(status, Status::Available | Status::Modifying | Status::Rebooting | Status::Failed) {
            *status = Status::Starting;
        }
    };
    rds.change(scope, |region| {
        let (clusters, instances) = (&mut region.clusters, &mut region.instances);
        let runs = |instance: &&mut DbInstance| clusters.get(&instance.cluster).is_none_or(|cluster| !cluster.paused);
        instances.values_mut().filter(runs).for_each(|instance| start(&mut instance.status));
        clusters.values_mut().filter(|cluster| !cluster.paused).for_each(|cluster| start(&mut cluster.status));
        Ok(())
    })
    .await
}

/// After a restart of the local cloud: every cluster that was not stopped runs again, on its own port; one that was paused
/// still is, and answers there.
pub(super) async fn restore(rds: &Arc<Rds>) {
    let regions = rds.shelf.get().regions.clone();
    if let Err(reason) = forget_stray_directories(rds, &regions) {
        warn!(%reason, "what a killed local cloud left of clusters could not be removed");
    }
    for (name, region) in regions {
        let scope = Scope::root(name);
        if let Err(reason) = nothing_runs(rds, &scope).await {
            warn!(%reason, "the clusters' status could not be written");
        }
        if let Err(fault) = forget_stray_secrets(rds, &scope, &region).await {
            warn!(%fault, "the clusters' managed secrets could not be listed");
        }
        for (identifier, cluster) in region.clusters {
            match cluster.status {
                Status::Stopped => {}
                Status::Stopping => halt(rds.clone(), scope.clone(), identifier).await,
                Status::Deleting => {
                    tokio::spawn(remove(rds.clone(), scope.clone(), identifier));
                }
                _ => {
                    let how = if cluster.paused { How::Paused } else { How::Again };
                    if let Err(reason) = again(rds, &scope, &cluster, how).await {
                        note(rds, &scope, &identifier, Err(reason.to_string())).await;
                    }
                }
            }
        }
    }
}
