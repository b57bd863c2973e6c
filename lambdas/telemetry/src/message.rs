//! A device's message, checked before anything is touched. Every bad field is named, all at once.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::moment;

/// In characters, as the column counts.
const LONGEST_DEVICE_ID: usize = 100;
const FIELDS: [&str; 4] = ["timestamp", "device_id", "memory_usage", "cpu_usage"];

/// A message in the one form in which it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    pub timestamp: String,
    pub device_id: String,
    pub memory_usage: f64,
    pub cpu_usage: f64,
}

/// What is wrong with one place of the body.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Problem {
    /// `["body"]`, or `["body", <field>]`.
    pub loc: Vec<String>,
    pub msg: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
}

impl Problem {
    pub fn of_body(msg: impl Into<String>, kind: &'static str) -> Self {
        Problem { loc: vec!["body".to_owned()], msg: msg.into(), kind }
    }

    fn of(field: &str, msg: impl Into<String>, kind: &'static str) -> Self {
        Problem { loc: vec!["body".to_owned(), field.to_owned()], msg: msg.into(), kind }
    }
}

/// The members of an object as they stand, also those that are there twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Collect).map(Members)
    }
}

/// Reads the body of a request.
pub fn parse(body: &str) -> Result<Message, Vec<Problem>> {
    let Members(members) = serde_json::from_str(body).map_err(|error| vec![not_an_object(body, &error)])?;
    let mut problems = Vec::new();
    let names = members.iter().map(|(name, _)| name.as_str());
    for (index, name) in names.clone().enumerate() {
        if !FIELDS.contains(&name) {
            let known = FIELDS.join(", ");
            problems.push(Problem::of(name, format!("is not a field; the fields are {known}"), "value_error.extra"));
        } else if names.clone().take(index).any(|earlier| earlier == name) {
            problems.push(Problem::of(name, "is there more than once", "value_error.duplicate"));
        }
    }
    let mut check = Check { members: &members, problems: &mut problems };
    let timestamp = check.field("timestamp", timestamp);
    let device_id = check.field("device_id", device_id);
    let memory_usage = check.field("memory_usage", share);
    let cpu_usage = check.field("cpu_usage", share);
    match (timestamp, device_id, memory_usage, cpu_usage) {
        (Some(timestamp), Some(device_id), Some(memory_usage), Some(cpu_usage)) if problems.is_empty() => {
            Ok(Message { timestamp, device_id, memory_usage, cpu_usage })
        }
        _ => Err(problems),
    }
}

fn not_an_object(body: &str, error: &serde_json::Error) -> Problem {
    let what = "must be a JSON object with timestamp, device_id, memory_usage and cpu_usage";
    match error.classify() {
        _ if body.trim().is_empty() => Problem::of_body(what, "value_error.missing"),
        serde_json::error::Category::Data => Problem::of_body(what, "type_error.dict"),
        _ => Problem::of_body(format!("is not JSON: {error}"), "value_error.jsondecode"),
    }
}

type Checked<T> = Result<T, (String, &'static str)>;

struct Check<'a, 'b> {
    members: &'a [(String, &'b RawValue)],
    problems: &'a mut Vec<Problem>,
}

impl Check<'_, '_> {
    fn field<T>(&mut self, name: &str, read: impl Fn(&str) -> Checked<T>) -> Option<T> {
        let found = self.members.iter().find(|(member, _)| member == name);
        let Some((_, raw)) = found else {
            self.problems.push(Problem::of(name, "field required", "value_error.missing"));
            return None;
        };
        match read(raw.get()) {
            Ok(value) => Some(value),
            Err((msg, kind)) => {
                self.problems.push(Problem::of(name, msg, kind));
                None
            }
        }
    }
}

fn text(raw: &str) -> Checked<String> {
    // Half of a surrogate pair is in quotes, but no text.
    serde_json::from_str(raw).map_err(|_| ("must be a string".to_owned(), "type_error.str"))
}

fn timestamp(raw: &str) -> Checked<String> {
    moment::normal(&text(raw)?).map_err(|why| (why.to_owned(), "value_error.datetime"))
}

