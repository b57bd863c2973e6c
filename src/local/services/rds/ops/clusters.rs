//! CreateDBCluster to DeleteDBCluster, StartDBCluster and StopDBCluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::check::{self, Filter, Tag, answer, identifier, listing, page, passes};
use crate::local::call::Call;
use crate::local::fault::Fault;
use crate::local::process::port;
use crate::local::scope::Scope;
use crate::local::services::rds::cluster::Cluster;
use crate::local::services::rds::engine::First;
use crate::local::services::rds::faults::RdsFault;
use crate::local::services::rds::lifecycle;
use crate::local::services::rds::state::{DbCluster, MasterSecret, Rds, Region, Role, Scaling, Source, Status, key};
use crate::local::services::rds::versions::{DEFAULT, Version};
use crate::local::services::rds::views;

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

fn shown(rds: &Rds, call: &Call, identifier: &str) -> Result<Value, RdsFault> {
    let region = rds.region(&call.scope);
    Ok(answer("DBCluster", views::cluster(rds, &call.scope, &region, region.cluster(identifier)?)))
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
        scaling: input.scaling,
        encrypted,
        kms_key: input.kms_key_id.or_else(|| encrypted.then(|| scope.arn("kms", "alias/aws/rds"))),
        storage_type: input.storage_type.filter(|kind| kind != "aurora"),
        backup_days,
        backup_window: input.preferred_backup_window.unwrap_or_else(|| "05:10-05:40".into()),
        maintenance_window: input.preferred_maintenance_window.unwrap_or_else(|| "sun:06:10-sun:06:40".into()),
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

fn check_scaling(scaling: &Scaling, version: &Version) -> Result<(), RdsFault> {
    let invalid = |text: String| Err(RdsFault::InvalidCombination(text));
    let (Some(min), Some(max)) = (scaling.min_capacity, scaling.max_capacity) else {
        return invalid("Both MinCapacity and MaxCapacity are required in ServerlessV2ScalingConfiguration.".into());
    };
    let step = |capacity: f64| (capacity * 2.0).fract() == 0.0;
    if !step(min) || !step(max) {
        return invalid("Serverless v2 capacity isn't valid. It must be a multiple of 0.5.".into());
    }
    if min < version.min_capacity() {
        return invalid(format!(
            "Serverless v2 minimum capacity {min} isn't valid. The minimum capacity must be greater than or equal to {}.",
            version.min_capacity()
        ));
    }
    if !(1.0..=256.0).contains(&max) || max < min {
        return invalid(format!(
            "Serverless v2 maximum capacity {max} isn't valid. It must be between 1 and 256 and not less than the minimum capacity."
        ));
    }
    match scaling.seconds_until_auto_pause {
        Some(_) if min > 0.0 => {
            invalid("SecondsUntilAutoPause can only be specified when the minimum capacity is 0.".into())
        }
        Some(seconds) if !(300..=86_400).contains(&seconds) => {
            invalid(format!("SecondsUntilAutoPause {seconds} isn't valid. It must be between 300 and 86400."))
        }
        _ => Ok(()),
    }
}

fn known_group(region: &Region, name: Option<&str>, version: &Version) -> Result<String, RdsFault> {
    let Some(name) = name.filter(|name| *name != version.default_group()) else { return Ok(version.default_group()) };
    let group = region
        .cluster_parameters
        .get(&key(name))
        .ok_or_else(|| RdsFault::ParameterGroupNotFound { kind: "DBClusterParameterGroup", name: name.to_owned() })?;
    if group.family != version.family() {
        return Err(RdsFault::InvalidCombination(format!(
            "The Parameter Group {name} with DBParameterGroupFamily {} can't be used for this instance. Please use a Parameter Group with DBParameterGroupFamily {}",
            group.family,
            version.family()
        )));
    }
    Ok(group.name.clone())
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

fn check_master(name: &str) -> Result<(), RdsFault> {
    let good = (1..=16).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let reserved = ["rdsadmin", "rdshealth", "root", "mysql", "rdsrepladmin", "rds_superuser_role", "public"];
    if !good {
        return Err(RdsFault::InvalidValue(format!(
            "The parameter MasterUsername is not valid: {name}. It must begin with a letter and hold 1 to 16 letters, numbers and underscores."
        )));
    }
    if reserved.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(RdsFault::InvalidValue(format!(
            "MasterUsername {name} cannot be used as it is a reserved word used by the engine"
        )));
    }
    Ok(())
}

fn check_password(password: String) -> Result<String, RdsFault> {
    let printable = password.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | '@' | '"' | '\''));
    if !printable {
        return Err(RdsFault::InvalidValue(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.".into(),
        ));
    }
    if !(8..=41).contains(&password.len()) {
        return Err(RdsFault::InvalidValue(
            "The parameter MasterUserPassword is not a valid password because it is shorter than 8 or longer than 41 characters.".into(),
        ));
    }
    Ok(password)
}

