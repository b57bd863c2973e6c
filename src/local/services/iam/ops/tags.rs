//! Tags of roles, users, policies and instance profiles.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::faults::IamFault;
use super::super::page::Paging;
use super::super::state::{Account, Cx, Tags, tag_list};

/// More than this on one resource is refused.
const MOST: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Tag {
    key: String,
    value: String,
}

/// Adds `new` to `tags`. Keys that begin with `aws:` are CloudFormation's.
pub(super) fn add(tags: &mut Tags, new: Vec<Tag>, cx: &Cx<'_>) -> Result<(), IamFault> {
    let mut seen: Vec<String> = Vec::new();
    for Tag { key, value } in new {
        if key.to_ascii_lowercase().starts_with("aws:") && !cx.may_set_aws_tags() {
            return Err(IamFault::InvalidInput("Tag keys beginning with aws: are reserved.".to_owned()));
        }
        if seen.iter().any(|other| other.eq_ignore_ascii_case(&key)) {
            return Err(IamFault::InvalidInput(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.".to_owned(),
            ));
        }
        seen.push(key.clone());
        tags.insert(key, value);
    }
    match tags.keys().filter(|key| !key.starts_with("aws:")).count() {
        count if count > MOST => {
            Err(IamFault::LimitExceeded(format!("The number of tags has reached the maximum limit of {MOST}.")))
        }
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Named {
    #[serde(alias = "RoleName", alias = "UserName", alias = "InstanceProfileName", alias = "PolicyArn")]
    name: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    tag_keys: Vec<String>,
    marker: Option<String>,
    max_items: Option<usize>,
}

fn of<'a>(account: &'a mut Account, cx: &Cx<'_>, name: &str) -> Result<&'a mut Tags, IamFault> {
    match &cx.call.operation {
        operation if operation.contains("Role") => account.role_mut(name).map(|role| &mut role.owner.tags),
        operation if operation.contains("User") => account.user_mut(name).map(|user| &mut user.owner.tags),
        operation if operation.contains("Policy") => account.policy_mut(name).map(|policy| &mut policy.tags),
        _ => account.profile_mut(name).map(|profile| &mut profile.tags),
    }
}

pub(in super::super) fn tag(account: &mut Account, cx: &Cx<'_>, input: Named) -> Result<Value, IamFault> {
    add(of(account, cx, &input.name)?, input.tags, cx)?;
    Ok(Value::Null)
}

pub(in super::super) fn untag(account: &mut Account, cx: &Cx<'_>, input: Named) -> Result<Value, IamFault> {
    let tags = of(account, cx, &input.name)?;
    tags.retain(|key, _| !input.tag_keys.contains(key));
    Ok(Value::Null)
}

pub(in super::super) fn list(account: &Account, cx: &Cx<'_>, input: Named) -> Result<Value, IamFault> {
    let tags = match &cx.call.operation {
        operation if operation.contains("Role") => &account.role(&input.name)?.owner.tags,
        operation if operation.contains("User") => &account.user(&input.name)?.owner.tags,
        operation if operation.contains("Policy") => &account.policy(&input.name)?.tags,
        _ => &account.profile(&input.name)?.tags,
    };
    let paging: Paging =
        serde_json::from_value(json!({"Marker": input.marker, "MaxItems": input.max_items})).unwrap_or_default();
    let items = tag_list(tags).as_array().cloned().unwrap_or_default();
    paging.page("Tags", items).map(Value::Object)
}
