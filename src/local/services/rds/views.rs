//! What the control plane shows: state in the members of the service model.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::cluster::{Cluster, Health};
use super::state::{DbCluster, DbInstance, Event, ParameterGroup, Rds, Region, Source, Status, SubnetGroup, Tags};
use super::versions::Version;
use crate::scope::Scope;

/// Where clients connect.
pub(super) const ADDRESS: &str = "127.0.0.1";

pub(super) fn cluster_arn(scope: &Scope, identifier: &str) -> String {
    scope.arn("rds", format!("cluster:{identifier}"))
}

pub(super) fn instance_arn(scope: &Scope, identifier: &str) -> String {
    scope.arn("rds", format!("db:{identifier}"))
}

pub(super) fn tag_list(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// The cluster's status. One that was available and whose engine is away is starting, until its watch gives the wait up and
/// records that it failed. One that is paused, or comes back from a pause, is available, as AWS shows it.
pub(super) fn cluster_status(rds: &Rds, cluster: &DbCluster) -> &'static str {
    let serves = |running: Arc<Cluster>| running.health() == Health::Running || running.is_paused();
    match cluster.status {
        Status::Available if !rds.running(&cluster.resource_id).is_some_and(serves) => Status::Starting.name(),
        status => status.name(),
    }
}

/// The clusters and how they are, for `labctl local status`.
pub(super) fn status(rds: &Rds) -> Value {
    let book = rds.shelf.get();
    let clusters = book.regions.values().flat_map(|region| region.clusters.values());
    let mut shown = Map::new();
    for cluster in clusters {
        let how = match rds.running(&cluster.resource_id).map(|running| running.health()) {
            // What is not on record yet would not outlive a restart.
            Some(Health::Paused) if cluster.paused => "paused",
            Some(Health::Pausing | Health::Paused) => "pausing",
            Some(Health::Resuming) => "resuming",
            _ => cluster_status(rds, cluster),
        };
        shown.insert(cluster.identifier.clone(), how.into());
    }
    if shown.is_empty() { Value::Null } else { Value::Object(shown) }
}

pub(super) fn cluster(rds: &Rds, scope: &Scope, region: &Region, cluster: &DbCluster) -> Value {
    let members: Vec<Value> = region
        .writer(&cluster.identifier)
        .map(|writer| {
            json!({
                "DBInstanceIdentifier": writer.identifier,
                "IsClusterWriter": true,
                "DBClusterParameterGroupStatus": "in-sync",
                "PromotionTier": writer.promotion_tier,
            })
        })
        .into_iter()
        .collect();
    let groups: Vec<Value> =
        cluster.security_groups.iter().map(|id| json!({"VpcSecurityGroupId": id, "Status": "active"})).collect();
    let roles: Vec<Value> = cluster
        .roles
        .iter()
        .map(|role| json!({"RoleArn": role.role_arn, "Status": "ACTIVE", "FeatureName": role.feature_name.clone().unwrap_or_default()}))
        .collect();
    let mut view = json!({
        "DBClusterIdentifier": cluster.identifier,
        "DBClusterArn": cluster_arn(scope, &cluster.identifier),
        "DbClusterResourceId": cluster.resource_id,
        "Status": cluster_status(rds, cluster),
        "Engine": "aurora-mysql",
        "EngineVersion": cluster.engine_version,
        "EngineMode": "provisioned",
        "EngineLifecycleSupport": "open-source-rds-extended-support",
        "Endpoint": ADDRESS,
        "ReaderEndpoint": ADDRESS,
        "Port": cluster.port,
        "MasterUsername": cluster.master,
        "AllocatedStorage": 1,
        "AvailabilityZones": cluster.zones,
        "MultiAZ": false,
        "DBClusterParameterGroup": cluster.parameter_group,
        "DBClusterMembers": members,
        "VpcSecurityGroups": groups,
        "StorageEncrypted": cluster.encrypted,
        "BackupRetentionPeriod": cluster.backup_days,
        "PreferredBackupWindow": cluster.backup_window,
        "PreferredMaintenanceWindow": cluster.maintenance_window,
        "HttpEndpointEnabled": cluster.http_endpoint,
        "IAMDatabaseAuthenticationEnabled": cluster.iam,
        "DeletionProtection": cluster.deletion_protection,
        "CopyTagsToSnapshot": cluster.copy_tags,
        "AutoMinorVersionUpgrade": false,
        "NetworkType": cluster.network_type,
        "AssociatedRoles": roles,
        "TagList": tag_list(&cluster.tags),
        "ClusterCreateTime": cluster.created,
        "CrossAccountClone": false,
        "DomainMemberships": [],
        "ReadReplicaIdentifiers": [],
    });
    let optional = [
        ("DatabaseName", cluster.database.clone().map(Value::from)),
        ("DBSubnetGroup", cluster.subnet_group.clone().map(Value::from)),
        ("KmsKeyId", cluster.kms_key.clone().map(Value::from)),
        ("StorageType", cluster.storage_type.clone().map(Value::from)),
        ("ServerlessV2ScalingConfiguration", cluster.scaling.as_ref().map(|scaling| json!(scaling))),
        ("EnabledCloudwatchLogsExports", (!cluster.log_exports.is_empty()).then(|| json!(cluster.log_exports))),
        (
            "MasterUserSecret",
            cluster.secret.as_ref().map(|secret| {
                let status = if cluster.status == Status::Creating { "creating" } else { "active" };
                let key = secret.kms_key.clone().unwrap_or_else(|| scope.arn("kms", "alias/aws/secretsmanager"));
                json!({"SecretArn": secret.arn, "SecretStatus": status, "KmsKeyId": key})
            }),
        ),
    ];
    add(&mut view, optional);
    view
}

