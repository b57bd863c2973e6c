//! Whether a role's trust policy lets a caller assume it. Pure.

use serde_json::Value;

use crate::like::is_like;
use crate::policy::{self, Doubt, Found, conditions_hold, texts};
use crate::scope::{ACCOUNT, Caller};

/// Who asks, and what conditions may look at.
pub(super) struct Asker<'a> {
    pub(super) caller: &'a Caller,
    pub(super) external_id: Option<&'a str>,
}

/// Whether `policy` allows `asker` to call `sts:AssumeRole`: some statement allows it and none denies it.
pub(super) fn allows(policy: &Value, asker: &Asker<'_>) -> bool {
    policy::allows(policy, |statement, doubt| applies(statement, asker, doubt))
}

fn applies(statement: &Value, asker: &Asker<'_>, doubt: Doubt) -> bool {
    let actions = texts(statement.get("Action"));
    actions.iter().any(|pattern| is_like(&pattern.to_ascii_lowercase(), "sts:assumerole"))
        && has_principal(statement.get("Principal"), asker.caller)
        && conditions_hold(statement.get("Condition"), &|key| context(key, asker), doubt)
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

fn context<'a>(key: &str, asker: &Asker<'a>) -> Option<Found<'a>> {
    match (key, asker.caller) {
        ("sts:externalid", _) => asker.external_id.map(Found::Text),
        ("aws:sourceaccount", Caller::Service { .. })
        | ("aws:principalaccount", Caller::Root | Caller::User { .. } | Caller::Role { .. }) => {
            Some(Found::Text(ACCOUNT))
        }
        // A service that assumes a role here does not say which resource it acts for, but it is always one of this account.
        ("aws:sourcearn", Caller::Service { .. }) => Some(Found::Fits(is_ours)),
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

    fn trust_in(principal: &Value, condition: &Value) -> Value {
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

    fn lets_in(trust: &Value, caller: &Caller) -> bool {
        allows(trust, &Asker { caller, external_id: Some("x-1") })
    }

    #[test]
    fn a_service_is_let_in_by_name_only() {
        let trust = trust_in(&json!({"Service": ["lambda.amazonaws.com", "rds.amazonaws.com"]}), &Value::Null);
        assert!(lets_in(&trust, &lambda()));
        assert!(!lets_in(&trust, &Caller::Service { principal: "ec2.amazonaws.com".into() }));
        assert!(!lets_in(&trust, &Caller::Root) && !lets_in(&trust, &user()));
    }

    #[test]
    fn an_account_lets_in_its_users_and_a_user_only_itself() {
        let account = trust_in(&json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}), &Value::Null);
        assert!(lets_in(&account, &Caller::Root) && lets_in(&account, &user()) && !lets_in(&account, &lambda()));
        let ann = trust_in(&json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:user/ann")}), &Value::Null);
        assert!(lets_in(&ann, &user()) && !lets_in(&ann, &Caller::Root));
    }

    #[test]
    fn conditions_are_judged_and_an_unknown_one_opens_no_door() {
        let with = |caller: &Caller, condition: Value| {
            lets_in(&trust_in(&json!({"AWS": "*", "Service": "lambda.amazonaws.com"}), &condition), caller)
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
        let mut trust = trust_in(&json!({"AWS": "*"}), &Value::Null);
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:*"});
        if let Some(statements) = trust["Statement"].as_array_mut() {
            statements.push(deny);
        }
        assert!(!lets_in(&trust, &user()));
    }
}
