//! YAML and JSON with positions: the text of templates and lab manifests.
//!
//! What a plain (unquoted) scalar means follows CloudFormation where it is known and never loses what was written:
//!
//! | written | read as |
//! |---|---|
//! | `true`, `True`, `FALSE` | boolean |
//! | `yes`, `no`, `on`, `off`, `y`, `n` | text: a boolean property refuses it, and says so |
//! | `12`, `-3`, `0x1f`, `0o17` | integer, if it fits 64 bits; else text |
//! | `012345678901`, `1_000`, `22:22` | text: an account number keeps its zeros |
//! | `1.5`, `-2.5e+3` | number; without a point (`12e4567`) text, as in YAML 1.1 |
//! | `2012-10-17` | text |
//! | `~`, `null`, nothing | null |
//! | any key | text, as written |
//!
//! CloudFormation's short tags are turned into their long form, so that `!GetAtt A.B` and `{"Fn::GetAtt": ["A", "B"]}` are the same value.

use std::collections::HashMap;

use indexmap::IndexMap;
use indexmap::map::Entry as Slot;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::Value as Json;

use super::problem::{Position, Problem};

/// Deeper nesting than any template has, and shallow enough for every recursive reader of a [`Node`].
pub const MAX_DEPTH: usize = 100;
/// More values than fit into the largest template that CloudFormation takes; bounds what aliases may expand to.
pub const MAX_NODES: usize = 250_000;

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub value: Value,
    pub at: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    String(String),
    List(Vec<Node>),
    Map(Map),
}

/// A mapping in the order in which it was written.
pub type Map = IndexMap<String, Entry>;

/// A key's place and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub at: Position,
    pub node: Node,
}

impl Node {
    pub fn new(value: Value, at: Position) -> Self {
        Node { value, at }
    }

    pub fn empty_map(at: Position) -> Self {
        Node::new(Value::Map(Map::new()), at)
    }

    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value under a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map().and_then(|map| map.get(key)).map(|entry| &entry.node)
    }

    /// A scalar as text, the way CloudFormation turns `5` and `true` into strings. `None` for null, lists and mappings.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(yes) => Some(yes.to_string()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// What the value is, for messages: `a list`.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// The only entry of a mapping that has exactly one: the form of every intrinsic function.
    pub fn single(&self) -> Option<(&str, &Entry)> {
        let map = self.as_map()?;
        let (key, entry) = map.first()?;
        (map.len() == 1).then_some((key.as_str(), entry))
    }

    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(yes) => Json::Bool(*yes),
            Value::Integer(number) => Json::from(*number),
            Value::Float(number) => Json::from(*number),
            Value::String(text) => Json::from(text.as_str()),
            Value::List(list) => list.iter().map(Node::to_json).collect(),
            Value::Map(map) => {
                Json::Object(map.iter().map(|(key, entry)| (key.clone(), entry.node.to_json())).collect())
            }
        }
    }

    /// A node made from JSON, all of it at one place: values that were computed and not written.
    pub fn from_json(json: &Json, at: Position) -> Self {
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(yes) => Value::Bool(*yes),
            Json::Number(number) => match number.as_i64() {
                Some(integer) => Value::Integer(integer),
                None => number.as_f64().map_or_else(|| Value::String(number.to_string()), Value::Float),
            },
            Json::String(text) => Value::String(text.clone()),
            Json::Array(list) => Value::List(list.iter().map(|item| Node::from_json(item, at)).collect()),
            Json::Object(map) => Value::Map(
                map.iter().map(|(key, value)| (key.clone(), Entry { at, node: Node::from_json(value, at) })).collect(),
            ),
        };
        Node { value, at }
    }
}

/// Reads one YAML or JSON document. Syntax errors end the reading; duplicate keys, unknown tags and the like are all reported.
pub fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    match read(text) {
        (Some(node), problems) if problems.is_empty() => Ok(node),
        (_, problems) => Err(problems),
    }
}

/// As [`parse`], and gives the document too when it can be read despite its problems: what is in it can then be told as well.
pub fn read(text: &str) -> (Option<Node>, Vec<Problem>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return match parse_flow(text) {
            Ok(node) => (Some(node), Vec::new()),
            Err(problems) => (None, problems),
        };
    }
    read_yaml(text)
}

fn parse_flow(text: &str) -> Result<Node, Vec<Problem>> {
    // Flow YAML begins like JSON: whichever reader gets further knows better what is wrong.
    super::json::parse(text).or_else(|as_json| {
        let end = |problems: &[Problem]| problems.iter().map(|problem| problem.at).max();
        parse_yaml(text).map_err(|as_yaml| if end(&as_json) > end(&as_yaml) { as_json } else { as_yaml })
    })
}

