//! IAM's resource types for CloudFormation.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType};

mod keys;
mod owners;
mod policies;

pub(super) fn types() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(owners::Role),
        Arc::new(owners::User),
        Arc::new(owners::Group),
        Arc::new(policies::Inline { type_name: "AWS::IAM::Policy" }),
        Arc::new(policies::Single { type_name: "AWS::IAM::RolePolicy", kind: ROLE }),
        Arc::new(policies::Single { type_name: "AWS::IAM::UserPolicy", kind: USER }),
        Arc::new(policies::Single { type_name: "AWS::IAM::GroupPolicy", kind: GROUP }),
        Arc::new(policies::Managed),
        Arc::new(keys::AccessKey),
        Arc::new(keys::InstanceProfile),
        Arc::new(keys::UserToGroupAddition),
        Arc::new(keys::ServiceLinkedRole),
    ]
}

type Made = Result<Provisioned, ResourceFault>;

/// What operations and their members call a kind of owner: `AttachRolePolicy`, `RoleName`.
#[derive(Clone, Copy, PartialEq)]
struct Kind(&'static str);

const ROLE: Kind = Kind("Role");
const USER: Kind = Kind("User");
const GROUP: Kind = Kind("Group");
const KINDS: [Kind; 3] = [ROLE, USER, GROUP];

impl Kind {
    /// `RoleName`.
    fn member(self) -> String {
        format!("{}Name", self.0)
    }

    /// The property that lists owners of this kind: `Roles`.
    fn plural(self) -> String {
        format!("{}s", self.0)
    }
}

/// Sends one IAM request, as CloudFormation does for the stack's owner.
async fn send(cx: &ResourceContext, operation: &str, input: Value) -> Result<Value, Fault> {
    let scope = cx.scope.as_service("cloudformation.amazonaws.com");
    let input = match input {
        Value::Object(members) => Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        other => other,
    };
    cx.cloud.call(&scope, "iam", operation, input).await
}

/// [`send`] for a deletion: what is not there any more is deleted.
async fn send_gone(cx: &ResourceContext, operation: &str, input: Value) -> Result<(), Fault> {
    match send(cx, operation, input).await {
        Err(fault) if fault.code != "NoSuchEntity" => Err(fault),
        _ => Ok(()),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A policy document, which a template gives as an object or as JSON text.
fn document(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A number that a template may also give as text.
fn number(value: &Value) -> Value {
    value.as_str().and_then(|text| text.parse::<i64>().ok()).map_or_else(|| value.clone(), Value::from)
}

/// The name that the template gives, or one made from the stack's and the resource's.
fn name(cx: &ResourceContext, given: &Value, longest: usize) -> String {
    given.as_str().map_or_else(|| cx.generated_name(longest), str::to_owned)
}

fn made(id: &str, attributes: &[(&str, &Value)]) -> Provisioned {
    let attributes: Map<String, Value> =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone())).collect();
    Provisioned { physical_id: id.to_owned(), reference: None, attributes }
}

/// Whether a thing with these tags was made by an earlier try at this resource.
fn is_ours(cx: &ResourceContext, tags: &Value) -> bool {
    let has = |key: &str, value: &str| {
        tags.as_array().into_iter().flatten().any(|tag| tag["Key"] == key && tag["Value"] == value)
    };
    has("aws:cloudformation:stack-id", &cx.stack_id) && has("aws:cloudformation:logical-id", &cx.logical_id)
}

/// Sets the tags from `old` to `new`, for `kind` (`Role`, `User`, `Policy`, `InstanceProfile`) called `id` in `member`.
async fn retag(
    cx: &ResourceContext,
    (kind, member, id): (&str, &str, &str),
    old: &Value,
    new: &Value,
) -> Result<(), Fault> {
    let tags = cx.tags(new.get("Tags"));
    let kept = |key: &Value| tags.as_array().into_iter().flatten().any(|tag| tag["Key"] == *key);
    let old = old["Tags"].as_array().into_iter().flatten();
    let gone: Vec<&Value> = old.map(|tag| &tag["Key"]).filter(|key| !kept(key)).collect();
    if !gone.is_empty() {
        send(cx, &format!("Untag{kind}"), json!({member: id, "TagKeys": gone})).await?;
    }
    if tags.as_array().is_some_and(|tags| !tags.is_empty()) {
        send(cx, &format!("Tag{kind}"), json!({member: id, "Tags": tags})).await?;
    }
    Ok(())
}

/// Brings the attached and inline policies of an owner from what `old` says to what `new` says.
async fn sync_policies(cx: &ResourceContext, kind: Kind, owner: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let member = kind.member();
    let (before, after) = (texts(&old["ManagedPolicyArns"]), texts(&new["ManagedPolicyArns"]));
    for arn in after.iter().filter(|arn| !before.contains(arn)) {
        send(cx, &format!("Attach{}Policy", kind.0), json!({&*member: owner, "PolicyArn": arn})).await?;
    }
    for arn in before.iter().filter(|arn| !after.contains(arn)) {
        send_gone(cx, &format!("Detach{}Policy", kind.0), json!({&*member: owner, "PolicyArn": arn})).await?;
    }
    let (before, after) = (old["Policies"].as_array(), new["Policies"].as_array());
    let same = |one: &Value, other: &Value| one["PolicyName"] == other["PolicyName"];
    for policy in
        before.into_iter().flatten().filter(|policy| !after.into_iter().flatten().any(|other| same(policy, other)))
    {
        send_gone(cx, &format!("Delete{}Policy", kind.0), json!({&*member: owner, "PolicyName": policy["PolicyName"]}))
            .await?;
    }
    for policy in after.into_iter().flatten().filter(|policy| !before.is_some_and(|before| before.contains(policy))) {
        let input = json!({&*member: owner, "PolicyName": policy["PolicyName"], "PolicyDocument": document(&policy["PolicyDocument"])});
        send(cx, &format!("Put{}Policy", kind.0), input).await?;
    }
    Ok(())
}
