use proptest::prelude::{ProptestConfig, Strategy, any, prop, proptest};
use serde_json::{Value as Json, json};

use crate::intrinsics::{Environment, Evaluated, Evaluator, Lookup, Pseudo, UNKNOWN};
use crate::{Problem, Template, yaml};

struct World {
    pseudo: Pseudo,
}

fn world() -> World {
    let pseudo = Pseudo {
        account_id: "123456789012".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
        url_suffix: "amazonaws.com".into(),
        stack_id: None,
        stack_name: "demo".into(),
        notification_arns: Vec::new(),
    };
    World { pseudo }
}

impl Environment for World {
    fn parameter(&self, name: &str) -> Option<Json> {
        match name {
            "Env" => Some(json!("dev")),
            "Nets" => Some(json!(["n1", "n2"])),
            _ => None,
        }
    }

    fn pseudo(&self, name: &str) -> Option<Json> {
        self.pseudo.get(name)
    }

    fn reference(&self, logical_id: &str) -> Lookup {
        if logical_id == "Made" { Lookup::Known(json!("made-1")) } else { Lookup::Unknown }
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Lookup {
        match (logical_id, attribute) {
            ("Made", "Endpoint.Port") => Lookup::Known(json!("3306")),
            ("Made", _) => Lookup::Missing,
            _ => Lookup::Unknown,
        }
    }

    fn import(&self, export: &str) -> Lookup {
        if export == "dev-net" { Lookup::Known(json!("vpc-1")) } else { Lookup::Missing }
    }

    fn zones(&self, region: &str) -> Vec<String> {
        vec![format!("{region}a"), format!("{region}b")]
    }
}

const HEAD: &str = "
Parameters: {Env: {Type: String}, Nets: {Type: CommaDelimitedList}}
Mappings: {Sizes: {dev: {Size: 1, Zones: [a, b]}}}
Conditions:
  Both: !And [!Condition Dev, !Not [!Condition Prod]]
  Dev: !Equals [!Ref Env, dev]
  Prod: !Equals [prod, !Ref Env]
Resources:
  Made: {Type: AWS::S3::Bucket}
  Later: {Type: AWS::S3::Bucket}
  Never: {Type: AWS::S3::Bucket, Condition: Prod}
";

fn evaluate(value: &str) -> Result<Evaluated, Vec<Problem>> {
    let template = Template::parse(HEAD).unwrap();
    let world = world();
    Evaluator::new(&template, &world).unwrap().value(&yaml::parse(value).unwrap(), "Here")
}

fn known(value: &str) -> Json {
    let evaluated = evaluate(value).unwrap();
    assert!(evaluated.is_known(), "{evaluated:?}");
    evaluated.value.unwrap_or(Json::Null)
}

fn refused(value: &str) -> String {
    evaluate(value).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn functions_nest_and_give_values() {
    let cases = [
        ("!Ref Env", json!("dev")),
        ("!Ref AWS::Region", json!("us-east-1")),
        ("!Ref Nets", json!(["n1", "n2"])),
        ("!Ref Made", json!("made-1")),
        ("!GetAtt Made.Endpoint.Port", json!("3306")),
        ("!Sub '${Env}:${Made.Endpoint.Port}:${!Kept}:${AWS::AccountId}'", json!("dev:3306:${Kept}:123456789012")),
        ("!Sub ['${A}-${Env}', {A: !Select [1, !Ref Nets]}]", json!("n2-dev")),
        ("!Join ['-', [!Ref Env, !Ref AWS::NoValue, 5]]", json!("dev-5")),
        ("!Select [1, !GetAZs '']", json!("us-east-1b")),
        ("!GetAZs {Ref: AWS::Region}", json!(["us-east-1a", "us-east-1b"])),
        ("!FindInMap [Sizes, !Ref Env, Size]", json!(1)),
        ("!FindInMap [Sizes, dev, Zones]", json!(["a", "b"])),
        ("!If [Both, {A: 1}, {B: 2}]", json!({"A": 1})),
        ("{A: !If [Prod, 1, !Ref AWS::NoValue], B: [!If [Prod, 1, !Ref AWS::NoValue], 2]}", json!({"B": [2]})),
        ("!ImportValue {'Fn::Sub': '${Env}-net'}", json!("vpc-1")),
        ("!Base64 {'Fn::Sub': '${Env}'}", json!("ZGV2")),
        (
            "{Statement: [{Condition: {StringEquals: {a: !Ref Env}}}]}",
            json!({"Statement": [{"Condition": {"StringEquals": {"a": "dev"}}}]}),
        ),
        ("!Ref AWS::NoValue", Json::Null),
    ];
    for (text, expected) in cases {
        assert_eq!(known(text), expected, "{text}");
    }
}

#[test]
fn what_is_not_known_yet_is_named_and_the_rest_is_there() {
    let evaluated =
        evaluate("{A: !GetAtt Later.Arn, B: [1, !Sub 'x-${Later}'], C: !Join ['', [!Ref AWS::StackId]], D: 4}")
            .unwrap();
    assert_eq!(evaluated.value, Some(json!({"A": UNKNOWN, "B": [1, UNKNOWN], "C": UNKNOWN, "D": 4})));
    let waits: Vec<_> = evaluated.unknown.iter().map(|(place, source)| (place.as_str(), source.as_str())).collect();
    assert_eq!(waits, [("/A", "Later.Arn"), ("/B/1", "Later"), ("/C", "AWS::StackId")]);
}

#[test]
fn conditions_decide_what_belongs_to_the_stack() {
    let template = Template::parse(HEAD).unwrap();
    let world = world();
    let evaluator = Evaluator::new(&template, &world).unwrap();
    assert_eq!(evaluator.conditions().values().copied().collect::<Vec<_>>(), [true, true, false]);
    assert!(evaluator.includes("Made") && !evaluator.includes("Never"));
}

#[test]
fn every_mistake_is_refused_in_one_go_with_its_place() {
    let cases = [
        ("!Ref Never", "Unresolved resource dependencies [Never]"),
        ("!Ref Nobody", "Unresolved resource dependencies [Nobody]"),
        ("!GetAtt Made.Nothing", "resource Made does not support attribute type Nothing in Fn::GetAtt"),
        ("!GetAtt Made", "every Fn::GetAtt object requires two non-empty parameters"),
        ("!Sub '${Nets}'", "variable Nets in Fn::Sub expression does not resolve to a string"),
        ("!Sub '${a b}'", "variable names in Fn::Sub"),
        ("!FindInMap [Sizes, dev, Nope]", "Unable to get mapping for Sizes::dev::Nope"),
        ("!ImportValue nope", "No export named nope found."),
        ("!If [Nope, 1, 2]", "Unresolved condition dependency Nope"),
        ("!Equals [1, 1]", "allowed in Conditions and Rules only"),
        ("!Transform {Name: AWS::Include}", "`Fn::Transform` is not supported"),
        ("!Length [1]", "needs `Transform: AWS::LanguageExtensions`"),
        ("{'Fn::Joim': [1]}", "unknown function `Fn::Joim` (did you mean `Fn::Join`?)"),
        ("{'Fn::Join': ['', []], Other: 1}", "`Fn::Join` must be the only key"),
    ];
    for (text, expected) in cases {
        let refusal = refused(text);
        assert!(refusal.contains(expected), "{text}: {refusal}");
    }
    let both = refused("{A: !Ref Nobody,\n B: !Join ['', !GetAtt Made.Nothing]}");
    assert_eq!(both.lines().count(), 2, "{both}");
    assert!(both.starts_with("1:5: Here.A.Ref:"), "{both}");
}

#[test]
fn macros_circles_and_bad_conditions_are_refused_before_anything_is_evaluated() {
    let refusal = |text: &str| {
        let template = Template::parse(text).unwrap();
        let world = world();
        let problems = Evaluator::new(&template, &world).err().unwrap();
        problems.iter().map(|problem| problem.what.clone()).collect::<Vec<_>>().join("\n")
    };
    let tail = "Resources: {A: {Type: AWS::S3::Bucket}}";
    assert!(refusal(&format!("Transform: AWS::Serverless-2016-10-31\n{tail}")).contains("AWS::Serverless-2016-10-31"));
    let circle = refusal(&format!("Conditions: {{A: !Not [!Condition B], B: !Not [!Condition A]}}\n{tail}"));
    assert!(circle.contains("Circular dependency between conditions: [A, B]"), "{circle}");
    let waits = refusal(&format!("Conditions: {{C: !Equals [!Ref A, x]}}\n{tail}"));
    assert!(waits.contains("cannot depend on `A`"), "{waits}");
    assert!(refusal(&format!("Conditions: {{C: true}}\n{tail}")).contains("only be boolean operations"));
}

#[test]
fn rules_that_do_not_hold_are_named() {
    let text = "
Parameters: {Env: {Type: String}}
Rules:
  Checked: {RuleCondition: !Equals [!Ref Env, dev], Assertions: [{Assert: !Contains [[a, b], !Ref Env], AssertDescription: a or b}]}
  Passed: {RuleCondition: !Equals [!Ref Env, prod], Assertions: [{Assert: !Contains [[a, b], !Ref Env]}]}
Resources: {A: {Type: AWS::S3::Bucket}}
";
    let template = Template::parse(text).unwrap();
    let world = world();
    let broken = Evaluator::new(&template, &world).unwrap().broken_rules().unwrap();
    assert_eq!(broken, ["Template validation error: Rule [Checked] failed: a or b"]);
}

fn json() -> impl Strategy<Value = Json> {
    let names = prop::sample::select(vec![
        "Ref",
        "Fn::Sub",
        "Fn::Join",
        "Fn::Select",
        "Fn::Split",
        "Fn::If",
        "Fn::GetAtt",
        "Fn::Cidr",
        "Fn::FindInMap",
        "Fn::Base64",
        "A",
    ]);
    let texts = prop::sample::select(vec![
        "Env",
        "Nets",
        "Made",
        "Made.Endpoint.Port",
        "${Env}",
        "${Later.X}",
        "${",
        ",",
        "1",
        "Dev",
        "10.0.0.0/8",
        "é",
    ]);
    let leaf = proptest::prop_oneof![
        texts.prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        any::<bool>().prop_map(Json::from)
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        proptest::prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            (names.clone(), inner).prop_map(|(name, value)| json!({name: value})),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_makes_the_evaluation_panic_or_leaves_a_function_behind(value in json()) {
        let template = Template::parse(HEAD).unwrap();
        let world = world();
        let node = yaml::Node::from_json(&value, crate::Position { line: 1, column: 1 });
        if let Ok(evaluated) = Evaluator::new(&template, &world).unwrap().value(&node, "Here") {
            let text = evaluated.value.map(|value| value.to_string()).unwrap_or_default();
            assert!(!text.contains("{\"Fn::") && !text.contains("{\"Ref\""), "{text}");
        }
    }

    #[test]
    fn sub_gives_back_text_without_variables_as_it_is(text in "[^$]*") {
        let template = Template::parse(HEAD).unwrap();
        let world = world();
        let node = yaml::Node::from_json(&json!({"Fn::Sub": text}), crate::Position { line: 1, column: 1 });
        let evaluated = Evaluator::new(&template, &world).unwrap().value(&node, "Here").unwrap();
        assert_eq!(evaluated.value, Some(Json::from(text)));
    }

    #[test]
    fn split_undoes_join(parts in prop::collection::vec("[a-z]{0,5}", 1..6)) {
        let template = Template::parse(HEAD).unwrap();
        let world = world();
        let value = json!({"Fn::Split": ["|", {"Fn::Join": ["|", parts]}]});
        let node = yaml::Node::from_json(&value, crate::Position { line: 1, column: 1 });
        let evaluated = Evaluator::new(&template, &world).unwrap().value(&node, "Here").unwrap();
        assert_eq!(evaluated.value, Some(json!(parts)));
    }
}
