//! Values that a type takes, for tests that go over every property of every type.

use serde_json::{Map, Value as Json, json};

use super::table::{self, Schema, Table};

/// How deep a value goes: some definitions contain themselves.
const DEEPEST: usize = 6;

/// A value of the property that the schema takes, as small as it may be; another one for each `variant`. `None` if the type
/// has no such property.
pub fn sample(kind: &str, property: &str, variant: usize) -> Option<Json> {
    let table = table::of(kind)?;
    Some(table.sample(table.schema.properties.get(property)?, variant, DEEPEST))
}

impl Table {
    fn sample(&self, schema: &Schema, variant: usize, depth: usize) -> Json {
        let schema = self.resolve(schema);
        let alternative = schema.one_of.iter().chain(&schema.any_of).next();
        match schema.types.chars().find(|of| !"s".contains(*of)).or(schema.types.chars().next()) {
            _ if depth == 0 => Json::Null,
            None if schema.properties.is_empty() => {
                alternative.map_or_else(|| json!(variant.to_string()), |of| self.sample(of, variant, depth - 1))
            }
            None | Some('o') => self.object(schema, variant, depth),
            Some('a') => match &schema.items {
                Some(items) => json!([self.sample(items, variant, depth - 1)]),
                None => json!([variant.to_string()]),
            },
            Some('b') => json!(variant % 2 == 1),
            Some('i' | 'n') => json!(schema.minimum.unwrap_or(1.0).ceil() as i64 + variant as i64),
            Some(_) => match schema.values.len() {
                0 => json!(variant.to_string()),
                known => json!(schema.values[variant % known]),
            },
        }
    }

    fn object(&self, schema: &Schema, variant: usize, depth: usize) -> Json {
        let required = || schema.required.iter().filter_map(|name| schema.properties.get_key_value(name));
        let first = schema.properties.iter().take(if schema.required.is_empty() { 1 } else { 0 });
        let members: Map<String, Json> =
            required().chain(first).map(|(name, of)| (name.clone(), self.sample(of, variant, depth - 1))).collect();
        if members.is_empty() { json!({"a": variant.to_string()}) } else { Json::Object(members) }
    }
}
