//! Log groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Nothing, group_name};
use crate::call::Call;
use crate::services::logs::faults::LogsFault;
use crate::services::logs::state::{Group, Logs};

/// What PutRetentionPolicy accepts.
const RETENTION_DAYS: &[u32] =
    &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateLogGroup {
    log_group_name: String,
    kms_key_id: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    log_group_class: Option<String>,
    deletion_protection_enabled: Option<bool>,
}

/// CreateLogGroup.
pub(crate) async fn create(logs: Arc<Logs>, call: &Call, input: CreateLogGroup) -> Result<Nothing, LogsFault> {
    let name = input.log_group_name;
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(fits) {
        return Err(LogsFault::invalid(format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    if name.starts_with("aws/") {
        return Err(LogsFault::invalid("Log groups starting with aws/ are reserved for AWS."));
    }
    let class = input.log_group_class.unwrap_or_else(|| "STANDARD".into());
    if class != "STANDARD" && class != "INFREQUENT_ACCESS" {
        return Err(LogsFault::Unsupported(format!("the log group class {class}")));
    }
    super::tags::check(&input.tags)?;
    let group = Group {
        id: logs.cloud.ids.lower(20),
        created: logs.now(),
        retention: None,
        key: input.kms_key_id,
        class,
        protected: input.deletion_protection_enabled.unwrap_or(false),
        tags: input.tags,
        made_by: call.request_id.clone(),
    };
    logs.groups
        .change(|groups| {
            let groups = groups.entry(call.scope.region.clone()).or_default();
            match groups.get(&name) {
                Some(there) if there.made_by == call.request_id => {}
                Some(_) => return Err(LogsFault::GroupExists),
                None => {
                    groups.insert(name, group);
                }
            }
            Ok(())
        })
        .await?;
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    log_group_name: String,
}

/// DeleteLogGroup.
pub(crate) async fn delete(logs: Arc<Logs>, call: &Call, input: Named) -> Result<Nothing, LogsFault> {
    let gone = logs
        .groups
        .change(|groups| {
            let groups = groups.get_mut(&call.scope.region).ok_or(LogsFault::NoGroup)?;
            if groups.get(&input.log_group_name).is_some_and(|group| group.protected) {
                return Err(LogsFault::Protected);
            }
            groups.remove(&input.log_group_name).ok_or(LogsFault::NoGroup)
        })
        .await?;
    logs.forget(&gone)?;
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DescribeLogGroups {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
    log_group_class: Option<String>,
    log_group_identifiers: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DescribedGroups {
    log_groups: Vec<GroupShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupShape {
    log_group_name: String,
    creation_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_in_days: Option<u32>,
    metric_filter_count: u32,
    arn: String,
    stored_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
    log_group_class: String,
    log_group_arn: String,
    deletion_protection_enabled: bool,
}

/// DescribeLogGroups: by name, 50 at a time.
pub(crate) async fn describe(
    logs: Arc<Logs>,
    call: &Call,
    input: DescribeLogGroups,
) -> Result<DescribedGroups, LogsFault> {
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(LogsFault::invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let limit = input.limit.unwrap_or(50);
    if !(1..=50).contains(&limit) {
        return Err(LogsFault::invalid(format!("The limit must be between 1 and 50, not {limit}.")));
    }
    let pattern = input.log_group_name_pattern.map(|pattern| pattern.to_lowercase());
    let wanted = |name: &str, group: &Group| {
        input.log_group_name_prefix.as_deref().is_none_or(|prefix| name.starts_with(prefix))
            && pattern.as_deref().is_none_or(|part| name.to_lowercase().contains(part))
            && input.log_group_class.as_deref().is_none_or(|class| group.class == class)
            && input.log_group_identifiers.as_ref().is_none_or(|ids| ids.iter().any(|id| group_name(id) == name))
            && input.next_token.as_deref().is_none_or(|after| name > after)
    };
    let groups = logs.groups.get();
    let here = groups.get(&call.scope.region).into_iter().flatten();
    let mut found: Vec<_> = here.filter(|(name, group)| wanted(name, group)).take(limit + 1).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let next_token = found.last().filter(|_| more).map(|(name, _)| (*name).clone());
    let log_groups = found.into_iter().map(|(name, group)| {
        let arn = call.scope.arn("logs", format!("log-group:{name}"));
        GroupShape {
            log_group_name: name.clone(),
            creation_time: group.created,
            retention_in_days: group.retention,
            metric_filter_count: 0,
            arn: format!("{arn}:*"),
            stored_bytes: logs.streams(group).iter().map(|stream| stream.summary().bytes).sum(),
            kms_key_id: group.key.clone(),
            log_group_class: group.class.clone(),
            log_group_arn: arn,
            deletion_protection_enabled: group.protected,
        }
    });
    Ok(DescribedGroups { log_groups: log_groups.collect(), next_token })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PutRetentionPolicy {
    log_group_name: String,
    retention_in_days: u32,
}

/// PutRetentionPolicy.
pub(crate) async fn put_retention(
    logs: Arc<Logs>,
    call: &Call,
    input: PutRetentionPolicy,
) -> Result<Nothing, LogsFault> {
    let days = input.retention_in_days;
    if !RETENTION_DAYS.contains(&days) {
        return Err(LogsFault::invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: \
             Member must satisfy enum value set: {RETENTION_DAYS:?}"
        )));
    }
    let set = |group: &mut Group| {
        group.retention = Some(days);
        Ok(())
    };
    logs.change_group(&call.scope, &input.log_group_name, set).await?;
    Ok(Nothing {})
}

/// DeleteRetentionPolicy: events are kept for ever.
pub(crate) async fn delete_retention(logs: Arc<Logs>, call: &Call, input: Named) -> Result<Nothing, LogsFault> {
    let clear = |group: &mut Group| {
        group.retention = None;
        Ok(())
    };
    logs.change_group(&call.scope, &input.log_group_name, clear).await?;
    Ok(Nothing {})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AssociateKey {
    log_group_name: Option<String>,
    resource_identifier: Option<String>,
    kms_key_id: Option<String>,
}

async fn set_key(logs: &Logs, call: &Call, input: AssociateKey, key: Option<String>) -> Result<Nothing, LogsFault> {
    let name = input.log_group_name.or(input.resource_identifier);
    let name = name.ok_or_else(|| LogsFault::invalid("One of logGroupName and resourceIdentifier is required."))?;
    let set = |group: &mut Group| {
        group.key = key;
        Ok(())
    };
    logs.change_group(&call.scope, group_name(&name), set).await?;
    Ok(Nothing {})
}

/// AssociateKmsKey: recorded; the files lie in a directory that only their owner reads.
pub(crate) async fn associate_key(logs: Arc<Logs>, call: &Call, input: AssociateKey) -> Result<Nothing, LogsFault> {
    let key = input.kms_key_id.clone();
    set_key(&logs, call, input, key).await
}

/// DisassociateKmsKey.
pub(crate) async fn disassociate_key(logs: Arc<Logs>, call: &Call, input: AssociateKey) -> Result<Nothing, LogsFault> {
    set_key(&logs, call, input, None).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Protect {
    log_group_identifier: String,
    deletion_protection_enabled: bool,
}

/// PutLogGroupDeletionProtection.
pub(crate) async fn protect(logs: Arc<Logs>, call: &Call, input: Protect) -> Result<Nothing, LogsFault> {
    let set = |group: &mut Group| {
        group.protected = input.deletion_protection_enabled;
        Ok(())
    };
    logs.change_group(&call.scope, group_name(&input.log_group_identifier), set).await?;
    Ok(Nothing {})
}
