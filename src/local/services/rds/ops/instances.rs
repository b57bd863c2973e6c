//! CreateDBInstance to DeleteDBInstance, RebootDBInstance. An instance is the cluster's one engine.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::check::{self, Filter, Tag, answer, identifier, listing, page, passes};
use super::quotas::Quota;
use crate::call::Call;
use crate::fault::Fault;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::lifecycle;
use crate::services::rds::state::{DbInstance, Rds, Region, Source, Status, key};
use crate::services::rds::versions::Version;
use crate::services::rds::{views, watch};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Create {
    #[serde(rename = "DBInstanceIdentifier")]
    identifier: String,
    #[serde(rename = "DBInstanceClass")]
    class: String,
    engine: String,
    engine_version: Option<String>,
    #[serde(rename = "DBClusterIdentifier")]
    cluster: Option<String>,
    #[serde(rename = "DBParameterGroupName")]
    parameter_group: Option<String>,
    #[serde(rename = "DBSubnetGroupName")]
    subnet_group: Option<String>,
    availability_zone: Option<String>,
    preferred_maintenance_window: Option<String>,
    publicly_accessible: Option<bool>,
    auto_minor_version_upgrade: Option<bool>,
    promotion_tier: Option<u32>,
    copy_tags_to_snapshot: Option<bool>,
    monitoring_interval: Option<u32>,
    enable_performance_insights: Option<bool>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// CreateDBInstance.
pub(crate) async fn create(rds: Arc<Rds>, call: &Call, input: Create) -> Result<Value, RdsFault> {
    let name = identifier("DBInstanceIdentifier", &input.identifier)?;
    if input.engine != "aurora-mysql" {
        return Err(Fault::unsupported(format!("the database engine {} (aurora-mysql is)", input.engine)).into());
    }
    let cluster = input.cluster.as_deref().ok_or_else(|| {
        RdsFault::InvalidCombination("The engine aurora-mysql requires the parameter DBClusterIdentifier.".into())
    })?;
    let region = rds.region(&call.scope);
    let cluster = region.cluster(cluster)?.clone();
    check_class(&input.class)?;
    if input.class == "db.serverless" && cluster.scaling.is_none() {
        return Err(RdsFault::InvalidCombination(
            "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a Serverless v2 DB instance.".into(),
        ));
    }
    if input.engine_version.as_deref().is_some_and(|wanted| wanted != cluster.engine_version) {
        return Err(RdsFault::InvalidCombination(
            "The engine version that you requested for your DB instance does not match the engine version of your DB cluster.".into(),
        ));
    }
    if input.subnet_group.as_deref().is_some_and(|wanted| cluster.subnet_group.as_deref() != Some(&key(wanted))) {
        return Err(RdsFault::InvalidCombination(
            "The DB subnet group of the DB instance does not match that of the DB cluster.".into(),
        ));
    }
    if input.monitoring_interval.is_some_and(|seconds| seconds != 0) {
        return Err(Fault::unsupported("enhanced monitoring (MonitoringInterval)").into());
    }
    let version =
        Version::find(&cluster.engine_version).ok_or_else(|| Fault::internal("the cluster's version is unknown"))?;
    let parameter_group = group(&region, input.parameter_group.as_deref(), version)?;
    let now = rds.cloud.clock.now();
    let instance = DbInstance {
        resource_id: format!("db-{}", rds.cloud.ids.upper(26)),
        identifier: name.clone(),
        cluster: cluster.identifier.clone(),
        class: input.class,
        status: Status::Creating,
        parameter_group,
        zone: input
            .availability_zone
            .or_else(|| cluster.zones.first().cloned())
            .unwrap_or_else(|| format!("{}a", call.scope.region)),
        maintenance_window: input.preferred_maintenance_window.unwrap_or_else(|| cluster.maintenance_window.clone()),
        public: input.publicly_accessible.unwrap_or(false),
        minor_upgrades: input.auto_minor_version_upgrade.unwrap_or(true),
        promotion_tier: input.promotion_tier.unwrap_or(1),
        copy_tags: input.copy_tags_to_snapshot.unwrap_or(false),
        monitoring_interval: 0,
        insights: input.enable_performance_insights.unwrap_or(false),
        tags: check::tags(input.tags),
        created: now,
    };
    rds.change(&call.scope, |region| {
        if region.instances.contains_key(&name) {
            return Err(RdsFault::InstanceExists);
        }
        Quota::Instances.check(region)?;
        if let Some(writer) = region.writer(&cluster.identifier) {
            return Err(Fault::unsupported(format!(
                "a second instance in the cluster {} (it has {}): there is one engine per cluster",
                cluster.identifier, writer.identifier
            ))
            .into());
        }
        if !matches!(region.cluster(&cluster.identifier)?.status, Status::Creating | Status::Available) {
            return Err(RdsFault::ClusterState(format!("DB cluster {} is not available.", cluster.identifier)));
        }
        region.instances.insert(name.clone(), instance);
        region.tell(now, Source::Instance, &name, "creation", "DB instance created");
        Ok(())
    })
    .await?;
    tokio::spawn(lifecycle::settle_instance(rds.clone(), call.scope.clone(), cluster.identifier));
    shown(&rds, call, &name)
}

fn shown(rds: &Rds, call: &Call, name: &str) -> Result<Value, RdsFault> {
    let region = rds.region(&call.scope);
    Ok(answer("DBInstance", views::instance(rds, &call.scope, &region, region.instance(name)?)))
}

/// `db.serverless`, or a class that Aurora MySQL has: `db.r6g.large`, `db.t4g.medium`, …
fn check_class(class: &str) -> Result<(), RdsFault> {
    let mut parts = class.split('.');
    let known = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("db"), Some("serverless"), None, None) => true,
        (Some("db"), Some(family), Some(size), None) => {
            let size = size.trim_start_matches(|c: char| c.is_ascii_digit());
            family.starts_with(['r', 't', 'x'])
                && family[1..].starts_with(|c: char| c.is_ascii_digit())
                && ["medium", "large", "xlarge"].contains(&size)
        }
        _ => false,
    };
    if known {
        return Ok(());
    }
    Err(RdsFault::InvalidValue(format!("Invalid DB Instance class: {class}")))
}

