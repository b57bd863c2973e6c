//! From a lab, its parameters and what is there to a plan.

use super::cost::Cost;
use super::diff::{self, ResourceChange, Side, StackChange};
use super::graph;
use super::names::{self, Instance};
use super::observed::{Condition, Observed, ObservedStack};
use super::step::{Action, Step, StepId, Work};
use super::wanted::{Known, Wanted};
use crate::lab::Lab;
use crate::lab::model::Stack;
use crate::template::Template;
use crate::template::intrinsics::Pseudo;
use crate::template::problem::Problem;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What `up` would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    #[serde(flatten)]
    pub instance: Instance,
    pub stacks: Vec<StackChange>,
    /// Each after all that it needs.
    pub steps: Vec<Step>,
    pub cost: Cost,
    /// Steps were left out that there was reason for: carried out, it does not bring the lab to what is wanted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

impl Plan {
    /// Leaves out what `wanted` does not want to be worked on.
    pub fn keep_to(&mut self, wanted: impl Fn(&Work) -> bool) {
        for step in self.steps.iter_mut().filter(|step| step.action != Action::Keep && !wanted(&step.work)) {
            step.action = Action::Keep;
            self.partial = true;
        }
    }

    /// Something would be done.
    pub fn has_changes(&self) -> bool {
        self.steps.iter().any(|step| step.action != Action::Keep)
    }

    /// What would be lost, a line for each thing.
    pub fn losses(&self) -> Vec<String> {
        self.stacks.iter().flat_map(StackChange::losses).collect()
    }
}

impl Wanted {
    /// The plan. Of a stack whose template cannot be read, every resource may be replaced.
    pub fn plan(&self, observed: &Observed) -> Plan {
        let mut known = self.known(observed);
        let mut cost = Cost::new();
        let mut stacks = Vec::new();
        for name in &self.wiring.order {
            let Some(stack) = self.lab.stacks.iter().find(|stack| stack.name == *name) else { continue };
            let (change, new_outputs) = self.stack_change(stack, observed, &known, &mut cost);
            if let Some(outputs) = known.outputs.get_mut(name) {
                outputs.retain(|output, _| !new_outputs.contains(output));
            }
            stacks.push(change);
        }
        stacks.extend(self.strangers(observed));
        let steps = self.steps(observed, &stacks);
        Plan { instance: self.instance.clone(), stacks, steps, cost, partial: false }
    }

    fn stack_change(
        &self,
        stack: &Stack,
        observed: &Observed,
        known: &Known,
        cost: &mut Cost,
    ) -> (StackChange, BTreeSet<String>) {
        let name = self.instance.stack_name(&stack.name);
        let pseudo = pseudo(observed, &name);
        let new =
            Side { template: &stack.template, parameters: self.parameters(&stack.name, known), pseudo: pseudo.clone() };
        cost.add(&stack.name, &new);
        let there = observed.stacks.get(&stack.name);
        let condition = there.map_or(Condition::Gone, ObservedStack::condition);
        let old =
            there.filter(|_| matches!(condition, Condition::Settled | Condition::Busy | Condition::StuckRollback));
        let (outcome, unread) = match old.map(|old| (old, Template::parse(&old.template))) {
            Some((old, Ok(template))) => (diff::compare(&diff::observed_side(&template, old, pseudo), &new), None),
            Some((_, Err(problems))) => (diff::replacement_of_unread(&new), Some(told(&problems))),
            None => (diff::addition(&new), None),
        };
        let dated = self
            .expires
            .as_deref()
            .is_some_and(|date| there.and_then(|stack| stack.tag(names::TAG_EXPIRES)) != Some(date));
        let first = there.and_then(|stack| clearing(stack, condition));
        let action =
            if (dated || first.is_some()) && outcome.action == Action::Keep { Action::Change } else { outcome.action };
        (
            StackChange { stack: stack.name.clone(), name, action, first, unread, resources: outcome.resources },
            outcome.new_outputs,
        )
    }

