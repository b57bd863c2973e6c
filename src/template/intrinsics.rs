//! Intrinsic functions, evaluated by pure code against an [`Environment`]. What is not known yet stays unknown and is named.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::evaluate::Evaluation;
use super::model::Template;
use super::problem::{Problem, sorted};
use super::reader::Named;
use super::refs::{ReferenceKind, references};
use super::yaml::{Entry, Node};

/// The function that a value is, with its argument: a mapping whose only key is `Ref` or begins with `Fn::`. The functions
/// of conditions are told by their context, because `Condition` is an ordinary key of policies.
pub fn function(node: &Node) -> Option<(&str, &Entry)> {
    node.single().filter(|(key, _)| *key == "Ref" || key.starts_with("Fn::"))
}

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
    /// Decides all conditions. Macros, which only AWS can run, are refused by name.
    pub fn new(template: &'a Template, environment: &'a dyn Environment) -> Result<Self, Vec<Problem>> {
        let mut deciding = Deciding { template, environment, decided: IndexMap::new(), problems: Vec::new() };
        for transform in template.transform.iter().filter(|transform| transform.name != LANGUAGE_EXTENSIONS) {
            deciding.problems.push(Problem::new(
                transform.at,
                "Transform",
                format!("the macro `{}` is not supported", transform.name),
            ));
        }
        for name in template.conditions.keys() {
            deciding.decide(name, &mut Vec::new());
        }
        if !deciding.problems.is_empty() {
            return Err(sorted(deciding.problems));
        }
        let conditions =
            template.conditions.keys().map(|name| (name.clone(), deciding.decided.get(name) == Some(&true)));
        Ok(Evaluator { template, environment, conditions: conditions.collect() })
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
        let mut outputs = IndexMap::new();
        let mut problems = Vec::new();
        for (name, output) in &self.template.outputs {
            let left_out = |name: &Named| self.conditions.get(&name.name) != Some(&true);
            if output.condition.as_ref().is_some_and(left_out) {
                continue;
            }
            let path = format!("Outputs.{name}");
            let value = self.value(&output.value, &format!("{path}.Value"));
            let export =
                output.export.as_ref().map(|export| self.value(export, &format!("{path}.Export.Name"))).transpose();
            match (value, export) {
                (Ok(value), Ok(export)) => {
                    outputs
                        .insert(name.clone(), OutputValue { value, export, description: output.description.clone() });
                }
                (value, export) => problems.extend(value.err().into_iter().chain(export.err()).flatten()),
            }
        }
        if problems.is_empty() { Ok(outputs) } else { Err(problems) }
    }

    /// The assertions of `Rules` that do not hold, as AWS words them.
    pub fn broken_rules(&self) -> Result<Vec<String>, Vec<Problem>> {
        let mut broken = Vec::new();
        let mut problems = Vec::new();
        for (name, rule) in &self.template.rules {
            let mut evaluation = self.evaluation(&format!("Rules.{name}"));
            let applies = rule.when.as_ref().is_none_or(|when| evaluation.truth(when));
            for assertion in rule.assertions.iter().filter(|_| applies) {
                if !evaluation.truth(&assertion.assert) {
                    let why = assertion.description.clone().unwrap_or_else(|| format!("Rule {name} failed"));
                    broken.push(format!("Template validation error: Rule [{name}] failed: {why}"));
                }
            }
            problems.extend(evaluation.problems);
        }
        if problems.is_empty() { Ok(broken) } else { Err(problems) }
    }

    /// Any value of the template; `path` is where it stands.
    pub fn value(&self, node: &Node, path: &str) -> Result<Evaluated, Vec<Problem>> {
        let mut evaluation = self.evaluation(path);
        let tree = evaluation.tree(node);
        if evaluation.problems.is_empty() { Ok(tree.into_evaluated()) } else { Err(sorted(evaluation.problems)) }
    }

    fn evaluation(&self, path: &str) -> Evaluation<'_> {
        Evaluation {
            template: self.template,
            environment: self.environment,
            conditions: &self.conditions,
            path: vec![path.to_owned()],
            problems: Vec::new(),
        }
    }
}

/// The one transform that is done here: it adds functions and runs no code.
pub const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

/// Conditions in the course of being decided, those that others need first.
struct Deciding<'a> {
    template: &'a Template,
    environment: &'a dyn Environment,
    decided: IndexMap<String, bool>,
    problems: Vec<Problem>,
}

impl Deciding<'_> {
    fn decide(&mut self, name: &str, waiting: &mut Vec<String>) {
        let Some(condition) = self.template.conditions.get(name).filter(|_| !self.decided.contains_key(name)) else {
            return;
        };
        if let Some(start) = waiting.iter().position(|waits| waits == name) {
            let circle = waiting[start..].join(", ");
            self.problems.push(Problem::new(
                condition.at,
                "Conditions",
                format!("Circular dependency between conditions: [{circle}]"),
            ));
            self.decided.insert(name.to_owned(), false);
            return;
        }
        waiting.push(name.to_owned());
        let path = format!("Conditions.{name}");
        for reference in references(&condition.expression, &path) {
            if reference.kind == ReferenceKind::Condition {
                self.decide(&reference.target, waiting);
            }
        }
        waiting.pop();
        let mut evaluation = Evaluation {
            template: self.template,
            environment: self.environment,
            conditions: &self.decided,
            path: vec![path],
            problems: Vec::new(),
        };
        let truth = evaluation.truth(&condition.expression);
        self.problems.append(&mut evaluation.problems);
        self.decided.insert(name.to_owned(), truth);
    }
}

/// An output of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputValue {
    pub value: Evaluated,
    pub export: Option<Evaluated>,
    pub description: Option<String>,
}
