//! Tags of log groups, in the old and the new form.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Nothing, group_name};
use crate::call::Call;
use crate::services::logs::faults::LogsFault;
use crate::services::logs::state::{Group, Logs};

const MOST: usize = 50;

pub(super) fn check(tags: &BTreeMap<String, String>) -> Result<(), LogsFault> {
    match tags.iter().find(|(key, value)| key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256) {
        Some((key, _)) => Err(LogsFault::invalid(format!("The tag '{key}' is longer than a tag may be."))),
        None if tags.len() > MOST => Err(LogsFault::TooManyTags),
        None => Ok(()),
    }
}

async fn add(logs: &Logs, call: &Call, name: &str, tags: BTreeMap<String, String>) -> Result<Nothing, LogsFault> {
    check(&tags)?;
    let add = |group: &mut Group| {
        group.tags.extend(tags);
        check(&group.tags)
    };
    logs.change_group(&call.scope, name, add).await?;
    Ok(Nothing {})
}

async fn remove(logs: &Logs, call: &Call, name: &str, keys: Vec<String>) -> Result<Nothing, LogsFault> {
    let remove = |group: &mut Group| {
        group.tags.retain(|key, _| !keys.contains(key));
        Ok(())
    };
    logs.change_group(&call.scope, name, remove).await?;
    Ok(Nothing {})
}

fn by_arn(fault: LogsFault) -> LogsFault {
    match fault {
        LogsFault::NoGroup => LogsFault::NoResource,
        other => other,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TagResource {
    resource_arn: String,
    tags: BTreeMap<String, String>,
}

/// TagResource.
pub(crate) async fn tag(logs: Arc<Logs>, call: &Call, input: TagResource) -> Result<Nothing, LogsFault> {
    add(&logs, call, group_name(&input.resource_arn), input.tags).await.map_err(by_arn)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// UntagResource.
pub(crate) async fn untag(logs: Arc<Logs>, call: &Call, input: UntagResource) -> Result<Nothing, LogsFault> {
    remove(&logs, call, group_name(&input.resource_arn), input.tag_keys).await.map_err(by_arn)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListTags {
    resource_arn: String,
}

#[derive(Serialize)]
pub(crate) struct Tags {
    tags: BTreeMap<String, String>,
}

/// ListTagsForResource.
pub(crate) async fn list(logs: Arc<Logs>, call: &Call, input: ListTags) -> Result<Tags, LogsFault> {
    let group = logs.group(&call.scope, group_name(&input.resource_arn)).map_err(by_arn)?;
    Ok(Tags { tags: group.tags })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TagLogGroup {
    log_group_name: String,
    tags: BTreeMap<String, String>,
}

/// TagLogGroup.
pub(crate) async fn tag_group(logs: Arc<Logs>, call: &Call, input: TagLogGroup) -> Result<Nothing, LogsFault> {
    add(&logs, call, &input.log_group_name, input.tags).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UntagLogGroup {
    log_group_name: String,
    tags: Vec<String>,
}

/// UntagLogGroup.
pub(crate) async fn untag_group(logs: Arc<Logs>, call: &Call, input: UntagLogGroup) -> Result<Nothing, LogsFault> {
    remove(&logs, call, &input.log_group_name, input.tags).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListTagsLogGroup {
    log_group_name: String,
}

/// ListTagsLogGroup.
pub(crate) async fn list_group(logs: Arc<Logs>, call: &Call, input: ListTagsLogGroup) -> Result<Tags, LogsFault> {
    Ok(Tags { tags: logs.group(&call.scope, &input.log_group_name)?.tags })
}
