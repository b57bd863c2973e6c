//! What answers have in common: members without a value are left out, lists come in pages.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::faults::CfnFault;

/// An operation that takes nothing but the stack's name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Named {
    pub(in super::super) stack_name: String,
    pub(in super::super) next_token: Option<String>,
}

/// Leaves out every member whose value is null.
pub(super) fn compact(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, compact(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(compact).collect(),
        other => other,
    }
}

/// One page of `items`, as the member `name`, with `NextToken` if there are more.
pub(super) fn page(name: &str, items: Vec<Value>, token: Option<&str>, size: usize) -> Result<Value, CfnFault> {
    let start: usize = match token {
        None => 0,
        Some(token) => token.parse().map_err(|_| CfnFault::validation("Provided NextToken is invalid"))?,
    };
    let more = (start + size < items.len()).then(|| (start + size).to_string());
    let items: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    Ok(compact(json!({name: items, "NextToken": more})))
}
