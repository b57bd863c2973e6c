//! CloudFormation's own reading of scalars: text where a number or boolean is taken becomes one, and the other way round.
//! A value that cannot be read so is left as it is; the check of properties names it.

use serde_json::{Number, Value as Json};

use super::table::{Schema, Table, matches};

impl Table {
    pub(super) fn coerced(&self, schema: &Schema, json: &Json) -> Json {
        let schema = self.resolve(schema);
        match json {
            Json::Object(map) => {
                let member = |key: &String, value: &Json| match self.member(schema, key) {
                    Some(schema) => self.coerced(schema, value),
                    None => value.clone(),
                };
                Json::Object(map.iter().map(|(key, value)| (key.clone(), member(key, value))).collect())
            }
            Json::Array(items) => match &schema.items {
                Some(schema) => items.iter().map(|item| self.coerced(schema, item)).collect(),
                None => json.clone(),
            },
            scalar => as_taken(&schema.types, scalar).unwrap_or_else(|| scalar.clone()),
        }
    }

    /// The schema of a member, looked for in the patterns and the alternatives too.
    fn member<'t>(&'t self, schema: &'t Schema, key: &str) -> Option<&'t Schema> {
        let patterned =
            || schema.pattern_properties.iter().find(|(pattern, _)| matches(pattern, key)).map(|(_, schema)| schema);
        schema.properties.get(key).or_else(patterned).or_else(|| {
            let alternatives = schema.any_of.iter().chain(&schema.one_of);
            alternatives.map(|alternative| self.resolve(alternative)).find_map(|schema| schema.properties.get(key))
        })
    }
}

/// `None`: the value is taken as it is, or cannot be read as anything that is taken.
fn as_taken(types: &str, scalar: &Json) -> Option<Json> {
    match scalar {
        Json::String(text) if !types.contains('s') => {
            let integer = || text.parse::<i64>().ok().filter(|_| types.contains(['i', 'n'])).map(Json::from);
            let number =
                || text.parse().ok().filter(|_| types.contains('n')).and_then(Number::from_f64).map(Json::Number);
            let boolean = || text.to_ascii_lowercase().parse().ok().filter(|_| types.contains('b')).map(Json::Bool);
            integer().or_else(number).or_else(boolean)
        }
        Json::Number(number) if types.contains('s') && !types.contains(['i', 'n']) => {
            Some(Json::from(number.to_string()))
        }
        Json::Bool(yes) if types.contains('s') && !types.contains('b') => Some(Json::from(yes.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::schema::coerced;

    #[test]
    fn scalars_become_what_the_type_takes_and_nothing_else_changes() {
        let given = json!({
            "ServerlessV2ScalingConfiguration": {"MinCapacity": "0", "MaxCapacity": "1.5", "SecondsUntilAutoPause": "300"},
            "EnableHttpEndpoint": "true", "MasterUsername": 5, "Port": "3306", "BackupRetentionPeriod": "x",
        });
        let expected = json!({
            "ServerlessV2ScalingConfiguration": {"MinCapacity": 0, "MaxCapacity": 1.5, "SecondsUntilAutoPause": 300},
            "EnableHttpEndpoint": true, "MasterUsername": "5", "Port": 3306, "BackupRetentionPeriod": "x",
        });
        assert_eq!(coerced("AWS::RDS::DBCluster", &given), expected);
        let throttle = |rate: serde_json::Value| json!({"ApiStages": [{"Throttle": {"/a/GET": {"RateLimit": rate}}}]});
        assert_eq!(coerced("AWS::ApiGateway::UsagePlan", &throttle(json!("5"))), throttle(json!(5)));
        assert_eq!(coerced("Custom::Thing", &json!({"A": "1"})), json!({"A": "1"}));
    }
}
