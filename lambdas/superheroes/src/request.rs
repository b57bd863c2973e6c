//! The body of `POST /`, checked before anything is touched. Every refusal names the field.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// More than this in one request is refused: it would not be one query any more.
pub const MOST_ENTRIES: usize = 1_000;
/// The guide's column width, in characters.
const LONGEST_TEXT: usize = 20;

#[derive(Debug, PartialEq)]
pub struct Request {
    pub use_cache: bool,
    pub action: Action,
}

#[derive(Debug, PartialEq)]
pub enum Action {
    Read(Vec<u64>),
    Write(Vec<NewHero>),
}

/// A hero without an id: the database gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewHero {
    pub hero: String,
    pub power: String,
    pub name: String,
    pub xp: i32,
    pub color: String,
}

/// A row of `heroes`, as the API shows it and as the cache keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hero {
    pub id: u64,
    pub hero: String,
    pub power: String,
    pub name: String,
    pub xp: i32,
    pub color: String,
}

/// Why a request is refused; the text names the field.
#[derive(Debug, PartialEq)]
pub struct Refusal(pub String);

fn refuse<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(text.into()))
}

pub fn parse(event: &Value) -> Result<Request, Refusal> {
    let Value::Object(fields) = event else {
        return refuse("the body must be a JSON object with USE_CACHE, REQUEST and SQLS");
    };
    only(fields, &["USE_CACHE", "REQUEST", "SQLS"], "")?;
    let use_cache = match field(fields, "USE_CACHE", "")? {
        Value::Bool(on) => *on,
        Value::String(text) if text.eq_ignore_ascii_case("true") => true,
        Value::String(text) if text.eq_ignore_ascii_case("false") => false,
        _ => return refuse("USE_CACHE must be \"True\", \"False\" or a boolean"),
    };
    let request = field(fields, "REQUEST", "")?;
    let entries = match field(fields, "SQLS", "")? {
        Value::Array(entries) if entries.len() <= MOST_ENTRIES => entries,
        Value::Array(entries) => {
            return refuse(format!("SQLS has {} entries; the most in one request is {MOST_ENTRIES}", entries.len()));
        }
        _ => return refuse("SQLS must be a list"),
    };
    let action = match request.as_str() {
        Some("read") => Action::Read(entries.iter().enumerate().map(id).collect::<Result<_, _>>()?),
        Some("write") if entries.is_empty() => return refuse("SQLS must have at least one hero to write"),
        Some("write") => Action::Write(entries.iter().enumerate().map(new_hero).collect::<Result<_, _>>()?),
        _ => return refuse("REQUEST must be \"read\" or \"write\""),
    };
    Ok(Request { use_cache, action })
}

fn id((at, entry): (usize, &Value)) -> Result<u64, Refusal> {
    entry.as_u64().ok_or_else(|| Refusal(format!("SQLS[{at}] must be an id: a whole number, 0 or more")))
}

fn new_hero((at, entry): (usize, &Value)) -> Result<NewHero, Refusal> {
    let place = format!("SQLS[{at}].");
    let Value::Object(fields) = entry else {
        return refuse(format!("SQLS[{at}] must be an object with hero, power, name, xp and color"));
    };
    only(fields, &["hero", "power", "name", "xp", "color"], &place)?;
    Ok(NewHero {
        hero: text(fields, "hero", &place)?,
        power: text(fields, "power", &place)?,
        name: text(fields, "name", &place)?,
        xp: xp(fields, &place)?,
        color: text(fields, "color", &place)?,
    })
}

fn text(fields: &Map<String, Value>, name: &str, place: &str) -> Result<String, Refusal> {
    match field(fields, name, place)? {
        Value::String(text) if text.chars().count() <= LONGEST_TEXT => Ok(text.clone()),
        Value::String(text) => {
            refuse(format!("{place}{name} has {} characters; the most is {LONGEST_TEXT}", text.chars().count()))
        }
        _ => refuse(format!("{place}{name} must be a string")),
    }
}

