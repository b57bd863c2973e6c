//! What is known of each AWS service: its protocol, operations and shapes.
//!
//! The tables under `models/` are made from botocore's models by `tools/service_models.py`. One is parsed when its
//! service is first asked for; names borrow from the text inside the binary.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use indexmap::IndexMap;
use regex::Regex;
use serde::Deserialize;

use super::rest::UriTemplate;

/// How a service's requests and answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    Query,
    Ec2,
    Json,
    RestJson,
    RestXml,
}

/// One AWS service.
#[derive(Debug)]
pub struct Model {
    /// botocore's name, which is [`crate::service::Service::name`].
    pub service: &'static str,
    pub protocol: Protocol,
    /// `2010-05-08`.
    pub version: &'static str,
    /// What stands before the operation in `X-Amz-Target`.
    pub target_prefix: Option<&'static str>,
    /// `1.0` or `1.1`.
    pub json_version: &'static str,
    /// The service in a signature's scope.
    pub signing_name: &'static str,
    pub namespace: &'static str,
    operations: IndexMap<&'static str, Operation>,
    shapes: Vec<Shape>,
    exceptions: HashMap<&'static str, Exception>,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    pub method: &'static str,
    pub uri: UriTemplate,
    /// The HTTP status of success.
    pub status: u16,
    pub input: Option<ShapeId>,
    pub output: Option<ShapeId>,
    /// The element around the output in query protocols.
    pub wrapper: Option<&'static str>,
    /// Its shapes are in the table. Without them nobody can serve it.
    pub kept: bool,
}

/// A shape's place in its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeId(u32);

/// A type.
#[derive(Debug)]
pub struct Shape {
    pub kind: Kind,
    /// Its value never appears in an error.
    pub sensitive: bool,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub values: Vec<Cow<'static, str>>,
    pub pattern: Option<Pattern>,
}

/// What a shape is made of.
#[derive(Debug)]
pub enum Kind {
    Structure(Structure),
    List(Element),
    Map {
        key: Element,
        value: Element,
        flattened: bool,
    },
    Text,
    Integer,
    Float,
    Boolean,
    Timestamp(Option<TimestampFormat>),
    Blob,
    /// Any JSON.
    Document,
}

/// A structure's members, by name, in the model's order.
#[derive(Debug)]
pub struct Structure {
    pub members: IndexMap<&'static str, Member>,
    /// Name in a request's body to the member's index.
    by_wire: HashMap<String, usize>,
    /// The member that is the whole HTTP body.
    pub payload: Option<&'static str>,
    /// Exactly one member is set.
    pub union: bool,
}

impl Structure {
    /// The member that is called `name` in a request.
    pub fn by_wire(&self, name: &str) -> Option<(&'static str, &Member)> {
        let (name, member) = self.members.get_index(*self.by_wire.get(name)?)?;
        Some((name, member))
    }
}

/// One member of a structure.
#[derive(Debug)]
pub struct Member {
    pub shape: ShapeId,
    pub required: bool,
    pub location: Location,
    /// Its name in requests and in answers: they differ in the ec2 protocol only.
    pub wire_in: Cow<'static, str>,
    pub wire_out: &'static str,
    pub flattened: bool,
    pub format: Option<TimestampFormat>,
}

/// Where in an HTTP message a member travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    Body,
    Uri,
    Query,
    Header,
    /// All headers with the member's name as prefix.
    Headers,
    Status,
}

/// What a list or a map holds.
#[derive(Debug)]
pub struct Element {
    pub shape: ShapeId,
    /// The element's name in XML and in query strings, if the model gives one.
    pub name: Option<&'static str>,
    pub flattened: bool,
}

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TimestampFormat {
    Iso8601,
    Rfc822,
    UnixTimestamp,
}

/// An error that the model declares.
#[derive(Clone, Copy, Debug)]
pub struct Exception {
    /// The shape's name: what JSON protocols call it.
    pub name: &'static str,
    /// What query protocols call it.
    pub code: &'static str,
    pub status: u16,
    /// The client's fault.
    pub sender: bool,
    pub shape: ShapeId,
}

