//! JSON requests to typed input, and output to JSON, for the json and rest-json protocols.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::model::{Kind, Location, Model, ShapeId, Structure, TimestampFormat};
use super::{timestamp, validate};
use crate::fault::Fault;

/// Parses a request's body; an empty one is an empty object.
pub(super) fn parse(model: &Model, body: &[u8]) -> Result<Value, Fault> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| match model.service {
        "lambda" => {
            Fault::new("InvalidRequestContentException", format!("Could not parse request body into json: {error}"))
        }
        _ => Fault::new("SerializationException", format!("The request body is not JSON: {error}")),
    })
}

/// Types the members of `structure` that travel in the body.
pub(super) fn input(
    model: &Model,
    structure: &Structure,
    value: Value,
    place: &str,
) -> Result<Map<String, Value>, Fault> {
    let Value::Object(object) = value else { return Err(mistyped(place, "a JSON object")) };
    let mut typed = Map::new();
    for (wire, value) in object {
        match structure.by_wire(&wire).filter(|(_, member)| member.location == Location::Body) {
            Some((_, _)) if value.is_null() => {}
            Some((name, member)) => {
                typed.insert(name.to_owned(), typed_value(model, member.shape, value, &wire)?);
            }
            // JSON clients may name the shape that a value has.
            None if wire == "__type" => {}
            None => {
                let known = structure.members.values().filter(|member| member.location == Location::Body);
                return Err(validate::unknown(model, place, &wire, known.map(|member| member.wire_in.as_ref())));
            }
        }
    }
    Ok(typed)
}

fn mistyped(place: &str, expected: &str) -> Fault {
    Fault::new("SerializationException", format!("The value of {place} is not {expected}")).status(400)
}

pub(super) fn typed_value(model: &Model, shape: ShapeId, value: Value, place: &str) -> Result<Value, Fault> {
    let wrong = |expected| Err(mistyped(place, expected));
    match (&model.shape(shape).kind, value) {
        (Kind::Document, value) => Ok(value),
        (Kind::Structure(structure), value) => input(model, structure, value, place).map(Value::Object),
        (Kind::List(element), Value::Array(items)) => {
            let typed = items.into_iter().map(|item| typed_value(model, element.shape, item, place));
            typed.collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        (Kind::Map { value: held, .. }, Value::Object(entries)) => {
            let entries = entries.into_iter().filter(|(_, value)| !value.is_null());
            let typed =
                entries.map(|(key, value)| typed_value(model, held.shape, value, place).map(|value| (key, value)));
            typed.collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        (Kind::Text, value @ Value::String(_)) | (Kind::Boolean, value @ Value::Bool(_)) => Ok(value),
        (Kind::Integer, Value::Number(number)) => integer(&number).map_or_else(|| wrong("an integer"), Ok),
        (Kind::Float, value @ Value::Number(_)) | (Kind::Timestamp(_), value @ Value::Number(_)) => Ok(value),
        (Kind::Timestamp(_), Value::String(text)) => match timestamp::parse(&text).and_then(Number::from_f64) {
            Some(seconds) => Ok(Value::Number(seconds)),
            None => wrong("a timestamp"),
        },
        (Kind::Blob, Value::String(text)) => match STANDARD.decode(&text) {
            Ok(_) => Ok(Value::String(text)),
            Err(_) => wrong("base64"),
        },
        (Kind::List(_), _) => wrong("a list"),
        (Kind::Map { .. }, _) => wrong("a map"),
        (Kind::Text, _) => wrong("a string"),
        (Kind::Integer, _) => wrong("an integer"),
        (Kind::Float, _) => wrong("a number"),
        (Kind::Boolean, _) => wrong("a boolean"),
        (Kind::Timestamp(_), _) => wrong("a timestamp"),
        (Kind::Blob, _) => wrong("base64"),
    }
}

fn integer(number: &Number) -> Option<Value> {
    if number.is_i64() || number.is_u64() {
        return Some(Value::Number(number.clone()));
    }
    let float = number.as_f64()?;
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within a double's 53 bits")]
    (float.fract() == 0.0 && float.abs() < 9e15).then_some(Value::from(float as i64))
}

/// Writes `value`, shaped as `shape`, as JSON. Members that travel outside the body are left out.
///
/// # Errors
/// A service gave something that its model does not have: a defect of ours, named.
pub(super) fn write(model: &Model, shape: ShapeId, value: &Value, out: &mut Vec<u8>) -> Result<(), Fault> {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Object(object)) => {
            out.push(b'{');
            let mut first = true;
            for (name, value) in object {
                let Some(member) = structure.members.get(name.as_str()) else {
                    return Err(Fault::internal(format!("an answer has the member {name}, which the model has not")));
                };
                if member.location == Location::Body && !value.is_null() {
                    separate(&mut first, out);
                    text(member.wire_out, out);
                    out.push(b':');
                    write(model, member.shape, value, out)?;
                }
            }
            out.push(b'}');
        }
        (Kind::List(element), Value::Array(items)) => {
            out.push(b'[');
            let mut first = true;
            for item in items {
                separate(&mut first, out);
                write(model, element.shape, item, out)?;
            }
            out.push(b']');
        }
        (Kind::Map { value: held, .. }, Value::Object(entries)) => {
            out.push(b'{');
            let mut first = true;
            for (key, value) in entries {
                separate(&mut first, out);
                text(key, out);
                out.push(b':');
                write(model, held.shape, value, out)?;
            }
            out.push(b'}');
        }
        (Kind::Structure(_) | Kind::List(_) | Kind::Map { .. }, Value::Null) => out.extend_from_slice(b"null"),
        (Kind::Structure(_) | Kind::List(_) | Kind::Map { .. }, other) => {
            return Err(Fault::internal(format!("an answer has {other} where its model has a structure")));
        }
        (Kind::Timestamp(Some(format)), value @ Value::Number(_)) if *format != TimestampFormat::UnixTimestamp => {
            text(&timestamp::text(value, *format), out);
        }
        (_, Value::String(string)) => text(string, out),
        // Writing to memory does not fail.
        (_, value) => serde_json::to_writer(out, value).map_err(Fault::internal)?,
    }
    Ok(())
}

fn separate(first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

/// Writes `string` as a JSON string.
pub(super) fn text(string: &str, out: &mut Vec<u8>) {
    if string.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(string.as_bytes());
        out.push(b'"');
    } else {
        // Writing a string to memory does not fail.
        let _ = serde_json::to_writer(out, string);
    }
}