fn xp(fields: &Map<String, Value>, place: &str) -> Result<i32, Refusal> {
    let value = match field(fields, "xp", place)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match value.map(i32::try_from) {
        Some(Ok(xp)) => Ok(xp),
        _ => refuse(format!("{place}xp must be a whole number of 32 bits, or such a number as a string")),
    }
}

fn field<'a>(fields: &'a Map<String, Value>, name: &str, place: &str) -> Result<&'a Value, Refusal> {
    fields.get(name).ok_or_else(|| Refusal(format!("{place}{name} is missing")))
}

fn only(fields: &Map<String, Value>, known: &[&str], place: &str) -> Result<(), Refusal> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => refuse(format!("{place}{unknown} is not a field; the fields are {}", known.join(", "))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_guide_s_own_requests_are_understood() {
        let read: Value = serde_json::from_str(include_str!("../events/read.json")).unwrap();
        assert_eq!(parse(&read), Ok(Request { use_cache: true, action: Action::Read(vec![1, 2, 3]) }));
        let write: Value = serde_json::from_str(include_str!("../events/write.json")).unwrap();
        let Ok(Request { use_cache: true, action: Action::Write(heroes) }) = parse(&write) else { panic!("{write}") };
        assert_eq!((heroes[0].xp, heroes[1].name.as_str()), (10, "dogman"));
    }

    #[test]
    fn a_boolean_switch_and_a_number_for_xp_are_fine() {
        let hero = json!({"hero": "yes", "power": "p", "name": "é".repeat(20), "xp": -5, "color": ""});
        let event = json!({"USE_CACHE": false, "REQUEST": "write", "SQLS": [hero]});
        assert!(parse(&event).is_ok());
    }

    #[test]
    fn every_bad_request_is_refused_and_names_its_field() {
        let hero = |key: &str, value: Value| {
            let mut hero = json!({"hero": "yes", "power": "p", "name": "n", "xp": 1, "color": "c"});
            hero[key] = value;
            json!({"USE_CACHE": "True", "REQUEST": "write", "SQLS": [hero]})
        };
        let cases = [
            (json!(null), "body"),
            (json!([]), "body"),
            (json!({}), "USE_CACHE"),
            (json!({"USE_CACHE": "maybe", "REQUEST": "read", "SQLS": []}), "USE_CACHE"),
            (json!({"USE_CACHE": "True", "SQLS": []}), "REQUEST"),
            (json!({"USE_CACHE": "True", "REQUEST": "drop", "SQLS": []}), "REQUEST"),
            (json!({"USE_CACHE": "True", "REQUEST": "read"}), "SQLS"),
            (json!({"USE_CACHE": "True", "REQUEST": "read", "SQLS": 1}), "SQLS"),
            (json!({"USE_CACHE": "True", "REQUEST": "read", "SQLS": [1, -1]}), "SQLS[1]"),
            (json!({"USE_CACHE": "True", "REQUEST": "read", "SQLS": ["1"]}), "SQLS[0]"),
            (json!({"USE_CACHE": "True", "REQUEST": "read", "SQLS": [1.5]}), "SQLS[0]"),
            (json!({"USE_CACHE": "True", "REQUEST": "read", "SQLS": vec![1; 10_000]}), "SQLS"),
            (json!({"USE_CACHE": "True", "REQUEST": "write", "SQLS": []}), "SQLS"),
            (json!({"USE_CACHE": "True", "REQUEST": "write", "SQLS": [7]}), "SQLS[0]"),
            (json!({"USE_CACHE": "True", "REQUEST": "read", "SQLS": [], "MORE": 1}), "MORE"),
            (hero("name", json!("x".repeat(21))), "SQLS[0].name"),
            (hero("color", json!(1)), "SQLS[0].color"),
            (hero("xp", json!("ten")), "SQLS[0].xp"),
            (hero("xp", json!(1e10)), "SQLS[0].xp"),
            (hero("id", json!(1)), "SQLS[0].id"),
        ];
        for (event, named) in cases {
            let Refusal(text) = parse(&event).unwrap_err();
            assert!(text.contains(named), "{event} → {text}");
        }
    }
}
