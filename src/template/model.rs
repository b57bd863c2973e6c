//! A CloudFormation template as types. Parsing refuses every unknown section and attribute, with the near miss, all at once.

use std::fmt;

use indexmap::IndexMap;

use super::problem::{Position, Problem};
use super::reader::{Named, Reader, join};
use super::yaml::{Entry, Node, Value};

/// AWS's limits.
pub const MAX_RESOURCES: usize = 500;
pub const MAX_PARAMETERS: usize = 200;
pub const MAX_OUTPUTS: usize = 200;
pub const MAX_MAPPINGS: usize = 200;
pub const MAX_NAME: usize = 255;
pub const MAX_DESCRIPTION: usize = 1024;

/// A template whose every section has the right shape. References are checked by [`super::refs`], properties by [`super::schema`].
#[derive(Clone, Debug)]
pub struct Template {
    pub format_version: Option<String>,
    pub description: Option<String>,
    pub metadata: Option<Node>,
    /// Names of macros, such as `AWS::LanguageExtensions`, with their places.
    pub transform: Vec<Named>,
    pub parameters: IndexMap<String, Parameter>,
    pub mappings: IndexMap<String, Mapping>,
    pub conditions: IndexMap<String, Condition>,
    pub rules: IndexMap<String, Rule>,
    pub resources: IndexMap<String, Resource>,
    pub outputs: IndexMap<String, Output>,
    /// The whole document, as read.
    pub document: Node,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub at: Position,
    pub kind: ParameterType,
    /// As text, the way values are given.
    pub default: Option<String>,
    pub allowed_values: Vec<String>,
    pub allowed_pattern: Option<String>,
    pub min_length: Option<u64>,
    pub max_length: Option<u64>,
    pub min_value: Option<f64>,
    pub max_value: Option<f64>,
    pub no_echo: bool,
    pub description: Option<String>,
    pub constraint_description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterType {
    String,
    Number,
    ListOfNumbers,
    CommaDelimitedList,
    /// `AWS::EC2::VPC::Id` and its like.
    Aws(String),
    /// The `X` of `List<X>` for an AWS type.
    ListOfAws(String),
    /// `AWS::SSM::Parameter::Value<X>` or `AWS::SSM::Parameter::Name`, whole.
    Ssm(String),
}

impl ParameterType {
    pub fn is_list(&self) -> bool {
        match self {
            ParameterType::ListOfNumbers | ParameterType::CommaDelimitedList | ParameterType::ListOfAws(_) => true,
            ParameterType::Ssm(name) => name.contains("<List<") || name.contains("<CommaDelimitedList"),
            ParameterType::String | ParameterType::Number | ParameterType::Aws(_) => false,
        }
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParameterType::String => f.write_str("String"),
            ParameterType::Number => f.write_str("Number"),
            ParameterType::ListOfNumbers => f.write_str("List<Number>"),
            ParameterType::CommaDelimitedList => f.write_str("CommaDelimitedList"),
            ParameterType::Aws(name) | ParameterType::Ssm(name) => f.write_str(name),
            ParameterType::ListOfAws(name) => write!(f, "List<{name}>"),
        }
    }
}

/// Top-level key → second-level key → a string, number, boolean or list of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    pub at: Position,
    pub rows: IndexMap<String, IndexMap<String, Node>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub at: Position,
    pub expression: Node,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub at: Position,
    /// The assertions count only if this holds.
    pub when: Option<Node>,
    pub assertions: Vec<Assertion>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    pub at: Position,
    pub assert: Node,
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub at: Position,
    /// `AWS::S3::Bucket`.
    pub kind: String,
    pub kind_at: Position,
    /// Always a mapping; empty if the template gives none.
    pub properties: Node,
    pub depends_on: Vec<Named>,
    pub condition: Option<Named>,
    /// As written; see [`Resource::on_delete`] for what holds.
    pub deletion_policy: Option<DeletionPolicy>,
    pub update_replace_policy: Option<DeletionPolicy>,
    pub metadata: Option<Node>,
    pub creation_policy: Option<Node>,
    pub update_policy: Option<Node>,
}

impl Resource {
    /// What happens to the resource when it leaves the stack. AWS's default is to delete, except for databases, which it snapshots.
    pub fn on_delete(&self) -> DeletionPolicy {
        let database = match self.kind.as_str() {
            "AWS::RDS::DBCluster" => true,
            "AWS::RDS::DBInstance" => self.properties.get("DBClusterIdentifier").is_none(),
            _ => false,
        };
        self.deletion_policy.unwrap_or(if database { DeletionPolicy::Snapshot } else { DeletionPolicy::Delete })
    }

