//! Who needs whom: every reference in a template with its place, what does not resolve, and what goes round in circles.

use indexmap::{IndexMap, IndexSet};

use super::intrinsics::{Pseudo, function};
use super::model::Template;
use super::problem::{Position, Problem, sorted};
use super::reader::{Named, join};
use super::sub::{self, Piece};
use super::yaml::{Node, Value};

/// One use of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub target: String,
    pub kind: ReferenceKind,
    pub at: Position,
    /// The path to the place, such as `Resources.Cluster.Properties.VpcSecurityGroupIds.0`.
    pub path: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    /// `Ref`, or `${Name}` in `Fn::Sub`: a parameter, a resource or a pseudo parameter.
    Ref,
    /// `Fn::GetAtt`, or `${Name.Attribute}` in `Fn::Sub`. The attribute is empty if a function gives it.
    Attribute(String),
    DependsOn,
    /// `Condition`, or the first argument of `Fn::If`.
    Condition,
    /// `Fn::FindInMap`.
    Mapping,
}

/// The references in one value, in the order of the text; `path` is where the value stands. `Condition` counts as a
/// reference in conditions only: elsewhere it is an ordinary key of policies.
pub fn references(node: &Node, path: &str) -> Vec<Reference> {
    let mut walk = Walk { found: Vec::new(), logic: path.starts_with("Conditions.") || path.starts_with("Rules.") };
    walk.node(node, path);
    walk.found
}

struct Walk {
    found: Vec<Reference>,
    logic: bool,
}

impl Walk {
    fn add(&mut self, target: &str, kind: ReferenceKind, at: Position, path: &str) {
        self.found.push(Reference { target: target.to_owned(), kind, at, path: path.to_owned() });
    }

    fn node(&mut self, node: &Node, path: &str) {
        if let Some((name, entry)) = function(node) {
            return self.function(name, &entry.node, &join(path, name));
        }
        if let Some(("Condition", entry)) = node.single().filter(|_| self.logic) {
            let target = entry.node.as_str().unwrap_or_default();
            return self.add(target, ReferenceKind::Condition, entry.node.at, path);
        }
        match &node.value {
            Value::List(list) => {
                for (index, item) in list.iter().enumerate() {
                    self.node(item, &join(path, &index.to_string()));
                }
            }
            Value::Map(map) => {
                for (key, entry) in map {
                    self.node(&entry.node, &join(path, key));
                }
            }
            _ => {}
        }
    }

    fn function(&mut self, name: &str, argument: &Node, path: &str) {
        let list = argument.as_list();
        match name {
            "Ref" => {
                if let Some(target) = argument.as_str() {
                    self.add(target, ReferenceKind::Ref, argument.at, path);
                }
                return;
            }
            "Fn::GetAtt" => {
                let dotted = argument.as_str().and_then(|text| text.split_once('.'));
                let listed =
                    list.and_then(|list| Some((list.first()?.as_str()?, list.get(1)?.as_str().unwrap_or_default())));
                if let Some((resource, attribute)) = dotted.or(listed) {
                    self.add(resource, ReferenceKind::Attribute(attribute.to_owned()), argument.at, path);
                }
            }
            "Fn::Sub" => self.sub(argument, path),
            "Fn::If" => {
                if let Some(condition) = list.and_then(<[Node]>::first) {
                    self.add(condition.as_str().unwrap_or_default(), ReferenceKind::Condition, condition.at, path);
                }
            }
            "Fn::FindInMap" => {
                if let Some((mapping, name)) =
                    list.and_then(<[Node]>::first).and_then(|node| Some((node, node.as_str()?)))
                {
                    self.add(name, ReferenceKind::Mapping, mapping.at, path);
                }
            }
            _ => {}
        }
        self.node(argument, path);
    }

    fn sub(&mut self, argument: &Node, path: &str) {
        let list = argument.as_list();
        let Some(text) = list.map_or(Some(argument), <[Node]>::first) else { return };
        let own = list.and_then(|list| list.get(1));
        let Ok(pieces) = sub::pieces(text.as_str().unwrap_or_default()) else { return };
        for piece in pieces {
            let Piece::Variable(name) = piece else { continue };
            if own.is_some_and(|own| own.get(&name).is_some()) {
                continue;
            }
            match name.split_once('.') {
                Some((resource, attribute)) => {
                    self.add(resource, ReferenceKind::Attribute(attribute.to_owned()), text.at, path);
                }
                None => self.add(&name, ReferenceKind::Ref, text.at, path),
            }
        }
    }
}

/// Every reference of the template.
pub fn all(template: &Template) -> Vec<Reference> {
    let mut found = Vec::new();
    let named = |name: &Named, kind: ReferenceKind, path: String| Reference {
        target: name.name.clone(),
        kind,
        at: name.at,
        path,
    };
    for (name, condition) in &template.conditions {
        found.extend(references(&condition.expression, &format!("Conditions.{name}")));
    }
    for (name, rule) in &template.rules {
        let path = format!("Rules.{name}");
        let expressions = rule.when.iter().chain(rule.assertions.iter().map(|assertion| &assertion.assert));
        found.extend(expressions.flat_map(|expression| references(expression, &path)));
    }
    for name in template.resources.keys() {
        found.extend(of_resource(template, name));
    }
    for (name, output) in &template.outputs {
        let path = format!("Outputs.{name}");
        found.extend(
            output.condition.iter().map(|name| named(name, ReferenceKind::Condition, join(&path, "Condition"))),
        );
        found.extend(references(&output.value, &join(&path, "Value")));
        found.extend(output.export.iter().flat_map(|export| references(export, &join(&path, "Export.Name"))));
    }
    found
}

