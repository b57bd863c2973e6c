//! What a deployment would change, resource by resource, before anything is touched.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::template::refs::{ReferenceKind, references};
use crate::template::schema::{self, Replacement};
use crate::template::yaml::Node;

use super::blueprint::{Blueprint, Properties, properties};
use super::state::{Instance, Intent, Policy, Resource, Stack};
use super::templates::Parsed;

/// One entry of `Changes`, with the values that `IncludePropertyValues` asks for.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    pub(super) logical_id: String,
    pub(super) shown: Value,
}

/// Compares the stack with the blueprint. The empty list: no resource would change.
///
/// # Errors
/// A property has no value; the sentence says which.
pub(super) fn changes(
    stack: &Stack,
    old: Option<&Parsed>,
    new: &Blueprint,
    exports: &BTreeMap<String, String>,
) -> Result<Vec<Change>, String> {
    let mut diff = Diff { stack, old, new, exports, unknown: BTreeSet::new() };
    let absent = |name: &&String| stack.resources.get(*name).is_none_or(|resource| resource.live.is_none());
    diff.unknown = new.resources().iter().filter(absent).cloned().collect();
    let mut changes = Vec::new();
    for name in new.resources() {
        if let Some(shown) = diff.resource(name)? {
            changes.push(Change { logical_id: name.clone(), shown });
        }
    }
    for (name, resource) in stack.resources.iter().rev() {
        if let Some(live) = resource.live.as_ref().filter(|_| !new.includes(name)) {
            changes.push(Change { logical_id: name.clone(), shown: removed(name, live) });
        }
    }
    Ok(changes)
}

struct Diff<'a> {
    stack: &'a Stack,
    old: Option<&'a Parsed>,
    new: &'a Blueprint,
    exports: &'a BTreeMap<String, String>,
    /// Resources that are made or replaced: what refers to them is known only afterwards.
    unknown: BTreeSet<String>,
}

impl Diff<'_> {
    fn resource(&mut self, name: &str) -> Result<Option<Value>, String> {
        let kind = self.new.kind(name);
        let found = self.evaluate(name, false)?;
        let shown = self.evaluate(name, true)?.value;
        let intent = self.new.intent_of(name, found.value.clone(), Some(shown));
        let resource = self.stack.resources.get(name);
        let Some((resource, live)) = resource.and_then(|resource| Some((resource, resource.live.as_ref()?))) else {
            return Ok(Some(added(name, kind, &intent)));
        };
        let mut details = self.property_details(name, live, &found, &intent);
        details.extend(attribute_details(live, &intent));
        if details.is_empty() && !resource.uncertain && live.kind == kind {
            return Ok(None);
        }
        let replacement = if live.kind == kind { replacement(&details) } else { "True" };
        if replacement != "False" {
            self.unknown.insert(name.to_owned());
        }
        Ok(Some(modified(name, kind, (resource, live), &intent, (&details, replacement))))
    }

    fn evaluate(&self, name: &str, masked: bool) -> Result<Properties, String> {
        properties(&self.new.parsed, &self.new.world(self.stack, self.exports, &self.unknown, masked), name)
    }

    fn property_details(&self, name: &str, live: &Instance, found: &Properties, intent: &Intent) -> Vec<Value> {
        let (before, after) = (&live.plan.properties, &found.value);
        let recreation = schema::replacement(&live.kind, before, after);
        let mut details = Vec::new();
        for property in schema::changed(before, after) {
            let waits_for =
                found.unknown.iter().find(|(pointer, _)| within(pointer, &property)).map(|(_, entity)| entity.as_str());
            let cause = self.cause(name, &property, waits_for);
            let before = live.plan.public().get(&property);
            let after = intent.public().get(&property);
            details.push(json!({
                "Target": {
                    "Attribute": "Properties",
                    "Name": property,
                    "RequiresRecreation": requires_recreation(&recreation, &property),
                    "Path": format!("/Properties/{property}"),
                    "BeforeValue": before.map(value_text),
                    "AfterValue": after.map(value_text),
                    "AttributeChangeType": match (before, after) {
                        (None, _) => "Add",
                        (_, None) => "Remove",
                        _ => "Modify",
                    },
                },
                "Evaluation": if waits_for.is_some() { "Dynamic" } else { "Static" },
                "ChangeSource": cause.0,
                "CausingEntity": cause.1,
            }));
        }
        details
    }

    /// Why a property changes: what it refers to, or the template itself.
    fn cause(&self, name: &str, property: &str, waits_for: Option<&str>) -> (&'static str, Option<String>) {
        if let Some(entity) = waits_for {
            let source = if entity.contains('.') { "ResourceAttribute" } else { "ResourceReference" };
            return (source, Some(entity.to_owned()));
        }
        let new = self.new.parsed.template.resources.get(name).and_then(|resource| resource.properties.get(property));
        let old = self.old.and_then(|old| old.template.resources.get(name)?.properties.get(property));
        if let (Some(new), Some(old)) = (new, old)
            && new.to_json() == old.to_json()
            && let Some(parameter) = self.changed_parameter(new)
        {
            return ("ParameterReference", Some(parameter));
        }
        ("DirectModification", None)
    }

    fn changed_parameter(&self, node: &Node) -> Option<String> {
        let before = self.stack.deployed.as_ref().or(self.stack.goal.as_ref())?;
        let changed = |name: &str| before.parameters.get(name) != self.new.deployment.parameters.get(name);
        references(node, "")
            .into_iter()
            .filter(|reference| reference.kind == ReferenceKind::Ref)
            .map(|reference| reference.target)
            .find(|name| self.new.parsed.template.parameters.contains_key(name) && changed(name))
    }
}

