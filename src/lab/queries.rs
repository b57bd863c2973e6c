//! Named queries of a manifest, what the dashboard shows of them, and the values that their parameters get.

use indexmap::IndexMap;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

use crate::template::Problem;
use crate::template::reader::{Reader, join};
use crate::template::yaml::{Entry, Node};

use super::model::{Batches, Chart, Query, QueryKind, QueryParameter, Watch};
use super::parameters::canonical;
use super::validate::{at, entries_of, inside, kind, required};

const TYPES: &[&str] = &["string", "integer", "number", "timestamp"];

pub(super) fn query(reader: &mut Reader, path: &str, name: &str, entry: &Entry) -> Option<Query> {
    let node = &entry.node;
    if !is_word(name, '-') {
        reader.problem(entry.at, path, "a query's name is small letters, digits and hyphens, a letter first");
    }
    reader.known_keys(node, path, "key of a query", &["description", "file", "parameters", "chart", "batches"]);
    let description = required(reader, node, path, "description");
    let file = inside(reader, node, path, "file");
    let parameters =
        node.get("parameters").map(|given| entries_of(reader, &join(path, "parameters"), given, parameter));
    let chart = node.get("chart").and_then(|given| chart(reader, &join(path, "chart"), given));
    let batches = node.get("batches").and_then(|given| batches(reader, &join(path, "batches"), given));
    for name in parameters.iter().flat_map(IndexMap::keys).filter(|name| batches.is_some() && RANGE.contains(&&***name))
    {
        reader.problem(entry.at, &join(path, "parameters"), format!("`{name}` is what `batches` give"));
    }
    Some(Query {
        at: entry.at,
        description: description?,
        file: file?,
        parameters: parameters.unwrap_or_default(),
        chart,
        batches,
    })
}

/// The parameters that a statement in batches gets besides its own.
pub const RANGE: [&str; 2] = ["from", "to"];
const MAX_BATCH: u32 = 100_000;

fn batches(reader: &mut Reader, path: &str, node: &Node) -> Option<Batches> {
    reader.mapping_of(path, node)?;
    reader.known_keys(node, path, "key of `batches`", &["table", "key", "size"]);
    let mut name = |key: &str| {
        let name = required(reader, node, path, key)?;
        // It is written into a statement.
        let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !fits {
            reader.problem(at(node, key), &join(path, key), "must be letters, digits and `_`");
        }
        fits.then_some(name)
    };
    let (table, key) = (name("table"), name("key"));
    let size: Option<u32> = reader.number(node, path, "size");
    let fits = size.is_some_and(|size| (1..=MAX_BATCH).contains(&size));
    if !fits {
        reader.problem(at(node, "size"), &join(path, "size"), format!("must be from 1 to {MAX_BATCH}"));
    }
    Some(Batches { table: table?, key: key?, size: size.filter(|_| fits)? })
}

fn parameter(reader: &mut Reader, path: &str, name: &str, entry: &Entry) -> Option<QueryParameter> {
    let node = &entry.node;
    if !is_word(name, '_') {
        reader.problem(entry.at, path, "a query's parameter is small letters, digits and `_`, a letter first");
    }
    let type_name = required(reader, node, path, "type")?;
    let own: &[&str] = match type_name.as_str() {
        "string" => &["min", "max", "pattern"],
        "integer" | "number" => &["min", "max"],
        "timestamp" => &[],
        _ => {
            let problem = Problem::new(at(node, "type"), join(path, "type"), format!("unknown type `{type_name}`"));
            reader.problems.push(problem.near(&type_name, TYPES.iter().copied()));
            return None;
        }
    };
    let known: Vec<&str> = ["type", "default", "description"].iter().chain(own).copied().collect();
    reader.known_keys(node, path, &format!("key of a query's parameter of type {type_name}"), &known);
    let kind = match type_name.as_str() {
        "timestamp" => QueryKind::Timestamp,
        other => QueryKind::Plain(kind(reader, node, path, other)),
    };
    let default =
        reader.text(node, path, "default").filter(|text| match value(&kind, text, OffsetDateTime::UNIX_EPOCH) {
            Ok(_) => true,
            Err(what) => {
                reader.problem(at(node, "default"), &join(path, "default"), format!("{what}: {text}"));
                false
            }
        });
    Some(QueryParameter { at: entry.at, kind, default, description: reader.text(node, path, "description") })
}

