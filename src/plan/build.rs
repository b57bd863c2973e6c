//! From a lab, its parameters and what is there to a plan.

use super::cost::Cost;
use super::diff::{self, ResourceChange, Side, StackChange};
use super::graph;
use super::names::{self, Instance};
use super::observed::{Condition, Observed, ObservedStack};
use super::step::{Action, Step, StepId, Work};
use super::wiring::{BuiltIn, Source, Wiring};
use crate::lab::Lab;
use crate::lab::model::Stack;
use crate::template::intrinsics::Pseudo;
use crate::template::{Template, parameters};
use indexmap::IndexMap;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What the user wants: a lab, an instance of it, its parameters' values.
#[derive(Debug)]
pub struct Wanted {
    pub lab: Lab,
    pub instance: Instance,
    /// Value of every lab parameter, as text.
    pub values: IndexMap<String, String>,
    pub wiring: Wiring,
    /// As Lambda names it.
    pub architecture: String,
    /// The date for `labctl:expires`; `None` leaves what is there.
    pub expires: Option<String>,
}

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

    /// Stack/resource names of what would be lost. A deployment of an API is a picture of it: when the stage has moved on to
    /// the next one, nobody misses the last.
    pub fn losses(&self) -> Vec<String> {
        let resources =
            self.stacks.iter().flat_map(|stack| stack.resources.iter().map(move |resource| (stack, resource)));
        resources
            .filter(|(_, resource)| resource.action.destroys() && resource.kind != "AWS::ApiGateway::Deployment")
            .map(|(stack, resource)| {
                format!("{} {}/{} ({})", resource.action.glyph(), stack.stack, resource.resource, resource.kind)
            })
            .collect()
    }
}

/// What has become known of the values that stacks take from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub artifact_bucket: String,
    /// Stack → output → value.
    pub outputs: BTreeMap<String, BTreeMap<String, String>>,
    /// Function → key of its package.
    pub code_keys: BTreeMap<String, String>,
}

impl Wanted {
    /// The values to send for a stack's parameters: `None` for what is known only later; those left to their defaults are absent.
    pub fn parameters(&self, stack: &str, known: &Known) -> BTreeMap<String, Option<String>> {
        let sources = self.wiring.stacks.get(stack).into_iter().flatten();
        let value = |name: &String, source: &Source| match source {
            Source::Default => None,
            Source::Lab => Some(self.values.get(name).cloned()),
            Source::Output { stack } => Some(known.outputs.get(stack).and_then(|outputs| outputs.get(name)).cloned()),
            Source::BuiltIn(BuiltIn::LabName) => Some(Some(self.instance.lab.clone())),
            Source::BuiltIn(BuiltIn::LabEnv) => Some(Some(self.instance.env.clone())),
            Source::BuiltIn(BuiltIn::ArtifactBucket) => Some(Some(known.artifact_bucket.clone())),
            Source::BuiltIn(BuiltIn::FunctionArchitecture) => Some(Some(self.architecture.clone())),
            Source::BuiltIn(BuiltIn::CodeKey { function }) => Some(known.code_keys.get(function).cloned()),
        };
        sources.filter_map(|(name, source)| Some((name.clone(), value(name, source)?))).collect()
    }

