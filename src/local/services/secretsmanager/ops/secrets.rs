//! Secrets as a whole: create, update, describe, list, delete, restore.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::clock::Timestamp;
use crate::fault::Fault;

use super::super::SecretsManager;
use super::super::faults::SecretFault;
use super::super::password::{self, Wish};
use super::super::state::{CURRENT, Deletion, Secret, Value, check_name, check_value};
use super::{Named, Tag, add_tags, page, service_of, shown_tags};

const DAY: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Create {
    name: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<Hidden>,
    secret_binary: Option<Hidden>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    add_replica_regions: Vec<serde_json::Value>,
    force_overwrite_replica_secret: Option<bool>,
}

/// Text that does not show itself in logs.
#[derive(Deserialize)]
#[serde(transparent)]
pub(in super::super) struct Hidden(pub(in super::super) String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(…)")
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Update {
    secret_id: String,
    client_request_token: Option<String>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_string: Option<Hidden>,
    secret_binary: Option<Hidden>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Stored {
    #[serde(rename = "ARN")]
    pub arn: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
}

/// The value, of which there may be one form only.
pub(super) fn value_of(text: Option<Hidden>, binary: Option<Hidden>) -> Result<Option<Value>, SecretFault> {
    match (text, binary) {
        (Some(_), Some(_)) => Err(SecretFault::InvalidParameter(
            "You can't specify both a binary secret value and a string secret value in the same secret.".into(),
        )),
        (Some(text), None) => Ok(Some(Value::Text(text.0))),
        (None, Some(binary)) => Ok(Some(Value::Binary(binary.0))),
        (None, None) => Ok(None),
    }
}

/// The id of the version to make: the client's token, or a fresh one.
pub(super) fn token_of(given: Option<String>, service: &SecretsManager) -> Result<String, SecretFault> {
    match given {
        Some(token) if !(32..=64).contains(&token.len()) => {
            Err(SecretFault::InvalidParameter("ClientRequestToken must have 32 to 64 characters.".into()))
        }
        Some(token) => Ok(token),
        None => Ok(service.cloud.ids.uuid()),
    }
}

pub(in super::super) async fn create(
    service: Arc<SecretsManager>,
    call: &Call,
    input: Create,
) -> Result<Stored, Fault> {
    if !input.add_replica_regions.is_empty() || input.force_overwrite_replica_secret == Some(true) {
        return Err(Fault::unsupported("replication of secrets to other regions (AddReplicaRegions)"));
    }
    let owner = service_of(call);
    check_name(&input.name, owner.is_some())?;
    let value = value_of(input.secret_string, input.secret_binary)?;
    if let Some(value) = &value {
        check_value(value)?;
    }
    let token = token_of(input.client_request_token, &service)?;
    let (now, region) = (service.cloud.clock.now(), call.scope.region.clone());
    let suffix = service.suffix();
    let mut tags = BTreeMap::new();
    add_tags(&mut tags, input.tags, owner.is_some())?;
    if let Some(owner) = owner {
        tags.insert("aws:secretsmanager:owningService".into(), owner.into());
    }
    let stored = service
        .shelf
        .change(|secrets| {
            secrets.purge(now);
            if let Ok(held) = secrets.find_mut(&region, &input.name, now) {
                return again(held, &token, value, now);
            }
            let arn = call.scope.arn("secretsmanager", format!("secret:{}-{suffix}", input.name));
            let mut secret = Secret {
                arn: arn.clone(),
                name: input.name.clone(),
                region: region.clone(),
                description: input.description,
                kms_key: input.kms_key_id,
                owner: owner.map(str::to_owned),
                created: now,
                changed: now,
                accessed: None,
                deletion: None,
                tags,
                policy: None,
                versions: BTreeMap::new(),
            };
            let version_id = match value {
                Some(value) => {
                    secret.put(&token, value, &[CURRENT.into()], now)?;
                    Some(token.clone())
                }
                None => None,
            };
            secrets.by_arn.insert(arn.clone(), secret);
            Ok(Stored { arn, name: input.name, version_id })
        })
        .await;
    stored.map_err(|fault: SecretFault| fault.into())
}

/// A name that is taken: the same request again succeeds, everything else does not.
fn again(held: &mut Secret, token: &str, value: Option<Value>, _now: Timestamp) -> Result<Stored, SecretFault> {
    if held.deletion.is_some() {
        return Err(SecretFault::NameInDeletion);
    }
    let same = held.versions.get(token).is_some_and(|version| Some(&version.value) == value.as_ref());
    if same {
        return Ok(Stored { arn: held.arn.clone(), name: held.name.clone(), version_id: Some(token.into()) });
    }
    Err(SecretFault::AlreadyExists(held.name.clone()))
}

pub(in super::super) async fn update(
    service: Arc<SecretsManager>,
    call: &Call,
    input: Update,
) -> Result<Stored, SecretFault> {
    let value = value_of(input.secret_string, input.secret_binary)?;
    let token = token_of(input.client_request_token, &service)?;
    let (now, region) = (service.cloud.clock.now(), call.scope.region.clone());
    service
        .shelf
        .change(|secrets| {
            let secret = secrets.find_mut(&region, &input.secret_id, now)?;
            secret.live()?;
            secret.changeable_by(service_of(call))?;
            secret.changed = now;
            if input.description.is_some() {
                secret.description = input.description;
            }
            if input.kms_key_id.is_some() {
                secret.kms_key = input.kms_key_id;
            }
            let version_id = match value {
                Some(value) => {
                    secret.put(&token, value, &[CURRENT.into()], now)?;
                    Some(token.clone())
                }
                None => None,
            };
            Ok(Stored { arn: secret.arn.clone(), name: secret.name.clone(), version_id })
        })
        .await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Described {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_enabled: Option<bool>,
    created_date: Timestamp,
    last_changed_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_accessed_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_date: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owning_service: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_ids_to_stages: Option<BTreeMap<String, BTreeSet<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_versions_to_stages: Option<BTreeMap<String, BTreeSet<String>>>,
}

fn staged(secret: &Secret) -> BTreeMap<String, BTreeSet<String>> {
    let staged = secret.versions.iter().filter(|(_, version)| !version.stages.is_empty());
    staged.map(|(id, version)| (id.clone(), version.stages.clone())).collect()
}

fn described(secret: &Secret) -> Described {
    Described {
        arn: secret.arn.clone(),
        name: secret.name.clone(),
        description: secret.description.clone(),
        kms_key_id: secret.kms_key.clone(),
        rotation_enabled: None,
        created_date: secret.created,
        last_changed_date: secret.changed,
        last_accessed_date: secret.accessed,
        deleted_date: secret.deletion.map(|deletion| deletion.marked),
        owning_service: secret.owner.clone(),
        tags: shown_tags(&secret.tags),
        version_ids_to_stages: None,
        secret_versions_to_stages: None,
    }
}

pub(in super::super) async fn describe(
    service: Arc<SecretsManager>,
    call: &Call,
    input: Named,
) -> Result<Described, SecretFault> {
    let secrets = service.shelf.get();
    let secret = secrets.find(&call.scope.region, &input.secret_id, service.cloud.clock.now())?;
    let stages = Some(staged(secret)).filter(|stages| !stages.is_empty());
    Ok(Described { version_ids_to_stages: stages, ..described(secret) })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct List {
    #[serde(default)]
    filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
    sort_order: Option<String>,
    sort_by: Option<String>,
    include_planned_deletion: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Filter {
    key: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Listed {
    secret_list: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Filter {
    /// All filters must hold; of one filter's values, one. `!` before a value turns it round.
    pub(super) fn holds(&self, secret: &Secret) -> Result<bool, SecretFault> {
        let key = self.key.as_deref().unwrap_or_default();
        let mut holds = false;
        for value in &self.values {
            let (wanted, value) = value.strip_prefix('!').map_or((true, value.as_str()), |rest| (false, rest));
            holds |= matches(secret, key, value)? == wanted;
        }
        Ok(holds)
    }
}

fn matches(secret: &Secret, key: &str, value: &str) -> Result<bool, SecretFault> {
    let described = secret.description.as_deref().unwrap_or_default().to_lowercase();
    Ok(match key {
        "name" => secret.name.starts_with(value),
        "description" => described.starts_with(&value.to_lowercase()),
        "tag-key" => secret.tags.keys().any(|key| key.starts_with(value)),
        "tag-value" => secret.tags.values().any(|held| held.starts_with(value)),
        "primary-region" => secret.region.starts_with(value),
        "owning-service" => secret.owner.as_deref().is_some_and(|owner| owner.starts_with(value)),
        "all" => {
            let tags = secret.tags.iter().flat_map(|(key, value)| [key.to_lowercase(), value.to_lowercase()]);
            let all: Vec<String> = [secret.name.to_lowercase(), described].into_iter().chain(tags).collect();
            value.split_whitespace().all(|word| all.iter().any(|held| held.contains(&word.to_lowercase())))
        }
        other => return Err(SecretFault::InvalidParameter(format!("Invalid filter key: {other}"))),
    })
}

/// The secrets of the region that all filters let through, in the order of their making.
pub(super) fn selected<'s>(
    secrets: &'s super::super::state::Secrets,
    (region, now): (&str, Timestamp),
    filters: &[Filter],
) -> Result<Vec<&'s Secret>, SecretFault> {
    let mut found = Vec::new();
    let here = secrets.by_arn.values().filter(|secret| secret.region == region);
    for secret in here.filter(|secret| secret.deletion.is_none_or(|deletion| deletion.gone > now)) {
        let mut all = true;
        for filter in filters {
            all &= filter.holds(secret)?;
        }
        if all {
            found.push(secret);
        }
    }
    found.sort_by(|a, b| (a.created, &a.arn).cmp(&(b.created, &b.arn)));
    Ok(found)
}

pub(in super::super) async fn list(
    service: Arc<SecretsManager>,
    call: &Call,
    input: List,
) -> Result<Listed, SecretFault> {
    let secrets = service.shelf.get();
    let mut found = selected(&secrets, (&call.scope.region, service.cloud.clock.now()), &input.filters)?;
    if input.include_planned_deletion != Some(true) {
        found.retain(|secret| secret.deletion.is_none());
    }
    match input.sort_by.as_deref() {
        None | Some("created-date") => {}
        Some("name") => found.sort_by(|a, b| a.name.cmp(&b.name)),
        Some("last-changed-date") => found.sort_by_key(|secret| secret.changed),
        Some("last-accessed-date") => found.sort_by_key(|secret| secret.accessed),
        Some(other) => return Err(SecretFault::InvalidParameter(format!("Invalid SortBy: {other}"))),
    }
    if input.sort_order.as_deref() == Some("desc") {
        found.reverse();
    }
    let (found, next_token) = page(found, input.max_results, input.next_token.as_deref())?;
    let secret_list = found.into_iter().map(|secret| {
        let stages = Some(staged(secret)).filter(|stages| !stages.is_empty());
        Described { secret_versions_to_stages: stages, ..described(secret) }
    });
    Ok(Listed { secret_list: secret_list.collect(), next_token })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Delete {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Deleted {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    deletion_date: Timestamp,
}

/// A secret is kept 7 to 30 days (30 by default) unless told not to.
pub(in super::super) async fn delete(
    service: Arc<SecretsManager>,
    call: &Call,
    input: Delete,
) -> Result<Deleted, SecretFault> {
    let force = input.force_delete_without_recovery == Some(true);
    let days = match input.recovery_window_in_days {
        Some(_) if force => {
            return Err(SecretFault::InvalidParameter(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.".into(),
            ));
        }
        Some(days) if !(7..=30).contains(&days) => {
            return Err(SecretFault::InvalidParameter(
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).".into(),
            ));
        }
        Some(days) => days,
        None => 30,
    };
    let (now, region) = (service.cloud.clock.now(), call.scope.region.clone());
    service
        .shelf
        .change(|secrets| {
            secrets.purge(now);
            let secret = match secrets.find_mut(&region, &input.secret_id, now) {
                // Deleting by force what is not there is success: on AWS, where deletion takes a while, it may be on its way.
                Err(SecretFault::NotFound) if force => {
                    let arn = call.scope.arn("secretsmanager", format!("secret:{}", input.secret_id));
                    let arn = if input.secret_id.starts_with("arn:") { input.secret_id.clone() } else { arn };
                    return Ok(Deleted { arn, name: input.secret_id.clone(), deletion_date: now });
                }
                found => found?,
            };
            secret.changeable_by(service_of(call))?;
            let (arn, name) = (secret.arn.clone(), secret.name.clone());
            if force {
                secrets.by_arn.remove(&arn);
                return Ok(Deleted { arn, name, deletion_date: now });
            }
            secret.live()?;
            let gone = now.plus_millis(days * DAY);
            secret.deletion = Some(Deletion { marked: now, gone });
            Ok(Deleted { arn, name, deletion_date: gone })
        })
        .await
}

pub(in super::super) async fn restore(
    service: Arc<SecretsManager>,
    call: &Call,
    input: Named,
) -> Result<Stored, SecretFault> {
    let (now, region) = (service.cloud.clock.now(), call.scope.region.clone());
    service
        .shelf
        .change(|secrets| {
            let secret = secrets.find_mut(&region, &input.secret_id, now)?;
            secret.deletion = None;
            Ok(Stored { arn: secret.arn.clone(), name: secret.name.clone(), version_id: None })
        })
        .await
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Password {
    random_password: String,
}

pub(in super::super) async fn password(_: Arc<SecretsManager>, _: &Call, input: Wish) -> Result<Password, SecretFault> {
    Ok(Password { random_password: password::random(&input)? })
}