/// A regular expression of the model, compiled when first needed.
#[derive(Debug)]
pub struct Pattern {
    pub text: Cow<'static, str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Whether the whole `value` matches. An expression that only Java understands (look-around) lets everything through.
    pub fn matches(&self, value: &str) -> bool {
        let compile = || Regex::new(&format!(r"\A(?:{})\z", self.text)).ok();
        self.compiled.get_or_init(compile).as_ref().is_none_or(|pattern| pattern.is_match(value))
    }
}

impl Model {
    /// The operation called `name`.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.get(name)
    }

    /// Every operation, by name.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    pub fn shape(&self, id: ShapeId) -> &Shape {
        // Ids are made by `build` alone, from this very list.
        &self.shapes[id.0 as usize]
    }

    /// The structure that an operation takes or gives; `None` for one without members.
    pub fn structure(&self, id: Option<ShapeId>) -> Option<&Structure> {
        match &self.shape(id?).kind {
            Kind::Structure(structure) => Some(structure),
            _ => None,
        }
    }

    /// The error called `code`, by its shape's name or by its code.
    pub fn exception(&self, code: &str) -> Option<Exception> {
        self.exceptions.get(code).copied()
    }
}

struct Table {
    service: &'static str,
    text: &'static str,
    model: OnceLock<Model>,
}

macro_rules! tables {
    ($($service:literal),* $(,)?) => {
        static TABLES: [Table; [$($service),*].len()] = [$(Table {
            service: $service,
            text: include_str!(concat!("models/", $service, ".json")),
            model: OnceLock::new(),
        }),*];
    };
}

tables!(
    "apigateway",
    "apigatewayv2",
    "cloudformation",
    "ec2",
    "elasticache",
    "iam",
    "lambda",
    "logs",
    "quicksight",
    "rds",
    "rds-data",
    "s3",
    "secretsmanager",
    "sts",
    "xray",
);

/// The model of `service`.
pub fn model(service: &str) -> Option<&'static Model> {
    let table = TABLES.iter().find(|table| table.service == service)?;
    #[expect(clippy::expect_used, reason = "the tables are part of the program, and a test reads each of them")]
    let model = table.model.get_or_init(|| build(table.service, table.text).expect("a committed table is valid"));
    Some(model)
}

/// The names of the services that have a model, sorted.
pub fn services() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.service)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawModel<'a> {
    #[serde(borrow)]
    metadata: RawMetadata<'a>,
    #[serde(borrow)]
    operations: IndexMap<&'a str, RawOperation<'a>>,
    #[serde(borrow)]
    shapes: IndexMap<&'a str, RawShape<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMetadata<'a> {
    protocol: Protocol,
    api_version: &'a str,
    target_prefix: Option<&'a str>,
    json_version: Option<&'a str>,
    signing_name: Option<&'a str>,
    endpoint_prefix: &'a str,
    xml_namespace: Option<&'a str>,
}

#[derive(Deserialize)]
struct RawOperation<'a> {
    method: &'a str,
    uri: &'a str,
    status: Option<u16>,
    input: Option<&'a str>,
    output: Option<&'a str>,
    wrapper: Option<&'a str>,
    #[serde(default)]
    kept: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawShape<'a> {
    r#type: &'a str,
    #[serde(borrow, default)]
    r#enum: Vec<Cow<'a, str>>,
    min: Option<f64>,
    max: Option<f64>,
    #[serde(borrow)]
    pattern: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    required: Vec<&'a str>,
    payload: Option<&'a str>,
    #[serde(default)]
    flattened: bool,
    location_name: Option<&'a str>,
    timestamp_format: Option<TimestampFormat>,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    union: bool,
    #[serde(default)]
    document: bool,
    #[serde(borrow)]
    members: Option<IndexMap<&'a str, RawMember<'a>>>,
    #[serde(borrow)]
    member: Option<RawMember<'a>>,
    #[serde(borrow)]
    key: Option<RawMember<'a>>,
    #[serde(borrow)]
    value: Option<RawMember<'a>>,
    code: Option<&'a str>,
    status: Option<u16>,
    #[serde(default)]
    sender: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMember<'a> {
    shape: &'a str,
    location: Option<&'a str>,
    location_name: Option<&'a str>,
    query_name: Option<&'a str>,
    #[serde(default)]
    flattened: bool,
    timestamp_format: Option<TimestampFormat>,
}

