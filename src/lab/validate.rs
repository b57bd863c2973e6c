//! The manifest's text into types: every unknown key, wrong type and wrong value, each with its place and the near miss.

use indexmap::IndexMap;
use regex::Regex;

use crate::template::problem::sorted;
use crate::template::reader::{Named, Reader, join};
use crate::template::yaml::{self, Entry, Node};
use crate::template::{Position, Problem};

use super::checks;
use super::conditions::{Condition, condition};
use super::model::{Data, Function, Manifest, Parameter, ParameterKind, Sql, Suggestion};
use super::parameters::canonical;
use super::{queries, traffic};

const KEYS: &[&str] = &[
    "lab",
    "description",
    "parameters",
    "stacks",
    "functions",
    "data",
    "sql",
    "queries",
    "watch",
    "checks",
    "cleanup",
    "load",
    "try",
];
const TYPES: &[&str] = &["string", "integer", "number", "boolean", "choice"];
/// A lab's name is part of every name that labctl gives, and some of those are short.
const MAX_NAME: usize = 30;

/// Reads `lab.yaml`.
pub fn manifest(text: &str) -> Result<Manifest, Vec<Problem>> {
    match read(text) {
        (Some(manifest), problems) if problems.is_empty() => Ok(manifest),
        (_, problems) => Err(problems),
    }
}

/// Reads as much of `lab.yaml` as can be read: with problems, what they are about is left out of the manifest. None of a
/// text that is not YAML.
pub(super) fn read(text: &str) -> (Option<Manifest>, Vec<Problem>) {
    let (document, mut problems) = yaml::read(text);
    let Some(document) = document else { return (None, problems) };
    let mut reader = Reader::default();
    let manifest = whole(&mut reader, &document);
    problems.append(&mut reader.problems);
    (Some(manifest), sorted(problems))
}

fn whole(reader: &mut Reader, document: &Node) -> Manifest {
    reader.mapping_of("", document);
    reader.known_keys(document, "", "key", KEYS);
    let lab = required(reader, document, "", "lab").unwrap_or_default();
    if !lab.is_empty() && !is_name(&lab) {
        reader.problem(at(document, "lab"), "lab", format!("`{lab}` is no lab name: {}", name_rule()));
    }
    let description = required(reader, document, "", "description").unwrap_or_default();
    let parameters = entries(reader, document, "parameters", parameter);
    for (name, Parameter { at, at_most, .. }) in &parameters {
        let is_number =
            |kind: &ParameterKind| matches!(kind, ParameterKind::Integer { .. } | ParameterKind::Number { .. });
        if let Some(most) = at_most
            && !parameters.get(most).is_some_and(|other| is_number(&other.kind))
        {
            let path = join(&join("parameters", name), "at_most");
            reader.problem(*at, &path, format!("there is no parameter `{most}` that is a number"));
        }
    }
    let (stacks, optional) = stacks(reader, document, &parameters);
    let sql = document.get("sql").and_then(|node| sql(reader, node, &stacks));
    let queries = entries(reader, document, "queries", queries::query);
    if document.get("sql").is_none() {
        queries::need_sql(reader, &queries);
    }
    Manifest {
        lab,
        description,
        functions: entries(reader, document, "functions", function),
        data: items(reader, document, "data", data),
        sql,
        watch: document.get("watch").and_then(|node| queries::watch(reader, node, &queries)),
        queries,
        checks: items(reader, document, "checks", checks::check),
        cleanup: checks::cleanup(reader, document),
        load: document.get("load").and_then(|node| traffic::load(reader, node)),
        suggestions: items(reader, document, "try", |reader, path, node| suggestion(reader, path, node, &parameters)),
        parameters,
        stacks,
        optional,
    }
}

fn name_rule() -> String {
    format!("small letters, digits and hyphens, a letter first, at most {MAX_NAME} characters")
}

