//! The `load` section of a manifest: which requests `labctl load` sends, in which variants, and how users behave.

use serde_json::Value as Json;

use crate::template::reader::{Reader, join};
use crate::template::yaml::Node;

use super::checks;
use super::model::{Counter, Load, Range, RequestBody, Sample, Users, Variant, WeightedRequest};
use super::sample::sample;
use super::validate::{at, required};

const LOAD: &[&str] = &["users", "spawn_rate", "duration", "wait", "burst", "counter", "variants"];
const VARIANT: &[&str] = &["name", "http", "expect", "requests"];
const REQUEST: &[&str] = &["weight", "http", "expect"];
/// As many as `labctl load --users` takes.
const MAX_USERS: u32 = 10_000;
const MAX_SPAWN_RATE: f64 = 10_000.0;
/// The lowest rate per second, and the shortest time in seconds.
pub const LEAST: f64 = 0.001;
/// A day.
pub const MAX_SECONDS: f64 = 86_400.0;
const MAX_BURST: f64 = 10_000.0;
const MAX_WEIGHT: u32 = 1_000_000;

pub(super) fn load(reader: &mut Reader, node: &Node) -> Option<Load> {
    reader.mapping_of("load", node)?;
    reader.known_keys(node, "load", "key of `load`", LOAD);
    let counter = node.get("counter").and_then(|counter| {
        reader.mapping_of("load.counter", counter)?;
        reader.known_keys(counter, "load.counter", "key of `counter`", &["name", "sql"]);
        let name = required(reader, counter, "load.counter", "name");
        let statement = required(reader, counter, "load.counter", "sql");
        Some(Counter { name: name?, statement: statement? })
    });
    let users = users(reader, node);
    let list = node.get("variants").and_then(Node::as_list).unwrap_or_default();
    if list.is_empty() {
        reader.problem(at(node, "variants"), "load", "`variants` must be a list of at least one request");
    }
    let variant = |(index, item): (usize, &Node)| {
        let path = join("load.variants", &index.to_string());
        reader.mapping_of(&path, item)?;
        variant(reader, &path, item)
    };
    Some(Load { at: node.at, users, counter, variants: list.iter().enumerate().filter_map(variant).collect() })
}

fn users(reader: &mut Reader, node: &Node) -> Users {
    let count: Option<u32> = reader.number(node, "load", "users");
    if count.is_some_and(|count| !(1..=MAX_USERS).contains(&count)) {
        reader.problem(at(node, "users"), "load.users", format!("must be from 1 to {MAX_USERS}"));
    }
    let spawn_rate = measure(reader, node, "spawn_rate", MAX_SPAWN_RATE);
    let seconds = measure(reader, node, "duration", MAX_SECONDS);
    let wait = range(reader, node, "wait", (0.0, MAX_SECONDS));
    let burst = range(reader, node, "burst", (1.0, MAX_BURST));
    if burst.is_some_and(|burst| burst.from.fract() != 0.0 || burst.to.fract() != 0.0) {
        reader.problem(at(node, "burst"), "load.burst", "must be whole numbers");
    }
    Users { count, spawn_rate, seconds, wait, burst }
}

fn measure(reader: &mut Reader, node: &Node, key: &str, most: f64) -> Option<f64> {
    let number: Option<f64> = reader.number(node, "load", key);
    if number.is_some_and(|number| !(LEAST..=most).contains(&number)) {
        reader.problem(at(node, key), &join("load", key), format!("must be from {LEAST} to {most}"));
    }
    number
}

/// A number, or two in order: `[from, to]`.
fn range(reader: &mut Reader, node: &Node, key: &str, (least, most): (f64, f64)) -> Option<Range> {
    let found = node.get(key)?;
    let number = |node: &Node| {
        let number: f64 = node.scalar_text()?.parse().ok()?;
        (least..=most).contains(&number).then_some(number)
    };
    let range = match found.as_list() {
        Some([from, to]) => number(from).zip(number(to)).filter(|(from, to)| from <= to),
        Some(_) => None,
        None => number(found).map(|number| (number, number)),
    };
    if range.is_none() {
        let what = format!("must be a number from {least} to {most}, or two of them in order: [from, to]");
        reader.problem(found.at, &join("load", key), what);
    }
    range.map(|(from, to)| Range { from, to })
}

