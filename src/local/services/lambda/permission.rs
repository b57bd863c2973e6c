//! May the gateway invoke the function? Its resource policy says so, statement by statement.

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::like::is_like;
use crate::policy::{self, Found, conditions_hold, texts};
use crate::scope::Scope;

const PRINCIPAL: &str = "apigateway.amazonaws.com";

/// Looks for a statement that lets this method of this API invoke the function.
pub(crate) async fn may_invoke(cloud: &Cloud, scope: &Scope, function: &str, source: &str) -> bool {
    let input = json!({"FunctionName": function});
    let Ok(answer) = cloud.call(scope, "lambda", "GetPolicy", input).await else { return false };
    match answer.get("Policy").and_then(Value::as_str).map(serde_json::from_str) {
        Some(Ok(policy)) => allows(&policy, &scope.account, source),
        _ => false,
    }
}

fn allows(policy: &Value, account: &str, source: &str) -> bool {
    let context = |key: &str| match key {
        "aws:sourcearn" => Some(Found::Text(source)),
        "aws:sourceaccount" => Some(Found::Text(account)),
        _ => None,
    };
    policy::allows(policy, |statement, doubt| {
        let principal = statement.get("Principal");
        let ours = principal.is_some_and(|principal| {
            principal == "*" || texts(principal.get("Service")).into_iter().any(|service| service == PRINCIPAL)
        });
        let actions = texts(statement.get("Action"));
        ours && actions.iter().any(|action| is_like(&action.to_ascii_lowercase(), "lambda:invokefunction"))
            && conditions_hold(statement, &context, doubt)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "arn:aws:execute-api:us-east-1:000000000000:abc/lab/POST/";

    fn lets_in(effect: &str, condition: &Value) -> bool {
        let any = json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:*"});
        let statement = json!({
            "Effect": effect, "Principal": {"Service": PRINCIPAL}, "Action": "lambda:InvokeFunction", "Condition": condition,
        });
        let statements = if effect == "Deny" { json!([any, statement]) } else { statement };
        allows(&json!({ "Statement": statements }), "000000000000", SOURCE)
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
        for (principal, action) in [("s3.amazonaws.com", "lambda:InvokeFunction"), (PRINCIPAL, "lambda:GetFunction")] {
            let statement = json!({"Effect": "Allow", "Principal": {"Service": principal}, "Action": action});
            assert!(!allows(&json!({"Statement": [statement]}), "000000000000", SOURCE));
        }
    }
}
