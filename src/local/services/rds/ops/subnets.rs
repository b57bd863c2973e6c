//! DB subnet groups. The subnets are EC2's, which is asked for them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::check::{self, Filter, Nothing, Tag, answer, listing, page};
use super::quotas::Quota;
use crate::call::Call;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::state::{Rds, SubnetGroup, key};
use crate::services::rds::views;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Create {
    #[serde(rename = "DBSubnetGroupName")]
    name: String,
    #[serde(rename = "DBSubnetGroupDescription")]
    description: String,
    subnet_ids: Vec<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// CreateDBSubnetGroup.
pub(crate) async fn create(rds: Arc<Rds>, call: &Call, input: Create) -> Result<Value, RdsFault> {
    let name = input.name.to_ascii_lowercase();
    let good = (1..=255).contains(&name.len())
        && name != "default"
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' '));
    if !good {
        return Err(RdsFault::InvalidValue(
            "The parameter DBSubnetGroupName must be provided, must not be 'default', and must contain only letters, digits, hyphens, underscores, periods and spaces.".into(),
        ));
    }
    if rds.region(&call.scope).subnet_groups.contains_key(&name) {
        return Err(RdsFault::SubnetGroupExists(name));
    }
    let (vpc, subnets) = resolve(&rds, call, &input.subnet_ids).await?;
    let group =
        SubnetGroup { name: name.clone(), description: input.description, vpc, subnets, tags: check::tags(input.tags) };
    let view = views::subnet_group(&call.scope, &group);
    rds.change(&call.scope, |region| {
        if region.subnet_groups.contains_key(&name) {
            return Err(RdsFault::SubnetGroupExists(name));
        }
        Quota::SubnetGroups.check(region)?;
        region.subnet_groups.insert(name, group);
        Ok(())
    })
    .await?;
    Ok(answer("DBSubnetGroup", view))
}

/// The VPC and zones of the subnets: one VPC, two zones or more.
async fn resolve(rds: &Rds, call: &Call, ids: &[String]) -> Result<(String, Vec<(String, String)>), RdsFault> {
    let found = rds.cloud.call(&call.scope, "ec2", "DescribeSubnets", json!({"SubnetIds": ids})).await;
    let found = found.map_err(|fault| match fault.code.as_str() {
        "InvalidSubnetID.NotFound" | "InvalidSubnetID.Malformed" => {
            RdsFault::InvalidSubnet(format!("Some input subnets in :[{}] are invalid.", ids.join(", ")))
        }
        _ => fault.into(),
    })?;
    let text = |subnet: &Value, name: &str| subnet.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let found: Vec<&Value> = found.get("Subnets").and_then(Value::as_array).into_iter().flatten().collect();
    let vpc = found.first().map(|subnet| text(subnet, "VpcId")).unwrap_or_default();
    if found.iter().any(|subnet| text(subnet, "VpcId") != vpc) {
        return Err(RdsFault::InvalidSubnet("Subnets in a DB subnet group must be in one VPC.".into()));
    }
    let subnets: Vec<(String, String)> =
        found.iter().map(|subnet| (text(subnet, "SubnetId"), text(subnet, "AvailabilityZone"))).collect();
    let mut zones: Vec<&str> = subnets.iter().map(|(_, zone)| zone.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    if zones.len() < 2 {
        return Err(RdsFault::TooFewZones(zones.join(", ")));
    }
    Ok((vpc, subnets))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Describe {
    #[serde(rename = "DBSubnetGroupName")]
    name: Option<String>,
    #[serde(default, rename = "Filters")]
    _filters: Vec<Filter>,
    max_records: Option<u32>,
    marker: Option<String>,
}

/// DescribeDBSubnetGroups.
pub(crate) async fn describe(rds: Arc<Rds>, call: &Call, input: Describe) -> Result<Value, RdsFault> {
    let region = rds.region(&call.scope);
    let found: Vec<&SubnetGroup> = match &input.name {
        Some(name) => {
            vec![region.subnet_groups.get(&key(name)).ok_or_else(|| RdsFault::SubnetGroupNotFound(name.clone()))?]
        }
        None => region.subnet_groups.values().collect(),
    };
    let (kept, next) = page(found, |group| group.name.clone(), input.marker.as_deref(), input.max_records)?;
    Ok(listing("DBSubnetGroups", kept.into_iter().map(|group| views::subnet_group(&call.scope, group)).collect(), next))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Modify {
    #[serde(rename = "DBSubnetGroupName")]
    name: String,
    #[serde(rename = "DBSubnetGroupDescription")]
    description: Option<String>,
    subnet_ids: Vec<String>,
}

/// ModifyDBSubnetGroup.
pub(crate) async fn modify(rds: Arc<Rds>, call: &Call, input: Modify) -> Result<Value, RdsFault> {
    let missing = || RdsFault::SubnetGroupNotFound(input.name.clone());
    let (vpc, subnets) = resolve(&rds, call, &input.subnet_ids).await?;
    let group = rds
        .change(&call.scope, |region| {
            let group = region.subnet_groups.get_mut(&key(&input.name)).ok_or_else(missing)?;
            if group.vpc != vpc {
                return Err(RdsFault::InvalidSubnet("The subnets must be in the VPC of the DB subnet group.".into()));
            }
            group.subnets = subnets;
            if let Some(description) = input.description.clone() {
                group.description = description;
            }
            Ok(group.clone())
        })
        .await?;
    Ok(answer("DBSubnetGroup", views::subnet_group(&call.scope, &group)))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Delete {
    #[serde(rename = "DBSubnetGroupName")]
    name: String,
}

/// DeleteDBSubnetGroup.
pub(crate) async fn delete(rds: Arc<Rds>, call: &Call, input: Delete) -> Result<Nothing, RdsFault> {
    let name = key(&input.name);
    rds.change(&call.scope, |region| {
        let user = region.clusters.values().find(|cluster| cluster.subnet_group.as_deref() == Some(&name));
        if let Some(user) = user {
            return Err(RdsFault::SubnetGroupInUse(name.clone(), user.identifier.clone()));
        }
        region.subnet_groups.remove(&name).ok_or_else(|| RdsFault::SubnetGroupNotFound(name.clone()))?;
        Ok(Nothing {})
    })
    .await
}