/// One kind of request, or several with weights.
fn variant(reader: &mut Reader, path: &str, node: &Node) -> Option<Variant> {
    reader.known_keys(node, path, "key of a variant", VARIANT);
    let name = required(reader, node, path, "name");
    let requests = match (node.get("requests"), node.get("http")) {
        (None, _) => vec![request(reader, path, node)?],
        (Some(several), None) => several_requests(reader, &join(path, "requests"), several)?,
        (Some(several), Some(_)) => {
            reader.problem(several.at, path, "has both `http` and `requests`: make it one more of the requests");
            return None;
        }
    };
    Some(Variant { name: name?, requests })
}

fn several_requests(reader: &mut Reader, path: &str, node: &Node) -> Option<Vec<WeightedRequest>> {
    let list = node.as_list().unwrap_or_default();
    if list.is_empty() {
        reader.problem(node.at, path, "must be a list of at least one request");
    }
    let mut found = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let path = join(path, &index.to_string());
        reader.mapping_of(&path, item)?;
        reader.known_keys(item, &path, "key of a request", REQUEST);
        found.extend(request(reader, &path, item));
    }
    (found.len() == list.len() && !found.is_empty()).then_some(found)
}

/// One request of a load; what is expected tells answers from errors.
fn request(reader: &mut Reader, path: &str, node: &Node) -> Option<WeightedRequest> {
    let Some(request) = node.get("http") else {
        reader.problem(node.at, path, "`http` is missing");
        return None;
    };
    let weight: u32 = reader.number(node, path, "weight").unwrap_or(1);
    if !(1..=MAX_WEIGHT).contains(&weight) {
        reader.problem(at(node, "weight"), &join(path, "weight"), format!("must be from 1 to {MAX_WEIGHT}"));
    }
    let (http, target) = match request.get("path").filter(|target| target.as_map().is_some()) {
        None => (checks::http(reader, path, node, request), None),
        Some(target) => {
            let target = differing_path(reader, &join(&join(path, "http"), "path"), target);
            (checks::http_to(reader, path, (node, request), String::new()), Some(target))
        }
    };
    let expect = node.get("expect");
    let unused = [
        (Some(request), "http", "body", "a load sends `json`"),
        (Some(request), "http", "repeat", "how many are sent is said by `labctl load --requests`"),
        (expect, "expect", "headers", "a load looks at status and body only"),
    ];
    for (holder, part, key, why) in unused {
        if let Some(value) = holder.and_then(|holder| holder.get(key)) {
            reader.problem(value.at, &join(&join(path, part), key), format!("has no use in a load: {why}"));
        }
    }
    let http = http?;
    let json = request.get("json").filter(|_| matches!(http.body, RequestBody::Json(_)));
    let body = json.map(|json| sample(reader, &join(&join(path, "http"), "json"), json));
    Some(WeightedRequest { weight, http, path: target, body })
}

/// `path: { $text: [/ec2/load-, { $now: epoch_ms }] }`.
fn differing_path(reader: &mut Reader, path: &str, node: &Node) -> Sample {
    let target = sample(reader, path, node);
    let parts = if let Sample::Text(parts) = &target { parts.as_slice() } else { &[] };
    let begins = matches!(parts.first(), Some(Sample::Constant(Json::String(text))) if text.starts_with('/'));
    if !begins {
        reader.problem(node.at, path, "must be a text, or a `$text` whose first part begins with `/`");
    }
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&byte);
    if let Some(text) = texts(&target).into_iter().find(|text| !text.bytes().all(fits)) {
        reader.problem(node.at, path, format!("`{text}` has a character that no path has; write it as `%20` is"));
    }
    target
}