pub(super) fn is_name(name: &str) -> bool {
    let signs = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    signs && name.len() <= MAX_NAME && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Where a key's value stands, or the mapping that lacks it.
pub(super) fn at(node: &Node, key: &str) -> Position {
    node.get(key).map_or(node.at, |value| value.at)
}

pub(super) fn required(reader: &mut Reader, node: &Node, path: &str, key: &str) -> Option<String> {
    if node.get(key).is_none() && node.as_map().is_some() {
        reader.problem(node.at, path, format!("`{key}` is missing"));
    }
    reader.text(node, path, key)
}

fn entries<T>(
    reader: &mut Reader,
    document: &Node,
    section: &str,
    read: impl Fn(&mut Reader, &str, &str, &Entry) -> Option<T>,
) -> IndexMap<String, T> {
    document.get(section).map(|node| entries_of(reader, section, node, read)).unwrap_or_default()
}

/// The entries of a mapping that can be read.
pub(super) fn entries_of<T>(
    reader: &mut Reader,
    section: &str,
    node: &Node,
    read: impl Fn(&mut Reader, &str, &str, &Entry) -> Option<T>,
) -> IndexMap<String, T> {
    let mut found = IndexMap::new();
    for (name, entry) in reader.mapping_of(section, node).into_iter().flatten() {
        let path = join(section, name);
        if reader.mapping_of(&path, &entry.node).is_some() {
            found.extend(read(reader, &path, name, entry).map(|value| (name.clone(), value)));
        }
    }
    found
}

fn items<T>(
    reader: &mut Reader,
    document: &Node,
    section: &str,
    read: impl Fn(&mut Reader, &str, &Node) -> Option<T>,
) -> Vec<T> {
    let Some(node) = document.get(section) else { return Vec::new() };
    let Some(list) = node.as_list() else {
        reader.problem(node.at, section, format!("must be a list, not {}", node.kind()));
        return Vec::new();
    };
    let mut found = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        let path = join(section, &index.to_string());
        if reader.mapping_of(&path, item).is_some() {
            found.extend(read(reader, &path, item));
        }
    }
    found
}

/// A stack is a name, or a mapping with its name and its condition.
fn stacks(
    reader: &mut Reader,
    document: &Node,
    parameters: &IndexMap<String, Parameter>,
) -> (Vec<Named>, IndexMap<String, Condition>) {
    let (mut names, mut optional) = (Vec::new(), IndexMap::new());
    let found = document.get("stacks");
    let items = found.map(|found| found.as_list().unwrap_or(std::slice::from_ref(found))).unwrap_or_default();
    for (index, item) in items.iter().enumerate() {
        let path = join("stacks", &index.to_string());
        if item.as_map().is_some() {
            reader.known_keys(item, &path, "key of a stack", &["name", "when", "unless"]);
            let condition = condition(reader, &path, item, parameters);
            if let Some(name) = required(reader, item, &path, "name") {
                names.push(Named { name: name.clone(), at: at(item, "name") });
                optional.extend((!condition.is_empty()).then_some((name, condition)));
            }
        } else if let Some(name) = item.as_str() {
            names.push(Named { name: name.to_owned(), at: item.at });
        } else {
            reader.problem(item.at, "stacks", format!("must be a name, not {}", item.kind()));
        }
    }
    if names.is_empty() {
        reader.problem(at(document, "stacks"), "stacks", "a lab needs at least one stack");
    }
    for (index, stack) in names.iter().enumerate() {
        if !is_name(&stack.name) {
            reader.problem(stack.at, "stacks", format!("`{}` is no stack name: {}", stack.name, name_rule()));
        }
        if names[..index].iter().any(|earlier| earlier.name == stack.name) {
            reader.problem(stack.at, "stacks", format!("the stack `{}` is there twice", stack.name));
        }
    }
    // Only a name makes a file name that stays in its folder.
    names.retain(|stack| is_name(&stack.name));
    (names, optional)
}

fn suggestion(
    reader: &mut Reader,
    path: &str,
    node: &Node,
    parameters: &IndexMap<String, Parameter>,
) -> Option<Suggestion> {
    reader.known_keys(node, path, "key of a suggestion", &["about", "command", "when", "unless"]);
    let condition = condition(reader, path, node, parameters);
    let about = required(reader, node, path, "about");
    let command = required(reader, node, path, "command");
    Some(Suggestion { at: node.at, about: about?, command: command?, condition })
}

