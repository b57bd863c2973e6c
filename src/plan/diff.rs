//! What a deployment would do to each resource: the template that is there against the one that is wanted.

use super::observed::ObservedStack;
use super::step::Action;
use crate::template::intrinsics::{Environment, Evaluated, Evaluator, Lookup, Pseudo, UNKNOWN};
use crate::template::model::Resource;
use crate::template::refs::Graph;
use crate::template::schema::{self, Replacement};
use crate::template::{Template, parameters};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to one stack.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StackChange {
    pub stack: String,
    /// Its name in CloudFormation.
    pub name: String,
    pub action: Action,
    /// What stands in the way and is cleared first, such as a creation that was rolled back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Why the template that is deployed cannot be read: what becomes of the resources that are there is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    pub resources: Vec<ResourceChange>,
}

/// What is a picture of other resources, and nothing by itself.
const PICTURES: &[&str] = &["AWS::ApiGateway::Deployment", "AWS::ApiGatewayV2::Deployment"];

impl StackChange {
    /// What would be lost, a line for each thing. A deployment of an API is a picture of it: when the stage has moved on to the
    /// next one, nobody misses the last.
    pub fn losses(&self) -> Vec<String> {
        if self.unread.is_some() {
            return vec![format!("{} {}, whose template cannot be read", self.action.glyph(), self.stack)];
        }
        let lost = self.resources.iter().filter(|resource| {
            (resource.action.destroys() || resource.may_replace) && !PICTURES.contains(&resource.kind.as_str())
        });
        lost.map(|ResourceChange { resource, kind, action, may_replace, .. }| {
            let doubt = if *may_replace { ", may be replaced" } else { "" };
            format!("{} {}/{resource} ({kind}{doubt})", action.glyph(), self.stack)
        })
        .collect()
    }

    pub fn count(&self, action: Action) -> usize {
        self.resources.iter().filter(|resource| resource.action == action).count()
    }
}

/// What happens to one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResourceChange {
    pub resource: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub action: Action,
    /// A change that may turn out to need a replacement, depending on the values.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_replace: bool,
    /// The properties that differ, or that force the replacement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<String>,
}

/// A template and the values of its parameters: `None` for what is known only later.
pub struct Side<'a> {
    pub template: &'a Template,
    pub parameters: BTreeMap<String, Option<String>>,
    pub pseudo: Pseudo,
}

/// The outcome for one stack: its change, and the outputs that will have new values.
pub struct Outcome {
    pub action: Action,
    pub resources: Vec<ResourceChange>,
    pub new_outputs: BTreeSet<String>,
}

/// A stack that is not there yet: every resource is new, every output too.
pub fn addition(new: &Side<'_>) -> Outcome {
    let included = included(new);
    let resources = new.template.resources.iter().filter(|(name, _)| included.contains(name.as_str()));
    Outcome {
        action: Action::Add,
        resources: resources.map(|(name, resource)| plain(name, &resource.kind, Action::Add)).collect(),
        new_outputs: new.template.outputs.keys().cloned().collect(),
    }
}

/// A stack whose deployed template cannot be read: anything may happen to its resources.
pub fn replacement_of_unread(new: &Side<'_>) -> Outcome {
    let mut outcome = addition(new);
    for resource in &mut outcome.resources {
        (resource.action, resource.may_replace) = (Action::Change, true);
    }
    Outcome { action: Action::Change, ..outcome }
}

/// Compares what is there with what is wanted.
pub fn compare(old: &Side<'_>, new: &Side<'_>) -> Outcome {
    let (old_included, new_included) = (included(old), included(new));
    let mut fresh: BTreeSet<String> = BTreeSet::new();
    let mut changes: BTreeMap<&str, ResourceChange> = BTreeMap::new();
    for name in needed_first(new.template) {
        let Some(resource) = new.template.resources.get(name).filter(|_| new_included.contains(name)) else { continue };
        let before = old.template.resources.get(name).filter(|_| old_included.contains(name));
        let change = match before {
            None => plain(name, &resource.kind, Action::Add),
            Some(before) => resource_change(name, (old, before), (new, resource), &fresh),
        };
        if matches!(change.action, Action::Add | Action::Replace) {
            fresh.insert(name.to_owned());
        }
        changes.insert(name, change);
    }
    // In the order in which people wrote them; what goes comes last.
    let mut resources: Vec<_> =
        new.template.resources.keys().filter_map(|name| changes.remove(name.as_str())).collect();
    let gone = old
        .template
        .resources
        .iter()
        .filter(|(name, _)| old_included.contains(name.as_str()) && !new_included.contains(name.as_str()));
    resources.extend(gone.map(|(name, resource)| plain(name, &resource.kind, Action::Remove)));
    let (new_outputs, outputs_differ) = outputs(old, new, &fresh);
    let still = resources.iter().all(|change| change.action == Action::Keep) && !outputs_differ;
    Outcome { action: if still { Action::Keep } else { Action::Change }, resources, new_outputs }
}

/// Parameters with the values that are there now.
pub fn observed_side<'a>(template: &'a Template, stack: &ObservedStack, pseudo: Pseudo) -> Side<'a> {
    let parameters = stack.parameters.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    Side { template, parameters, pseudo }
}

fn plain(name: &str, kind: &str, action: Action) -> ResourceChange {
    let (resource, kind) = (name.to_owned(), kind.to_owned());
    ResourceChange { resource, kind, action, may_replace: false, properties: Vec::new() }
}

