//! What each resource type takes: compact tables made from the official CloudFormation schemas by `tools/cfn_schemas.py`.

use serde_json::Value as Json;

use super::problem::Problem;
use super::yaml::Node;

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

pub fn known(_kind: &str) -> Known {
    Known::NameOnly
}

/// Checks properties as written; values that are intrinsic functions are taken as unknown. `path` is where the properties stand.
pub fn check(_kind: &str, _properties: &Node, _path: &str) -> Vec<Problem> {
    Vec::new()
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

/// Compares evaluated properties. Property names come back as dotted paths.
pub fn replacement(_kind: &str, _old: &Json, _new: &Json) -> Replacement {
    Replacement::Never
}

/// What `Fn::GetAtt` can give for a type; nested attributes under dotted names. `None` if there is no table.
pub fn attributes(_kind: &str) -> Option<Vec<String>> {
    None
}

/// The property that holds tags, if the type takes tags.
pub fn tag_property(_kind: &str) -> Option<String> {
    None
}
