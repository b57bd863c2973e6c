//! The contract over an inventory in memory; and generated requests, ten thousand for each route.

use std::cell::RefCell;
use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;

/// An inventory that can be away.
#[derive(Default)]
struct Memory {
    kept: RefCell<HashMap<String, Stored>>,
    /// Resuming; perhaps stored.
    away: Option<(bool, bool)>,
}

impl Memory {
    fn there(&self) -> Result<(), Unavailable> {
        match self.away {
            Some((resuming, perhaps_stored)) => Err(Unavailable { resuming, perhaps_stored }),
            None => Ok(()),
        }
    }
}

impl Inventory for Memory {
    async fn save(&self, instance: &NewInstance) -> Result<Saved, Unavailable> {
        self.there()?;
        let NewInstance { id, region, account, packages } = instance.clone();
        let mut kept = self.kept.borrow_mut();
        if kept.contains_key(&id) {
            return Ok(Saved::Known);
        }
        let creation_date_utc = "2019-03-06 02:45:32.0".to_owned();
        kept.insert(id, Stored { aws_region: region, aws_account: account, creation_date_utc, packages });
        Ok(Saved::New)
    }

    async fn find(&self, id: &str) -> Result<Option<Stored>, Unavailable> {
        self.there()?;
        Ok(self.kept.borrow().get(id).cloned())
    }
}

fn call(route: Route, event: &Value, inventory: &Memory) -> (u64, Value, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answer = runtime.block_on(handle(route, event, inventory));
    let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    (answer["statusCode"].as_u64().unwrap(), body, answer["headers"].clone())
}

fn event(name: &str) -> Value {
    let text = match name {
        "add" => include_str!("../../events/add.json"),
        _ => include_str!("../../events/find.json"),
    };
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_guide_s_own_examples_get_the_guide_s_own_answers() {
    let inventory = Memory::default();
    let none = json!({"record": {}, "record_found": false});
    assert_eq!(call(Route::Find, &event("find"), &inventory).1, none);
    let packages = json!([
        {"package_name": "package-1", "package_version": "v1"}, {"package_name": "package-1", "package_version": "v2"},
        {"package_name": "package-2", "package_version": "v1"}, {"package_name": "package-3", "package_version": "v1"}]);
    let (status, body, _) = call(Route::Add, &event("add"), &inventory);
    let record = json!({"aws_account": "123456789012", "aws_region": "us-east-1", "packages": packages});
    assert_eq!((status, body), (200, json!({"new_record": record})));
    let (status, body, _) = call(Route::Find, &event("find"), &inventory);
    let record = json!({
        "aws_instance_id": "i-01aaae43feb712345", "aws_region": "us-east-1", "aws_account": "123456789012",
        "creation_date_utc": "2019-03-06 02:45:32.0", "packages": packages});
    assert_eq!((status, body), (200, json!({"record": record, "record_found": true})));
    let (status, body, _) = call(Route::Add, &event("add"), &inventory);
    let text = body["error_message"].as_str().unwrap();
    assert!(status == 400 && text.contains("Duplicate entry 'i-01aaae43feb712345' for key 'PRIMARY'"), "{text}");
}

#[test]
fn a_database_that_is_away_is_503_and_says_when_to_try_again() {
    let cases = [
        (true, false, "is resuming after a pause; nothing was stored"),
        (false, false, "is not available; nothing was stored"),
        (false, true, "may have been stored"),
    ];
    for (resuming, perhaps_stored, words) in cases {
        let inventory = Memory { away: Some((resuming, perhaps_stored)), ..Memory::default() };
        for (route, name) in [(Route::Add, "add"), (Route::Find, "find")] {
            let (status, body, headers) = call(route, &event(name), &inventory);
            assert_eq!((status, &headers["Retry-After"]), (503, &json!("5")));
            assert!(body["error_message"].as_str().unwrap().contains(words), "{body}");
        }
    }
}

/// Text as people and attackers write it.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[a-z0-9.+-]{1,12}",
        2 => any::<String>(),
        1 => Just("'; DROP TABLE ec2; --".to_owned()),
        1 => Just(":id".to_owned()),
        1 => "[ \t]{0,3}",
        1 => "x{10,300}",
    ]
}

