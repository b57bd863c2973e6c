//! What the manifest and the SQL name of outputs and parameters, held to what there will be, before anything is made.

use super::outputs::API_KEY;
use super::steps::sql::files;
use crate::lab::Lab;
use crate::lab::model::{Action, HttpCheck, RequestBody};
use crate::sql;
use crate::template::{Position, Problem};
use std::collections::{BTreeMap, BTreeSet};

/// Names that stand for nothing, and outputs that the lab's steps need and no template has. The errors are whole sentences
/// with their places.
pub fn refused<'v>(lab: &Lab, values: impl Iterator<Item = (&'v String, &'v String)>) -> Vec<String> {
    let outputs: BTreeSet<&str> =
        lab.stacks.iter().flat_map(|stack| stack.template.outputs.keys().map(String::as_str)).collect();
    // An output's value is known later; that it can stand in a statement is looked at then.
    let later = outputs.iter().copied().chain(["LabName", "LabEnv"]).map(|name| (name.to_owned(), name.to_owned()));
    let parameters = lab.manifest.parameters.keys().map(|name| (name.clone(), name.clone()));
    let names: BTreeMap<String, String> =
        parameters.chain(values.map(|(name, value)| (name.clone(), value.clone()))).chain(later).collect();
    let mut problems = Vec::new();
    let mut told = |problem: Problem| problems.push(format!("{}:{problem}", lab.file));
    for data in &lab.manifest.data {
        unknown(&data.to, data.at, "data", &names).into_iter().for_each(&mut told);
    }
    let checks = lab.manifest.checks.iter().filter_map(|check| match &check.action {
        Action::Http(request) => Some((check.at, request, "checks")),
        Action::Sql(_) => None,
    });
    let load = lab.manifest.load.iter().flat_map(|load| {
        let requests = load.variants.iter().flat_map(|variant| &variant.requests);
        requests.map(|request| (load.at, &request.http, "load"))
    });
    let mut asked = checks.chain(load).peekable();
    if let Some((at, _, path)) = asked.peek().copied() {
        needs(&["ApiId", "ApiStage"], &outputs, at, path).into_iter().for_each(&mut told);
    }
    for (at, request, path) in asked {
        for text in texts(request) {
            unknown(text, at, path, &names).into_iter().for_each(&mut told);
        }
    }
    // Of these every name is known only when the lab is up; two of them are made of others.
    let mut shown = names.clone();
    shown.extend(["ApiUrl", API_KEY].map(|name| (name.to_owned(), name.to_owned())));
    for suggestion in &lab.manifest.suggestions {
        unknown(&suggestion.command, suggestion.at, "try", &shown).into_iter().for_each(&mut told);
    }
    if let Some(wanted) = &lab.manifest.sql {
        let stack = lab.stacks.iter().find(|stack| stack.name == wanted.cluster.name);
        let own = stack.into_iter().flat_map(|stack| stack.template.outputs.keys().map(String::as_str)).collect();
        needs(&["ClusterArn", "MasterSecretArn"], &own, wanted.cluster.at, "sql.cluster")
            .into_iter()
            .for_each(&mut told);
        let folder = &wanted.path;
        let files = files(lab).unwrap_or_default();
        problems.extend(sql::refused(&files, &names).into_iter().map(|problem| format!("{folder}/{problem}")));
    }
    problems
}

fn texts(request: &HttpCheck) -> impl Iterator<Item = &str> {
    let body = match &request.body {
        RequestBody::Text(text) => Some(text.as_str()),
        RequestBody::Empty | RequestBody::Json(_) => None,
    };
    [Some(request.path.as_str()), body].into_iter().flatten()
}

/// The names in `${…}` that nothing has.
fn unknown(text: &str, at: Position, path: &str, names: &BTreeMap<String, String>) -> Vec<Problem> {
    let written = text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let strange = written.filter(|name| !names.contains_key(*name));
    strange
        .map(|name| {
            let problem = Problem::new(at, path, format!("`${{{name}}}` is no output or parameter of the lab"));
            problem.near(name, names.keys().map(String::as_str))
        })
        .collect()
}

fn needs(wanted: &[&str], outputs: &BTreeSet<&str>, at: Position, path: &str) -> Vec<Problem> {
    let missing = wanted.iter().filter(|name| !outputs.contains(*name));
    missing
        .map(|name| {
            let problem = Problem::new(at, path, format!("no template gives it the output `{name}`"));
            problem.near(name, outputs.iter().copied())
        })
        .collect()
}