fn parameter(reader: &mut Reader, path: &str, name: &str, entry: &Entry) -> Option<Parameter> {
    let node = &entry.node;
    if !name.bytes().all(|b| b.is_ascii_alphanumeric()) || name.is_empty() {
        reader.problem(entry.at, path, "a parameter's name is letters and digits, as in a template");
    }
    let kind = required(reader, node, path, "type")?;
    let own: &[&str] = match kind.as_str() {
        "string" => &["min", "max", "pattern"],
        "integer" => &["min", "max", "at_most"],
        "number" => &["min", "max", "step", "at_most"],
        "choice" => &["values"],
        "boolean" => &[],
        _ => {
            let problem = Problem::new(at(node, "type"), join(path, "type"), format!("unknown type `{kind}`"));
            reader.problems.push(problem.near(&kind, TYPES.iter().copied()));
            return None;
        }
    };
    let known: Vec<&str> = ["type", "default", "description"].iter().chain(own).copied().collect();
    reader.known_keys(node, path, &format!("key of a parameter of type {kind}"), &known);
    let kind = self::kind(reader, node, path, &kind);
    let default = reader.text(node, path, "default").and_then(|value| match canonical(&kind, &value) {
        Ok(value) => Some(value),
        Err(what) => {
            reader.problem(at(node, "default"), &join(path, "default"), format!("{what}: {value}"));
            None
        }
    });
    let at_most = reader.text(node, path, "at_most");
    Some(Parameter { at: entry.at, kind, default, at_most, description: reader.text(node, path, "description") })
}

/// What a type's further keys say.
pub(super) fn kind(reader: &mut Reader, node: &Node, path: &str, name: &str) -> ParameterKind {
    match name {
        "string" => {
            let (min, max) = bounds(reader, node, path);
            ParameterKind::String { min, max, pattern: pattern(reader, node, path) }
        }
        "integer" => {
            let (min, max) = bounds(reader, node, path);
            ParameterKind::Integer { min, max }
        }
        "number" => {
            let (min, max) = bounds(reader, node, path);
            let step = reader.number(node, path, "step").filter(|step: &f64| *step > 0.0);
            ParameterKind::Number { min, max, step }
        }
        "choice" => ParameterKind::Choice { values: choices(reader, node, path) },
        _ => ParameterKind::Boolean,
    }
}

fn bounds<T: std::str::FromStr + PartialOrd>(reader: &mut Reader, node: &Node, path: &str) -> (Option<T>, Option<T>) {
    let (min, max) = (reader.number(node, path, "min"), reader.number(node, path, "max"));
    if let (Some(least), Some(most)) = (&min, &max)
        && least > most
    {
        reader.problem(at(node, "max"), &join(path, "max"), "is less than `min`");
    }
    (min, max)
}

fn pattern(reader: &mut Reader, node: &Node, path: &str) -> Option<String> {
    let pattern = reader.text(node, path, "pattern")?;
    if let Err(error) = Regex::new(&pattern) {
        let line = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
        reader.problem(at(node, "pattern"), &join(path, "pattern"), format!("no regular expression: {line}"));
        return None;
    }
    Some(pattern)
}

fn choices(reader: &mut Reader, node: &Node, path: &str) -> Vec<String> {
    let list = node.get("values").and_then(Node::as_list).unwrap_or_default();
    if list.is_empty() {
        reader.problem(at(node, "values"), path, "`values` must be a list of at least one choice");
    }
    let mut values = Vec::with_capacity(list.len());
    for item in list {
        match item.scalar_text() {
            Some(text) => values.push(text),
            None => reader.problem(item.at, &join(path, "values"), format!("must be strings, not {}", item.kind())),
        }
    }
    values
}

fn function(reader: &mut Reader, path: &str, name: &str, entry: &Entry) -> Option<Function> {
    let node = &entry.node;
    reader.known_keys(node, path, "key of a function", &["crate", "handler"]);
    let crate_name = reader.text(node, path, "crate").unwrap_or_else(|| name.to_owned());
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !crate_name.chars().all(good) || crate_name.is_empty() {
        reader.problem(at(node, "crate"), &join(path, "crate"), format!("`{crate_name}` is no crate name"));
        return None;
    }
    Some(Function {
        at: entry.at,
        crate_name,
        handler: reader.text(node, path, "handler").unwrap_or_else(|| "bootstrap".to_owned()),
    })
}

/// Paths stay beside the manifest: nothing of the user's is uploaded by a manifest that came from elsewhere.
pub(super) fn inside(reader: &mut Reader, node: &Node, path: &str, key: &str) -> Option<String> {
    let file = required(reader, node, path, key)?;
    if file.starts_with('/') || file.split('/').any(|step| step == ".." || step.is_empty()) {
        reader.problem(at(node, key), &join(path, key), "must be a path beside the manifest, without `..`");
        return None;
    }
    Some(file)
}

