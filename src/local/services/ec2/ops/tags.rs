//! Tags of everything that has an id.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::services::ec2::faults::{Kind, NetFault};
use crate::services::ec2::state::{Cx, Network};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Tag {
    key: String,
    #[serde(default)]
    value: Option<String>,
}

/// `TagSpecifications` of a create operation.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Specification {
    resource_type: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// Tags a resource that was just made with what the request gave for its type.
pub(super) fn apply(network: &mut Network, cx: &Cx<'_>, id: &str, given: Vec<Specification>) -> Result<(), NetFault> {
    let kind = network.kind_of(id).unwrap_or_default();
    for specification in given {
        if specification.resource_type != kind {
            let message =
                format!("'{}' is not a valid taggable resource type for this operation.", specification.resource_type);
            return Err(NetFault::InvalidValue(message));
        }
        put(network, cx, id, specification.tags)?;
    }
    Ok(())
}

fn put(network: &mut Network, cx: &Cx<'_>, id: &str, tags: Vec<Tag>) -> Result<(), NetFault> {
    let kept = network.tags.entry(id.to_owned()).or_default();
    for Tag { key, value } in tags {
        let value = value.unwrap_or_default();
        check(cx, &key, &value)?;
        kept.insert(key, value);
    }
    if kept.keys().filter(|key| !key.starts_with("aws:")).count() > 50 {
        let message = format!("The maximum number of Tags for a resource has been reached: {id}");
        return Err(NetFault::Refused("TagLimitExceeded", message));
    }
    Ok(())
}

fn check(cx: &Cx<'_>, key: &str, value: &str) -> Result<(), NetFault> {
    // `aws:` is for AWS's services, such as CloudFormation with the names of its stacks.
    if key.starts_with("aws:") && cx.service().is_none() {
        return Err(NetFault::InvalidValue("Tag keys starting with 'aws:' are reserved for internal use".to_owned()));
    }
    if key.is_empty() || key.chars().count() > 128 {
        return Err(NetFault::InvalidValue(format!(
            "Tag key exceeds the maximum length of 128 characters or is empty: '{key}'"
        )));
    }
    if value.chars().count() > 256 {
        return Err(NetFault::InvalidValue("Tag value exceeds the maximum length of 256 characters".to_owned()));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateTags {
    resources: Vec<String>,
    tags: Vec<Tag>,
}

pub(in super::super) fn create(network: &mut Network, cx: &Cx<'_>, input: CreateTags) -> Result<Value, NetFault> {
    let tags: BTreeMap<String, Option<String>> = input.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    for id in &input.resources {
        network.kind_of(id).ok_or_else(|| NetFault::NotFound(Kind::Any, id.clone()))?;
        let tags = tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
        put(network, cx, id, tags)?;
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DeleteTags {
    resources: Vec<String>,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
}

/// A key with a value goes only if the value matches; no tags at all means all of the user's.
pub(in super::super) fn delete(network: &mut Network, cx: &Cx<'_>, input: DeleteTags) -> Result<Value, NetFault> {
    for id in &input.resources {
        network.kind_of(id).ok_or_else(|| NetFault::NotFound(Kind::Any, id.clone()))?;
        let Some(kept) = network.tags.get_mut(id) else { continue };
        match &input.tags {
            None => kept.retain(|key, _| key.starts_with("aws:")),
            Some(tags) => {
                for Tag { key, value } in tags {
                    check(cx, key, "")?;
                    if value.as_ref().is_none_or(|value| kept.get(key) == Some(value)) {
                        kept.remove(key);
                    }
                }
            }
        }
    }
    Ok(json!({}))
}
