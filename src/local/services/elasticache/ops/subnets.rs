//! Cache subnet groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::{self, Tag};
use super::{Answer, Service, identifier, page};
use crate::call::Call;
use crate::services::elasticache::faults::{CacheFault, Kind};
use crate::services::elasticache::state::SubnetGroup;
use crate::services::elasticache::views;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateSubnetGroup {
    cache_subnet_group_name: String,
    cache_subnet_group_description: String,
    subnet_ids: Vec<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(in super::super) async fn create(service: Service, call: &Call, input: CreateSubnetGroup) -> Answer {
    let name = identifier("CacheSubnetGroupName", &input.cache_subnet_group_name, 255)?;
    if name == "default" {
        return Err(CacheFault::InvalidValue("The cache subnet group name 'default' is reserved.".to_owned()));
    }
    let (vpc, subnets) = look_up(&service, call, &input.subnet_ids).await?;
    let tags = tags::checked(&call.scope, input.tags)?;
    let group = SubnetGroup { description: input.cache_subnet_group_description, vpc, subnets };
    let view = views::subnet_group(&call.scope, &name, &group);
    let changed = service.caches.change(|caches| {
        let region = caches.of(&call.scope.region);
        if region.subnet_groups.contains_key(&name) {
            return Err(CacheFault::AlreadyExists(Kind::SubnetGroup, name));
        }
        region.tags.insert(call.scope.arn("elasticache", format!("subnetgroup:{name}")), tags);
        region.subnet_groups.insert(name, group);
        Ok(())
    });
    changed.await?;
    Ok(json!({"CacheSubnetGroup": view}))
}

/// The subnets' VPC and zones, as EC2 knows them.
async fn look_up(
    service: &Service,
    call: &Call,
    ids: &[String],
) -> Result<(String, Vec<(String, String)>), CacheFault> {
    if ids.is_empty() {
        return Err(CacheFault::InvalidValue("The parameter SubnetIds must be provided.".to_owned()));
    }
    let found = service.cloud.call(&call.scope, "ec2", "DescribeSubnets", json!({"SubnetIds": ids})).await;
    let found = found.map_err(|fault| CacheFault::InvalidSubnet(fault.message))?;
    let subnets = found["Subnets"].as_array().cloned().unwrap_or_default();
    let text = |subnet: &Value, name: &str| subnet[name].as_str().unwrap_or_default().to_owned();
    let vpc = subnets.first().map(|subnet| text(subnet, "VpcId")).unwrap_or_default();
    if subnets.iter().any(|subnet| text(subnet, "VpcId") != vpc) {
        return Err(CacheFault::InvalidSubnet("The subnets are not in the same VPC.".to_owned()));
    }
    Ok((vpc, subnets.iter().map(|subnet| (text(subnet, "SubnetId"), text(subnet, "AvailabilityZone"))).collect()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ModifySubnetGroup {
    cache_subnet_group_name: String,
    cache_subnet_group_description: Option<String>,
    subnet_ids: Option<Vec<String>>,
}

pub(in super::super) async fn modify(service: Service, call: &Call, input: ModifySubnetGroup) -> Answer {
    let looked_up = match &input.subnet_ids {
        Some(ids) => Some(look_up(&service, call, ids).await?),
        None => None,
    };
    let name = input.cache_subnet_group_name.to_ascii_lowercase();
    let changed = service.caches.change(|caches| {
        let group = caches.of(&call.scope.region).subnet_groups.get_mut(&name);
        let group = group.ok_or_else(|| CacheFault::NotFound(Kind::SubnetGroup, name.clone()))?;
        if let Some(description) = input.cache_subnet_group_description {
            group.description = description;
        }
        if let Some((vpc, subnets)) = looked_up {
            if vpc != group.vpc {
                return Err(CacheFault::InvalidSubnet(
                    "The new subnets are not in the cache subnet group's VPC.".to_owned(),
                ));
            }
            group.subnets = subnets;
        }
        Ok(json!({"CacheSubnetGroup": views::subnet_group(&call.scope, &name, group)}))
    });
    changed.await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeSubnetGroups {
    cache_subnet_group_name: Option<String>,
    max_records: Option<usize>,
    marker: Option<String>,
}

pub(in super::super) async fn describe(service: Service, call: &Call, input: DescribeSubnetGroups) -> Answer {
    let caches = service.caches.get();
    let groups = caches.regions.get(&call.scope.region).into_iter().flat_map(|region| &region.subnet_groups);
    let name = input.cache_subnet_group_name.map(|name| name.to_ascii_lowercase());
    let shown = groups.filter(|(known, _)| name.as_ref().is_none_or(|name| name == *known));
    let shown: Vec<Value> = shown.map(|(name, group)| views::subnet_group(&call.scope, name, group)).collect();
    match name {
        Some(name) if shown.is_empty() => Err(CacheFault::NotFound(Kind::SubnetGroup, name)),
        _ => page("CacheSubnetGroups", shown, input.max_records, input.marker.as_deref()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct SubnetGroupOnly {
    cache_subnet_group_name: String,
}

pub(in super::super) async fn delete(service: Service, call: &Call, input: SubnetGroupOnly) -> Answer {
    let name = input.cache_subnet_group_name.to_ascii_lowercase();
    let changed = service.caches.change(|caches| {
        let region = caches.of(&call.scope.region);
        if !region.subnet_groups.contains_key(&name) {
            return Err(CacheFault::NotFound(Kind::SubnetGroup, name));
        }
        if region.groups.values().any(|group| group.subnet_group.as_ref() == Some(&name)) {
            return Err(CacheFault::InUse(Kind::SubnetGroup, name));
        }
        region.subnet_groups.remove(&name);
        region.tags.remove(&call.scope.arn("elasticache", format!("subnetgroup:{name}")));
        Ok(json!({}))
    });
    changed.await
}