fn device_id(raw: &str) -> Checked<String> {
    let id = text(raw)?;
    match id.chars().count() {
        0 => Err(("must have at least 1 character".to_owned(), "value_error.any_str.min_length")),
        1..=LONGEST_DEVICE_ID => Ok(id),
        count => {
            let msg = format!("has {count} characters; the most is {LONGEST_DEVICE_ID}");
            Err((msg, "value_error.any_str.max_length"))
        }
    }
}

/// A number from 0.0 to 1.0, whatever its spelling. One that no 64-bit number can hold is a number all the same, and too great.
fn share(raw: &str) -> Checked<f64> {
    if !raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return Err(("must be a number".to_owned(), "type_error.float"));
    }
    match raw.parse::<f64>() {
        // Adding 0.0 makes 0.0 of -0.0.
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number + 0.0),
        Ok(number) if number < 0.0 => Err(("must be at least 0.0".to_owned(), "value_error.number.not_ge")),
        _ => Err(("must be at most 1.0".to_owned(), "value_error.number.not_le")),
    }
}

#[cfg(test)]
mod tests {

    use proptest::prelude::{Just, Strategy, any, prop_oneof};
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    use serde_json::{Value, json};

    use super::{FIELDS, Message, Problem, parse};

    fn good() -> Value {
        json!({"timestamp": "2023-03-08T17:04:50Z", "device_id": "abc41", "memory_usage": 0.25, "cpu_usage": 0.5})
    }

    fn bad_fields(body: &str) -> Vec<String> {
        let problems = parse(body).unwrap_err();
        problems.into_iter().map(|Problem { loc, .. }| loc.last().unwrap().clone()).collect()
    }

    #[test]
    fn a_message_is_kept_as_it_was_sent() {
        let stored = serde_json::to_string(&parse(&good().to_string()).unwrap()).unwrap();
        assert_eq!(stored, good().to_string());
    }

    #[test]
    fn the_bounds_are_inside() {
        for (field, value) in [
            ("cpu_usage", json!(0)),
            ("cpu_usage", json!(1)),
            ("memory_usage", json!(0.0)),
            ("memory_usage", json!(1.0)),
            ("device_id", json!("x")),
            ("device_id", json!("é".repeat(100))),
            ("device_id", json!("'; DROP TABLE telemetry; -- \u{0}\u{1f600}")),
        ] {
            let mut body = good();
            body[field] = value.clone();
            assert!(parse(&body.to_string()).is_ok(), "{field} {value}");
        }
        let spelled = good().to_string().replace("0.25", "-0.0").replace("0.5", "10e-1");
        let Message { memory_usage, cpu_usage, .. } = parse(&spelled).unwrap();
        assert_eq!((memory_usage.to_bits(), cpu_usage), (0.0_f64.to_bits(), 1.0));
    }

    #[test]
    fn every_bad_field_is_named_at_once() {
        for (body, expected) in [
            ("", vec!["body"]),
            ("  ", vec!["body"]),
            ("null", vec!["body"]),
            ("[]", vec!["body"]),
            ("\"x\"", vec!["body"]),
            ("{", vec!["body"]),
            ("{\"cpu_usage\": 0.5,}", vec!["body"]),
            ("{} {}", vec!["body"]),
            ("{\"cpu_usage\": NaN}", vec!["body"]),
            ("{}", vec!["timestamp", "device_id", "memory_usage", "cpu_usage"]),
        ] {
            assert_eq!(bad_fields(body), expected, "{body}");
        }
        for (field, value) in [
            ("timestamp", json!(1_678_295_090)),
            ("timestamp", json!("yesterday")),
            ("timestamp", json!(null)),
            ("device_id", json!("")),
            ("device_id", json!(41)),
            ("device_id", json!("x".repeat(101))),
            ("device_id", json!(["abc"])),
            ("memory_usage", json!("0.5")),
            ("memory_usage", json!(true)),
            ("memory_usage", json!(-0.1)),
            ("cpu_usage", json!(1.000_000_1)),
            ("cpu_usage", json!(null)),
            ("cpu_usage", json!({})),
            ("color", json!("red")),
        ] {
            let mut body = good();
            body[field] = value.clone();
            assert_eq!(bad_fields(&body.to_string()), [field], "{field} {value}");
        }
        let all =
            r#"{"timestamp": "x", "device_id": "", "memory_usage": 2, "cpu_usage": -1, "more": [], "cpu_usage": 0}"#;
        assert_eq!(bad_fields(all), ["more", "cpu_usage", "timestamp", "device_id", "memory_usage", "cpu_usage"]);
        let twice = good().to_string().replace("0.5}", "0.5,\"cpu_usage\":0.5}");
        assert_eq!(bad_fields(&twice), ["cpu_usage"]);
        let great = good().to_string().replace("0.5", "1e999");
        assert_eq!(bad_fields(&great), ["cpu_usage"]);
        let half = good().to_string().replace("abc41", "\\ud800");
        assert_eq!(bad_fields(&half), ["device_id"]);
    }