fn check_database(name: &str) -> Result<(), RdsFault> {
    let good = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let reserved = ["mysql", "information_schema", "performance_schema", "sys"];
    if good && !reserved.contains(&name.to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(RdsFault::InvalidValue(format!(
        "DatabaseName {name} is not valid: it must begin with a letter, contain only alphanumeric characters and underscores, and not be a reserved word."
    )))
}

fn check_backup(days: u32) -> Result<(), RdsFault> {
    if (1..=35).contains(&days) {
        return Ok(());
    }
    Err(RdsFault::InvalidValue(format!("Invalid backup retention period: {days}. Must be between 1 and 35.")))
}

fn exports(kinds: Vec<String>) -> Result<Vec<String>, RdsFault> {
    let known = ["audit", "error", "general", "slowquery"];
    match kinds.iter().find(|kind| !known.contains(&kind.as_str())) {
        None if kinds.is_empty() => Ok(kinds),
        None => Err(Fault::unsupported("EnableCloudwatchLogsExports").into()),
        Some(kind) => Err(RdsFault::InvalidCombination(format!(
            "You cannot use the log types '{kind}' with engine version aurora-mysql."
        ))),
    }
}

/// Makes the secret that holds the master password; gives the password.
async fn manage_password(rds: &Rds, scope: &Scope, cluster: &mut DbCluster) -> Result<String, RdsFault> {
    let password = format!("{}{}", rds.cloud.ids.lower(16), rds.cloud.ids.upper(16));
    let name = format!("rds!cluster-{}", rds.cloud.ids.uuid());
    let mut input = json!({
        "Name": name,
        "Description": format!("The secret associated with the primary RDS DB cluster: {}", views::cluster_arn(scope, &cluster.identifier)),
        "SecretString": json!({"username": cluster.master, "password": password}).to_string(),
    });
    let kms_key = cluster.secret.as_ref().and_then(|secret| secret.kms_key.clone());
    if let Some(kms_key) = &kms_key {
        input["KmsKeyId"] = kms_key.clone().into();
    }
    // A restart looks for secrets without a cluster in the regions that are on record.
    rds.change(scope, |_| Ok::<_, RdsFault>(())).await?;
    let service = scope.as_service("rds.amazonaws.com");
    let made = rds.cloud.call(&service, "secretsmanager", "CreateSecret", input).await?;
    let arn = made.get("ARN").and_then(Value::as_str).ok_or_else(|| Fault::internal("the secret has no ARN"))?;
    cluster.secret = Some(MasterSecret { arn: arn.to_owned(), kms_key });
    Ok(password)
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
pub(crate) struct Modify {
    #[serde(rename = "DBClusterIdentifier")]
    identifier: String,
    /// Every change is made at once, as AWS does for most of these.
    #[serde(rename = "ApplyImmediately")]
    _apply_immediately: Option<bool>,
    master_user_password: Option<String>,
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
    manage_master_user_password: Option<bool>,
    rotate_master_user_password: Option<bool>,
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
    if input.engine_version.as_deref().is_some_and(|wanted| wanted != cluster.engine_version) {
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
        set(&mut cluster.scaling, input.scaling.map(Some));
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

async fn change_password(rds: &Rds, call: &Call, cluster: &DbCluster, input: &Modify) -> Result<(), RdsFault> {
    let running = rds.running(&cluster.resource_id);
    let running =
        || running.clone().ok_or_else(|| RdsFault::ClusterState("The engine of the cluster is not running.".into()));
    if input.manage_master_user_password.is_some_and(|managed| managed != cluster.secret.is_some()) {
        return Err(Fault::unsupported("a change of ManageMasterUserPassword").into());
    }
    if let Some(password) = &input.master_user_password {
        if cluster.secret.is_some() {
            return Err(RdsFault::InvalidCombination(
                "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled.".into(),
            ));
        }
        let password = check_password(password.clone())?;
        running()?.set_master_password(&cluster.master, &password).await?;
    }
    if input.rotate_master_user_password == Some(true) {
        let secret = cluster.secret.as_ref().ok_or_else(|| {
            RdsFault::InvalidCombination("You can't rotate a master user password that RDS doesn't manage.".into())
        })?;
        rotate(rds, call, (&*running()?, &cluster.master), &secret.arn).await?;
    }
    Ok(())
}

/// Gives the master user another password. It is in the secret, as pending, before the engine has it: whatever fails in
/// between, the password in force is in the secret.
async fn rotate(rds: &Rds, call: &Call, (running, master): (&Cluster, &str), secret: &str) -> Result<(), RdsFault> {
    let service = call.scope.as_service("rds.amazonaws.com");
    let send = async |operation: &str, input: Value| rds.cloud.call(&service, "secretsmanager", operation, input).await;
    let password = format!("{}{}", rds.cloud.ids.lower(16), rds.cloud.ids.upper(16));
    let text = json!({"username": master, "password": password}).to_string();
    let before = send("GetSecretValue", json!({"SecretId": secret})).await?["VersionId"].clone();
    let version = rds.cloud.ids.uuid();
    let pending = json!({
        "SecretId": secret, "SecretString": text, "ClientRequestToken": version, "VersionStages": ["AWSPENDING"],
    });
    send("PutSecretValue", pending).await?;
    running.set_master_password(master, &password).await?;
    let current = json!({
        "SecretId": secret, "VersionStage": "AWSCURRENT", "MoveToVersionId": version, "RemoveFromVersionId": before,
    });
    send("UpdateSecretVersionStage", current).await?;
    let settled = json!({"SecretId": secret, "VersionStage": "AWSPENDING", "RemoveFromVersionId": version});
    send("UpdateSecretVersionStage", settled).await?;
    Ok(())
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
