//! Tags of functions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Nothing;
use crate::call::Call;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::names::Target;
use crate::services::lambda::state::{Function, Lambda};

pub(super) fn check(tags: &BTreeMap<String, String>) -> Result<(), LambdaFault> {
    if tags.len() > 50 {
        return Err(LambdaFault::invalid("A function can have no more than 50 tags."));
    }
    match tags.iter().find(|(key, value)| key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256) {
        Some((key, _)) => Err(LambdaFault::invalid(format!("The tag '{key}' is longer than a tag may be."))),
        None => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct TagResource {
    resource: String,
    tags: BTreeMap<String, String>,
}

/// TagResource.
pub(crate) async fn tag(lambda: Arc<Lambda>, call: &Call, input: TagResource) -> Result<Nothing, LambdaFault> {
    let target = Target::unqualified(&input.resource)?;
    let add = |function: &mut Function| {
        function.tags.extend(input.tags);
        check(&function.tags)
    };
    lambda.change(&call.scope, &target, add).await?;
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UntagResource {
    resource: String,
    tag_keys: Vec<String>,
}

/// UntagResource.
pub(crate) async fn untag(lambda: Arc<Lambda>, call: &Call, input: UntagResource) -> Result<Nothing, LambdaFault> {
    let target = Target::unqualified(&input.resource)?;
    let remove = |function: &mut Function| {
        function.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    };
    lambda.change(&call.scope, &target, remove).await?;
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct ListTags {
    resource: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Tags {
    tags: BTreeMap<String, String>,
}

/// ListTags.
pub(crate) async fn list(lambda: Arc<Lambda>, call: &Call, input: ListTags) -> Result<Tags, LambdaFault> {
    let function = lambda.function(&call.scope, &Target::unqualified(&input.resource)?)?;
    Ok(Tags { tags: function.tags.clone() })
}
