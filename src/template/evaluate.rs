//! One walk over a value of a template: functions are called, what has no value is dropped, problems are collected.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::functions;
use super::intrinsics::{Environment, LANGUAGE_EXTENSIONS, Lookup, Pseudo, function};
use super::model::Template;
use super::problem::{Position, Problem};
use super::sub::{self, Piece};
use super::tree::{Outcome, Stop, Tree, wrong};
use super::yaml::{Node, SHORT_FUNCTIONS, Value};

pub(super) struct Evaluation<'e> {
    pub(super) template: &'e Template,
    pub(super) environment: &'e dyn Environment,
    /// Those that are decided.
    pub(super) conditions: &'e IndexMap<String, bool>,
    pub(super) path: Vec<String>,
    pub(super) problems: Vec<Problem>,
}

/// Functions that give a truth: their place is `Conditions` and `Rules`.
const LOGIC: &[&str] =
    &["Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn"];
/// What only the service can answer or run.
const AWS_ONLY: &[&str] = &["Fn::Transform", "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"];

impl Evaluation<'_> {
    pub(super) fn tree(&mut self, node: &Node) -> Tree {
        match self.attempt(node) {
            Ok(tree) => tree,
            Err(Stop::Unknown(source)) => Tree::Unknown(source),
            Err(Stop::Wrong(what)) => self.refuse(node.at, what),
        }
    }

    /// The value is not used once there is a problem; unknown keeps functions around it from finding more.
    fn refuse(&mut self, at: Position, what: String) -> Tree {
        self.problems.push(Problem::new(at, self.path.join("."), what));
        Tree::Unknown(String::new())
    }

    fn within(&mut self, step: String, node: &Node) -> Tree {
        self.path.push(step);
        let tree = self.tree(node);
        self.path.pop();
        tree
    }

    fn attempt(&mut self, node: &Node) -> Outcome {
        if let Some((name, argument)) = function(node) {
            self.path.push(name.to_owned());
            let outcome = self.call(name, &argument.node);
            if let Err(Stop::Wrong(what)) = outcome {
                // Reported from within, so that the path ends at the function.
                let unknown = self.refuse(node.at, what);
                self.path.pop();
                return Ok(unknown);
            }
            self.path.pop();
            return outcome;
        }
        match &node.value {
            Value::List(list) => {
                let items = list.iter().enumerate().map(|(index, item)| self.within(index.to_string(), item));
                Ok(Tree::list(items.collect()))
            }
            Value::Map(map) => {
                if let Some(name) = map.keys().find(|key| key.starts_with("Fn::")) {
                    return wrong(format!("`{name}` must be the only key of its mapping"));
                }
                let entries = map.iter().map(|(key, entry)| (key.clone(), self.within(key.clone(), &entry.node)));
                Ok(Tree::map(entries.collect()))
            }
            _ => Ok(Tree::Known(node.to_json())),
        }
    }

    fn call(&mut self, name: &str, argument: &Node) -> Outcome {
        match name {
            "Ref" => match argument.as_str() {
                Some(target) => self.reference(target),
                None => wrong("Template error: every Ref object must have a single String value."),
            },
            "Fn::GetAtt" => {
                let (resource, attribute) = self.attribute_of(argument)?;
                self.attribute(&resource, &attribute)
            }
            "Fn::Sub" => self.sub(argument),
            "Fn::If" => self.choose(argument),
            "Fn::FindInMap" => self.find_in_map(argument),
            "Fn::GetAZs" => {
                let region = self.tree(argument).into_text("Fn::GetAZs")?;
                let current =
                    || self.environment.pseudo("AWS::Region").and_then(|region| region.as_str().map(str::to_owned));
                let region = if region.is_empty() { current().unwrap_or_default() } else { region };
                Ok(Tree::Known(self.environment.zones(&region).into_iter().map(Json::from).collect()))
            }
            "Fn::ImportValue" => {
                let export = self.tree(argument).into_text("Fn::ImportValue")?;
                match self.environment.import(&export) {
                    Lookup::Known(value) => Ok(Tree::Known(value)),
                    Lookup::Unknown => Err(Stop::Unknown(format!("import {export}"))),
                    Lookup::Missing => wrong(format!("No export named {export} found.")),
                }
            }
            _ if LOGIC.contains(&name) => wrong(format!("`{name}` is allowed in Conditions and Rules only")),
            _ if AWS_ONLY.contains(&name) => wrong(format!("`{name}` is not supported: only AWS can evaluate it")),
            "Fn::Length" | "Fn::ToJsonString" if !self.extended() => {
                wrong(format!("`{name}` needs `Transform: {LANGUAGE_EXTENSIONS}`"))
            }
            _ => {
                let argument = self.tree(argument);
                functions::call(name, argument).unwrap_or_else(|| wrong(unknown_function(name)))
            }
        }
    }

    fn extended(&self) -> bool {
        self.template.transform.iter().any(|transform| transform.name == LANGUAGE_EXTENSIONS)
    }

    fn reference(&mut self, target: &str) -> Outcome {
        if target == "AWS::NoValue" {
            return Ok(Tree::Absent);
        }
        if Pseudo::NAMES.contains(&target) {
            return self.environment.pseudo(target).map(Tree::Known).ok_or_else(|| Stop::Unknown(target.to_owned()));
        }
        if self.template.parameters.contains_key(target) {
            let value = self.environment.parameter(target);
            return value
                .map(Tree::Known)
                .ok_or_else(|| Stop::Wrong(format!("Parameters: [{target}] must have values")));
        }
        self.existing(target)?;
        match self.environment.reference(target) {
            Lookup::Known(value) => Ok(Tree::Known(value)),
            Lookup::Unknown => Err(Stop::Unknown(target.to_owned())),
            Lookup::Missing => wrong(unresolved(target)),
        }
    }

    /// A resource that the template has and no condition leaves out.
    fn existing(&self, target: &str) -> Result<(), Stop> {
        let resource = self.template.resources.get(target).ok_or_else(|| Stop::Wrong(unresolved(target)))?;
        let left_out =
            resource.condition.as_ref().is_some_and(|condition| self.conditions.get(&condition.name) == Some(&false));
        if left_out { wrong(format!("{} (its condition is false)", unresolved(target))) } else { Ok(()) }
    }

    fn attribute_of(&mut self, argument: &Node) -> Result<(String, String), Stop> {
        let form = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute";
        let (resource, attribute) = match &argument.value {
            Value::String(text) => {
                let (resource, attribute) = text.split_once('.').ok_or_else(|| Stop::Wrong(form.to_owned()))?;
                (resource.to_owned(), attribute.to_owned())
            }
            Value::List(items) => match items.as_slice() {
                [resource, attribute] => {
                    let resource = resource.as_str().ok_or_else(|| Stop::Wrong(form.to_owned()))?;
                    (resource.to_owned(), self.tree(attribute).into_text("Fn::GetAtt")?)
                }
                _ => return wrong(form),
            },
            _ => return wrong(form),
        };
        if resource.is_empty() || attribute.is_empty() { wrong(form) } else { Ok((resource, attribute)) }
    }

    fn attribute(&mut self, resource: &str, attribute: &str) -> Outcome {
        self.existing(resource)?;
        match self.environment.attribute(resource, attribute) {
            Lookup::Known(value) => Ok(Tree::Known(value)),
            Lookup::Unknown => Err(Stop::Unknown(format!("{resource}.{attribute}"))),
            Lookup::Missing => {
                let what = "Template error: resource";
                wrong(format!("{what} {resource} does not support attribute type {attribute} in Fn::GetAtt"))
            }
        }
    }

    fn sub(&mut self, argument: &Node) -> Outcome {
        let form = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as \
                    first argument, and an optional second argument to specify a mapping of values to replace in the string";
        let (text, variables) = match argument.as_list() {
            None => (argument, None),
            Some([text, variables]) if variables.as_map().is_some() => (text, Some(variables)),
            Some(_) => return wrong(form),
        };
        let Some(text) = text.as_str() else { return wrong(form) };
        let mut result = String::new();
        for piece in sub::pieces(text).or_else(wrong)? {
            let name = match piece {
                Piece::Text(text) => {
                    result.push_str(&text);
                    continue;
                }
                Piece::Variable(name) => name,
            };
            let own = variables.and_then(|variables| variables.get(&name));
            let value = match (own, name.split_once('.')) {
                (Some(node), _) => self.tree(node),
                (None, Some((resource, attribute))) => self.attribute(resource, attribute)?,
                (None, None) => self.reference(&name)?,
            };
            let what = format!("Template error: variable {name} in Fn::Sub expression does not resolve to a string");
            match value.into_text("Fn::Sub") {
                Ok(value) => result.push_str(&value),
                Err(Stop::Wrong(_)) => return wrong(what),
                Err(unknown) => return Err(unknown),
            }
        }
        Ok(Tree::text(result))
    }

    fn choose(&mut self, argument: &Node) -> Outcome {
        let Some([condition, then, otherwise]) = argument.as_list() else {
            return wrong("Template error: Fn::If requires a list argument with three parameters");
        };
        let Some(name) = condition.as_str() else {
            return wrong("Template error: the first argument of Fn::If must be the name of a condition");
        };
        match self.conditions.get(name) {
            Some(true) => Ok(self.within("1".to_owned(), then)),
            Some(false) => Ok(self.within("2".to_owned(), otherwise)),
            None => wrong(format!("Template format error: Unresolved condition dependency {name}")),
        }
    }

    fn find_in_map(&mut self, argument: &Node) -> Outcome {
        let form = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value";
        let (keys, fallback) = match argument.as_list() {
            Some(keys @ [_, _, _]) => (keys, None),
            Some([keys @ .., last]) if keys.len() == 3 => match last.get("DefaultValue") {
                Some(_) if !self.extended() => {
                    return wrong(format!("`DefaultValue` needs `Transform: {LANGUAGE_EXTENSIONS}`"));
                }
                Some(fallback) => (keys, Some(fallback)),
                None => return wrong(form),
            },
            _ => return wrong(form),
        };
        let mut names = Vec::with_capacity(3);
        for (index, key) in keys.iter().enumerate() {
            names.push(self.within(index.to_string(), key).into_text("Fn::FindInMap")?);
        }
        let row = self.template.mappings.get(&names[0]).and_then(|mapping| mapping.rows.get(&names[1]));
        match (row.and_then(|row| row.get(&names[2])), fallback) {
            (Some(value), _) => Ok(Tree::Known(value.to_json())),
            (None, Some(fallback)) => Ok(self.tree(fallback)),
            (None, None) => wrong(format!("Template error: Unable to get mapping for {}", names.join("::"))),
        }
    }

    /// A condition's value. After a problem it is false, and the problem counts.
    pub(super) fn truth(&mut self, node: &Node) -> bool {
        match self.decide(node) {
            Ok(truth) => truth,
            // An argument that was refused is unknown without a name: it has been reported.
            Err(Stop::Unknown(source)) if source.is_empty() => false,
            Err(Stop::Unknown(source)) => {
                let what = format!("Template error: a condition cannot depend on `{source}`, which is not known yet");
                self.refuse(node.at, what);
                false
            }
            Err(Stop::Wrong(what)) => {
                self.refuse(node.at, what);
                false
            }
        }
    }

    fn decide(&mut self, node: &Node) -> Result<bool, Stop> {
        let form =
            "Template format error: Conditions can only be boolean operations on parameters and other conditions";
        let Some((name, entry)) = node.single() else { return wrong(form) };
        let argument = &entry.node;
        let count = argument.as_list().map_or(0, <[Node]>::len);
        let items = argument.as_list().unwrap_or_default();
        match name {
            "Condition" => {
                let name = argument.as_str().unwrap_or_default();
                let decided = self.conditions.get(name).copied();
                decided.ok_or_else(|| {
                    Stop::Wrong(format!("Template format error: Unresolved condition dependency {name}"))
                })
            }
            "Fn::And" | "Fn::Or" if !(2..=10).contains(&count) => {
                wrong(format!("Template error: every {name} object requires a list of 2 to 10 conditions"))
            }
            // Every operand is decided, so that every problem is found.
            "Fn::And" => Ok(items.iter().filter(|item| !self.truth(item)).count() == 0),
            "Fn::Or" => Ok(items.iter().filter(|item| self.truth(item)).count() > 0),
            "Fn::Not" => match items {
                [item] => Ok(!self.truth(item)),
                _ => wrong("Template error: Fn::Not requires a list argument with one condition"),
            },
            "Fn::Equals" => match items {
                [left, right] => {
                    let (left, right) = (self.tree(left).json()?, self.tree(right).json()?);
                    Ok(comparable(left) == comparable(right))
                }
                _ => wrong("Template error: every Fn::Equals object requires a list of 2 string parameters."),
            },
            "Fn::Contains" | "Fn::EachMemberEquals" | "Fn::EachMemberIn" => {
                let argument = self.tree(argument);
                let outcome = functions::call(name, argument).unwrap_or_else(|| wrong(form));
                outcome.and_then(Tree::json).map(|json| json == Json::Bool(true))
            }
            _ if AWS_ONLY.contains(&name) => wrong(format!("`{name}` is not supported: only AWS can evaluate it")),
            _ => wrong(form),
        }
    }
}

/// `Fn::Equals` compares text: `"5"` is 5, `"true"` is true.
fn comparable(json: Json) -> Json {
    match json {
        Json::Number(number) => Json::from(number.to_string()),
        Json::Bool(yes) => Json::from(yes.to_string()),
        Json::Array(items) => items.into_iter().map(comparable).collect(),
        other => other,
    }
}

fn unresolved(target: &str) -> String {
    format!("Template format error: Unresolved resource dependencies [{target}] in the Resources block of the template")
}

pub(super) fn unknown_function(name: &str) -> String {
    let short = name.strip_prefix("Fn::").unwrap_or(name);
    let near = super::problem::nearest(short, SHORT_FUNCTIONS.iter().copied());
    let near = near.map(|near| format!(" (did you mean `Fn::{near}`?)")).unwrap_or_default();
    format!("unknown function `{name}`{near}")
}

#[cfg(test)]
#[path = "evaluate_tests.rs"]
mod tests;