    /// Resources of a stack as it is in `observed` that an update would have to touch. Attributes that CloudFormation does not
    /// count as a change (a deletion policy) are left out, values that are known only later count as equal.
    pub fn unmet(&self, stack: &str, observed: &Observed, known: &Known) -> Vec<String> {
        let Some(stack) = self.lab.stacks.iter().find(|wanted| wanted.name == stack) else { return Vec::new() };
        let (change, _) = self.stack_change(stack, observed, known, &mut Cost::new());
        let touched = |resource: &&ResourceChange| match resource.action {
            Action::Keep => false,
            Action::Change => !resource.properties.is_empty(),
            Action::Add | Action::Replace | Action::Remove => true,
        };
        // Of a template that cannot be read nobody can say that it is met.
        let unmet = change.resources.iter().filter(|resource| change.unread.is_some() || touched(resource));
        unmet.map(|resource| resource.resource.clone()).collect()
    }

    /// Stacks of the instance that the lab no longer has.
    fn strangers(&self, observed: &Observed) -> Vec<StackChange> {
        let strange =
            observed.stacks.values().filter(|there| self.lab.stacks.iter().all(|stack| stack.name != there.stack));
        strange
            .map(|there| {
                let (resources, unread) = match Template::parse(&there.template) {
                    Ok(template) => {
                        let side = diff::observed_side(&template, there, pseudo(observed, &there.name));
                        let mut resources = diff::addition(&side).resources;
                        resources.iter_mut().for_each(|resource| resource.action = Action::Remove);
                        (resources, None)
                    }
                    Err(problems) => (Vec::new(), Some(told(&problems))),
                };
                StackChange {
                    stack: there.stack.clone(),
                    name: there.name.clone(),
                    action: Action::Remove,
                    first: None,
                    unread,
                    resources,
                }
            })
            .collect()
    }

    fn steps(&self, observed: &Observed, stacks: &[StackChange]) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for function in self.lab.manifest.functions.keys() {
            let key = observed.code_keys.get(function);
            let there = key.is_some_and(|key| observed.uploaded.contains(key));
            let action = if there { Action::Keep } else { Action::Add };
            let build = Work::BuildFunction { function: function.clone() };
            let upload = Work::UploadFunction { function: function.clone() };
            let after = BTreeSet::from([build.id()]);
            steps.push(step(build, BTreeSet::new(), action));
            steps.push(step(upload, after, action));
        }
        let wanted = stacks.iter().filter(|change| change.action != Action::Remove);
        for change in wanted {
            let needs = self.wiring.needs(&change.stack).into_iter().map(|stack| Work::DeployStack { stack }.id());
            let functions = self.wiring.functions(&change.stack).into_iter();
            let packages = functions.map(|function| Work::UploadFunction { function }.id());
            let after = needs.chain(packages).collect();
            steps.push(step(Work::DeployStack { stack: change.stack.clone() }, after, change.action));
        }
        let deployed: BTreeSet<StepId> = steps.iter().map(|step| step.id.clone()).collect();
        steps.extend(removals(observed, stacks, &deployed));
        let changed = steps.iter().any(|step| step.action != Action::Keep);
        self.add_contents(observed, changed, &mut steps);
        ordered(steps)
    }

    /// Data, SQL and checks.
    fn add_contents(&self, observed: &Observed, changed: bool, steps: &mut Vec<Step>) {
        let mut before_sql = BTreeSet::new();
        for data in &self.lab.manifest.data {
            let work = Work::UploadData { file: data.file.clone(), to: data.to.clone() };
            before_sql.insert(work.id());
            let action = if observed.data.contains(&data.file) { Action::Keep } else { Action::Add };
            steps.push(step(work, self.givers(&data.to), action));
        }
        let settled = observed.checked && !changed && steps.iter().all(|step| step.action == Action::Keep);
        let action = if settled { Action::Keep } else { Action::Change };
        if let Some(sql) = &self.lab.manifest.sql {
            before_sql.insert(Work::DeployStack { stack: sql.cluster.name.clone() }.id());
            // What the Data API does not run, this function does.
            before_sql.extend(self.givers(&format!("${{{}}}", names::LOADER_OUTPUT)));
            for file in &self.lab.sql {
                before_sql.extend(self.givers(&String::from_utf8_lossy(&file.bytes)));
            }
            let work = Work::LoadSql { path: sql.path.clone(), cluster: sql.cluster.name.clone() };
            steps.push(step(work, before_sql, action));
        }
        let after = steps.iter().map(|step| step.id.clone()).collect();
        steps.push(step(Work::RunChecks { checks: self.lab.manifest.checks.len() }, after, action));
    }

    /// The stacks whose outputs a text names as `${Output}`.
    fn givers(&self, text: &str) -> BTreeSet<StepId> {
        let named =
            |stack: &&Stack| stack.template.outputs.keys().any(|output| text.contains(&format!("${{{output}}}")));
        self.lab.stacks.iter().filter(named).map(|stack| Work::DeployStack { stack: stack.name.clone() }.id()).collect()
    }
}

