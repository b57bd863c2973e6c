//! The operations, by what they work on.

pub(super) mod aliases;
pub(super) mod concurrency;
pub(super) mod create;
pub(super) mod events;
pub(super) mod functions;
pub(super) mod invoke;
pub(super) mod policy;
pub(super) mod settings;
pub(super) mod shape;
pub(super) mod tags;
pub(super) mod update;
pub(super) mod versions;

use serde::{Deserialize, Serialize};

/// An operation that answers nothing.
#[derive(Serialize)]
pub(super) struct Nothing {}

/// A request that names a function and nothing else.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Named {
    pub function_name: String,
}

/// A request that names a function, and perhaps a version or alias.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Qualified {
    pub function_name: String,
    pub qualifier: Option<String>,
}

impl Qualified {
    pub(super) fn target(&self) -> Result<super::names::Target, super::faults::LambdaFault> {
        super::names::Target::parse(&self.function_name, self.qualifier.as_deref())
    }
}

/// One page of `items` that come in the order of their names, and the marker of the next.
pub(super) fn page<T>(
    items: Vec<T>,
    name: impl Fn(&T) -> String,
    marker: Option<&str>,
    most: Option<usize>,
) -> (Vec<T>, Option<String>) {
    let most = most.unwrap_or(50).clamp(1, 50);
    let mut items: Vec<T> =
        items.into_iter().filter(|item| marker.is_none_or(|marker| name(item).as_str() > marker)).collect();
    let more = items.len() > most;
    items.truncate(most);
    let next = items.last().filter(|_| more).map(name);
    (items, next)
}
