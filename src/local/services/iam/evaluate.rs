//! What identity policies say to one action on one resource. Pure.
//!
//! What cannot be judged here (a condition, a policy variable) never opens a door: it holds in a `Deny`, not in an `Allow`.

use serde_json::Value;

use crate::like::is_like;
use crate::policy::{has_effect, statements, texts};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allowed,
    /// Some statement denies it.
    Denied,
    /// No statement allows it.
    Unmentioned,
}

impl Decision {
    /// As `SimulatePrincipalPolicy` says it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Decision::Allowed => "allowed",
            Decision::Denied => "explicitDeny",
            Decision::Unmentioned => "implicitDeny",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
}

/// What the policies, of which each is a document's text, say together.
pub(super) fn decide<'d>(documents: impl Iterator<Item = &'d str>, asked: Asked<'_>) -> Decision {
    let mut decision = Decision::Unmentioned;
    for document in documents {
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        for statement in statements(&document) {
            let denies = has_effect(statement, "Deny");
            if !applies(statement, asked, denies) {
                continue;
            }
            if denies {
                return Decision::Denied;
            }
            decision = Decision::Allowed;
        }
    }
    decision
}

/// `unknown`: what counts as true if it cannot be judged.
fn applies(statement: &Value, asked: Asked<'_>, unknown: bool) -> bool {
    let action = |pattern: &str| is_like(&pattern.to_ascii_lowercase(), &asked.action.to_ascii_lowercase());
    let resource = |pattern: &str| if pattern.contains("${") { unknown } else { is_like(pattern, asked.resource) };
    let some = |list: &Value, like: &dyn Fn(&str) -> bool| texts(Some(list)).into_iter().any(like);
    let action = match &statement["NotAction"] {
        Value::Null => some(&statement["Action"], &action),
        not => !some(not, &action),
    };
    let resource = match &statement["NotResource"] {
        Value::Null => some(&statement["Resource"], &resource),
        not => !some(not, &|pattern| if pattern.contains("${") { !unknown } else { resource(pattern) }),
    };
    action && resource && (statement["Condition"].is_null() || unknown)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decided(statements: &Value) -> Decision {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let asked = Asked { action: "rds-db:connect", resource: "arn:aws:rds-db:us-east-1:0:dbuser:cluster-A/ann" };
        decide([document.as_str()].into_iter(), asked)
    }

    #[test]
    fn an_action_is_allowed_by_name_or_wildcard_and_a_denial_wins() {
        let allow = json!({"Effect": "Allow", "Action": ["s3:*", "RDS-DB:connect"], "Resource": "arn:aws:rds-db:*:*:dbuser:*/ann"});
        assert_eq!(decided(&allow), Decision::Allowed);
        let deny = json!({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"});
        assert_eq!(decided(&json!([allow, deny])), Decision::Denied);
        let other =
            json!({"Effect": "Allow", "Action": "rds-db:connect", "Resource": "arn:aws:rds-db:*:*:dbuser:*/bob"});
        assert_eq!(decided(&other), Decision::Unmentioned);
        assert_eq!(decided(&json!({"Effect": "Allow", "Action": "*", "NotResource": "*/ann"})), Decision::Unmentioned);
        assert_eq!(decided(&json!({"Effect": "Allow", "Action": "*", "NotResource": "*/bob"})), Decision::Allowed);
    }

    #[test]
    fn what_cannot_be_judged_opens_no_door() {
        let condition = json!({"Bool": {"aws:SecureTransport": "true"}});
        for (effect, decision) in [("Allow", Decision::Unmentioned), ("Deny", Decision::Denied)] {
            let guarded = json!({"Effect": effect, "Action": "*", "Resource": "*", "Condition": condition});
            assert_eq!(decided(&guarded), decision);
            let variable = json!({"Effect": effect, "Action": "*", "Resource": "*/${aws:username}"});
            assert_eq!(decided(&variable), decision);
            let variable = json!({"Effect": effect, "Action": "*", "NotResource": "*/${aws:username}"});
            assert_eq!(decided(&variable), decision);
        }
    }
}