/// Resources after what they need, so that a replacement is known before those who refer to it. A template whose references
/// do not resolve was refused before; its own order is as good as any.
fn needed_first(template: &Template) -> Vec<&str> {
    let ordered: Vec<String> =
        Graph::of(template).map(|graph| graph.order().into_iter().map(str::to_owned).collect()).unwrap_or_default();
    let mut names: Vec<&str> = ordered
        .iter()
        .filter_map(|name| template.resources.get_key_value(name))
        .map(|(name, _)| name.as_str())
        .collect();
    let seen: BTreeSet<&str> = names.iter().copied().collect();
    names.extend(template.resources.keys().map(String::as_str).filter(|name| !seen.contains(name)));
    names
}

fn included(side: &Side<'_>) -> BTreeSet<String> {
    let world = World { side };
    let all = || side.template.resources.keys().cloned();
    match Evaluator::new(side.template, &world) {
        Ok(evaluator) => all().filter(|name| evaluator.includes(name)).collect(),
        Err(_) => all().collect(),
    }
}

fn resource_change(
    name: &str,
    (old, before): (&Side<'_>, &Resource),
    (new, after): (&Side<'_>, &Resource),
    fresh: &BTreeSet<String>,
) -> ResourceChange {
    if before.kind != after.kind {
        return ResourceChange { properties: vec!["Type".to_owned()], ..plain(name, &after.kind, Action::Replace) };
    }
    // What cannot be worked out here is not the same: CloudFormation has to say.
    let (Some(was), Some(will)) = (properties(old, name, &BTreeSet::new()), properties(new, name, fresh)) else {
        return ResourceChange { may_replace: true, ..plain(name, &after.kind, Action::Change) };
    };
    if was == will {
        let same = before.metadata.as_ref().map(|node| node.to_json())
            == after.metadata.as_ref().map(|node| node.to_json())
            && before.deletion_policy == after.deletion_policy
            && before.update_replace_policy == after.update_replace_policy;
        let action = if same { Action::Keep } else { Action::Change };
        return plain(name, &after.kind, action);
    }
    let change = plain(name, &after.kind, Action::Change);
    match schema::replacement(&after.kind, &was, &will) {
        Replacement::Always(properties) => ResourceChange { action: Action::Replace, properties, ..change },
        Replacement::Conditional(properties) => ResourceChange { may_replace: true, properties, ..change },
        Replacement::Never => ResourceChange { properties: differing(&was, &will), ..change },
    }
}

/// Names of top-level properties whose values differ.
fn differing(was: &Json, will: &Json) -> Vec<String> {
    let empty = serde_json::Map::new();
    let (was, will) = (was.as_object().unwrap_or(&empty), will.as_object().unwrap_or(&empty));
    let names: BTreeSet<&String> = was.keys().chain(will.keys()).collect();
    names.into_iter().filter(|name| was.get(*name) != will.get(*name)).cloned().collect()
}

/// `None`: the template cannot be evaluated there.
fn properties(side: &Side<'_>, name: &str, fresh: &BTreeSet<String>) -> Option<Json> {
    let world = World { side };
    let evaluated = Evaluator::new(side.template, &world).and_then(|evaluator| evaluator.properties(name));
    evaluated.ok().map(|evaluated| marked(evaluated, fresh))
}

/// Unknown places say what they wait for, and whether that will be a new thing: then they differ from before.
fn marked(evaluated: Evaluated, fresh: &BTreeSet<String>) -> Json {
    let mut value = evaluated.value.unwrap_or(Json::Null);
    for (pointer, waits) in evaluated.unknown {
        let resource = waits.split('.').next().unwrap_or(&waits);
        let text = if fresh.contains(resource) { format!("new {waits}") } else { waits.clone() };
        if let Some(place) = value.pointer_mut(&pointer) {
            *place = match place.as_str() {
                Some(written) => Json::String(written.replace(UNKNOWN, &text)),
                None => Json::String(text),
            };
        }
    }
    value
}

/// The outputs with new values, and whether the section differs at all.
fn outputs(old: &Side<'_>, new: &Side<'_>, fresh: &BTreeSet<String>) -> (BTreeSet<String>, bool) {
    let (Some(was), Some(will)) = (output_values(old, &BTreeSet::new()), output_values(new, fresh)) else {
        return (new.template.outputs.keys().cloned().collect(), true);
    };
    let changed = will.iter().filter(|(name, value)| was.get(*name) != Some(value)).map(|(name, _)| name.clone());
    (changed.collect(), was != will)
}

fn output_values(side: &Side<'_>, fresh: &BTreeSet<String>) -> Option<BTreeMap<String, Json>> {
    let world = World { side };
    let outputs = Evaluator::new(side.template, &world).and_then(|evaluator| evaluator.outputs()).ok()?;
    Some(outputs.into_iter().map(|(name, output)| (name, marked(output.value, fresh))).collect())
}

/// A template's surroundings as far as they are known before anything is made.
pub(super) struct World<'a> {
    pub(super) side: &'a Side<'a>,
}

impl Environment for World<'_> {
    fn parameter(&self, name: &str) -> Option<Json> {
        let parameter = self.side.template.parameters.get(name)?;
        let value = match self.side.parameters.get(name) {
            Some(Some(value)) => value,
            Some(None) => UNKNOWN,
            None => parameter.default.as_deref()?,
        };
        Some(parameters::reference(parameter, value))
    }

    fn pseudo(&self, name: &str) -> Option<Json> {
        self.side.pseudo.get(name)
    }

    fn reference(&self, _logical_id: &str) -> Lookup {
        Lookup::Unknown
    }

    fn attribute(&self, _logical_id: &str, _attribute: &str) -> Lookup {
        Lookup::Unknown
    }

    fn import(&self, _export: &str) -> Lookup {
        Lookup::Unknown
    }

    /// Their number and order is what templates rely on, not their names.
    fn zones(&self, region: &str) -> Vec<String> {
        ["a", "b", "c"].iter().map(|letter| format!("{region}{letter}")).collect()
    }
}
