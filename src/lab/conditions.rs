//! When something of a lab is there: what parameters must be (`when`) and must not be (`unless`).

use indexmap::IndexMap;

use crate::template::Problem;
use crate::template::reader::{Reader, join};
use crate::template::yaml::Node;

use super::model::{Lab, Parameter};
use super::parameters::{Values, canonical};

/// What parameters must be, each of them, and what none of them may be. An empty one holds always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    pub when: IndexMap<String, String>,
    pub unless: IndexMap<String, String>,
}

impl Condition {
    pub fn holds(&self, values: &Values) -> bool {
        let is = |(name, value): (&String, &String)| values.get(name) == Some(value);
        self.when.iter().all(is) && !self.unless.iter().any(is)
    }

    pub fn is_empty(&self) -> bool {
        self.when.is_empty() && self.unless.is_empty()
    }
}

impl Lab {
    /// Leaves out the stacks that are not wanted with these values of the parameters.
    pub fn choose(&mut self, values: &Values) {
        let optional = &self.manifest.optional;
        self.stacks.retain(|stack| optional.get(&stack.name).is_none_or(|condition| condition.holds(values)));
    }
}

/// Reads `when` and `unless` of a mapping; both may only name the lab's parameters and values that they can have.
pub(super) fn condition(
    reader: &mut Reader,
    path: &str,
    node: &Node,
    parameters: &IndexMap<String, Parameter>,
) -> Condition {
    let [when, unless] = ["when", "unless"].map(|key| pairs(reader, path, node, key, parameters));
    Condition { when, unless }
}

fn pairs(
    reader: &mut Reader,
    path: &str,
    node: &Node,
    key: &str,
    parameters: &IndexMap<String, Parameter>,
) -> IndexMap<String, String> {
    let Some(given) = node.get(key) else { return IndexMap::new() };
    let path = join(path, key);
    let mut pairs = IndexMap::new();
    for (name, entry) in reader.mapping_of(&path, given).into_iter().flatten() {
        let Some(parameter) = parameters.get(name) else {
            let problem = Problem::new(entry.at, path.clone(), format!("the lab has no parameter `{name}`"));
            reader.problems.push(problem.near(name, parameters.keys().map(String::as_str)));
            continue;
        };
        let Some(text) = reader.text(given, &path, name) else { continue };
        match canonical(&parameter.kind, &text) {
            Ok(value) => drop(pairs.insert(name.clone(), value)),
            Err(what) => reader.problem(entry.node.at, &path, format!("`{name}` {what}: {text}")),
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use crate::lab::parameters::Values;
    use crate::lab::validate::manifest;

    const TEXT: &str = "
lab: demo
description: a demo
parameters:
  Access: { type: choice, values: [closed, open], default: closed }
  User: { type: string, default: '' }
stacks:
  - network
  - { name: guests, when: { Access: open }, unless: { User: '' } }
try:
  - { about: look, unless: { Access: closed }, command: 'curl ${ApiUrl}' }
";

    #[test]
    fn a_stack_is_there_when_all_parameters_are_and_none_is_what_it_says() {
        let manifest = manifest(TEXT).unwrap();
        assert_eq!(manifest.stacks.iter().map(|stack| stack.name.as_str()).collect::<Vec<_>>(), ["network", "guests"]);
        let values = |access: &str, user: &str| {
            Values::from([("Access".to_owned(), access.to_owned()), ("User".to_owned(), user.to_owned())])
        };
        let guests = &manifest.optional["guests"];
        assert!(guests.holds(&values("open", "ada")));
        assert!(!guests.holds(&values("open", "")) && !guests.holds(&values("closed", "ada")));
        assert!(manifest.suggestions[0].condition.holds(&values("open", "")));
        assert!(!manifest.optional.contains_key("network"));
    }

    #[test]
    fn a_condition_on_what_is_not_there_or_cannot_be_is_refused() {
        let text = TEXT
            .replace("Access: open }, unless", "Acces: open }, unles")
            .replace("Access: closed }", "Access: shut }");
        let problems: Vec<String> = manifest(&text).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "9:29: stacks.1.when: the lab has no parameter `Acces` (did you mean `Access`?)",
                "9:44: stacks.1: unknown key of a stack `unles` (did you mean `unless`?)",
                "11:38: try.0.unless: `Access` must be one of closed, open: shut",
            ]
        );
    }
}
