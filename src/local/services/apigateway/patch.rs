//! Patch operations: JSON pointers into a record, each allowed path with the type of what stands there.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::execute_api::fault::GatewayFault;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    op: String,
    pub path: String,
    pub value: Option<String>,
    #[serde(rename = "from")]
    _from: Option<String>,
}

/// What stands at a path; patch operations carry only text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Bool,
    Number,
}

/// `/a/~1b/c` as its unescaped parts.
pub(super) fn parts(path: &str) -> Vec<String> {
    path.trim_start_matches('/').split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

impl Operation {
    pub(super) fn removes(&self) -> bool {
        self.op == "remove"
    }

    pub(super) fn value(&self) -> Result<&str, GatewayFault> {
        self.value.as_deref().ok_or_else(|| {
            GatewayFault::invalid(format!("Invalid patch operation specified: {} needs a value", self.path))
        })
    }

    /// The value as what stands at the path.
    pub(super) fn typed(&self, kind: Kind) -> Result<Value, GatewayFault> {
        let text = self.value()?;
        let wrong = || GatewayFault::invalid(format!("Invalid value '{text}' for the patch path {}", self.path));
        Ok(match kind {
            Kind::Text => json!(text),
            Kind::Bool => json!(text.parse::<bool>().map_err(|_| wrong())?),
            Kind::Number => serde_json::from_str::<serde_json::Number>(text).map(Value::Number).map_err(|_| wrong())?,
        })
    }
}

/// Does `path` match a pattern whose `*` stands for any one part?
fn matches(pattern: &str, path: &[String]) -> bool {
    let pattern: Vec<&str> = pattern.trim_start_matches('/').split('/').collect();
    pattern.len() == path.len() && pattern.iter().zip(path).all(|(wanted, part)| *wanted == "*" || wanted == part)
}

/// Applies operations to a record; a path that is not in `allowed` is refused by name.
pub(super) fn apply<T: Serialize + DeserializeOwned>(
    record: &mut T,
    operations: &[Operation],
    allowed: &[(&str, Kind)],
) -> Result<(), GatewayFault> {
    let broken =
        |error: serde_json::Error| GatewayFault::invalid(format!("Invalid patch operation specified: {error}"));
    let mut value = serde_json::to_value(&*record).map_err(broken)?;
    for operation in operations {
        if !["add", "remove", "replace"].contains(&operation.op.as_str()) {
            return Err(GatewayFault::unsupported(format!("the patch operation {}", operation.op)));
        }
        let path = parts(&operation.path);
        let Some((_, kind)) = allowed.iter().find(|(pattern, _)| matches(pattern, &path)) else {
            let known: Vec<&str> = allowed.iter().map(|(pattern, _)| *pattern).collect();
            return Err(GatewayFault::invalid(format!(
                "Invalid patch path '{}' specified for op '{}'. Must be one of: [{}]",
                operation.path,
                operation.op,
                known.join(", ")
            )));
        };
        set(&mut value, &path, operation, *kind)?;
    }
    *record = serde_json::from_value(value).map_err(broken)?;
    Ok(())
}

fn set(root: &mut Value, path: &[String], operation: &Operation, kind: Kind) -> Result<(), GatewayFault> {
    let Some((last, parents)) = path.split_last() else { return Ok(()) };
    let mut place = root;
    for part in parents {
        if !place.is_object() {
            *place = json!({});
        }
        let Some(map) = place.as_object_mut() else { return Ok(()) };
        place = map.entry(part.clone()).or_insert_with(|| json!({}));
    }
    if place.is_null() {
        *place = json!({});
    }
    let Some(map) = place.as_object_mut() else {
        return Err(GatewayFault::invalid(format!("Invalid patch path {}", operation.path)));
    };
    if operation.removes() {
        map.shift_remove(last);
    } else {
        map.insert(last.clone(), operation.typed(kind)?);
    }
    Ok(())
}
