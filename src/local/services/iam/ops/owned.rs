//! What users, groups and roles own alike: inline policies, attached policies, permissions boundaries.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::document::{self, Use};
use super::super::faults::IamFault;
use super::super::page::Paging;
use super::super::state::{Account, Cx, Kind, Owner, encoded};

const MOST_ATTACHED: usize = 10;

/// Refuses the deletion of an owner that still has policies.
pub(super) fn check_empty(owner: &Owner) -> Result<(), IamFault> {
    if !owner.attached.is_empty() {
        return Err(IamFault::DeleteConflict("Cannot delete entity, must detach all policies first."));
    }
    if !owner.inline.is_empty() {
        return Err(IamFault::DeleteConflict("Cannot delete entity, must delete policies first."));
    }
    Ok(())
}

/// How long the inline policies of one owner may be together, without white space.
const fn longest_inline(kind: Kind) -> usize {
    match kind {
        Kind::Role => 10_240,
        Kind::User => 2_048,
        Kind::Group => 5_120,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct PutPolicy {
    #[serde(alias = "RoleName", alias = "UserName", alias = "GroupName")]
    owner: String,
    policy_name: String,
    policy_document: String,
}

pub(in super::super) fn put_policy(account: &mut Account, cx: &Cx<'_>, input: PutPolicy) -> Result<Value, IamFault> {
    let kind = cx.kind();
    let owner = account.owner_mut(kind, &input.owner)?;
    document::check(&input.policy_document, Use::Identity)?;
    owner.inline.insert(input.policy_name, input.policy_document);
    let length: usize =
        owner.inline.values().map(|text| text.chars().filter(|letter| !letter.is_whitespace()).count()).sum();
    let longest = longest_inline(kind);
    if length > longest {
        return Err(IamFault::LimitExceeded(format!(
            "Maximum policy size of {longest} bytes exceeded for {kind} {}",
            input.owner
        )));
    }
    Ok(Value::Null)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct OnePolicy {
    #[serde(alias = "RoleName", alias = "UserName", alias = "GroupName")]
    owner: String,
    policy_name: String,
}

fn no_inline(kind: Kind, name: &str) -> IamFault {
    IamFault::no(format!("{kind} policy"), name)
}

pub(in super::super) fn get_policy(account: &Account, cx: &Cx<'_>, input: OnePolicy) -> Result<Value, IamFault> {
    let kind = cx.kind();
    let document = account.owner(kind, &input.owner)?.inline.get(&input.policy_name);
    let document = document.ok_or_else(|| no_inline(kind, &input.policy_name))?;
    let name = match kind {
        Kind::Role => "RoleName",
        Kind::User => "UserName",
        Kind::Group => "GroupName",
    };
    Ok(json!({name: input.owner, "PolicyName": input.policy_name, "PolicyDocument": encoded(document)}))
}

pub(in super::super) fn delete_policy(account: &mut Account, cx: &Cx<'_>, input: OnePolicy) -> Result<Value, IamFault> {
    let kind = cx.kind();
    let gone = account.owner_mut(kind, &input.owner)?.inline.remove(&input.policy_name);
    gone.map(|_| Value::Null).ok_or_else(|| no_inline(kind, &input.policy_name))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in super::super) struct ListOwned {
    #[serde(alias = "RoleName", alias = "UserName", alias = "GroupName")]
    owner: String,
    path_prefix: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

pub(in super::super) fn list_policies(account: &Account, cx: &Cx<'_>, input: ListOwned) -> Result<Value, IamFault> {
    let owner = account.owner(cx.kind(), &input.owner)?;
    let names = owner.inline.keys().map(|name| Value::from(name.as_str()));
    input.paging.page("PolicyNames", names.collect()).map(Value::Object)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Attachment {
    #[serde(alias = "RoleName", alias = "UserName", alias = "GroupName")]
    owner: String,
    policy_arn: String,
}

pub(in super::super) fn attach(account: &mut Account, cx: &Cx<'_>, input: Attachment) -> Result<Value, IamFault> {
    let kind = cx.kind();
    account.owner(kind, &input.owner)?;
    if account.policy(&input.policy_arn).is_err() {
        return Err(IamFault::NoSuchEntity(format!(
            "Policy {} does not exist or is not attachable.",
            input.policy_arn
        )));
    }
    let owner = account.owner_mut(kind, &input.owner)?;
    owner.attached.insert(input.policy_arn);
    match owner.attached.len() {
        count if count > MOST_ATTACHED => {
            let quota = match kind {
                Kind::Role => "PoliciesPerRole",
                Kind::User => "PoliciesPerUser",
                Kind::Group => "PoliciesPerGroup",
            };
            Err(IamFault::LimitExceeded(format!("Cannot exceed quota for {quota}: {MOST_ATTACHED}")))
        }
        _ => Ok(Value::Null),
    }
}

pub(in super::super) fn detach(account: &mut Account, cx: &Cx<'_>, input: Attachment) -> Result<Value, IamFault> {
    let owner = account.owner_mut(cx.kind(), &input.owner)?;
    if owner.attached.remove(&input.policy_arn) { Ok(Value::Null) } else { Err(IamFault::no_policy(&input.policy_arn)) }
}

pub(in super::super) fn list_attached(account: &Account, cx: &Cx<'_>, input: ListOwned) -> Result<Value, IamFault> {
    let owner = account.owner(cx.kind(), &input.owner)?;
    let policies = owner.attached.iter().filter_map(|arn| account.policy(arn).ok());
    let below = |path: &str| input.path_prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix.as_str()));
    let policies = policies.filter(|policy| below(&policy.path));
    let policies = policies.map(|policy| json!({"PolicyName": policy.name, "PolicyArn": policy.arn}));
    input.paging.page("AttachedPolicies", policies.collect()).map(Value::Object)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Boundary {
    #[serde(alias = "RoleName", alias = "UserName")]
    owner: String,
    permissions_boundary: Option<String>,
}

pub(in super::super) fn put_boundary(account: &mut Account, cx: &Cx<'_>, input: Boundary) -> Result<Value, IamFault> {
    if let Some(arn) = &input.permissions_boundary {
        account.policy(arn)?;
    }
    account.owner_mut(cx.kind(), &input.owner)?.boundary = input.permissions_boundary;
    Ok(Value::Null)
}

pub(in super::super) fn delete_boundary(
    account: &mut Account,
    cx: &Cx<'_>,
    input: Boundary,
) -> Result<Value, IamFault> {
    let kind = cx.kind();
    let gone = account.owner_mut(kind, &input.owner)?.boundary.take();
    gone.map(|_| Value::Null).ok_or_else(|| IamFault::no(format!("permissions boundary of the {kind}"), &input.owner))
}
