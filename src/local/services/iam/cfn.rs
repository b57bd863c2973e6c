//! IAM's resource types for CloudFormation.

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::resource::{Properties, ResourceContext, ResourceFault, ResourceType, TagForm, compared};

mod keys;
mod owners;
mod policies;

pub(super) fn types() -> Vec<ResourceType> {
    let role =
        ["AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Path", "PermissionsBoundary", "RoleName"];
    let user = ["Groups", "Path", "PermissionsBoundary", "Tags", "UserName"];
    let policies = ["ManagedPolicyArns", "Policies"];
    let document = ["PolicyDocument", "PolicyName"];
    let owners = ["Groups", "Roles", "Users"];
    let managed = ["Description", "ManagedPolicyName", "Path", "PolicyDocument"];
    let linked = ["AWSServiceName", "CustomSuffix", "Description"];
    let single = |name, kind, owner| ResourceType::new(name, &document, policies::Single(kind)).and(&[owner]);
    vec![
        ResourceType::new("AWS::IAM::Role", &role, owners::Role).and(&policies).and(&["Tags"]),
        ResourceType::new("AWS::IAM::User", &user, owners::User).and(&policies),
        ResourceType::new("AWS::IAM::Group", &["GroupName", "Path"], owners::Group).and(&policies),
        ResourceType::new("AWS::IAM::Policy", &document, policies::Inline).and(&owners),
        single("AWS::IAM::RolePolicy", ROLE, "RoleName"),
        single("AWS::IAM::UserPolicy", USER, "UserName"),
        single("AWS::IAM::GroupPolicy", GROUP, "GroupName"),
        ResourceType::new("AWS::IAM::ManagedPolicy", &managed, policies::Managed).and(&owners),
        ResourceType::new("AWS::IAM::AccessKey", &["Serial", "Status", "UserName"], keys::AccessKey),
        ResourceType::new(
            "AWS::IAM::InstanceProfile",
            &["InstanceProfileName", "Path", "Roles"],
            keys::InstanceProfile,
        ),
        ResourceType::new("AWS::IAM::UserToGroupAddition", &["GroupName", "Users"], keys::UserToGroupAddition),
        ResourceType::new("AWS::IAM::ServiceLinkedRole", &linked, keys::ServiceLinkedRole).fixed(&["Description"]),
    ]
}

/// What operations and their members call a kind of owner: `AttachRolePolicy`, `RoleName`.
#[derive(Clone, Copy, PartialEq)]
struct Kind(&'static str, &'static str);

const ROLE: Kind = Kind("Role", "Roles");
const USER: Kind = Kind("User", "Users");
const GROUP: Kind = Kind("Group", "Groups");
const KINDS: [Kind; 3] = [ROLE, USER, GROUP];

impl Kind {
    /// `RoleName`.
    fn member(self) -> String {
        format!("{}Name", self.0)
    }

    /// The property that lists owners of this kind: `Roles`.
    fn plural(self) -> &'static str {
        self.1
    }
}

/// Sets the tags from `old` to `new`, for `kind` (`Role`, `User`, `Policy`) called `id` in `member`.
async fn retag(
    cx: &ResourceContext,
    (kind, member, id): (&str, &str, &str),
    old: &Value,
    new: &Value,
) -> Result<(), Fault> {
    let (untag, tag) = (format!("Untag{kind}"), format!("Tag{kind}"));
    cx.retag((&untag, &tag), json!({member: id}), TagForm::List, (old, new)).await
}

/// Brings the attached and inline policies of an owner from what `old` says to what `new` says.
async fn sync_policies(
    cx: &ResourceContext,
    kind: Kind,
    owner: &str,
    old: &Value,
    new: &Value,
) -> Result<(), ResourceFault> {
    let (member, operation) = (kind.member(), |verb: &str| format!("{verb}{}Policy", kind.0));
    let (gone, added) = compared(old.list("ManagedPolicyArns"), new.list("ManagedPolicyArns"));
    for arn in added {
        cx.ask(&operation("Attach"), json!({&*member: owner, "PolicyArn": arn})).await?;
    }
    for arn in gone {
        cx.remove(&operation("Detach"), json!({&*member: owner, "PolicyArn": arn})).await?;
    }
    let (gone, added) = compared(old.list("Policies"), new.list("Policies"));
    let kept = |policy: &Value| new.list("Policies").iter().any(|other| other["PolicyName"] == policy["PolicyName"]);
    for policy in gone.into_iter().filter(|policy| !kept(policy)) {
        cx.remove(&operation("Delete"), json!({&*member: owner, "PolicyName": policy["PolicyName"]})).await?;
    }
    for policy in added {
        let document = policy["PolicyDocument"].to_text();
        let input = json!({&*member: owner, "PolicyName": policy["PolicyName"], "PolicyDocument": document});
        cx.ask(&operation("Put"), input).await?;
    }
    Ok(())
}