fn add<const N: usize>(view: &mut Value, optional: [(&str, Option<Value>); N]) {
    if let Some(view) = view.as_object_mut() {
        view.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
}

pub(super) fn instance_status(rds: &Rds, region: &Region, instance: &DbInstance) -> &'static str {
    let cluster = region.clusters.get(&instance.cluster);
    match (instance.status, cluster) {
        (Status::Available, Some(cluster)) => cluster_status(rds, cluster),
        (status, _) => status.name(),
    }
}

pub(super) fn instance(rds: &Rds, scope: &Scope, region: &Region, instance: &DbInstance) -> Value {
    let cluster = region.clusters.get(&instance.cluster);
    let mut view = json!({
        "DBInstanceIdentifier": instance.identifier,
        "DBInstanceArn": instance_arn(scope, &instance.identifier),
        "DbiResourceId": instance.resource_id,
        "DBInstanceClass": instance.class,
        "DBInstanceStatus": instance_status(rds, region, instance),
        "DBClusterIdentifier": instance.cluster,
        "Engine": "aurora-mysql",
        "LicenseModel": "general-public-license",
        "AllocatedStorage": 1,
        "AvailabilityZone": instance.zone,
        "MultiAZ": false,
        "PubliclyAccessible": instance.public,
        "AutoMinorVersionUpgrade": instance.minor_upgrades,
        "PromotionTier": instance.promotion_tier,
        "CopyTagsToSnapshot": instance.copy_tags,
        "MonitoringInterval": instance.monitoring_interval,
        "PerformanceInsightsEnabled": instance.insights,
        "PreferredMaintenanceWindow": instance.maintenance_window,
        "DBParameterGroups": [{"DBParameterGroupName": instance.parameter_group, "ParameterApplyStatus": "in-sync"}],
        "DBSecurityGroups": [],
        "InstanceCreateTime": instance.created,
        "CACertificateIdentifier": "rds-ca-rsa2048-g1",
        "DbInstancePort": 0,
        "TagList": tag_list(&instance.tags),
    });
    let Some(cluster) = cluster else { return view };
    let groups: Vec<Value> =
        cluster.security_groups.iter().map(|id| json!({"VpcSecurityGroupId": id, "Status": "active"})).collect();
    let there = !matches!(instance.status, Status::Creating);
    let subnets = cluster.subnet_group.as_ref().and_then(|name| region.subnet_groups.get(name));
    let optional = [
        ("EngineVersion", Some(json!(cluster.engine_version))),
        ("MasterUsername", Some(json!(cluster.master))),
        ("DBName", cluster.database.as_ref().map(|name| json!(name))),
        (
            "Endpoint",
            there.then(|| json!({"Address": ADDRESS, "Port": cluster.port, "HostedZoneId": "Z2R2ITUGPM61AM"})),
        ),
        ("VpcSecurityGroups", Some(json!(groups))),
        ("StorageEncrypted", Some(json!(cluster.encrypted))),
        ("KmsKeyId", cluster.kms_key.as_ref().map(|key| json!(key))),
        ("StorageType", Some(json!(cluster.storage_type.as_deref().unwrap_or("aurora")))),
        ("BackupRetentionPeriod", Some(json!(cluster.backup_days))),
        ("PreferredBackupWindow", Some(json!(cluster.backup_window))),
        ("IAMDatabaseAuthenticationEnabled", Some(json!(cluster.iam))),
        ("DeletionProtection", Some(json!(false))),
        ("NetworkType", Some(json!(cluster.network_type))),
        ("DBSubnetGroup", subnets.map(|group| subnet_group(scope, group))),
    ];
    add(&mut view, optional);
    view
}

