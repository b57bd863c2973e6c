//! The named queries of a lab's manifest: what `labctl sql --query` and the dashboard run.

use super::context::Context;
use super::select::LabArg;
use crate::error::Failure;
use crate::lab::Lab;
use crate::lab::model::{Batches, Chart, Query};
use crate::lab::queries::{self, RANGE, Value};
use crate::sql::{self, DataApi, Parameter, ResultSet, SqlError};
use crate::template::problem::nearest;
use crate::ui::{Answer, Table, Theme, words};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// The arguments of `labctl sql` that are about named queries.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct QueryArgs {
    /// Query of the lab's manifest to run
    #[arg(long, value_name = "NAME", conflicts_with = "queries")]
    pub(super) query: Option<String>,
    /// Value of a parameter of the query; may be given several times
    #[arg(long, value_name = "NAME=VALUE", requires = "query", conflicts_with_all = ["execute", "file", "dir"])]
    pub(super) param: Vec<String>,
    /// List the queries of the lab's manifest and their parameters
    #[arg(long)]
    pub(super) queries: bool,
}

/// A query with its statement and the values of its parameters.
#[derive(Debug)]
pub(super) struct Prepared {
    name: String,
    statement: String,
    values: Vec<(String, Parameter)>,
    batches: Option<Batches>,
}

/// `ER_LOCK_DEADLOCK` and `ER_LOCK_WAIT_TIMEOUT`: all that the batch did is undone, and it can be done again.
const UNDONE: [&str; 2] = ["Database error code: 1213.", "Database error code: 1205."];
const TRIES: usize = 5;
/// How often one who waits is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(2);

impl Prepared {
    /// What is wrong with the name, the values and the query's file is told before anything is sent.
    pub(super) fn of(lab: &Lab, name: &str, given: &[String]) -> Result<Prepared, Failure> {
        let query = lab.manifest.queries.get(name).ok_or_else(|| unknown(lab, name))?;
        let refused = |problems| Failure::usage(format!("cannot run the query `{name}`")).with_problems(problems);
        let bound = queries::bind(name, query, given, OffsetDateTime::now_utc()).map_err(refused)?;
        let file = lab.queries.iter().find(|file| file.name == name).map(|file| file.bytes.as_slice());
        let text = std::str::from_utf8(file.unwrap_or_default()).unwrap_or_default();
        let statement = one_statement(query, text).map_err(|problem| refused(vec![problem]))?;
        let values = bound.into_iter().map(|(name, value)| (name, parameter(value))).collect();
        Ok(Prepared { name: name.to_owned(), statement, values, batches: query.batches.clone() })
    }

    /// `tell` hears how far a query in batches is.
    pub(super) async fn run(&self, database: &DataApi, tell: impl Fn(&str)) -> Result<ResultSet, Failure> {
        let Some(batches) = &self.batches else {
            return database.query(&self.statement, &self.values).await.map_err(|error| self.failed(error));
        };
        let mut whole = ResultSet::default();
        self.in_batches(database, batches, &mut whole, tell).await.map_err(|error| {
            let done = words::count(usize::try_from(whole.rows_affected).unwrap_or_default(), "row");
            self.failed(error).hint(format!("what came before is committed: {done}"))
        })?;
        Ok(whole)
    }

    fn failed(&self, error: SqlError) -> Failure {
        Failure::failed(format!("the query `{}` failed", self.name)).because(error)
    }

    async fn in_batches(
        &self,
        database: &DataApi,
        Batches { table, key, size }: &Batches,
        whole: &mut ResultSet,
        tell: impl Fn(&str),
    ) -> Result<(), SqlError> {
        let last = database.query(&format!("SELECT MAX({key}) FROM {table}"), &[]).await?;
        let Some(last) = whole_number(&last, 0) else { return Ok(()) };
        let next = format!(
            "SELECT MIN({key}), MAX({key}) FROM \
             (SELECT {key} FROM {table} WHERE {key} > :after AND {key} <= :last ORDER BY {key} LIMIT {size}) AS batch"
        );
        let (mut after, mut told) = (i64::MIN, Instant::now());
        loop {
            let range = [("after", after), ("last", last)];
            let range =
                database.query(&next, &range.map(|(name, at)| (name.to_owned(), Parameter::Integer(at)))).await?;
            let (Some(from), Some(to)) = (whole_number(&range, 0), whole_number(&range, 1)) else { return Ok(()) };
            after = to;
            let range = RANGE.iter().zip([from, to]).map(|(name, at)| ((*name).to_owned(), Parameter::Integer(at)));
            let values: Vec<_> = self.values.iter().cloned().chain(range).collect();
            let mut tries = 1;
            let part = loop {
                match database.query(&self.statement, &values).await {
                    Err(SqlError::Refused { message })
                        if tries < TRIES && UNDONE.iter().any(|code| message.starts_with(code)) =>
                    {
                        tries += 1;
                    }
                    done => break done?,
                }
            };
            whole.rows_affected += part.rows_affected;
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tell(&format!("{key} {to} of {last}, {}", words::count(whole.rows_affected as usize, "row")));
            }
        }
    }
}

/// A number in the first row.
fn whole_number(result: &ResultSet, column: usize) -> Option<i64> {
    result.rows.first()?.get(column)?.as_i64()
}

fn parameter(value: Value) -> Parameter {
    match value {
        Value::Text(text) => Parameter::Text(text),
        Value::Integer(number) => Parameter::Integer(number),
        Value::Number(number) => Parameter::Number(number),
        Value::Timestamp(text) => Parameter::Timestamp(text),
    }
}