/// Where a text uses aliases: lab manifests may, CloudFormation's templates may not.
pub fn aliases(text: &str) -> Vec<Problem> {
    if !text.contains('*') {
        return Vec::new();
    }
    let events = Parser::new_from_str(text).map_while(Result::ok);
    let aliases = events.filter(|(event, _)| matches!(event, Event::Alias(_)));
    let what = "YAML aliases are not allowed in CloudFormation templates";
    aliases.map(|(_, span)| Problem::new(position(&span.start), "", what)).collect()
}

fn parse_yaml(text: &str) -> Result<Node, Vec<Problem>> {
    match read_yaml(text) {
        (Some(node), problems) if problems.is_empty() => Ok(node),
        (_, problems) => Err(problems),
    }
}

fn read_yaml(text: &str) -> (Option<Node>, Vec<Problem>) {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => builder.event(event, position(&span.start)),
            Err(error) => Err(syntax(text, position(error.marker()), error.info())),
        };
        if let Err(fatal) = step {
            builder.problems.push(fatal);
            return (None, builder.problems);
        }
    }
    if builder.root.is_none() && builder.problems.is_empty() {
        builder.problems.push(Problem::new(Position { line: 1, column: 1 }, "", "the document is empty"));
    }
    (builder.root, builder.problems)
}

/// What the scanner refused. It blames the value before a tab, which looks like blanks and so is worth its own place.
fn syntax(text: &str, at: Position, info: &str) -> Problem {
    let lines = text.lines().enumerate().skip(at.line - 1);
    let mut indents = lines.map(|(index, line)| (index + 1, &line[..line.len() - line.trim_start().len()]));
    let tab = indents.find_map(|(line, indent)| Some(Position { line, column: indent.find('\t')? + 1 }));
    match tab.filter(|_| info.contains("tab")) {
        Some(tab) => Problem::new(tab, "", "not valid YAML: a tab cannot indent: use blanks"),
        None => Problem::new(at, "", format!("not valid YAML: {info}")),
    }
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

/// A collection that is not yet complete.
struct Open {
    at: Position,
    anchor: usize,
    tag: Option<String>,
    content: Content,
    /// How many values lie in it, itself included.
    weight: usize,
}

enum Content {
    List(Vec<Node>),
    /// The last key that still waits for its value, beside the finished entries.
    Map(Map, Option<(String, Position)>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    problems: Vec<Problem>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, at: Position) -> Result<(), Problem> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                let second = (self.documents > 1).then(|| Problem::new(at, "", "a second document in one file"));
                second.map_or(Ok(()), Err)
            }
            Event::SequenceStart(anchor, tag) => self.begin(Content::List(Vec::new()), anchor, tag.as_deref(), at),
            Event::MappingStart(anchor, tag) => self.begin(Content::Map(Map::new(), None), anchor, tag.as_deref(), at),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some((node, weight)) => {
                    self.count(weight, at)?;
                    self.place(node, weight, 0)
                }
                None => Err(Problem::new(at, self.path(), "an alias to a value that contains it")),
            },
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, (anchor, tag.as_deref()), at),
        }
    }

    fn begin(&mut self, content: Content, anchor: usize, tag: Option<&Tag>, at: Position) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Problem::new(at, self.path(), format!("nested more than {MAX_DEPTH} levels deep")));
        }
        if let Some(Open { content: Content::Map(_, None), .. }) = self.open.last() {
            return Err(Problem::new(at, self.path(), "a key must be text, not a list or mapping"));
        }
        let tag = self.function_name(tag, at);
        self.count(1, at)?;
        self.open.push(Open { at, anchor, tag, content, weight: 1 });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(list) => Value::List(list),
            Content::Map(map, _) => Value::Map(map),
        };
        let node = tagged(Node::new(value, open.at), open.tag);
        self.place(node, open.weight, open.anchor)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        (anchor, tag): (usize, Option<&Tag>),
        at: Position,
    ) -> Result<(), Problem> {
        if let Some(Open { content: Content::Map(map, key @ None), .. }) = self.open.last_mut() {
            if tag.is_some() || text == "<<" && style == ScalarStyle::Plain {
                let what = if tag.is_some() {
                    "a key cannot carry a tag"
                } else {
                    "merge keys (`<<`) are not part of CloudFormation's YAML"
                };
                self.problems.push(Problem::new(at, "", what));
            } else if map.contains_key(text) {
                self.problems.push(Problem::new(at, "", format!("the key `{text}` is there twice")));
            }
            // The duplicate's value is read, so that problems in it are found, and then dropped by `place`.
            *key = Some((text.to_owned(), at));
            return if anchor == 0 { Ok(()) } else { Err(Problem::new(at, "", "a key cannot carry an anchor")) };
        }
        let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
        let plain = style == ScalarStyle::Plain && core != Some("str");
        let value = if plain && tag.is_none_or(Tag::is_yaml_core_schema) {
            plain_scalar(text)
        } else {
            Value::String(text.to_owned())
        };
        let function = self.function_name(tag, at);
        self.count(1, at)?;
        self.place(tagged(Node::new(value, at), function), 1, anchor)
    }

    fn count(&mut self, weight: usize, at: Position) -> Result<(), Problem> {
        self.nodes += weight;
        if self.nodes > MAX_NODES {
            return Err(Problem::new(at, self.path(), format!("more than {MAX_NODES} values (aliases expanded)")));
        }
        Ok(())
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node, weight: usize, anchor: usize) -> Result<(), Problem> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { content: Content::List(list), weight: sum, .. }) => {
                *sum += weight;
                list.push(node);
            }
            Some(Open { content: Content::Map(map, waiting), weight: sum, .. }) => {
                *sum += weight;
                let Some((key, at)) = waiting.take() else {
                    return Err(Problem::new(node.at, "", "a key must be text, not an alias"));
                };
                if let Slot::Vacant(slot) = map.entry(key) {
                    slot.insert(Entry { at, node });
                }
            }
        }
        Ok(())
    }

    /// The long name of a function tag. YAML's own tags (`!!str`) say nothing more than the value does.
    fn function_name(&mut self, tag: Option<&Tag>, at: Position) -> Option<String> {
        let tag = tag?;
        if tag.is_yaml_core_schema() {
            let known = ["str", "int", "float", "bool", "null", "map", "seq"].contains(&tag.suffix.as_str());
            if !known {
                self.problems.push(Problem::new(
                    at,
                    self.path(),
                    format!("the YAML tag `!!{}` is not supported", tag.suffix),
                ));
            }
            return None;
        }
        let name = tag.suffix.as_str();
        if tag.handle == "!" && (name == "Ref" || name == "Condition") {
            return Some(name.to_owned());
        }
        if tag.handle == "!" && SHORT_FUNCTIONS.contains(&name) {
            return Some(format!("Fn::{name}"));
        }
        let short = SHORT_FUNCTIONS.iter().copied().chain(["Ref", "Condition"]);
        let problem = Problem::new(at, self.path(), format!("unknown tag `{}{name}`", tag.handle)).near(name, short);
        self.problems.push(Problem { near: problem.near.as_ref().map(|near| format!("!{near}")), ..problem });
        None
    }

    fn path(&self) -> String {
        let steps = self.open.iter().filter_map(|open| match &open.content {
            Content::Map(_, Some((key, _))) => Some(key.clone()),
            Content::Map(_, None) => None,
            Content::List(list) => Some(list.len().to_string()),
        });
        steps.collect::<Vec<_>>().join(".")
    }
}

