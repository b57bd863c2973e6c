//! A request's body as JSON in which no object has a member twice: `serde_json` alone keeps the last one, and what the others
//! held would be acknowledged and lost.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads a body. The error is a refusal to be told the client.
pub fn body(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(Once(value)) => Ok(value),
        Err(error) if error.is_data() => Err(error.to_string()),
        Err(error) => Err(format!("the body is not JSON: {error}")),
    }
}

struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Once)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("{name} is there more than once")));
            }
            let Once(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, body};

    #[test]
    fn what_says_nothing_twice_is_read_as_elsewhere() {
        for text in [
            "null",
            " [true, false, -1, 18446744073709551615, 0.5, 1e300, \"\\u0000\\ud83d\\ude00\", {}, []] ",
            r#"{"a": {"a": [{"a": 1}, {"a": 2}]}, "A": null, "": ""}"#,
        ] {
            assert_eq!(body(text).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused_by_name_wherever_it_is() {
        for text in [
            r#"{"ep": 1, "ep": 1}"#,
            r#"{"ep": [], "path": 0, "ep": [1]}"#,
            r#"[{"a": {"ep": null, "\u0065p": null}}]"#,
        ] {
            assert!(body(text).unwrap_err().starts_with("ep is there more than once at line 1"), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_as_that() {
        for text in ["", "{", "{} {}", "[1e999]", "NaN", "\"\\ud800\"", &"[".repeat(100_000)] {
            assert!(body(text).unwrap_err().starts_with("the body is not JSON: "), "{}", &text[..text.len().min(9)]);
        }
    }
}
