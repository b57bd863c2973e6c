//! Whether a role's trust policy lets a caller assume it. Pure.

use serde_json::{Map, Value};

use crate::local::like::is_like;
use crate::local::scope::{ACCOUNT, Caller};

/// Who asks, and what conditions may look at.
pub(super) struct Asker<'a> {
    pub(super) caller: &'a Caller,
    pub(super) external_id: Option<&'a str>,
}

/// Whether `policy` allows `asker` to call `sts:AssumeRole`: some statement allows it and none denies it.
pub(super) fn allows(policy: &Value, asker: &Asker<'_>) -> bool {
    let statements = many(policy.get("Statement"));
    let denied = statements.iter().any(|statement| is_effect(statement, "Deny") && applies(statement, asker, true));
    !denied && statements.iter().any(|statement| is_effect(statement, "Allow") && applies(statement, asker, false))
}

/// IAM's "one or a list of".
fn many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    many(value).into_iter().filter_map(Value::as_str).collect()
}

fn is_effect(statement: &Value, effect: &str) -> bool {
    statement.get("Effect").and_then(Value::as_str) == Some(effect)
}

/// `unknown`: what a condition counts as that cannot be judged here. It never opens a door: it holds in a `Deny`, not in an `Allow`.
fn applies(statement: &Value, asker: &Asker<'_>, unknown: bool) -> bool {
    let actions = texts(statement.get("Action"));
    let action = actions.iter().any(|pattern| is_like(&pattern.to_ascii_lowercase(), "sts:assumerole"));
    action
        && has_principal(statement.get("Principal"), asker.caller)
        && conditions(statement.get("Condition"), asker, unknown)
}

fn has_principal(principal: Option<&Value>, caller: &Caller) -> bool {
    match principal {
        Some(Value::String(any)) => any == "*",
        Some(Value::Object(kinds)) => match caller {
            Caller::Service { principal } => texts(kinds.get("Service")).contains(&principal.as_str()),
            Caller::Root | Caller::User { .. } | Caller::Role { .. } => {
                texts(kinds.get("AWS")).into_iter().any(|named| is_principal(named, caller))
            }
            Caller::Anonymous => false,
        },
        _ => false,
    }
}

fn is_principal(named: &str, caller: &Caller) -> bool {
    let whole_account = named == "*" || named == ACCOUNT || named == format!("arn:aws:iam::{ACCOUNT}:root");
    whole_account
        || match caller {
            Caller::User { arn, .. } => named == arn,
            Caller::Role { role_arn, arn } => named == role_arn || named == arn,
            Caller::Root | Caller::Service { .. } | Caller::Anonymous => false,
        }
}

fn conditions(conditions: Option<&Value>, asker: &Asker<'_>, unknown: bool) -> bool {
    let Some(Value::Object(operators)) = conditions else { return conditions.is_none() || unknown };
    operators
        .iter()
        .all(|(operator, keys)| keys.as_object().map_or(unknown, |keys| condition(operator, keys, asker, unknown)))
}

fn condition(operator: &str, keys: &Map<String, Value>, asker: &Asker<'_>, unknown: bool) -> bool {
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    keys.iter().all(|(key, wanted)| {
        let wanted = texts(Some(wanted));
        let Some(found) = context(key, asker) else { return if_exists || unknown };
        match (operator, found) {
            ("StringEquals" | "StringLike" | "ArnEquals" | "ArnLike", Found::SourceArn) => {
                wanted.iter().any(|arn| is_ours(arn))
            }
            ("StringEquals", Found::Text(text)) => wanted.contains(&text),
            ("StringNotEquals", Found::Text(text)) => !wanted.contains(&text),
            ("StringEqualsIgnoreCase", Found::Text(text)) => {
                wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(text))
            }
            ("StringLike" | "ArnEquals" | "ArnLike", Found::Text(text)) => {
                wanted.iter().any(|pattern| is_like(pattern, text))
            }
            ("StringNotLike" | "ArnNotEquals" | "ArnNotLike", Found::Text(text)) => {
                !wanted.iter().any(|pattern| is_like(pattern, text))
            }
            _ => unknown,
        }
    })
}

