//! Roles, service-linked ones too.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::document::{self, Use};
use super::super::faults::IamFault;
use super::super::state::{Account, Cx, Kind, Owner, Role, is_taken};
use super::ByPath;
use super::owned;
use super::tags::{self, Tag};

/// The longest trust policy, without white space.
const LONGEST_TRUST: usize = 2048;
const HOUR: i64 = 3600;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateRole {
    role_name: String,
    assume_role_policy_document: String,
    path: Option<String>,
    description: Option<String>,
    max_session_duration: Option<i64>,
    permissions_boundary: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

pub(in super::super) fn create(account: &mut Account, cx: &Cx<'_>, input: CreateRole) -> Result<Value, IamFault> {
    let name = input.role_name;
    if is_taken(&account.roles, &name) {
        return Err(IamFault::AlreadyExists(format!("Role with name {name} already exists.")));
    }
    check_trust(&input.assume_role_policy_document)?;
    if let Some(arn) = &input.permissions_boundary {
        account.policy(arn)?;
    }
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    if path.starts_with("/aws-service-role/") {
        return Err(IamFault::InvalidInput(format!("The path {path} is reserved for service-linked roles.")));
    }
    let mut role = Role {
        owner: owner(cx, ("role", "AROA"), name.clone(), path),
        trust: input.assume_role_policy_document,
        description: input.description,
        longest_session: input.max_session_duration.unwrap_or(HOUR),
        linked_to: None,
    };
    role.owner.boundary = input.permissions_boundary;
    tags::add(&mut role.owner.tags, input.tags, cx)?;
    let view = role.full_view();
    account.roles.insert(name, role);
    Ok(json!({"Role": view}))
}

/// A fresh owner: `resource` and the prefix of its id say what it is.
pub(super) fn owner(cx: &Cx<'_>, (resource, prefix): (&str, &str), name: String, path: String) -> Owner {
    Owner {
        arn: cx.arn(resource, &path, &name),
        id: format!("{prefix}{}", cx.ids.upper(17)),
        created: whole_seconds(cx),
        inline: BTreeMap::new(),
        attached: BTreeSet::new(),
        boundary: None,
        tags: BTreeMap::new(),
        name,
        path,
    }
}

/// IAM tells whole seconds.
pub(super) fn whole_seconds(cx: &Cx<'_>) -> crate::clock::Timestamp {
    crate::clock::Timestamp::from_millis(cx.now.seconds() * 1000)
}

fn check_trust(text: &str) -> Result<(), IamFault> {
    document::check(text, Use::Trust)?;
    match text.chars().filter(|letter| !letter.is_whitespace()).count() {
        length if length > LONGEST_TRUST => {
            Err(IamFault::LimitExceeded(format!("Cannot exceed quota for ACLSizePerRole: {LONGEST_TRUST}")))
        }
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ByName {
    role_name: String,
}

pub(in super::super) fn get(account: &Account, _: &Cx<'_>, input: ByName) -> Result<Value, IamFault> {
    Ok(json!({"Role": account.role(&input.role_name)?.full_view()}))
}

pub(in super::super) fn list(account: &Account, _: &Cx<'_>, input: ByPath) -> Result<Value, IamFault> {
    let roles = account.roles.values().filter(|role| input.has(&role.owner.path));
    input.paging.page("Roles", roles.map(Role::view).collect()).map(Value::Object)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct UpdateRole {
    role_name: String,
    description: Option<String>,
    max_session_duration: Option<i64>,
}

pub(in super::super) fn update(account: &mut Account, _: &Cx<'_>, input: UpdateRole) -> Result<Value, IamFault> {
    let role = account.role_mut(&input.role_name)?;
    role.own()?;
    role.description = input.description.or(role.description.take());
    role.longest_session = input.max_session_duration.unwrap_or(role.longest_session);
    Ok(json!({}))
}

pub(in super::super) fn update_description(
    account: &mut Account,
    cx: &Cx<'_>,
    input: UpdateRole,
) -> Result<Value, IamFault> {
    let name = input.role_name.clone();
    update(account, cx, input)?;
    Ok(json!({"Role": account.role(&name)?.full_view()}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct UpdateTrust {
    role_name: String,
    policy_document: String,
}

pub(in super::super) fn update_trust(account: &mut Account, _: &Cx<'_>, input: UpdateTrust) -> Result<Value, IamFault> {
    let role = account.role_mut(&input.role_name)?;
    role.own()?;
    check_trust(&input.policy_document)?;
    role.trust = input.policy_document;
    Ok(Value::Null)
}

pub(in super::super) fn delete(account: &mut Account, _: &Cx<'_>, input: ByName) -> Result<Value, IamFault> {
    let role = account.role(&input.role_name)?;
    role.own()?;
    if account.profiles.values().any(|profile| profile.role.as_ref() == Some(&input.role_name)) {
        return Err(IamFault::DeleteConflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    owned::check_empty(account.owner(Kind::Role, &input.role_name)?)?;
    account.roles.remove(&input.role_name);
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ServiceLinked {
    #[serde(rename = "AWSServiceName")]
    service: String,
    description: Option<String>,
    custom_suffix: Option<String>,
}

/// The services whose linked roles are known here, by the name that the role carries.
const LINKED: [(&str, &str); 4] = [
    ("rds.amazonaws.com", "RDS"),
    ("elasticache.amazonaws.com", "ElastiCache"),
    ("ops.apigateway.amazonaws.com", "APIGateway"),
    ("autoscaling.amazonaws.com", "AutoScaling"),
];

pub(in super::super) fn create_service_linked(
    account: &mut Account,
    cx: &Cx<'_>,
    input: ServiceLinked,
) -> Result<Value, IamFault> {
    let Some((_, short)) = LINKED.iter().find(|(service, _)| *service == input.service) else {
        return Err(IamFault::Unsupported(format!("service-linked roles of {}", input.service)));
    };
    if input.custom_suffix.is_some() {
        return Err(IamFault::InvalidInput(format!("Custom suffix is not allowed for {}", input.service)));
    }
    let name = format!("AWSServiceRoleFor{short}");
    if is_taken(&account.roles, &name) {
        return Err(IamFault::InvalidInput(format!(
            "Service role name {name} has been taken in this account, please try a different suffix."
        )));
    }
    let path = format!("/aws-service-role/{}/", input.service);
    let statement = json!({"Effect": "Allow", "Principal": {"Service": input.service}, "Action": "sts:AssumeRole"});
    let role = Role {
        owner: owner(cx, ("role", "AROA"), name.clone(), path),
        trust: json!({"Version": "2012-10-17", "Statement": [statement]}).to_string(),
        description: input.description,
        longest_session: HOUR,
        linked_to: Some(input.service),
    };
    let view = role.full_view();
    account.roles.insert(name, role);
    Ok(json!({"Role": view}))
}

pub(in super::super) fn delete_service_linked(
    account: &mut Account,
    cx: &Cx<'_>,
    input: ByName,
) -> Result<Value, IamFault> {
    let role = account.role(&input.role_name)?;
    let Some(service) = &role.linked_to else {
        return Err(IamFault::InvalidInput(format!("The role {} is not a service-linked role.", input.role_name)));
    };
    let task = format!("task/aws-service-role/{service}/{}/{}", input.role_name, cx.ids.uuid());
    account.roles.remove(&input.role_name);
    Ok(json!({"DeletionTaskId": task}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DeletionTask {
    deletion_task_id: String,
}

/// A deletion is done when it is asked for; a task whose role is there again was another's.
pub(in super::super) fn deletion_status(account: &Account, _: &Cx<'_>, input: DeletionTask) -> Result<Value, IamFault> {
    let parts: Vec<&str> = input.deletion_task_id.split('/').collect();
    match parts[..] {
        ["task", "aws-service-role", _, name, _] if !account.roles.contains_key(name) => {
            Ok(json!({"Status": "SUCCEEDED"}))
        }
        _ => Err(IamFault::NoSuchEntity(format!("The deletion task {} cannot be found.", input.deletion_task_id))),
    }
}
