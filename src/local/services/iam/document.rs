//! The form of policy documents, in the words of IAM's own refusals. Pure.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::faults::IamFault;

/// What a document is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// What a user, group or role may do.
    Identity,
    /// Who may assume a role.
    Trust,
}

fn malformed<T>(message: impl Into<String>) -> Result<T, IamFault> {
    Err(IamFault::Malformed(message.into()))
}

/// Checks a document.
pub(super) fn check(text: &str, usage: Use) -> Result<(), IamFault> {
    let Ok(Value::Object(document)) = serde_json::from_str(text) else {
        return malformed("This policy contains invalid Json");
    };
    for (key, value) in &document {
        match (key.as_str(), value) {
            ("Version", Value::String(version)) if matches!(version.as_str(), "2012-10-17" | "2008-10-17") => {}
            ("Version", _) => return malformed("Syntax errors in policy."),
            ("Id", Value::String(_)) | ("Statement", _) => {}
            _ => return malformed(format!("Syntax errors in policy. Unknown field {key}")),
        }
    }
    let statements: Vec<&Value> = match document.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => return malformed("Syntax errors in policy."),
    };
    let mut ids = BTreeSet::new();
    for statement in statements {
        let Value::Object(statement) = statement else { return malformed("Syntax errors in policy.") };
        check_statement(statement, usage)?;
        if let Some(id) = statement.get("Sid").and_then(Value::as_str)
            && !id.is_empty()
            && !ids.insert(id)
        {
            return malformed("Statement IDs (SID) in a single policy must be unique.");
        }
    }
    Ok(())
}

const FIELDS: [&str; 9] =
    ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"];

fn check_statement(statement: &Map<String, Value>, usage: Use) -> Result<(), IamFault> {
    if let Some(unknown) = statement.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        return malformed(format!("Syntax errors in policy. Unknown field {unknown}"));
    }
    if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return malformed("Syntax errors in policy.");
    }
    match statement.get("Sid") {
        None => {}
        Some(Value::String(id)) if usage == Use::Trust || id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {}
        Some(_) => {
            return malformed(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*",
            );
        }
    }
    for action in one_of(statement, ["Action", "NotAction"], "Policy statement must contain actions.")? {
        let (vendor, name) = action.split_once(':').unwrap_or(("", action));
        match usage {
            _ if action == "*" && usage == Use::Identity => {}
            _ if vendor.is_empty() || name.is_empty() => {
                return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
            }
            Use::Trust if !vendor.eq_ignore_ascii_case("sts") => {
                return malformed("AssumeRole policy may only specify STS AssumeRole actions.");
            }
            Use::Identity | Use::Trust => {}
        }
    }
    match usage {
        Use::Identity => {
            if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
                return malformed("Policy document should not specify a principal.");
            }
            let resources = one_of(statement, ["Resource", "NotResource"], "Policy statement must contain resources.")?;
            resources.into_iter().try_for_each(check_resource)?;
        }
        Use::Trust => {
            if statement.contains_key("Resource") || statement.contains_key("NotResource") {
                return malformed("Has prohibited field Resource");
            }
            check_principal(statement)?;
        }
    }
    statement.get("Condition").map_or(Ok(()), check_condition)
}

/// The texts of the one of two fields that is there.
fn one_of<'s>(statement: &'s Map<String, Value>, names: [&str; 2], neither: &str) -> Result<Vec<&'s str>, IamFault> {
    let (first, second) = (statement.get(names[0]), statement.get(names[1]));
    match (first, second) {
        (Some(_), Some(_)) => malformed("Syntax errors in policy."),
        (Some(value), None) | (None, Some(value)) => {
            texts(value).filter(|texts| !texts.is_empty()).map_or_else(|| malformed(neither), Ok)
        }
        (None, None) => malformed(neither),
    }
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn check_resource(resource: &str) -> Result<(), IamFault> {
    if resource == "*" {
        return Ok(());
    }
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, service, _, _, name] => {
            let known = matches!(partition, "aws" | "aws-cn" | "aws-us-gov" | "*") || partition.contains("${");
            if !known {
                return malformed(format!("Partition \"{partition}\" is not valid for resource \"{resource}\"."));
            }
            if service.is_empty() || name.is_empty() {
                malformed(format!("The policy failed legacy parsing: {resource}"))
            } else {
                Ok(())
            }
        }
        _ if resource.starts_with("arn:") && resource.ends_with('*') => Ok(()),
        _ => malformed(format!("Resource {resource} must be in ARN format or \"*\".")),
    }
}

