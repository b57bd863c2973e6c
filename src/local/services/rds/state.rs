//! What the control plane keeps: clusters, instances, groups, events. One document for all regions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::faults::RdsFault;
use super::lifecycle::PATIENCE;
use crate::clock::Timestamp;
use crate::cloud::Cloud;
use crate::scope::Scope;
use crate::store::{Shelf, StoreError};

/// The layout of the document.
const VERSION: u32 = 1;
/// How many events a region keeps; AWS keeps 14 days.
const EVENTS: usize = 1000;

/// The service.
pub struct Rds {
    pub(super) cloud: Arc<Cloud>,
    pub(super) shelf: Shelf<Book>,
    /// How long a cluster may be away before it is said to have failed.
    pub(super) patience: Duration,
    /// The clusters that run, by resource id.
    running: Mutex<BTreeMap<String, Arc<Cluster>>>,
}

impl Rds {
    pub(super) fn open(cloud: Arc<Cloud>) -> Result<Self, StoreError> {
        let shelf = Shelf::open(cloud.home.state("rds").join("rds.json"), VERSION)?;
        Ok(Rds { cloud, shelf, patience: PATIENCE, running: Mutex::default() })
    }

    /// The region's state as it is now.
    pub(super) fn region(&self, scope: &Scope) -> Region {
        self.shelf.get().regions.get(&scope.region).cloned().unwrap_or_default()
    }

    /// Changes the region's state, on disk before it is acknowledged.
    pub(super) async fn change<R>(
        &self,
        scope: &Scope,
        change: impl FnOnce(&mut Region) -> Result<R, RdsFault>,
    ) -> Result<R, RdsFault> {
        self.shelf.change(|book| change(book.regions.entry(scope.region.clone()).or_default())).await
    }

    /// Puts the region on record, for what is made in it before there is a cluster.
    pub(super) async fn put_on_record(&self, scope: &Scope) -> Result<(), StoreError> {
        if self.shelf.get().regions.contains_key(&scope.region) {
            return Ok(());
        }
        self.shelf
            .change(|book| {
                book.regions.entry(scope.region.clone()).or_default();
                Ok(())
            })
            .await
    }

    pub(super) fn running(&self, resource_id: &str) -> Option<Arc<Cluster>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(resource_id).cloned()
    }

    pub(super) fn all_running(&self) -> Vec<Arc<Cluster>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn put_running(&self, resource_id: &str, cluster: Arc<Cluster>) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(resource_id.to_owned(), cluster);
    }

    pub(super) fn take_running(&self, resource_id: &str) -> Option<Arc<Cluster>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(resource_id)
    }
}

/// The document.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Book {
    pub(super) regions: BTreeMap<String, Region>,
}

/// What one region holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Region {
    pub(super) clusters: BTreeMap<String, DbCluster>,
    pub(super) instances: BTreeMap<String, DbInstance>,
    pub(super) subnet_groups: BTreeMap<String, SubnetGroup>,
    pub(super) cluster_parameters: BTreeMap<String, ParameterGroup>,
    pub(super) instance_parameters: BTreeMap<String, ParameterGroup>,
    pub(super) events: Vec<Event>,
}

impl Region {
    pub(super) fn cluster(&self, identifier: &str) -> Result<&DbCluster, RdsFault> {
        self.clusters.get(&key(identifier)).ok_or_else(|| RdsFault::ClusterNotFound(identifier.to_owned()))
    }

    pub(super) fn cluster_mut(&mut self, identifier: &str) -> Result<&mut DbCluster, RdsFault> {
        self.clusters.get_mut(&key(identifier)).ok_or_else(|| RdsFault::ClusterNotFound(identifier.to_owned()))
    }

    pub(super) fn instance(&self, identifier: &str) -> Result<&DbInstance, RdsFault> {
        self.instances.get(&key(identifier)).ok_or_else(|| RdsFault::InstanceNotFound(identifier.to_owned()))
    }

    pub(super) fn instance_mut(&mut self, identifier: &str) -> Result<&mut DbInstance, RdsFault> {
        self.instances.get_mut(&key(identifier)).ok_or_else(|| RdsFault::InstanceNotFound(identifier.to_owned()))
    }

    /// The cluster's one instance.
    pub(super) fn writer(&self, cluster: &str) -> Option<&DbInstance> {
        self.instances.values().find(|instance| instance.cluster == key(cluster))
    }

    pub(super) fn tell(&mut self, at: Timestamp, source: Source, identifier: &str, category: &str, message: &str) {
        self.events.push(Event {
            at,
            source,
            identifier: identifier.to_owned(),
            category: category.to_owned(),
            message: message.to_owned(),
        });
        let excess = self.events.len().saturating_sub(EVENTS);
        self.events.drain(..excess);
    }
}

