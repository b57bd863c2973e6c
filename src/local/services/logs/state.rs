//! Log groups and where their streams are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::faults::LogsFault;
use super::stream::{self, Stream};
use crate::cloud::Cloud;
use crate::scope::Scope;
use crate::store::{Shelf, StoreError};

const LAYOUT: u32 = 1;
const DAY: i64 = 86_400_000;

/// A log group's record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {
    /// The name of its directory.
    pub id: String,
    pub created: i64,
    pub retention: Option<u32>,
    pub key: Option<String>,
    pub class: String,
    pub protected: bool,
    pub tags: BTreeMap<String, String>,
    /// The request that made it: the same request again finds what it made.
    pub made_by: String,
}

impl Group {
    /// Events before this moment have expired.
    pub(super) fn horizon(&self, now: i64) -> Option<i64> {
        self.retention.map(|days| now - i64::from(days) * DAY)
    }
}

/// Groups by region and name.
pub(super) type Groups = BTreeMap<String, BTreeMap<String, Group>>;
type Streams = BTreeMap<String, Arc<Stream>>;

/// The service's state and what it needs of the cloud.
pub struct Logs {
    pub(super) cloud: Arc<Cloud>,
    pub(super) groups: Shelf<Groups>,
    /// By group id.
    streams: RwLock<BTreeMap<String, Streams>>,
}

impl Logs {
    pub(super) fn open(cloud: Arc<Cloud>) -> Result<Self, StoreError> {
        let home = cloud.home.state("logs");
        let groups = Shelf::<Groups>::open(home.join("groups.json"), LAYOUT)?;
        let mut streams = BTreeMap::new();
        for group in groups.get().values().flat_map(BTreeMap::values) {
            // A file that cannot be read must not keep the whole cloud down: the group then starts empty, and says so.
            let found = stream::in_directory(&home.join(&group.id)).unwrap_or_else(|error| {
                tracing::error!(%error, group = group.id, "a log group's streams cannot be read");
                Vec::new()
            });
            let found = found.into_iter().map(|stream| (stream.name.clone(), Arc::new(stream)));
            streams.insert(group.id.clone(), found.collect());
        }
        Ok(Logs { cloud, groups, streams: RwLock::new(streams) })
    }

    pub(super) fn now(&self) -> i64 {
        self.cloud.clock.now().millis()
    }

    pub(super) fn group(&self, scope: &Scope, name: &str) -> Result<Group, LogsFault> {
        let groups = self.groups.get();
        groups.get(&scope.region).and_then(|groups| groups.get(name)).cloned().ok_or(LogsFault::NoGroup)
    }

    /// Changes one group's record.
    pub(super) async fn change_group(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&mut Group) -> Result<(), LogsFault>,
    ) -> Result<(), LogsFault> {
        self.groups
            .change(|groups| {
                let group = groups.get_mut(&scope.region).and_then(|groups| groups.get_mut(name));
                change(group.ok_or(LogsFault::NoGroup)?)
            })
            .await
    }

    pub(super) fn directory(&self, group: &Group) -> PathBuf {
        self.cloud.home.state("logs").join(&group.id)
    }

    pub(super) fn stream(&self, group: &Group, name: &str) -> Result<Arc<Stream>, LogsFault> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.get(&group.id).and_then(|streams| streams.get(name)).cloned().ok_or(LogsFault::NoStream)
    }

    /// The group's streams, by name.
    pub(super) fn streams(&self, group: &Group) -> Vec<Arc<Stream>> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.get(&group.id).into_iter().flat_map(|streams| streams.values().cloned()).collect()
    }

    /// Makes a stream; the lock is held over one small write, so two makers cannot both succeed. The request `made_by` may
    /// come again.
    pub(super) fn add_stream(&self, group: &Group, name: &str, made_by: &str) -> Result<(), LogsFault> {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        let streams = streams.entry(group.id.clone()).or_default();
        match streams.get(name) {
            Some(there) if there.made_by == made_by => return Ok(()),
            Some(_) => return Err(LogsFault::StreamExists),
            None => {}
        }
        let path = self.directory(group).join(format!("{}.log", self.cloud.ids.lower(20)));
        streams.insert(name.to_owned(), Arc::new(Stream::create(path, name, self.now(), made_by)?));
        Ok(())
    }

    pub(super) fn remove_stream(&self, group: &Group, name: &str) -> Result<(), LogsFault> {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        let gone = streams.get_mut(&group.id).and_then(|streams| streams.remove(name));
        Ok(gone.ok_or(LogsFault::NoStream)?.remove()?)
    }

    pub(super) fn forget(&self, group: &Group) -> Result<(), LogsFault> {
        self.streams.write().unwrap_or_else(PoisonError::into_inner).remove(&group.id);
        match std::fs::remove_dir_all(self.directory(group)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Takes every expired event off the disk.
    pub(super) async fn sweep(self: Arc<Self>) -> std::io::Result<()> {
        let sweep = move || {
            let now = self.now();
            for group in self.groups.get().values().flat_map(BTreeMap::values) {
                let Some(horizon) = group.horizon(now) else { continue };
                self.streams(group).iter().try_for_each(|stream| stream.drop_before(horizon))?;
            }
            Ok(())
        };
        tokio::task::spawn_blocking(sweep).await.map_err(std::io::Error::other).flatten()
    }
}
