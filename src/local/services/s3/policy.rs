//! Bucket policies: their form, whether they are public, and what they let anonymous callers do.
//!
//! Signed callers belong to the one account, whose policies are not evaluated here. Conditions are not evaluated either:
//! a statement that allows under a condition allows nothing to anonymous callers, one that denies denies always.

use serde_json::Value;

use super::faults::S3Fault;
use crate::like::is_like;
use crate::policy::{has_effect, statements, texts};

/// Reads a policy and refuses what S3 would refuse.
pub(super) fn parse(text: &str, bucket: &str) -> Result<Value, S3Fault> {
    let malformed = |message: &str| S3Fault::MalformedPolicy(message.to_owned());
    let policy: Value = serde_json::from_str(text)
        .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    let Some(members) = policy.as_object() else {
        return Err(malformed("Policies must be valid JSON and the first byte must be '{'"));
    };
    if text.len() > 20 * 1024 {
        return Err(malformed("Policy exceeds the maximum allowed document size."));
    }
    if let Some(unknown) = members.keys().find(|name| !["Version", "Id", "Statement"].contains(&name.as_str())) {
        return Err(malformed(&format!("Unknown field {unknown}")));
    }
    if statements(&policy).is_empty() {
        return Err(malformed("Missing required field Statement"));
    }
    for statement in statements(&policy) {
        check_statement(statement, bucket)?;
    }
    Ok(policy)
}

fn check_statement(statement: &Value, bucket: &str) -> Result<(), S3Fault> {
    const KNOWN: [&str; 9] =
        ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    let malformed = |message: &str| S3Fault::MalformedPolicy(message.to_owned());
    let members = statement.as_object().ok_or_else(|| malformed("Statement must be an object"))?;
    if let Some(unknown) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(malformed(&format!("Unknown field {unknown}")));
    }
    if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Err(malformed("Missing required field Effect"));
    }
    for (field, other) in [("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")] {
        if members.contains_key(field) == members.contains_key(other) {
            return Err(malformed(&format!("Missing required field {field}")));
        }
    }
    let actions = texts(statement.get("Action").or(statement.get("NotAction")));
    if actions.is_empty() || actions.iter().any(|action| *action != "*" && !action.to_lowercase().starts_with("s3:")) {
        return Err(malformed("Policy has invalid action"));
    }
    let arn = format!("arn:aws:s3:::{bucket}");
    let resources = texts(statement.get("Resource").or(statement.get("NotResource")));
    let names_bucket = |resource: &&str| {
        let rest = resource.strip_prefix(arn.as_str());
        *resource == "*" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest == "*")
    };
    if resources.is_empty() || !resources.iter().all(names_bucket) {
        return Err(malformed("Policy has invalid resource"));
    }
    Ok(())
}

/// Whether the policy gives something to everybody.
pub(super) fn is_public(policy: &Value) -> bool {
    statements(policy).iter().any(|statement| {
        has_effect(statement, "Allow") && names_everybody(statement) && statement.get("Condition").is_none()
    })
}

/// Whether an anonymous caller may do `action` (`s3:GetObject`) on `resource` (an ARN).
pub(super) fn lets_anonymous(policy: &Value, action: &str, resource: &str) -> bool {
    let applies = |statement: &&Value| {
        names_everybody(statement)
            && matches(statement, "Action", |pattern| is_like(&pattern.to_lowercase(), &action.to_lowercase()))
            && matches(statement, "Resource", |pattern| is_like(pattern, resource))
    };
    let mut allowed = false;
    for statement in statements(policy).iter().filter(applies) {
        if !has_effect(statement, "Allow") {
            return false;
        }
        allowed |= statement.get("Condition").is_none();
    }
    allowed
}

fn names_everybody(statement: &Value) -> bool {
    if statement.get("NotPrincipal").is_some() {
        return true;
    }
    match statement.get("Principal") {
        Some(Value::String(text)) => text == "*",
        Some(Value::Object(kinds)) => kinds.get("AWS").is_some_and(|aws| texts(Some(aws)).contains(&"*")),
        _ => false,
    }
}

/// Whether `Action` or `Resource` (or its `Not…`) covers what `fits` stands for.
fn matches(statement: &Value, field: &str, fits: impl Fn(&str) -> bool) -> bool {
    match statement.get(field) {
        Some(value) => texts(Some(value)).into_iter().any(fits),
        None => !texts(statement.get(format!("Not{field}"))).into_iter().any(fits),
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn policy(statement: Value) -> Value {
        let text = serde_json::json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        parse(&text, "b").unwrap()
    }

    #[test]
    fn a_public_read_policy_lets_anonymous_read_and_nothing_else() {
        let policy = policy(serde_json::json!({
            "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/public/*",
        }));
        assert!(is_public(&policy));
        assert!(lets_anonymous(&policy, "s3:GetObject", "arn:aws:s3:::b/public/x"));
        assert!(!lets_anonymous(&policy, "s3:PutObject", "arn:aws:s3:::b/public/x"));
        assert!(!lets_anonymous(&policy, "s3:GetObject", "arn:aws:s3:::b/private/x"));
    }

    #[test]
    fn a_condition_allows_nothing_and_denies_always() {
        let allow = policy(serde_json::json!({
            "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": "arn:aws:s3:::b/*",
            "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}},
        }));
        assert!(!is_public(&allow) && !lets_anonymous(&allow, "s3:GetObject", "arn:aws:s3:::b/x"));
    }

    #[test]
    fn a_policy_for_another_bucket_or_service_is_malformed() {
        for (action, resource) in [("s3:GetObject", "arn:aws:s3:::other/*"), ("sqs:SendMessage", "arn:aws:s3:::b/*")] {
            let statement =
                serde_json::json!({"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource});
            let text = serde_json::json!({"Statement": statement}).to_string();
            assert!(matches!(parse(&text, "b"), Err(S3Fault::MalformedPolicy(_))));
        }
        assert!(parse("no", "b").is_err());
    }
}
