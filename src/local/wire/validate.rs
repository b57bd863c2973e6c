//! What the model demands of an input: required members, lengths, ranges, patterns and enumerations, in AWS's words.

use serde_json::Value;

use super::form::shortened;
use super::model::{Kind, Model, Operation, Protocol, Shape, ShapeId, Structure};
use crate::fault::Fault;

/// How many problems of one request are told.
const MOST_PROBLEMS: usize = 10;

/// Checks `input` (already typed) against the model.
pub(super) fn check(model: &Model, operation: &Operation, input: &Value) -> Result<(), Fault> {
    let Some(structure) = model.structure(operation.input) else { return Ok(()) };
    let mut checker = Checker { model, words: Words::of(model), problems: Vec::new() };
    checker.structure(structure, input, &Place { parent: None, step: Step::Root });
    if checker.problems.is_empty() { Ok(()) } else { Err(checker.fault()) }
}

/// The code with which a service answers an input that its model forbids.
fn code(model: &Model) -> &'static str {
    match (model.service, model.protocol) {
        ("logs", _) => "InvalidParameterException",
        ("apigateway" | "apigatewayv2", _) => "BadRequestException",
        ("rds" | "elasticache", _) | (_, Protocol::Ec2) => "InvalidParameterValue",
        (_, Protocol::Query) => "ValidationError",
        (_, Protocol::Json | Protocol::RestJson | Protocol::RestXml) => "ValidationException",
    }
}

/// A member that the model does not have, with the nearest that it has.
pub(super) fn unknown<'k>(model: &Model, place: &str, name: &str, known: impl Iterator<Item = &'k str>) -> Fault {
    let near = known
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, _)| *distance < 4)
        .min();
    let hint = near.map(|(_, known)| format!(" Did you mean {known}?")).unwrap_or_default();
    let message = format!("Unknown parameter {} in {}.{hint}", shortened(name), shortened(place));
    let code = match code(model) {
        "InvalidParameterValue" => "InvalidParameter",
        code => code,
    };
    Fault::new(code, message).status(400)
}

/// The two ways in which services put it.
#[derive(Clone, Copy, PartialEq)]
enum Words {
    /// `1 validation error detected: Value … at … failed to satisfy constraint: …`
    Constraints,
    /// `The request must contain the parameter …`; such services check values by themselves.
    Parameters,
}

impl Words {
    fn of(model: &Model) -> Self {
        match code(model) {
            "InvalidParameterValue" => Words::Parameters,
            _ => Words::Constraints,
        }
    }
}

/// Where in the input we are: told in errors only, so it costs nothing until then.
struct Place<'p> {
    parent: Option<&'p Place<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Member(&'p str),
    Item(usize),
    Key(&'p str),
}

impl Place<'_> {
    fn path(&self, words: Words) -> String {
        let mut path = self.parent.map(|parent| parent.path(words)).unwrap_or_default();
        if !path.is_empty() && !matches!(self.step, Step::Root) {
            path.push('.');
        }
        match self.step {
            Step::Root => {}
            Step::Member(name) if words == Words::Parameters => path.push_str(name),
            Step::Member(name) => {
                let mut letters = name.chars();
                path.extend(letters.next().map(|first| first.to_ascii_lowercase()));
                path.push_str(letters.as_str());
            }
            Step::Item(index) => path.push_str(&format!("{}.member", index + 1)),
            Step::Key(key) => path.push_str(&shortened(key)),
        }
        path
    }
}

enum Problem {
    Missing(String),
    /// What does not hold, ready to be told.
    Broken {
        path: String,
        value: String,
        constraint: String,
    },
}

