//! The assets of every region.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::faults::AssetFault;
use super::kind::Kind;
use crate::clock::Timestamp;
use crate::scope::Scope;

/// Region → kind → id → asset.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Assets(BTreeMap<String, BTreeMap<Kind, BTreeMap<String, Asset>>>);

/// One asset. What it is made of is kept as it was given; credentials are not kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Asset {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) settings: Map<String, Value>,
    /// What the service found out when it was made: a VPC, the columns of a data set.
    pub(super) found: Map<String, Value>,
    pub(super) permissions: Vec<Permission>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) changed: bool,
    /// Of a dashboard, oldest first: the definition of each.
    pub(super) versions: Vec<Version>,
    pub(super) published: i64,
    pub(super) published_at: Option<Timestamp>,
}

/// A dashboard as it was at one time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) number: i64,
    pub(super) settings: Map<String, Value>,
    pub(super) data_sets: Vec<String>,
    /// What is wrong with it, as AWS has it in `Errors`.
    pub(super) errors: Vec<Value>,
    pub(super) created: Timestamp,
}

/// What a user, group or namespace may do with an asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Permission {
    pub(super) principal: String,
    pub(super) actions: Vec<String>,
}

impl Assets {
    pub(super) fn count(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).map(BTreeMap::len).sum()
    }

    pub(super) fn of(&self, scope: &Scope, kind: Kind) -> impl Iterator<Item = &Asset> {
        self.0.get(&scope.region).and_then(|kinds| kinds.get(&kind)).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn find(&self, scope: &Scope, kind: Kind, id: &str) -> Result<&Asset, AssetFault> {
        let found = self.0.get(&scope.region).and_then(|kinds| kinds.get(&kind)?.get(id));
        found.ok_or_else(|| AssetFault::NotFound { kind, id: id.to_owned() })
    }

    pub(super) fn find_mut(&mut self, scope: &Scope, kind: Kind, id: &str) -> Result<&mut Asset, AssetFault> {
        let found = self.0.get_mut(&scope.region).and_then(|kinds| kinds.get_mut(&kind)?.get_mut(id));
        found.ok_or_else(|| AssetFault::NotFound { kind, id: id.to_owned() })
    }

    pub(super) fn add(&mut self, scope: &Scope, kind: Kind, asset: Asset) -> Result<(), AssetFault> {
        let assets = self.0.entry(scope.region.clone()).or_default().entry(kind).or_default();
        if assets.contains_key(&asset.id) {
            return Err(AssetFault::AlreadyExists { kind, id: asset.id });
        }
        assets.insert(asset.id.clone(), asset);
        Ok(())
    }

    pub(super) fn remove(&mut self, scope: &Scope, kind: Kind, id: &str) -> Result<(), AssetFault> {
        self.find(scope, kind, id)?;
        if let Some(assets) = self.0.get_mut(&scope.region).and_then(|kinds| kinds.get_mut(&kind)) {
            assets.remove(id);
        }
        Ok(())
    }
}

/// `arn:aws:quicksight:REGION:ACCOUNT:dataset/ID`.
pub(super) fn arn(scope: &Scope, kind: Kind, id: &str) -> String {
    scope.arn("quicksight", format!("{}/{id}", kind.arn()))
}

/// The kind and id that an ARN of this account and region names.
pub(super) fn named(scope: &Scope, text: &str) -> Option<(Kind, String)> {
    let kinds = Kind::ALL.into_iter();
    kinds.into_iter().find_map(|kind| Some((kind, text.strip_prefix(&arn(scope, kind, ""))?.to_owned())))
}

/// A moment as AWS's JSON has it.
pub(super) fn time(moment: Timestamp) -> Value {
    json!(moment)
}

impl Asset {
    /// `CREATION_SUCCESSFUL`, or what it became by its last change.
    pub(super) fn status(&self) -> &'static str {
        if self.changed { "UPDATE_SUCCESSFUL" } else { "CREATION_SUCCESSFUL" }
    }

    /// The version of a dashboard; none given: the published one.
    pub(super) fn version(&self, number: Option<i64>) -> Result<&Version, AssetFault> {
        let number = number.unwrap_or(self.published);
        let found = self.versions.iter().find(|version| version.number == number);
        found.ok_or_else(|| AssetFault::NoVersion { id: self.id.clone(), version: number })
    }
}

impl Version {
    pub(super) fn status(&self) -> &'static str {
        if self.errors.is_empty() { "CREATION_SUCCESSFUL" } else { "CREATION_FAILED" }
    }

    pub(super) fn arn(&self, scope: &Scope, dashboard: &str) -> String {
        format!("{}/version/{}", arn(scope, Kind::Dashboard, dashboard), self.number)
    }
}
