//! What can be done with values: operators, methods and `$util`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use regex::{Regex, RegexBuilder};
use serde_json::{Value, json};

use super::budget::Budget;
use super::eval::Eval;
use super::parse::Operator;

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');
/// Reading a regular expression takes as long as so many steps; it may take so much memory.
const REGEX_STEPS: usize = 100;
const REGEX_BYTES: usize = 1 << 20;
/// What a place that a regular expression finds costs, beside its text.
const PIECE: usize = 64;

/// The place that `keys` lead to; `make` puts maps where nothing is.
pub(super) fn walk<'v>(root: &'v mut Value, keys: &[Value], make: bool) -> Option<&'v mut Value> {
    let mut place = root;
    for key in keys {
        if make && place.is_null() {
            *place = json!({});
        }
        place = match place {
            Value::Array(list) => list.get_mut(usize::try_from(key.as_i64()?).ok()?)?,
            Value::Object(map) => {
                let key = print(key);
                if make && !map.contains_key(&key) {
                    map.insert(key.clone(), Value::Null);
                }
                map.get_mut(&key)?
            }
            _ => return None,
        };
    }
    Some(place)
}

pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

pub(super) fn integer(value: &Value) -> Eval<i64> {
    let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number.ok_or_else(|| format!("{} is not an integer", print(value)))
}

pub(super) fn binary(operator: Operator, left: &Value, right: &Value) -> Eval<Value> {
    let numbers = left.as_f64().zip(right.as_f64());
    let order = match numbers {
        Some((left, right)) => left.partial_cmp(&right),
        None => left.as_str().zip(right.as_str()).map(|(left, right)| left.cmp(right)),
    };
    let integers = left.as_i64().zip(right.as_i64());
    Ok(match operator {
        Operator::Equal => Value::Bool(order.map_or_else(|| print(left) == print(right), std::cmp::Ordering::is_eq)),
        Operator::NotEqual => Value::Bool(order.map_or_else(|| print(left) != print(right), std::cmp::Ordering::is_ne)),
        Operator::Less => Value::Bool(order.is_some_and(std::cmp::Ordering::is_lt)),
        Operator::AtMost => Value::Bool(order.is_some_and(std::cmp::Ordering::is_le)),
        Operator::Greater => Value::Bool(order.is_some_and(std::cmp::Ordering::is_gt)),
        Operator::AtLeast => Value::Bool(order.is_some_and(std::cmp::Ordering::is_ge)),
        Operator::Add if numbers.is_none() => Value::String(print(left) + &print(right)),
        _ => {
            let whole = integers.and_then(|(left, right)| match operator {
                Operator::Add => left.checked_add(right),
                Operator::Subtract => left.checked_sub(right),
                Operator::Multiply => left.checked_mul(right),
                Operator::Divide => left.checked_div(right),
                _ => left.checked_rem(right),
            });
            match (whole, numbers) {
                (Some(whole), _) => json!(whole),
                (None, Some((left, right))) => json!(match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                    _ => left % right,
                }),
                (None, None) => Value::Null,
            }
        }
    })
}

pub(super) fn property<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(name).filter(|value| !value.is_null()),
        _ => None,
    }
}

pub(super) fn element<'v>(value: &'v Value, index: &Value) -> Option<&'v Value> {
    match value {
        Value::Array(list) => list.get(usize::try_from(index.as_i64()?).ok()?),
        Value::Object(map) => map.get(&print(index)),
        _ => None,
    }
}

/// What a method makes of `on`; a value without such a method makes nothing.
pub(super) fn method(on: &Value, name: &str, arguments: &[Value], budget: &mut Budget) -> Eval<Option<Value>> {
    let text = |index: usize| arguments.get(index).map(print).unwrap_or_default();
    let found = match (on, name) {
        (Value::Array(list), "size") => json!(list.len()),
        (Value::Array(list), "isEmpty") => json!(list.is_empty()),
        (Value::Array(list), "contains") => {
            budget.steps(list.len())?;
            json!(arguments.first().is_some_and(|item| list.contains(item)))
        }
        (Value::Object(map), "size") => json!(map.len()),
        (Value::Object(map), "isEmpty") => json!(map.is_empty()),
        (Value::Object(map), "containsKey") => json!(map.contains_key(&text(0))),
        (Value::Object(map), "keySet") => json!(map.keys().collect::<Vec<_>>()),
        (Value::Object(map), "values") => json!(map.values().collect::<Vec<_>>()),
        (Value::Object(map), "entrySet") => {
            Value::Array(map.iter().map(|(key, value)| json!({"key": key, "value": value})).collect())
        }
        (Value::Object(map), "getKey") => return Ok(map.get("key").cloned()),
        (Value::Object(map), "getValue") => return Ok(map.get("value").cloned()),
        (_, "toString") => Value::String(print(on)),
        (_, "equals") => json!(arguments.first().is_some_and(|other| other == on)),
        (Value::Number(number), "intValue") => match number.as_i64() {
            Some(whole) => json!(whole),
            #[expect(clippy::cast_possible_truncation, reason = "intValue cuts, in Java as here")]
            None => json!(number.as_f64().map(|broken| broken as i64)),
        },
        (Value::String(string), _) => return of_string(string, name, arguments, budget),
        _ => return Ok(None),
    };
    Ok(Some(found))
}

