use super::build::{Plan, removal};
use super::names::Instance;
use super::observed::{Observed, ObservedStack};
use super::step::{Action, Work};
use super::wanted::Wanted;
use super::wiring::{BuiltIn, Source, Wiring};
use crate::lab::Lab;
use crate::lab::model::{Manifest, Origin, Stack};
use crate::lab::validate;
use crate::template::Template;
use indexmap::IndexMap;

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
        queries: Vec::new(),
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
    let problems = Wiring::of(&lab(text, &[("network", NETWORK), ("second", second), ("third", third)])).unwrap_err();
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
fn of_a_stack_whose_template_cannot_be_read_everything_may_be_lost() {
    let mut observed = deployed("x");
    observed.stacks.get_mut("store").expect("there").template = "Resources: [".into();
    let mut old = there("old", STORE, &[], &[]);
    old.template = "{".into();
    observed.stacks.insert("old".into(), old);
    let plan = wanted("x").plan(&observed);
    assert_eq!(actions(&plan), [("network", Action::Keep), ("store", Action::Change), ("old", Action::Remove)]);
    assert!(plan.stacks[1].resources.iter().all(|resource| resource.may_replace), "{plan:#?}");
    assert_eq!(plan.losses(), ["~ store, whose template cannot be read", "- old, whose template cannot be read"]);
}

#[test]
fn what_may_be_replaced_is_asked_about() {
    let with = |engine: &str| {
        STORE
            .replace("AWS::S3::Bucket", "AWS::RDS::DBInstance")
            .replace("BucketName:", &format!("Engine: {engine}, DBInstanceIdentifier:"))
    };
    let (mut wanted, mut observed) = (wanted("x"), deployed("x"));
    let store = wanted.lab.stacks.iter_mut().find(|stack| stack.name == "store").expect("there");
    store.template = Template::parse(&with("mysql")).expect("a template");
    observed.stacks.get_mut("store").expect("there").template = with("mariadb");
    assert_eq!(wanted.plan(&observed).losses(), ["~ store/Bucket (AWS::RDS::DBInstance, may be replaced)"]);
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
    let mut unread = observed;
    unread.stacks.get_mut("network").expect("there").template = "{".into();
    assert_eq!(wanted.unmet("network", &unread, &known), ["Vpc"]);
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
