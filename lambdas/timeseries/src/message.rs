//! A message of the notification channel, checked before anything is stored. Every refusal names the field.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// The guide's column widths, in characters.
const LONGEST_BOARD: usize = 36;
const LONGEST_SENSOR: usize = 45;

/// What the platform may send; all but the notifications is acknowledged and not kept.
const CHANNEL: &[(&str, Items)] = &[
    ("notifications", Items::Notifications),
    ("registrations", Items::Objects),
    ("reg-updates", Items::Objects),
    ("de-registrations", Items::Names),
    ("registrations-expired", Items::Names),
    ("async-responses", Items::Objects),
];

#[derive(Clone, Copy)]
enum Items {
    Notifications,
    Objects,
    /// Names of boards.
    Names,
}

/// What a sensor of a board measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub board: String,
    pub sensor: String,
    pub value: f64,
}

/// Why a message is refused; the text names the field.
#[derive(Debug, PartialEq)]
pub struct Refusal(pub String);

fn refuse<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(text.into()))
}

/// The readings of a message. A body with nothing in it, or `{}`, is the platform's probe and has none.
pub fn parse(body: &str) -> Result<Vec<Reading>, Refusal> {
    if body.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let Value::Object(fields) = strict_json::body(body).map_err(Refusal)? else {
        return refuse("the body must be a JSON object");
    };
    let mut readings = Vec::new();
    for (name, value) in &fields {
        let Some((_, kind)) = CHANNEL.iter().find(|(known, _)| known == name) else {
            let known: Vec<&str> = CHANNEL.iter().map(|(name, _)| *name).collect();
            return refuse(unknown("", name, &known));
        };
        let Value::Array(items) = value else { return refuse(format!("{name} must be a list")) };
        for (at, item) in items.iter().enumerate() {
            match (kind, item) {
                (Items::Notifications, Value::Object(fields)) => readings.push(reading(at, fields)?),
                (Items::Objects, Value::Object(_)) | (Items::Names, Value::String(_)) => {}
                (Items::Names, _) => return refuse(format!("{name}[{at}] must be a string")),
                (Items::Notifications | Items::Objects, _) => return refuse(format!("{name}[{at}] must be an object")),
            }
        }
    }
    Ok(readings)
}

fn reading(at: usize, fields: &Map<String, Value>) -> Result<Reading, Refusal> {
    // The last three come from later versions of the platform, and are acknowledged and not kept.
    const KNOWN: &[&str] = &["ep", "path", "ct", "payload", "max-age", "uid", "timestamp", "original-ep"];
    let place = format!("notifications[{at}].");
    if let Some(name) = fields.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return refuse(unknown(&place, name, KNOWN));
    }
    for name in ["ct", "uid", "original-ep"] {
        if fields.get(name).is_some_and(|value| !value.is_string()) {
            return refuse(format!("{place}{name} must be a string"));
        }
    }
    for (name, unit) in [("max-age", "seconds"), ("timestamp", "milliseconds")] {
        if fields.get(name).is_some_and(|value| !is_whole(value)) {
            return refuse(format!("{place}{name} must be a number of {unit}"));
        }
    }
    Ok(Reading {
        board: name(fields, "ep", LONGEST_BOARD, &place)?,
        sensor: name(fields, "path", LONGEST_SENSOR, &place)?,
        value: value(text(fields, "payload", &place)?, &place)?,
    })
}

fn text<'f>(fields: &'f Map<String, Value>, name: &str, place: &str) -> Result<&'f str, Refusal> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => refuse(format!("{place}{name} must be a string")),
        None => refuse(format!("{place}{name} is missing")),
    }
}

fn name(fields: &Map<String, Value>, name: &str, longest: usize, place: &str) -> Result<String, Refusal> {
    let text = text(fields, name, place)?;
    match text.chars().count() {
        0 => refuse(format!("{place}{name} is empty")),
        length if length > longest => refuse(format!("{place}{name} has {length} characters; the most is {longest}")),
        _ => Ok(text.to_owned()),
    }
}

/// A payload is the base64 of the value as text: `MjUuMw==` is 25.3.
fn value(payload: &str, place: &str) -> Result<f64, Refusal> {
    let Ok(bytes) = STANDARD.decode(payload) else { return refuse(format!("{place}payload is not base64")) };
    let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim_ascii().parse::<f64>().ok());
    match number {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => refuse(format!("{place}payload is not a finite number")),
        None => refuse(format!("{place}payload is not the base64 of a number")),
    }
}

/// A number or, as the platform sends them, its text.
fn is_whole(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_u64(),
        Value::String(text) => text.parse::<u64>().is_ok(),
        _ => false,
    }
}