/// The references of one resource: its properties, its policies, `DependsOn` and its condition.
pub fn of_resource(template: &Template, name: &str) -> Vec<Reference> {
    let Some(resource) = template.resources.get(name) else { return Vec::new() };
    let path = format!("Resources.{name}");
    let mut found = references(&resource.properties, &join(&path, "Properties"));
    let policies = [("CreationPolicy", &resource.creation_policy), ("UpdatePolicy", &resource.update_policy)];
    for (key, node) in policies.into_iter().filter_map(|(key, node)| Some((key, node.as_ref()?))) {
        found.extend(references(node, &join(&path, key)));
    }
    let named = |name: &Named, kind: ReferenceKind, key: &str| Reference {
        target: name.name.clone(),
        kind,
        at: name.at,
        path: join(&path, key),
    };
    found.extend(resource.depends_on.iter().map(|name| named(name, ReferenceKind::DependsOn, "DependsOn")));
    found.extend(resource.condition.iter().map(|name| named(name, ReferenceKind::Condition, "Condition")));
    found
}

/// The references that nothing answers to.
pub fn unresolved(template: &Template) -> Vec<(Reference, Problem)> {
    let resources = || template.resources.keys().map(String::as_str);
    let mut found = Vec::new();
    for reference in all(template) {
        let target = reference.target.as_str();
        let (known, what) = match &reference.kind {
            ReferenceKind::Ref => {
                let known = template.resources.contains_key(target)
                    || template.parameters.contains_key(target)
                    || Pseudo::NAMES.contains(&target);
                (known, format!("`{target}` is no parameter, resource or pseudo parameter"))
            }
            ReferenceKind::Attribute(_) | ReferenceKind::DependsOn => {
                (template.resources.contains_key(target), format!("`{target}` is no resource"))
            }
            ReferenceKind::Condition => {
                (template.conditions.contains_key(target), format!("`{target}` is no condition"))
            }
            ReferenceKind::Mapping => (template.mappings.contains_key(target), format!("`{target}` is no mapping")),
        };
        if known {
            continue;
        }
        let problem = Problem::new(reference.at, reference.path.clone(), what);
        let problem = match &reference.kind {
            ReferenceKind::Ref => problem
                .near(target, resources().chain(template.parameters.keys().map(String::as_str)).chain(Pseudo::NAMES)),
            ReferenceKind::Attribute(_) | ReferenceKind::DependsOn => problem.near(target, resources()),
            ReferenceKind::Condition => problem.near(target, template.conditions.keys().map(String::as_str)),
            ReferenceKind::Mapping => problem.near(target, template.mappings.keys().map(String::as_str)),
        };
        found.push((reference, problem));
    }
    found
}

/// Which resource needs which others. Conditions are not considered: every resource of the template is a node.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    needs: IndexMap<String, IndexSet<String>>,
}

impl Graph {
    /// Fails if a reference does not resolve or resources need each other in a circle.
    pub fn of(template: &Template) -> Result<Graph, Vec<Problem>> {
        let problems: Vec<Problem> = unresolved(template).into_iter().map(|(_, problem)| problem).collect();
        let graph = Graph::drawn(template);
        let circle = graph.circle();
        if problems.is_empty() && circle.is_empty() {
            return Ok(graph);
        }
        let at = circle
            .first()
            .and_then(|name| template.resources.get(*name))
            .map_or(template.document.at, |resource| resource.at);
        let circle = (!circle.is_empty()).then(|| Problem::new(at, "Resources", circular(&circle)));
        Err(sorted(problems.into_iter().chain(circle).collect()))
    }

    /// The graph of what resolves.
    fn drawn(template: &Template) -> Graph {
        let mut graph = Graph::default();
        for name in template.resources.keys() {
            let resources = of_resource(template, name).into_iter().filter(|reference| {
                let kind = matches!(
                    reference.kind,
                    ReferenceKind::Ref | ReferenceKind::Attribute(_) | ReferenceKind::DependsOn
                );
                kind && template.resources.contains_key(&reference.target)
            });
            graph.needs.insert(name.clone(), resources.map(|reference| reference.target).collect());
        }
        graph
    }

    /// What must exist before this resource.
    pub fn needs(&self, resource: &str) -> impl Iterator<Item = &str> {
        self.needs.get(resource).into_iter().flatten().map(String::as_str)
    }

