//! The operations, by what they touch.

pub(super) mod policy;
pub(super) mod secrets;
pub(super) mod tags;
pub(super) mod values;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::scope::{CLOUDFORMATION, Caller};

use super::faults::SecretFault;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Named {
    secret_id: String,
}

/// The AWS service that calls for itself: `rds` of `rds.amazonaws.com`. CloudFormation calls for the owner of a stack.
fn service_of(call: &Call) -> Option<&str> {
    match &call.scope.caller {
        Caller::Service { principal } if principal != CLOUDFORMATION => principal.split('.').next(),
        _ => None,
    }
}

/// Adds tags; at most 50, and `aws:` is for AWS's services and CloudFormation.
fn add_tags(held: &mut BTreeMap<String, String>, tags: Vec<Tag>, by_service: bool) -> Result<(), SecretFault> {
    for tag in tags {
        let reserved = tag.key.starts_with("aws:") && !tag.key.starts_with("aws:cloudformation:");
        if tag.key.is_empty() || tag.key.chars().count() > 128 || tag.value.chars().count() > 256 {
            return Err(SecretFault::InvalidParameter(
                "Tag keys have 1 to 128 characters, tag values at most 256.".into(),
            ));
        }
        if reserved && !by_service {
            return Err(SecretFault::InvalidParameter(
                "Tag keys can't start with aws: because that prefix is reserved for AWS use.".into(),
            ));
        }
        held.insert(tag.key, tag.value);
    }
    if held.keys().filter(|key| !key.starts_with("aws:")).count() > 50 {
        return Err(SecretFault::InvalidParameter("A secret can have at most 50 tags.".into()));
    }
    Ok(())
}

fn shown_tags(held: &BTreeMap<String, String>) -> Vec<Tag> {
    held.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}

/// One page of a list: a token is the place where the next page starts.
fn page<T>(all: Vec<T>, most: Option<usize>, token: Option<&str>) -> Result<(Vec<T>, Option<String>), SecretFault> {
    let from: usize = token.map_or(Ok(0), str::parse).map_err(|_| SecretFault::InvalidNextToken)?;
    let most = most.unwrap_or(100);
    if !(1..=100).contains(&most) {
        return Err(SecretFault::InvalidParameter("MaxResults must be between 1 and 100.".into()));
    }
    let next = (all.len() > from + most).then(|| (from + most).to_string());
    Ok((all.into_iter().skip(from).take(most).collect(), next))
}