fn data(reader: &mut Reader, path: &str, node: &Node) -> Option<Data> {
    reader.known_keys(node, path, "key of a data file", &["file", "to"]);
    let (file, to) = (inside(reader, node, path, "file"), required(reader, node, path, "to")?);
    let key = to.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    if key.is_none_or(|(bucket, key)| bucket.is_empty() || key.is_empty()) {
        reader.problem(
            at(node, "to"),
            &join(path, "to"),
            "must be `s3://<bucket>/<key>`, such as s3://${LabBucket}/heroes.csv",
        );
    }
    Some(Data { at: node.at, file: file?, to })
}

fn sql(reader: &mut Reader, node: &Node, stacks: &[Named]) -> Option<Sql> {
    reader.mapping_of("sql", node)?;
    reader.known_keys(node, "sql", "key of `sql`", &["path", "cluster"]);
    let path = inside(reader, node, "sql", "path");
    let cluster = required(reader, node, "sql", "cluster")?;
    let place = at(node, "cluster");
    if !stacks.iter().any(|stack| stack.name == cluster) {
        let problem = Problem::new(place, "sql.cluster", format!("`{cluster}` is no stack of this lab"));
        reader.problems.push(problem.near(&cluster, stacks.iter().map(|stack| stack.name.as_str())));
    }
    Some(Sql { at: node.at, path: path?, cluster: Named { name: cluster, at: place } })
}

#[cfg(test)]
mod tests {

    use regex::Regex;

    use super::{MAX_NAME, manifest};
    use crate::lab::builtin;
    use crate::lab::model::{Action, ParameterKind};
    use crate::template::{Template, parameters};

    #[test]
    fn the_built_in_manifests_are_read() {
        for lab in builtin::labs() {
            let text = builtin::file(&format!("examples/{lab}/lab.yaml")).unwrap();
            let manifest = manifest(std::str::from_utf8(text).unwrap()).unwrap();
            assert_eq!(manifest.lab, lab);
            assert!(!manifest.checks.is_empty());
        }
    }

    #[test]
    fn what_is_a_lab_name_is_one_for_every_template() {
        let longest = "a".repeat(MAX_NAME);
        for (file, text) in builtin::folder("templates") {
            let template = Template::parse(std::str::from_utf8(text).unwrap()).unwrap();
            let Some(parameter) = template.parameters.get("LabName") else { continue };
            assert_eq!(parameters::check("LabName", parameter, &longest), None, "{file}");
            if file.ends_with("/network.yaml") {
                assert!(parameters::check("LabName", parameter, &format!("{longest}a")).is_some(), "{file}");
            }
        }
    }

