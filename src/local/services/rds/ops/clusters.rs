//! DescribeDBClusters, DeleteDBCluster, StartDBCluster, StopDBCluster.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::check::{Filter, answer, listing, page, passes};
use crate::call::Call;
use crate::fault::Fault;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::lifecycle;
use crate::services::rds::state::{DbCluster, Rds, Status};
use crate::services::rds::views;

/// A cluster as the answer to what was done with it.
pub(super) fn shown(rds: &Rds, call: &Call, identifier: &str) -> Result<Value, RdsFault> {
    let region = rds.region(&call.scope);
    Ok(answer("DBCluster", views::cluster(rds, &call.scope, &region, region.cluster(identifier)?)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Describe {
    #[serde(rename = "DBClusterIdentifier")]
    identifier: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    max_records: Option<u32>,
    marker: Option<String>,
    /// Nothing is shared with the one account.
    #[serde(rename = "IncludeShared")]
    _include_shared: Option<bool>,
}

/// DescribeDBClusters.
pub(crate) async fn describe(rds: Arc<Rds>, call: &Call, input: Describe) -> Result<Value, RdsFault> {
    let Describe { identifier, filters, max_records, marker, .. } = input;
    let region = rds.region(&call.scope);
    let found: Vec<&DbCluster> = match &identifier {
        Some(identifier) => vec![region.cluster(identifier)?],
        None => region.clusters.values().collect(),
    };
    let mut kept = Vec::new();
    for cluster in found {
        let of = |name: &str| match name {
            "db-cluster-id" => {
                Some(vec![cluster.identifier.clone(), views::cluster_arn(&call.scope, &cluster.identifier)])
            }
            "db-cluster-resource-id" => Some(vec![cluster.resource_id.clone()]),
            "engine" => Some(vec!["aurora-mysql".into()]),
            _ => None,
        };
        if passes(&filters, of)? {
            kept.push(cluster);
        }
    }
    let (kept, next) = page(kept, |cluster| cluster.identifier.clone(), marker.as_deref(), max_records)?;
    let views = kept.into_iter().map(|cluster| views::cluster(&rds, &call.scope, &region, cluster)).collect();
    Ok(listing("DBClusters", views, next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Delete {
    #[serde(rename = "DBClusterIdentifier")]
    identifier: String,
    skip_final_snapshot: Option<bool>,
    #[serde(rename = "FinalDBSnapshotIdentifier")]
    final_snapshot: Option<String>,
    /// There are no automated backups to keep.
    #[serde(rename = "DeleteAutomatedBackups")]
    _delete_automated_backups: Option<bool>,
}

/// DeleteDBCluster.
pub(crate) async fn delete(rds: Arc<Rds>, call: &Call, input: Delete) -> Result<Value, RdsFault> {
    let region = rds.region(&call.scope);
    let name = region.cluster(&input.identifier)?.identifier.clone();
    match (input.skip_final_snapshot.unwrap_or(false), &input.final_snapshot) {
        (true, Some(_)) => {
            return Err(RdsFault::InvalidCombination(
                "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is specified.".into(),
            ));
        }
        (false, None) => {
            return Err(RdsFault::InvalidCombination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.".into(),
            ));
        }
        (false, Some(_)) => return Err(Fault::unsupported("a final snapshot (FinalDBSnapshotIdentifier)").into()),
        (true, None) => {}
    }
    rds.change(&call.scope, |region| {
        if region.writer(&name).is_some_and(|writer| writer.status != Status::Deleting) {
            return Err(RdsFault::ClusterState(
                "Cluster cannot be deleted, it still contains DB instances in non-deleting state.".into(),
            ));
        }
        let cluster = region.cluster_mut(&name)?;
        if cluster.deletion_protection {
            return Err(RdsFault::InvalidCombination(
                "Cannot delete protected Cluster, please disable deletion protection and try again.".into(),
            ));
        }
        if cluster.status == Status::Deleting {
            return Err(RdsFault::ClusterState(format!("DB cluster {name} is already being deleted.")));
        }
        cluster.status = Status::Deleting;
        Ok(())
    })
    .await?;
    let view = shown(&rds, call, &name);
    tokio::spawn(lifecycle::remove(rds.clone(), call.scope.clone(), name));
    view
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Named {
    #[serde(rename = "DBClusterIdentifier")]
    identifier: String,
}

/// StopDBCluster: the engine really ends.
pub(crate) async fn stop(rds: Arc<Rds>, call: &Call, input: Named) -> Result<Value, RdsFault> {
    let name = turn(&rds, call, &input.identifier, Status::Available, Status::Stopping).await?;
    let view = shown(&rds, call, &name);
    tokio::spawn(lifecycle::halt(rds.clone(), call.scope.clone(), name));
    view
}

/// StartDBCluster.
pub(crate) async fn start(rds: Arc<Rds>, call: &Call, input: Named) -> Result<Value, RdsFault> {
    let name = turn(&rds, call, &input.identifier, Status::Stopped, Status::Starting).await?;
    let cluster = rds.region(&call.scope).cluster(&name)?.clone();
    if let Err(fault) = lifecycle::resume(&rds, &call.scope, &cluster).await {
        turn(&rds, call, &name, Status::Starting, Status::Stopped).await?;
        return Err(fault);
    }
    shown(&rds, call, &name)
}

async fn turn(rds: &Rds, call: &Call, identifier: &str, from: Status, to: Status) -> Result<String, RdsFault> {
    rds.change(&call.scope, |region| {
        let cluster = region.cluster_mut(identifier)?;
        if cluster.status != from {
            return Err(RdsFault::ClusterState(format!(
                "DbCluster {} is in {} state but expected it to be one of {}.",
                cluster.identifier,
                cluster.status.name(),
                from.name()
            )));
        }
        cluster.status = to;
        let name = cluster.identifier.clone();
        if let Some(writer) = region.writer(&name).map(|writer| writer.identifier.clone()) {
            region.instance_mut(&writer)?.status = to;
        }
        Ok(name)
    })
    .await
}
