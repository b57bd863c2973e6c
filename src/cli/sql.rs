//! `labctl sql`.

use super::chart::ChartArgs;
use super::context::Context;
use super::deployed::Deployed;
use super::query;
use super::select::LabArg;
use crate::engine::run::names_of;
use crate::engine::steps::sql::{address, loader};
use crate::error::Failure;
use crate::sql::data_api::Execute;
use crate::sql::{self, DataApi, ResultSet, SqlFile};
use crate::ui::printer::{Notes, tame};
use crate::ui::{Answer, Format, Table, Theme, words};
use serde::Serialize;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Run SQL on a lab's database
///
/// Over the Data API: from any machine, without a connection to the database. With a folder, its files are applied in the
/// order of their names, each statement once: a ledger in the database remembers. With --query, one of the queries that the lab's
/// manifest names. Without any of these: a prompt, or the statements that are piped in.
#[derive(clap::Args, Debug)]
pub(crate) struct SqlArgs {
    #[command(flatten)]
    lab: LabArg,
    /// Statement to run; may be given several times
    #[arg(short = 'e', long = "execute", value_name = "STMT", conflicts_with_all = ["file", "dir", "query", "queries"])]
    execute: Vec<String>,
    /// File of statements to run
    #[arg(short = 'f', long, value_name = "FILE", conflicts_with_all = ["dir", "query", "queries"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    named: query::QueryArgs,
    #[command(flatten)]
    drawn: ChartArgs,
    /// Folder of SQL files to apply, each statement once
    #[arg(value_name = "DIR", conflicts_with_all = ["query", "queries"])]
    dir: Option<PathBuf>,
    /// Form of the rows
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: RowFormat,
}

