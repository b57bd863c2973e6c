//! What IAM keeps. Names are unique without regard to case, and looked up as they were given.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::aws_managed;
use super::faults::IamFault;
use crate::call::Call;
use crate::clock::Timestamp;
use crate::credentials::Secret;
use crate::ids::Ids;
use crate::scope::Caller;

/// What an operation may use besides the records.
pub(super) struct Cx<'c> {
    pub(super) call: &'c Call,
    pub(super) now: Timestamp,
    pub(super) ids: &'c Ids,
}

impl Cx<'_> {
    pub(super) fn arn(&self, resource: &str, path: &str, name: &str) -> String {
        self.call.scope.global_arn("iam", format!("{resource}{path}{name}"))
    }

    /// Which kind of owner the operation's name speaks of: `PutRolePolicy` of a role.
    pub(super) fn kind(&self) -> Kind {
        match &self.call.operation {
            name if name.contains("Role") => Kind::Role,
            name if name.contains("User") => Kind::User,
            _ => Kind::Group,
        }
    }

    /// CloudFormation sets tags that begin with `aws:`; nobody else may.
    pub(super) fn may_set_aws_tags(&self) -> bool {
        matches!(&self.call.scope.caller, Caller::Service { .. })
    }
}

/// Those that policies belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Role,
    User,
    Group,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Role => "role",
            Kind::User => "user",
            Kind::Group => "group",
        })
    }
}

pub(super) type Tags = BTreeMap<String, String>;

/// What users, groups and roles have in common.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) created: Timestamp,
    /// Inline policies by name.
    pub(super) inline: BTreeMap<String, String>,
    /// ARNs of attached policies.
    pub(super) attached: BTreeSet<String>,
    pub(super) boundary: Option<String>,
    pub(super) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Role {
    pub(super) owner: Owner,
    /// The trust policy.
    pub(super) trust: String,
    pub(super) description: Option<String>,
    pub(super) longest_session: i64,
    /// The service that this role belongs to, if it is a service-linked one.
    pub(super) linked_to: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) owner: Owner,
    pub(super) keys: Vec<AccessKey>,
    /// Names of groups.
    pub(super) groups: BTreeSet<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AccessKey {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) active: bool,
    pub(super) created: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) description: Option<String>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// By number; `v1` is 1.
    pub(super) versions: BTreeMap<u32, Version>,
    pub(super) default: u32,
    pub(super) latest: u32,
    pub(super) tags: Tags,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) document: String,
    pub(super) created: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) created: Timestamp,
    pub(super) role: Option<String>,
    pub(super) tags: Tags,
}

/// Everything, by name; policies by ARN.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) users: BTreeMap<String, User>,
    pub(super) groups: BTreeMap<String, Owner>,
    pub(super) policies: BTreeMap<String, Policy>,
    pub(super) profiles: BTreeMap<String, Profile>,
    pub(super) alias: Option<String>,
}

impl Account {
    pub(super) fn role(&self, name: &str) -> Result<&Role, IamFault> {
        self.roles.get(name).ok_or_else(|| IamFault::no(Kind::Role, name))
    }

    pub(super) fn role_mut(&mut self, name: &str) -> Result<&mut Role, IamFault> {
        self.roles.get_mut(name).ok_or_else(|| IamFault::no(Kind::Role, name))
    }

    pub(super) fn user(&self, name: &str) -> Result<&User, IamFault> {
        self.users.get(name).ok_or_else(|| IamFault::no(Kind::User, name))
    }

    pub(super) fn user_mut(&mut self, name: &str) -> Result<&mut User, IamFault> {
        self.users.get_mut(name).ok_or_else(|| IamFault::no(Kind::User, name))
    }

    pub(super) fn group(&self, name: &str) -> Result<&Owner, IamFault> {
        self.groups.get(name).ok_or_else(|| IamFault::no(Kind::Group, name))
    }

    pub(super) fn policy(&self, arn: &str) -> Result<&Policy, IamFault> {
        self.policies.get(arn).or_else(|| aws_managed::find(arn)).ok_or_else(|| IamFault::no_policy(arn))
    }

    /// A policy of the account's own; AWS's cannot be changed.
    pub(super) fn policy_mut(&mut self, arn: &str) -> Result<&mut Policy, IamFault> {
        if aws_managed::find(arn).is_some() {
            return Err(IamFault::AccessDenied(format!(
                "Policy {arn} is an AWS managed policy, which nobody else may change."
            )));
        }
        self.policies.get_mut(arn).ok_or_else(|| IamFault::no_policy(arn))
    }

    pub(super) fn profile(&self, name: &str) -> Result<&Profile, IamFault> {
        self.profiles.get(name).ok_or_else(|| no_profile(name))
    }

    pub(super) fn profile_mut(&mut self, name: &str) -> Result<&mut Profile, IamFault> {
        self.profiles.get_mut(name).ok_or_else(|| no_profile(name))
    }

