//! `AWS::LanguageExtensions`: a template is written out before it is read. `Fn::ForEach` becomes what it repeats, names that
//! functions give become names, and policies that functions give become policies.

use indexmap::map::Entry as Slot;
use serde_json::Value as Json;

use super::intrinsics::{Environment, Evaluator, LANGUAGE_EXTENSIONS, Lookup, Pseudo, function};
use super::model::{Outlined, Template};
use super::parameters::{self, Values};
use super::problem::{Position, Problem, sorted};
use super::reader::join;
use super::yaml::{Entry, MAX_NODES, Map, Node, Value};

const LOOP: &str = "Fn::ForEach::";

/// Whether the template asks for the transform, by itself or among others.
pub fn asked(document: &Node) -> bool {
    let Some(transform) = document.get("Transform") else { return false };
    let names = transform.as_list().unwrap_or(std::slice::from_ref(transform));
    names.iter().any(|name| name.as_str() == Some(LANGUAGE_EXTENSIONS))
}

/// The document with every loop written out.
///
/// # Errors
/// All loops that cannot be written out, each with its place.
pub fn written_out(document: &Node, values: &Values, pseudo: &Pseudo) -> Result<Node, Vec<Problem>> {
    let mut repeated = {
        let outline = Template::outline(document, Outlined::Declarations)?;
        let world = Declared { template: &outline, values, pseudo };
        let mut writer = Writer { evaluator: Evaluator::new(&outline, &world)?, nodes: 0, problems: Vec::new() };
        let repeated = writer.node(document, "");
        writer.done(repeated)?
    };
    // Names may depend on conditions, which may themselves have been repeated.
    let outline = Template::outline(&repeated, Outlined::Conditions)?;
    let world = Declared { template: &outline, values, pseudo };
    let mut namer = Namer { evaluator: Evaluator::new(&outline, &world)?, problems: Vec::new() };
    for section in ["Resources", "Outputs"] {
        namer.section(&mut repeated, section);
    }
    if namer.problems.is_empty() { Ok(repeated) } else { Err(sorted(namer.problems)) }
}

/// The world before there is a stack: parameters have values, nothing else is there.
struct Declared<'a> {
    template: &'a Template,
    values: &'a Values,
    pseudo: &'a Pseudo,
}

impl Environment for Declared<'_> {
    fn parameter(&self, name: &str) -> Option<Json> {
        Some(parameters::reference(self.template.parameters.get(name)?, self.values.get(name)?))
    }

    fn pseudo(&self, name: &str) -> Option<Json> {
        self.pseudo.get(name)
    }

    fn reference(&self, _: &str) -> Lookup {
        Lookup::Missing
    }

    fn attribute(&self, _: &str, _: &str) -> Lookup {
        Lookup::Missing
    }

    fn import(&self, _: &str) -> Lookup {
        Lookup::Unknown
    }

    fn zones(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// Writes loops out.
struct Writer<'a> {
    evaluator: Evaluator<'a>,
    /// Loops in loops multiply: what they come to is bounded like any template.
    nodes: usize,
    problems: Vec<Problem>,
}

impl Writer<'_> {
    fn done(self, node: Node) -> Result<Node, Vec<Problem>> {
        if self.problems.is_empty() { Ok(node) } else { Err(sorted(self.problems)) }
    }

    fn node(&mut self, node: &Node, path: &str) -> Node {
        self.nodes += 1;
        let value = match &node.value {
            Value::List(items) => Value::List(
                items.iter().enumerate().map(|(at, item)| self.node(item, &join(path, &at.to_string()))).collect(),
            ),
            Value::Map(map) => {
                let mut out = Map::new();
                for (key, entry) in map {
                    let path = join(path, key);
                    if key.starts_with(LOOP) {
                        self.repeat(entry, &path, &mut out);
                    } else {
                        let node = self.node(&entry.node, &path);
                        self.put(&mut out, key.clone(), Entry { at: entry.at, node }, &path);
                    }
                }
                Value::Map(out)
            }
            scalar => scalar.clone(),
        };
        Node::new(value, node.at)
    }

    fn put(&mut self, out: &mut Map, key: String, entry: Entry, path: &str) {
        match out.entry(key) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
            Slot::Occupied(slot) => {
                let what = format!("the key `{}` is there twice once loops are written out", slot.key());
                self.problems.push(Problem::new(entry.at, path, what));
            }
        }
    }

    /// One loop: an identifier, what it goes through, and the mapping that is repeated.
    fn repeat(&mut self, entry: &Entry, path: &str, out: &mut Map) {
        let form = "Template error: Fn::ForEach takes a list of an identifier, a collection and a mapping";
        let parts = match entry.node.as_list() {
            Some([identifier, collection, body]) => {
                identifier.as_str().filter(|_| body.as_map().is_some()).map(|name| (name, collection, body))
            }
            _ => None,
        };
        let Some((identifier, collection, body)) = parts else {
            self.problems.push(Problem::new(entry.node.at, path, form));
            return;
        };
        for value in self.collection(collection, path) {
            if self.nodes > MAX_NODES {
                let what = format!("loops come to more than {MAX_NODES} values");
                self.problems.push(Problem::new(entry.at, path, what));
                return;
            }
            let copy = self.node(&replaced(body, identifier, &value), path);
            let Value::Map(copy) = copy.value else { continue };
            for (key, entry) in copy {
                self.put(out, key, entry, path);
            }
        }
    }

    fn collection(&mut self, node: &Node, path: &str) -> Vec<String> {
        let found = match self.evaluator.value(node, path) {
            Ok(found) => found,
            Err(problems) => {
                self.problems.extend(problems);
                return Vec::new();
            }
        };
        let mut values = Vec::new();
        let complete = found.unknown.is_empty() && texts(found.value.as_ref(), &mut values);
        if !complete || !matches!(found.value, Some(Json::Array(_))) {
            let what =
                "Template error: the collection of Fn::ForEach must be a list of strings that is known beforehand";
            self.problems.push(Problem::new(node.at, path, what));
            return Vec::new();
        }
        values
    }
}

