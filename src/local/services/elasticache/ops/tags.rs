//! Tags, by ARN.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Service};
use crate::call::Call;
use crate::scope::{Caller, Scope};
use crate::services::elasticache::faults::{CacheFault, Kind};
use crate::services::elasticache::state::Region;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Tag {
    key: String,
    value: Option<String>,
}

/// The tags of a create operation, checked.
pub(super) fn checked(scope: &Scope, tags: Vec<Tag>) -> Result<BTreeMap<String, String>, CacheFault> {
    let is_service = matches!(scope.caller, Caller::Service { .. });
    for Tag { key, value } in &tags {
        if key.is_empty()
            || key.chars().count() > 128
            || value.as_ref().is_some_and(|value| value.chars().count() > 256)
        {
            return Err(CacheFault::InvalidValue(format!("The tag '{key}' is too long or has no key.")));
        }
        if key.starts_with("aws:") && !is_service {
            return Err(CacheFault::InvalidValue(
                "Tag keys starting with 'aws:' are reserved for system use".to_owned(),
            ));
        }
    }
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect())
}

/// Is there something with this ARN?
fn exists(region: &Region, scope: &Scope, arn: &str) -> Result<(), CacheFault> {
    let rest = arn.strip_prefix(&scope.arn("elasticache", "")).ok_or_else(|| CacheFault::InvalidArn(arn.to_owned()))?;
    let (kind, name) = rest.split_once(':').ok_or_else(|| CacheFault::InvalidArn(arn.to_owned()))?;
    let (kind, found) = match kind {
        "replicationgroup" => (Kind::ReplicationGroup, region.groups.contains_key(name)),
        "cluster" => {
            let clusters = region.groups.values().flat_map(|group| &group.nodes);
            (Kind::CacheCluster, clusters.into_iter().any(|node| node.cluster == name))
        }
        "subnetgroup" => (Kind::SubnetGroup, region.subnet_groups.contains_key(name)),
        "parametergroup" => (Kind::ParameterGroup, region.family_of(name).is_some()),
        _ => return Err(CacheFault::InvalidArn(arn.to_owned())),
    };
    if found { Ok(()) } else { Err(CacheFault::NotFound(kind, name.to_owned())) }
}

fn listed(region: &Region, arn: &str) -> Value {
    let tags = region.tags.get(arn).into_iter().flatten().map(|(key, value)| json!({"Key": key, "Value": value}));
    json!({"TagList": tags.collect::<Vec<_>>()})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct AddTags {
    resource_name: String,
    tags: Vec<Tag>,
}

pub(in super::super) async fn add(service: Service, call: &Call, input: AddTags) -> Answer {
    let tags = checked(&call.scope, input.tags)?;
    let changed = service.caches.change(|caches| {
        let region = caches.of(&call.scope.region);
        exists(region, &call.scope, &input.resource_name)?;
        region.tags.entry(input.resource_name.clone()).or_default().extend(tags);
        Ok::<_, CacheFault>(listed(region, &input.resource_name))
    });
    changed.await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct RemoveTags {
    resource_name: String,
    tag_keys: Vec<String>,
}

pub(in super::super) async fn remove(service: Service, call: &Call, input: RemoveTags) -> Answer {
    let changed = service.caches.change(|caches| {
        let region = caches.of(&call.scope.region);
        exists(region, &call.scope, &input.resource_name)?;
        let tags = region.tags.entry(input.resource_name.clone()).or_default();
        for key in &input.tag_keys {
            tags.remove(key).ok_or_else(|| CacheFault::TagNotFound(key.clone()))?;
        }
        Ok::<_, CacheFault>(listed(region, &input.resource_name))
    });
    changed.await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ListTags {
    resource_name: String,
}

pub(in super::super) async fn list(service: Service, call: &Call, input: ListTags) -> Answer {
    let caches = service.caches.get();
    let none = Region::default();
    let region = caches.regions.get(&call.scope.region).unwrap_or(&none);
    exists(region, &call.scope, &input.resource_name)?;
    Ok(listed(region, &input.resource_name))
}
