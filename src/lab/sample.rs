//! Values that differ from request to request: `$random` and its like in the JSON of a load.

use indexmap::IndexMap;

use crate::template::Problem;
use crate::template::reader::{Reader, join};
use crate::template::yaml::{Entry, Map, Node};

use super::model::{Clock, Sample};

/// The mappings that stand for a value. No other key may begin with `$`.
const FORMS: &[&str] = &["$random", "$float", "$choice", "$zipf", "$text", "$now", "$literal"];
const FLOAT: &[&str] = &["$float", "digits"];
const CHOICE: &[&str] = &["$choice", "weights"];
const ZIPF: &[&str] = &["$zipf", "exponent"];
const CLOCKS: &[&str] = &["rfc3339", "epoch", "epoch_ms"];
/// As many digits after the point as a `f64` of everyday size tells apart.
const MAX_DIGITS: u32 = 9;
const MAX_WEIGHT: u32 = 1_000_000;
/// A table of this many numbers is drawn from.
const MAX_ZIPF: u64 = 1_000_000;

/// Reads a value. Of what cannot be read, the problem is noted, and nothing stands for it.
pub(super) fn sample(reader: &mut Reader, path: &str, node: &Node) -> Sample {
    if let Some(list) = node.as_list() {
        let item = |(index, item): (usize, &Node)| sample(reader, &join(path, &index.to_string()), item);
        return Sample::List(list.iter().enumerate().map(item).collect());
    }
    let Some(map) = node.as_map() else { return Sample::Constant(node.to_json()) };
    match map.iter().find(|(key, _)| key.starts_with('$')) {
        Some((form, entry)) => special(reader, path, node, (form, entry)).unwrap_or(Sample::Constant(node.to_json())),
        None => Sample::Object(members(reader, path, map)),
    }
}

fn members(reader: &mut Reader, path: &str, map: &Map) -> IndexMap<String, Sample> {
    map.iter().map(|(key, entry)| (key.clone(), sample(reader, &join(path, key), &entry.node))).collect()
}

fn special(reader: &mut Reader, path: &str, node: &Node, (form, entry): (&str, &Entry)) -> Option<Sample> {
    let Some(place) = FORMS.iter().position(|known| *known == form) else {
        let problem = Problem::new(entry.at, path, format!("unknown value `{form}`"));
        reader.problems.push(problem.near(form, FORMS.iter().copied()));
        return None;
    };
    let known = match form {
        "$float" => FLOAT,
        "$choice" => CHOICE,
        "$zipf" => ZIPF,
        _ => &FORMS[place..=place],
    };
    reader.known_keys(node, path, &format!("key beside `{form}`"), known);
    let (given, here) = (&entry.node, join(path, form));
    match form {
        "$random" => {
            let (from, to) = pair::<i64>(reader, &here, given, "whole numbers")?;
            Some(Sample::Integer { from, to })
        }
        "$float" => float(reader, path, node, given),
        "$choice" => choice(reader, path, node, given),
        "$zipf" => zipf(reader, path, node, given),
        "$text" => text(reader, &here, given),
        "$now" => now(reader, &here, given),
        _ => Some(Sample::Constant(given.to_json())),
    }
}

/// Two numbers in order.
fn pair<T>(reader: &mut Reader, path: &str, node: &Node, what: &str) -> Option<(T, T)>
where
    T: std::str::FromStr + PartialOrd,
{
    let number = |node: &Node| {
        let digits = |text: &String| text.contains(|c: char| c.is_ascii_digit());
        node.scalar_text().filter(digits).and_then(|text| text.parse::<T>().ok())
    };
    let found = match node.as_list() {
        Some([from, to]) => number(from).zip(number(to)).filter(|(from, to)| from <= to),
        _ => None,
    };
    if found.is_none() {
        reader.problem(node.at, path, format!("must be two {what} in order: [from, to]"));
    }
    found
}

