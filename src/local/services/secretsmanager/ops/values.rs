//! Values and their stages.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::clock::Timestamp;

use super::super::SecretsManager;
use super::super::faults::SecretFault;
use super::super::state::{CURRENT, Secret, Value};
use super::page;
use super::secrets::{Filter, Hidden, Stored, selected, token_of, value_of};

const DAY: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Get {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Shown {
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    version_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_binary: Option<String>,
    version_stages: BTreeSet<String>,
    created_date: Timestamp,
}

fn show(secret: &Secret, id: Option<&str>, stage: Option<&str>) -> Result<Shown, SecretFault> {
    secret.live()?;
    let (id, version) = secret.version(id, stage)?;
    let (secret_string, secret_binary) = match &version.value {
        Value::Text(text) => (Some(text.clone()), None),
        Value::Binary(binary) => (None, Some(binary.clone())),
    };
    Ok(Shown {
        arn: secret.arn.clone(),
        name: secret.name.clone(),
        version_id: id.to_owned(),
        secret_string,
        secret_binary,
        version_stages: version.stages.clone(),
        created_date: version.created,
    })
}

pub(in super::super) async fn get(service: Arc<SecretsManager>, call: &Call, input: Get) -> Result<Shown, SecretFault> {
    let (now, region) = (service.cloud.clock.now(), &call.scope.region);
    let secrets = service.shelf.get();
    let secret = secrets.find(region, &input.secret_id, now)?;
    let shown = show(secret, input.version_id.as_deref(), input.version_stage.as_deref())?;
    // LastAccessedDate has whole days: reading writes once a day only.
    let today = Timestamp::from_millis(now.millis() - now.millis().rem_euclid(DAY));
    if secret.accessed != Some(today) {
        service
            .shelf
            .change(|secrets| {
                let secret = secrets.find_mut(region, &shown.arn, now)?;
                secret.accessed = Some(today);
                if let Some(version) = secret.versions.get_mut(&shown.version_id) {
                    version.accessed = Some(today);
                }
                Ok::<_, SecretFault>(())
            })
            .await?;
    }
    Ok(shown)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Put {
    secret_id: String,
    client_request_token: Option<String>,
    secret_string: Option<Hidden>,
    secret_binary: Option<Hidden>,
    #[serde(default)]
    version_stages: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct PutDone {
    #[serde(flatten)]
    stored: Stored,
    version_stages: BTreeSet<String>,
}

pub(in super::super) async fn put(
    service: Arc<SecretsManager>,
    call: &Call,
    input: Put,
) -> Result<PutDone, SecretFault> {
    let value = value_of(input.secret_string, input.secret_binary)?
        .ok_or_else(|| SecretFault::InvalidParameter("You must provide either SecretString or SecretBinary.".into()))?;
    if input.version_stages.len() > 20 {
        return Err(SecretFault::InvalidParameter("A version can have at most 20 staging labels.".into()));
    }
    let token = token_of(input.client_request_token, &service)?;
    let stages = if input.version_stages.is_empty() { vec![CURRENT.to_owned()] } else { input.version_stages };
    let (now, region) = (service.cloud.clock.now(), call.scope.region.clone());
    service
        .shelf
        .change(|secrets| {
            let secret = secrets.find_mut(&region, &input.secret_id, now)?;
            secret.live()?;
            secret.changeable_by(super::service_of(call))?;
            secret.put(&token, value, &stages, now)?;
            let version_stages = secret.versions.get(&token).map(|version| version.stages.clone()).unwrap_or_default();
            let stored = Stored { arn: secret.arn.clone(), name: secret.name.clone(), version_id: Some(token.clone()) };
            Ok(PutDone { stored, version_stages })
        })
        .await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct MoveStage {
    secret_id: String,
    version_stage: String,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

pub(in super::super) async fn move_stage(
    service: Arc<SecretsManager>,
    call: &Call,
    input: MoveStage,
) -> Result<Stored, SecretFault> {
    let (now, region) = (service.cloud.clock.now(), call.scope.region.clone());
    service
        .shelf
        .change(|secrets| {
            let secret = secrets.find_mut(&region, &input.secret_id, now)?;
            secret.live()?;
            secret.changeable_by(super::service_of(call))?;
            for id in [&input.remove_from_version_id, &input.move_to_version_id].into_iter().flatten() {
                secret.version(Some(id), None)?;
            }
            let stage = input.version_stage.as_str();
            let holder = secret.version(None, Some(stage)).ok().map(|(id, _)| id.to_owned());
            if holder.is_some() && holder != input.remove_from_version_id && holder != input.move_to_version_id {
                return Err(SecretFault::InvalidParameter(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version {}, \
                     so you must explicitly reference that version in RemoveFromVersionId.",
                    holder.unwrap_or_default()
                )));
            }
            if input.move_to_version_id.is_none() && stage == CURRENT {
                return Err(SecretFault::InvalidParameter(format!(
                    "You can only move staging label {CURRENT} to a different secret version. It can't be completely removed."
                )));
            }
            secret.move_stage(stage, input.move_to_version_id.as_deref());
            secret.changed = now;
            Ok(Stored { arn: secret.arn.clone(), name: secret.name.clone(), version_id: None })
        })
        .await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ListVersions {
    secret_id: String,
    max_results: Option<usize>,
    next_token: Option<String>,
    include_deprecated: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersionLine {
    version_id: String,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    version_stages: BTreeSet<String>,
    created_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_accessed_date: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Versions {
    versions: Vec<VersionLine>,
    #[serde(rename = "ARN")]
    arn: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(in super::super) async fn versions(
    service: Arc<SecretsManager>,
    call: &Call,
    input: ListVersions,
) -> Result<Versions, SecretFault> {
    let secrets = service.shelf.get();
    let secret = secrets.find(&call.scope.region, &input.secret_id, service.cloud.clock.now())?;
    let deprecated = input.include_deprecated == Some(true);
    let shown = secret.versions.iter().filter(|(_, version)| deprecated || !version.stages.is_empty());
    let lines: Vec<VersionLine> = shown
        .map(|(id, version)| VersionLine {
            version_id: id.clone(),
            version_stages: version.stages.clone(),
            created_date: version.created,
            last_accessed_date: version.accessed,
        })
        .collect();
    let (versions, next_token) = page(lines, input.max_results, input.next_token.as_deref())?;
    Ok(Versions { versions, arn: secret.arn.clone(), name: secret.name.clone(), next_token })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct BatchGet {
    #[serde(default)]
    secret_id_list: Vec<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchError {
    secret_id: String,
    error_code: String,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct Batch {
    secret_values: Vec<Shown>,
    errors: Vec<BatchError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

pub(in super::super) async fn batch(
    service: Arc<SecretsManager>,
    call: &Call,
    input: BatchGet,
) -> Result<Batch, SecretFault> {
    if input.secret_id_list.is_empty() == input.filters.is_empty() || input.secret_id_list.len() > 20 {
        return Err(SecretFault::InvalidParameter(
            "You must include Filters or SecretIdList (up to 20), but not both.".into(),
        ));
    }
    let (secrets, now) = (service.shelf.get(), service.cloud.clock.now());
    let region = call.scope.region.as_str();
    let mut ids = input.secret_id_list;
    if ids.is_empty() {
        let found = selected(&secrets, (region, now), &input.filters)?;
        ids = found.into_iter().filter(|secret| secret.deletion.is_none()).map(|secret| secret.arn.clone()).collect();
    }
    let (ids, next_token) = page(ids, Some(input.max_results.unwrap_or(20).min(20)), input.next_token.as_deref())?;
    let (mut secret_values, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        match secrets.find(region, &id, now).and_then(|secret| show(secret, None, None)) {
            Ok(shown) => secret_values.push(shown),
            Err(fault) => {
                let (code, message) = fault.parts();
                errors.push(BatchError { secret_id: id, error_code: code.into(), message });
            }
        }
    }
    Ok(Batch { secret_values, errors, next_token })
}
