//! Everything that can be said of a template without knowing where it will run.

use super::intrinsics::function;
use super::model::Template;
use super::problem::{Problem, sorted};
use super::refs::{Graph, ReferenceKind, all};
use super::schema::{self, Known};
use super::yaml::{Entry, Map, Node, Value};

/// All problems of references, functions, types, properties and attributes.
pub fn template(template: &Template) -> Vec<Problem> {
    let mut problems = Graph::of(template).err().unwrap_or_default();
    for (name, resource) in &template.resources {
        let path = format!("Resources.{name}");
        if let Known::Unknown { near } = schema::known(&resource.kind) {
            let problem = Problem::new(
                resource.kind_at,
                format!("{path}.Type"),
                format!("unknown resource type `{}`", resource.kind),
            );
            problems.push(Problem { near, ..problem });
        }
        problems.extend(schema::check(&resource.kind, &resource.properties, &format!("{path}.Properties")));
    }
    problems.extend(attributes(template));
    functions(&template.document, &mut String::new(), &mut problems);
    sorted(problems)
}

/// `Fn::GetAtt` of what the type does not have.
fn attributes(template: &Template) -> Vec<Problem> {
    let mut problems = Vec::new();
    for reference in all(template) {
        let ReferenceKind::Attribute(attribute) = &reference.kind else { continue };
        let Some(resource) = template.resources.get(&reference.target).filter(|_| !attribute.is_empty()) else {
            continue;
        };
        let Some(known) = schema::attributes(&resource.kind).filter(|known| !known.contains(attribute)) else {
            continue;
        };
        // A stack's outputs and what a custom resource answers are not in any schema.
        if schema::has_open_attributes(&resource.kind, attribute) {
            continue;
        }
        let what = format!("`{}` has no attribute `{attribute}`", resource.kind);
        let problem = Problem::new(reference.at, reference.path.clone(), what);
        problems.push(problem.near(attribute, known.iter().map(String::as_str)));
    }
    problems
}

/// A function that is not the only key of its mapping.
fn in_company(map: &Map) -> Option<(&String, &Entry)> {
    map.iter().find(|(key, _)| map.len() > 1 && key.starts_with("Fn::"))
}

/// Names of functions that do not exist, and functions with company in their mapping.
fn functions(node: &Node, path: &mut String, problems: &mut Vec<Problem>) {
    if let Some((name, entry)) = function(node)
        && name != "Ref"
        && !super::yaml::SHORT_FUNCTIONS.contains(&name.trim_start_matches("Fn::"))
    {
        problems.push(Problem::new(entry.at, path.clone(), super::evaluate::unknown_function(name)));
    }
    if let Some((function, entry)) = node.as_map().and_then(in_company) {
        let what = format!("`{function}` must be the only key of its mapping");
        problems.push(Problem::new(entry.at, path.clone(), what));
    }
    let length = path.len();
    let mut visit = |step: &str, node: &Node, problems: &mut Vec<Problem>| {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(step);
        functions(node, path, problems);
        path.truncate(length);
    };
    match &node.value {
        Value::List(list) => {
            list.iter().enumerate().for_each(|(index, item)| visit(&index.to_string(), item, problems))
        }
        Value::Map(map) => map.iter().for_each(|(key, entry)| visit(key, &entry.node, problems)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_in_company_is_told_with_its_place_and_path() {
        let text = "Resources:\n  B: {Type: AWS::S3::Bucket, Properties: {BucketName: {'Fn::Sub': x, Other: 1}}}\n";
        let problems = template(&Template::parse(text).unwrap());
        let told: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.path, problem.what)).collect();
        assert!(
            told.contains(
                &"Resources.B.Properties.BucketName: `Fn::Sub` must be the only key of its mapping".to_owned()
            ),
            "{told:?}"
        );
    }
}
