//! The values of named parameters, as the engine takes them. Pure.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value as Json;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, PrimitiveDateTime, Time};

use super::faults::DataFault;
use super::statement::Blobs;

/// `SqlParameter`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Parameter {
    name: Option<String>,
    value: Option<Field>,
    type_hint: Option<String>,
}

/// `Field`: one of its members.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Field {
    is_null: Option<bool>,
    boolean_value: Option<bool>,
    long_value: Option<i64>,
    double_value: Option<f64>,
    string_value: Option<String>,
    blob_value: Option<String>,
    array_value: Option<Json>,
}

/// The values of `names`.
///
/// # Errors
/// A parameter is missing, or its value is of no use.
pub(super) fn values(names: &[String], parameters: &[Parameter]) -> Result<Vec<mysql_async::Value>, DataFault> {
    // A statement may have hundreds.
    let mut named: HashMap<&str, &Parameter> = HashMap::with_capacity(parameters.len());
    for parameter in parameters {
        if let Some(name) = &parameter.name {
            named.entry(name).or_insert(parameter);
        }
    }
    let find = |name: &String| {
        let found = named.get(name.as_str());
        found
            .ok_or_else(|| DataFault::Invalid(format!("Cannot find parameter: {name}")))
            .and_then(|parameter| value(parameter))
    };
    names.iter().map(find).collect()
}

/// The names of those that hold bytes.
pub(super) fn blobs<'p>(parameters: impl IntoIterator<Item = &'p Parameter>) -> Blobs<'p> {
    let holds_bytes = |parameter: &&Parameter| parameter.value.as_ref().is_some_and(|value| value.blob_value.is_some());
    parameters.into_iter().filter(holds_bytes).filter_map(|parameter| parameter.name.as_deref()).collect()
}

/// What of the values could be a key.
pub(super) fn numbers(values: &[mysql_async::Value]) -> Vec<u64> {
    let number = |value: &mysql_async::Value| match value {
        mysql_async::Value::Int(number) => u64::try_from(*number).ok(),
        mysql_async::Value::UInt(number) => Some(*number),
        mysql_async::Value::Bytes(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        _ => None,
    };
    values.iter().filter_map(number).collect()
}

fn value(parameter: &Parameter) -> Result<mysql_async::Value, DataFault> {
    use mysql_async::Value;
    let name = parameter.name.as_deref().unwrap_or_default();
    let bad = |what: &str| DataFault::Invalid(format!("The value of parameter {name} {what}"));
    let Some(field) = &parameter.value else { return Err(bad("is missing")) };
    let given = [
        field.is_null.is_some(),
        field.boolean_value.is_some(),
        field.long_value.is_some(),
        field.double_value.is_some(),
        field.string_value.is_some(),
        field.blob_value.is_some(),
        field.array_value.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err(bad("must have exactly one member"));
    }
    Ok(match field {
        Field { is_null: Some(true), .. } => Value::NULL,
        Field { is_null: Some(false), .. } => return Err(bad("says isNull: false and nothing else")),
        Field { boolean_value: Some(value), .. } => Value::Int(i64::from(*value)),
        Field { long_value: Some(value), .. } => Value::Int(*value),
        Field { double_value: Some(value), .. } => Value::Double(*value),
        Field { string_value: Some(text), .. } => {
            if let Some(hint) = &parameter.type_hint {
                check(hint, text).map_err(|what| bad(&format!("is not {what}: {text}")))?;
            }
            Value::Bytes(text.clone().into_bytes())
        }
        Field { blob_value: Some(text), .. } => Value::Bytes(STANDARD.decode(text).map_err(|_| bad("is not base64"))?),
        Field { .. } => return Err(bad("is an array, and array parameters are not supported")),
    })
}

/// Whether a string is of the form that its type hint names.
fn check(hint: &str, text: &str) -> Result<(), String> {
    const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
    const TIME: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second]");
    const BOTH: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let whole = text.split_once('.').map_or(Some(text), |(whole, fraction)| {
        let digits = (1..=6).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
        digits.then_some(whole)
    });
    let good = match hint {
        "DATE" => Date::parse(text, DATE).is_ok(),
        "TIME" => whole.is_some_and(|whole| Time::parse(whole, TIME).is_ok()),
        "TIMESTAMP" => whole.is_some_and(|whole| PrimitiveDateTime::parse(whole, BOTH).is_ok()),
        "DECIMAL" => is_decimal(text),
        "JSON" => serde_json::from_str::<Json>(text).is_ok(),
        "UUID" => {
            let groups: Vec<&str> = text.split('-').collect();
            groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
                && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
        }
        other => return Err(format!("of a known type hint ({other})")),
    };
    if good { Ok(()) } else { Err(format!("a {hint}")) }
}