    pub(super) fn owner(&self, kind: Kind, name: &str) -> Result<&Owner, IamFault> {
        match kind {
            Kind::Role => self.role(name).map(|role| &role.owner),
            Kind::User => self.user(name).map(|user| &user.owner),
            Kind::Group => self.group(name),
        }
    }

    /// The owner, to be changed. A service-linked role belongs to its service.
    pub(super) fn owner_mut(&mut self, kind: Kind, name: &str) -> Result<&mut Owner, IamFault> {
        match kind {
            Kind::Role => {
                let role = self.role_mut(name)?;
                role.own()?;
                Ok(&mut role.owner)
            }
            Kind::User => self.user_mut(name).map(|user| &mut user.owner),
            Kind::Group => self.groups.get_mut(name).ok_or_else(|| IamFault::no(Kind::Group, name)),
        }
    }

    fn owners(&self) -> impl Iterator<Item = &Owner> {
        let roles = self.roles.values().map(|role| &role.owner);
        roles.chain(self.users.values().map(|user| &user.owner)).chain(self.groups.values())
    }

    /// How many users, groups and roles a policy is attached to.
    pub(super) fn attachments(&self, arn: &str) -> usize {
        self.owners().filter(|owner| owner.attached.contains(arn)).count()
    }

    pub(super) fn boundaries(&self, arn: &str) -> usize {
        self.owners().filter(|owner| owner.boundary.as_deref() == Some(arn)).count()
    }

    pub(super) fn active_keys(&self) -> impl Iterator<Item = (&Owner, &AccessKey)> {
        let keys = self.users.values().flat_map(|user| user.keys.iter().map(move |key| (&user.owner, key)));
        keys.filter(|(_, key)| key.active)
    }
}

fn no_profile(name: &str) -> IamFault {
    IamFault::NoSuchEntity(format!("Instance Profile {name} cannot be found."))
}

/// Whether `map` has `name`, in whatever case.
pub(super) fn is_taken<T>(map: &BTreeMap<String, T>, name: &str) -> bool {
    map.keys().any(|taken| taken.eq_ignore_ascii_case(name))
}

impl Role {
    /// Refuses the change of a role that belongs to a service.
    pub(super) fn own(&self) -> Result<(), IamFault> {
        match &self.linked_to {
            None => Ok(()),
            Some(service) => Err(IamFault::Unmodifiable(format!(
                "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS ({service})",
                self.owner.name
            ))),
        }
    }

    pub(super) fn view(&self) -> Value {
        let owner = &self.owner;
        json!({
            "Path": owner.path, "RoleName": owner.name, "RoleId": owner.id, "Arn": owner.arn, "CreateDate": owner.created,
            "AssumeRolePolicyDocument": encoded(&self.trust), "Description": self.description,
            "MaxSessionDuration": self.longest_session, "PermissionsBoundary": boundary(owner),
        })
    }

    /// With the members that only `GetRole` and `CreateRole` show.
    pub(super) fn full_view(&self) -> Value {
        let mut view = self.view();
        view["RoleLastUsed"] = json!({});
        with_tags(view, &self.owner.tags)
    }
}

impl User {
    pub(super) fn view(&self) -> Value {
        let owner = &self.owner;
        json!({
            "Path": owner.path, "UserName": owner.name, "UserId": owner.id, "Arn": owner.arn, "CreateDate": owner.created,
            "PermissionsBoundary": boundary(owner),
        })
    }
}

impl Profile {
    pub(super) fn view(&self, account: &Account) -> Value {
        let role = self.role.as_ref().and_then(|name| account.roles.get(name));
        let view = json!({
            "Path": self.path, "InstanceProfileName": self.name, "InstanceProfileId": self.id, "Arn": self.arn,
            "CreateDate": self.created, "Roles": role.map(Role::view).into_iter().collect::<Vec<_>>(),
        });
        with_tags(view, &self.tags)
    }
}

impl Policy {
    pub(super) fn view(&self, account: &Account) -> Value {
        json!({
            "PolicyName": self.name, "PolicyId": self.id, "Arn": self.arn, "Path": self.path,
            "DefaultVersionId": format!("v{}", self.default), "AttachmentCount": account.attachments(&self.arn),
            "PermissionsBoundaryUsageCount": account.boundaries(&self.arn), "IsAttachable": true,
            "CreateDate": self.created, "UpdateDate": self.updated,
        })
    }
}

fn boundary(owner: &Owner) -> Option<Value> {
    let arn = owner.boundary.as_ref()?;
    Some(json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}))
}

pub(super) fn with_tags(mut view: Value, tags: &Tags) -> Value {
    if !tags.is_empty() {
        view["Tags"] = tag_list(tags);
    }
    view
}

pub(super) fn tag_list(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// IAM hands documents out URL-encoded (RFC 3986).
pub(super) fn encoded(document: &str) -> String {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(document, UNRESERVED).to_string()
}
