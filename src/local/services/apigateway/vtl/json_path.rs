//! The JSON paths of `$input.json(…)` and `$input.path(…)`: `$`, `.name`, `['name']`, `[0]`, `[*]`, `.*`.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Index(i64),
    Every,
}

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::local::services::apigateway) struct JsonPath(Vec<Step>);

impl JsonPath {
    pub(in crate::local::services::apigateway) fn parse(text: &str) -> Result<Self, String> {
        let refused = |what: &str| format!("the JSON path {text}: {what}");
        let mut rest = text.trim();
        // API Gateway takes a path without its `$` as one from the root.
        rest = rest.strip_prefix('$').unwrap_or(rest);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if rest.starts_with("..") {
                return Err(refused("'..' is not supported"));
            } else if let Some(after) = rest.strip_prefix('[') {
                let (inner, after) = after.split_once(']').ok_or_else(|| refused("']' is missing"))?;
                let inner = inner.trim();
                steps.push(match inner.trim_matches(['\'', '"']) {
                    name if name.len() != inner.len() => Step::Key(name.to_owned()),
                    "*" => Step::Every,
                    number => {
                        Step::Index(number.parse().map_err(|_| refused("only names, numbers and * stand in brackets"))?)
                    }
                });
                rest = after;
            } else {
                let after = rest.strip_prefix('.').unwrap_or(rest);
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let name = &after[..end];
                if name.is_empty() || name.contains(['(', '?', '@']) {
                    return Err(refused("a name is missing, or a function stands in its place"));
                }
                steps.push(if name == "*" { Step::Every } else { Step::Key(name.to_owned()) });
                rest = &after[end..];
            }
        }
        Ok(JsonPath(steps))
    }

    /// What the path selects; a path with `*` selects a list.
    pub(in crate::local::services::apigateway) fn select(&self, root: &Value) -> Option<Value> {
        let mut found = vec![root];
        let mut many = false;
        for step in &self.0 {
            many |= *step == Step::Every;
            found = found.into_iter().flat_map(|value| take(value, step)).collect();
        }
        if many { Some(Value::Array(found.into_iter().cloned().collect())) } else { found.pop().cloned() }
    }
}

fn take<'v>(value: &'v Value, step: &Step) -> Vec<&'v Value> {
    match (step, value) {
        (Step::Key(key), Value::Object(map)) => map.get(key).into_iter().collect(),
        (Step::Index(index), Value::Array(list)) => {
            let index = if *index < 0 {
                usize::try_from(-index).ok().and_then(|back| list.len().checked_sub(back))
            } else {
                usize::try_from(*index).ok()
            };
            index.and_then(|index| list.get(index)).into_iter().collect()
        }
        (Step::Every, Value::Array(list)) => list.iter().collect(),
        (Step::Every, Value::Object(map)) => map.values().collect(),
        _ => Vec::new(),
    }
}
