//! CreateDBCluster.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::check::{self, Tag, identifier};
use super::cluster_rules::{
    check_backup, check_database, check_master, check_password, check_scaling, exports, known_group,
};
use super::clusters::shown;
use super::master::manage_password;
use super::quotas::Quota;
use crate::call::Call;
use crate::fault::Fault;
use crate::process::port;
use crate::scope::Scope;
use crate::services::rds::engine::First;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::lifecycle;
use crate::services::rds::state::{DbCluster, MasterSecret, Rds, Region, Role, Scaling, Source, Status};
use crate::services::rds::versions::{BACKUP_WINDOW, DEFAULT, MAINTENANCE_WINDOW, Version};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Create {
    #[serde(rename = "DBClusterIdentifier")]
    identifier: String,
    engine: String,
    engine_version: Option<String>,
    engine_mode: Option<String>,
    engine_lifecycle_support: Option<String>,
    master_username: Option<String>,
    master_user_password: Option<String>,
    manage_master_user_password: Option<bool>,
    master_user_secret_kms_key_id: Option<String>,
    database_name: Option<String>,
    #[serde(rename = "DBClusterParameterGroupName")]
    parameter_group: Option<String>,
    #[serde(rename = "DBSubnetGroupName")]
    subnet_group: Option<String>,
    vpc_security_group_ids: Option<Vec<String>>,
    availability_zones: Option<Vec<String>>,
    port: Option<u32>,
    enable_http_endpoint: Option<bool>,
    #[serde(rename = "EnableIAMDatabaseAuthentication")]
    iam: Option<bool>,
    #[serde(rename = "ServerlessV2ScalingConfiguration")]
    scaling: Option<Scaling>,
    storage_encrypted: Option<bool>,
    kms_key_id: Option<String>,
    storage_type: Option<String>,
    backup_retention_period: Option<u32>,
    preferred_backup_window: Option<String>,
    preferred_maintenance_window: Option<String>,
    deletion_protection: Option<bool>,
    copy_tags_to_snapshot: Option<bool>,
    enable_cloudwatch_logs_exports: Option<Vec<String>>,
    network_type: Option<String>,
    associated_roles: Option<Vec<Role>>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// CreateDBCluster. The engine starts at once; the cluster is `available` after the first login through its front door.
pub(crate) async fn create(rds: Arc<Rds>, call: &Call, input: Create) -> Result<Value, RdsFault> {
    rds.cloud.engines.sql().map_err(|error| {
        let remedies = error.remedies().join("; ");
        RdsFault::from(Fault::new("InsufficientDBInstanceCapacity", format!("{error}. {remedies}")))
    })?;
    let region = rds.region(&call.scope);
    let (mut cluster, password) = validated(&rds, &call.scope, &region, input)?;
    if region.clusters.contains_key(&cluster.identifier) {
        return Err(RdsFault::ClusterExists);
    }
    let password = match password {
        Some(password) => password,
        None => manage_password(&rds, &call.scope, &mut cluster).await?,
    };
    if let Err(fault) = begin(&rds, call, &cluster, password).await {
        lifecycle::take_back(&rds, &call.scope, &cluster).await;
        return Err(fault);
    }
    shown(&rds, call, &cluster.identifier)
}

/// Puts a new cluster on record and starts its engine.
async fn begin(rds: &Arc<Rds>, call: &Call, cluster: &DbCluster, password: String) -> Result<(), RdsFault> {
    let first = First { master: cluster.master.clone(), password, database: cluster.database.clone() };
    lifecycle::prepare(rds, &cluster.resource_id, &first)?;
    let identifier = cluster.identifier.clone();
    let now = rds.cloud.clock.now();
    let recorded = rds.change(&call.scope, |region| {
        if region.clusters.contains_key(&identifier) {
            return Err(RdsFault::ClusterExists);
        }
        Quota::Clusters.check(region)?;
        region.clusters.insert(identifier.clone(), cluster.clone());
        region.tell(now, Source::Cluster, &identifier, "creation", "DB cluster created");
        Ok(())
    });
    recorded.await?;
    let port = lifecycle::begin(rds, &call.scope, cluster).await?;
    if port != cluster.port {
        rds.change(&call.scope, |region| {
            region.cluster_mut(&identifier)?.port = port;
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// The record of a new cluster, and the master password if the request gives one.
fn validated(
    rds: &Rds,
    scope: &Scope,
    region: &Region,
    input: Create,
) -> Result<(DbCluster, Option<String>), RdsFault> {
    let name = identifier("DBClusterIdentifier", &input.identifier)?;
    if input.engine != "aurora-mysql" {
        return Err(Fault::unsupported(format!("the database engine {} (aurora-mysql is)", input.engine)).into());
    }
    modes(&input)?;
    let version = input.engine_version.as_deref().unwrap_or(DEFAULT);
    let version = Version::find(version)
        .ok_or_else(|| RdsFault::InvalidCombination(format!("Cannot find version {version} for aurora-mysql")))?;
    if let Some(scaling) = &input.scaling {
        check_scaling(scaling, version)?;
    }
    let parameter_group = known_group(region, input.parameter_group.as_deref(), version)?;
    let (subnet_group, zones) = subnets(scope, region, &input)?;
    let master = input.master_username.clone().ok_or_else(|| {
        RdsFault::InvalidValue("The parameter MasterUsername must be provided and must not be blank.".into())
    })?;
    check_master(&master)?;
    let managed = input.manage_master_user_password.unwrap_or(false);
    let password = match (managed, input.master_user_password) {
        (true, Some(_)) => {
            return Err(RdsFault::InvalidCombination(
                "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled.".into(),
            ));
        }
        (true, None) => None,
        (false, Some(password)) => Some(check_password(password)?),
        (false, None) => {
            return Err(RdsFault::InvalidValue(
                "The parameter MasterUserPassword must be provided and must not be blank.".into(),
            ));
        }
    };
    let database = input.database_name.filter(|name| !name.is_empty());
    if let Some(database) = &database {
        check_database(database)?;
    }
    let backup_days = input.backup_retention_period.unwrap_or(1);
    check_backup(backup_days)?;
    let secret = managed.then(|| MasterSecret { arn: String::new(), kms_key: input.master_user_secret_kms_key_id });
    let encrypted = input.storage_encrypted.unwrap_or(false);
    let cluster = DbCluster {
        resource_id: format!("cluster-{}", rds.cloud.ids.upper(26)),
        identifier: name,
        status: Status::Creating,
        engine_version: version.name.to_owned(),
        port: port::free().map_err(Fault::internal)?,
        master,
        database,
        parameter_group,
        subnet_group,
        security_groups: input.vpc_security_group_ids.unwrap_or_default(),
        zones,
        http_endpoint: input.enable_http_endpoint.unwrap_or(false),
        iam: input.iam.unwrap_or(false),
        scaling: input.scaling.map(Scaling::complete),
        paused: false,
        encrypted,
        kms_key: input.kms_key_id.or_else(|| encrypted.then(|| scope.arn("kms", "alias/aws/rds"))),
        storage_type: input.storage_type.filter(|kind| kind != "aurora"),
        backup_days,
        backup_window: input.preferred_backup_window.unwrap_or_else(|| BACKUP_WINDOW.into()),
        maintenance_window: input.preferred_maintenance_window.unwrap_or_else(|| MAINTENANCE_WINDOW.into()),
        deletion_protection: input.deletion_protection.unwrap_or(false),
        copy_tags: input.copy_tags_to_snapshot.unwrap_or(false),
        log_exports: exports(input.enable_cloudwatch_logs_exports.unwrap_or_default())?,
        network_type: input.network_type.unwrap_or_else(|| "IPV4".into()),
        roles: input.associated_roles.unwrap_or_default(),
        secret,
        tags: check::tags(input.tags),
        created: rds.cloud.clock.now(),
    };
    Ok((cluster, password))
}

fn modes(input: &Create) -> Result<(), RdsFault> {
    let only = |name: &str, value: &Option<String>, good: &[&str]| match value {
        Some(value) if !good.contains(&value.as_str()) => {
            Err(RdsFault::from(Fault::unsupported(format!("{name} {value} of CreateDBCluster"))))
        }
        _ => Ok(()),
    };
    only("EngineMode", &input.engine_mode, &["provisioned"])?;
    only("NetworkType", &input.network_type, &["IPV4"])?;
    only("StorageType", &input.storage_type, &["aurora", "aurora-iopt1"])?;
    let support = ["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"];
    only("EngineLifecycleSupport", &input.engine_lifecycle_support, &support)?;
    match input.port {
        Some(port) if !(1150..=65_535).contains(&port) => {
            Err(RdsFault::InvalidValue(format!("Invalid database port value: {port}. Valid values are 1150-65535")))
        }
        _ => Ok(()),
    }
}

fn subnets(scope: &Scope, region: &Region, input: &Create) -> Result<(Option<String>, Vec<String>), RdsFault> {
    let zones = |letters: [char; 3]| letters.iter().map(|letter| format!("{}{letter}", scope.region)).collect();
    let Some(name) = &input.subnet_group else {
        return Ok((None, input.availability_zones.clone().unwrap_or_else(|| zones(['a', 'b', 'c']))));
    };
    let name = name.to_ascii_lowercase();
    let group = region.subnet_groups.get(&name).ok_or_else(|| RdsFault::SubnetGroupNotFound(name.clone()))?;
    let mut own: Vec<String> = group.subnets.iter().map(|(_, zone)| zone.clone()).collect();
    own.sort();
    own.dedup();
    Ok((Some(name), input.availability_zones.clone().unwrap_or(own)))
}