enum Found<'a> {
    Text(&'a str),
    /// The resource that a service acts for. Services do not say which, but here it is always one of this account.
    SourceArn,
}

fn context<'a>(key: &str, asker: &Asker<'a>) -> Option<Found<'a>> {
    match (key.to_ascii_lowercase().as_str(), asker.caller) {
        ("sts:externalid", _) => asker.external_id.map(Found::Text),
        ("aws:sourceaccount", Caller::Service { .. })
        | ("aws:principalaccount", Caller::Root | Caller::User { .. } | Caller::Role { .. }) => {
            Some(Found::Text(ACCOUNT))
        }
        ("aws:sourcearn", Caller::Service { .. }) => Some(Found::SourceArn),
        ("aws:principalarn", Caller::User { arn, .. }) => Some(Found::Text(arn)),
        ("aws:principalarn", Caller::Role { role_arn, .. }) => Some(Found::Text(role_arn)),
        ("aws:username", Caller::User { name, .. }) => Some(Found::Text(name)),
        _ => None,
    }
}

/// Whether an ARN (or pattern) can name a resource of this account. S3's ARNs name none.
fn is_ours(arn: &str) -> bool {
    arn == "*" || arn.split(':').nth(4).is_some_and(|account| account.is_empty() || is_like(account, ACCOUNT))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(principal: &Value, condition: &Value) -> Value {
        let mut statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
        if !condition.is_null() {
            statement["Condition"] = condition.clone();
        }
        json!({"Version": "2012-10-17", "Statement": [statement]})
    }

    fn lambda() -> Caller {
        Caller::Service { principal: "lambda.amazonaws.com".into() }
    }

    fn user() -> Caller {
        Caller::User { name: "ann".into(), arn: format!("arn:aws:iam::{ACCOUNT}:user/ann") }
    }

    fn lets_in(policy: &Value, caller: &Caller) -> bool {
        allows(policy, &Asker { caller, external_id: Some("x-1") })
    }

    #[test]
    fn a_service_is_let_in_by_name_only() {
        let trust = policy(&json!({"Service": ["lambda.amazonaws.com", "rds.amazonaws.com"]}), &Value::Null);
        assert!(lets_in(&trust, &lambda()));
        assert!(!lets_in(&trust, &Caller::Service { principal: "ec2.amazonaws.com".into() }));
        assert!(!lets_in(&trust, &Caller::Root) && !lets_in(&trust, &user()));
    }

    #[test]
    fn an_account_lets_in_its_users_and_a_user_only_itself() {
        let account = policy(&json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}), &Value::Null);
        assert!(lets_in(&account, &Caller::Root) && lets_in(&account, &user()) && !lets_in(&account, &lambda()));
        let ann = policy(&json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:user/ann")}), &Value::Null);
        assert!(lets_in(&ann, &user()) && !lets_in(&ann, &Caller::Root));
    }

    #[test]
    fn conditions_are_judged_and_an_unknown_one_opens_no_door() {
        let with = |caller: &Caller, condition: Value| {
            lets_in(&policy(&json!({"AWS": "*", "Service": "lambda.amazonaws.com"}), &condition), caller)
        };
        assert!(with(&user(), json!({"StringEquals": {"sts:ExternalId": "x-1"}})));
        assert!(!with(&user(), json!({"StringEquals": {"sts:ExternalId": "x-2"}})));
        assert!(with(&lambda(), json!({"StringEquals": {"aws:SourceAccount": ACCOUNT}})));
        assert!(with(
            &lambda(),
            json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:*")}})
        ));
        assert!(!with(
            &lambda(),
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:lambda:us-east-1:111111111111:function:*"}})
        ));
        assert!(!with(&user(), json!({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01"}})));
        assert!(!with(&user(), json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})));
    }

    #[test]
    fn a_denial_wins() {
        let mut trust = policy(&json!({"AWS": "*"}), &Value::Null);
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:*"});
        if let Some(statements) = trust["Statement"].as_array_mut() {
            statements.push(deny);
        }
        assert!(!lets_in(&trust, &user()));
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, text, like) in [
            ("a*c", "abbc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("a*b*c", "aXbYbc", true),
            ("", "a", false),
        ] {
            assert_eq!(is_like(pattern, text), like, "{pattern} {text}");
        }
    }
}
