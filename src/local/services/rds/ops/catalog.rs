//! What there is to choose from: DescribeDBEngineVersions, DescribeOrderableDBInstanceOptions; DescribeEvents; and what there is none of.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::check::{Filter, listing, page};
use crate::call::Call;
use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::state::{Event, Rds, Source, key};
use crate::services::rds::versions::{DEFAULT, VERSIONS, Version};
use crate::services::rds::views;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Versions {
    engine: Option<String>,
    engine_version: Option<String>,
    #[serde(rename = "DBParameterGroupFamily")]
    family: Option<String>,
    default_only: Option<bool>,
    #[serde(default, rename = "Filters")]
    _filters: Vec<Filter>,
    #[serde(rename = "ListSupportedCharacterSets")]
    _character_sets: Option<bool>,
    #[serde(rename = "ListSupportedTimezones")]
    _timezones: Option<bool>,
    #[serde(rename = "IncludeAll")]
    _include_all: Option<bool>,
    max_records: Option<u32>,
    marker: Option<String>,
}

/// DescribeDBEngineVersions.
pub(crate) async fn versions(_rds: Arc<Rds>, _call: &Call, input: Versions) -> Result<Value, RdsFault> {
    let wanted = |version: &&Version| {
        input.engine.as_deref().is_none_or(|engine| engine == "aurora-mysql")
            && input
                .engine_version
                .as_deref()
                .is_none_or(|name| version.name == name || version.name.starts_with(&format!("{name}.")))
            && input.family.as_deref().is_none_or(|family| family == version.family())
            && (input.default_only != Some(true) || version.name == DEFAULT)
    };
    let found: Vec<&Version> = VERSIONS.iter().filter(wanted).collect();
    let (kept, next) = page(found, |version| version.name.to_owned(), input.marker.as_deref(), input.max_records)?;
    Ok(listing("DBEngineVersions", kept.into_iter().map(views::version).collect(), next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Orderable {
    engine: String,
    engine_version: Option<String>,
    #[serde(rename = "DBInstanceClass")]
    class: Option<String>,
    #[serde(rename = "LicenseModel")]
    _license_model: Option<String>,
    vpc: Option<bool>,
    #[serde(default, rename = "Filters")]
    _filters: Vec<Filter>,
    max_records: Option<u32>,
    marker: Option<String>,
}

/// DescribeOrderableDBInstanceOptions: the serverless class, in every version.
pub(crate) async fn orderable(_rds: Arc<Rds>, call: &Call, input: Orderable) -> Result<Value, RdsFault> {
    let offered = input.engine == "aurora-mysql"
        && input.class.as_deref().is_none_or(|class| class == "db.serverless")
        && input.vpc != Some(false);
    let wanted = |version: &&Version| input.engine_version.as_deref().is_none_or(|name| name == version.name);
    let found: Vec<&Version> = VERSIONS.iter().filter(|_| offered).filter(wanted).collect();
    let (kept, next) = page(found, |version| version.name.to_owned(), input.marker.as_deref(), input.max_records)?;
    let zones: Vec<Value> =
        ["a", "b", "c"].iter().map(|letter| json!({"Name": format!("{}{letter}", call.scope.region)})).collect();
    let options = kept.into_iter().map(|version| {
        json!({
            "Engine": "aurora-mysql",
            "EngineVersion": version.name,
            "DBInstanceClass": "db.serverless",
            "LicenseModel": "general-public-license",
            "AvailabilityZones": zones,
            "MultiAZCapable": false,
            "ReadReplicaCapable": false,
            "Vpc": true,
            "SupportsStorageEncryption": true,
            "StorageType": "aurora",
            "SupportsIops": false,
            "SupportsEnhancedMonitoring": false,
            "SupportsIAMDatabaseAuthentication": true,
            "SupportsPerformanceInsights": false,
            "SupportedEngineModes": ["provisioned"],
            "SupportsClusters": true,
            "SupportedNetworkTypes": ["IPV4"],
        })
    });
    Ok(listing("OrderableDBInstanceOptions", options.collect(), next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Events {
    source_identifier: Option<String>,
    source_type: Option<String>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    /// Minutes.
    duration: Option<i64>,
    event_categories: Option<Vec<String>>,
    #[serde(default, rename = "Filters")]
    _filters: Vec<Filter>,
    max_records: Option<u32>,
    marker: Option<String>,
}

/// DescribeEvents: those of the last hour, unless the request says otherwise.
pub(crate) async fn events(rds: Arc<Rds>, call: &Call, input: Events) -> Result<Value, RdsFault> {
    let now = rds.cloud.clock.now();
    let end = input.end_time.unwrap_or(now);
    let start = input.start_time.unwrap_or_else(|| end.plus_millis(-input.duration.unwrap_or(60) * 60_000));
    let region = rds.region(&call.scope);
    let wanted = |event: &&Event| {
        let kind = match event.source {
            Source::Cluster => "db-cluster",
            Source::Instance => "db-instance",
        };
        (start..=end).contains(&event.at)
            && input.source_type.as_deref().is_none_or(|wanted| wanted == kind)
            && input.source_identifier.as_deref().is_none_or(|wanted| key(wanted) == event.identifier)
            && input
                .event_categories
                .as_ref()
                .is_none_or(|wanted| event.categories().any(|category| wanted.iter().any(|wanted| wanted == category)))
    };
    let found: Vec<(usize, &Event)> = region.events.iter().filter(wanted).enumerate().collect();
    let (kept, next) = page(found, |(at, _)| format!("{at:08}"), input.marker.as_deref(), input.max_records)?;
    Ok(listing("Events", kept.into_iter().map(|(_, event)| views::event(&call.scope, event)).collect(), next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct GlobalClusters {
    global_cluster_identifier: Option<String>,
    #[serde(default, rename = "Filters")]
    _filters: Vec<Filter>,
    #[serde(rename = "MaxRecords")]
    _max_records: Option<u32>,
    #[serde(rename = "Marker")]
    _marker: Option<String>,
}

/// DescribeGlobalClusters: no cluster here is one's. Clients that look after a cluster ask for them.
pub(crate) async fn global_clusters(_rds: Arc<Rds>, _call: &Call, input: GlobalClusters) -> Result<Value, RdsFault> {
    match input.global_cluster_identifier {
        Some(name) => {
            Err(RdsFault::Other(Fault::new("GlobalClusterNotFoundFault", format!("Global cluster {name} not found"))))
        }
        None => Ok(json!({"GlobalClusters": []})),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ClusterSnapshots {
    #[serde(rename = "DBClusterIdentifier")]
    _cluster: Option<String>,
    #[serde(rename = "DBClusterSnapshotIdentifier")]
    snapshot: Option<String>,
    snapshot_type: Option<String>,
    #[serde(default, rename = "Filters")]
    _filters: Vec<Filter>,
    #[serde(rename = "IncludeShared")]
    _include_shared: Option<bool>,
    #[serde(rename = "IncludePublic")]
    _include_public: Option<bool>,
    #[serde(rename = "DbClusterResourceId")]
    _resource: Option<String>,
    #[serde(rename = "MaxRecords")]
    _max_records: Option<u32>,
    #[serde(rename = "Marker")]
    _marker: Option<String>,
}

/// The types of snapshots that can be asked for.
const SNAPSHOT_TYPES: [&str; 5] = ["automated", "manual", "shared", "public", "awsbackup"];

/// DescribeDBClusterSnapshots: nothing here makes any. Clients that tidy up ask for them.
pub(crate) async fn cluster_snapshots(
    _rds: Arc<Rds>,
    _call: &Call,
    input: ClusterSnapshots,
) -> Result<Value, RdsFault> {
    if let Some(kind) = input.snapshot_type.filter(|kind| !SNAPSHOT_TYPES.contains(&kind.as_str())) {
        return Err(RdsFault::InvalidValue(format!("Invalid snapshot type: {kind}")));
    }
    match input.snapshot {
        Some(name) => Err(RdsFault::Other(Fault::new(
            "DBClusterSnapshotNotFoundFault",
            format!("DBClusterSnapshot {name} not found."),
        ))),
        None => Ok(json!({"DBClusterSnapshots": []})),
    }
}