/// An identifier as it is kept: in lower case, and an ARN's last part.
pub(super) fn key(identifier: &str) -> String {
    identifier.rsplit(':').next().unwrap_or(identifier).to_ascii_lowercase()
}

/// Where a cluster or instance is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Creating,
    Available,
    Modifying,
    Rebooting,
    Stopping,
    Stopped,
    Starting,
    Deleting,
    Failed,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Available => "available",
            Status::Modifying => "modifying",
            Status::Rebooting => "rebooting",
            Status::Stopping => "stopping",
            Status::Stopped => "stopped",
            Status::Starting => "starting",
            Status::Deleting => "deleting",
            Status::Failed => "failed",
        }
    }
}

pub(super) type Tags = BTreeMap<String, String>;

/// A DB cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DbCluster {
    pub(super) identifier: String,
    pub(super) resource_id: String,
    pub(super) status: Status,
    pub(super) engine_version: String,
    /// The port that clients connect to on this machine.
    pub(super) port: u16,
    pub(super) master: String,
    pub(super) database: Option<String>,
    pub(super) parameter_group: String,
    pub(super) subnet_group: Option<String>,
    pub(super) security_groups: Vec<String>,
    pub(super) zones: Vec<String>,
    pub(super) http_endpoint: bool,
    pub(super) iam: bool,
    pub(super) scaling: Option<Scaling>,
    /// Its engine has ended because nobody used it.
    #[serde(default)]
    pub(super) paused: bool,
    pub(super) encrypted: bool,
    pub(super) kms_key: Option<String>,
    pub(super) storage_type: Option<String>,
    pub(super) backup_days: u32,
    pub(super) backup_window: String,
    pub(super) maintenance_window: String,
    pub(super) deletion_protection: bool,
    pub(super) copy_tags: bool,
    pub(super) log_exports: Vec<String>,
    pub(super) network_type: String,
    pub(super) roles: Vec<Role>,
    pub(super) secret: Option<MasterSecret>,
    pub(super) tags: Tags,
    pub(super) created: Timestamp,
}

/// `ServerlessV2ScalingConfiguration`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Scaling {
    pub(super) min_capacity: Option<f64>,
    pub(super) max_capacity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) seconds_until_auto_pause: Option<u32>,
}

/// AWS's default of `SecondsUntilAutoPause`.
const AUTO_PAUSE: u32 = 300;

impl Scaling {
    /// As AWS keeps it: a cluster that may pause says after how long.
    pub(super) fn complete(mut self) -> Self {
        self.seconds_until_auto_pause =
            (self.min_capacity == Some(0.0)).then(|| self.seconds_until_auto_pause.unwrap_or(AUTO_PAUSE));
        self
    }

    /// After how many idle seconds it pauses; `None`: never.
    pub(super) fn pauses_after(&self) -> Option<u32> {
        (self.min_capacity == Some(0.0)).then(|| self.seconds_until_auto_pause.unwrap_or(AUTO_PAUSE))
    }
}

/// An associated role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Role {
    pub(super) role_arn: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) feature_name: Option<String>,
}

/// The secret that RDS manages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MasterSecret {
    pub(super) arn: String,
    pub(super) kms_key: Option<String>,
}

/// A DB instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DbInstance {
    pub(super) identifier: String,
    pub(super) resource_id: String,
    pub(super) cluster: String,
    pub(super) class: String,
    pub(super) status: Status,
    pub(super) parameter_group: String,
    pub(super) zone: String,
    pub(super) maintenance_window: String,
    pub(super) public: bool,
    pub(super) minor_upgrades: bool,
    pub(super) promotion_tier: u32,
    pub(super) copy_tags: bool,
    pub(super) monitoring_interval: u32,
    pub(super) insights: bool,
    pub(super) tags: Tags,
    pub(super) created: Timestamp,
}

/// A DB subnet group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SubnetGroup {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) vpc: String,
    /// Subnet and its zone.
    pub(super) subnets: Vec<(String, String)>,
    pub(super) tags: Tags,
}

/// A parameter group, of clusters or of instances.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ParameterGroup {
    pub(super) name: String,
    pub(super) family: String,
    pub(super) description: String,
    pub(super) values: BTreeMap<String, String>,
    pub(super) tags: Tags,
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Source {
    #[serde(rename = "db-cluster")]
    Cluster,
    #[serde(rename = "db-instance")]
    Instance,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) source: Source,
    pub(super) identifier: String,
    /// One or several, with commas between.
    pub(super) category: String,
    pub(super) message: String,
}

impl Event {
    pub(super) fn categories(&self) -> impl Iterator<Item = &str> {
        self.category.split(", ")
    }
}
