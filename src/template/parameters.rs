//! Parameter values: what was given and the defaults, checked against the template with AWS's messages, all at once.

use indexmap::IndexMap;
use regex::Regex;
use serde_json::Value as Json;

use super::model::{Parameter, ParameterType, Template};

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

/// AWS's limit on one value.
const MAX_VALUE_BYTES: usize = 4096;

/// AWS's sentence about the first thing that is wrong with one value. The value itself is never in it.
pub fn check(name: &str, parameter: &Parameter, value: &str) -> Option<String> {
    let what = if parameter.kind.is_list() && !matches!(parameter.kind, ParameterType::Ssm(_)) {
        items(value).find_map(|item| broken(parameter, item))
    } else {
        broken(parameter, value)
    };
    let what = if value.len() > MAX_VALUE_BYTES {
        Some(format!("must contain at most {MAX_VALUE_BYTES} bytes"))
    } else {
        what
    };
    what.map(|what| match &parameter.constraint_description {
        Some(description) => format!("Parameter {name} failed to satisfy constraint: {description}"),
        None => format!("Parameter '{name}' {what}"),
    })
}

/// What one value, or one element of a list, breaks.
fn broken(parameter: &Parameter, value: &str) -> Option<String> {
    if !parameter.allowed_values.is_empty()
        && !parameter.allowed_values.iter().any(|allowed| same(parameter, allowed, value))
    {
        return Some("must be one of AllowedValues".to_owned());
    }
    if matches!(parameter.kind, ParameterType::Number | ParameterType::ListOfNumbers) {
        let Some(number) = value.trim().parse::<f64>().ok().filter(|number| number.is_finite()) else {
            return Some("must be a number".to_owned());
        };
        if let Some(least) = parameter.min_value.filter(|least| number < *least) {
            return Some(format!("must be a number not less than {least}"));
        }
        return parameter
            .max_value
            .filter(|most| number > *most)
            .map(|most| format!("must be a number not greater than {most}"));
    }
    if let Some(pattern) = &parameter.allowed_pattern {
        // The whole value has to match, as with Java's `matches`.
        match Regex::new(&format!("^(?:{pattern})$")) {
            Ok(regex) if regex.is_match(value) => {}
            Ok(_) => return Some(format!("must match pattern {pattern}")),
            Err(_) => return Some(format!("has an AllowedPattern that cannot be evaluated here: {pattern}")),
        }
    }
    let length = value.chars().count() as u64;
    if let Some(least) = parameter.min_length.filter(|least| length < *least) {
        return Some(format!("must contain at least {least} characters"));
    }
    parameter.max_length.filter(|most| length > *most).map(|most| format!("must contain at most {most} characters"))
}

fn same(parameter: &Parameter, allowed: &str, value: &str) -> bool {
    let number = matches!(parameter.kind, ParameterType::Number | ParameterType::ListOfNumbers);
    let numbers = || Some(allowed.trim().parse::<f64>().ok()? == value.trim().parse::<f64>().ok()?);
    allowed == value || number && numbers().unwrap_or(false)
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::{Values, reference, resolve};
    use crate::Template;

    const TEXT: &str = "
Parameters:
  Size: {Type: Number, MinValue: 2, MaxValue: 5.5, Default: 3}
  Mode: {Type: String, AllowedValues: [a, b]}
  Name: {Type: String, AllowedPattern: '[a-z]+', MinLength: 2, MaxLength: 4, Default: ab}
  Key: {Type: String, AllowedPattern: '[a-z]+', ConstraintDescription: only small letters, Default: ab, NoEcho: true}
  Nets: {Type: 'List<AWS::EC2::Subnet::Id>', Default: 'subnet-1, subnet-2'}
  Ports: {Type: 'List<Number>', Default: '1,2'}
  Empty: {Type: CommaDelimitedList, Default: ''}
Resources: {B: {Type: AWS::S3::Bucket}}
";

    fn given(values: &[(&str, &str)]) -> Values {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_not_given_takes_its_default_and_lists_are_lists() {
        let template = Template::parse(TEXT).unwrap();
        let values = resolve(&template, &given(&[("Mode", "b")])).unwrap();
        assert_eq!(values["Size"], "3");
        assert_eq!(reference(&template.parameters["Nets"], &values["Nets"]), json!(["subnet-1", "subnet-2"]));
        assert_eq!(reference(&template.parameters["Empty"], ""), json!([]));
        assert_eq!(reference(&template.parameters["Size"], "3"), json!("3"));
    }

    #[test]
    fn every_problem_is_reported_at_once_in_the_words_of_aws_and_without_values() {
        let template = Template::parse(TEXT).unwrap();
        let bad = [("Size", "6"), ("Name", "a"), ("Key", "S3cret"), ("Ports", "1,x"), ("Other", "1")];
        let expected = [
            "Parameters: [Mode] must have values",
            "Parameters: [Other] do not exist in the template",
            "Parameter 'Size' must be a number not greater than 5.5",
            "Parameter 'Name' must contain at least 2 characters",
            "Parameter Key failed to satisfy constraint: only small letters",
            "Parameter 'Ports' must be a number",
        ];
        assert_eq!(resolve(&template, &given(&bad)).unwrap_err(), expected);
        let bad = [("Size", "one"), ("Mode", "c"), ("Name", "ab1")];
        let expected = [
            "Parameter 'Size' must be a number",
            "Parameter 'Mode' must be one of AllowedValues",
            "Parameter 'Name' must match pattern [a-z]+",
        ];
        assert_eq!(resolve(&template, &given(&bad)).unwrap_err(), expected);
    }
}
