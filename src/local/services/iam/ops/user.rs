//! Users and their access keys.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::faults::IamFault;
use super::super::page::Paging;
use super::super::state::{AccessKey, Account, Cx, Kind, User, is_taken, with_tags};
use super::tags::{self, Tag};
use super::{ByPath, owned, role};
use crate::credentials::Secret;
use crate::scope::Caller;

const MOST_KEYS: usize = 2;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateUser {
    user_name: String,
    path: Option<String>,
    permissions_boundary: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(in super::super) fn create(account: &mut Account, cx: &Cx<'_>, input: CreateUser) -> Result<Value, IamFault> {
    let name = input.user_name;
    if is_taken(&account.users, &name) {
        return Err(IamFault::AlreadyExists(format!("User with name {name} already exists.")));
    }
    if let Some(arn) = &input.permissions_boundary {
        account.policy(arn)?;
    }
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let mut user = User {
        owner: role::owner(cx, ("user", "AIDA"), name.clone(), path),
        keys: Vec::new(),
        groups: BTreeSet::new(),
    };
    user.owner.boundary = input.permissions_boundary;
    tags::add(&mut user.owner.tags, input.tags, cx)?;
    let view = with_tags(user.view(), &user.owner.tags);
    account.users.insert(name, user);
    Ok(json!({"User": view}))
}

/// A user by name; without a name, the caller.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct MaybeName {
    user_name: Option<String>,
}

fn name_or_caller(name: Option<String>, cx: &Cx<'_>) -> Result<String, IamFault> {
    match (name, &cx.call.scope.caller) {
        (Some(name), _) => Ok(name),
        (None, Caller::User { name, .. }) => Ok(name.clone()),
        (None, _) => {
            Err(IamFault::InvalidInput("Must specify userName when calling with non-User credentials".to_owned()))
        }
    }
}

pub(in super::super) fn get(account: &Account, cx: &Cx<'_>, input: MaybeName) -> Result<Value, IamFault> {
    if let (None, Caller::Root) = (&input.user_name, &cx.call.scope.caller) {
        let id = &cx.call.scope.account;
        let arn = cx.call.scope.global_arn("iam", "root");
        return Ok(json!({"User": {"Path": "/", "UserName": "root", "UserId": id, "Arn": arn, "CreateDate": 0}}));
    }
    let user = account.user(&name_or_caller(input.user_name, cx)?)?;
    Ok(json!({"User": with_tags(user.view(), &user.owner.tags)}))
}

pub(in super::super) fn list(account: &Account, _: &Cx<'_>, input: ByPath) -> Result<Value, IamFault> {
    let users = account.users.values().filter(|user| input.has(&user.owner.path));
    input.paging.page("Users", users.map(User::view).collect()).map(Value::Object)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct UpdateUser {
    user_name: String,
    new_path: Option<String>,
    new_user_name: Option<String>,
}

pub(in super::super) fn update(account: &mut Account, cx: &Cx<'_>, input: UpdateUser) -> Result<Value, IamFault> {
    let user = account.user(&input.user_name)?;
    let name = input.new_user_name.unwrap_or_else(|| input.user_name.clone());
    if !name.eq_ignore_ascii_case(&input.user_name) && is_taken(&account.users, &name) {
        return Err(IamFault::AlreadyExists(format!("User with name {name} already exists.")));
    }
    let mut user = user.clone();
    user.owner.path = input.new_path.unwrap_or(user.owner.path);
    user.owner.arn = cx.arn("user", &user.owner.path, &name);
    user.owner.name.clone_from(&name);
    account.users.remove(&input.user_name);
    account.users.insert(name, user);
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ByName {
    user_name: String,
}

pub(in super::super) fn delete(account: &mut Account, _: &Cx<'_>, input: ByName) -> Result<Value, IamFault> {
    let user = account.user(&input.user_name)?;
    if !user.keys.is_empty() {
        return Err(IamFault::DeleteConflict("Cannot delete entity, must delete access keys first."));
    }
    if !user.groups.is_empty() {
        return Err(IamFault::DeleteConflict("Cannot delete entity, must remove users from group first."));
    }
    owned::check_empty(account.owner(Kind::User, &input.user_name)?)?;
    account.users.remove(&input.user_name);
    Ok(Value::Null)
}

pub(in super::super) fn create_key(account: &mut Account, cx: &Cx<'_>, input: MaybeName) -> Result<Value, IamFault> {
    let name = name_or_caller(input.user_name, cx)?;
    let user = account.user_mut(&name)?;
    if user.keys.len() >= MOST_KEYS {
        return Err(IamFault::LimitExceeded(format!("Cannot exceed quota for AccessKeysPerUser: {MOST_KEYS}")));
    }
    let mut secret = [0u8; 30];
    rand::rng().fill(&mut secret);
    let key = AccessKey {
        id: format!("AKIA{}", cx.ids.upper(16)),
        secret: Secret::new(STANDARD.encode(secret)),
        active: true,
        created: role::whole_seconds(cx),
    };
    let mut view = view_key(&name, &key);
    view["SecretAccessKey"] = Value::from(key.secret.expose());
    user.keys.push(key);
    Ok(json!({"AccessKey": view}))
}

fn view_key(user: &str, key: &AccessKey) -> Value {
    let status = if key.active { "Active" } else { "Inactive" };
    json!({"UserName": user, "AccessKeyId": key.id, "Status": status, "CreateDate": key.created})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct ListKeys {
    user_name: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

pub(in super::super) fn list_keys(account: &Account, cx: &Cx<'_>, input: ListKeys) -> Result<Value, IamFault> {
    let name = name_or_caller(input.user_name, cx)?;
    let keys = account.user(&name)?.keys.iter().map(|key| view_key(&name, key));
    input.paging.page("AccessKeyMetadata", keys.collect()).map(Value::Object)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct OneKey {
    user_name: Option<String>,
    access_key_id: String,
    status: Option<String>,
}

fn no_key(id: &str) -> IamFault {
    IamFault::NoSuchEntity(format!("The Access Key with id {id} cannot be found."))
}

pub(in super::super) fn update_key(account: &mut Account, cx: &Cx<'_>, input: OneKey) -> Result<Value, IamFault> {
    let user = account.user_mut(&name_or_caller(input.user_name, cx)?)?;
    let key = user.keys.iter_mut().find(|key| key.id == input.access_key_id);
    let key = key.ok_or_else(|| no_key(&input.access_key_id))?;
    key.active = match input.status.as_deref() {
        Some("Active") => true,
        Some("Inactive") => false,
        _ => return Err(IamFault::Unsupported("UpdateAccessKey with the status Expired".to_owned())),
    };
    Ok(Value::Null)
}

pub(in super::super) fn delete_key(account: &mut Account, cx: &Cx<'_>, input: OneKey) -> Result<Value, IamFault> {
    let user = account.user_mut(&name_or_caller(input.user_name, cx)?)?;
    let before = user.keys.len();
    user.keys.retain(|key| key.id != input.access_key_id);
    if user.keys.len() == before { Err(no_key(&input.access_key_id)) } else { Ok(Value::Null) }
}