fn json_of_any_kind() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((words(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A value of the right kind nine times out of ten.
fn mostly(right: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop_oneof![9 => right, 1 => json_of_any_kind()]
}

fn fields(names: [&'static str; 2], value: impl Strategy<Value = Value> + Clone) -> impl Strategy<Value = Value> {
    let name = prop_oneof![20 => Just(None), 1 => words().prop_map(Some)];
    (mostly(value.clone()), mostly(value), name).prop_map(move |(first, second, extra)| {
        let mut object = json!({names[0]: first, names[1]: second});
        if let Some(extra) = extra {
            object[&extra] = json!(1);
        }
        object
    })
}

fn body() -> impl Strategy<Value = Value> {
    let text = || words().prop_map(Value::from).boxed();
    let package = mostly(fields(["package_name", "package_version"], text()));
    let packages = mostly(prop::collection::vec(package, 0..6).prop_map(Value::from));
    let whole = (fields(["aws_region", "aws_account"], text()), packages).prop_map(|(mut body, packages)| {
        body["packages"] = packages;
        body.to_string()
    });
    prop_oneof![
        12 => whole.prop_map(Value::from),
        2 => json_of_any_kind().prop_map(|json| json.to_string().into()),
        1 => any::<String>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

/// `/ec2/{id}` as a client's library, or somebody's keyboard, would write it.
fn path() -> impl Strategy<Value = String> {
    let encoded = words()
        .prop_map(|id| percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC).to_string());
    prop_oneof![6 => encoded, 1 => "[a-z%/.]{0,8}"].prop_map(|id| format!("/ec2/{id}"))
}

fn ten_thousand<S: Strategy>(strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases: 10_000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(&strategy, test).unwrap();
}

const FIELDS: [&str; 5] = ["aws_instance_id", "aws_region", "aws_account", "package", "body"];

/// A refusal is 400 and names a field: one of ours, or the one that is none.
fn is_named(status: u64, body: &Value) -> Result<(), TestCaseError> {
    let text = body["error_message"].as_str().unwrap_or_default();
    let named = FIELDS.iter().any(|field| text.contains(field)) || text.contains("is not a field");
    prop_assert!(status == 400 && named && body.as_object().is_some_and(|body| body.len() == 1), "{status} {body}");
    Ok(())
}

#[test]
fn ten_thousand_posts_are_stored_as_they_are_or_refused_by_name() {
    let (stored, refused) = (RefCell::new(0), RefCell::new(0));
    ten_thousand((path(), body()), |(path, body)| {
        let inventory = Memory::default();
        let event = json!({"path": path, "body": body, "isBase64Encoded": false});
        let (status, answer, _) = call(Route::Add, &event, &inventory);
        let kept = inventory.kept.borrow();
        if status != 200 {
            *refused.borrow_mut() += 1;
            prop_assert!(kept.is_empty(), "a refused request is not stored in part");
            return is_named(status, &answer);
        }
        *stored.borrow_mut() += 1;
        let (asked, record): (Value, _) =
            (serde_json::from_str(body.as_str().unwrap()).unwrap(), &answer["new_record"]);
        prop_assert_eq!(&record["aws_region"], &asked["aws_region"]);
        prop_assert_eq!(&record["aws_account"], &asked["aws_account"]);
        let mut once: Vec<&Value> = Vec::new();
        for package in asked["packages"].as_array().unwrap() {
            if !once.contains(&package) {
                once.push(package);
            }
        }
        prop_assert_eq!(record["packages"].as_array().unwrap().iter().collect::<Vec<_>>(), once);
        let (id, stored) = kept.iter().next().unwrap();
        prop_assert_eq!(json!(stored.packages), record["packages"].clone());
        prop_assert!(!id.trim().is_empty());
        Ok(())
    });
    // The generator is no use if it makes one kind only.
    assert!(*stored.borrow() > 1_000 && *refused.borrow() > 1_000, "{stored:?} {refused:?}");
}

#[test]
fn ten_thousand_gets_are_answered_or_refused_by_name() {
    ten_thousand((path(), body()), |(path, body)| {
        let event = json!({"path": path, "body": body, "isBase64Encoded": false});
        let (status, answer, _) = call(Route::Find, &event, &Memory::default());
        if status == 200 {
            prop_assert_eq!(answer, json!({"record": {}, "record_found": false}));
            return Ok(());
        }
        is_named(status, &answer)
    });
}