fn check_principal(statement: &Map<String, Value>) -> Result<(), IamFault> {
    let principal = statement.get("Principal").or_else(|| statement.get("NotPrincipal"));
    match principal {
        Some(Value::String(any)) if any == "*" => Ok(()),
        Some(Value::Object(kinds)) if !kinds.is_empty() => {
            for (kind, named) in kinds {
                let Some(names) = texts(named).filter(|names| !names.is_empty()) else {
                    return malformed("Syntax errors in policy.");
                };
                let valid = |name: &&str| match kind.as_str() {
                    "Service" => name.contains('.'),
                    "AWS" => {
                        *name == "*"
                            || name.starts_with("arn:")
                            || (name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit()))
                    }
                    "Federated" | "CanonicalUser" => !name.is_empty(),
                    _ => false,
                };
                if let Some(wrong) = names.iter().find(|name| !valid(name)) {
                    return malformed(format!("Invalid principal in policy: \"{kind}\":\"{wrong}\""));
                }
            }
            Ok(())
        }
        Some(_) => malformed("Syntax errors in policy."),
        None => malformed("Missing required field Principal"),
    }
}

const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
];

fn check_condition(condition: &Value) -> Result<(), IamFault> {
    let Value::Object(operators) = condition else { return malformed("Syntax errors in policy.") };
    for (operator, keys) in operators {
        let bare = operator
            .strip_prefix("ForAllValues:")
            .or_else(|| operator.strip_prefix("ForAnyValue:"))
            .unwrap_or(operator);
        let bare = bare.strip_suffix("IfExists").unwrap_or(bare);
        if !OPERATORS.iter().any(|known| known.eq_ignore_ascii_case(bare)) {
            return malformed(format!("Invalid Condition type : {operator}."));
        }
        let Value::Object(keys) = keys else { return malformed("Syntax errors in policy.") };
        if keys.keys().any(|key| !key.contains(':')) {
            return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, usage: Use) -> String {
        match check(text, usage) {
            Ok(()) => "ok".to_owned(),
            Err(IamFault::Malformed(message)) => message,
            Err(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn good_documents_pass() {
        for text in [
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"}]}"#,
            r#"{"Statement": {"Sid": "A1", "Effect": "Deny", "NotAction": ["iam:*"], "NotResource": "*"}}"#,
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*",
                "Condition": {"ForAnyValue:StringLikeIfExists": {"aws:PrincipalArn": ["a"]}}}]}"#,
        ] {
            assert_eq!(told(text, Use::Identity), "ok", "{text}");
        }
        let trust = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;
        assert_eq!(told(trust, Use::Trust), "ok");
    }

    #[test]
    fn bad_documents_are_told_why() {
        let statement = |inner: &str| format!(r#"{{"Version": "2012-10-17", "Statement": [{{{inner}}}]}}"#);
        for (text, usage, why) in [
            ("{".to_owned(), Use::Identity, "invalid Json"),
            ("[]".to_owned(), Use::Identity, "invalid Json"),
            (r#"{"Version": "2012-10-17", "Statement": []}"#.to_owned(), Use::Identity, "Syntax errors"),
            (r#"{"Version": "2026-01-01", "Statement": [{}]}"#.to_owned(), Use::Identity, "Syntax errors"),
            (statement(r#""Effect": "allow", "Action": "s3:*", "Resource": "*""#), Use::Identity, "Syntax errors"),
            (statement(r#""Effect": "Allow", "Action": "GetObject", "Resource": "*""#), Use::Identity, "vendor"),
            (statement(r#""Effect": "Allow", "Action": "s3:*""#), Use::Identity, "must contain resources"),
            (statement(r#""Effect": "Allow", "Resource": "*""#), Use::Identity, "must contain actions"),
            (statement(r#""Effect": "Allow", "Action": "s3:*", "Resource": "bucket""#), Use::Identity, "ARN format"),
            (
                statement(r#""Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*""#),
                Use::Identity,
                "principal",
            ),
            (
                statement(r#""Effect": "Allow", "Action": "s3:*", "Resource": "*", "Conditions": {}"#),
                Use::Identity,
                "Conditions",
            ),
            (
                statement(
                    r#""Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Equals": {"a:b": 1}}"#,
                ),
                Use::Identity,
                "Equals",
            ),
            (statement(r#""Effect": "Allow", "Action": "sts:AssumeRole""#), Use::Trust, "Principal"),
            (statement(r#""Effect": "Allow", "Action": "s3:*", "Principal": "*""#), Use::Trust, "STS AssumeRole"),
            (
                statement(r#""Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda"}"#),
                Use::Trust,
                "Invalid principal",
            ),
            (
                statement(r#""Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*", "Resource": "*""#),
                Use::Trust,
                "prohibited",
            ),
        ] {
            let message = told(&text, usage);
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