/// A table that does not hang together.
#[derive(Debug, thiserror::Error)]
enum TableError {
    #[error("{0}: {1}")]
    Json(&'static str, serde_json::Error),
    #[error("{service}: {what}")]
    Broken { service: &'static str, what: String },
}

fn build(service: &'static str, text: &'static str) -> Result<Model, TableError> {
    let raw: RawModel<'static> = serde_json::from_str(text).map_err(|error| TableError::Json(service, error))?;
    let builder = Builder { service, protocol: raw.metadata.protocol, shapes: &raw.shapes };
    let shapes = raw.shapes.values().map(|shape| builder.shape(shape)).collect::<Result<Vec<_>, _>>()?;
    let operations = raw.operations.iter().map(|(name, operation)| Ok((*name, builder.operation(name, operation)?)));
    let operations = operations.collect::<Result<_, TableError>>()?;
    let mut exceptions = HashMap::new();
    for (name, shape) in &raw.shapes {
        let (Some(code), Some(status)) = (shape.code, shape.status) else { continue };
        let code = if code.is_empty() { *name } else { code };
        let exception = Exception { name, code, status, sender: shape.sender, shape: builder.id(name)? };
        exceptions.entry(code).or_insert(exception);
        exceptions.insert(*name, exception);
    }
    Ok(Model {
        service,
        protocol: raw.metadata.protocol,
        version: raw.metadata.api_version,
        target_prefix: raw.metadata.target_prefix,
        json_version: raw.metadata.json_version.unwrap_or("1.0"),
        signing_name: raw.metadata.signing_name.unwrap_or(raw.metadata.endpoint_prefix),
        namespace: raw.metadata.xml_namespace.unwrap_or(""),
        operations,
        shapes,
        exceptions,
    })
}

struct Builder<'a> {
    service: &'static str,
    protocol: Protocol,
    shapes: &'a IndexMap<&'static str, RawShape<'static>>,
}

impl Builder<'_> {
    fn broken(&self, what: String) -> TableError {
        TableError::Broken { service: self.service, what }
    }

    fn id(&self, name: &str) -> Result<ShapeId, TableError> {
        let index = self.shapes.get_index_of(name).and_then(|index| u32::try_from(index).ok());
        index.map(ShapeId).ok_or_else(|| self.broken(format!("no shape {name}")))
    }

    fn operation(&self, name: &'static str, raw: &RawOperation<'static>) -> Result<Operation, TableError> {
        Ok(Operation {
            name,
            method: raw.method,
            uri: UriTemplate::parse(raw.uri),
            status: raw.status.unwrap_or(200),
            input: raw.input.map(|name| self.id(name)).transpose()?,
            output: raw.output.map(|name| self.id(name)).transpose()?,
            wrapper: raw.wrapper,
            kept: raw.kept,
        })
    }

    fn shape(&self, raw: &RawShape<'static>) -> Result<Shape, TableError> {
        Ok(Shape {
            kind: self.kind(raw)?,
            sensitive: raw.sensitive,
            min: raw.min,
            max: raw.max,
            values: raw.r#enum.clone(),
            pattern: raw.pattern.clone().map(|text| Pattern { text, compiled: OnceLock::new() }),
        })
    }

