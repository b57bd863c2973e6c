//! A deployment ready to be carried out: which resources belong to it, in which order, and what each should be.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::scope::Scope;
use crate::template::intrinsics::Evaluator;
use crate::template::model::DeletionPolicy;
use crate::template::{Problem, dynamic, schema};

use super::state::{Deployment, Intent, Output, Policy, Stack};
use super::templates::{Parsed, listed};
use super::world::World;

/// What no resource is unknown in: the world of the engine, where what a resource needs exists.
static NOTHING: BTreeSet<String> = BTreeSet::new();

/// A template with its parameters, conditions decided.
pub(super) struct Blueprint {
    pub(super) parsed: Arc<Parsed>,
    pub(super) deployment: Deployment,
    zones: Vec<String>,
    /// The resources whose conditions hold, each after all that it needs.
    included: Vec<String>,
    secret_parameters: bool,
}

/// A value together with the exports of other stacks that it was made of.
pub(super) struct Imported<T> {
    pub(super) value: T,
    pub(super) imports: BTreeSet<String>,
}

impl Blueprint {
    /// Decides the conditions.
    ///
    /// # Errors
    /// A condition cannot be evaluated; the sentence says why.
    pub(super) async fn open(
        cloud: &Cloud,
        parsed: Arc<Parsed>,
        deployment: Deployment,
        stack: &Stack,
    ) -> Result<Self, String> {
        let zones = if parsed.final_text().contains("GetAZs") { zones(cloud, &stack.scope).await } else { Vec::new() };
        let secret_parameters = parsed.template.parameters.values().any(|parameter| parameter.no_echo);
        let mut blueprint = Blueprint { parsed, deployment, zones, included: Vec::new(), secret_parameters };
        let exports = BTreeMap::new();
        let world = blueprint.world(stack, &exports, &NOTHING, false);
        let evaluator = Evaluator::new(&blueprint.parsed.template, &world).map_err(|problems| listed(&problems))?;
        let order = blueprint.parsed.graph.order();
        let included = order.into_iter().filter(|name| evaluator.includes(name)).map(str::to_owned).collect();
        drop(evaluator);
        blueprint.included = included;
        Ok(blueprint)
    }

    /// The resources that belong to the stack, each after all that it needs.
    pub(super) fn resources(&self) -> &[String] {
        &self.included
    }

    pub(super) fn includes(&self, logical_id: &str) -> bool {
        self.included.iter().any(|name| name == logical_id)
    }

    pub(super) fn kind(&self, logical_id: &str) -> &str {
        self.parsed.template.resources.get(logical_id).map_or("", |resource| resource.kind.as_str())
    }

    /// For each of [`Blueprint::resources`], which of them it waits for.
    pub(super) fn waits_for(&self) -> Vec<BTreeSet<usize>> {
        let place: BTreeMap<&str, usize> =
            self.included.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let needs =
            |name: &String| self.parsed.graph.needs(name).filter_map(|other| place.get(other).copied()).collect();
        self.included.iter().map(needs).collect()
    }