fn float(reader: &mut Reader, path: &str, node: &Node, given: &Node) -> Option<Sample> {
    let (from, to) = pair::<f64>(reader, &join(path, "$float"), given, "numbers")?;
    let digits: u32 = reader.number(node, path, "digits").unwrap_or(4);
    if digits > MAX_DIGITS {
        reader.problem(node.at, &join(path, "digits"), format!("must be from 0 to {MAX_DIGITS}"));
        return None;
    }
    // Drawn are the numbers with so many digits, and not one rounded out of the range.
    let power = 10f64.powi(digits as i32);
    let (least, most) = ((from * power - 1e-6).ceil(), (to * power + 1e-6).floor());
    if least > most || least.abs().max(most.abs()) > 9e15 {
        reader.problem(given.at, &join(path, "$float"), format!("has no number with {digits} digits after the point"));
        return None;
    }
    Some(Sample::Decimal { least: least as i64, most: most as i64, digits })
}

fn choice(reader: &mut Reader, path: &str, node: &Node, given: &Node) -> Option<Sample> {
    let here = join(path, "$choice");
    let list = given.as_list().filter(|list| !list.is_empty());
    let Some(list) = list else {
        reader.problem(given.at, &here, "must be a list of at least one value");
        return None;
    };
    let item = |(index, item): (usize, &Node)| sample(reader, &join(&here, &index.to_string()), item);
    let values: Vec<Sample> = list.iter().enumerate().map(item).collect();
    let Some(weights) = node.get("weights") else {
        return Some(Sample::Choice(values.into_iter().map(|value| (1, value)).collect()));
    };
    let number = |node: &Node| node.scalar_text()?.parse().ok().filter(|weight| (1..=MAX_WEIGHT).contains(weight));
    let found: Option<Vec<u32>> = weights.as_list().and_then(|list| list.iter().map(number).collect());
    match found.filter(|found| found.len() == values.len()) {
        Some(found) => Some(Sample::Choice(found.into_iter().zip(values).collect())),
        None => {
            let what = format!("must be a whole number from 1 to {MAX_WEIGHT} for each of the {} values", values.len());
            reader.problem(weights.at, &join(path, "weights"), what);
            None
        }
    }
}

fn zipf(reader: &mut Reader, path: &str, node: &Node, given: &Node) -> Option<Sample> {
    let here = join(path, "$zipf");
    let (from, to) = pair::<i64>(reader, &here, given, "whole numbers")?;
    if to.abs_diff(from) >= MAX_ZIPF {
        reader.problem(given.at, &here, format!("must be at most {MAX_ZIPF} numbers"));
        return None;
    }
    let exponent: f64 = reader.number(node, path, "exponent").unwrap_or(1.0);
    if !(exponent > 0.0 && exponent <= 10.0) {
        reader.problem(node.at, &join(path, "exponent"), "must be above 0 and at most 10");
        return None;
    }
    Some(Sample::Zipf { from, to, exponent })
}

fn text(reader: &mut Reader, path: &str, given: &Node) -> Option<Sample> {
    let Some(list) = given.as_list() else {
        reader.problem(given.at, path, "must be a list of values that are joined to one text");
        return None;
    };
    let mut parts = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let path = join(path, &index.to_string());
        let part = sample(reader, &path, item);
        if !part.is_scalar() {
            reader.problem(item.at, &path, format!("must be a text, a number or a boolean, not {}", item.kind()));
        }
        parts.push(part);
    }
    Some(Sample::Text(parts))
}