fn group(region: &Region, name: Option<&str>, version: &Version) -> Result<String, RdsFault> {
    let Some(name) = name.filter(|name| *name != version.default_group()) else { return Ok(version.default_group()) };
    let found = region.instance_parameters.get(&key(name));
    let found =
        found.ok_or_else(|| RdsFault::ParameterGroupNotFound { kind: "DBParameterGroup", name: name.to_owned() })?;
    if found.family != version.family() {
        return Err(RdsFault::InvalidCombination(format!(
            "The Parameter Group {name} with DBParameterGroupFamily {} can't be used for this instance.",
            found.family
        )));
    }
    Ok(found.name.clone())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Describe {
    #[serde(rename = "DBInstanceIdentifier")]
    identifier: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    max_records: Option<u32>,
    marker: Option<String>,
}

/// DescribeDBInstances.
pub(crate) async fn describe(rds: Arc<Rds>, call: &Call, input: Describe) -> Result<Value, RdsFault> {
    let region = rds.region(&call.scope);
    let found: Vec<&DbInstance> = match &input.identifier {
        Some(identifier) => vec![region.instance(identifier)?],
        None => region.instances.values().collect(),
    };
    let mut kept = Vec::new();
    for instance in found {
        let of = |name: &str| match name {
            "db-cluster-id" => Some(vec![instance.cluster.clone(), views::cluster_arn(&call.scope, &instance.cluster)]),
            "db-instance-id" => {
                Some(vec![instance.identifier.clone(), views::instance_arn(&call.scope, &instance.identifier)])
            }
            "dbi-resource-id" => Some(vec![instance.resource_id.clone()]),
            "engine" => Some(vec!["aurora-mysql".into()]),
            _ => None,
        };
        if passes(&input.filters, of)? {
            kept.push(instance);
        }
    }
    let (kept, next) = page(kept, |instance| instance.identifier.clone(), input.marker.as_deref(), input.max_records)?;
    let views = kept.into_iter().map(|instance| views::instance(&rds, &call.scope, &region, instance)).collect();
    Ok(listing("DBInstances", views, next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Modify {
    #[serde(rename = "DBInstanceIdentifier")]
    identifier: String,
    #[serde(rename = "ApplyImmediately")]
    _apply_immediately: Option<bool>,
    #[serde(rename = "DBInstanceClass")]
    class: Option<String>,
    #[serde(rename = "DBParameterGroupName")]
    parameter_group: Option<String>,
    preferred_maintenance_window: Option<String>,
    publicly_accessible: Option<bool>,
    auto_minor_version_upgrade: Option<bool>,
    promotion_tier: Option<u32>,
    copy_tags_to_snapshot: Option<bool>,
    enable_performance_insights: Option<bool>,
}

/// ModifyDBInstance.
pub(crate) async fn modify(rds: Arc<Rds>, call: &Call, input: Modify) -> Result<Value, RdsFault> {
    let region = rds.region(&call.scope);
    let instance = region.instance(&input.identifier)?;
    let name = instance.identifier.clone();
    if let Some(class) = &input.class {
        check_class(class)?;
    }
    let version = region.cluster(&instance.cluster).ok().and_then(|cluster| Version::find(&cluster.engine_version));
    let parameter_group = match (&input.parameter_group, version) {
        (Some(wanted), Some(version)) => Some(group(&region, Some(wanted), version)?),
        _ => None,
    };
    rds.change(&call.scope, |region| {
        let instance = region.instance_mut(&name)?;
        if instance.status != Status::Available {
            return Err(RdsFault::InstanceState(format!("Database instance is not in available state: {name}")));
        }
        if let Some(class) = input.class {
            instance.class = class;
        }
        if let Some(group) = parameter_group {
            instance.parameter_group = group;
        }
        if let Some(window) = input.preferred_maintenance_window {
            instance.maintenance_window = window;
        }
        instance.public = input.publicly_accessible.unwrap_or(instance.public);
        instance.minor_upgrades = input.auto_minor_version_upgrade.unwrap_or(instance.minor_upgrades);
        instance.promotion_tier = input.promotion_tier.unwrap_or(instance.promotion_tier);
        instance.copy_tags = input.copy_tags_to_snapshot.unwrap_or(instance.copy_tags);
        instance.insights = input.enable_performance_insights.unwrap_or(instance.insights);
        Ok(())
    })
    .await?;
    shown(&rds, call, &name)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Delete {
    #[serde(rename = "DBInstanceIdentifier")]
    identifier: String,
    /// Snapshots are the cluster's: AWS ignores these for an instance of Aurora.
    #[serde(rename = "SkipFinalSnapshot")]
    _skip_final_snapshot: Option<bool>,
    #[serde(rename = "DeleteAutomatedBackups")]
    _delete_automated_backups: Option<bool>,
    #[serde(rename = "FinalDBSnapshotIdentifier")]
    final_snapshot: Option<String>,
}

/// DeleteDBInstance.
pub(crate) async fn delete(rds: Arc<Rds>, call: &Call, input: Delete) -> Result<Value, RdsFault> {
    if input.final_snapshot.is_some() {
        return Err(RdsFault::InvalidCombination(
            "FinalDBSnapshotIdentifier can not be specified when deleting a cluster instance.".into(),
        ));
    }
    let name = rds.region(&call.scope).instance(&input.identifier)?.identifier.clone();
    rds.change(&call.scope, |region| {
        let instance = region.instance_mut(&name)?;
        if instance.status == Status::Deleting {
            return Err(RdsFault::InstanceState(format!("Instance {name} is already being deleted.")));
        }
        instance.status = Status::Deleting;
        Ok(())
    })
    .await?;
    let view = shown(&rds, call, &name);
    let now = rds.cloud.clock.now();
    rds.change(&call.scope, |region| {
        region.instances.remove(&name);
        region.tell(now, Source::Instance, &name, "deletion", "DB instance deleted");
        Ok(())
    })
    .await?;
    view
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Reboot {
    #[serde(rename = "DBInstanceIdentifier")]
    identifier: String,
    force_failover: Option<bool>,
}

/// RebootDBInstance: the engine is stopped and started again, with the parameters of its group as they are now.
pub(crate) async fn reboot(rds: Arc<Rds>, call: &Call, input: Reboot) -> Result<Value, RdsFault> {
    if input.force_failover == Some(true) {
        return Err(Fault::unsupported("a forced failover (ForceFailover)").into());
    }
    let (name, cluster) = rds
        .change(&call.scope, |region| {
            let instance = region.instance_mut(&input.identifier)?;
            if instance.status != Status::Available {
                return Err(RdsFault::InstanceState(format!(
                    "Instance {} is not in available state.",
                    instance.identifier
                )));
            }
            instance.status = Status::Rebooting;
            Ok((instance.identifier.clone(), instance.cluster.clone()))
        })
        .await?;
    let view = shown(&rds, call, &name);
    let scope = call.scope.clone();
    tokio::spawn(async move {
        let Ok(record) = rds.region(&scope).cluster(&cluster).cloned() else { return };
        if let Some(running) = rds.take_running(&record.resource_id) {
            running.stop().await;
        }
        if let Err(reason) = lifecycle::resume(&rds, &scope, &record).await {
            watch::note(&rds, &scope, &cluster, Err(reason.to_string())).await;
        }
    });
    view
}