fn chart(reader: &mut Reader, path: &str, node: &Node) -> Option<Chart> {
    reader.mapping_of(path, node)?;
    reader.known_keys(node, path, "key of `chart`", &["x", "y", "series", "every"]);
    let (x, y) = (required(reader, node, path, "x"), required(reader, node, path, "y"));
    let every = reader.text(node, path, "every").and_then(|text| {
        let seconds = seconds(&text).filter(|seconds| *seconds > 0);
        if seconds.is_none() {
            let what = format!("must be a length of time such as 30m, 1h or 1d: {text}");
            reader.problem(at(node, "every"), &join(path, "every"), what);
        }
        seconds
    });
    Some(Chart { x: x?, y: y?, series: reader.text(node, path, "series"), every })
}

pub(super) fn watch(reader: &mut Reader, node: &Node, queries: &IndexMap<String, Query>) -> Option<Watch> {
    reader.mapping_of("watch", node)?;
    reader.known_keys(node, "watch", "key of `watch`", &["queries"]);
    let named = reader.names(node, "watch", "queries");
    if named.is_empty() {
        reader.problem(at(node, "queries"), "watch", "`queries` must name at least one query");
    }
    for found in &named {
        let Some(query) = queries.get(&found.name) else {
            let problem = Problem::new(found.at, "watch.queries", format!("`{}` is no query of this lab", found.name));
            reader.problems.push(problem.near(&found.name, queries.keys().map(String::as_str)));
            continue;
        };
        if query.batches.is_some() {
            reader.problem(found.at, "watch.queries", format!("`{}` cannot be watched: it has `batches`", found.name));
        }
        for (name, _) in query.parameters.iter().filter(|(_, parameter)| parameter.default.is_none()) {
            let what = format!("`{}` cannot be watched: its parameter `{name}` has no default", found.name);
            reader.problem(found.at, "watch.queries", what);
        }
    }
    Some(Watch { at: node.at, queries: named.into_iter().map(|named| named.name).collect() })
}

/// Queries need a database and a folder to lie in.
pub(super) fn need_sql(reader: &mut Reader, queries: &IndexMap<String, Query>) {
    if let Some(query) = queries.values().next() {
        reader.problem(query.at, "queries", "need `sql`, which names the database and the folder they lie in");
    }
}

fn is_word(name: &str, joiner: char) -> bool {
    let signs = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joiner);
    signs && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// A value in the type that the database gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Number(f64),
    /// `YYYY-MM-DD hh:mm:ss.ffffff` in UTC.
    Timestamp(String),
}