fn unknown(place: &str, name: &str, known: &[&str]) -> String {
    format!("{place}{name} is not a field; the fields are {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reading_of(board: &str, sensor: &str, value: f64) -> Reading {
        Reading { board: board.to_owned(), sensor: sensor.to_owned(), value }
    }

    #[test]
    fn the_guide_s_own_message_is_one_reading() {
        let text = include_str!("../events/notification.json");
        let board = "aa0b5dcf-ccb8-4a9e-9a1c-000000000001";
        assert_eq!(parse(text), Ok(vec![reading_of(board, "/3200/0/5501", 25.3)]));
    }

    #[test]
    fn of_a_whole_channel_message_the_notifications_are_kept() {
        let expected = vec![reading_of("board-1", "/3200/0/5501", 1.0), reading_of("board-1", "/3303/0/5700", -1.5e-3)];
        assert_eq!(parse(include_str!("../events/channel.json")), Ok(expected));
    }

    #[test]
    fn a_probe_has_no_readings() {
        for body in ["", " \r\n", "{}", " { } ", r#"{"notifications": []}"#] {
            assert_eq!(parse(body), Ok(Vec::new()), "{body}");
        }
    }

    #[test]
    fn widths_are_counted_in_characters() {
        let message = |board: usize, sensor: usize| {
            let notification = json!({"ep": "é".repeat(board), "path": "日".repeat(sensor), "payload": "MQ=="});
            parse(&json!({"notifications": [notification]}).to_string())
        };
        assert!(message(36, 45).is_ok());
        assert!(message(37, 45).unwrap_err().0.contains("notifications[0].ep has 37 characters"));
        assert!(message(36, 46).unwrap_err().0.contains("notifications[0].path has 46 characters"));
    }

    #[test]
    fn every_bad_message_is_refused_and_names_its_field() {
        let with = |key: &str, value: Value| {
            let good = json!({"ep": "b", "path": "/1", "ct": "text/plain", "payload": "MQ==", "max-age": "0"});
            let mut bad = good.clone();
            bad[key] = value;
            json!({"notifications": [good, good, good, bad]}).to_string()
        };
        let payload = |text: &str| with("payload", json!(STANDARD.encode(text)));
        let cases = [
            ("{".to_owned(), "the body"),
            ("[]".to_owned(), "the body"),
            ("null".to_owned(), "the body"),
            ("{} {}".to_owned(), "the body"),
            (
                r#"{"notifications": [{"ep": "b"}], "notifications": []}"#.to_owned(),
                "notifications is there more than once",
            ),
            (
                r#"{"notifications": [{"ep": "b", "ep": "c"}]}"#.to_owned(),
                "notifications[0].ep is there more than once",
            ),
            (r#"{"notifications": {}}"#.to_owned(), "notifications must"),
            (r#"{"notifications": null}"#.to_owned(), "notifications must"),
            (r#"{"notifications": [1]}"#.to_owned(), "notifications[0]"),
            (r#"{"notifications": [{"path": "/1", "payload": "MQ=="}]}"#.to_owned(), "notifications[0].ep is missing"),
            (r#"{"notifications": [{"ep": "b", "payload": "MQ=="}]}"#.to_owned(), "notifications[0].path is missing"),
            (r#"{"notifications": [{"ep": "b", "path": "/1"}]}"#.to_owned(), "notifications[0].payload is missing"),
            (r#"{"notification": []}"#.to_owned(), "notification is not a field"),
            (r#"{"registrations": ["b"]}"#.to_owned(), "registrations[0]"),
            (r#"{"reg-updates": "b"}"#.to_owned(), "reg-updates must"),
            (r#"{"de-registrations": [{}]}"#.to_owned(), "de-registrations[0]"),
            (r#"{"registrations-expired": [1]}"#.to_owned(), "registrations-expired[0]"),
            (r#"{"async-responses": [null]}"#.to_owned(), "async-responses[0]"),
            (with("ep", json!("")), "notifications[3].ep"),
            (with("ep", json!(1)), "notifications[3].ep"),
            (with("path", Value::Null), "notifications[3].path"),
            (with("ct", json!(7)), "notifications[3].ct"),
            (with("max-age", json!("soon")), "notifications[3].max-age"),
            (with("max-age", json!(-1)), "notifications[3].max-age"),
            (with("timestamp", json!("today")), "notifications[3].timestamp must"),
            (with("uid", json!(1)), "notifications[3].uid must"),
            (with("original-ep", json!([])), "notifications[3].original-ep must"),
            (with("time", json!(1)), "notifications[3].time is not a field"),
            (with("payload", json!(25.3)), "notifications[3].payload"),
            (with("payload", json!("MjUuMw")), "notifications[3].payload"),
            (with("payload", json!("%%%")), "notifications[3].payload"),
            (with("payload", json!("/w==")), "notifications[3].payload"),
            (payload(""), "notifications[3].payload"),
            (payload("warm"), "notifications[3].payload"),
            (payload("NaN"), "notifications[3].payload"),
            (payload("-inf"), "notifications[3].payload"),
            (payload("1e400"), "notifications[3].payload"),
            (payload("1 2"), "notifications[3].payload"),
        ];
        for (body, named) in cases {
            let Refusal(text) = parse(&body).unwrap_err();
            assert!(text.contains(named), "{body} → {text}");
        }
    }
}
