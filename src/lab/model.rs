//! A lab as types: what its manifest says, and the files that it names.

use std::fmt;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::template::reader::Named;
use crate::template::{Position, Template};

use super::conditions::Condition;

/// The manifest's file name.
pub const MANIFEST: &str = "lab.yaml";

/// What `lab.yaml` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    pub lab: String,
    pub description: String,
    /// What `--set` may change; passed to templates by name.
    pub parameters: IndexMap<String, Parameter>,
    /// Names of templates, `templates/<name>.yaml`.
    pub stacks: Vec<Named>,
    /// Stacks that are not always there.
    pub optional: IndexMap<String, Condition>,
    pub functions: IndexMap<String, Function>,
    pub data: Vec<Data>,
    pub sql: Option<Sql>,
    /// What `labctl sql --query` runs.
    pub queries: IndexMap<String, Query>,
    /// What `labctl status --watch` shows.
    pub watch: Option<Watch>,
    pub checks: Vec<Check>,
    /// Statements that take away what the checks store: run before the first check and after the last.
    pub cleanup: Vec<String>,
    pub load: Option<Load>,
    /// What `labctl outputs` shows to be typed: `try`.
    pub suggestions: Vec<Suggestion>,
}

/// A command for the lab's users; `${Name}` in it is an output, a parameter, `ApiUrl` or `ApiKey`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    pub at: Position,
    /// What it does.
    pub about: String,
    pub command: String,
    pub condition: Condition,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub at: Position,
    pub kind: ParameterKind,
    /// As text, the way `--set` gives it. `None`: a value must be given.
    pub default: Option<String>,
    /// The parameter that it must not be greater than.
    pub at_most: Option<String>,
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ParameterKind {
    /// `min` and `max` bound the number of characters; `pattern` must match as a whole.
    String {
        min: Option<u64>,
        max: Option<u64>,
        pattern: Option<String>,
    },
    Integer {
        min: Option<i64>,
        max: Option<i64>,
    },
    /// A multiple of `step`.
    Number {
        min: Option<f64>,
        max: Option<f64>,
        step: Option<f64>,
    },
    Boolean,
    Choice {
        values: Vec<String>,
    },
}

impl ParameterKind {
    pub fn name(&self) -> &'static str {
        match self {
            ParameterKind::String { .. } => "string",
            ParameterKind::Integer { .. } => "integer",
            ParameterKind::Number { .. } => "number",
            ParameterKind::Boolean => "boolean",
            ParameterKind::Choice { .. } => "choice",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub at: Position,
    /// The crate in `lambdas/`.
    pub crate_name: String,
    pub handler: String,
}

/// A file to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    pub at: Position,
    /// Beside the manifest.
    pub file: String,
    /// `s3://${LabBucket}/key`: `${Name}` is an output or a parameter.
    pub to: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sql {
    pub at: Position,
    /// The folder of files, applied in the order of their names.
    pub path: String,
    /// The stack whose cluster they are for.
    pub cluster: Named,
}

/// A statement with a name and parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub at: Position,
    pub description: String,
    /// In the folder of the lab's SQL.
    pub file: String,
    /// In the statement `:name`.
    pub parameters: IndexMap<String, QueryParameter>,
    pub chart: Option<Chart>,
    pub batches: Option<Batches>,
}

/// How a change of many rows goes in parts, each a transaction of its own, so that nobody waits for long: a range of a whole-number key
/// after the other, `:from` to `:to`, up to the last row that there was at the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    pub table: String,
    pub key: String,
    /// How many rows are in a range.
    pub size: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct QueryParameter {
    pub at: Position,
    pub kind: QueryKind,
    /// As text, the way `--param` gives it. `None`: a value must be given.
    pub default: Option<String>,
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum QueryKind {
    /// A string, an integer or a number.
    Plain(ParameterKind),
    Timestamp,
}

impl QueryKind {
    pub fn name(&self) -> &'static str {
        match self {
            QueryKind::Plain(kind) => kind.name(),
            QueryKind::Timestamp => "timestamp",
        }
    }
}

/// Which columns of a query make a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    pub x: String,
    pub y: String,
    /// One line for each value of this column.
    pub series: Option<String>,
    /// How far apart neighbours on a line are, in seconds: between those that are farther apart something is missing.
    pub every: Option<i64>,
}

/// The queries of the lab's dashboard, from top to bottom, run with the defaults of their parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    pub at: Position,
    pub queries: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    pub at: Position,
    pub name: String,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a lab has a handful of checks, and nearly all of them are requests")]
pub enum Action {
    Http(HttpCheck),
    Sql(SqlCheck),
}