/// What the manifest says of a query's chart.
pub(super) fn chart<'l>(lab: &'l Lab, name: &str) -> Result<&'l Chart, Failure> {
    let chart = lab.manifest.queries.get(name).and_then(|query| query.chart.as_ref());
    chart.ok_or_else(|| {
        Failure::usage(format!("the query `{name}` has no chart"))
            .hint("say which columns it is made of, `chart: { x: …, y: … }`: docs/guide/manifest.md")
    })
}

/// The one statement of a query's file, whose parameters are those of the manifest.
fn one_statement(query: &Query, text: &str) -> Result<String, String> {
    let statements = sql::split(text).map_err(|error| format!("{}: {error}", query.file))?;
    let [statement] = statements.as_slice() else {
        return Err(format!("{} must have one statement; it has {}", query.file, statements.len()));
    };
    let used: BTreeSet<&str> = sql::placeholders(&statement.text).into_iter().collect();
    let range = RANGE.iter().copied().filter(|_| query.batches.is_some());
    let known: BTreeSet<&str> = query.parameters.keys().map(String::as_str).chain(range).collect();
    let list = |names: Vec<&&str>| names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let (undeclared, unused): (Vec<_>, Vec<_>) = (used.difference(&known).collect(), known.difference(&used).collect());
    if !undeclared.is_empty() {
        return Err(format!("{} uses parameters that the manifest does not have: {}", query.file, list(undeclared)));
    }
    if !unused.is_empty() {
        return Err(format!("{} does not use parameters of the manifest: {}", query.file, list(unused)));
    }
    Ok(statement.text.clone())
}

fn unknown(lab: &Lab, name: &str) -> Failure {
    let lab_name = &lab.manifest.lab;
    let known: Vec<&str> = lab.manifest.queries.keys().map(String::as_str).collect();
    let failure = match nearest(name, known.iter().copied()) {
        Some(near) => Failure::usage(format!("lab `{lab_name}` has no query `{name}` (did you mean `{near}`?)")),
        None => Failure::usage(format!("lab `{lab_name}` has no query `{name}`")),
    };
    match known.is_empty() {
        true => failure.hint("add `queries` to its lab.yaml: docs/guide/manifest.md"),
        false => failure.hint(format!("its queries: {}", known.join(", "))),
    }
}

#[derive(Debug, Serialize)]
struct Listed {
    lab: String,
    queries: Vec<ListedQuery>,
}

#[derive(Debug, Serialize)]
struct ListedQuery {
    query: String,
    description: String,
    parameters: Vec<ListedParameter>,
}

#[derive(Debug, Serialize)]
struct ListedParameter {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    default: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Answer for Listed {
    fn text(&self, theme: Theme) -> String {
        if self.queries.is_empty() {
            return format!("lab `{}` has no named queries\n", self.lab);
        }
        let mut table = Table::new(&["query", "parameters", ""]);
        for query in &self.queries {
            let parameters = query.parameters.iter().map(|parameter| match &parameter.default {
                Some(default) => format!("{}={default}", parameter.name),
                None => format!("{}=…", parameter.name),
            });
            table.row([query.query.clone(), parameters.collect::<Vec<_>>().join(" "), query.description.clone()]);
        }
        table.render(theme)
    }
}

/// The queries of a lab, deployed or not.
pub(super) fn list(lab: &LabArg, cx: &Context) -> Result<(), Failure> {
    let lab = lab.load()?;
    let listed = |(name, query): (&String, &Query)| ListedQuery {
        query: name.clone(),
        description: query.description.clone(),
        parameters: query
            .parameters
            .iter()
            .map(|(name, parameter)| ListedParameter {
                name: name.clone(),
                kind: parameter.kind.name(),
                default: parameter.default.clone(),
                description: parameter.description.clone(),
            })
            .collect(),
    };
    let queries = lab.manifest.queries.iter().map(listed).collect();
    cx.ui.answer(&Listed { lab: lab.manifest.lab, queries });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab;
    use std::path::Path;

    #[test]
    fn every_named_query_of_the_built_in_labs_can_be_prepared() {
        for name in lab::builtin::labs() {
            let lab = lab::load(Some(name), Path::new("/nowhere")).expect("loads");
            for (name, query) in &lab.manifest.queries {
                let needed = query.parameters.iter().filter(|(_, parameter)| parameter.default.is_none());
                let given: Vec<String> = needed.map(|(name, _)| format!("{name}=1")).collect();
                if let Err(failure) = Prepared::of(&lab, name, &given) {
                    panic!("{name}: {failure} {:?}", failure.problems);
                }
            }
        }
    }

    #[test]
    fn a_query_is_one_statement_with_the_parameters_of_the_manifest() {
        let text = "lab: demo\ndescription: a demo\nstacks: [aurora]\nsql: { path: sql, cluster: aurora }\n\
            queries: { q: { description: d, file: q.sql, parameters: { limit: { type: integer } } } }\n";
        let manifest = lab::validate::manifest(text).expect("a manifest");
        let one = |text: &str| one_statement(&manifest.queries["q"], text);
        assert_eq!(one("-- why\nSELECT 1 LIMIT :limit;\n").expect("good"), "SELECT 1 LIMIT :limit");
        assert_eq!(one("SELECT 1; SELECT :limit").unwrap_err(), "q.sql must have one statement; it has 2");
        assert_eq!(one("SELECT 1").unwrap_err(), "q.sql does not use parameters of the manifest: `limit`");
        let undeclared = "q.sql uses parameters that the manifest does not have: `limt`, `to`";
        assert_eq!(one("SELECT :limt, :to").unwrap_err(), undeclared);
    }
}