/// Gives every parameter of a query its value from `name=value` arguments and defaults. The errors are whole sentences.
///
/// # Errors
/// Everything that is wrong with the arguments, and every parameter without a value.
pub fn bind(
    name: &str,
    query: &Query,
    given: &[String],
    now: OffsetDateTime,
) -> Result<Vec<(String, Value)>, Vec<String>> {
    let mut problems = Vec::new();
    let mut set: IndexMap<&str, Value> = IndexMap::new();
    for argument in given {
        let Some((parameter, text)) = argument.split_once('=') else {
            problems.push(format!("`--param {argument}` has no `=`: write --param name=value"));
            continue;
        };
        match query.parameters.get(parameter) {
            None => problems.push(unknown(name, query, parameter)),
            Some(_) if set.contains_key(parameter) => problems.push(format!("`{parameter}` is given twice")),
            Some(known) => match value(&known.kind, text, now) {
                Ok(value) => drop(set.insert(parameter, value)),
                Err(what) => problems.push(format!("`{parameter}` {what}: {text}")),
            },
        }
    }
    let mut values = Vec::with_capacity(query.parameters.len());
    for (parameter, known) in &query.parameters {
        let default = || known.default.as_ref().and_then(|text| value(&known.kind, text, now).ok());
        match set.shift_remove(parameter.as_str()).or_else(default) {
            Some(value) => values.push((parameter.clone(), value)),
            None if problems.is_empty() => {
                problems.push(format!("`{parameter}` has no default and needs a value: --param {parameter}=…"));
            }
            None => {}
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

fn unknown(name: &str, query: &Query, parameter: &str) -> String {
    let known = || query.parameters.keys().map(String::as_str);
    match crate::template::problem::nearest(parameter, known()) {
        Some(near) => format!("the query `{name}` has no parameter `{parameter}` (did you mean `{near}`?)"),
        None if query.parameters.is_empty() => {
            format!("the query `{name}` has no parameters; `{parameter}` cannot be given")
        }
        None => {
            let known = known().collect::<Vec<_>>().join(", ");
            format!("the query `{name}` has no parameter `{parameter}`; it has: {known}")
        }
    }
}

/// What a text means, or the words after the parameter's name that say why it means nothing.
fn value(kind: &QueryKind, text: &str, now: OffsetDateTime) -> Result<Value, String> {
    const INTEGER: &str = "must be an integer";
    const NUMBER: &str = "must be a number";
    let plain = match kind {
        QueryKind::Timestamp => return moment(text, now).map(Value::Timestamp),
        QueryKind::Plain(plain) => plain,
    };
    let text = canonical(plain, text)?;
    match plain.name() {
        "integer" => text.parse().map(Value::Integer).map_err(|_| INTEGER.to_owned()),
        "number" => text.parse().map(Value::Number).map_err(|_| NUMBER.to_owned()),
        _ => Ok(Value::Text(text)),
    }
}

/// RFC 3339, `now`, or a time before now such as `-1h`, as the database writes it.
fn moment(text: &str, now: OffsetDateTime) -> Result<String, String> {
    const HOW: &str = "must be a time: 2026-01-31T12:00:00Z, now, or a time ago such as -90s, -30m, -1h or -2d";
    let moment = match text.strip_prefix('-') {
        Some(ago) => seconds(ago).and_then(|ago| now.checked_sub(Duration::seconds(ago))),
        None if text == "now" => Some(now),
        None => OffsetDateTime::parse(text, &Rfc3339).ok(),
    };
    let moment = moment.and_then(|moment| moment.checked_to_offset(UtcOffset::UTC)).ok_or(HOW)?;
    // Years before 1000 are outside of what DATETIME holds (MySQL manual, "The DATE, DATETIME, and TIMESTAMP Types").
    if moment.year() < 1000 {
        return Err("must be after the year 999".to_owned());
    }
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6]");
    moment.format(form).map_err(|_| HOW.to_owned())
}

/// `90s`, `30m`, `1h`, `2d`, or several together.
fn seconds(text: &str) -> Option<i64> {
    let (mut total, mut digits) = (0_i64, String::new());
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        total = digits.parse::<i64>().ok()?.checked_mul(unit)?.checked_add(total)?;
        digits.clear();
    }
    (digits.is_empty() && !text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{Value, bind};
    use crate::lab::validate::manifest;

    const TEXT: &str = "
lab: demo
description: a demo
stacks: [aurora]
sql: { path: sql, cluster: aurora }
queries:
  busy:
    description: who is busy
    file: queries/busy.sql
    parameters:
      since: { type: timestamp, default: -1h }
      limit: { type: integer, min: 1, max: 1000, default: 10 }
      share: { type: number, min: 0, max: 1, default: 0.5 }
      name: { type: string, max: 5, description: whose }
    chart: { x: hour, y: events, series: board }
  plain: { description: nothing to say, file: plain.sql }
watch: { queries: [plain] }
";

    fn values(given: &[&str]) -> Result<Vec<Value>, Vec<String>> {
        let manifest = manifest(TEXT).unwrap();
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        let bound = bind("busy", &manifest.queries["busy"], &given, datetime!(2026-03-01 00:30 UTC));
        bound.map(|values| values.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn batches_are_of_a_table_and_a_key_that_can_stand_in_a_statement() {
        let with = |batches: &str| {
            let text = TEXT.replace("file: plain.sql", &format!("file: plain.sql, batches: {batches}"));
            manifest(&text.replace("watch: { queries: [plain] }", ""))
        };
        let good = with("{ table: t_1, key: id, size: 200 }").unwrap();
        assert_eq!(good.queries["plain"].batches.as_ref().map(|batches| batches.size), Some(200));
        for (batches, told) in [
            ("{ table: t; DROP TABLE t, key: id, size: 1 }", "batches.table: must be letters, digits and `_`"),
            ("{ table: t, key: id, size: 0 }", "batches.size: must be from 1 to 100000"),
            ("{ table: t, kye: id, size: 1 }", "`kye` (did you mean `key`?)"),
        ] {
            let problems: Vec<String> = with(batches).unwrap_err().iter().map(ToString::to_string).collect();
            assert!(problems.iter().any(|problem| problem.contains(told)), "{problems:?}");
        }
        let watched = manifest(&TEXT.replace("plain.sql", "plain.sql, batches: { table: t, key: id, size: 1 }"));
        assert!(watched.unwrap_err()[0].to_string().contains("cannot be watched"));
    }

    #[test]
    fn values_have_the_types_of_their_parameters_and_times_are_utc() {
        let moment = |text: &str| Value::Timestamp(text.to_owned());
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(
            values(&["name=x"]).unwrap(),
            [moment("2026-02-28 23:30:00.000000"), Value::Integer(10), Value::Number(0.5), text("x")]
        );
        let given = ["name='; --", "limit=7", "share=1", "since=2026-01-31T12:00:00.1234567+05:30"];
        assert_eq!(
            values(&given).unwrap(),
            [moment("2026-01-31 06:30:00.123456"), Value::Integer(7), Value::Number(1.0), text("'; --")]
        );
        for (given, expected) in
            [("now", "2026-03-01 00:30"), ("-90s", "2026-03-01 00:28"), ("-1d1h", "2026-02-27 23:30")]
        {
            let Value::Timestamp(found) = &values(&["name=x", &format!("since={given}")]).unwrap()[0] else { panic!() };
            assert!(found.starts_with(expected), "{given}: {found}");
        }
    }

    #[test]
    fn every_bad_value_is_named() {
        let how = "must be a time: 2026-01-31T12:00:00Z, now, or a time ago such as -90s, -30m, -1h or -2d";
        let given = ["sinc=now", "limit=0", "limit=x", "since=yesterday", "since=-1", "name=123456", "what", "share=2"];
        let expected = [
            "the query `busy` has no parameter `sinc` (did you mean `since`?)".to_owned(),
            "`limit` must be from 1 to 1000: 0".to_owned(),
            "`limit` must be an integer: x".to_owned(),
            format!("`since` {how}: yesterday"),
            format!("`since` {how}: -1"),
            "`name` must have at most 5 characters: 123456".to_owned(),
            "`--param what` has no `=`: write --param name=value".to_owned(),
            "`share` must be from 0 to 1: 2".to_owned(),
        ];
        assert_eq!(values(&given).unwrap_err(), expected);
        assert_eq!(values(&[]).unwrap_err(), ["`name` has no default and needs a value: --param name=…"]);
        assert_eq!(values(&["name=a", "name=b"]).unwrap_err(), ["`name` is given twice"]);
    }

    #[test]
    fn what_is_wrong_in_a_manifest_s_queries_is_told_at_once() {
        let text = "
lab: demo
description: a demo
stacks: [aurora]
queries:
  Busy: { description: x, file: ../x.sql, parameters: { s: { type: timestmp } } }
  other:
    description: x
    fil: a.sql
    parameters: { n: { type: integer, default: x }, t: { type: timestamp, default: soon, min: 1 }, need: { type: string } }
    chart: { x: a, z: b, every: hour }
  needy: { description: x, file: a.sql, parameters: { need: { type: string } } }
watch: { queries: [needy, nothing, neddy] }
";
        let problems: Vec<String> = manifest(text).unwrap_err().iter().map(ToString::to_string).collect();
        let expected = [
            "6:3: queries.Busy: a query's name is small letters, digits and hyphens, a letter first",
            "6:33: queries.Busy.file: must be a path beside the manifest, without `..`",
            "6:68: queries.Busy.parameters.s.type: unknown type `timestmp` (did you mean `timestamp`?)",
            "8:5: queries.other: `file` is missing",
            "9:5: queries.other: unknown key of a query `fil` (did you mean `file`?)",
            "10:48: queries.other.parameters.n.default: must be an integer: x",
            "10:84: queries.other.parameters.t.default: must be a time: 2026-01-31T12:00:00Z, now, or a time ago such as -90s, -30m, -1h or -2d: soon",
            "10:90: queries.other.parameters.t: unknown key of a query's parameter of type timestamp `min`",
            "11:12: queries.other.chart: `y` is missing",
            "11:20: queries.other.chart: unknown key of `chart` `z`",
            "11:33: queries.other.chart.every: must be a length of time such as 30m, 1h or 1d: hour",
            "12:3: queries: need `sql`, which names the database and the folder they lie in",
            "13:20: watch.queries: `needy` cannot be watched: its parameter `need` has no default",
            "13:27: watch.queries: `nothing` is no query of this lab",
            "13:36: watch.queries: `neddy` is no query of this lab (did you mean `needy`?)",
        ];
        assert_eq!(problems, expected);
    }
}