    fn share() -> impl Strategy<Value = String> {
        (0.0..=1.0_f64).prop_map(|share| json!(share).to_string())
    }

    fn moment() -> impl Strategy<Value = String> {
        let zone = "(\\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-5][0-9])";
        ("[12][0-9]{3}", 1..14_u8, 1..32_u8, 0..25_u8, 0..61_u8, zone).prop_map(
            |(year, month, day, hour, minute, zone)| {
                json!(format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{minute:02}{zone}")).to_string()
            },
        )
    }

    fn text() -> impl Strategy<Value = String> {
        any::<String>().prop_map(|text| json!(text).to_string())
    }

    fn any_value() -> impl Strategy<Value = String> {
        let number =
            prop_oneof![any::<f64>().prop_map(|n| json!(n).to_string()), any::<i64>().prop_map(|n| n.to_string())];
        let odd =
            prop_oneof![Just("\"' OR 1=1 -- \""), Just("null"), Just("[]"), Just("{}"), Just("\"\""), Just("1e999")];
        prop_oneof![number, share(), text(), moment(), odd.prop_map(str::to_owned)]
    }

    fn any_body() -> impl Strategy<Value = String> {
        let name = prop_oneof![
            8 => proptest::sample::select(FIELDS.to_vec()).prop_map(str::to_owned),
            1 => any::<String>(),
        ];
        let member = (name, any_value()).prop_map(|(name, value)| format!("{}:{value}", json!(name)));
        let object = proptest::collection::vec(member, 0..7).prop_map(|members| format!("{{{}}}", members.join(",")));
        let or_odd = |good: proptest::strategy::BoxedStrategy<String>| prop_oneof![7 => good, 1 => any_value()];
        let near = (or_odd(moment().boxed()), or_odd(text().boxed()), or_odd(share().boxed()), or_odd(share().boxed()));
        let near = near.prop_map(|(moment, id, memory, cpu)| {
            format!(r#"{{"timestamp":{moment},"device_id":{id},"memory_usage":{memory},"cpu_usage":{cpu}}}"#)
        });
        prop_oneof![4 => object, 4 => near, 1 => any::<String>(), 1 => any_value()]
    }

    #[test]
    fn ten_thousand_bodies_are_either_whole_messages_or_refused_by_name() {
        let config = Config { cases: 10_000, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[4; 32]);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let (mut taken, mut refused) = (0_u32, 0_u32);
        let counts = std::cell::RefCell::new((&mut taken, &mut refused));
        runner
            .run(&any_body(), |body| {
                let mut counts = counts.borrow_mut();
                match parse(&body) {
                    Ok(Message { timestamp, device_id, memory_usage, cpu_usage }) => {
                        *counts.0 += 1;
                        proptest::prop_assert!((1..=100).contains(&device_id.chars().count()));
                        proptest::prop_assert!((0.0..=1.0).contains(&memory_usage) && (0.0..=1.0).contains(&cpu_usage));
                        proptest::prop_assert_eq!(crate::moment::normal(&timestamp), Ok(timestamp.clone()));
                    }
                    Err(problems) => {
                        *counts.1 += 1;
                        proptest::prop_assert!(!problems.is_empty());
                        let named = problems.iter().all(|problem| problem.loc[0] == "body" && !problem.msg.is_empty());
                        proptest::prop_assert!(named);
                    }
                }
                Ok(())
            })
            .unwrap();
        assert!(taken > 1_000 && refused > 1_000, "{taken} taken, {refused} refused");
    }
}