fn within(pointer: &str, property: &str) -> bool {
    pointer.strip_prefix('/').and_then(|rest| rest.split('/').next()) == Some(property)
}

fn requires_recreation(replacement: &Replacement, property: &str) -> &'static str {
    let names = |paths: &[String]| paths.iter().any(|path| path.split('.').next() == Some(property));
    match replacement {
        Replacement::Always(paths) if names(paths) => "Always",
        Replacement::Conditional(paths) if names(paths) => "Conditionally",
        _ => "Never",
    }
}

/// `True`, `Conditional` or `False`, from the details.
fn replacement(details: &[Value]) -> &'static str {
    let recreates = |detail: &&Value| detail["Target"]["RequiresRecreation"] == "Always";
    let dynamic = |detail: &&Value| detail["Evaluation"] == "Dynamic";
    if details.iter().filter(recreates).any(|detail| !dynamic(&detail)) {
        return "True";
    }
    let perhaps =
        details.iter().any(|detail| recreates(&detail) || detail["Target"]["RequiresRecreation"] == "Conditionally");
    if perhaps { "Conditional" } else { "False" }
}

/// Changes outside the properties.
fn attribute_details(live: &Instance, intent: &Intent) -> Vec<Value> {
    let changed = [
        ("Tags", live.plan.tags != intent.tags),
        ("Metadata", live.plan.metadata != intent.metadata),
        ("DeletionPolicy", live.plan.deletion_policy != intent.deletion_policy),
        ("UpdateReplacePolicy", live.plan.update_replace_policy != intent.update_replace_policy),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    changed
        .map(|(attribute, _)| {
            json!({
                "Target": {"Attribute": attribute, "RequiresRecreation": "Never", "Path": format!("/{attribute}"), "AttributeChangeType": "Modify"},
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            })
        })
        .collect()
}

fn added(name: &str, kind: &str, intent: &Intent) -> Value {
    entry(json!({
        "Action": "Add",
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Scope": [],
        "Details": [],
        "AfterContext": context(intent.public()),
    }))
}

fn removed(name: &str, live: &Instance) -> Value {
    entry(json!({
        "Action": "Remove",
        "PolicyAction": policy_action(live.plan.deletion_policy, false),
        "LogicalResourceId": name,
        "PhysicalResourceId": live.physical_id,
        "ResourceType": live.kind,
        "Scope": [],
        "Details": [],
        "BeforeContext": context(live.plan.public()),
    }))
}

fn modified(
    name: &str,
    kind: &str,
    (resource, live): (&Resource, &Instance),
    intent: &Intent,
    (details, replacement): (&[Value], &str),
) -> Value {
    let mut scope: Vec<&str> = details.iter().filter_map(|detail| detail["Target"]["Attribute"].as_str()).collect();
    scope.dedup();
    if scope.is_empty() && resource.uncertain {
        scope.push("Properties");
    }
    let action = (replacement != "False").then(|| policy_action(intent.update_replace_policy, true));
    entry(json!({
        "Action": "Modify",
        "PolicyAction": action,
        "LogicalResourceId": name,
        "PhysicalResourceId": live.physical_id,
        "ResourceType": kind,
        "Replacement": replacement,
        "Scope": scope,
        "Details": details,
        "BeforeContext": context(live.plan.public()),
        "AfterContext": context(intent.public()),
    }))
}

fn policy_action(policy: Policy, replaced: bool) -> &'static str {
    match (policy, replaced) {
        (Policy::Delete | Policy::Snapshot, false) => "Delete",
        (Policy::Retain | Policy::RetainExceptOnCreate, false) => "Retain",
        (Policy::Delete | Policy::Snapshot, true) => "ReplaceAndDelete",
        (Policy::Retain | Policy::RetainExceptOnCreate, true) => "ReplaceAndRetain",
    }
}

fn entry(change: Value) -> Value {
    json!({"Type": "Resource", "ResourceChange": change})
}

fn context(properties: &Value) -> String {
    json!({"Properties": properties}).to_string()
}

fn value_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Leaves out the values, as `DescribeChangeSet` does unless it is asked for them.
pub(super) fn without_values(mut change: Value) -> Value {
    if let Some(resource) = change.get_mut("ResourceChange").and_then(Value::as_object_mut) {
        resource.remove("BeforeContext");
        resource.remove("AfterContext");
        let details = resource.get_mut("Details").and_then(Value::as_array_mut);
        for detail in details.into_iter().flatten() {
            if let Some(target) = detail.get_mut("Target").and_then(Value::as_object_mut) {
                for name in ["Path", "BeforeValue", "AfterValue", "AttributeChangeType"] {
                    target.remove(name);
                }
            }
        }
    }
    change
}
