//! The checks of a manifest: requests and statements, and what is expected of them.

use indexmap::IndexMap;

use crate::template::reader::{Reader, join};
use crate::template::yaml::Node;

use super::model::{Action, Check, HttpCheck, HttpExpectation, RequestBody, SqlCheck};
use super::validate::{at, required};

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const EXPECT_HTTP: &[&str] = &["status", "json", "contains", "text", "headers"];
const EXPECT_SQL: &[&str] = &["rows", "row_count"];
const MAX_REPEAT: u32 = 10_000;

pub(super) fn check(reader: &mut Reader, path: &str, node: &Node) -> Option<Check> {
    reader.known_keys(node, path, "key of a check", &["name", "http", "sql", "expect"]);
    let name = required(reader, node, path, "name");
    let action = match (node.get("http"), node.get("sql")) {
        (Some(request), None) => http(reader, path, node, request).map(Action::Http),
        (None, Some(statement)) => sql(reader, path, node, statement).map(Action::Sql),
        (Some(_), Some(_)) => {
            reader.problem(node.at, path, "has both `http` and `sql`: make it two checks");
            None
        }
        (None, None) => {
            reader.problem(node.at, path, "needs `http` or `sql`");
            None
        }
    };
    Some(Check { at: node.at, name: name?, action: action? })
}

/// `cleanup`: a list of statements. They go to the lab's database, so there must be one.
pub(super) fn cleanup(reader: &mut Reader, document: &Node) -> Vec<String> {
    let Some(node) = document.get("cleanup") else { return Vec::new() };
    let Some(list) = node.as_list() else {
        reader.problem(node.at, "cleanup", format!("must be a list, not {}", node.kind()));
        return Vec::new();
    };
    if document.get("sql").is_none() {
        reader.problem(node.at, "cleanup", "needs a database: `sql` is missing");
    }
    let mut statements = Vec::with_capacity(list.len());
    for (index, item) in list.iter().enumerate() {
        match item.as_str() {
            Some(statement) => statements.push(statement.to_owned()),
            None => {
                let what = format!("must be a statement, not {}", item.kind());
                reader.problem(item.at, &join("cleanup", &index.to_string()), what);
            }
        }
    }
    statements
}

/// The expectation, with at least one of its keys.
fn expectation<'n>(reader: &mut Reader, path: &str, node: &'n Node, kind: &str, known: &[&str]) -> Option<&'n Node> {
    let Some(expect) = node.get("expect") else {
        reader.problem(node.at, path, "`expect` is missing");
        return None;
    };
    let path = join(path, "expect");
    reader.mapping_of(&path, expect)?;
    reader.known_keys(expect, &path, &format!("key of `expect` for `{kind}`"), known);
    if expect.as_map().is_some_and(|map| map.is_empty()) {
        reader.problem(expect.at, &path, format!("nothing is expected: at least one of {}", known.join(", ")));
    }
    Some(expect)
}

/// A request under `http` of `node`, and what `node` expects of it.
pub(super) fn http(reader: &mut Reader, path: &str, node: &Node, request: &Node) -> Option<HttpCheck> {
    let place = join(path, "http");
    let target = reader.text(request, &place, "path").unwrap_or_else(|| "/".to_owned());
    if !target.starts_with('/') {
        reader.problem(at(request, "path"), &join(&place, "path"), "must begin with `/`");
    }
    http_to(reader, path, (node, request), target)
}

/// [`http`] without a look at its path.
pub(super) fn http_to(
    reader: &mut Reader,
    path: &str,
    (node, request): (&Node, &Node),
    target: String,
) -> Option<HttpCheck> {
    let expect = expectation(reader, path, node, "http", EXPECT_HTTP);
    let expect_path = join(path, "expect");
    let path = join(path, "http");
    reader.mapping_of(&path, request)?;
    reader.known_keys(request, &path, "key of `http`", &["method", "path", "headers", "json", "body", "repeat"]);
    let method = reader.text(request, &path, "method").unwrap_or_else(|| "GET".to_owned());
    if !METHODS.contains(&method.as_str()) {
        reader.problem(at(request, "method"), &join(&path, "method"), format!("must be one of {}", METHODS.join(", ")));
    }
    let repeat: i64 = reader.number(request, &path, "repeat").unwrap_or(1);
    let repeat = u32::try_from(repeat).ok().filter(|repeat| (1..=MAX_REPEAT).contains(repeat));
    if repeat.is_none() {
        reader.problem(at(request, "repeat"), &join(&path, "repeat"), format!("must be from 1 to {MAX_REPEAT}"));
    }
    let body = match (request.get("json"), request.get("body")) {
        (Some(json), None) => RequestBody::Json(json.to_json()),
        (None, Some(_)) => reader.text(request, &path, "body").map_or(RequestBody::Empty, RequestBody::Text),
        (None, None) => RequestBody::Empty,
        (Some(_), Some(_)) => {
            reader.problem(request.at, &path, "has both `json` and `body`");
            RequestBody::Empty
        }
    };
    let headers = headers(reader, request, &path);
    let expect = http_expectation(reader, &expect_path, expect?);
    Some(HttpCheck { method, path: target, headers, body, repeat: repeat.unwrap_or(1), expect })
}

fn http_expectation(reader: &mut Reader, path: &str, expect: &Node) -> HttpExpectation {
    let status: Option<u16> = reader.number(expect, path, "status");
    if status.is_some_and(|status| !(100..=599).contains(&status)) {
        reader.problem(at(expect, "status"), &join(path, "status"), "must be from 100 to 599");
    }
    HttpExpectation {
        status,
        json: expect.get("json").map(Node::to_json),
        contains: expect.get("contains").map(Node::to_json),
        text: reader.text(expect, path, "text"),
        headers: headers(reader, expect, path),
    }
}

fn headers(reader: &mut Reader, node: &Node, path: &str) -> IndexMap<String, String> {
    let Some(given) = node.get("headers") else { return IndexMap::new() };
    let path = join(path, "headers");
    let names = reader.mapping_of(&path, given).map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let mut headers = IndexMap::new();
    for name in names {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            reader.problem(at(given, &name), &path, format!("`{name}` is no header name"));
        }
        if let Some(value) = reader.text(given, &path, &name) {
            headers.insert(name, value);
        }
    }
    headers
}

/// `sql: SELECT …`, or `sql: { statement: SELECT … }`.
fn sql(reader: &mut Reader, path: &str, node: &Node, given: &Node) -> Option<SqlCheck> {
    let expect = expectation(reader, path, node, "sql", EXPECT_SQL);
    let expect_path = join(path, "expect");
    let path = join(path, "sql");
    let statement = match given.as_str() {
        Some(text) => Some(text.to_owned()),
        None => {
            reader.mapping_of(&path, given)?;
            reader.known_keys(given, &path, "key of `sql`", &["statement"]);
            required(reader, given, &path, "statement")
        }
    };
    let expect = expect?;
    let rows = expect.get("rows").map(|rows| (rows, rows.as_list()));
    if let Some((rows, list)) = rows
        && list.is_none_or(|list| list.iter().any(|row| row.as_map().is_none()))
    {
        reader.problem(rows.at, &join(&expect_path, "rows"), "must be a list of mappings from column to value");
    }
    let rows = rows.and_then(|(_, list)| list).map(|list| list.iter().map(Node::to_json).collect());
    Some(SqlCheck { statement: statement?, rows, row_count: reader.number(expect, &expect_path, "row_count") })
}
