//! IAM: users, groups, roles, policies and access keys, with AWS's rules.
//!
//! Access keys open the door of the local cloud and trust policies decide who may assume a role. Permissions are kept
//! and checked for form; no call to an API is refused because of an identity's policy. Who asks what they say is told
//! (`SimulatePrincipalPolicy`), as the database's door does about `rds-db:connect`.

use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::credentials::UserKey;
use crate::fault::Fault;
use crate::resource::ResourceType;
use crate::service::{self, Grade, Operation, Service, Support};
use crate::store::{Shelf, StoreError};

mod aws_managed;
mod cfn;
mod document;
mod evaluate;
mod faults;
mod ops;
mod page;
mod state;
#[cfg(test)]
mod tests;

use faults::IamFault;
use ops::{account, group, owned, policy, profile, role, simulate, tags, user};
use state::{Account, Cx};

/// Rows of operations that change the account's records, or read them.
macro_rules! table {
    ($($grade:ident $how:ident $name:ident => $run:expr,)*) => {
        &[$(Operation {
            name: stringify!($name),
            grade: Grade::$grade,
            run: |iam: Arc<Iam>, call: Call| Box::pin(async move { iam.$how(call, $run).await }),
        },)*]
    };
}

/// The operations that work here. What decides about access for real is real; permissions are records.
const OPERATIONS: &[Operation<Iam>] = table![
    Real change CreateRole => role::create,
    Real read GetRole => role::get,
    Real read ListRoles => role::list,
    Real change UpdateRole => role::update,
    Real change UpdateRoleDescription => role::update_description,
    Real change UpdateAssumeRolePolicy => role::update_trust,
    Real change DeleteRole => role::delete,
    Modelled change CreateServiceLinkedRole => role::create_service_linked,
    Modelled change DeleteServiceLinkedRole => role::delete_service_linked,
    Modelled read GetServiceLinkedRoleDeletionStatus => role::deletion_status,
    Modelled change PutRolePermissionsBoundary => owned::put_boundary,
    Modelled change DeleteRolePermissionsBoundary => owned::delete_boundary,
    Modelled change PutUserPermissionsBoundary => owned::put_boundary,
    Modelled change DeleteUserPermissionsBoundary => owned::delete_boundary,
    Real change CreateUser => user::create,
    Real read GetUser => user::get,
    Real read ListUsers => user::list,
    Real change UpdateUser => user::update,
    Real change DeleteUser => user::delete,
    Real change CreateAccessKey => user::create_key,
    Real read ListAccessKeys => user::list_keys,
    Real change UpdateAccessKey => user::update_key,
    Real change DeleteAccessKey => user::delete_key,
    Modelled change CreateGroup => group::create,
    Modelled read GetGroup => group::get,
    Modelled read ListGroups => group::list,
    Modelled change UpdateGroup => group::update,
    Modelled change DeleteGroup => group::delete,
    Modelled change AddUserToGroup => group::add_user,
    Modelled change RemoveUserFromGroup => group::remove_user,
    Modelled read ListGroupsForUser => group::of_user,
    Modelled change PutRolePolicy => owned::put_policy,
    Modelled change PutUserPolicy => owned::put_policy,
    Modelled change PutGroupPolicy => owned::put_policy,
    Modelled read GetRolePolicy => owned::get_policy,
    Modelled read GetUserPolicy => owned::get_policy,
    Modelled read GetGroupPolicy => owned::get_policy,
    Modelled change DeleteRolePolicy => owned::delete_policy,
    Modelled change DeleteUserPolicy => owned::delete_policy,
    Modelled change DeleteGroupPolicy => owned::delete_policy,
    Modelled read ListRolePolicies => owned::list_policies,
    Modelled read ListUserPolicies => owned::list_policies,
    Modelled read ListGroupPolicies => owned::list_policies,
    Modelled change AttachRolePolicy => owned::attach,
    Modelled change AttachUserPolicy => owned::attach,
    Modelled change AttachGroupPolicy => owned::attach,
    Modelled change DetachRolePolicy => owned::detach,
    Modelled change DetachUserPolicy => owned::detach,
    Modelled change DetachGroupPolicy => owned::detach,
    Modelled read ListAttachedRolePolicies => owned::list_attached,
    Modelled read ListAttachedUserPolicies => owned::list_attached,
    Modelled read ListAttachedGroupPolicies => owned::list_attached,
    Modelled change CreatePolicy => policy::create,
    Modelled read GetPolicy => policy::get,
    Modelled read ListPolicies => policy::list,
    Modelled change DeletePolicy => policy::delete,
    Modelled change CreatePolicyVersion => policy::create_version,
    Modelled read GetPolicyVersion => policy::get_version,
    Modelled read ListPolicyVersions => policy::list_versions,
    Modelled change DeletePolicyVersion => policy::delete_version,
    Modelled change SetDefaultPolicyVersion => policy::set_default_version,
    Modelled read ListEntitiesForPolicy => policy::entities,
    Modelled change CreateInstanceProfile => profile::create,
    Modelled read GetInstanceProfile => profile::get,
    Modelled read ListInstanceProfiles => profile::list,
    Modelled read ListInstanceProfilesForRole => profile::of_role,
    Modelled change DeleteInstanceProfile => profile::delete,
    Modelled change AddRoleToInstanceProfile => profile::add_role,
    Modelled change RemoveRoleFromInstanceProfile => profile::remove_role,
    Modelled change TagRole => tags::tag,
    Modelled change TagUser => tags::tag,
    Modelled change TagPolicy => tags::tag,
    Modelled change TagInstanceProfile => tags::tag,
    Modelled change UntagRole => tags::untag,
    Modelled change UntagUser => tags::untag,
    Modelled change UntagPolicy => tags::untag,
    Modelled change UntagInstanceProfile => tags::untag,
    Modelled read ListRoleTags => tags::list,
    Modelled read ListUserTags => tags::list,
    Modelled read ListPolicyTags => tags::list,
    Modelled read ListInstanceProfileTags => tags::list,
    Modelled change CreateAccountAlias => account::create_alias,
    Modelled change DeleteAccountAlias => account::delete_alias,
    Modelled read ListAccountAliases => account::list_aliases,
    Modelled read GetAccountSummary => account::summary,
    Real read SimulatePrincipalPolicy => simulate::principal,
];

