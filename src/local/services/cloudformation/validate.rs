//! Promise: a template that cannot work is refused before anything is made, all its problems at once.

use crate::cloud::Cloud;
use crate::template::model::{DeletionPolicy, Resource};
use crate::template::problem::{Problem, nearest, sorted};
use crate::template::refs::{ReferenceKind, references};
use crate::template::schema::{self, Known};

use super::faults::CfnFault;
use super::templates::Parsed;

/// What pre-deployment validation calls its check of properties.
pub(super) const PROPERTY_VALIDATION: &str = "PROPERTY_VALIDATION";

/// Types: those that nobody has, and those that the local cloud lacks.
///
/// # Errors
/// AWS's own sentence for unknown types; a refusal by name for what exists on AWS only.
pub(super) fn types(cloud: &Cloud, parsed: &Parsed) -> Result<(), CfnFault> {
    let (mut unknown, mut missing) = (Vec::new(), Vec::new());
    for resource in parsed.template.resources.values() {
        if cloud.resource_type(&resource.kind).is_some() {
            continue;
        }
        match schema::known(&resource.kind) {
            Known::Unknown { near } => {
                let near = near.or_else(|| nearest(&resource.kind, cloud.resource_type_names()).map(str::to_owned));
                let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                unknown.push(format!("{}{near}", resource.kind));
            }
            Known::Table | Known::NameOnly | Known::Custom => missing.push(resource.kind.clone()),
        }
    }
    unknown.dedup();
    missing.sort();
    missing.dedup();
    if !unknown.is_empty() {
        return Err(CfnFault::validation(format_args!(
            "Template format error: Unrecognized resource types: [{}]",
            unknown.join(", ")
        )));
    }
    if !missing.is_empty() {
        let what = if missing.len() == 1 { "the resource type" } else { "the resource types" };
        return Err(CfnFault::validation(format_args!(
            "The local cloud does not support {what} {}.",
            missing.join(", ")
        )));
    }
    attributes(parsed)
}

/// `Fn::GetAtt` of attributes that the type does not have.
fn attributes(parsed: &Parsed) -> Result<(), CfnFault> {
    let mut problems = Vec::new();
    for reference in references(&parsed.template.document, "") {
        let ReferenceKind::Attribute(attribute) = &reference.kind else { continue };
        let Some(target) = parsed.template.resources.get(&reference.target) else { continue };
        let Some(known) = schema::attributes(&target.kind) else { continue };
        if attribute.is_empty()
            || schema::has_open_attributes(&target.kind, attribute)
            || known.iter().any(|name| name == attribute)
        {
            continue;
        }
        let near = nearest(attribute, known.iter().map(String::as_str));
        let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
        problems.push(format!(
            "resource {} does not support attribute type {attribute} in Fn::GetAtt{near}",
            reference.target
        ));
    }
    problems.dedup();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(CfnFault::validation(format_args!("Template error: {}", problems.join("; "))))
    }
}

/// Properties that are unknown, missing or of the wrong type, and policies that the local cloud cannot keep.
pub(super) fn properties(parsed: &Parsed) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (logical_id, resource) in &parsed.template.resources {
        let path = format!("Resources.{logical_id}");
        problems.extend(schema::check(&resource.kind, &resource.properties, &format!("{path}.Properties")));
        problems.extend(unsupported(resource, &path));
    }
    sorted(problems)
}

fn unsupported(resource: &Resource, path: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let policies =
        [("DeletionPolicy", resource.deletion_policy), ("UpdateReplacePolicy", resource.update_replace_policy)];
    for (name, policy) in policies {
        if policy == Some(DeletionPolicy::Snapshot) {
            problems.push(Problem::new(
                resource.at,
                format!("{path}.{name}"),
                "the local cloud keeps no snapshots: use Delete or Retain",
            ));
        }
    }
    if let Some(policy) = &resource.creation_policy {
        problems.push(Problem::new(
            policy.at,
            format!("{path}.CreationPolicy"),
            "the local cloud does not support CreationPolicy",
        ));
    }
    problems
}

/// The logical id in a path such as `Resources.Bucket.Properties.BucketName`.
pub(super) fn logical_id(path: &str) -> &str {
    path.strip_prefix("Resources.").and_then(|rest| rest.split('.').next()).unwrap_or_default()
}

/// Which capabilities the template asks for, and of which resources.
pub(super) fn capabilities(parsed: &Parsed) -> (Option<&'static str>, Vec<String>) {
    let iam: Vec<&Resource> = parsed.template.resources.values().filter(|resource| is_iam(&resource.kind)).collect();
    let named = iam.iter().any(|resource| IAM_NAMES.iter().any(|name| resource.properties.get(name).is_some()));
    let mut kinds: Vec<String> = iam.iter().map(|resource| resource.kind.clone()).collect();
    kinds.sort();
    kinds.dedup();
    let needed = if iam.is_empty() {
        None
    } else if named {
        Some("CAPABILITY_NAMED_IAM")
    } else {
        Some("CAPABILITY_IAM")
    };
    (needed, kinds)
}

const IAM_NAMES: [&str; 5] = ["RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"];

fn is_iam(kind: &str) -> bool {
    matches!(
        kind,
        "AWS::IAM::AccessKey"
            | "AWS::IAM::Group"
            | "AWS::IAM::GroupPolicy"
            | "AWS::IAM::InstanceProfile"
            | "AWS::IAM::ManagedPolicy"
            | "AWS::IAM::Policy"
            | "AWS::IAM::Role"
            | "AWS::IAM::RolePolicy"
            | "AWS::IAM::User"
            | "AWS::IAM::UserPolicy"
            | "AWS::IAM::UserToGroupAddition"
    )
}

/// Refuses what the caller has not acknowledged.
///
/// # Errors
/// `InsufficientCapabilitiesException`, in AWS's words.
pub(super) fn acknowledged(parsed: &Parsed, transforms: bool, given: &[String]) -> Result<(), CfnFault> {
    let has = |name: &str| given.iter().any(|capability| capability == name);
    let iam = capabilities(parsed).0.filter(|needed| !has("CAPABILITY_NAMED_IAM") && !has(needed));
    let expand = (transforms && !has(AUTO_EXPAND)).then_some(AUTO_EXPAND);
    let missing: Vec<&str> = iam.into_iter().chain(expand).collect();
    if missing.is_empty() { Ok(()) } else { Err(CfnFault::InsufficientCapabilities(missing.join(", "))) }
}

/// What acknowledges that transforms rewrite the template.
pub(super) const AUTO_EXPAND: &str = "CAPABILITY_AUTO_EXPAND";