/// Every CloudFormation type that a lab's templates name, sorted.
pub fn resource_types(lab: &Lab) -> Vec<String> {
    let resources = lab.stacks.iter().flat_map(|stack| stack.template.resources.values());
    resources.map(|resource| resource.kind.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The steps that take a whole instance down, each after those who use what it removes.
pub fn removal(stacks: &BTreeMap<String, ObservedStack>) -> Vec<Step> {
    let steps = stacks.values().map(|stack| {
        let users = stacks.values().filter(|other| other.stack != stack.stack && uses(other, stack));
        let after = users.map(|user| Work::DeleteStack { stack: user.stack.clone() }.id()).collect();
        step(Work::DeleteStack { stack: stack.stack.clone() }, after, Action::Remove)
    });
    ordered(steps.collect())
}

/// A stack uses another if it was given one of its outputs.
fn uses(user: &ObservedStack, giver: &ObservedStack) -> bool {
    giver.outputs.iter().any(|(name, value)| user.parameters.get(name) == Some(value))
}

fn removals(observed: &Observed, stacks: &[StackChange], deployed: &BTreeSet<StepId>) -> Vec<Step> {
    let gone: BTreeMap<String, ObservedStack> = stacks
        .iter()
        .filter(|change| change.action == Action::Remove)
        .filter_map(|change| observed.stacks.get_key_value(&change.stack))
        .map(|(name, stack)| (name.clone(), stack.clone()))
        .collect();
    let mut steps = removal(&gone);
    // Stacks that stay may still take outputs of those that go: they are brought to their new shape first.
    steps.iter_mut().for_each(|step| step.after.extend(deployed.iter().cloned()));
    steps
}

fn step(work: Work, after: BTreeSet<StepId>, action: Action) -> Step {
    Step { id: work.id(), work, after, action }
}

/// Steps in an order that respects their edges. Wiring has refused cycles before; if one is left, the order is as written.
fn ordered(steps: Vec<Step>) -> Vec<Step> {
    let edges =
        steps.iter().map(|step| (step.id.0.clone(), step.after.iter().map(|id| id.0.clone()).collect())).collect();
    let Ok(order) = graph::order(&edges) else { return steps };
    let rank: BTreeMap<String, usize> = order.into_iter().enumerate().map(|(rank, id)| (id, rank)).collect();
    let mut steps = steps;
    steps.sort_by_key(|step| rank.get(&step.id.0).copied());
    steps
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What has to be cleared before a stack can be worked on.
fn clearing(stack: &ObservedStack, condition: Condition) -> Option<String> {
    let status = &stack.status;
    match condition {
        Condition::Broken => Some(format!("it is in {status} and is removed first")),
        Condition::Busy => Some(format!("it is in {status} and is waited for first")),
        Condition::StuckRollback => Some(format!("it is in {status} and is rolled back first")),
        Condition::Settled | Condition::Empty | Condition::Gone => None,
    }
}

fn pseudo(observed: &Observed, stack_name: &str) -> Pseudo {
    let china = observed.region.starts_with("cn-");
    let partition = if china {
        "aws-cn"
    } else if observed.region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    };
    Pseudo {
        account_id: observed.account.clone(),
        region: observed.region.clone(),
        partition: partition.to_owned(),
        url_suffix: if china { "amazonaws.com.cn" } else { "amazonaws.com" }.to_owned(),
        stack_id: None,
        stack_name: stack_name.to_owned(),
        notification_arns: Vec::new(),
    }
}