/// The texts that a value may be made of.
fn texts(sample: &Sample) -> Vec<&str> {
    match sample {
        Sample::Constant(Json::String(text)) => vec![text],
        Sample::Text(parts) => parts.iter().flat_map(texts).collect(),
        Sample::Choice(values) => values.iter().flat_map(|(_, value)| texts(value)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::lab::model::{Range, Sample};
    use crate::lab::validate::manifest;

    fn with_load(load: &str) -> String {
        format!("lab: demo\ndescription: a demo\nstacks: [network]\nload:\n{load}")
    }

    #[test]
    fn users_and_weighted_requests_are_read() {
        let text = with_load(
            "
  users: 100
  spawn_rate: 25
  duration: 120
  wait: [1, 2]
  burst: 5
  variants:
    - name: ingest
      requests:
        - { weight: 9, http: { method: POST, json: { id: { $zipf: [1, 150] } } }, expect: { status: 200 } }
        - { http: { path: { $text: [/a/, { $random: [1, 9] }] } }, expect: { status: 405 } }
",
        );
        let load = manifest(&text).unwrap().load.unwrap();
        let users = load.users;
        assert_eq!((users.count, users.spawn_rate, users.seconds), (Some(100), Some(25.0), Some(120.0)));
        assert_eq!((users.wait, users.burst), (Some(Range { from: 1.0, to: 2.0 }), Some(Range { from: 5.0, to: 5.0 })));
        let requests = &load.variants[0].requests;
        assert_eq!((requests[0].weight, requests[1].weight), (9, 1));
        assert!(matches!(&requests[0].body, Some(Sample::Object(_))) && requests[1].body.is_none());
        assert!((&*requests[0].http.path, &requests[0].path) == ("/", &None));
        assert!(requests[1].http.path.is_empty() && matches!(&requests[1].path, Some(Sample::Text(_))));
    }

    #[test]
    fn every_mistake_of_a_load_is_reported_by_name() {
        let text = with_load(
            "
  users: 0
  spawn_rat: 1
  duration: 0
  wait: [2, 1]
  burst: 1.5
  variants:
    - name: one
      requests: [{ wieght: 2, http: { json: { a: { $rndom: [1, 2] } } }, expect: { status: 200 } }]
    - { name: two, http: {}, requests: [], expect: { status: 200 } }
    - { name: three, requests: [{ weight: 0, expect: {} }] }
    - { name: four, http: { path: { $text: [{ $random: [1, 9] }, /a b] } }, expect: { status: 200 } }
    - { name: five, http: { path: { $text: [/, { $choice: [x, \"y z\"] }] } }, expect: { status: 200 } }
",
        );
        let told: Vec<String> = manifest(&text).unwrap_err().iter().map(ToString::to_string).collect();
        let expected = [
            "6:10: load.users: must be from 1 to 10000",
            "7:3: load: unknown key of `load` `spawn_rat` (did you mean `spawn_rate`?)",
            "8:13: load.duration: must be from 0.001 to 86400",
            "9:9: load.wait: must be a number from 0 to 86400, or two of them in order: [from, to]",
            "10:10: load.burst: must be whole numbers",
            "13:20: load.variants.0.requests.0: unknown key of a request `wieght` (did you mean `weight`?)",
            "13:52: load.variants.0.requests.0.http.json.a: unknown value `$rndom` (did you mean `$random`?)",
            "14:40: load.variants.1: has both `http` and `requests`: make it one more of the requests",
            "15:33: load.variants.2.requests.0: `http` is missing",
            "16:35: load.variants.3.http.path: `/a b` has a character that no path has; write it as `%20` is",
            "16:35: load.variants.3.http.path: must be a text, or a `$text` whose first part begins with `/`",
            "17:35: load.variants.4.http.path: `y z` has a character that no path has; write it as `%20` is",
        ];
        assert_eq!(told, expected);
    }
}