pub(super) fn subnet_group(scope: &Scope, group: &SubnetGroup) -> Value {
    let subnets: Vec<Value> = group
        .subnets
        .iter()
        .map(|(id, zone)| {
            json!({"SubnetIdentifier": id, "SubnetAvailabilityZone": {"Name": zone}, "SubnetOutpost": {}, "SubnetStatus": "Active"})
        })
        .collect();
    json!({
        "DBSubnetGroupName": group.name,
        "DBSubnetGroupDescription": group.description,
        "VpcId": group.vpc,
        "SubnetGroupStatus": "Complete",
        "Subnets": subnets,
        "DBSubnetGroupArn": scope.arn("rds", format!("subgrp:{}", group.name)),
        "SupportedNetworkTypes": ["IPV4"],
    })
}

/// `prefix` is `DBCluster` or `DB`; `kind` is the ARN's word for it.
pub(super) fn parameter_group(scope: &Scope, (prefix, kind): (&str, &str), group: &ParameterGroup) -> Value {
    let arn = scope.arn("rds", format!("{kind}:{}", group.name));
    Value::Object(Map::from_iter([
        (format!("{prefix}ParameterGroupName"), group.name.clone().into()),
        ("DBParameterGroupFamily".into(), group.family.clone().into()),
        ("Description".into(), group.description.clone().into()),
        (format!("{prefix}ParameterGroupArn"), arn.into()),
    ]))
}

pub(super) fn event(scope: &Scope, event: &Event) -> Value {
    let (kind, arn) = match event.source {
        Source::Cluster => ("db-cluster", cluster_arn(scope, &event.identifier)),
        Source::Instance => ("db-instance", instance_arn(scope, &event.identifier)),
    };
    json!({
        "SourceIdentifier": event.identifier,
        "SourceType": kind,
        "Message": event.message,
        "EventCategories": event.categories().collect::<Vec<_>>(),
        "Date": event.at,
        "SourceArn": arn,
    })
}

pub(super) fn version(version: &Version) -> Value {
    let major = version.name.get(..3).unwrap_or("8.0");
    json!({
        "Engine": "aurora-mysql",
        "EngineVersion": version.name,
        "MajorEngineVersion": major,
        "DBParameterGroupFamily": version.family(),
        "DBEngineDescription": "Aurora MySQL",
        "DBEngineVersionDescription": format!("Aurora MySQL {}", version.name.rsplit("aurora.").next().unwrap_or_default()),
        "ExportableLogTypes": ["audit", "error", "general", "slowquery"],
        "SupportsLogExportsToCloudwatchLogs": false,
        "SupportedEngineModes": ["provisioned"],
        "SupportedFeatureNames": [],
        "SupportsReadReplica": false,
        "SupportsGlobalDatabases": false,
        "SupportsParallelQuery": false,
        "Status": "available",
        "ServerlessV2FeaturesSupport": {"MinCapacity": version.min_capacity(), "MaxCapacity": 256.0},
    })
}
