//! Input that several operations share, and AWS's rules for it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::services::rds::faults::RdsFault;
use crate::services::rds::state::Tags;

/// A tag of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

pub(super) fn tags(tags: Vec<Tag>) -> Tags {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// A filter of a Describe operation.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Filter {
    name: String,
    values: Vec<String>,
}

/// Whether `value` (by the filter's name) passes every filter.
pub(super) fn passes(filters: &[Filter], value: impl Fn(&str) -> Option<Vec<String>>) -> Result<bool, RdsFault> {
    for filter in filters {
        let Some(own) = value(&filter.name) else {
            return Err(RdsFault::InvalidValue(format!("Unrecognized filter name: {}", filter.name)));
        };
        let matches = own.iter().any(|own| filter.values.iter().any(|wanted| wanted.eq_ignore_ascii_case(own)));
        if !matches {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An identifier of a cluster or instance: 1 to 63 letters, digits and hyphens, a letter first, no hyphen last or twice.
pub(super) fn identifier(what: &str, text: &str) -> Result<String, RdsFault> {
    let good = (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.ends_with('-')
        && !text.contains("--");
    if good {
        return Ok(text.to_ascii_lowercase());
    }
    Err(RdsFault::InvalidValue(format!(
        "The parameter {what} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    )))
}

/// One page of `items`, which are sorted by the name that the closure gives.
pub(super) fn page<T>(
    items: Vec<T>,
    name: impl Fn(&T) -> String,
    marker: Option<&str>,
    most: Option<u32>,
) -> Result<(Vec<T>, Option<String>), RdsFault> {
    let most = most.unwrap_or(100);
    if !(20..=100).contains(&most) {
        return Err(RdsFault::InvalidValue(format!("Invalid value {most} for MaxRecords. Must be between 20 and 100")));
    }
    let mut rest: Vec<T> =
        items.into_iter().filter(|item| marker.is_none_or(|marker| name(item).as_str() > marker)).collect();
    let more = rest.len() > most as usize;
    rest.truncate(most as usize);
    let next = rest.last().map(name).filter(|_| more);
    Ok((rest, next))
}

/// The answer of a Describe operation.
pub(super) fn listing(member: &str, items: Vec<Value>, marker: Option<String>) -> Value {
    let mut answer = serde_json::Map::from_iter([(member.to_owned(), Value::Array(items))]);
    if let Some(marker) = marker {
        answer.insert("Marker".into(), marker.into());
    }
    Value::Object(answer)
}

/// An answer with one member.
pub(super) fn answer(member: &str, value: Value) -> Value {
    Value::Object(serde_json::Map::from_iter([(member.to_owned(), value)]))
}

/// The input of an operation that takes none, the answer of one that gives none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}
