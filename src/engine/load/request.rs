//! The requests of a load: one template, a different but repeatable body for each number.

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

/// What is sent, again and again.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    /// JSON in which `{"$random": [from, to]}` stands for a whole number between the two, both included.
    pub body: Option<Value>,
}

impl Request {
    /// The body of request `number`. The same number gives the same body: two loads can send the same requests.
    pub fn body(&self, number: u64) -> Bytes {
        match &self.body {
            Some(template) => Bytes::from(filled(template, &mut Dice(number)).to_string()),
            None => Bytes::new(),
        }
    }

    /// What makes a template unusable, if anything: a `$random` that is no pair of numbers in order.
    pub fn problem(template: &Value) -> Option<String> {
        match template {
            Value::Object(members) if members.contains_key("$random") => match range(template) {
                Some(_) => None,
                None => Some(format!("`$random` takes two whole numbers in order: {template}")),
            },
            Value::Object(members) => members.values().find_map(Request::problem),
            Value::Array(items) => items.iter().find_map(Request::problem),
            _ => None,
        }
    }
}

fn range(value: &Value) -> Option<(u64, u64)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let [from, to] = members.get("$random")?.as_array()?.as_slice() else { return None };
    let (from, to) = (from.as_u64()?, to.as_u64()?);
    (from <= to).then_some((from, to))
}

fn filled(template: &Value, dice: &mut Dice) -> Value {
    if let Some((from, to)) = range(template) {
        return json!(from + dice.roll() % (to - from + 1));
    }
    match template {
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), filled(value, dice))).collect(),
        Value::Array(items) => items.iter().map(|item| filled(item, dice)).collect(),
        other => other.clone(),
    }
}

/// SplitMix64: repeatable numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_differ_by_number_and_repeat() {
        let body = json!({"SQLS": [{"$random": [1, 28]}, {"$random": [1, 28]}], "REQUEST": "read"});
        let request =
            Request { method: Method::POST, uri: Uri::from_static("/"), headers: HeaderMap::new(), body: Some(body) };
        let bodies: std::collections::BTreeSet<Bytes> = (0..50).map(|number| request.body(number)).collect();
        assert!(bodies.len() > 40);
        assert_eq!(request.body(7), request.body(7));
        for number in 0..1000 {
            let body: Value = serde_json::from_slice(&request.body(number)).unwrap_or_default();
            assert!((1..=28).contains(&body["SQLS"][1].as_u64().unwrap_or(0)), "{body}");
        }
    }

    #[test]
    fn a_random_that_is_no_range_is_named() {
        assert!(Request::problem(&json!({"a": [{"$random": [2, 1]}]})).is_some());
        assert!(Request::problem(&json!({"a": [{"$random": [1, 1]}]})).is_none());
    }
}
