//! The account itself: its alias, and how much it holds.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::faults::IamFault;
use super::super::page::Paging;
use super::super::state::{Account, Cx};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Alias {
    account_alias: String,
}

/// An account has one alias; a new one takes the old one's place.
pub(in super::super) fn create_alias(account: &mut Account, _: &Cx<'_>, input: Alias) -> Result<Value, IamFault> {
    account.alias = Some(input.account_alias);
    Ok(Value::Null)
}

pub(in super::super) fn delete_alias(account: &mut Account, _: &Cx<'_>, input: Alias) -> Result<Value, IamFault> {
    match account.alias.take() {
        Some(alias) if alias == input.account_alias => Ok(Value::Null),
        _ => Err(IamFault::no("account alias", &input.account_alias)),
    }
}

#[derive(Deserialize)]
pub(in super::super) struct Aliases {
    #[serde(flatten)]
    paging: Paging,
}

pub(in super::super) fn list_aliases(account: &Account, _: &Cx<'_>, input: Aliases) -> Result<Value, IamFault> {
    let aliases = account.alias.iter().map(|alias| Value::from(alias.as_str()));
    input.paging.page("AccountAliases", aliases.collect()).map(Value::Object)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Nothing {}

/// What there is, and AWS's default quotas.
pub(in super::super) fn summary(account: &Account, _: &Cx<'_>, _: Nothing) -> Result<Value, IamFault> {
    let versions: usize = account.policies.values().map(|policy| policy.versions.len()).sum();
    Ok(json!({"SummaryMap": {
        "Users": account.users.len(), "UsersQuota": 5000, "Groups": account.groups.len(), "GroupsQuota": 300,
        "Roles": account.roles.len(), "RolesQuota": 1000, "Policies": account.policies.len(), "PoliciesQuota": 1500,
        "PolicyVersionsInUse": versions, "PolicyVersionsInUseQuota": 10_000, "InstanceProfiles": account.profiles.len(),
        "InstanceProfilesQuota": 1000, "AccessKeysPerUserQuota": 2, "AttachedPoliciesPerRoleQuota": 10,
        "AttachedPoliciesPerUserQuota": 10, "AttachedPoliciesPerGroupQuota": 10, "GroupsPerUserQuota": 10,
        "PolicySizeQuota": 6144, "VersionsPerPolicyQuota": 5, "RolePolicySizeQuota": 10_240, "UserPolicySizeQuota": 2048,
        "GroupPolicySizeQuota": 5120, "AssumeRolePolicySizeQuota": 2048, "MFADevices": 0, "MFADevicesInUse": 0,
        "AccountMFAEnabled": 0, "AccountAccessKeysPresent": 1, "AccountSigningCertificatesPresent": 0, "Providers": 0,
        "ServerCertificates": 0, "ServerCertificatesQuota": 20, "SigningCertificatesPerUserQuota": 2, "GlobalEndpointTokenVersion": 2,
    }}))
}
