use proptest::prelude::{ProptestConfig, any, prop, prop_assume, proptest};
use serde_json::{Value as Json, json};

use super::{MAX_DEPTH, Position, parse};

fn json(text: &str) -> Json {
    parse(text).unwrap().to_json()
}

fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn plain_scalars_keep_what_was_written() {
    let cases = [
        ("012345678901", json!("012345678901")),
        ("2012-10-17", json!("2012-10-17")),
        ("22:22", json!("22:22")),
        ("1_000", json!("1_000")),
        ("yes", json!("yes")),
        ("off", json!("off")),
        ("True", json!(true)),
        ("-12", json!(-12)),
        ("+3", json!(3)),
        ("0", json!(0)),
        ("0x1f", json!(31)),
        ("-0o17", json!(-15)),
        ("1.5", json!(1.5)),
        (".5", json!(0.5)),
        ("12e4567", json!("12e4567")),
        ("1.2.3", json!("1.2.3")),
        ("-", json!(["x"])),
        ("99999999999999999999", json!("99999999999999999999")),
        (".inf", json!(".inf")),
        ("~", Json::Null),
        ("'5'", json!("5")),
        ("!!str 5", json!("5")),
    ];
    for (text, expected) in cases {
        let text = if text == "-" { "- x" } else { text };
        assert_eq!(json(text), expected, "{text}");
    }
    assert_eq!(json("{012: a, true: b, 1.10: c}"), json!({"012": "a", "true": "b", "1.10": "c"}));
}

#[test]
fn short_tags_become_long_functions() {
    let cases = [
        ("!Ref A", json!({"Ref": "A"})),
        ("!Condition A", json!({"Condition": "A"})),
        ("!GetAtt A.B.C", json!({"Fn::GetAtt": ["A", "B.C"]})),
        ("!GetAtt [A, B]", json!({"Fn::GetAtt": ["A", "B"]})),
        ("!Sub 'a'", json!({"Fn::Sub": "a"})),
        ("!Join [',', [!Ref A, b]]", json!({"Fn::Join": [",", [{"Ref": "A"}, "b"]]})),
        ("!Not\n  - !Equals [a, b]", json!({"Fn::Not": [{"Fn::Equals": ["a", "b"]}]})),
        ("!GetAZs ''", json!({"Fn::GetAZs": ""})),
        ("!Transform {Name: X}", json!({"Fn::Transform": {"Name": "X"}})),
        (
            "a: !If\n  - C\n  - !Ref A\n  - !Ref AWS::NoValue",
            json!({"a": {"Fn::If": ["C", {"Ref": "A"}, {"Ref": "AWS::NoValue"}]}}),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(json(text), expected, "{text}");
    }
}

#[test]
fn places_are_those_of_the_text() {
    let node = parse("a: 1\nb:\n  - x\n  - !Ref A\n").unwrap();
    assert_eq!(node.as_map().unwrap()["b"].at, Position { line: 2, column: 1 });
    let list = node.get("b").unwrap().as_list().unwrap();
    assert_eq!(list[0].at, Position { line: 3, column: 5 });
    assert_eq!(list[1].at, Position { line: 4, column: 5 });
}

#[test]
fn every_mistake_that_is_no_syntax_error_is_reported_at_once() {
    let text = "a: !Reff x\na: 2\nb: {<<: 1}\nc: !!binary aGk=\n";
    let expected = [
        "1:4: a: unknown tag `!Reff` (did you mean `!Ref`?)",
        "2:1: the key `a` is there twice",
        "3:5: merge keys (`<<`) are not part of CloudFormation's YAML",
        "4:4: c: the YAML tag `!!binary` is not supported",
    ];
    assert_eq!(problems(text), expected);
}

#[test]
fn anchors_are_expanded_within_bounds() {
    assert_eq!(json("a: &x {k: [1]}\nb: *x\n"), json!({"a": {"k": [1]}, "b": {"k": [1]}}));
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..9 {
        let before = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(",")));
    }
    assert!(problems(&bomb)[0].contains("aliases expanded"));
    assert!(!problems("a: &x [*x]").is_empty());
}