    /// Lab parameters that a template would refuse: AWS's own sentences, before AWS is asked.
    pub fn refused_values(&self) -> Vec<String> {
        let wired = self.lab.stacks.iter().flat_map(|stack| {
            let sources = self.wiring.stacks.get(&stack.name).into_iter().flatten();
            sources.map(move |(name, source)| (stack, name, source))
        });
        let problems = wired.filter_map(|(stack, name, source)| {
            let value = match source {
                Source::Lab => self.values.get(name)?.as_str(),
                Source::BuiltIn(BuiltIn::LabName) => &self.instance.lab,
                Source::BuiltIn(BuiltIn::LabEnv) => &self.instance.env,
                Source::BuiltIn(BuiltIn::FunctionArchitecture) => &self.architecture,
                Source::BuiltIn(_) | Source::Output { .. } | Source::Default => return None,
            };
            let what = parameters::check(name, stack.template.parameters.get(name)?, value)?;
            Some(format!("{}: {what}", stack.file))
        });
        problems.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What is known before anything is done.
    pub fn known(&self, observed: &Observed) -> Known {
        let settled = observed.stacks.values().filter(|stack| stack.condition() == Condition::Settled);
        Known {
            artifact_bucket: names::artifact_bucket(&observed.account, &observed.region),
            outputs: settled.map(|stack| (stack.stack.clone(), stack.outputs.clone())).collect(),
            code_keys: observed.code_keys.clone(),
        }
    }

    /// A digest of all inputs and of the stacks they went to: the same digest, the same lab, checked.
    /// `None` while a stack is missing or a package is not built.
    pub fn digest(&self, observed: &Observed) -> Option<String> {
        let known = self.known(observed);
        let mut hash = Sha256::new();
        let mut part = |text: &[u8]| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        part(b"labctl 1");
        part(self.lab.text.as_bytes());
        for stack in &self.lab.stacks {
            part(observed.stacks.get(&stack.name)?.id.as_bytes());
            part(stack.text.as_bytes());
            for (name, value) in self.parameters(&stack.name, &known) {
                part(name.as_bytes());
                part(value?.as_bytes());
            }
        }
        for file in self.lab.sql.iter().chain(&self.lab.data) {
            part(file.name.as_bytes());
            part(&file.bytes);
        }
        Some(hex::encode(&hash.finalize()[..16]))
    }

    /// The plan. Templates that are there but cannot be read count as different in every resource.
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
        let outcome = match old.map(|old| (old, Template::parse(&old.template))) {
            Some((old, Ok(template))) => diff::compare(&diff::observed_side(&template, old, pseudo), &new),
            Some((_, Err(_))) | None => diff::addition(&new),
        };
        let dated = self
            .expires
            .as_deref()
            .is_some_and(|date| there.and_then(|stack| stack.tag(names::TAG_EXPIRES)) != Some(date));
        let first = there.and_then(|stack| clearing(stack, condition));
        let action =
            if (dated || first.is_some()) && outcome.action == Action::Keep { Action::Change } else { outcome.action };
        (
            StackChange { stack: stack.name.clone(), name, action, first, resources: outcome.resources },
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
        change.resources.iter().filter(touched).map(|resource| resource.resource.clone()).collect()
    }

    /// Stacks of the instance that the lab no longer has.
    fn strangers(&self, observed: &Observed) -> Vec<StackChange> {
        let strange =
            observed.stacks.values().filter(|there| self.lab.stacks.iter().all(|stack| stack.name != there.stack));
        strange
            .map(|there| {
                let template = Template::parse(&there.template);
                let resources = template.map(|template| {
                    let side = diff::observed_side(&template, there, pseudo(observed, &there.name));
                    let mut resources = diff::addition(&side).resources;
                    resources.iter_mut().for_each(|resource| resource.action = Action::Remove);
                    resources
                });
                StackChange {
                    stack: there.stack.clone(),
                    name: there.name.clone(),
                    action: Action::Remove,
                    first: None,
                    resources: resources.unwrap_or_default(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::model::{Manifest, Origin, Stack};
    use crate::lab::validate;

    const NETWORK: &str = "
Parameters:
  LabName: { Type: String }
  Cidr: { Type: String, Default: 10.0.0.0/16 }
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: !Ref Cidr } }
Outputs:
  VpcId: { Value: !Ref Vpc }
";
    const STORE: &str = "
Parameters:
  VpcId: { Type: String }
  Keep: { Type: String }
Resources:
  Bucket: { Type: AWS::S3::Bucket, Properties: { BucketName: !Sub '${VpcId}-${Keep}' } }
Outputs:
  LabBucket: { Value: !Ref Bucket }
";

    fn manifest(text: &str) -> Manifest {
        validate::manifest(text).expect("a valid manifest")
    }

    fn lab(text: &str, stacks: &[(&str, &str)]) -> Lab {
        let stack = |(name, text): &(&str, &str)| Stack {
            name: (*name).to_owned(),
            file: format!("templates/{name}.yaml"),
            text: (*text).to_owned(),
            template: Template::parse(text).expect("a valid template"),
        };
        Lab {
            manifest: manifest(text),
            file: "lab.yaml".into(),
            text: text.to_owned(),
            stacks: stacks.iter().map(stack).collect(),
            sql: Vec::new(),
            data: Vec::new(),
            origin: Origin::Builtin,
        }
    }

    const MANIFEST: &str = "
lab: small
description: two stacks
parameters:
  Keep: { type: string, default: x }
stacks: [store, network]
";

    fn wanted(keep: &str) -> Wanted {
        let lab = lab(MANIFEST, &[("store", STORE), ("network", NETWORK)]);
        let wiring = Wiring::of(&lab).expect("wired");
        let values = IndexMap::from([("Keep".to_owned(), keep.to_owned())]);
        let instance = Instance::new("small", "dev");
        Wanted { lab, instance, values, wiring, architecture: "x86_64".into(), expires: None }
    }

    fn there(stack: &str, template: &str, parameters: &[(&str, &str)], outputs: &[(&str, &str)]) -> ObservedStack {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        ObservedStack {
            stack: stack.into(),
            name: format!("small-dev-{stack}"),
            id: format!("arn:{stack}"),
            status: "CREATE_COMPLETE".into(),
            parameters: map(parameters),
            outputs: map(outputs),
            template: template.into(),
            ..ObservedStack::default()
        }
    }

    fn deployed(keep: &str) -> Observed {
        let network = [("LabName", "small"), ("Cidr", "10.0.0.0/16")];
        let store = [("VpcId", "vpc-1"), ("Keep", keep)];
        let stacks = [
            there("network", NETWORK, &network, &[("VpcId", "vpc-1")]),
            there("store", STORE, &store, &[("LabBucket", "b")]),
        ];
        Observed {
            account: "1".into(),
            region: "us-east-1".into(),
            stacks: stacks.into_iter().map(|stack| (stack.stack.clone(), stack)).collect(),
            checked: true,
            ..Observed::default()
        }
    }

    fn actions(plan: &Plan) -> Vec<(&str, Action)> {
        plan.stacks.iter().map(|stack| (stack.stack.as_str(), stack.action)).collect()
    }

    #[test]
    fn stacks_are_wired_by_name_and_ordered_by_what_they_take() {
        let wanted = wanted("x");
        assert_eq!(wanted.wiring.order, ["network", "store"]);
        assert_eq!(wanted.wiring.stacks["store"]["VpcId"], Source::Output { stack: "network".into() });
        assert_eq!(wanted.wiring.stacks["store"]["Keep"], Source::Lab);
        assert_eq!(wanted.wiring.stacks["network"]["LabName"], Source::BuiltIn(BuiltIn::LabName));
        assert_eq!(wanted.wiring.stacks["network"]["Cidr"], Source::Default);
    }

    #[test]
    fn wiring_tells_every_problem_at_once_with_its_place_and_near_miss() {
        let second = "
Parameters:
  VpcIdd: { Type: String }
  Keep: { Type: String }
Resources:
  Bucket: { Type: AWS::S3::Bucket }
Outputs:
  Keep: { Value: y }
";
        let third = "
Parameters:
  Keep: { Type: String }
Resources:
  Bucket: { Type: AWS::S3::Bucket }
";
        let text = "
lab: small
description: d
parameters:
  Keep: { type: string, default: x }
  Kep: { type: string, default: x }
stacks: [network, second, third]
";
        let problems =
            Wiring::of(&lab(text, &[("network", NETWORK), ("second", second), ("third", third)])).unwrap_err();
        let all = problems.join("\n");
        assert_eq!(problems.len(), 3, "{all}");
        assert!(all.contains("lab.yaml:6:") && all.contains("did you mean `Keep`?"), "{all}");
        assert!(all.contains("templates/second.yaml:3:") && all.contains("did you mean `VpcId`?"), "{all}");
        assert!(all.contains("the lab's parameter and the output of stack `second`"), "{all}");
    }

    #[test]
    fn from_nothing_every_resource_is_added_in_order() {
        let plan = wanted("x").plan(&Observed { region: "us-east-1".into(), ..Observed::default() });
        assert_eq!(actions(&plan), [("network", Action::Add), ("store", Action::Add)]);
        let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.0.as_str()).collect();
        assert_eq!(ids, ["stack/network", "stack/store", "checks"]);
        assert!(plan.has_changes() && plan.losses().is_empty());
    }

    #[test]
    fn what_is_there_as_wanted_is_kept() {
        let plan = wanted("x").plan(&deployed("x"));
        assert!(!plan.has_changes(), "{plan:#?}");
    }

    #[test]
    fn a_change_that_cannot_be_made_in_place_is_a_replacement_and_a_loss() {
        let plan = wanted("other").plan(&deployed("x"));
        assert_eq!(actions(&plan), [("network", Action::Keep), ("store", Action::Change)]);
        assert_eq!(plan.losses(), ["± store/Bucket (AWS::S3::Bucket)"]);
    }

    #[test]
    fn what_cannot_be_evaluated_is_a_change_and_has_no_price() {
        let broken = "
Parameters:
  LabName: { Type: String }
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: !Select [2, [a, b]] } }
  Address: { Type: AWS::EC2::EIP, Properties: { Domain: !Select [2, [a, b]] } }
Outputs:
  VpcId: { Value: !Ref Vpc }
";
        let mut wanted = wanted("x");
        let network = wanted.lab.stacks.iter_mut().find(|stack| stack.name == "network").expect("there");
        network.template = Template::parse(broken).expect("a template");
        let mut observed = deployed("x");
        observed.stacks.get_mut("network").expect("there").template = broken.to_owned();
        let plan = wanted.plan(&observed);
        let vpc = &plan.stacks[0].resources[0];
        assert_eq!((vpc.resource.as_str(), vpc.action, vpc.may_replace), ("Vpc", Action::Change, true));
        assert_eq!(plan.cost.unpriced, ["network/Address"]);
    }

    #[test]
    fn a_stack_that_the_lab_no_longer_has_is_removed_after_the_others() {
        let mut observed = deployed("x");
        let old = there("old", STORE, &[("VpcId", "vpc-1"), ("Keep", "z")], &[]);
        observed.stacks.insert("old".into(), old);
        let plan = wanted("x").plan(&observed);
        let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.0.as_str()).collect();
        assert_eq!(ids, ["stack/network", "stack/store", "delete/old", "checks"]);
        assert_eq!(plan.losses(), ["- old/Bucket (AWS::S3::Bucket)"]);
    }

