//! A value in the course of evaluation: some of it known, some not known yet, some not there at all.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::intrinsics::{Evaluated, UNKNOWN};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// `AWS::NoValue`: what holds it drops it.
    Absent,
    /// Waits for what is named.
    Unknown(String),
    Known(Json),
    /// A list or mapping in which something is unknown. Made by [`Tree::list`] and [`Tree::map`] only.
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// Why a function gives no value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    /// An argument waits for what is named.
    Unknown(String),
    /// AWS's sentence about what is wrong.
    Wrong(String),
}

pub(super) type Outcome = Result<Tree, Stop>;

pub(super) fn wrong<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(what.into()))
}

impl Tree {
    pub(super) fn text(text: impl Into<String>) -> Tree {
        Tree::Known(Json::String(text.into()))
    }

    pub(super) fn list(items: Vec<Tree>) -> Tree {
        let items: Vec<Tree> = items.into_iter().filter(|item| *item != Tree::Absent).collect();
        if items.iter().all(|item| matches!(item, Tree::Known(_))) {
            return Tree::Known(items.into_iter().filter_map(Tree::known).collect());
        }
        Tree::List(items)
    }

    pub(super) fn map(entries: Vec<(String, Tree)>) -> Tree {
        let entries: Vec<_> = entries.into_iter().filter(|(_, value)| *value != Tree::Absent).collect();
        if entries.iter().all(|(_, value)| matches!(value, Tree::Known(_))) {
            let known = entries.into_iter().filter_map(|(key, value)| Some((key, value.known()?)));
            return Tree::Known(Json::Object(known.collect()));
        }
        Tree::Map(entries)
    }

    fn known(self) -> Option<Json> {
        match self {
            Tree::Known(json) => Some(json),
            _ => None,
        }
    }

    /// The whole value, if all of it is known.
    pub(super) fn json(self) -> Result<Json, Stop> {
        match self {
            Tree::Known(json) => Ok(json),
            Tree::Absent => wrong("AWS::NoValue cannot stand here"),
            Tree::Unknown(source) => Err(Stop::Unknown(source)),
            Tree::List(items) => {
                Err(Stop::Unknown(items.iter().find_map(Tree::waits_for).unwrap_or_default().to_owned()))
            }
            Tree::Map(entries) => Err(Stop::Unknown(
                entries.iter().find_map(|(_, value)| value.waits_for()).unwrap_or_default().to_owned(),
            )),
        }
    }

    fn waits_for(&self) -> Option<&str> {
        match self {
            Tree::Unknown(source) => Some(source),
            Tree::List(items) => items.iter().find_map(Tree::waits_for),
            Tree::Map(entries) => entries.iter().find_map(|(_, value)| value.waits_for()),
            Tree::Absent | Tree::Known(_) => None,
        }
    }

    /// A scalar as text; `function` is named in the refusal of anything else.
    pub(super) fn into_text(self, function: &str) -> Result<String, Stop> {
        match self.json()? {
            Json::String(text) => Ok(text),
            Json::Number(number) => Ok(number.to_string()),
            Json::Bool(yes) => Ok(yes.to_string()),
            _ => wrong(format!(
                "Template error: every {function} object must have String type members where it takes text"
            )),
        }
    }

    /// The elements of a list, each known or not.
    pub(super) fn into_items(self, function: &str) -> Result<Vec<Tree>, Stop> {
        match self {
            Tree::List(items) => Ok(items),
            Tree::Known(Json::Array(items)) => Ok(items.into_iter().map(Tree::Known).collect()),
            Tree::Unknown(source) => Err(Stop::Unknown(source)),
            _ => wrong(format!("Template error: {function} takes a list here")),
        }
    }

    /// Exactly `N` arguments.
    pub(super) fn into_arguments<const N: usize>(self, function: &str, form: &str) -> Result<[Tree; N], Stop> {
        let items = match self {
            Tree::Unknown(source) => return Err(Stop::Unknown(source)),
            other => other.into_items(function).unwrap_or_default(),
        };
        items.try_into().or_else(|_| wrong(format!("Template error: {function} takes {form}")))
    }

    pub(super) fn into_evaluated(self) -> Evaluated {
        let mut unknown = BTreeMap::new();
        let value = self.settle(&mut String::new(), &mut unknown);
        Evaluated { value, unknown }
    }

    fn settle(self, pointer: &mut String, unknown: &mut BTreeMap<String, String>) -> Option<Json> {
        let length = pointer.len();
        Some(match self {
            Tree::Absent => return None,
            Tree::Known(json) => json,
            Tree::Unknown(source) => {
                unknown.insert(pointer.clone(), source);
                Json::from(UNKNOWN)
            }
            Tree::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.into_iter().enumerate() {
                    pointer.push_str(&format!("/{index}"));
                    list.extend(item.settle(pointer, unknown));
                    pointer.truncate(length);
                }
                Json::Array(list)
            }
            Tree::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    if let Some(value) = value.settle(pointer, unknown) {
                        map.insert(key, value);
                    }
                    pointer.truncate(length);
                }
                Json::Object(map)
            }
        })
    }
}