    pub(super) fn world<'a>(
        &'a self,
        stack: &'a Stack,
        exports: &'a BTreeMap<String, String>,
        unknown: &'a BTreeSet<String>,
        masked: bool,
    ) -> World<'a> {
        World {
            template: &self.parsed.template,
            deployment: &self.deployment,
            stack,
            exports,
            zones: &self.zones,
            masked,
            unknown,
            exports_later: false,
            imported: RefCell::default(),
        }
    }

    /// What the resource should be, now that all it needs exists.
    ///
    /// # Errors
    /// A function of its properties has no value; the sentence says which.
    pub(super) fn intent(
        &self,
        stack: &Stack,
        exports: &BTreeMap<String, String>,
        logical_id: &str,
    ) -> Result<Imported<Intent>, String> {
        let world = self.world(stack, exports, &NOTHING, false);
        let evaluated = properties(&self.parsed, &world, logical_id)?;
        if let Some(waits_for) = evaluated.waits_for {
            return Err(format!("Template error: the value of {waits_for} is not known"));
        }
        let masked = if self.secret_parameters {
            let shown = properties(&self.parsed, &self.world(stack, exports, &NOTHING, true), logical_id)?;
            Some(shown.value).filter(|shown| *shown != evaluated.value)
        } else {
            None
        };
        let intent = self.intent_of(logical_id, evaluated.value, masked);
        Ok(Imported { value: intent, imports: world.imported.take() })
    }

    /// The intent with properties that were evaluated elsewhere.
    pub(super) fn intent_of(&self, logical_id: &str, properties: Value, masked: Option<Value>) -> Intent {
        let resource = self.parsed.template.resources.get(logical_id);
        let taggable = resource.is_some_and(|resource| schema::tag_property(&resource.kind).is_some());
        Intent {
            properties,
            masked,
            // A database without a policy is snapshotted on AWS; here snapshots do not exist, and an explicit
            // `Snapshot` is refused before anything is made.
            deletion_policy: resource
                .and_then(|resource| resource.deletion_policy)
                .map(Policy::from)
                .unwrap_or_default(),
            update_replace_policy: resource.map(|resource| resource.on_replace().into()).unwrap_or_default(),
            after: self.parsed.graph.needs(logical_id).filter(|name| self.includes(name)).map(str::to_owned).collect(),
            tags: if taggable { self.deployment.tags.clone() } else { Vec::new() },
            metadata: resource.and_then(|resource| resource.metadata.as_ref()).map(|node| node.to_json()),
        }
    }

    /// What is wrong with properties once parameters and conditions have their say: a port that is no number, a required
    /// property that a condition leaves out. Properties that wait for a resource, or hold secrets, are not looked at.
    pub(super) fn problems(&self, stack: &Stack) -> Vec<Problem> {
        let absent = |name: &&String| stack.resources.get(*name).is_none_or(|resource| resource.live.is_none());
        let unknown: BTreeSet<String> = self.included.iter().filter(absent).cloned().collect();
        let exports = BTreeMap::new();
        let mut problems = Vec::new();
        for name in &self.included {
            let value = |masked| properties(&self.parsed, &self.world(stack, &exports, &unknown, masked), name);
            let (Ok(found), Ok(shown)) = (value(false), value(true)) else { continue };
            let settled = found.unknown.is_empty() && found.value == shown.value;
            if !settled || !dynamic::find(&found.value).is_empty() {
                continue;
            }
            let path = format!("Resources.{name}.Properties");
            let at = self.parsed.template.resources.get(name).map(|resource| resource.at).unwrap_or_default();
            let found = schema::check_values(self.kind(name), &found.value, &path);
            problems.extend(found.into_iter().map(|problem| Problem { at, ..problem }));
        }
        problems
    }

    /// Refuses what no resource can give a value: a mapping without the key, an index past the end, a function that does
    /// not exist. What other stacks export is asked when it is needed.
    ///
    /// # Errors
    /// AWS's sentence, with every such place.
    pub(super) fn without_a_value(&self, stack: &Stack) -> Result<(), String> {
        let exports = BTreeMap::new();
        let unknown: BTreeSet<String> = self.included.iter().cloned().collect();
        let mut world = self.world(stack, &exports, &unknown, true);
        world.exports_later = true;
        let evaluator = Evaluator::new(&self.parsed.template, &world).map_err(|problems| listed(&problems))?;
        let resources = self.included.iter().filter_map(|name| evaluator.properties(name).err());
        let mut problems: Vec<Problem> = resources.flatten().collect();
        match evaluator.outputs() {
            Ok(outputs) => {
                for (name, output) in outputs {
                    if output.value.value.as_ref().is_some_and(|value| !is_scalar(value)) {
                        let at = self.parsed.template.outputs.get(&name).map(|output| output.at).unwrap_or_default();
                        problems.push(Problem::new(at, "", malformed(&name)));
                    }
                }
            }
            Err(found) => problems.extend(found),
        }
        if problems.is_empty() { Ok(()) } else { Err(sentence(&problems)) }
    }

    /// The outputs, now that all resources exist.
    ///
    /// # Errors
    /// One has no value; the sentence says which.
    pub(super) fn outputs(
        &self,
        stack: &Stack,
        exports: &BTreeMap<String, String>,
    ) -> Result<Imported<Vec<Output>>, String> {
        let world = self.world(stack, exports, &NOTHING, false);
        let evaluator = Evaluator::new(&self.parsed.template, &world).map_err(|problems| listed(&problems))?;
        let mut outputs = Vec::new();
        for (key, output) in evaluator.outputs().map_err(|problems| listed(&problems))? {
            let Some(value) = output.value.value else { continue };
            if !is_scalar(&value) {
                return Err(malformed(&key));
            }
            let export = output.export.and_then(|export| export.value).map(|name| text(&name));
            outputs.push(Output { key, value: text(&value), description: output.description, export });
        }
        drop(evaluator);
        Ok(Imported { value: outputs, imports: world.imported.take() })
    }
}

/// Evaluated properties, and what they still wait for.
pub(super) struct Properties {
    pub(super) value: Value,
    pub(super) waits_for: Option<String>,
    /// JSON pointer of each unknown place → what it waits for.
    pub(super) unknown: BTreeMap<String, String>,
}

/// Evaluates the properties of one resource in `world`.
pub(super) fn properties(parsed: &Parsed, world: &World<'_>, logical_id: &str) -> Result<Properties, String> {
    let sentence = |problems: Vec<Problem>| listed(&problems);
    let evaluator = Evaluator::new(&parsed.template, world).map_err(sentence)?;
    let evaluated = evaluator.properties(logical_id).map_err(sentence)?;
    Ok(Properties {
        value: evaluated.value.unwrap_or_else(|| json!({})),
        waits_for: evaluated.unknown.values().next().cloned(),
        unknown: evaluated.unknown,
    })
}

/// AWS begins such messages in more than one way; ours have only one beginning.
fn sentence(problems: &[Problem]) -> String {
    let listed = listed(problems);
    if listed.starts_with("Template ") { listed } else { format!("Template error: {listed}") }
}

fn malformed(output: &str) -> String {
    format!(
        "Template format error: Output {output} is malformed. The Value field of every Outputs member must evaluate to a String."
    )
}

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

/// An output's value as text: CloudFormation has no other.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

async fn zones(cloud: &Cloud, scope: &Scope) -> Vec<String> {
    let answer = cloud.call(scope, "ec2", "DescribeAvailabilityZones", json!({})).await;
    let named: Vec<String> = answer
        .ok()
        .and_then(|answer| answer.get("AvailabilityZones")?.as_array().cloned())
        .unwrap_or_default()
        .iter()
        .filter_map(|zone| zone.get("ZoneName")?.as_str().map(str::to_owned))
        .collect();
    if named.is_empty() { ["a", "b", "c"].map(|letter| format!("{}{letter}", scope.region)).to_vec() } else { named }
}

impl From<DeletionPolicy> for Policy {
    fn from(policy: DeletionPolicy) -> Self {
        match policy {
            DeletionPolicy::Delete => Policy::Delete,
            DeletionPolicy::Retain => Policy::Retain,
            DeletionPolicy::RetainExceptOnCreate => Policy::RetainExceptOnCreate,
            DeletionPolicy::Snapshot => Policy::Snapshot,
        }
    }
}