    fn kind(&self, raw: &RawShape<'static>) -> Result<Kind, TableError> {
        let part = |part: &Option<RawMember<'static>>| match part {
            Some(part) => self.element(part, raw.flattened),
            None => Err(self.broken(format!("a {} without its parts", raw.r#type))),
        };
        Ok(match raw.r#type {
            "structure" if raw.document => Kind::Document,
            "structure" => Kind::Structure(self.structure(raw)?),
            "list" => Kind::List(part(&raw.member)?),
            "map" => Kind::Map { key: part(&raw.key)?, value: part(&raw.value)?, flattened: raw.flattened },
            "string" | "character" => Kind::Text,
            "integer" | "long" | "short" | "byte" | "bigInteger" => Kind::Integer,
            "float" | "double" | "bigDecimal" => Kind::Float,
            "boolean" => Kind::Boolean,
            "timestamp" => Kind::Timestamp(raw.timestamp_format),
            "blob" => Kind::Blob,
            other => return Err(self.broken(format!("unknown type {other}"))),
        })
    }

    fn element(&self, raw: &RawMember<'static>, flattened: bool) -> Result<Element, TableError> {
        let own = self.shapes.get(raw.shape).and_then(|shape| shape.location_name);
        Ok(Element { shape: self.id(raw.shape)?, name: raw.location_name.or(own), flattened })
    }

    fn structure(&self, raw: &RawShape<'static>) -> Result<Structure, TableError> {
        let mut members = IndexMap::new();
        let mut by_wire = HashMap::new();
        for (index, (name, member)) in raw.members.iter().flatten().enumerate() {
            let member = self.member(name, member, raw.required.contains(name))?;
            by_wire.insert(member.wire_in.clone().into_owned(), index);
            members.insert(*name, member);
        }
        Ok(Structure { members, by_wire, payload: raw.payload, union: raw.union })
    }

    fn member(&self, name: &'static str, raw: &RawMember<'static>, required: bool) -> Result<Member, TableError> {
        let target = self.shapes.get(raw.shape);
        let named = raw.location_name.or(target.and_then(|shape| shape.location_name));
        let wire_in = match (self.protocol, raw.query_name, named) {
            (Protocol::Ec2, Some(query), _) => Cow::Borrowed(query),
            (Protocol::Ec2, None, Some(named)) => Cow::Owned(capitalised(named)),
            (_, _, named) => Cow::Borrowed(named.unwrap_or(name)),
        };
        let location = match raw.location {
            None => Location::Body,
            Some("uri") => Location::Uri,
            Some("querystring") => Location::Query,
            Some("header") => Location::Header,
            Some("headers") => Location::Headers,
            Some("statusCode") => Location::Status,
            Some(other) => return Err(self.broken(format!("unknown location {other}"))),
        };
        Ok(Member {
            shape: self.id(raw.shape)?,
            required,
            location,
            wire_in,
            wire_out: named.unwrap_or(name),
            flattened: raw.flattened || target.is_some_and(|shape| shape.flattened),
            format: raw.timestamp_format,
        })
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn every_table_hangs_together() {
        for service in services() {
            let table = TABLES.iter().find(|table| table.service == service).unwrap();
            let model = build(service, table.text).unwrap();
            assert!(model.operations().count() > 5, "{service}");
        }
    }

    #[test]
    fn names_follow_the_protocol() {
        let ec2 = model("ec2").unwrap();
        let describe = ec2.structure(ec2.operation("DescribeVpcs").unwrap().input).unwrap();
        assert_eq!(describe.members["Filters"].wire_in, "Filter");
        let create = ec2.structure(ec2.operation("CreateVpc").unwrap().output).unwrap();
        assert_eq!(create.members["Vpc"].wire_out, "vpc");
        let lambda = model("lambda").unwrap();
        let invoke = lambda.structure(lambda.operation("Invoke").unwrap().input).unwrap();
        assert_eq!(invoke.payload, Some("Payload"));
        assert_eq!(invoke.members["InvocationType"].location, Location::Header);
    }

    #[test]
    fn errors_are_found_by_shape_and_by_code() {
        let iam = model("iam").unwrap();
        assert_eq!(iam.exception("NoSuchEntity").unwrap().name, "NoSuchEntityException");
        assert_eq!(iam.exception("NoSuchEntityException").unwrap().code, "NoSuchEntity");
        assert_eq!(iam.exception("NoSuchEntity").unwrap().status, 404);
    }

    #[test]
    fn patterns_match_whole_values_and_nearly_all_are_understood() {
        let (mut understood, mut all) = (0, 0);
        for service in services() {
            for shape in &model(service).unwrap().shapes {
                if let Some(pattern) = &shape.pattern {
                    all += 1;
                    understood += usize::from(Regex::new(&format!(r"\A(?:{})\z", pattern.text)).is_ok());
                }
            }
        }
        assert!(all > 100 && understood * 100 >= all * 95, "{understood} of {all}");
    }
}
