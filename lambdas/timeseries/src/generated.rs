//! 10,000 generated messages, always the same ones: each is stored as it was written, or refused by the name of its field.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};

use crate::message::{Reading, Refusal, parse};

const CASES: u32 = 10_000;

fn runner() -> TestRunner {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Any text that fits, and now and then one that looks like SQL.
fn name(longest: usize) -> impl Strategy<Value = String> {
    let any = proptest::collection::vec(any::<char>(), 1..=longest).prop_map(|chars| chars.into_iter().collect());
    prop_oneof![9 => any, 1 => Just("'); DROP TABLE events; --".to_owned())]
}

fn reading() -> impl Strategy<Value = Reading> {
    let finite = any::<f64>().prop_filter("finite", |value| value.is_finite());
    (name(36), name(45), finite).prop_map(|(board, sensor, value)| Reading { board, sensor, value })
}

fn written(reading: &Reading) -> Value {
    let payload = STANDARD.encode(reading.value.to_string());
    json!({"ep": reading.board, "path": reading.sensor, "ct": "text/plain", "payload": payload, "max-age": "0"})
}

/// JSON of any shape.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,50}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((".{0,6}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

#[test]
fn what_is_well_formed_is_read_to_the_last_bit() {
    let messages = proptest::collection::vec(reading(), 0..6);
    runner()
        .run(&messages, |readings| {
            let body = json!({"notifications": readings.iter().map(written).collect::<Vec<_>>()}).to_string();
            let read = parse(&body).map_err(|Refusal(text)| TestCaseError::fail(text))?;
            prop_assert_eq!(read, readings);
            Ok(())
        })
        .unwrap();
}

#[test]
fn one_wrong_field_is_named_and_nothing_of_the_message_is_taken() {
    let fields = proptest::sample::select(vec!["ep", "path", "ct", "payload", "max-age", "more"]);
    let cases = (proptest::collection::vec(reading(), 1..5), any::<proptest::sample::Index>(), fields, anything());
    runner()
        .run(&cases, |(readings, at, field, value)| {
            let at = at.index(readings.len());
            let mut notifications: Vec<Value> = readings.iter().map(written).collect();
            notifications[at][field] = value.clone();
            match parse(&json!({"notifications": notifications}).to_string()) {
                Ok(read) => prop_assert!(read.len() == readings.len() && field != "more", "{}", value),
                Err(Refusal(text)) => {
                    let named = format!("notifications[{at}].{field}");
                    prop_assert!(text.starts_with(&named), "{} is not named: {}", named, text);
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_text_and_any_json_gets_an_answer() {
    let bodies = prop_oneof![".{0,80}", anything().prop_map(|value| value.to_string()), channel()];
    runner()
        .run(&bodies, |body| {
            if let Err(Refusal(text)) = parse(&body) {
                prop_assert!(!text.is_empty());
            }
            Ok(())
        })
        .unwrap();
}

/// An object with the channel's own names over anything.
fn channel() -> impl Strategy<Value = String> {
    let names = vec!["notifications", "registrations", "reg-updates", "de-registrations", "async-responses"];
    (proptest::sample::select(names), anything()).prop_map(|(name, value)| json!({name: [value]}).to_string())
}