    #[test]
    fn a_load_refuses_what_it_would_not_send_or_look_at() {
        let text = "
lab: demo
description: a demo
stacks: [network]
load:
  variants:
    - name: one
      http: { body: text, repeat: 3 }
      expect: { status: 200, headers: { X-A: b } }
";
        let problems = manifest(text).unwrap_err();
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "8:21: load.variants.0.http.body: has no use in a load: a load sends `json`",
                "8:35: load.variants.0.http.repeat: has no use in a load: how many are sent is said by `labctl load --requests`",
                "9:39: load.variants.0.expect.headers: has no use in a load: a load looks at status and body only",
            ]
        );
    }

    #[test]
    fn the_guide_has_every_key() {
        let guide = include_str!("../../docs/guide/manifest.md");
        let lists = Regex::new(r#"&\[\s*("[a-z_]+"(?:,\s*"[a-z_]+")*),?\s*\]"#).unwrap();
        let mut missing = Vec::new();
        for source in [
            include_str!("validate.rs"),
            include_str!("checks.rs"),
            include_str!("conditions.rs"),
            include_str!("queries.rs"),
            include_str!("traffic.rs"),
        ] {
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            let keys = lists.captures_iter(code).flat_map(|list| list.extract::<1>().1[0].split(','));
            let keys = keys.map(|key| key.trim().trim_matches('"'));
            let named = |key: &str| guide.contains(&format!("`{key}`")) || guide.contains(&format!("{key}:"));
            missing.extend(keys.filter(|key| !named(key)));
        }
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_manifest_becomes_types() {
        let text = "
lab: demo
description: a demo
parameters: { Ttl: { type: integer, min: 1, default: 5, description: seconds } }
stacks: [network, aurora]
functions: { hello: {} }
data: [{ file: rows.csv, to: 's3://${LabBucket}/rows.csv' }]
sql: { path: sql, cluster: aurora }
checks:
  - name: get
    http: { path: /x, headers: { X-A: 1 } }
    expect: { status: 200, text: ok }
  - { name: rows, sql: SELECT 1 AS a, expect: { rows: [{ a: 1 }] } }
cleanup: [DELETE FROM b, DELETE FROM a]
";
        let manifest = manifest(text).unwrap();
        assert_eq!(manifest.parameters["Ttl"].kind, ParameterKind::Integer { min: Some(1), max: None });
        let hello = &manifest.functions["hello"];
        assert_eq!((hello.crate_name.as_str(), hello.handler.as_str()), ("hello", "bootstrap"));
        let Action::Http(http) = &manifest.checks[0].action else { panic!("{:?}", manifest.checks[0]) };
        assert_eq!((http.method.as_str(), http.path.as_str(), http.repeat), ("GET", "/x", 1));
        assert_eq!((http.headers["X-A"].as_str(), http.expect.status), ("1", Some(200)));
        let Action::Sql(sql) = &manifest.checks[1].action else { panic!("{:?}", manifest.checks[1]) };
        assert_eq!((sql.statement.as_str(), sql.rows.as_ref().map(Vec::len)), ("SELECT 1 AS a", Some(1)));
        assert_eq!(manifest.cleanup, ["DELETE FROM b", "DELETE FROM a"]);
    }

    #[test]
    fn a_cleanup_is_a_list_of_statements_to_the_lab_s_database() {
        let text = "lab: demo\ndescription: a demo\nstacks: [network]\n";
        let told = |cleanup: &str| {
            let problems = manifest(&format!("{text}cleanup: {cleanup}\n")).unwrap_err();
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let no_database = "4:10: cleanup: needs a database: `sql` is missing";
        assert_eq!(told("[DELETE FROM a]"), [no_database]);
        assert_eq!(told("DELETE FROM a"), ["4:10: cleanup: must be a list, not a string"]);
        assert_eq!(told("[{ a: b }]"), [no_database, "4:11: cleanup.0: must be a statement, not a mapping"]);
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_its_place_and_the_near_miss() {
        let text = "
lab: Demo
descripton: a demo
parameters:
  Ttl: { type: integr }
  Size: { type: integer, min: 5, max: 1, default: x, valus: [1] }
  Mode: { type: choice }
stacks: [network, network]
functions: { hello: { crat: x } }
data: [{ file: ../etc/passwd, to: /tmp/x }]
sql: { path: /sql, cluster: netwrk }
checks:
  - { name: one, http: { methd: GET }, expect: {} }
  - { name: two, sql: SELECT 1, http: {}, expect: { status: 200 } }
  - { http: { json: 1, body: x, path: x, repeat: 0 }, expect: { statu: 200 } }
";
        let problems = manifest(text).unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let expected = [
            "2:1: `description` is missing",
            "2:6: lab: `Demo` is no lab name: small letters, digits and hyphens, a letter first, at most 30 characters",
            "3:1: unknown key `descripton` (did you mean `description`?)",
            "5:16: parameters.Ttl.type: unknown type `integr` (did you mean `integer`?)",
            "6:39: parameters.Size.max: is less than `min`",
            "6:51: parameters.Size.default: must be an integer: x",
            "6:54: parameters.Size: unknown key of a parameter of type integer `valus`",
            "7:9: parameters.Mode: `values` must be a list of at least one choice",
            "8:19: stacks: the stack `network` is there twice",
            "9:23: functions.hello: unknown key of a function `crat` (did you mean `crate`?)",
            "10:16: data.0.file: must be a path beside the manifest, without `..`",
            "10:35: data.0.to: must be `s3://<bucket>/<key>`, such as s3://${LabBucket}/heroes.csv",
            "11:14: sql.path: must be a path beside the manifest, without `..`",
            "11:29: sql.cluster: `netwrk` is no stack of this lab (did you mean `network`?)",
            "13:26: checks.0.http: unknown key of `http` `methd` (did you mean `method`?)",
            "13:48: checks.0.expect: nothing is expected: at least one of status, json, contains, text, headers",
            "14:5: checks.1: has both `http` and `sql`: make it two checks",
            "15:5: checks.2: `name` is missing",
            "15:13: checks.2.http: has both `json` and `body`",
            "15:39: checks.2.http.path: must begin with `/`",
            "15:50: checks.2.http.repeat: must be from 1 to 10000",
            "15:65: checks.2.expect: unknown key of `expect` for `http` `statu` (did you mean `status`?)",
        ];
        assert_eq!(problems, expected);
    }
}