fn now(reader: &mut Reader, path: &str, given: &Node) -> Option<Sample> {
    let form = given.as_str().unwrap_or_default();
    let clock = match form {
        "rfc3339" => Clock::Rfc3339,
        "epoch" => Clock::Epoch,
        "epoch_ms" => Clock::EpochMillis,
        _ => {
            let problem = Problem::new(given.at, path, format!("must be one of {}", CLOCKS.join(", ")));
            reader.problems.push(problem.near(form, CLOCKS.iter().copied()));
            return None;
        }
    };
    Some(Sample::Now(clock))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::Position;

    fn read(json: &serde_json::Value) -> (Sample, Vec<String>) {
        let mut reader = Reader::default();
        let read = sample(&mut reader, "json", &Node::from_json(json, Position::default()));
        (read, reader.problems.iter().map(Problem::sentence).collect())
    }

    #[test]
    fn every_form_is_read() {
        let (sample, problems) = read(&json!({
            "a": {"$random": [-3, 3]},
            "b": {"$float": [0, 1], "digits": 2},
            "c": {"$choice": ["x", {"$random": [1, 2]}], "weights": [9, 1]},
            "d": {"$text": ["abc", {"$zipf": [1, 150], "exponent": 1.2}]},
            "e": [{"$now": "epoch_ms"}, {"$literal": {"$random": 1}}],
        }));
        assert_eq!(problems, Vec::<String>::new());
        let Sample::Object(members) = sample else { panic!("{sample:?}") };
        assert_eq!(members["a"], Sample::Integer { from: -3, to: 3 });
        assert_eq!(members["b"], Sample::Decimal { least: 0, most: 100, digits: 2 });
        let text = |text: &str| Sample::Constant(json!(text));
        assert_eq!(members["c"], Sample::Choice(vec![(9, text("x")), (1, Sample::Integer { from: 1, to: 2 })]));
        assert_eq!(members["d"], Sample::Text(vec![text("abc"), Sample::Zipf { from: 1, to: 150, exponent: 1.2 }]));
        let literal = Sample::Constant(json!({"$random": 1}));
        assert_eq!(members["e"], Sample::List(vec![Sample::Now(Clock::EpochMillis), literal]));
    }

    #[test]
    fn what_is_no_form_is_refused_by_name_with_the_near_miss() {
        let cases = [
            (json!({"a": {"$randon": [1, 2]}}), "json.a: unknown value `$randon` (did you mean `$random`?)"),
            (json!({"$random": [2, 1]}), "json.$random: must be two whole numbers in order: [from, to]"),
            (json!({"$random": [1, 2.5]}), "json.$random: must be two whole numbers in order: [from, to]"),
            (json!({"$random": [1, 2], "skew": 1}), "json: unknown key beside `$random` `skew`"),
            (
                json!({"$float": [0.001, 0.002], "digits": 2}),
                "json.$float: has no number with 2 digits after the point",
            ),
            (
                json!({"$float": [0, 1], "digit": 2}),
                "json: unknown key beside `$float` `digit` (did you mean `digits`?)",
            ),
            (json!({"$choice": []}), "json.$choice: must be a list of at least one value"),
            (
                json!({"$choice": [1, 2], "weights": [1, 0]}),
                "json.weights: must be a whole number from 1 to 1000000 for each of the 2 values",
            ),
            (json!({"$zipf": [0, 1_000_000]}), "json.$zipf: must be at most 1000000 numbers"),
            (json!({"$zipf": [0, 9], "exponent": 0}), "json.exponent: must be above 0 and at most 10"),
            (json!({"$text": ["a", [1]]}), "json.$text.1: must be a text, a number or a boolean, not a list"),
            (json!({"$now": "rfc339"}), "json.$now: must be one of rfc3339, epoch, epoch_ms (did you mean `rfc3339`?)"),
        ];
        for (json, told) in cases {
            assert_eq!(read(&json).1, [told], "{json}");
        }
    }

    #[test]
    fn the_guide_has_every_form() {
        let guide = include_str!("../../docs/guide/manifest.md");
        let keys = [FLOAT, CHOICE, ZIPF, CLOCKS, FORMS].concat();
        let missing: Vec<_> = keys.into_iter().filter(|key| !guide.contains(*key)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
