//! Secrets, their versions and stages. Nothing here knows of requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

use super::faults::SecretFault;

pub(super) const CURRENT: &str = "AWSCURRENT";
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";
/// Versions that a secret keeps; those without a stage go first.
const MOST_VERSIONS: usize = 100;
const LARGEST_VALUE: usize = 65_536;

/// All secrets, by ARN.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Secrets {
    pub by_arn: BTreeMap<String, Secret>,
}

/// A secret's value. It does not show itself in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Value {
    Text(String),
    /// Base64, as it came.
    Binary(String),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(…)")
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    pub created: Timestamp,
    /// `None`: made by `CreateSecret` without a value.
    pub value: Value,
    pub stages: BTreeSet<String>,
    #[serde(default)]
    pub accessed: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Secret {
    pub arn: String,
    pub name: String,
    pub region: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub kms_key: Option<String>,
    /// The service that made it for itself, such as `rds`.
    #[serde(default)]
    pub owner: Option<String>,
    pub created: Timestamp,
    pub changed: Timestamp,
    #[serde(default)]
    pub accessed: Option<Timestamp>,
    /// When it was marked for deletion, and when it goes.
    #[serde(default)]
    pub deletion: Option<Deletion>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub policy: Option<String>,
    pub versions: BTreeMap<String, Version>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Deletion {
    pub marked: Timestamp,
    pub gone: Timestamp,
}

impl Secrets {
    /// Forgets what has been marked for deletion long enough.
    pub(super) fn purge(&mut self, now: Timestamp) {
        self.by_arn.retain(|_, secret| secret.deletion.is_none_or(|deletion| deletion.gone > now));
    }

    /// Finds by ARN, by ARN without the six random characters, or by name.
    pub(super) fn find(&self, region: &str, id: &str, now: Timestamp) -> Result<&Secret, SecretFault> {
        let there = |secret: &&Secret| secret.deletion.is_none_or(|deletion| deletion.gone > now);
        let found = if id.starts_with("arn:") {
            let partial = |secret: &&Secret| secret.arn.len() == id.len() + 7 && secret.arn.starts_with(id);
            self.by_arn.get(id).or_else(|| self.by_arn.values().find(partial)).filter(|secret| secret.region == region)
        } else {
            self.by_arn.values().find(|secret| secret.region == region && secret.name == id)
        };
        found.filter(there).ok_or(SecretFault::NotFound)
    }

    /// As [`Secrets::find`], to change it.
    pub(super) fn find_mut(&mut self, region: &str, id: &str, now: Timestamp) -> Result<&mut Secret, SecretFault> {
        let arn = self.find(region, id, now)?.arn.clone();
        self.by_arn.get_mut(&arn).ok_or(SecretFault::NotFound)
    }
}

impl Secret {
    /// Refuses while it waits for its deletion.
    pub(super) fn live(&self) -> Result<(), SecretFault> {
        if self.deletion.is_some() { Err(SecretFault::MarkedForDeletion) } else { Ok(()) }
    }

    /// Refuses everybody but the service that owns it.
    pub(super) fn changeable_by(&self, service: Option<&str>) -> Result<(), SecretFault> {
        match &self.owner {
            Some(owner) if Some(owner.as_str()) != service => Err(SecretFault::Owned(owner.clone())),
            _ => Ok(()),
        }
    }

    /// The version with the stage or id asked for; both must agree.
    pub(super) fn version(&self, id: Option<&str>, stage: Option<&str>) -> Result<(&str, &Version), SecretFault> {
        if let Some(id) = id {
            let (id, version) = self.versions.get_key_value(id).ok_or_else(|| SecretFault::NoVersion(id.into()))?;
            return match stage.filter(|stage| !version.stages.contains(*stage)) {
                Some(_) => Err(SecretFault::InvalidRequest(
                    "You provided a VersionStage that is not associated to the provided VersionId.".into(),
                )),
                None => Ok((id, version)),
            };
        }
        let stage = stage.unwrap_or(CURRENT);
        let holder = self.versions.iter().find(|(_, version)| version.stages.contains(stage));
        holder.map(|(id, version)| (id.as_str(), version)).ok_or_else(|| SecretFault::NoStage(stage.into()))
    }

    /// Adds a version. The same token with the same value changes nothing and gives `false`.
    pub(super) fn put(
        &mut self,
        token: &str,
        value: Value,
        stages: &[String],
        now: Timestamp,
    ) -> Result<bool, SecretFault> {
        check_value(&value)?;
        if let Some(held) = self.versions.get(token) {
            if held.value == value {
                return Ok(false);
            }
            return Err(SecretFault::TokenTaken { token: token.into(), arn: self.arn.clone() });
        }
        let version = Version { created: now, value, stages: BTreeSet::new(), accessed: None };
        self.versions.insert(token.into(), version);
        for stage in stages {
            self.move_stage(stage, Some(token));
        }
        if self.versions.values().all(|version| !version.stages.contains(CURRENT)) {
            self.move_stage(CURRENT, Some(token));
        }
        self.changed = now;
        self.trim();
        Ok(true)
    }

    /// Gives a stage to one version and takes it from the others; who loses AWSCURRENT becomes AWSPREVIOUS.
    pub(super) fn move_stage(&mut self, stage: &str, to: Option<&str>) {
        let from = self.versions.iter().find(|(_, version)| version.stages.contains(stage)).map(|(id, _)| id.clone());
        for version in self.versions.values_mut() {
            version.stages.remove(stage);
        }
        if let Some(version) = to.and_then(|to| self.versions.get_mut(to)) {
            version.stages.insert(stage.into());
        }
        if let (CURRENT, Some(from)) = (stage, from)
            && Some(from.as_str()) != to
        {
            self.move_stage(PREVIOUS, Some(&from));
        }
    }

    fn trim(&mut self) {
        while self.versions.len() > MOST_VERSIONS {
            let unstaged = self.versions.iter().filter(|(_, version)| version.stages.is_empty());
            let Some(oldest) = unstaged.min_by_key(|(_, version)| version.created).map(|(id, _)| id.clone()) else {
                return;
            };
            self.versions.remove(&oldest);
        }
    }
}

pub(super) fn check_value(value: &Value) -> Result<(), SecretFault> {
    let (text, most) = match value {
        Value::Text(text) => (text, LARGEST_VALUE),
        Value::Binary(text) => (text, LARGEST_VALUE / 3 * 4 + 4),
    };
    if text.is_empty() {
        return Err(SecretFault::InvalidParameter("You must provide either SecretString or SecretBinary.".into()));
    }
    if text.len() > most {
        return Err(SecretFault::InvalidParameter("The secret value can't be larger than 65536 bytes.".into()));
    }
    Ok(())
}

/// Letters, digits and `/_+=.@-`; `!` marks the names that AWS's services give.
pub(super) fn check_name(name: &str, by_service: bool) -> Result<(), SecretFault> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c) || (by_service && c == '!');
    if name.is_empty() || name.len() > 512 || !name.chars().all(fits) {
        return Err(SecretFault::InvalidName);
    }
    Ok(())
}
