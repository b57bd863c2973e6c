//! Who needs whom: every reference in a template with its place, what does not resolve, and what goes round in circles.

use indexmap::{IndexMap, IndexSet};

use super::model::Template;
use super::problem::{Position, Problem};
use super::yaml::Node;

/// One use of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub target: String,
    pub kind: ReferenceKind,
    pub at: Position,
    /// The path to the place, such as `Resources.Cluster.Properties.VpcSecurityGroupIds.0`.
    pub path: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    /// `Ref`, or `${Name}` in `Fn::Sub`: a parameter, a resource or a pseudo parameter.
    Ref,
    /// `Fn::GetAtt`, or `${Name.Attribute}` in `Fn::Sub`.
    Attribute(String),
    DependsOn,
    /// `Condition`, or the first argument of `Fn::If`.
    Condition,
    /// `Fn::FindInMap`.
    Mapping,
}

/// The references in one value; `path` is where the value stands.
pub fn references(_node: &Node, _path: &str) -> Vec<Reference> {
    Vec::new()
}

/// Which resource needs which others. Conditions are not considered: every resource of the template is a node.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    needs: IndexMap<String, IndexSet<String>>,
}

impl Graph {
    /// Fails if a reference does not resolve or resources need each other in a circle.
    pub fn of(_template: &Template) -> Result<Graph, Vec<Problem>> {
        Ok(Graph::default())
    }

    /// What must exist before this resource.
    pub fn needs(&self, resource: &str) -> impl Iterator<Item = &str> {
        self.needs.get(resource).into_iter().flatten().map(String::as_str)
    }

    /// What must be gone before this resource.
    pub fn needed_by<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = &'a str> {
        self.needs.iter().filter(move |(_, needs)| needs.contains(resource)).map(|(name, _)| name.as_str())
    }

    /// Every resource after all that it needs; otherwise as written.
    pub fn order(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// AWS's own sentence for what [`Graph::of`] refuses, as `ValidateTemplate` and `CreateChangeSet` give it.
pub fn refusal(_template: &Template) -> Option<String> {
    None
}
