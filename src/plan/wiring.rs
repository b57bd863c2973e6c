//! Wiring by name: where each template parameter takes its value from. All problems are found at once.

use super::graph::{self, Cycle};
use super::names;
use crate::lab::Lab;
use crate::lab::model::Stack;
use crate::template::problem::nearest;
use crate::template::{Problem, model};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Where a template parameter takes its value from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Source {
    /// The lab's parameter of the same name.
    Lab,
    /// The same-named output of another stack.
    Output { stack: String },
    /// labctl itself.
    BuiltIn(BuiltIn),
    /// The template's own default.
    Default,
}

/// What labctl itself can say to a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum BuiltIn {
    LabName,
    LabEnv,
    ArtifactBucket,
    /// The processor that functions are built for.
    FunctionArchitecture,
    /// `<Function>CodeKey`.
    CodeKey {
        function: String,
    },
}

/// Stack → parameter → source, for every stack and parameter of a lab.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wiring {
    pub stacks: BTreeMap<String, BTreeMap<String, Source>>,
    /// Stacks in the order in which they can be made; ties are alphabetical.
    pub order: Vec<String>,
}

impl Wiring {
    /// Wires a lab. The errors are whole sentences with their places.
    pub fn of(lab: &Lab) -> Result<Wiring, Vec<String>> {
        let offers = Offers::of(lab);
        let mut problems = offers.problems(lab);
        let mut stacks = BTreeMap::new();
        for stack in &lab.stacks {
            let mut sources = BTreeMap::new();
            for (name, parameter) in &stack.template.parameters {
                match offers.choose(stack, name, parameter) {
                    Ok(source) => drop(sources.insert(name.clone(), source)),
                    Err(problem) => problems.push(format!("{}:{problem}", stack.file)),
                }
            }
            problems.extend(unsure(lab, stack, &sources));
            stacks.insert(stack.name.clone(), sources);
        }
        let mut wiring = Wiring { stacks, order: Vec::new() };
        match wiring.sorted() {
            Ok(order) => wiring.order = order,
            Err(cycle) => problems.push(format!("{}: stacks need each other's outputs in a circle: {cycle}", lab.file)),
        }
        if problems.is_empty() { Ok(wiring) } else { Err(problems) }
    }

    /// The stacks whose outputs a stack takes.
    pub fn needs(&self, stack: &str) -> BTreeSet<String> {
        let sources = self.stacks.get(stack).into_iter().flat_map(BTreeMap::values);
        sources
            .filter_map(|source| match source {
                Source::Output { stack } => Some(stack.clone()),
                Source::Lab | Source::BuiltIn(_) | Source::Default => None,
            })
            .collect()
    }

    /// The functions whose packages a stack takes.
    pub fn functions(&self, stack: &str) -> BTreeSet<String> {
        let sources = self.stacks.get(stack).into_iter().flat_map(BTreeMap::values);
        sources
            .filter_map(|source| match source {
                Source::BuiltIn(BuiltIn::CodeKey { function }) => Some(function.clone()),
                Source::Lab | Source::Output { .. } | Source::BuiltIn(_) | Source::Default => None,
            })
            .collect()
    }

    fn sorted(&self) -> Result<Vec<String>, Cycle> {
        graph::order(&self.stacks.keys().map(|stack| (stack.clone(), self.needs(stack))).collect())
    }
}

/// What a stack takes of one that is not there whenever it is.
fn unsure(lab: &Lab, stack: &Stack, sources: &BTreeMap<String, Source>) -> Vec<String> {
    let optional = &lab.manifest.optional;
    let condition = |stack: &str| optional.get(stack);
    let unsure = sources.iter().filter_map(|(name, source)| match source {
        Source::Output { stack: giver } if condition(giver).is_some() && condition(giver) != condition(&stack.name) => {
            Some(format!("{}: Parameters.{name}: stack `{giver}`, whose output it is, is not always there", stack.file))
        }
        Source::Output { .. } | Source::Lab | Source::BuiltIn(_) | Source::Default => None,
    });
    unsure.collect()
}

