//! May the gateway invoke the function? Its resource policy says so, statement by statement.

use serde_json::{Value, json};

use crate::local::cloud::Cloud;
use crate::local::scope::Scope;

const PRINCIPAL: &str = "apigateway.amazonaws.com";

/// Looks for a statement that lets this method of this API invoke the function.
pub(super) async fn may_invoke(cloud: &Cloud, scope: &Scope, function: &str, source: &str) -> bool {
    let input = json!({"FunctionName": function});
    let Ok(answer) = cloud.call(scope, "lambda", "GetPolicy", input).await else { return false };
    let policy: Value = match answer.get("Policy").and_then(Value::as_str).map(serde_json::from_str) {
        Some(Ok(policy)) => policy,
        _ => return false,
    };
    let statements = policy.get("Statement").and_then(Value::as_array).into_iter().flatten();
    statements.into_iter().any(|statement| allows(statement, &scope.account, source))
}

fn allows(statement: &Value, account: &str, source: &str) -> bool {
    let principal = &statement["Principal"];
    let ours = principal == "*" || principal["Service"] == PRINCIPAL;
    let action = statement["Action"].as_str().unwrap_or_default();
    let invoke = ["lambda:InvokeFunction", "lambda:*", "*"].contains(&action);
    let condition = &statement["Condition"];
    let from = condition["ArnLike"]["AWS:SourceArn"].as_str().is_none_or(|pattern| like(pattern, source));
    let account = condition["StringEquals"]["AWS:SourceAccount"].as_str().is_none_or(|wanted| wanted == account);
    // A condition on an organisation cannot hold: there is none here.
    let organisation = condition["StringEquals"].get("aws:PrincipalOrgID").is_none();
    ours && invoke && from && account && organisation
}

/// `*` stands for any text, `?` for one character.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (p, t) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_arns_match_with_their_stars() {
        let source = "arn:aws:execute-api:us-east-1:000000000000:abc/lab/POST/";
        let cases = [
            ("arn:aws:execute-api:us-east-1:000000000000:abc/*/POST/", true),
            ("arn:aws:execute-api:us-east-1:000000000000:abc/*", true),
            ("arn:aws:execute-api:us-east-1:000000000000:abc/*/GET/", false),
            ("arn:aws:execute-api:us-east-1:000000000000:other/*", false),
            ("*", true),
        ];
        for (pattern, expected) in cases {
            assert_eq!(like(pattern, source), expected, "{pattern}");
        }
    }
}