impl SqlArgs {
    /// A folder's ledger tells the next run where to go on.
    pub(crate) fn resumes(&self) -> bool {
        self.dir.is_some()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum RowFormat {
    /// Columns that line up
    #[default]
    Table,
    /// Comma-separated values
    Csv,
    /// One JSON document
    Json,
}

/// Statements' results: one object, or several in `results`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Results<'a> {
    One(&'a ResultSet),
    Several { results: &'a [ResultSet] },
}

#[derive(Debug, Serialize)]
struct Applied {
    statements: usize,
    before: usize,
}

impl Answer for Applied {
    fn text(&self, _theme: Theme) -> String {
        let applied = words::count(self.statements, "statement");
        format!("{applied} applied, {} applied before\n", self.before)
    }
}

pub(crate) async fn run(args: SqlArgs, cx: &Context) -> Result<(), Failure> {
    if args.named.queries {
        return query::list(&args.lab, cx);
    }
    let deployed = Deployed::of(cx, &args.lab).await?;
    let database = database(cx, &deployed)?;
    let names = names_of(&deployed.wanted, &deployed.known);
    let format = if cx.globals.output == Format::Json { RowFormat::Json } else { args.format };
    if let Some(name) = &args.named.query {
        let query = query::Prepared::of(&deployed.wanted.lab, name, &args.named.param)?;
        let chart = args.drawn.is_asked().then(|| query::chart(&deployed.wanted.lab, name)).transpose()?;
        let result = query.run(&database, notes(cx)).await?;
        if let Some(chart) = chart {
            args.drawn.draw(cx, name, chart, &result)?;
        }
        if chart.is_none() || cx.globals.output == Format::Json {
            show(cx, &[result], format);
        }
        return Ok(());
    }
    if let Some(folder) = &args.dir {
        let loader = loader(&deployed.aws, &names);
        let job = sql::Job {
            database: &database,
            values: &names,
            loader: loader.as_ref().map(|loader| loader as &dyn sql::Loader),
            progress: &notes(cx),
        };
        return apply(cx, &read_folder(folder)?, &job).await;
    }
    let texts = match &args.file {
        Some(file) => vec![read(file)?],
        None if args.execute.is_empty() && std::io::stdin().is_terminal() => {
            return prompt(cx, &database, format).await;
        }
        None if args.execute.is_empty() => vec![read_input().await?],
        None => args.execute.clone(),
    };
    let results = run_all(&database, &texts).await?;
    show(cx, &results, format);
    Ok(())
}

/// Runs every statement of `texts`. The first that fails ends it, and the last needs no semicolon.
async fn run_all(database: &dyn Execute, texts: &[String]) -> Result<Vec<ResultSet>, Failure> {
    let mut results = Vec::new();
    for text in texts {
        for statement in split(text)? {
            let ran = database.execute(&statement.text, &[], None).await;
            results.push(ran.map_err(|error| failed(&statement, results.len(), error))?);
        }
    }
    if results.is_empty() {
        return Err(Failure::usage("there is no statement to run"));
    }
    Ok(results)
}

fn split(text: &str) -> Result<Vec<sql::Statement>, Failure> {
    sql::split(text).map_err(|error| Failure::usage("cannot read the SQL").because(error))
}

/// A failed statement, and what came before it and is committed.
fn failed(statement: &sql::Statement, before: usize, error: sql::SqlError) -> Failure {
    let begins = statement.beginning(4);
    let failure = Failure::failed(format!("statement failed on line {}: {begins}", statement.line)).because(error);
    match before {
        0 => failure,
        1 => failure.hint("the statement before it is committed"),
        before => failure.hint(format!("the {before} statements before it are committed")),
    }
}

fn database(cx: &Context, deployed: &Deployed) -> Result<DataApi, Failure> {
    Ok(data_api(deployed)?.telling(notes(cx)))
}

/// The Data API of the lab's cluster, which says nothing of what it waits for.
pub(super) fn data_api(deployed: &Deployed) -> Result<DataApi, Failure> {
    let Deployed { aws, wanted, known, .. } = deployed;
    let lab = &wanted.instance.lab;
    let cluster = wanted.lab.manifest.sql.as_ref().map(|sql| sql.cluster.name.clone());
    let cluster =
        cluster.ok_or_else(|| Failure::usage(format!("lab `{lab}` has no database: its manifest has no `sql`")))?;
    let outputs = known.outputs.get(&cluster).cloned().unwrap_or_default();
    let address =
        address(&outputs).map_err(|output| Failure::failed(format!("stack `{cluster}` has no output `{output}`")))?;
    Ok(DataApi::new(aws.rdsdata(), address))
}

/// Says on stderr what is being done.
pub(super) fn notes(cx: &Context) -> impl Fn(&str) + Send + Sync + use<> {
    let notes = Notes::new(cx.ui.is_quiet(), cx.ui.err_theme());
    move |text| notes.note(text)
}

async fn apply(cx: &Context, files: &[SqlFile], job: &sql::Job<'_>) -> Result<(), Failure> {
    let applied = sql::apply(files, job).await;
    let applied = applied.map_err(|error| Failure::failed("cannot apply the folder").because(error))?;
    cx.ui.answer(&Applied { statements: applied.statements, before: applied.before });
    Ok(())
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read `{}`", file.display())).because(error))
}

/// What is piped in, as a whole: it is to end in one result, and its reader must not block an interruption.
async fn read_input() -> Result<String, Failure> {
    let read = tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await;
    let read = read.unwrap_or_else(|gone| Err(gone.into()));
    read.map_err(|error| Failure::usage("cannot read statements from stdin").because(error))
}

fn read_folder(folder: &Path) -> Result<Vec<SqlFile>, Failure> {
    let unreadable = |error| {
        let failure = Failure::usage(format!("cannot read the folder `{}`", folder.display())).because(error);
        failure.hint("a statement goes behind -e, a file behind -f")
    };
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let paths = entries.map_err(unreadable)?.into_iter().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|end| end == "sql")).collect();
    paths.sort();
    if paths.is_empty() {
        return Err(Failure::usage(format!("`{}` has no files that end in .sql", folder.display())));
    }
    let file = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(SqlFile { name, text: read(path)? })
    };
    paths.iter().map(file).collect()
}

fn show(cx: &Context, results: &[ResultSet], format: RowFormat) {
    match (format, results) {
        (RowFormat::Json, [one]) => cx.ui.document(&Results::One(one)),
        (RowFormat::Json, several) => cx.ui.document(&Results::Several { results: several }),
        (RowFormat::Csv, several) => {
            let rows = several.iter().filter(|result| !result.columns.is_empty());
            cx.ui.raw(&rows.map(ResultSet::csv).collect::<Vec<_>>().join("\r\n"));
        }
        (RowFormat::Table, several) => {
            // Who reads it on a screen reads no lines that are broken; a program gets the lines whole.
            let width = if cx.ui.shows() { cx.ui.columns() } else { usize::MAX };
            let texts: Vec<String> = several.iter().map(|result| table(result, (width, cx.ui.out_theme()))).collect();
            cx.ui.raw(&texts.join("\n"));
        }
    }
}

