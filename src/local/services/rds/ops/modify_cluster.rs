//! ModifyDBCluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::cluster_rules::{check_backup, check_scaling, known_group};
use super::clusters::shown;
use super::master::change_password;
use crate::call::Call;
use crate::fault::Fault;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::lifecycle;
use crate::services::rds::state::{Rds, Scaling, Status};
use crate::services::rds::versions::Version;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Modify {
    #[serde(rename = "DBClusterIdentifier")]
    identifier: String,
    /// Every change is made at once, as AWS does for most of these.
    #[serde(rename = "ApplyImmediately")]
    _apply_immediately: Option<bool>,
    pub(super) master_user_password: Option<String>,
    #[serde(rename = "DBClusterParameterGroupName")]
    parameter_group: Option<String>,
    vpc_security_group_ids: Option<Vec<String>>,
    enable_http_endpoint: Option<bool>,
    #[serde(rename = "EnableIAMDatabaseAuthentication")]
    iam: Option<bool>,
    #[serde(rename = "ServerlessV2ScalingConfiguration")]
    scaling: Option<Scaling>,
    backup_retention_period: Option<u32>,
    preferred_backup_window: Option<String>,
    preferred_maintenance_window: Option<String>,
    deletion_protection: Option<bool>,
    copy_tags_to_snapshot: Option<bool>,
    engine_version: Option<String>,
    pub(super) manage_master_user_password: Option<bool>,
    pub(super) rotate_master_user_password: Option<bool>,
}

/// ModifyDBCluster.
pub(crate) async fn modify(rds: Arc<Rds>, call: &Call, input: Modify) -> Result<Value, RdsFault> {
    let region = rds.region(&call.scope);
    let cluster = region.cluster(&input.identifier)?.clone();
    let name = cluster.identifier.clone();
    if cluster.status != Status::Available {
        return Err(RdsFault::ClusterState(format!(
            "DB cluster {name} is not in the available state: {}",
            cluster.status.name()
        )));
    }
    let version =
        Version::find(&cluster.engine_version).ok_or_else(|| Fault::internal("the cluster's version is unknown"))?;
    let other = |wanted: &str| Version::find(wanted).is_none_or(|wanted| wanted.name != cluster.engine_version);
    if input.engine_version.as_deref().is_some_and(other) {
        return Err(Fault::unsupported("a change of EngineVersion").into());
    }
    if let Some(scaling) = &input.scaling {
        check_scaling(scaling, version)?;
    }
    if let Some(days) = input.backup_retention_period {
        check_backup(days)?;
    }
    let group = input.parameter_group.as_deref().map(|group| known_group(&region, Some(group), version)).transpose()?;
    change_password(&rds, call, &cluster, &input).await?;
    rds.change(&call.scope, |region| {
        let cluster = region.cluster_mut(&name)?;
        set(&mut cluster.parameter_group, group);
        set(&mut cluster.security_groups, input.vpc_security_group_ids);
        set(&mut cluster.http_endpoint, input.enable_http_endpoint);
        set(&mut cluster.iam, input.iam);
        set(&mut cluster.scaling, input.scaling.map(|scaling| Some(scaling.complete())));
        set(&mut cluster.backup_days, input.backup_retention_period);
        set(&mut cluster.backup_window, input.preferred_backup_window);
        set(&mut cluster.maintenance_window, input.preferred_maintenance_window);
        set(&mut cluster.deletion_protection, input.deletion_protection);
        set(&mut cluster.copy_tags, input.copy_tags_to_snapshot);
        Ok(())
    })
    .await?;
    lifecycle::refresh(&rds, &call.scope, &name, &BTreeMap::new()).await?;
    shown(&rds, call, &name)
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}
