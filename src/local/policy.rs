//! What the policies of roles, functions and buckets have in common: statements, effects, conditions. Pure.

use serde_json::{Map, Value};

use super::like::is_like;

/// IAM's "one or a list of".
pub(super) fn many(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        None | Some(Value::Null) => &[],
        Some(one) => std::slice::from_ref(one),
    }
}

pub(super) fn texts(value: Option<&Value>) -> Vec<&str> {
    many(value).iter().filter_map(Value::as_str).collect()
}

pub(super) fn statements(policy: &Value) -> &[Value] {
    many(policy.get("Statement"))
}

pub(super) fn has_effect(statement: &Value, effect: &str) -> bool {
    statement.get("Effect").and_then(Value::as_str) == Some(effect)
}

/// What a condition counts for that cannot be judged here. It never opens a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// As true: in a `Deny`.
    Holds,
    /// As false: in an `Allow`.
    Fails,
}

/// Whether some statement that applies allows it, and none denies it.
pub(super) fn allows(policy: &Value, applies: impl Fn(&Value, Doubt) -> bool) -> bool {
    decide(statements(policy), has_effect, applies)
}

/// [`allows`] of statements that are read already.
pub(super) fn decide<S>(
    statements: &[S],
    has_effect: impl Fn(&S, &str) -> bool,
    applies: impl Fn(&S, Doubt) -> bool,
) -> bool {
    let some = |effect: &str, doubt: Doubt| {
        statements.iter().any(|statement| has_effect(statement, effect) && applies(statement, doubt))
    };
    !some("Deny", Doubt::Holds) && some("Allow", Doubt::Fails)
}

/// What is known of a condition key.
pub(super) enum Found<'a> {
    Text(&'a str),
    /// Not what it is, but whether it may be what a condition wants.
    Fits(fn(&str) -> bool),
}

/// Whether a statement's `Condition` holds. `context`: what is known of a key, in small letters.
pub(super) fn conditions_hold<'a>(
    condition: Option<&Value>,
    context: &dyn Fn(&str) -> Option<Found<'a>>,
    doubt: Doubt,
) -> bool {
    let doubtful = doubt == Doubt::Holds;
    match condition {
        None | Some(Value::Null) => true,
        Some(Value::Object(operators)) => operators
            .iter()
            .all(|(operator, keys)| keys.as_object().map_or(doubtful, |keys| holds(operator, keys, context, doubt))),
        Some(_) => doubtful,
    }
}

fn holds<'a>(
    operator: &str,
    keys: &Map<String, Value>,
    context: &dyn Fn(&str) -> Option<Found<'a>>,
    doubt: Doubt,
) -> bool {
    let doubtful = doubt == Doubt::Holds;
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    keys.iter().all(|(key, wanted)| {
        let wanted = texts(Some(wanted));
        let Some(found) = context(&key.to_ascii_lowercase()) else { return if_exists || doubtful };
        match (operator, found) {
            ("StringEquals" | "StringLike" | "ArnEquals" | "ArnLike", Found::Fits(fits)) => {
                wanted.into_iter().any(fits)
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
            _ => doubtful,
        }
    })
}
