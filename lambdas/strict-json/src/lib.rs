//! A request's body as JSON in which no object has a member twice: `serde_json` alone keeps the last one, and what the others
//! held would be acknowledged and lost.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads a body. The error is a refusal to be told the client.
pub fn body(text: &str) -> Result<Value, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    match Place::Whole.deserialize(&mut json).and_then(|value| json.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(error) if error.is_data() => Err(error.to_string()),
        Err(error) => Err(format!("the body is not JSON: {error}")),
    }
}

/// Where in the body a value stands: `notifications[3].ep`.
#[derive(Clone, Copy)]
enum Place<'p> {
    Whole,
    Item(&'p Place<'p>, usize),
    Member(&'p Place<'p>, &'p str),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Whole => Ok(()),
            Place::Item(list, at) => write!(f, "{list}[{at}]"),
            Place::Member(Place::Whole, name) => f.write_str(name),
            Place::Member(object, name) => write!(f, "{object}.{name}"),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
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
        while let Some(item) = items.next_element_seed(Place::Item(&self, list.len()))? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let place = Place::Member(&self, &name);
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("{place} is there more than once")));
            }
            let value = members.next_value_seed(place)?;
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
    fn a_member_that_is_there_twice_is_refused_by_name_and_place() {
        for (text, place) in [
            (r#"{"ep": 1, "ep": 1}"#, "ep"),
            (r#"{"ep": [], "path": 0, "ep": [1]}"#, "ep"),
            (r#"[{"a": {"ep": null, "\u0065p": null}}]"#, "[0].a.ep"),
            (r#"{"notifications": [{}, {"ep": "a", "ep": "b"}]}"#, "notifications[1].ep"),
        ] {
            let told = body(text).unwrap_err();
            assert!(told.starts_with(&format!("{place} is there more than once at line 1 column ")), "{text}: {told}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_as_that() {
        for text in ["", "{", "{} {}", "[1e999]", "NaN", "\"\\ud800\"", &"[".repeat(100_000)] {
            assert!(body(text).unwrap_err().starts_with("the body is not JSON: "), "{}", &text[..text.len().min(9)]);
        }
    }
}