/// `-1.50`, `1E+5`: what java.math.BigDecimal reads, and Python's Decimal writes.
fn is_decimal(text: &str) -> bool {
    let unsigned = |text: &str| text.strip_prefix(['-', '+']).unwrap_or(text).to_owned();
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (mantissa, exponent) = (unsigned(mantissa), unsigned(exponent));
    let digits = mantissa.replacen('.', "", 1);
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(&digits) && all_digits(&exponent)
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;

    fn one(value: Json, hint: Option<&str>) -> Result<mysql_async::Value, DataFault> {
        let mut parameter = json!({"name": "p", "value": value});
        if let Some(hint) = hint {
            parameter["typeHint"] = hint.into();
        }
        values(&["p".to_owned()], &[serde_json::from_value(parameter).unwrap()]).map(|mut values| values.remove(0))
    }

    #[test]
    fn every_kind_of_value_has_its_form_and_others_are_refused() {
        use mysql_async::Value;
        let good = [
            (json!({"isNull": true}), None, Value::NULL),
            (json!({"longValue": -7}), None, Value::Int(-7)),
            (json!({"booleanValue": true}), None, Value::Int(1)),
            (json!({"blobValue": "AP8="}), None, Value::Bytes(vec![0, 255])),
            (json!({"stringValue": "1.50"}), Some("DECIMAL"), Value::Bytes(b"1.50".to_vec())),
            (json!({"stringValue": "-1.5E+5"}), Some("DECIMAL"), Value::Bytes(b"-1.5E+5".to_vec())),
            (json!({"stringValue": "+.5e-3"}), Some("DECIMAL"), Value::Bytes(b"+.5e-3".to_vec())),
            (
                json!({"stringValue": "2026-11-21 10:00:00.123"}),
                Some("TIMESTAMP"),
                Value::Bytes(b"2026-11-21 10:00:00.123".to_vec()),
            ),
        ];
        for (field, hint, expected) in good {
            assert_eq!(one(field, hint).unwrap(), expected);
        }
        let bad = [
            (json!({}), None),
            (json!({"longValue": 1, "stringValue": "1"}), None),
            (json!({"arrayValue": {"longValues": [1]}}), None),
            (json!({"blobValue": "?"}), None),
            (json!({"stringValue": "21.11.2026"}), Some("DATE")),
            (json!({"stringValue": "{"}), Some("JSON")),
            (json!({"stringValue": "x"}), Some("GEOMETRY")),
            (json!({"stringValue": "."}), Some("DECIMAL")),
            (json!({"stringValue": "1.2.3"}), Some("DECIMAL")),
            (json!({"stringValue": "1E"}), Some("DECIMAL")),
            (json!({"stringValue": "E5"}), Some("DECIMAL")),
        ];
        for (field, hint) in bad {
            assert!(one(field.clone(), hint).is_err(), "{field} {hint:?}");
        }
        assert!(matches!(values(&["q".to_owned()], &[]), Err(DataFault::Invalid(_))));
    }
}