#[test]
fn depth_is_bounded_in_flow_and_in_blocks() {
    let deep = format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
    assert!(parse(&deep).is_ok());
    assert!(problems(&format!("[{deep}]"))[0].contains("levels deep"));
    let blocks = "- ".repeat(MAX_DEPTH + 1) + "x";
    assert!(problems(&blocks)[0].contains("levels deep"));
    assert!(parse(&"[".repeat(100_000)).is_err());
}

#[test]
fn json_is_read_too() {
    let text = "{\n\t\"A\": {\"B\\u00e9\": [1, 2.5, true, null, \"a\\/b\\n\"]},\n\t\"C\" : \"\\ud83d\\ude00\"\n}\n";
    assert_eq!(json(text), json!({"A": {"Bé": [1, 2.5, true, null, "a/b\n"]}, "C": "😀"}));
    let long = format!("{{\"{}\": 1}}", "k".repeat(5000));
    assert_eq!(json(&long).as_object().unwrap().len(), 1);
}

#[test]
fn empty_and_several_documents_are_refused() {
    assert_eq!(problems(""), ["1:1: the document is empty"]);
    assert_eq!(problems("# only a comment\n"), ["1:1: the document is empty"]);
    assert!(problems("a: 1\n---\nb: 2\n")[0].contains("second document"));
    assert!(problems("a: [1\nb: 2")[0].contains("not valid YAML"));
}

/// What another parser reads, with the short tags in their long form.
fn other(value: serde_yaml::Value) -> Json {
    use serde_yaml::Value;
    match value {
        Value::Null => Json::Null,
        Value::Bool(yes) => Json::Bool(yes),
        Value::Number(number) => serde_json::to_value(number).unwrap(),
        Value::String(text) => Json::from(text),
        Value::Sequence(items) => items.into_iter().map(other).collect(),
        Value::Mapping(map) => {
            let text = |key: Value| other(key).as_str().unwrap().to_owned();
            Json::Object(map.into_iter().map(|(key, value)| (text(key), other(value))).collect())
        }
        Value::Tagged(tagged) => {
            let name = tagged.tag.to_string().trim_start_matches('!').to_owned();
            let argument = other(tagged.value);
            let argument = match argument.as_str().and_then(|text| text.split_once('.')) {
                Some((resource, attribute)) if name == "GetAtt" => json!([resource, attribute]),
                _ => argument,
            };
            let long = if name == "Ref" || name == "Condition" { name } else { format!("Fn::{name}") };
            json!({ long: argument })
        }
    }
}

#[test]
fn two_parsers_agree_on_every_template_and_manifest_of_the_repository() {
    let root = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut files: Vec<_> =
        std::fs::read_dir(root.join("templates")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.extend(std::fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path().join("lab.yaml")));
    assert!(files.len() > 5);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let expected = other(serde_yaml::from_str(&text).unwrap());
        assert_eq!(json(&text), expected, "{}", file.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn no_text_of_yaml_signs_makes_the_parser_panic(text in "[ \\t\\n\\-:?\\[\\]{}&*!|>'\"%@`#,a1~.]{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn all_json_is_read_as_it_is(value in json_value("\\PC*")) {
        assert_eq!(parse(&value.to_string()).unwrap().to_json(), value);
        assert_eq!(parse(&serde_json::to_string_pretty(&value).unwrap()).unwrap().to_json(), value);
    }

    #[test]
    fn what_serde_yaml_writes_is_read_as_it_is(value in json_value("[ -~é€]{0,12}")) {
        // Who writes `<<` without quotes asks for a merge, and is refused.
        prop_assume!(!has_merge_key(&value));
        let text = serde_yaml::to_string(&value).unwrap();
        assert_eq!(parse(&text).map(|node| node.to_json()), Ok(value), "{}", text);
    }
}

fn has_merge_key(value: &Json) -> bool {
    match value {
        Json::Object(members) => members.iter().any(|(name, value)| name == "<<" || has_merge_key(value)),
        Json::Array(items) => items.iter().any(has_merge_key),
        _ => false,
    }
}

fn json_value(texts: &'static str) -> impl proptest::prelude::Strategy<Value = Json> {
    use proptest::prelude::Strategy;
    let leaf = proptest::prop_oneof![
        texts.prop_map(Json::from),
        "[a-z0-9 :#-]{0,12}".prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<bool>().prop_map(Json::from),
        proptest::strategy::Just(Json::Null),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        proptest::prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map(texts, inner, 0..5)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}