fn of_string(string: &str, name: &str, arguments: &[Value], budget: &mut Budget) -> Eval<Option<Value>> {
    budget.scanned(string)?;
    let text = |index: usize| arguments.get(index).map(print).unwrap_or_default();
    let place = |found: Option<usize>| found.map_or(json!(-1), |at| json!(string[..at].chars().count()));
    Ok(Some(match name {
        "length" => json!(string.chars().count()),
        "isEmpty" => json!(string.is_empty()),
        "contains" => json!(string.contains(&text(0))),
        "startsWith" => json!(string.starts_with(&text(0))),
        "endsWith" => json!(string.ends_with(&text(0))),
        "equalsIgnoreCase" => json!(string.eq_ignore_ascii_case(&text(0))),
        "indexOf" => place(string.find(&text(0))),
        "lastIndexOf" => place(string.rfind(&text(0))),
        "matches" => json!(regex(&format!("^(?:{})$", text(0)), budget)?.is_match(string)),
        "replace" => {
            let (from, to) = (text(0), text(1));
            budget.allows(string.len() + string.matches(&from).count().saturating_mul(to.len()))?;
            json!(string.replace(&from, &to))
        }
        "replaceAll" => json!(replace_all(string, &regex(&text(0), budget)?, &text(1), budget)?),
        "split" => {
            let mut pieces = Vec::new();
            for piece in regex(&text(0), budget)?.split(string) {
                budget.bytes(PIECE)?;
                pieces.push(piece);
            }
            json!(pieces)
        }
        "concat" => json!(format!("{string}{}", text(0))),
        "toLowerCase" => json!(string.to_lowercase()),
        "toUpperCase" => json!(string.to_uppercase()),
        "trim" => json!(string.trim()),
        "charAt" => {
            let at = usize::try_from(integer(arguments.first().unwrap_or(&Value::Null))?).unwrap_or(usize::MAX);
            json!(string.chars().nth(at).ok_or("charAt() beyond the end")?.to_string())
        }
        "substring" => {
            let bound = |index: usize, default: usize| match arguments.get(index) {
                Some(value) => integer(value).map(|at| usize::try_from(at).unwrap_or(0)),
                None => Ok(default),
            };
            let (from, to) = (bound(0, 0)?, bound(1, string.chars().count())?);
            json!(string.chars().skip(from).take(to.saturating_sub(from)).collect::<String>())
        }
        _ => return Ok(None),
    }))
}

fn regex(pattern: &str, budget: &mut Budget) -> Eval<Regex> {
    budget.steps(REGEX_STEPS)?;
    RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build().map_err(|error| error.to_string())
}

fn replace_all(string: &str, regex: &Regex, with: &str, budget: &mut Budget) -> Eval<String> {
    let (mut out, mut end) = (String::new(), 0);
    let groups = with.matches('$').count();
    for found in regex.captures_iter(string) {
        budget.bytes(PIECE)?;
        let whole = found.get_match();
        out.push_str(&string[end..whole.start()]);
        budget.allows(out.len() + with.len() + groups.saturating_mul(whole.len()))?;
        found.expand(with, &mut out);
        end = whole.end();
    }
    out.push_str(&string[end..]);
    Ok(out)
}

pub(super) fn util(name: &str, argument: &Value) -> Eval<Value> {
    let text = print(argument);
    Ok(match name {
        "escapeJavaScript" => Value::String(escape_java_script(&text)),
        "parseJson" => serde_json::from_str(&text).map_err(|error| format!("$util.parseJson(): {error}"))?,
        "urlEncode" => Value::String(utf8_percent_encode(&text, PLAIN).to_string().replace("%20", "+")),
        "urlDecode" => Value::String(percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()),
        "base64Encode" => Value::String(STANDARD.encode(text)),
        "base64Decode" => {
            let bytes = STANDARD.decode(text).map_err(|error| format!("$util.base64Decode(): {error}"))?;
            Value::String(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => return Err(format!("$util.{name}() is not known")),
    })
}

fn escape_java_script(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '/' => out.push_str("\\/"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || (c as u32) > 0x7f => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// A value as Velocity prints it: lists and maps in Java's form.
pub(super) fn print(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(print).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}={}", print(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}
