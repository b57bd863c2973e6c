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
use super::statement::{Cast, Casts};

/// What a DECIMAL holds at most: digits, and of them behind the point (MySQL; MariaDB has 38).
const MOST_DIGITS: usize = 65;
const MOST_BEHIND: usize = 30;

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

/// Runs of sets that one statement serves, in their order: what one set's value is cast to must not change another's.
pub(super) fn alike(sets: &[Vec<Parameter>]) -> Vec<&[Vec<Parameter>]> {
    let mut kinds: HashMap<&str, Option<Cast>> = HashMap::new();
    let mut runs = Vec::new();
    let mut first = 0;
    for (at, set) in sets.iter().enumerate() {
        let fits =
            |(name, cast): &(&str, Option<Cast>)| kinds.get(name).is_none_or(|known| Cast::is_same(*known, *cast));
        if !set.iter().filter_map(Parameter::named_cast).all(|named| fits(&named)) {
            runs.push(&sets[first..at]);
            first = at;
            kinds.clear();
        }
        kinds.extend(set.iter().filter_map(Parameter::named_cast));
    }
    runs.push(&sets[first..]);
    runs
}

/// What the parameters are cast to. One statement serves all sets of a run: a name is a decimal's if every value of it is, and has
/// the digits that the longest has.
pub(super) fn casts<'p>(parameters: impl IntoIterator<Item = &'p Parameter>) -> Casts<'p> {
    let mut casts: HashMap<&str, Option<Cast>> = HashMap::new();
    for parameter in parameters {
        let Some((name, cast)) = parameter.named_cast() else { continue };
        casts.entry(name).and_modify(|both| *both = Cast::of_both(*both, cast)).or_insert(cast);
    }
    // What no DECIMAL holds stays a text.
    let held = |cast: &Cast| match cast {
        Cast::Bytes => true,
        Cast::Decimal { before, behind } => before + behind <= MOST_DIGITS && *behind <= MOST_BEHIND,
    };
    casts.into_iter().filter_map(|(name, cast)| Some((name, cast.filter(held)?))).collect()
}

impl Parameter {
    /// Its name and what its value is cast to; nothing of one without a value.
    fn named_cast(&self) -> Option<(&str, Option<Cast>)> {
        let (name, field) = (self.name.as_deref()?, self.value.as_ref()?);
        field.is_null.is_none().then(|| (name, self.cast(field)))
    }

    fn cast(&self, field: &Field) -> Option<Cast> {
        if field.blob_value.is_some() {
            return Some(Cast::Bytes);
        }
        let text = field.string_value.as_deref().filter(|_| self.type_hint.as_deref() == Some("DECIMAL"))?;
        let (before, behind) = digits_of_decimal(text)?;
        Some(Cast::Decimal { before, behind })
    }
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
        "DECIMAL" => digits_of_decimal(text).is_some(),
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

/// How many digits `-1.50` or `1E+5` has before and behind the point: what java.math.BigDecimal reads, and Python's Decimal writes.
fn digits_of_decimal(text: &str) -> Option<(usize, usize)> {
    let unsigned = |text: &'_ str| text.strip_prefix(['-', '+']).unwrap_or(text).to_owned();
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mantissa = unsigned(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    if unsigned(exponent).is_empty() || !is_digits(&unsigned(exponent)) {
        return None;
    }
    // An exponent beyond this makes more digits than any engine has.
    let most = if exponent.starts_with('-') { -1_000 } else { 1_000 };
    let shift: isize = exponent.parse().unwrap_or(most).clamp(-1_000, 1_000);
    let moved = |length: usize, by: isize| usize::try_from(length.cast_signed() + by).unwrap_or(0);
    Some((moved(whole.len(), shift).max(1), moved(fraction.len(), -shift)))
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

    #[test]
    fn a_decimal_has_the_digits_that_its_text_has() {
        let cases = [
            ("10", Some((2, 0))),
            ("-1.50", Some((1, 2))),
            (".5", Some((1, 1))),
            ("1.", Some((1, 0))),
            ("1E+5", Some((6, 0))),
            ("1.2345e2", Some((3, 2))),
            ("+12.5e-3", Some((1, 4))),
            ("1e99999999999999999999", Some((1_001, 0))),
            ("1e-99999999999999999999", Some((1, 1_000))),
            ("1e", None),
            (".", None),
            ("", None),
            ("1e+-2", None),
            ("--1", None),
        ];
        for (text, digits) in cases {
            assert_eq!(digits_of_decimal(text), digits, "{text}");
        }
        let parameter = |name: &str, value: &str, hint: &str| {
            serde_json::from_value(json!({"name": name, "value": {"stringValue": value}, "typeHint": hint})).unwrap()
        };
        let parameters: Vec<Parameter> = vec![
            parameter("a", "9", "DECIMAL"),
            parameter("a", "10.25", "DECIMAL"),
            parameter("b", "{}", "JSON"),
            parameter("c", &"9".repeat(66), "DECIMAL"),
            serde_json::from_value(json!({"name": "d", "value": {"blobValue": ""}})).unwrap(),
            // One that is no decimal keeps the others from being cast: the digits are not those of its value.
            parameter("e", "1.5", "DECIMAL"),
            serde_json::from_value(json!({"name": "e", "value": {"longValue": 100}})).unwrap(),
            parameter("f", "1.5", "DECIMAL"),
            serde_json::from_value(json!({"name": "f", "value": {"isNull": true}})).unwrap(),
            // Bytes stay bytes whatever comes with them.
            serde_json::from_value(json!({"name": "g", "value": {"blobValue": ""}})).unwrap(),
            parameter("g", "1.5", "DECIMAL"),
            parameter("g", "text", "JSON"),
        ];
        let decimal = |before, behind| Cast::Decimal { before, behind };
        let expected =
            Casts::from([("a", decimal(2, 2)), ("d", Cast::Bytes), ("f", decimal(1, 1)), ("g", Cast::Bytes)]);
        assert_eq!(casts(&parameters), expected);
        let set = |text: &str| vec![parameter("a", text, "DECIMAL")];
        let null = vec![serde_json::from_value(json!({"name": "a", "value": {"isNull": true}})).unwrap()];
        let sets = [set("1.5"), null, set("10.5"), set("2.25"), vec![parameter("a", "x", "JSON")]];
        assert_eq!(alike(&sets).iter().map(|run| run.len()).collect::<Vec<_>>(), [3, 1, 1]);
        assert_eq!(alike(&[vec![]]).len(), 1);
    }
}