/// The texts of a collection; a list parameter inside it counts with all its elements.
fn texts(value: Option<&Json>, found: &mut Vec<String>) -> bool {
    match value {
        Some(Json::Array(items)) => items.iter().all(|item| texts(Some(item), found)),
        Some(Json::String(text)) => {
            found.push(text.clone());
            true
        }
        Some(scalar @ (Json::Number(_) | Json::Bool(_))) => {
            found.push(scalar.to_string());
            true
        }
        _ => false,
    }
}

/// A copy in which the identifier has its value: `Ref`, `${Name}`, and `&{Name}`, which keeps letters and digits only.
fn replaced(node: &Node, identifier: &str, value: &str) -> Node {
    let text = |text: &str| {
        if !text.contains('{') {
            return text.to_owned();
        }
        let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
        text.replace(&format!("${{{identifier}}}"), value).replace(&format!("&{{{identifier}}}"), &plain)
    };
    if let Some(("Ref", target)) = function(node)
        && target.node.as_str() == Some(identifier)
    {
        return Node::new(Value::String(value.to_owned()), node.at);
    }
    let value = match &node.value {
        Value::String(written) => Value::String(text(written)),
        Value::List(items) => Value::List(items.iter().map(|item| replaced(item, identifier, value)).collect()),
        Value::Map(map) => {
            let entry = |entry: &Entry| Entry { at: entry.at, node: replaced(&entry.node, identifier, value) };
            Value::Map(map.iter().map(|(key, old)| (text(key), entry(old))).collect())
        }
        scalar => scalar.clone(),
    };
    Node::new(value, node.at)
}

/// Puts names where functions give names.
struct Namer<'a> {
    evaluator: Evaluator<'a>,
    problems: Vec<Problem>,
}

impl Namer<'_> {
    fn section(&mut self, document: &mut Node, section: &str) {
        let Value::Map(map) = &mut document.value else { return };
        let Some(Value::Map(members)) = map.get_mut(section).map(|entry| &mut entry.node.value) else { return };
        for (name, member) in members {
            let path = format!("{section}.{name}");
            for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
                let Value::Map(keys) = &mut member.node.value else { continue };
                if let Some(entry) = keys.get_mut(policy).filter(|entry| function(&entry.node).is_some()) {
                    self.settle(&mut entry.node, &join(&path, policy));
                }
            }
            self.node(&mut member.node, &path);
        }
    }

    fn node(&mut self, node: &mut Node, path: &str) {
        match &mut node.value {
            Value::List(items) => {
                items.iter_mut().enumerate().for_each(|(at, item)| self.node(item, &join(path, &at.to_string())));
            }
            Value::Map(map) => {
                for (key, entry) in map {
                    let path = join(path, key);
                    let name = match (key.as_str(), &mut entry.node.value) {
                        ("Ref", _) => Some(&mut entry.node),
                        ("Fn::GetAtt", Value::List(parts)) => parts.first_mut(),
                        _ => None,
                    };
                    if let Some(name) = name.filter(|name| function(name).is_some()) {
                        self.settle(name, &path);
                    }
                    self.node(&mut entry.node, &path);
                }
            }
            _ => {}
        }
    }

    fn settle(&mut self, node: &mut Node, path: &str) {
        match self.evaluator.value(node, path) {
            Ok(found) => match found.value.filter(|_| found.unknown.is_empty()) {
                Some(Json::String(text)) => node.value = Value::String(text),
                _ => self.refuse(node.at, path, "must be a string that is known beforehand"),
            },
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn refuse(&mut self, at: Position, path: &str, what: &str) {
        self.problems.push(Problem::new(at, path, what));
    }
}

#[cfg(test)]
#[path = "extensions_tests.rs"]
mod tests;