fn table(result: &ResultSet, (width, theme): (usize, Theme)) -> String {
    if result.columns.is_empty() {
        return format!("{} affected\n", words::count(usize::try_from(result.rows_affected).unwrap_or(0), "row"));
    }
    let headings: Vec<&str> = result.columns.iter().map(|column| column.name.as_str()).collect();
    let mut table = Table::new(&headings);
    for row in &result.rows {
        table.row(row.iter().map(|value| tame(&ResultSet::cell(value).unwrap_or_else(|| "NULL".to_owned()))));
    }
    format!("{}{}\n", table.render_within(width, theme), words::count(result.rows.len(), "row"))
}

/// Reads statements until the end of input; each ends with a semicolon.
async fn prompt(cx: &Context, database: &DataApi, format: RowFormat) -> Result<(), Failure> {
    let unusable = |error: rustyline::error::ReadlineError| Failure::failed("cannot read statements").because(error);
    let mut editor = rustyline::DefaultEditor::new().map_err(unusable)?;
    let mut text = String::new();
    cx.ui.note("each statement ends with a semicolon; `exit` or Ctrl-D leaves");
    loop {
        let mark = if text.is_empty() { "sql> " } else { "  -> " };
        // Reading blocks; nothing else is to be done meanwhile.
        match tokio::task::block_in_place(|| editor.readline(mark)) {
            Ok(line) => text.push_str(&(line + "\n")),
            Err(rustyline::error::ReadlineError::Interrupted) => {
                text.clear();
                continue;
            }
            Err(rustyline::error::ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(unusable(error)),
        }
        if matches!(text.trim(), "exit" | "quit" | "exit;" | "quit;") {
            return Ok(());
        }
        if !text.trim_end().ends_with(';') {
            continue;
        }
        // Memory of what was typed is a comfort: without it the prompt still works.
        let _ = editor.add_history_entry(text.trim());
        // A refused statement ends nothing here: the next one can be typed.
        if let Err(failure) = run_typed(cx, database, &std::mem::take(&mut text), format).await {
            cx.ui.failure(&failure);
        }
    }
}

async fn run_typed(cx: &Context, database: &DataApi, text: &str, format: RowFormat) -> Result<(), Failure> {
    for statement in split(text)? {
        let ran = database.execute(&statement.text, &[], None).await;
        show(cx, &[ran.map_err(|error| failed(&statement, 0, error))?], format);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::SqlError;
    use std::sync::Mutex;

    /// Remembers what ran and refuses what has `BAD` in it.
    #[derive(Default)]
    struct Fake(Mutex<Vec<String>>);

    #[async_trait::async_trait]
    impl Execute for Fake {
        async fn execute(&self, text: &str, _: &[(&str, &str)], _: Option<&str>) -> Result<ResultSet, SqlError> {
            if text.contains("BAD") {
                return Err(SqlError::Refused { message: "You have an error in your SQL syntax".to_owned() });
            }
            self.0.lock().unwrap().push(text.to_owned());
            Ok(ResultSet::default())
        }
        async fn begin(&self) -> Result<String, SqlError> {
            Ok("t".to_owned())
        }
        async fn commit(&self, _: &str) -> Result<(), SqlError> {
            Ok(())
        }
        async fn rollback(&self, _: &str) -> Result<(), SqlError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_last_statement_needs_no_semicolon_and_a_refused_one_is_a_failure() {
        let database = Fake::default();
        let run = async |text: &str| run_all(&database, &[text.to_owned()]).await;
        assert_eq!(run("SELECT 1;\nDELETE FROM t").await.unwrap().len(), 2);
        assert_eq!(*database.0.lock().unwrap(), ["SELECT 1", "DELETE FROM t"]);
        let failure = run("SELECT 2; BAD 1; SELECT 3").await.unwrap_err();
        assert!(failure.summary.contains("BAD 1") && failure.hints == ["the statement before it is committed"]);
        assert!(!database.0.lock().unwrap().contains(&"SELECT 3".to_owned()));
        assert_eq!(run(" -- nothing\n").await.unwrap_err().summary, "there is no statement to run");
    }
}
