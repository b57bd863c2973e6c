//! `--set Name=value`: values typed and bounded by the manifest, all problems at once.

use indexmap::IndexMap;
use regex::Regex;

use crate::template::problem::nearest;

use super::model::{Manifest, Parameter, ParameterKind};

/// The value of every parameter of the manifest, as text.
pub type Values = IndexMap<String, String>;

/// Gives every parameter its value from `--set` arguments (`Name=value`) and defaults. The errors are whole sentences with near misses.
pub fn resolve(manifest: &Manifest, given: &[String]) -> Result<Values, Vec<String>> {
    let mut problems = Vec::new();
    let mut set = Values::new();
    for argument in given {
        let Some((name, value)) = argument.split_once('=') else {
            problems.push(format!("`--set {argument}` has no `=`: write --set Name=value"));
            continue;
        };
        match manifest.parameters.get(name) {
            None => problems.push(unknown(manifest, name)),
            Some(_) if set.contains_key(name) => problems.push(format!("`{name}` is set twice")),
            Some(parameter) => match canonical(&parameter.kind, value) {
                Ok(value) => drop(set.insert(name.to_owned(), value)),
                Err(what) => problems.push(format!("`{name}` {what}: {value}")),
            },
        }
    }
    let mut values = Values::new();
    for (name, Parameter { default, .. }) in &manifest.parameters {
        match set.shift_remove(name).or_else(|| default.clone()) {
            Some(value) => drop(values.insert(name.clone(), value)),
            None if problems.is_empty() => {
                problems.push(format!("`{name}` has no default and needs a value: --set {name}=…"))
            }
            None => {}
        }
    }
    if problems.is_empty() {
        problems.extend(manifest.parameters.iter().filter_map(|(name, parameter)| too_great(name, parameter, &values)));
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

/// What is wrong with a number that must not be greater than another's.
fn too_great(name: &str, parameter: &Parameter, values: &Values) -> Option<String> {
    let number = |name: &str| values.get(name)?.parse::<f64>().ok();
    let most = parameter.at_most.as_deref()?;
    let (value, limit) = (number(name)?, number(most)?);
    (value > limit).then(|| format!("`{name}` must be at most `{most}`, which is {limit}: {value}"))
}

fn unknown(manifest: &Manifest, name: &str) -> String {
    let known = || manifest.parameters.keys().map(String::as_str);
    match nearest(name, known()) {
        Some(near) => format!("the lab `{}` has no parameter `{name}` (did you mean `{near}`?)", manifest.lab),
        None if manifest.parameters.is_empty() => {
            format!("the lab `{}` has no parameters; `{name}` cannot be set", manifest.lab)
        }
        None => format!(
            "the lab `{}` has no parameter `{name}`; it has: {}",
            manifest.lab,
            known().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The value in the form in which templates get it, or what is wrong with it (the words after the parameter's name).
pub(super) fn canonical(kind: &ParameterKind, value: &str) -> Result<String, String> {
    match kind {
        ParameterKind::String { min, max, pattern } => {
            let length = value.chars().count() as u64;
            bounded(length, *min, *max).map_err(|bounds| format!("must have {bounds} characters"))?;
            if let Some(pattern) = pattern {
                // The manifest's reader has compiled it once.
                let regex =
                    Regex::new(&format!("^(?:{pattern})$")).map_err(|error| format!("has a bad pattern ({error})"))?;
                if !regex.is_match(value) {
                    return Err(format!("must match {pattern}"));
                }
            }
            Ok(value.to_owned())
        }
        ParameterKind::Integer { min, max } => {
            let number: i64 = value.trim().parse().map_err(|_| "must be an integer".to_owned())?;
            bounded(number, *min, *max).map_err(|bounds| format!("must be {bounds}"))?;
            Ok(number.to_string())
        }
        ParameterKind::Number { min, max, step } => {
            let number = value.trim().parse().ok().filter(|number: &f64| number.is_finite());
            let number = number.ok_or_else(|| "must be a number".to_owned())?;
            bounded(number, *min, *max).map_err(|bounds| format!("must be {bounds}"))?;
            match step {
                Some(step) if (number / step).fract() != 0.0 => Err(format!("must be a multiple of {step}")),
                _ => Ok(number.to_string()),
            }
        }
        ParameterKind::Boolean => match value {
            "true" | "false" => Ok(value.to_owned()),
            _ => Err("must be true or false".to_owned()),
        },
        ParameterKind::Choice { values } if values.iter().any(|choice| choice == value) => Ok(value.to_owned()),
        ParameterKind::Choice { values } => {
            let near = nearest(value, values.iter().map(String::as_str));
            let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
            Err(format!("must be one of {}{near}", values.join(", ")))
        }
    }
}

fn bounded<T: PartialOrd + std::fmt::Display>(value: T, min: Option<T>, max: Option<T>) -> Result<(), String> {
    let within = min.as_ref().is_none_or(|min| value >= *min) && max.as_ref().is_none_or(|max| value <= *max);
    match (min, max) {
        _ if within => Ok(()),
        (Some(min), Some(max)) => Err(format!("from {min} to {max}")),
        (Some(min), None) => Err(format!("at least {min}")),
        (_, Some(max)) => Err(format!("at most {max}")),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {

    use super::resolve;
    use crate::lab::validate::manifest;

    const TEXT: &str = "
lab: demo
description: a demo
stacks: [network]
parameters:
  ApiAccess: { type: choice, values: [api-key, public], default: api-key }
  Ttl: { type: integer, min: 1, max: 60, default: 5 }
  Share: { type: number, min: 0, max: 1, step: 0.25, default: 0.5, at_most: Ttl }
  Loud: { type: boolean, default: false }
  Name: { type: string, min: 2, max: 5, pattern: '[a-z]+', default: abc }
";

    fn set(arguments: &[&str]) -> Result<Vec<String>, Vec<String>> {
        let given: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        resolve(&manifest(TEXT).unwrap(), &given).map(|values| values.into_values().collect())
    }

    #[test]
    fn values_are_defaults_unless_set_and_written_in_one_way() {
        assert_eq!(set(&[]).unwrap(), ["api-key", "5", "0.5", "false", "abc"]);
        let given = ["Ttl=+7", "Share=1.0", "Loud=true", "Name=xy", "ApiAccess=public"];
        assert_eq!(set(&given).unwrap(), ["public", "7", "1", "true", "xy"]);
    }

    #[test]
    fn every_bad_value_is_named_with_what_would_be_good() {
        let given = ["Tll=1", "Ttl=61", "Share=nan", "Loud=yes", "Name=a", "ApiAccess=pubic", "what", "Ttl=x"];
        let expected = [
            "the lab `demo` has no parameter `Tll` (did you mean `Ttl`?)",
            "`Ttl` must be from 1 to 60: 61",
            "`Share` must be a number: nan",
            "`Loud` must be true or false: yes",
            "`Name` must have from 2 to 5 characters: a",
            "`ApiAccess` must be one of api-key, public (did you mean `public`?): pubic",
            "`--set what` has no `=`: write --set Name=value",
            "`Ttl` must be an integer: x",
        ];
        let small = TEXT.replace("min: 1, max: 60, default: 5", "min: 0, max: 60, default: 0");
        let refused = resolve(&manifest(&small).unwrap(), &[]).unwrap_err();
        assert_eq!(refused, ["`Share` must be at most `Ttl`, which is 0: 0.5"]);
        assert_eq!(set(&["Share=0.3"]).unwrap_err(), ["`Share` must be a multiple of 0.25: 0.3"]);
        assert_eq!(set(&given).unwrap_err(), expected);
        assert_eq!(set(&["Ttl=1", "Ttl=2"]).unwrap_err(), ["`Ttl` is set twice"]);
        assert!(set(&["Other=1"]).unwrap_err()[0].ends_with("it has: ApiAccess, Ttl, Share, Loud, Name"));
    }
}