    /// What happens to the old resource when an update replaces it. The default is to delete it.
    pub fn on_replace(&self) -> DeletionPolicy {
        self.update_replace_policy.unwrap_or(DeletionPolicy::Delete)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionPolicy {
    Delete,
    Retain,
    RetainExceptOnCreate,
    Snapshot,
}

impl DeletionPolicy {
    const ALL: [(&'static str, DeletionPolicy); 4] = [
        ("Delete", DeletionPolicy::Delete),
        ("Retain", DeletionPolicy::Retain),
        ("RetainExceptOnCreate", DeletionPolicy::RetainExceptOnCreate),
        ("Snapshot", DeletionPolicy::Snapshot),
    ];

    pub fn name(self) -> &'static str {
        match self {
            DeletionPolicy::Delete => "Delete",
            DeletionPolicy::Retain => "Retain",
            DeletionPolicy::RetainExceptOnCreate => "RetainExceptOnCreate",
            DeletionPolicy::Snapshot => "Snapshot",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub at: Position,
    pub value: Node,
    /// The `Name` of `Export`.
    pub export: Option<Node>,
    pub condition: Option<Named>,
    pub description: Option<String>,
}

impl Template {
    /// Reads a template. All problems of shape are reported at once.
    pub fn parse(text: &str) -> Result<Template, Vec<Problem>> {
        Template::from_node(Template::document(text)?)
    }

    /// The text of a template as a document.
    pub fn document(text: &str) -> Result<Node, Vec<Problem>> {
        let document = super::yaml::parse(text)?;
        let aliases = super::yaml::aliases(text);
        if aliases.is_empty() { Ok(document) } else { Err(aliases) }
    }

    /// All problems of a text: of its YAML, its shape and, if nothing had to be left out, its references, types and properties.
    pub fn check(text: &str) -> Result<Template, Vec<Problem>> {
        let (document, mut problems) = super::yaml::read(text);
        let Some(document) = document else { return Err(problems) };
        let entries = |section| document.get(section).and_then(Node::as_map).map_or(0, |map| map.len());
        let written = ["Parameters", "Conditions", "Resources"].map(entries);
        let mut reader = Reader::default();
        let template = reader.template(document);
        problems.append(&mut reader.problems);
        if written == [template.parameters.len(), template.conditions.len(), template.resources.len()] {
            problems.extend(super::check::template(&template));
        }
        if problems.is_empty() { Ok(template) } else { Err(super::problem::sorted(problems)) }
    }

    pub fn from_node(document: Node) -> Result<Template, Vec<Problem>> {
        let mut reader = Reader::default();
        let template = reader.template(document);
        let resources = template.document.get("Resources").and_then(Node::as_map);
        if template.document.as_map().is_some() && resources.is_none_or(|map| map.is_empty()) {
            let at = template.document.at;
            reader.problem(at, "", "At least one Resources member must be defined.");
        }
        if reader.problems.is_empty() { Ok(template) } else { Err(super::problem::sorted(reader.problems)) }
    }

    /// What a template declares, its resources left aside: all that can be read of one whose loops are not written out.
    pub fn outline(document: &Node, kept: Outlined) -> Result<Template, Vec<Problem>> {
        let mut document = document.clone();
        if let Value::Map(sections) = &mut document.value {
            sections.retain(|section, _| match section.as_str() {
                "Resources" | "Outputs" => false,
                "Conditions" => kept == Outlined::Conditions,
                _ => true,
            });
        }
        let mut reader = Reader::default();
        let template = reader.template(document);
        if reader.problems.is_empty() { Ok(template) } else { Err(super::problem::sorted(reader.problems)) }
    }
}

/// How much of a template an outline keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlined {
    /// Parameters, mappings and what describes the template.
    Declarations,
    /// Its conditions too.
    Conditions,
}

const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Rules",
    "Transform",
    "Resources",
    "Outputs",
];
const PARAMETER_KEYS: &[&str] = &[
    "Type",
    "Default",
    "AllowedValues",
    "AllowedPattern",
    "MinLength",
    "MaxLength",
    "MinValue",
    "MaxValue",
    "NoEcho",
    "Description",
    "ConstraintDescription",
];
const RESOURCE_KEYS: &[&str] = &[
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
    "CreationPolicy",
    "UpdatePolicy",
];
const OUTPUT_KEYS: &[&str] = &["Value", "Export", "Condition", "Description"];

impl Reader {
    fn template(&mut self, document: Node) -> Template {
        let mut template = Template {
            format_version: None,
            description: None,
            metadata: None,
            transform: Vec::new(),
            parameters: IndexMap::new(),
            mappings: IndexMap::new(),
            conditions: IndexMap::new(),
            rules: IndexMap::new(),
            resources: IndexMap::new(),
            outputs: IndexMap::new(),
            document,
        };
        let document = template.document.clone();
        if document.as_map().is_none() {
            self.problem(document.at, "", format!("a template is a mapping, not {}", document.kind()));
            return template;
        }
        self.no_nulls(&document, &mut Vec::new());
        self.known_keys(&document, "", "template section", SECTIONS);
        template.format_version = self.text(&document, "", "AWSTemplateFormatVersion");
        if template.format_version.as_deref().is_some_and(|version| version != "2010-09-09") {
            let at = document.get("AWSTemplateFormatVersion").map_or(document.at, |node| node.at);
            self.problem(at, "AWSTemplateFormatVersion", "the only template format version is 2010-09-09");
        }
        template.description = self.text(&document, "", "Description");
        if template.description.as_ref().is_some_and(|text| text.len() > MAX_DESCRIPTION) {
            self.problem(document.at, "Description", format!("longer than {MAX_DESCRIPTION} bytes"));
        }
        template.metadata = document.get("Metadata").cloned();
        template.transform = self.names(&document, "", "Transform");
        template.parameters = self.section(&document, "Parameters", MAX_PARAMETERS, Reader::parameter);
        template.mappings = self.section(&document, "Mappings", MAX_MAPPINGS, Reader::mapping);
        template.conditions = self.section(&document, "Conditions", usize::MAX, |_, _, entry| {
            Some(Condition { at: entry.at, expression: entry.node.clone() })
        });
        template.rules = self.section(&document, "Rules", usize::MAX, Reader::rule);
        template.resources = self.section(&document, "Resources", MAX_RESOURCES, Reader::resource);
        template.outputs = self.section(&document, "Outputs", MAX_OUTPUTS, Reader::output);
        self.one_name_one_thing(&template);
        template
    }

    /// CloudFormation refuses nulls wherever they are.
    fn no_nulls(&mut self, node: &Node, path: &mut Vec<String>) {
        match &node.value {
            Value::Null => {
                self.problem(node.at, &path.join("."), "null values are not allowed in templates");
            }
            Value::List(list) => {
                for (index, item) in list.iter().enumerate() {
                    path.push(index.to_string());
                    self.no_nulls(item, path);
                    path.pop();
                }
            }
            Value::Map(map) => {
                for (key, entry) in map {
                    path.push(key.clone());
                    self.no_nulls(&entry.node, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// One section: names checked, each entry read.
    fn section<T>(
        &mut self,
        document: &Node,
        section: &str,
        most: usize,
        read: impl Fn(&mut Self, &str, &Entry) -> Option<T>,
    ) -> IndexMap<String, T> {
        let Some(node) = document.get(section) else { return IndexMap::new() };
        let Some(map) = node.as_map() else {
            self.problem(node.at, section, format!("must be a mapping, not {}", node.kind()));
            return IndexMap::new();
        };
        if map.len() > most {
            self.problem(node.at, section, format!("{} entries: at most {most} are allowed", map.len()));
        }
        let mut found = IndexMap::with_capacity(map.len());
        for (name, entry) in map {
            let path = format!("{section}.{name}");
            let good = !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric());
            if name.starts_with("Fn::ForEach::") {
                let what =
                    "loops need `Transform: AWS::LanguageExtensions`, and are written out by CloudFormation only";
                self.problem(entry.at, &path, what);
            } else if !good && section != "Mappings" {
                self.problem(entry.at, &path, format!("the name must be 1 to {MAX_NAME} letters and digits"));
            }
            if let Some(value) = read(self, &path, entry) {
                found.insert(name.clone(), value);
            }
        }
        found
    }

    /// A parameter, resource or condition of the same name would make `Ref` ambiguous.
    fn one_name_one_thing(&mut self, template: &Template) {
        for (name, resource) in &template.resources {
            if template.parameters.contains_key(name) {
                self.problem(resource.at, &format!("Resources.{name}"), "a parameter has the same name");
            }
        }
    }

    fn parameter(&mut self, path: &str, entry: &Entry) -> Option<Parameter> {
        let node = &entry.node;
        self.mapping_of(path, node)?;
        self.known_keys(node, path, "parameter key", PARAMETER_KEYS);
        let kind = match (node.get("Type").map(|kind| kind.at), self.text(node, path, "Type")) {
            (Some(at), Some(text)) => self.parameter_type(at, path, &text),
            (None, _) => {
                self.problem(entry.at, path, "`Type` is missing");
                ParameterType::String
            }
            _ => ParameterType::String,
        };
        let allowed = node.get("AllowedValues");
        let mut allowed_values = Vec::new();
        for item in allowed.and_then(Node::as_list).unwrap_or_default() {
            match item.scalar_text() {
                Some(text) => allowed_values.push(text),
                None => {
                    self.problem(item.at, &join(path, "AllowedValues"), format!("must be strings, not {}", item.kind()))
                }
            }
        }
        if let Some(wrong) = allowed.filter(|node| node.as_list().is_none_or(|list| list.is_empty())) {
            self.problem(wrong.at, &join(path, "AllowedValues"), "must be a list of at least one value");
        }
        Some(Parameter {
            at: entry.at,
            kind,
            default: self.text(node, path, "Default"),
            allowed_values,
            allowed_pattern: self.text(node, path, "AllowedPattern"),
            min_length: self.number(node, path, "MinLength"),
            max_length: self.number(node, path, "MaxLength"),
            min_value: self.number(node, path, "MinValue"),
            max_value: self.number(node, path, "MaxValue"),
            no_echo: self.boolean(node, path, "NoEcho"),
            description: self.text(node, path, "Description"),
            constraint_description: self.text(node, path, "ConstraintDescription"),
        })
    }

    fn parameter_type(&mut self, at: Position, path: &str, text: &str) -> ParameterType {
        let inner = text.strip_prefix("List<").and_then(|rest| rest.strip_suffix('>'));
        match (text, inner) {
            ("String", _) => ParameterType::String,
            ("Number", _) => ParameterType::Number,
            ("CommaDelimitedList", _) => ParameterType::CommaDelimitedList,
            (_, Some("Number")) => ParameterType::ListOfNumbers,
            (_, Some(aws)) if AWS_PARAMETER_TYPES.contains(&aws) => ParameterType::ListOfAws(aws.to_owned()),
            (aws, _) if AWS_PARAMETER_TYPES.contains(&aws) => ParameterType::Aws(aws.to_owned()),
            (ssm, _) if ssm == "AWS::SSM::Parameter::Name" || ssm.starts_with("AWS::SSM::Parameter::Value<") => {
                ParameterType::Ssm(ssm.to_owned())
            }
            _ => {
                let lists = AWS_PARAMETER_TYPES.iter().map(|name| format!("List<{name}>")).collect::<Vec<_>>();
                let plain = ["String", "Number", "CommaDelimitedList", "List<Number>", "AWS::SSM::Parameter::Name"];
                let known = plain
                    .into_iter()
                    .chain(AWS_PARAMETER_TYPES.iter().copied())
                    .chain(lists.iter().map(String::as_str));
                let problem = Problem::new(at, join(path, "Type"), format!("unknown parameter type `{text}`"));
                self.problems.push(problem.near(text, known));
                ParameterType::String
            }
        }
    }

    fn mapping(&mut self, path: &str, entry: &Entry) -> Option<Mapping> {
        let mut rows = IndexMap::new();
        for (top, row) in self.mapping_of(path, &entry.node)? {
            let path = join(path, top);
            let mut columns = IndexMap::new();
            for (second, cell) in self.mapping_of(&path, &row.node).into_iter().flatten() {
                let flat = |node: &Node| node.scalar_text().is_some();
                if !flat(&cell.node) && !cell.node.as_list().is_some_and(|list| list.iter().all(flat)) {
                    self.problem(
                        cell.node.at,
                        &join(&path, second),
                        "must be a string, a number, a boolean or a list of them",
                    );
                }
                columns.insert(second.clone(), cell.node.clone());
            }
            rows.insert(top.clone(), columns);
        }
        Some(Mapping { at: entry.at, rows })
    }

    fn rule(&mut self, path: &str, entry: &Entry) -> Option<Rule> {
        let node = &entry.node;
        self.mapping_of(path, node)?;
        self.known_keys(node, path, "rule key", &["RuleCondition", "Assertions"]);
        let list = node.get("Assertions").and_then(Node::as_list);
        if list.is_none() {
            self.problem(entry.at, path, "`Assertions` must be a list");
        }
        let mut assertions = Vec::new();
        for item in list.unwrap_or_default() {
            let path = join(path, "Assertions");
            self.known_keys(item, &path, "assertion key", &["Assert", "AssertDescription"]);
            let description = self.text(item, &path, "AssertDescription");
            match item.get("Assert") {
                Some(assert) => assertions.push(Assertion { at: item.at, assert: assert.clone(), description }),
                None => self.problem(item.at, &path, "`Assert` is missing"),
            }
        }
        Some(Rule { at: entry.at, when: node.get("RuleCondition").cloned(), assertions })
    }

    fn resource(&mut self, path: &str, entry: &Entry) -> Option<Resource> {
        let node = &entry.node;
        self.mapping_of(path, node)?;
        self.known_keys(node, path, "resource attribute", RESOURCE_KEYS);
        let kind = self.text(node, path, "Type");
        if node.get("Type").is_none() {
            self.problem(entry.at, path, "`Type` is missing");
        }
        let properties = match node.get("Properties") {
            Some(given) => {
                self.mapping_of(&join(path, "Properties"), given);
                if given.as_map().is_some() { given.clone() } else { Node::empty_map(given.at) }
            }
            None => Node::empty_map(entry.at),
        };
        Some(Resource {
            at: entry.at,
            kind: kind?,
            kind_at: node.get("Type").map_or(entry.at, |kind| kind.at),
            properties,
            depends_on: self.names(node, path, "DependsOn"),
            condition: self.name(node, path, "Condition"),
            deletion_policy: self.policy(node, path, "DeletionPolicy"),
            update_replace_policy: self.policy(node, path, "UpdateReplacePolicy"),
            metadata: node.get("Metadata").cloned(),
            creation_policy: node.get("CreationPolicy").cloned(),
            update_policy: node.get("UpdatePolicy").cloned(),
        })
    }

    fn policy(&mut self, node: &Node, path: &str, key: &str) -> Option<DeletionPolicy> {
        let text = self.text(node, path, key)?;
        let known =
            DeletionPolicy::ALL.iter().filter(|(name, _)| key == "DeletionPolicy" || *name != "RetainExceptOnCreate");
        if let Some((_, policy)) = known.clone().find(|(name, _)| *name == text) {
            return Some(*policy);
        }
        let at = node.get(key).map_or(node.at, |found| found.at);
        let problem = Problem::new(at, join(path, key), format!("unknown policy `{text}`"));
        self.problems.push(problem.near(&text, known.map(|(name, _)| *name)));
        None
    }

    fn output(&mut self, path: &str, entry: &Entry) -> Option<Output> {
        let node = &entry.node;
        self.mapping_of(path, node)?;
        self.known_keys(node, path, "output key", OUTPUT_KEYS);
        if node.get("Value").is_none() {
            self.problem(entry.at, path, "`Value` is missing");
        }
        let export = node.get("Export");
        if let Some(export) = export {
            self.known_keys(export, &join(path, "Export"), "export key", &["Name"]);
            if export.get("Name").is_none() {
                self.problem(export.at, &join(path, "Export"), "`Name` is missing");
            }
        }
        Some(Output {
            at: entry.at,
            value: node.get("Value")?.clone(),
            export: export.and_then(|export| export.get("Name")).cloned(),
            condition: self.name(node, path, "Condition"),
            description: self.text(node, path, "Description"),
        })
    }
}

/// What a parameter's type may be, apart from the plain ones; all but two may stand in `List<>`.
const AWS_PARAMETER_TYPES: &[&str] = &[
    "AWS::EC2::AvailabilityZone::Name",
    "AWS::EC2::Image::Id",
    "AWS::EC2::Instance::Id",
    "AWS::EC2::KeyPair::KeyName",
    "AWS::EC2::SecurityGroup::GroupName",
    "AWS::EC2::SecurityGroup::Id",
    "AWS::EC2::Subnet::Id",
    "AWS::EC2::Volume::Id",
    "AWS::EC2::VPC::Id",
    "AWS::Route53::HostedZone::Id",
];

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
