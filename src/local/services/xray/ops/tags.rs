//! Tags of groups and sampling rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::scope::Scope;
use crate::services::xray::faults::XRayFault;
use crate::services::xray::state::{Settings, XRay, default_rule};

/// "50 tags per resource"; those of AWS itself do not count.
const MOST: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Tag {
    key: String,
    value: String,
}

/// Tags by key.
pub(super) fn tag_map(tags: &[Tag]) -> Result<BTreeMap<String, String>, XRayFault> {
    let map: BTreeMap<String, String> = tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    check(&map).map(|()| map)
}

fn check(tags: &BTreeMap<String, String>) -> Result<(), XRayFault> {
    match tags.keys().filter(|key| !key.starts_with("aws:")).count() > MOST {
        true => Err(XRayFault::TooManyTags),
        false => Ok(()),
    }
}

/// The tags of what the ARN names.
fn tags_of<'s>(
    settings: &'s mut Settings,
    scope: &Scope,
    arn: &str,
) -> Result<&'s mut BTreeMap<String, String>, XRayFault> {
    let default = default_rule(scope);
    if arn == default.rule.rule_arn {
        return Ok(&mut settings.rules.entry(default.rule.rule_name.clone()).or_insert(default).tags);
    }
    let groups = settings.groups.values_mut().map(|group| (&group.arn, &mut group.tags));
    let rules = settings.rules.values_mut().map(|record| (&record.rule.rule_arn, &mut record.tags));
    let found = groups.chain(rules).find(|(there, _)| *there == arn);
    found.map(|(_, tags)| tags).ok_or_else(|| XRayFault::NoResource(arn.to_owned()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagResource {
    #[serde(rename = "ResourceARN")]
    arn: String,
    #[serde(rename = "Tags")]
    tags: Vec<Tag>,
}

pub(crate) async fn tag(xray: Arc<XRay>, call: &Call, input: TagResource) -> Result<Value, XRayFault> {
    xray.change(&call.scope, |settings| {
        let tags = tags_of(settings, &call.scope, &input.arn)?;
        tags.extend(input.tags.into_iter().map(|tag| (tag.key, tag.value)));
        check(tags).map(|()| json!({}))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UntagResource {
    #[serde(rename = "ResourceARN")]
    arn: String,
    #[serde(rename = "TagKeys")]
    keys: Vec<String>,
}

pub(crate) async fn untag(xray: Arc<XRay>, call: &Call, input: UntagResource) -> Result<Value, XRayFault> {
    xray.change(&call.scope, |settings| {
        let tags = tags_of(settings, &call.scope, &input.arn)?;
        tags.retain(|key, _| !input.keys.contains(key));
        Ok(json!({}))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListTagsForResource {
    #[serde(rename = "ResourceARN")]
    arn: String,
    #[serde(rename = "NextToken")]
    _next_token: Option<String>,
}

pub(crate) async fn list(xray: Arc<XRay>, call: &Call, input: ListTagsForResource) -> Result<Value, XRayFault> {
    let mut settings = xray.settings.region(&call.scope);
    let tags = tags_of(&mut settings, &call.scope, &input.arn)?;
    Ok(json!({"Tags": tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Value>()}))
}