    /// What must be gone before this resource.
    pub fn needed_by<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = &'a str> {
        self.needs.iter().filter(move |(_, needs)| needs.contains(resource)).map(|(name, _)| name.as_str())
    }

    /// Every resource after all that it needs; otherwise as written.
    pub fn order(&self) -> Vec<&str> {
        let mut done: IndexSet<&str> = IndexSet::with_capacity(self.needs.len());
        while done.len() < self.needs.len() {
            let before = done.len();
            for (name, needs) in &self.needs {
                if !done.contains(name.as_str()) && needs.iter().all(|need| done.contains(need.as_str())) {
                    done.insert(name);
                }
            }
            if done.len() == before {
                break;
            }
        }
        done.into_iter().collect()
    }

    /// The resources of which each waits for another of them: every circle, and what lies between circles.
    fn circle(&self) -> Vec<&str> {
        let done: IndexSet<&str> = self.order().into_iter().collect();
        let mut left: IndexSet<&str> =
            self.needs.keys().map(String::as_str).filter(|name| !done.contains(name)).collect();
        // What only waits for a circle, and that nothing left waits for, is no part of one.
        loop {
            let needed = |name: &str| left.iter().any(|other| self.needs[*other].contains(name));
            let kept: IndexSet<&str> = left.iter().copied().filter(|name| needed(name)).collect();
            if kept.len() == left.len() {
                return left.into_iter().collect();
            }
            left = kept;
        }
    }
}

fn circular(names: &[&str]) -> String {
    format!("Circular dependency between resources: [{}]", names.join(", "))
}

/// AWS's own sentence for what [`Graph::of`] refuses, as `ValidateTemplate` and `CreateChangeSet` give it.
pub fn refusal(template: &Template) -> Option<String> {
    let unresolved = unresolved(template);
    let block = |reference: &Reference| reference.path.split('.').next().unwrap_or_default().to_owned();
    if let Some((first, _)) = unresolved.iter().find(|(reference, _)| reference.kind == ReferenceKind::Condition) {
        let block = block(first);
        return Some(format!(
            "Template format error: Unresolved condition dependency {} in the {block} block of the template",
            first.target
        ));
    }
    if let Some((first, _)) =
        unresolved.iter().find(|(reference, _)| matches!(reference.kind, ReferenceKind::Attribute(_)))
    {
        return Some(format!("Template error: instance of Fn::GetAtt references undefined resource {}", first.target));
    }
    if let Some((first, _)) = unresolved.iter().find(|(reference, _)| reference.kind == ReferenceKind::Mapping) {
        return Some(format!(
            "Template error: Mapping named '{}' is not present in the 'Mappings' section of template.",
            first.target
        ));
    }
    if let Some((first, _)) = unresolved.first() {
        let block = block(first);
        let names: IndexSet<&str> = unresolved
            .iter()
            .filter(|(other, _)| other.path.starts_with(&block))
            .map(|(other, _)| other.target.as_str())
            .collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        return Some(format!(
            "Template format error: Unresolved resource dependencies [{names}] in the {block} block of the template"
        ));
    }
    let graph = Graph::drawn(template);
    let circle = graph.circle();
    (!circle.is_empty()).then(|| circular(&circle))
}

#[cfg(test)]
mod tests {

    use super::{Graph, refusal};
    use crate::Template;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    const BUCKETS: &str = "
Parameters: {P: {Type: String}}
Conditions: {Yes: !Equals [!Ref P, a]}
Resources:
  C: {Type: AWS::S3::Bucket, DependsOn: B, Condition: 'Yes'}
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: !Sub '${P}-${A.Arn}-${Own}-${!Lit}'}}
  A: {Type: AWS::S3::Bucket}
";

    #[test]
    fn resources_come_after_what_they_need() {
        let text = BUCKETS.replace("${Own}-", "");
        let template = template(&text);
        let graph = Graph::of(&template).unwrap();
        assert_eq!(graph.order(), ["A", "B", "C"]);
        assert_eq!(graph.needs("B").collect::<Vec<_>>(), ["A"]);
        assert_eq!(graph.needed_by("B").collect::<Vec<_>>(), ["C"]);
        assert_eq!(refusal(&template), None);
    }

    #[test]
    fn what_does_not_resolve_is_named_with_its_place_and_the_near_miss() {
        let template = template(&BUCKETS.replace("Own", "AWS::Regoin"));
        let problems = Graph::of(&template).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].near.as_deref(), Some("AWS::Region"));
        assert_eq!((problems[0].at.line, problems[0].path.as_str()), (6, "Resources.B.Properties.BucketName.Fn::Sub"));
        let aws = "Template format error: Unresolved resource dependencies [AWS::Regoin] in the Resources block of the template";
        assert_eq!(refusal(&template).as_deref(), Some(aws));
    }

    #[test]
    fn a_circle_is_named_without_those_who_only_wait_for_it() {
        let text = "
Resources:
  A: {Type: AWS::S3::Bucket, DependsOn: B}
  B: {Type: AWS::S3::Bucket, DependsOn: [C]}
  C: {Type: AWS::S3::Bucket, DependsOn: B}
  D: {Type: AWS::S3::Bucket}
";
        assert_eq!(refusal(&template(text)).as_deref(), Some("Circular dependency between resources: [B, C]"));
        assert_eq!(Graph::of(&template(text)).unwrap_err().len(), 1);
    }
}
