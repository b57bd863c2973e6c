//! Groups and who is in them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::faults::IamFault;
use super::super::page::Paging;
use super::super::state::{Account, Cx, Kind, Owner, User, is_taken};
use super::{ByPath, owned, role};

const MOST_GROUPS: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateGroup {
    group_name: String,
    path: Option<String>,
}

fn view(group: &Owner) -> Value {
    json!({"Path": group.path, "GroupName": group.name, "GroupId": group.id, "Arn": group.arn, "CreateDate": group.created})
}

fn taken(name: &str) -> IamFault {
    IamFault::AlreadyExists(format!("Group with name {name} already exists."))
}

pub(in super::super) fn create(account: &mut Account, cx: &Cx<'_>, input: CreateGroup) -> Result<Value, IamFault> {
    let name = input.group_name;
    if is_taken(&account.groups, &name) {
        return Err(taken(&name));
    }
    let group = role::owner(cx, ("group", "AGPA"), name.clone(), input.path.unwrap_or_else(|| "/".to_owned()));
    let view = view(&group);
    account.groups.insert(name, group);
    Ok(json!({"Group": view}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct GetGroup {
    group_name: String,
    #[serde(flatten)]
    paging: Paging,
}

pub(in super::super) fn get(account: &Account, _: &Cx<'_>, input: GetGroup) -> Result<Value, IamFault> {
    let group = account.group(&input.group_name)?;
    let members = account.users.values().filter(|user| user.groups.contains(&input.group_name));
    let mut answer = input.paging.page("Users", members.map(User::view).collect())?;
    answer.insert("Group".to_owned(), view(group));
    Ok(Value::Object(answer))
}

pub(in super::super) fn list(account: &Account, _: &Cx<'_>, input: ByPath) -> Result<Value, IamFault> {
    let groups = account.groups.values().filter(|group| input.has(&group.path));
    input.paging.page("Groups", groups.map(view).collect()).map(Value::Object)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct UpdateGroup {
    group_name: String,
    new_path: Option<String>,
    new_group_name: Option<String>,
}

pub(in super::super) fn update(account: &mut Account, cx: &Cx<'_>, input: UpdateGroup) -> Result<Value, IamFault> {
    let mut group = account.group(&input.group_name)?.clone();
    let name = input.new_group_name.unwrap_or_else(|| input.group_name.clone());
    if !name.eq_ignore_ascii_case(&input.group_name) && is_taken(&account.groups, &name) {
        return Err(taken(&name));
    }
    group.path = input.new_path.unwrap_or(group.path);
    group.arn = cx.arn("group", &group.path, &name);
    group.name.clone_from(&name);
    account.groups.remove(&input.group_name);
    for user in account.users.values_mut() {
        if user.groups.remove(&input.group_name) {
            user.groups.insert(name.clone());
        }
    }
    account.groups.insert(name, group);
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ByName {
    group_name: String,
}

pub(in super::super) fn delete(account: &mut Account, _: &Cx<'_>, input: ByName) -> Result<Value, IamFault> {
    let group = account.owner(Kind::Group, &input.group_name)?;
    if account.users.values().any(|user| user.groups.contains(&input.group_name)) {
        return Err(IamFault::DeleteConflict("Cannot delete entity, must remove users from group first."));
    }
    owned::check_empty(group)?;
    account.groups.remove(&input.group_name);
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Membership {
    group_name: String,
    user_name: String,
}

pub(in super::super) fn add_user(account: &mut Account, _: &Cx<'_>, input: Membership) -> Result<Value, IamFault> {
    account.group(&input.group_name)?;
    let user = account.user_mut(&input.user_name)?;
    user.groups.insert(input.group_name);
    match user.groups.len() {
        count if count > MOST_GROUPS => {
            Err(IamFault::LimitExceeded(format!("Cannot exceed quota for GroupsPerUser: {MOST_GROUPS}")))
        }
        _ => Ok(Value::Null),
    }
}

pub(in super::super) fn remove_user(account: &mut Account, _: &Cx<'_>, input: Membership) -> Result<Value, IamFault> {
    account.group(&input.group_name)?;
    match account.user_mut(&input.user_name)?.groups.remove(&input.group_name) {
        true => Ok(Value::Null),
        false => Err(IamFault::NoSuchEntity(format!("User {} not in group {}", input.user_name, input.group_name))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct OfUser {
    user_name: String,
    #[serde(flatten)]
    paging: Paging,
}

pub(in super::super) fn of_user(account: &Account, _: &Cx<'_>, input: OfUser) -> Result<Value, IamFault> {
    let groups = account.user(&input.user_name)?.groups.iter().filter_map(|name| account.groups.get(name));
    input.paging.page("Groups", groups.map(view).collect()).map(Value::Object)
}
