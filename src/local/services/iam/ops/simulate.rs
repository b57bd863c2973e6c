//! `SimulatePrincipalPolicy`: what the policies of a user, group or role allow.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::evaluate::{Asked, Decision, decide};
use super::super::faults::IamFault;
use super::super::state::{Account, Cx, Owner};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Simulate {
    policy_source_arn: String,
    action_names: Vec<String>,
    resource_arns: Option<Vec<String>>,
}

/// Its own policies and its boundary decide, each action on each resource. No context is taken: a condition is not judged.
pub(in super::super) fn principal(account: &Account, _: &Cx<'_>, input: Simulate) -> Result<Value, IamFault> {
    let Simulate { policy_source_arn, action_names, resource_arns } = input;
    let principal = Principal::find(account, &policy_source_arn)?;
    let resources = resource_arns.unwrap_or_else(|| vec!["*".to_owned()]);
    let mut results = Vec::new();
    for action in &action_names {
        for resource in &resources {
            let decision = principal.decide(account, Asked { action, resource });
            results.push(json!({
                "EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision.name(),
                "MatchedStatements": [], "MissingContextValues": [],
            }));
        }
    }
    Ok(json!({"EvaluationResults": results, "IsTruncated": false}))
}

/// Whoever is asked about, with the groups that it is in.
struct Principal<'a> {
    own: &'a Owner,
    groups: Vec<&'a Owner>,
}

impl<'a> Principal<'a> {
    fn find(account: &'a Account, arn: &str) -> Result<Self, IamFault> {
        let roles = account.roles.values().map(|role| &role.owner);
        if let Some(own) = roles.chain(account.groups.values()).find(|owner| owner.arn == arn) {
            return Ok(Principal { own, groups: Vec::new() });
        }
        let user = account.users.values().find(|user| user.owner.arn == arn);
        let user = user.ok_or_else(|| IamFault::NoSuchEntity(format!("The principal {arn} cannot be found.")))?;
        let groups = user.groups.iter().filter_map(|name| account.group(name).ok()).collect();
        Ok(Principal { own: &user.owner, groups })
    }

    fn decide(&self, account: &Account, asked: Asked<'_>) -> Decision {
        let owners = || std::iter::once(self.own).chain(self.groups.iter().copied());
        let inline = owners().flat_map(|owner| owner.inline.values().map(String::as_str));
        let attached = owners().flat_map(|owner| &owner.attached).filter_map(|arn| document(account, arn));
        let decision = decide(inline.chain(attached), asked);
        match &self.own.boundary {
            // Both must allow it; a boundary allows nothing by itself.
            Some(boundary) if decision == Decision::Allowed => decide(document(account, boundary).into_iter(), asked),
            _ => decision,
        }
    }
}

fn document<'a>(account: &'a Account, arn: &str) -> Option<&'a str> {
    let policy = account.policy(arn).ok()?;
    policy.versions.get(&policy.default).map(|version| version.document.as_str())
}