/// Functions with a short form, apart from `Ref` and `Condition`, whose long names have no `Fn::`.
pub const SHORT_FUNCTIONS: &[&str] = &[
    "And",
    "Base64",
    "Cidr",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "Equals",
    "FindInMap",
    "GetAtt",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
    "ValueOf",
    "ValueOfAll",
];

fn tagged(node: Node, function: Option<String>) -> Node {
    let Some(function) = function else { return node };
    let at = node.at;
    let argument = match (function.as_str(), &node.value) {
        ("Fn::GetAtt", Value::String(text)) => match text.split_once('.') {
            Some((resource, attribute)) => {
                let part = |text: &str| Node::new(Value::String(text.to_owned()), at);
                Node::new(Value::List(vec![part(resource), part(attribute)]), at)
            }
            None => node,
        },
        _ => node,
    };
    Node::new(Value::Map(Map::from_iter([(function, Entry { at, node: argument })])), at)
}

fn plain_scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).unwrap_or_else(|| Value::String(text.to_owned()))
}

fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let radix = |radix, digits: &str| {
        let digits = digits.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(digits)?;
        i64::from_str_radix(digits, radix).ok().map(|number| Value::Integer(sign * number))
    };
    if let Some(digits) = digits.strip_prefix("0x") {
        return radix(16, digits);
    }
    if let Some(digits) = digits.strip_prefix("0o") {
        return radix(8, digits);
    }
    // Leading zeros carry meaning (account numbers), so such text is not a number.
    if digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.") || digits.is_empty() {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.strip_prefix('+').unwrap_or(text).parse().ok().map(Value::Integer);
    }
    let numeric = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let decimal = numeric && digits.contains('.') && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    decimal.then(|| text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float))?
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