struct Checker<'m> {
    model: &'m Model,
    words: Words,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn structure(&mut self, structure: &Structure, value: &Value, place: &Place<'_>) {
        let Some(object) = value.as_object() else { return };
        for (name, member) in &structure.members {
            let place = Place { parent: Some(place), step: Step::Member(name) };
            match object.get(*name) {
                Some(value) => self.value(member.shape, value, &place),
                // The payload travels beside the input.
                None if member.required && structure.payload != Some(name) => {
                    self.problems.push(Problem::Missing(place.path(self.words)));
                }
                None => {}
            }
        }
        if structure.union && object.len() != 1 {
            self.broken(place, value, true, || "Member must have exactly one of its members set".to_owned());
        }
    }

    fn value(&mut self, id: ShapeId, value: &Value, place: &Place<'_>) {
        if self.problems.len() >= MOST_PROBLEMS {
            return;
        }
        let shape = self.model.shape(id);
        match (&shape.kind, value) {
            (Kind::Structure(structure), _) => self.structure(structure, value, place),
            (Kind::List(element), Value::Array(items)) => {
                self.length(shape, items.len(), value, place);
                for (index, item) in items.iter().enumerate() {
                    self.value(element.shape, item, &Place { parent: Some(place), step: Step::Item(index) });
                }
            }
            (Kind::Map { key, value: held, .. }, Value::Object(entries)) => {
                self.length(shape, entries.len(), value, place);
                for (name, item) in entries {
                    let place = Place { parent: Some(place), step: Step::Key(name) };
                    self.text(self.model.shape(key.shape), name, &place);
                    self.value(held.shape, item, &place);
                }
            }
            (Kind::Text, Value::String(text)) => self.text(shape, text, place),
            (Kind::Integer | Kind::Float, Value::Number(number)) => {
                self.range(shape, number.as_f64().unwrap_or(0.0), value, place)
            }
            (Kind::Blob, Value::String(text)) => {
                let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
                self.length(shape, (text.len() / 4 * 3).saturating_sub(padding), value, place);
            }
            _ => {}
        }
    }

    fn text(&mut self, shape: &Shape, text: &str, place: &Place<'_>) {
        let value = || Value::String(text.to_owned());
        if !shape.values.is_empty() && !shape.values.iter().any(|known| known == text) {
            let known = || format!("Member must satisfy enum value set: [{}]", shape.values.join(", "));
            self.broken(place, &value(), shape.sensitive, known);
        }
        if shape.min.is_some() || shape.max.is_some() {
            let length = if text.is_ascii() { text.len() } else { text.chars().count() };
            if out_of_bounds(shape, length).is_some() {
                self.length(shape, length, &value(), place);
            }
        }
        if let Some(pattern) = shape.pattern.as_ref().filter(|_| self.words == Words::Constraints)
            && !pattern.matches(text)
        {
            let rule = || format!("Member must satisfy regular expression pattern: {}", pattern.text);
            self.broken(place, &value(), shape.sensitive, rule);
        }
    }

    fn length(&mut self, shape: &Shape, length: usize, value: &Value, place: &Place<'_>) {
        if let Some((word, bound)) = out_of_bounds(shape, length) {
            self.broken(place, value, shape.sensitive, || {
                format!("Member must have length {word} than or equal to {bound}")
            });
        }
    }

    fn range(&mut self, shape: &Shape, number: f64, value: &Value, place: &Place<'_>) {
        let beyond = match (shape.min, shape.max) {
            (Some(min), _) if number < min => Some(("greater", min)),
            (_, Some(max)) if number > max => Some(("less", max)),
            _ => None,
        };
        if let Some((word, bound)) = beyond {
            self.broken(place, value, shape.sensitive, || {
                format!("Member must have value {word} than or equal to {bound}")
            });
        }
    }

    fn broken(&mut self, place: &Place<'_>, value: &Value, sensitive: bool, constraint: impl FnOnce() -> String) {
        let shown = match value {
            _ if sensitive => String::new(),
            Value::String(text) => format!(" '{}'", shortened(text)),
            Value::Array(_) | Value::Object(_) => String::new(),
            other => format!(" '{other}'"),
        };
        self.problems.push(Problem::Broken { path: place.path(self.words), value: shown, constraint: constraint() });
    }

    fn fault(&self) -> Fault {
        if self.words == Words::Parameters {
            return match &self.problems[0] {
                Problem::Missing(path) => {
                    Fault::new("MissingParameter", format!("The request must contain the parameter {path}")).status(400)
                }
                Problem::Broken { path, value, constraint } => Fault::new(
                    "InvalidParameterValue",
                    format!("Invalid value{value} for parameter {path}. {constraint}"),
                )
                .status(400),
            };
        }
        let told = self.problems.iter().map(|problem| match problem {
            Problem::Missing(path) => {
                format!("Value null at '{path}' failed to satisfy constraint: Member must not be null")
            }
            Problem::Broken { path, value, constraint } => {
                format!("Value{value} at '{path}' failed to satisfy constraint: {constraint}")
            }
        });
        let told: Vec<_> = told.collect();
        let errors = if told.len() == 1 { "error" } else { "errors" };
        let message = format!("{} validation {errors} detected: {}", told.len(), told.join("; "));
        Fault::new(code(self.model), message).status(400)
    }
}

fn out_of_bounds(shape: &Shape, length: usize) -> Option<(&'static str, f64)> {
    #[expect(clippy::cast_precision_loss, reason = "no request is 2^53 long")]
    let length = length as f64;
    match (shape.min, shape.max) {
        (Some(min), _) if length < min => Some(("greater", min)),
        (_, Some(max)) if length > max => Some(("less", max)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {

    use serde_json::json;

    use super::*;
    use crate::wire::model::model;

    fn message(service: &str, operation: &str, input: &Value) -> String {
        let model = model(service).unwrap();
        check(model, model.operation(operation).unwrap(), input).unwrap_err().to_string()
    }

    #[test]
    fn every_problem_is_told_in_the_services_words() {
        assert_eq!(
            message(
                "iam",
                "CreateRole",
                &json!({"RoleName": "a b", "AssumeRolePolicyDocument": "{}", "MaxSessionDuration": 1})
            ),
            "ValidationError: 2 validation errors detected: Value 'a b' at 'roleName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\w+=,.@-]+; Value '1' at 'maxSessionDuration' failed to satisfy constraint: \
             Member must have value greater than or equal to 3600"
        );
        assert_eq!(
            message("secretsmanager", "GetSecretValue", &json!({})),
            "ValidationException: 1 validation error detected: Value null at 'secretId' failed to satisfy constraint: Member must not be null"
        );
        assert_eq!(
            message("rds", "CreateDBCluster", &json!({"Engine": "x"})),
            "MissingParameter: The request must contain the parameter DBClusterIdentifier"
        );
    }

    #[test]
    fn a_sensitive_value_is_not_repeated() {
        let long = "s".repeat(70_000);
        let told = message("secretsmanager", "PutSecretValue", &json!({"SecretId": "x", "SecretString": long}));
        assert!(told.contains("'secretString'") && !told.contains("sss"), "{}", told.len());
    }

    #[test]
    fn elements_are_named_by_their_place() {
        let told =
            message("iam", "TagRole", &json!({"RoleName": "r", "Tags": [{"Key": "a", "Value": "b"}, {"Key": ""}]}));
        assert!(told.contains("'tags.2.member.key'") && told.contains("'tags.2.member.value'"), "{told}");
    }
}
