//! Tags of secrets.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;

use super::super::SecretsManager;
use super::super::faults::SecretFault;
use super::{Tag as SecretTag, add_tags, service_of};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Tag {
    secret_id: String,
    tags: Vec<SecretTag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Untag {
    secret_id: String,
    tag_keys: Vec<String>,
}

pub(in super::super) async fn tag(service: Arc<SecretsManager>, call: &Call, input: Tag) -> Result<Value, SecretFault> {
    let now = service.cloud.clock.now();
    service
        .shelf
        .change(|secrets| {
            let secret = secrets.find_mut(&call.scope.region, &input.secret_id, now)?;
            secret.live()?;
            add_tags(&mut secret.tags, input.tags, service_of(call).is_some())?;
            Ok(json!({}))
        })
        .await
}

pub(in super::super) async fn untag(
    service: Arc<SecretsManager>,
    call: &Call,
    input: Untag,
) -> Result<Value, SecretFault> {
    let now = service.cloud.clock.now();
    service
        .shelf
        .change(|secrets| {
            let secret = secrets.find_mut(&call.scope.region, &input.secret_id, now)?;
            secret.live()?;
            secret.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(json!({}))
        })
        .await
}
