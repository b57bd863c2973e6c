//! Managed policies and their versions.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::aws_managed;
use super::super::document::{self, Use};
use super::super::faults::IamFault;
use super::super::page::Paging;
use super::super::state::{Account, Cx, Owner, Policy, Version, encoded, with_tags};
use super::role;
use super::tags::{self, Tag};

/// The longest document, without white space.
const LONGEST: usize = 6_144;
const MOST_VERSIONS: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreatePolicy {
    policy_name: String,
    policy_document: String,
    path: Option<String>,
    description: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

fn check(text: &str) -> Result<(), IamFault> {
    document::check(text, Use::Identity)?;
    match text.chars().filter(|letter| !letter.is_whitespace()).count() {
        length if length > LONGEST => {
            Err(IamFault::LimitExceeded(format!("Cannot exceed quota for PolicySize: {LONGEST}")))
        }
        _ => Ok(()),
    }
}

pub(in super::super) fn create(account: &mut Account, cx: &Cx<'_>, input: CreatePolicy) -> Result<Value, IamFault> {
    let name = input.policy_name;
    if account.policies.values().any(|policy| policy.name.eq_ignore_ascii_case(&name)) {
        return Err(IamFault::AlreadyExists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    check(&input.policy_document)?;
    let path = input.path.unwrap_or_else(|| "/".to_owned());
    let created = role::whole_seconds(cx);
    let mut policy = Policy {
        arn: cx.arn("policy", &path, &name),
        id: format!("ANPA{}", cx.ids.upper(17)),
        description: input.description,
        versions: BTreeMap::from([(1, Version { document: input.policy_document, created })]),
        default: 1,
        latest: 1,
        tags: BTreeMap::new(),
        created,
        updated: created,
        name,
        path,
    };
    tags::add(&mut policy.tags, input.tags, cx)?;
    let view = with_tags(policy.view(account), &policy.tags);
    account.policies.insert(policy.arn.clone(), policy);
    Ok(json!({"Policy": view}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ByArn {
    policy_arn: String,
}

pub(in super::super) fn get(account: &Account, _: &Cx<'_>, input: ByArn) -> Result<Value, IamFault> {
    let policy = account.policy(&input.policy_arn)?;
    let mut view = with_tags(policy.view(account), &policy.tags);
    view["Description"] = json!(policy.description);
    Ok(json!({"Policy": view}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct List {
    scope: Option<String>,
    #[serde(default)]
    only_attached: bool,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

pub(in super::super) fn list(account: &Account, _: &Cx<'_>, input: List) -> Result<Value, IamFault> {
    let scope = input.scope.as_deref().unwrap_or("All");
    let aws = aws_managed::all().filter(|_| scope != "Local");
    let own = account.policies.values().filter(|_| scope != "AWS");
    let usage = input.policy_usage_filter.as_deref();
    let wanted = |policy: &&Policy| {
        let below = input.path_prefix.as_ref().is_none_or(|prefix| policy.path.starts_with(prefix.as_str()));
        let attached = account.attachments(&policy.arn) > 0;
        let used = match usage {
            Some("PermissionsBoundary") => account.boundaries(&policy.arn) > 0,
            Some(_) => attached,
            None => true,
        };
        below && used && (attached || !input.only_attached)
    };
    let own = own.filter(wanted).map(|policy| policy.view(account));
    let aws = aws.filter(wanted).map(|policy| policy.view(account));
    input.paging.page("Policies", own.chain(aws).collect()).map(Value::Object)
}

pub(in super::super) fn delete(account: &mut Account, _: &Cx<'_>, input: ByArn) -> Result<Value, IamFault> {
    let (attachments, boundaries) = (account.attachments(&input.policy_arn), account.boundaries(&input.policy_arn));
    let policy = account.policy_mut(&input.policy_arn)?;
    if attachments + boundaries > 0 {
        return Err(IamFault::DeleteConflict("Cannot delete a policy attached to entities."));
    }
    if policy.versions.len() > 1 {
        return Err(IamFault::DeleteConflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. \
             The default version is deleted with the policy.",
        ));
    }
    account.policies.remove(&input.policy_arn);
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateVersion {
    policy_arn: String,
    policy_document: String,
    #[serde(default)]
    set_as_default: bool,
}

pub(in super::super) fn create_version(
    account: &mut Account,
    cx: &Cx<'_>,
    input: CreateVersion,
) -> Result<Value, IamFault> {
    let policy = account.policy_mut(&input.policy_arn)?;
    check(&input.policy_document)?;
    if policy.versions.len() >= MOST_VERSIONS {
        return Err(IamFault::LimitExceeded(format!(
            "A managed policy can have up to {MOST_VERSIONS} versions. Before you create a new version, you must delete an existing version."
        )));
    }
    let created = role::whole_seconds(cx);
    policy.latest += 1;
    policy.updated = created;
    policy.versions.insert(policy.latest, Version { document: input.policy_document, created });
    if input.set_as_default {
        policy.default = policy.latest;
    }
    Ok(json!({"PolicyVersion": view_version(policy, policy.latest)}))
}

/// Without the document: `CreatePolicyVersion` and `ListPolicyVersions` do not show it.
fn view_version(policy: &Policy, number: u32) -> Value {
    let created = policy.versions.get(&number).map(|version| version.created);
    json!({"VersionId": format!("v{number}"), "IsDefaultVersion": number == policy.default, "CreateDate": created})
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct OneVersion {
    policy_arn: String,
    version_id: String,
}

fn number(input: &OneVersion, policy: &Policy) -> Result<u32, IamFault> {
    let number = input.version_id.strip_prefix('v').and_then(|number| number.parse().ok());
    let found = number.filter(|number| policy.versions.contains_key(number));
    found.ok_or_else(|| {
        IamFault::NoSuchEntity(format!(
            "Policy {} version {} does not exist or is not attachable.",
            input.policy_arn, input.version_id
        ))
    })
}

pub(in super::super) fn get_version(account: &Account, _: &Cx<'_>, input: OneVersion) -> Result<Value, IamFault> {
    let policy = account.policy(&input.policy_arn)?;
    let number = number(&input, policy)?;
    let mut view = view_version(policy, number);
    view["Document"] = json!(policy.versions.get(&number).map(|version| encoded(&version.document)));
    Ok(json!({"PolicyVersion": view}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct ListOf {
    policy_arn: String,
    #[serde(flatten)]
    paging: Paging,
}

pub(in super::super) fn list_versions(account: &Account, _: &Cx<'_>, input: ListOf) -> Result<Value, IamFault> {
    let policy = account.policy(&input.policy_arn)?;
    let versions = policy.versions.keys().rev().map(|number| view_version(policy, *number));
    input.paging.page("Versions", versions.collect()).map(Value::Object)
}

pub(in super::super) fn delete_version(
    account: &mut Account,
    _: &Cx<'_>,
    input: OneVersion,
) -> Result<Value, IamFault> {
    let policy = account.policy_mut(&input.policy_arn)?;
    let number = number(&input, policy)?;
    if number == policy.default {
        return Err(IamFault::DeleteConflict("Cannot delete the default version of a policy."));
    }
    policy.versions.remove(&number);
    Ok(Value::Null)
}

pub(in super::super) fn set_default_version(
    account: &mut Account,
    cx: &Cx<'_>,
    input: OneVersion,
) -> Result<Value, IamFault> {
    let policy = account.policy_mut(&input.policy_arn)?;
    policy.default = number(&input, policy)?;
    policy.updated = role::whole_seconds(cx);
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Entities {
    policy_arn: String,
    entity_filter: Option<String>,
    marker: Option<String>,
    #[expect(dead_code, reason = "all are told at once: an account holds few")]
    max_items: Option<usize>,
}

pub(in super::super) fn entities(account: &Account, _: &Cx<'_>, input: Entities) -> Result<Value, IamFault> {
    account.policy(&input.policy_arn)?;
    if input.marker.is_some() {
        return Err(IamFault::InvalidInput("Invalid Marker.".to_owned()));
    }
    let of = |kind: &str, owners: Vec<&Owner>| -> Vec<Value> {
        if input.entity_filter.as_deref().is_some_and(|wanted| wanted != kind) {
            return Vec::new();
        }
        let holders = owners.into_iter().filter(|owner| owner.attached.contains(&input.policy_arn));
        holders.map(|owner| json!({format!("{kind}Name"): owner.name, format!("{kind}Id"): owner.id})).collect()
    };
    Ok(json!({
        "PolicyRoles": of("Role", account.roles.values().map(|role| &role.owner).collect()),
        "PolicyUsers": of("User", account.users.values().map(|user| &user.owner).collect()),
        "PolicyGroups": of("Group", account.groups.values().collect()),
        "IsTruncated": false,
    }))
}
