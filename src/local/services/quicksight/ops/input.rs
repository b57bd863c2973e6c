//! Members of requests. The codec has held their names and types to the model; here is what a call does not know.

use serde_json::{Map, Value};

use super::super::faults::AssetFault;
use super::super::state::Permission;
use crate::call::Call;
use crate::service::asks_for_nothing;

/// The call's members, none of which may be another than those `known`; its account is the caller's.
pub(super) fn members<'c>(call: &'c Call, known: &[&[&str]]) -> Result<&'c Map<String, Value>, AssetFault> {
    let missing = || AssetFault::Invalid("The request has no members.".to_owned());
    let members = call.input.as_object().ok_or_else(missing)?;
    for (name, value) in members {
        let is_known = name == "AwsAccountId" || known.iter().any(|names| names.contains(&name.as_str()));
        if !is_known && !asks_for_nothing(value) {
            return Err(AssetFault::Unsupported(format!("the parameter {name} of {}", call.operation)));
        }
    }
    match members.get("AwsAccountId").and_then(Value::as_str) {
        Some(account) if account != call.scope.account => Err(AssetFault::OtherAccount(account.to_owned())),
        _ => Ok(members),
    }
}

pub(super) fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<&'m str, AssetFault> {
    let text = members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| AssetFault::Invalid(format!("{name} is missing.")))
}

pub(super) fn number(members: &Map<String, Value>, name: &str) -> Option<i64> {
    members.get(name).and_then(Value::as_i64)
}

/// An id: letters, digits, `_` and `-`.
pub(super) fn id(members: &Map<String, Value>, name: &str) -> Result<String, AssetFault> {
    let id = text(members, name)?;
    if id.len() > 512 || !id.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return Err(AssetFault::Invalid(format!(
            "{name} {id} is not valid: letters, digits, underscores and hyphens."
        )));
    }
    Ok(id.to_owned())
}

pub(super) fn permissions(
    members: &Map<String, Value>,
    name: &str,
    account: &str,
) -> Result<Vec<Permission>, AssetFault> {
    let Some(given) = members.get(name) else { return Ok(Vec::new()) };
    let permissions: Vec<Permission> =
        serde_json::from_value(given.clone()).map_err(|error| AssetFault::Invalid(format!("{name}: {error}")))?;
    for Permission { principal, actions } in &permissions {
        if !is_principal(principal, account) {
            return Err(AssetFault::Invalid(format!(
                "Principal {principal} is not the ARN of a user, group or namespace of this account."
            )));
        }
        if let Some(action) = actions.iter().find(|action| !action.starts_with("quicksight:")) {
            return Err(AssetFault::Invalid(format!("{action} is not an action of QuickSight.")));
        }
    }
    Ok(permissions)
}

/// `arn:aws:quicksight:us-east-1:ACCOUNT:user/default/NAME`.
fn is_principal(text: &str, account: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, _, "quicksight", _, owner, what] = parts.as_slice() else { return false };
    let named =
        |what: &str| what.split_once('/').is_some_and(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
    *arn == "arn"
        && *owner == account
        && match what.split_once('/') {
            Some(("user" | "group", rest)) => named(rest),
            Some(("namespace", name)) => !name.is_empty(),
            _ => false,
        }
}
