//! Instance profiles: the sleeve around a role that EC2 asks for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::faults::IamFault;
use super::super::page::Paging;
use super::super::state::{Account, Cx, Profile, is_taken};
use super::tags::{self, Tag};
use super::{ByPath, role};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateProfile {
    instance_profile_name: String,
    path: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(in super::super) fn create(account: &mut Account, cx: &Cx<'_>, input: CreateProfile) -> Result<Value, IamFault> {
    let name = input.instance_profile_name;
    if is_taken(&account.profiles, &name) {
        return Err(IamFault::AlreadyExists(format!("Instance Profile {name} already exists.")));
    }
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let mut profile = Profile {
        arn: cx.arn("instance-profile", &path, &name),
        id: format!("AIPA{}", cx.ids.upper(17)),
        created: role::whole_seconds(cx),
        role: None,
        tags: BTreeMap::new(),
        name: name.clone(),
        path,
    };
    tags::add(&mut profile.tags, input.tags, cx)?;
    let view = profile.view(account);
    account.profiles.insert(name, profile);
    Ok(json!({"InstanceProfile": view}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ByName {
    instance_profile_name: String,
}

pub(in super::super) fn get(account: &Account, _: &Cx<'_>, input: ByName) -> Result<Value, IamFault> {
    Ok(json!({"InstanceProfile": account.profile(&input.instance_profile_name)?.view(account)}))
}

pub(in super::super) fn list(account: &Account, _: &Cx<'_>, input: ByPath) -> Result<Value, IamFault> {
    let profiles = account.profiles.values().filter(|profile| input.has(&profile.path));
    input.paging.page("InstanceProfiles", profiles.map(|profile| profile.view(account)).collect()).map(Value::Object)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct OfRole {
    role_name: String,
    #[serde(flatten)]
    paging: Paging,
}

pub(in super::super) fn of_role(account: &Account, _: &Cx<'_>, input: OfRole) -> Result<Value, IamFault> {
    account.role(&input.role_name)?;
    let profiles = account.profiles.values().filter(|profile| profile.role.as_ref() == Some(&input.role_name));
    input.paging.page("InstanceProfiles", profiles.map(|profile| profile.view(account)).collect()).map(Value::Object)
}

pub(in super::super) fn delete(account: &mut Account, _: &Cx<'_>, input: ByName) -> Result<Value, IamFault> {
    if account.profile(&input.instance_profile_name)?.role.is_some() {
        return Err(IamFault::DeleteConflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    account.profiles.remove(&input.instance_profile_name);
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct RoleIn {
    instance_profile_name: String,
    role_name: String,
}

pub(in super::super) fn add_role(account: &mut Account, _: &Cx<'_>, input: RoleIn) -> Result<Value, IamFault> {
    account.role(&input.role_name)?;
    let profile = account.profile_mut(&input.instance_profile_name)?;
    if profile.role.is_some() {
        return Err(IamFault::LimitExceeded(
            "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1".to_owned(),
        ));
    }
    profile.role = Some(input.role_name);
    Ok(Value::Null)
}

pub(in super::super) fn remove_role(account: &mut Account, _: &Cx<'_>, input: RoleIn) -> Result<Value, IamFault> {
    let profile = account.profile_mut(&input.instance_profile_name)?;
    if profile.role.as_ref() != Some(&input.role_name) {
        return Err(IamFault::no("role", &input.role_name));
    }
    profile.role = None;
    Ok(Value::Null)
}
