//! What each resource type takes: compact tables made from the official CloudFormation schemas by `tools/cfn_schemas.py`.

mod coerce;
mod properties;
mod sample;
mod table;

use serde_json::Value as Json;

use super::intrinsics::UNKNOWN;
use super::problem::{Problem, nearest};
use super::yaml::Node;

pub use sample::sample;

/// How much is known of a type name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It has a property table.
    Table,
    /// CloudFormation has it, this program has no table of it.
    NameOnly,
    /// `Custom::Anything`.
    Custom,
    /// Nobody has it.
    Unknown { near: Option<String> },
}

pub fn known(kind: &str) -> Known {
    if kind.strip_prefix("Custom::").is_some_and(|name| !name.is_empty()) {
        return Known::Custom;
    }
    if table::of(kind).is_some() {
        return Known::Table;
    }
    // Types of other publishers (`Org::Service::Resource::MODULE`) are the account's own.
    let foreign =
        kind.split("::").count() >= 3 && !kind.starts_with("AWS::") && !kind.to_lowercase().starts_with("aws:");
    if foreign || table::names().binary_search_by(|name| name.as_str().cmp(kind)).is_ok() {
        return Known::NameOnly;
    }
    Known::Unknown { near: nearest(kind, table::names().iter().map(String::as_str)).map(str::to_owned) }
}

/// Where the tables come from: cfn-lint's version, the region, the date of the schemas.
pub fn source() -> String {
    table::source()
}

/// The types that have a table, sorted.
pub fn with_table() -> impl Iterator<Item = &'static str> {
    table::kept()
}

/// Checks properties as written; values that are intrinsic functions are taken as unknown. `path` is where the properties stand.
pub fn check(kind: &str, properties: &Node, path: &str) -> Vec<Problem> {
    let Some(table) = table::of(kind) else { return Vec::new() };
    let mut check = properties::Check { table: &table, problems: Vec::new() };
    check.value(&table.schema, properties, path);
    for name in table.read_only.iter().filter(|name| !name.contains('.')) {
        // Some legacy schemas call a property both an input and an output; what creation needs is an input.
        let input =
            table.create_only.contains(name) || table.schema.required.contains(name) || kind.starts_with("Custom::");
        if let Some(entry) = properties.as_map().and_then(|map| map.get(name)).filter(|_| !input) {
            check.problems.push(Problem::new(
                entry.at,
                path,
                format!("`{name}` is an attribute that AWS sets, and cannot be given"),
            ));
        }
    }
    check.problems
}

/// The same check for evaluated properties: the problems' places mean nothing.
pub fn check_values(kind: &str, properties: &Json, path: &str) -> Vec<Problem> {
    check(kind, &Node::from_json(properties, super::Position::default()), path)
}

/// Evaluated properties with every scalar as the type takes it: CloudFormation reads `"5"` as 5 where a number is wanted.
pub fn coerced(kind: &str, properties: &Json) -> Json {
    match table::of(kind) {
        Some(table) => table.coerced(&table.schema, properties),
        None => properties.clone(),
    }
}

/// What a change of properties does to a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    Never,
    /// These properties may need a replacement, depending on the values.
    Conditional(Vec<String>),
    /// These properties cannot change in place.
    Always(Vec<String>),
}

/// Compares evaluated properties. Property names come back as dotted paths. A value that is not known yet
/// ([`UNKNOWN`]) may turn out to be the old one: its replacement is conditional.
pub fn replacement(kind: &str, old: &Json, new: &Json) -> Replacement {
    let Some(table) = table::of(kind) else { return Replacement::Never };
    let (mut always, mut conditional) = (Vec::new(), Vec::new());
    for path in &table.create_only {
        let steps: Vec<&str> = path.split('.').collect();
        let (before, after) = (at(old, &steps), at(new, &steps));
        if before == after {
            continue;
        }
        let waits = after.iter().any(has_unknown);
        if waits { conditional.push(path.clone()) } else { always.push(path.clone()) }
    }
    for path in &table.conditional_create_only {
        let steps: Vec<&str> = path.split('.').collect();
        if at(old, &steps) != at(new, &steps) {
            conditional.push(path.clone());
        }
    }
    match (always.is_empty(), conditional.is_empty()) {
        (false, _) => Replacement::Always(always),
        (true, false) => Replacement::Conditional(conditional),
        (true, true) => Replacement::Never,
    }
}

/// The top-level properties in which two sets of evaluated properties differ.
pub fn changed(old: &Json, new: &Json) -> Vec<String> {
    let empty = serde_json::Map::new();
    let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
    let differs = |name: &&String| old.get(*name).map(normal) != new.get(*name).map(normal);
    let mut names: Vec<String> = old.keys().filter(differs).cloned().collect();
    names.extend(new.keys().filter(|name| !old.contains_key(*name)).cloned());
    names.sort_unstable();
    names
}

/// All values at a path, `*` standing for every element of a list.
fn at(json: &Json, steps: &[&str]) -> Vec<Json> {
    let Some((step, rest)) = steps.split_first() else { return vec![normal(json)] };
    match (json, *step) {
        (Json::Array(items), "*") => items.iter().flat_map(|item| at(item, rest)).collect(),
        (Json::Object(map), step) => map.get(step).map(|value| at(value, rest)).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Scalars as text: `5` and `"5"` are the same value to CloudFormation.
fn normal(json: &Json) -> Json {
    match json {
        Json::Number(number) => Json::from(number.to_string()),
        Json::Bool(yes) => Json::from(yes.to_string()),
        Json::Array(items) => items.iter().map(normal).collect(),
        Json::Object(map) => Json::Object(map.iter().map(|(key, value)| (key.clone(), normal(value))).collect()),
        other => other.clone(),
    }
}

fn has_unknown(json: &Json) -> bool {
    match json {
        Json::String(text) => text == UNKNOWN,
        Json::Array(items) => items.iter().any(has_unknown),
        Json::Object(map) => map.values().any(has_unknown),
        _ => false,
    }
}

/// What `Fn::GetAtt` can give for a type; nested attributes under dotted names. `None` if there is no table.
pub fn attributes(kind: &str) -> Option<Vec<String>> {
    table::of(kind).map(|table| table.attributes.clone())
}

/// The attributes that AWS alone sets.
pub fn read_only(kind: &str) -> Vec<String> {
    let Some(table) = table::of(kind) else { return Vec::new() };
    table.attributes.iter().filter(|name| table.read_only.contains(name)).cloned().collect()
}

/// The property that holds tags, if the type takes tags.
pub fn tag_property(kind: &str) -> Option<String> {
    table::of(kind).and_then(|table| table.tags.clone())
}

/// The properties that make up the physical identity, as dotted paths.
pub fn identifier(kind: &str) -> Option<Vec<String>> {
    table::of(kind).map(|table| table.identifier.clone())
}

/// Whether the type may have attributes that no schema lists.
pub fn has_open_attributes(kind: &str, attribute: &str) -> bool {
    kind.starts_with("Custom::")
        || kind == "AWS::CloudFormation::CustomResource"
        || kind == "AWS::CloudFormation::Stack" && attribute.starts_with("Outputs.")
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
