//! May an AWS service invoke a function? The function's resource policy says so, statement by statement. Whoever calls as root, user
//! or role is of the function's own account, and is not asked here.

use serde_json::Value;

use super::faults::LambdaFault;
use super::names::Target;
use super::state::{Function, Statement};
use crate::call::Call;
use crate::like::is_like;
use crate::policy::{Found, conditions_hold, decide, texts};
use crate::scope::Caller;

/// # Errors
/// The caller is an AWS service, and no statement lets it invoke the function for the resource that it names.
pub(super) fn check(function: &Function, target: &Target, call: &Call) -> Result<(), LambdaFault> {
    let Caller::Service { principal } = &call.scope.caller else { return Ok(()) };
    let asker = Asker { principal, account: &call.scope.account, source: call.source.as_deref() };
    let statements = function.policies.get(target.qualifier.as_deref().unwrap_or_default());
    if statements.is_some_and(|statements| asker.is_let_in(statements)) {
        return Ok(());
    }
    let who = asker.source.map_or_else(|| principal.clone(), |source| format!("{principal} (for {source})"));
    Err(LambdaFault::NotPermitted { who, function: target.arn(&call.scope) })
}

/// An AWS service that wants to invoke a function.
struct Asker<'a> {
    principal: &'a str,
    account: &'a str,
    source: Option<&'a str>,
}

impl Asker<'_> {
    fn is_let_in(&self, statements: &[Statement]) -> bool {
        let context = |key: &str| match key {
            "aws:sourcearn" => self.source.map(Found::Text),
            "aws:sourceaccount" => Some(Found::Text(self.account)),
            _ => None,
        };
        let has_effect = |statement: &Statement, effect: &str| statement.effect == effect;
        decide(statements, has_effect, |statement, doubt| {
            self.is_meant(&statement.principal)
                && is_like(&statement.action.to_ascii_lowercase(), "lambda:invokefunction")
                && conditions_hold(statement.condition.as_ref(), &context, doubt)
        })
    }

    fn is_meant(&self, principal: &Value) -> bool {
        principal == "*" || texts(principal.get("Service")).contains(&self.principal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PRINCIPAL: &str = "apigateway.amazonaws.com";
    const SOURCE: &str = "arn:aws:execute-api:us-east-1:000000000000:abc/lab/POST/";

    fn statement(effect: &str, principal: &Value, action: &str, condition: &Value) -> Statement {
        let statement = json!({
            "Sid": "s", "Effect": effect, "Principal": principal, "Action": action, "Resource": "*", "Condition": condition,
        });
        serde_json::from_value(statement).unwrap()
    }

    fn is_let_in(statements: &[Statement]) -> bool {
        Asker { principal: PRINCIPAL, account: "000000000000", source: Some(SOURCE) }.is_let_in(statements)
    }

    fn lets_in(effect: &str, condition: &Value) -> bool {
        let any = statement("Allow", &json!("*"), "lambda:*", &Value::Null);
        let one = statement(effect, &json!({"Service": PRINCIPAL}), "lambda:InvokeFunction", condition);
        is_let_in(&if effect == "Deny" { vec![any, one] } else { vec![one] })
    }

    #[test]
    fn source_arns_match_with_their_stars() {
        let cases = [
            ("arn:aws:execute-api:us-east-1:000000000000:abc/*/POST/", true),
            ("arn:aws:execute-api:us-east-1:000000000000:abc/*", true),
            ("arn:aws:execute-api:us-east-1:000000000000:abc/*/GET/", false),
            ("arn:aws:execute-api:us-east-1:000000000000:other/*", false),
            ("*", true),
        ];
        for (pattern, expected) in cases {
            assert_eq!(lets_in("Allow", &json!({"ArnLike": {"AWS:SourceArn": pattern}})), expected, "{pattern}");
        }
    }

    #[test]
    fn a_condition_that_is_not_known_opens_no_door() {
        assert!(lets_in("Allow", &Value::Null));
        assert!(lets_in("Allow", &json!({"StringEquals": {"aws:SourceAccount": ["1", "000000000000"]}})));
        let not_ours = [
            json!({"StringEquals": {"AWS:SourceAccount": "111111111111"}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
            json!({"ArnLike": {"AWS:SourceArn": ["arn:aws:execute-api:*:*:other/*"]}}),
            json!({"StringNotLike": {"aws:SourceArn": "*:abc/*"}}),
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}),
            json!("no condition at all"),
        ];
        for condition in not_ours {
            assert!(!lets_in("Allow", &condition), "{condition}");
        }
        assert!(!lets_in("Deny", &json!({"Bool": {"aws:SecureTransport": "false"}})));
        assert!(lets_in("Deny", &json!({"StringEquals": {"aws:SourceAccount": "111111111111"}})));
    }

    #[test]
    fn another_principal_or_action_is_not_meant() {
        let cases = [
            ("s3.amazonaws.com", "lambda:InvokeFunction", false),
            (PRINCIPAL, "lambda:GetFunction", false),
            (PRINCIPAL, "lambda:Invoke*", true),
        ];
        for (principal, action, expected) in cases {
            let statement = statement("Allow", &json!({"Service": principal}), action, &Value::Null);
            assert_eq!(is_let_in(&[statement]), expected, "{principal} {action}");
        }
    }

    #[test]
    fn who_names_no_resource_fits_no_source_arn() {
        let nobody = Asker { principal: PRINCIPAL, account: "000000000000", source: None };
        let for_source = json!({"ArnLike": {"AWS:SourceArn": "*"}});
        let to = |condition| statement("Allow", &json!({"Service": PRINCIPAL}), "lambda:InvokeFunction", condition);
        assert!(nobody.is_let_in(&[to(&Value::Null)]));
        assert!(!nobody.is_let_in(&[to(&for_source)]));
    }
}