/// The account's records and what IAM needs of the cloud.
pub struct Iam {
    cloud: Arc<Cloud>,
    account: Shelf<Account>,
}

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    let account = Shelf::open(cloud.home.state("iam").join("account.json"), 1)?;
    let iam = Iam { cloud: cloud.clone(), account };
    iam.lend_keys(&Account::default(), &iam.account.get());
    Ok(Arc::new(iam))
}

impl Iam {
    async fn change<T: DeserializeOwned>(
        &self,
        call: Call,
        run: fn(&mut Account, &Cx<'_>, T) -> Result<Value, IamFault>,
    ) -> Result<Reply, Fault> {
        let input = service::input(&call)?;
        let cx = Cx { call: &call, now: self.cloud.clock.now(), ids: &self.cloud.ids };
        let before = self.account.get();
        let output = self.account.change(|account| run(account, &cx, input)).await?;
        self.lend_keys(&before, &self.account.get());
        Ok(Reply::from(output))
    }

    async fn read<T: DeserializeOwned>(
        &self,
        call: Call,
        run: fn(&Account, &Cx<'_>, T) -> Result<Value, IamFault>,
    ) -> Result<Reply, Fault> {
        let input = service::input(&call)?;
        let cx = Cx { call: &call, now: self.cloud.clock.now(), ids: &self.cloud.ids };
        Ok(Reply::from(run(&self.account.get(), &cx, input)?))
    }

    /// Tells the cloud's keyring which access keys are good now.
    fn lend_keys(&self, before: &Account, after: &Account) {
        let gone = before.active_keys().filter(|(_, key)| !after.active_keys().any(|(_, other)| other.id == key.id));
        gone.for_each(|(_, key)| self.cloud.credentials.remove_user_key(&key.id));
        for (user, key) in after.active_keys() {
            let owner = UserKey { user: user.name.clone(), arn: user.arn.clone(), secret: key.secret.clone() };
            self.cloud.credentials.put_user_key(&key.id, owner);
        }
    }
}

#[async_trait]
impl Service for Iam {
    fn name(&self) -> &'static str {
        "iam"
    }

    fn support(&self) -> Vec<Support> {
        service::support(OPERATIONS)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        service::run(self, OPERATIONS, call).await
    }

    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }

    fn status(&self) -> Value {
        let account = self.account.get();
        serde_json::json!({"roles": account.roles.len(), "users": account.users.len(), "policies": account.policies.len()})
    }
}