/// One request (or the same several times) to the lab's API.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    pub method: String,
    /// After `ApiUrl`, with its leading slash.
    pub path: String,
    pub headers: IndexMap<String, String>,
    pub body: RequestBody,
    /// How many times the request is sent; each answer must be as expected.
    pub repeat: u32,
    pub expect: HttpExpectation,
}

#[derive(Clone, Debug, PartialEq)]
pub enum RequestBody {
    Empty,
    Json(Json),
    Text(String),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpExpectation {
    pub status: Option<u16>,
    /// The body is this JSON.
    pub json: Option<Json>,
    /// The body is JSON that has at least this: objects may have more members; lists have as many elements, each compared this way.
    pub contains: Option<Json>,
    /// The body's text has this in it.
    pub text: Option<String>,
    /// Header values, compared as a whole; names in any case.
    pub headers: IndexMap<String, String>,
}

/// What `labctl load` sends: the same kinds of requests in several variants, shown side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub at: Position,
    pub users: Users,
    /// What is counted in the database before and after each variant.
    pub counter: Option<Counter>,
    pub variants: Vec<Variant>,
}

/// How the users of a load behave, as far as the command line says nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Users {
    pub count: Option<u32>,
    /// How many begin in a second.
    pub spawn_rate: Option<f64>,
    /// How long each variant is sent.
    pub seconds: Option<f64>,
    /// Seconds between two bursts of a user.
    pub wait: Option<Range>,
    /// Number of requests, one after the other, between two waits.
    pub burst: Option<Range>,
}

/// From one number to another, both included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub from: f64,
    pub to: f64,
}

/// A number that the database keeps: the last column of the first row of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    pub name: String,
    pub statement: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    pub name: String,
    /// At least one.
    pub requests: Vec<WeightedRequest>,
}

/// One kind of request of a load, and how often it is chosen among the others.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightedRequest {
    pub weight: u32,
    pub http: HttpCheck,
    /// A path that differs from request to request; that of `http` is then empty.
    pub path: Option<Sample>,
    pub body: Option<Sample>,
}

/// A JSON value that may differ from request to request. But for the clock it is the same for the n-th request of every variant.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    Constant(Json),
    List(Vec<Sample>),
    Object(IndexMap<String, Sample>),
    /// A whole number, both ends included.
    Integer {
        from: i64,
        to: i64,
    },
    /// A number with so many digits after the point: one of the whole numbers from `least` to `most`, the point moved.
    Decimal {
        least: i64,
        most: i64,
        digits: u32,
    },
    /// One of several values, each with its weight.
    Choice(Vec<(u32, Sample)>),
    /// A whole number; the first is the most frequent one, the n-th `n^exponent` times rarer.
    Zipf {
        from: i64,
        to: i64,
        exponent: f64,
    },
    /// Scalars joined to one text.
    Text(Vec<Sample>),
    Now(Clock),
}

impl Sample {
    /// Whether it is never a list, a mapping or null.
    pub fn is_scalar(&self) -> bool {
        match self {
            Sample::Constant(value) => !(value.is_array() || value.is_object() || value.is_null()),
            Sample::List(_) | Sample::Object(_) => false,
            Sample::Choice(values) => values.iter().all(|(_, value)| value.is_scalar()),
            _ => true,
        }
    }
}

/// How the moment of sending is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `2026-11-22T10:15:00.123Z`.
    Rfc3339,
    /// Whole seconds since 1970.
    Epoch,
    EpochMillis,
}

/// One statement to the lab's database. It must leave nothing behind.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlCheck {
    pub statement: String,
    /// The rows, each an object of column → value, in order.
    pub rows: Option<Vec<Json>>,
    /// The number of rows.
    pub row_count: Option<u64>,
}

/// A lab with all its files read and checked.
#[derive(Clone, Debug)]
pub struct Lab {
    pub manifest: Manifest,
    /// The manifest's name for messages: a path, or `examples/<lab>/lab.yaml` of a built-in lab.
    pub file: String,
    pub text: String,
    pub stacks: Vec<Stack>,
    /// The SQL files in the order in which they are applied.
    pub sql: Vec<File>,
    /// The named queries' statements, each under the query's name, as the manifest lists them.
    pub queries: Vec<File>,
    /// The data files' contents, as the manifest lists them.
    pub data: Vec<File>,
    /// Where the lab's files come from; a function's crate is found through it.
    pub origin: Origin,
}

#[derive(Clone, Debug)]
pub struct Stack {
    pub name: String,
    /// The template's name for messages.
    pub file: String,
    pub text: String,
    pub template: Template,
}

#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// As the manifest names it; of an SQL file its name within the folder.
    pub name: String,
    pub bytes: Vec<u8>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({}, {} bytes)", self.name, self.bytes.len())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Embedded in this program.
    Builtin,
    /// A folder of the user's; what it lacks comes from the program.
    Folder(std::path::PathBuf),
}