/// Everything that a template parameter could be wired to, by name.
struct Offers {
    lab: BTreeSet<String>,
    outputs: BTreeMap<String, BTreeSet<String>>,
    built_in: BTreeMap<String, BuiltIn>,
}

impl Offers {
    fn of(lab: &Lab) -> Self {
        let mut outputs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for stack in &lab.stacks {
            for output in stack.template.outputs.keys() {
                outputs.entry(output.clone()).or_default().insert(stack.name.clone());
            }
        }
        let mut built_in = BTreeMap::from([
            ("LabName".to_owned(), BuiltIn::LabName),
            ("LabEnv".to_owned(), BuiltIn::LabEnv),
            ("ArtifactBucket".to_owned(), BuiltIn::ArtifactBucket),
            ("FunctionArchitecture".to_owned(), BuiltIn::FunctionArchitecture),
        ]);
        for function in lab.manifest.functions.keys() {
            built_in.insert(names::code_key_parameter(function), BuiltIn::CodeKey { function: function.clone() });
        }
        Offers { lab: lab.manifest.parameters.keys().cloned().collect(), outputs, built_in }
    }

    /// What is wrong on the giving side: a lab parameter that nothing takes is a misspelt one.
    fn problems(&self, lab: &Lab) -> Vec<String> {
        let taken: BTreeSet<&str> =
            lab.stacks.iter().flat_map(|stack| stack.template.parameters.keys().map(String::as_str)).collect();
        let unused = lab.manifest.parameters.iter().filter(|(name, _)| !taken.contains(name.as_str()));
        unused
            .filter(|(name, _)| !lab.text.contains(&format!("${{{name}}}")))
            .map(|(name, parameter)| {
                let path = format!("parameters.{name}");
                let problem = Problem::new(parameter.at, path, "no template of the lab has a parameter of this name");
                format!("{}:{}", lab.file, problem.near(name, taken.iter().copied()))
            })
            .collect()
    }

    fn choose(&self, stack: &Stack, name: &str, parameter: &model::Parameter) -> Result<Source, Problem> {
        let mut candidates: Vec<(String, Source)> = Vec::new();
        if self.lab.contains(name) {
            candidates.push(("the lab's parameter".to_owned(), Source::Lab));
        }
        if let Some(built_in) = self.built_in.get(name) {
            candidates.push(("labctl's own value".to_owned(), Source::BuiltIn(built_in.clone())));
        }
        for giver in self.outputs.get(name).into_iter().flatten().filter(|giver| **giver != stack.name) {
            candidates.push((format!("the output of stack `{giver}`"), Source::Output { stack: giver.clone() }));
        }
        let path = format!("Parameters.{name}");
        match (candidates.len(), &parameter.default) {
            (1, _) => Ok(candidates.remove(0).1),
            (0, Some(_)) => Ok(Source::Default),
            (0, None) => Err(self.nothing(stack, name, Problem::new(parameter.at, path, ""))),
            _ => {
                let named: Vec<String> = candidates.into_iter().map(|(words, _)| words).collect();
                let what = format!("has more than one source: {}", named.join(" and "));
                Err(Problem::new(parameter.at, path, what))
            }
        }
    }

    fn nothing(&self, stack: &Stack, name: &str, problem: Problem) -> Problem {
        let outputs = self.outputs.iter().filter(|(_, givers)| givers.iter().any(|giver| *giver != stack.name));
        let known = outputs.map(|(output, _)| output).chain(&self.lab).chain(self.built_in.keys());
        let near = nearest(name, known.map(String::as_str)).map(str::to_owned);
        let what = "has no default, and no lab parameter, output of another stack or value of labctl has its name";
        Problem { what: what.to_owned(), near, ..problem }
    }
}
