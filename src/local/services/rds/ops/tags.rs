//! AddTagsToResource, RemoveTagsFromResource, ListTagsForResource.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::check::{self, Filter, Nothing, Tag};
use crate::call::Call;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::state::{Rds, Region, Tags};
use crate::services::rds::views::tag_list;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Add {
    resource_name: String,
    tags: Vec<Tag>,
}

/// The tags of the resource that an ARN names.
fn tags_of<'a>(region: &'a mut Region, arn: &str) -> Result<&'a mut Tags, RdsFault> {
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let [_, _, "rds", _, _, kind, name] = parts[..] else {
        return Err(RdsFault::InvalidValue(format!("Invalid resource name: {arn}")));
    };
    let name = name.to_ascii_lowercase();
    let group = |kind| RdsFault::ParameterGroupNotFound { kind, name: name.clone() };
    match kind {
        "cluster" => Ok(&mut region.cluster_mut(&name)?.tags),
        "db" => Ok(&mut region.instance_mut(&name)?.tags),
        "subgrp" => {
            let found = region.subnet_groups.get_mut(&name).map(|group| &mut group.tags);
            found.ok_or_else(|| RdsFault::SubnetGroupNotFound(name.clone()))
        }
        "cluster-pg" => {
            let found = region.cluster_parameters.get_mut(&name).map(|group| &mut group.tags);
            found.ok_or_else(|| group("DBClusterParameterGroup"))
        }
        "pg" => {
            let found = region.instance_parameters.get_mut(&name).map(|group| &mut group.tags);
            found.ok_or_else(|| group("DBParameterGroup"))
        }
        _ => Err(RdsFault::InvalidValue(format!("Invalid resource name: {arn}"))),
    }
}

/// AddTagsToResource.
pub(crate) async fn add(rds: Arc<Rds>, call: &Call, input: Add) -> Result<Nothing, RdsFault> {
    rds.change(&call.scope, |region| {
        tags_of(region, &input.resource_name)?.extend(check::tags(input.tags));
        Ok(Nothing {})
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Remove {
    resource_name: String,
    tag_keys: Vec<String>,
}

/// RemoveTagsFromResource.
pub(crate) async fn remove(rds: Arc<Rds>, call: &Call, input: Remove) -> Result<Nothing, RdsFault> {
    rds.change(&call.scope, |region| {
        tags_of(region, &input.resource_name)?.retain(|key, _| !input.tag_keys.contains(key));
        Ok(Nothing {})
    })
    .await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct List {
    resource_name: String,
    #[serde(default, rename = "Filters")]
    _filters: Vec<Filter>,
}

/// ListTagsForResource.
pub(crate) async fn list(rds: Arc<Rds>, call: &Call, input: List) -> Result<Value, RdsFault> {
    let mut region = rds.region(&call.scope);
    Ok(json!({"TagList": tag_list(tags_of(&mut region, &input.resource_name)?)}))
}