    #[test]
    fn a_stack_that_was_rolled_back_is_made_again_and_says_what_goes_first() {
        let mut observed = deployed("x");
        observed.stacks.get_mut("store").expect("there").status = "ROLLBACK_COMPLETE".into();
        let plan = wanted("x").plan(&observed);
        assert_eq!(plan.stacks[1].first.as_deref(), Some("it is in ROLLBACK_COMPLETE and is removed first"));
        assert_eq!(plan.stacks[1].action, Action::Add);
    }

    #[test]
    fn a_plan_of_which_steps_were_left_out_is_partial() {
        let mut plan = wanted("other").plan(&deployed("x"));
        plan.keep_to(|work| matches!(work, Work::DeployStack { .. } | Work::RunChecks { .. }));
        assert!(plan.has_changes() && !plan.partial, "nothing was left out");
        plan.keep_to(|work| *work == Work::DeployStack { stack: "network".into() });
        assert!(!plan.has_changes() && plan.partial);
    }

    #[test]
    fn what_an_update_has_to_touch_is_told_by_resource() {
        let (wanted, observed) = (wanted("other"), deployed("x"));
        let known = wanted.known(&observed);
        assert_eq!(wanted.unmet("store", &observed, &known), ["Bucket"]);
        assert!(wanted.unmet("network", &observed, &known).is_empty());
    }

    #[test]
    fn removal_goes_from_users_to_what_they_use() {
        let ids: Vec<String> = removal(&deployed("x").stacks).into_iter().map(|step| step.id.0).collect();
        assert_eq!(ids, ["delete/store", "delete/network"]);
    }

    #[test]
    fn the_digest_changes_with_every_input_and_is_not_there_before_the_stacks_are() {
        let observed = deployed("x");
        let digest = wanted("x").digest(&observed);
        assert!(digest.is_some());
        assert_eq!(digest, wanted("x").digest(&observed));
        assert_ne!(digest, wanted("y").digest(&observed));
        assert_eq!(wanted("x").digest(&Observed::default()), None);
    }
}
