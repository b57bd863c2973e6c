//! A folder of SQL files, applied statement by statement, each recorded in a table of the database itself.
//!
//! A statement that can be rolled back shares a transaction with its record. One that commits by itself (DDL) is recorded as
//! begun before it runs and as applied after: when an interruption fell between, it is run again, and that what it makes is
//! there already counts as done.

use std::collections::BTreeMap;

use super::data_api::{Execute, SqlError};
use super::split::{SplitError, Statement, split};
use super::substitute::{SubstituteError, substitute};

/// One file: its name decides its place in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlFile {
    pub name: String,
    pub text: String,
}

/// The other way for `LOAD DATA FROM S3`: a function inside the VPC (`docs/design/002-loading-csv.md`).
#[async_trait::async_trait]
pub trait Loader: Send + Sync {
    /// Runs the statement; the error is what the function said.
    async fn load(&self, statement: &str) -> Result<(), String>;
}

/// How a folder is applied.
pub struct Job<'a> {
    pub database: &'a dyn Execute,
    /// Fill `${Name}`.
    pub values: &'a BTreeMap<String, String>,
    pub loader: Option<&'a dyn Loader>,
    /// Hears of each statement.
    pub progress: &'a (dyn Fn(&str) + Send + Sync),
}

/// What `apply` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Statements that were run now.
    pub statements: usize,
    /// Statements that had been applied before.
    pub before: usize,
}

/// Why a folder was not applied to its end. What came before the named statement is committed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("{file}: {source}")]
    Split { file: String, source: SplitError },
    #[error("{file}: {}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Substitute { file: String, errors: Vec<SubstituteError> },
    #[error(
        "{file}:{line}: statement {number} ({head} …) was applied already and has been changed since; undo the change or add a new file"
    )]
    Changed { file: String, line: usize, number: usize, head: String },
    #[error("{file} has {now} statements and {applied} were applied already; what was applied cannot be taken out")]
    Shortened { file: String, now: usize, applied: usize },
    #[error("{file}:{line}: statement {number} ({head} …) failed; {committed}")]
    Statement { file: String, line: usize, number: usize, head: String, committed: String, source: SqlError },
    #[error("the ledger in the database: {0}")]
    Ledger(#[from] SqlError),
}

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS labctl_ledger (
    file VARCHAR(200) NOT NULL,
    statement INT NOT NULL,
    checksum CHAR(64) NOT NULL,
    begun TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    applied TIMESTAMP(6) NULL,
    PRIMARY KEY (file, statement)
) CHARACTER SET utf8mb4";

/// MySQL's ways to say that what a statement makes is there already: database, table, column, key, user, role granted.
const THERE_ALREADY: &[&str] =
    &["already exists", "Duplicate column name", "Duplicate key name", "Operation CREATE USER failed"];

struct Row {
    checksum: String,
    applied: bool,
}

type Rows = BTreeMap<(String, usize), Row>;

/// Checks all files, then applies what the ledger does not have.
///
/// # Errors
/// See [`ApplyError`]. Files that do not split or fill in, and changes to applied statements, are found before anything runs.
pub async fn apply(files: &[SqlFile], job: &Job<'_>) -> Result<Applied, ApplyError> {
    let files = prepare(files, job.values)?;
    let ledger = read_ledger(job.database).await?;
    compare(&files, &ledger)?;
    let mut done = Applied::default();
    for file in &files {
        for (number, (statement, text)) in (1..).zip(&file.statements) {
            let row = ledger.get(&(file.name.clone(), number));
            if row.is_some_and(|row| row.applied) {
                done.before += 1;
                continue;
            }
            (job.progress)(&format!("{}:{} {}", file.name, statement.line, statement.head(4)));
            let entry = Entry {
                file: &file.name,
                number,
                statement,
                text,
                begun: row.is_some_and(|row| row.checksum == statement.checksum()),
            };
            entry.run(job).await.map_err(|source| entry.failed(source))?;
            done.statements += 1;
        }
    }
    Ok(done)
}

/// Everything that would keep `apply` from running the first statement, of all files at once.
pub fn refused(files: &[SqlFile], values: &BTreeMap<String, String>) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files {
        let statements = match split(&file.text) {
            Ok(statements) => statements,
            Err(error) => {
                problems.push(format!("{}: {error}", file.name));
                continue;
            }
        };
        for statement in statements {
            let errors = substitute(&statement.text, values).err().unwrap_or_default();
            problems
                .extend(errors.into_iter().map(|error| format!("{}: {}", file.name, error.from_line(statement.line))));
        }
    }
    problems
}

struct Prepared {
    name: String,
    /// The statement as written (its checksum is the ledger's) and as filled in.
    statements: Vec<(Statement, String)>,
}

fn prepare(files: &[SqlFile], values: &BTreeMap<String, String>) -> Result<Vec<Prepared>, ApplyError> {
    let prepare = |file: &SqlFile| {
        let name = file.name.clone();
        let statements = split(&file.text).map_err(|source| ApplyError::Split { file: name.clone(), source })?;
        let fill = |statement: Statement| {
            let text = substitute(&statement.text, values);
            let in_file = |errors: Vec<SubstituteError>| {
                errors.into_iter().map(|error| error.from_line(statement.line)).collect::<Vec<_>>()
            };
            match text.map_err(in_file) {
                Ok(text) => Ok((statement, text)),
                Err(errors) => Err(ApplyError::Substitute { file: name.clone(), errors }),
            }
        };
        let statements = statements.into_iter().map(fill).collect::<Result<_, _>>()?;
        Ok(Prepared { name: name.clone(), statements })
    };
    files.iter().map(prepare).collect()
}

async fn read_ledger(database: &dyn Execute) -> Result<Rows, SqlError> {
    again(|| database.execute(LEDGER, &[], None)).await?;
    let rows = database
        .execute("SELECT file, statement, checksum, IF(applied IS NULL, 0, 1) AS applied FROM labctl_ledger", &[], None)
        .await?;
    Ok(rows
        .rows
        .iter()
        .filter_map(|row| match row.as_slice() {
            [file, statement, checksum, applied] => Some((
                (file.as_str()?.to_owned(), usize::try_from(statement.as_u64()?).ok()?),
                Row { checksum: checksum.as_str()?.to_owned(), applied: applied.as_i64() == Some(1) },
            )),
            _ => None,
        })
        .collect())
}

/// What was applied must still be there, unchanged.
fn compare(files: &[Prepared], ledger: &Rows) -> Result<(), ApplyError> {
    for file in files {
        let applied = ledger.iter().filter(|((name, _), row)| *name == file.name && row.applied);
        for ((_, number), row) in applied.clone() {
            let Some((statement, _)) = file.statements.get(number - 1) else {
                let (now, applied) = (file.statements.len(), applied.count());
                return Err(ApplyError::Shortened { file: file.name.clone(), now, applied });
            };
            if statement.checksum() != row.checksum {
                let (line, head) = (statement.line, statement.head(4));
                return Err(ApplyError::Changed { file: file.name.clone(), line, number: *number, head });
            }
        }
    }
    Ok(())
}

fn is_there_already(error: &SqlError) -> bool {
    matches!(error, SqlError::Refused { message } if THERE_ALREADY.iter().any(|there| message.contains(there)))
}

/// Does what may be done twice, again when no clear answer came.
async fn again<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, SqlError>
where
    F: Future<Output = Result<T, SqlError>>,
{
    let mut tries = 1;
    loop {
        match attempt().await {
            Err(SqlError::Lost { .. }) if tries < TIMEOUTS => tries += 1,
            done => return done,
        }
    }
}

/// A statement of more than 45 s, or one that waits for the transaction of a run that was killed: the Data API ends that after
/// three idle minutes.
const TIMEOUTS: usize = 6;

fn is_timeout(error: &SqlError) -> bool {
    matches!(error, SqlError::Aws(error) if error.is("StatementTimeoutException"))
}

struct Entry<'a> {
    file: &'a str,
    number: usize,
    statement: &'a Statement,
    text: &'a str,
    /// The ledger has this very statement as begun: an earlier run was interrupted in it.
    begun: bool,
}

impl Entry<'_> {
    async fn run(&self, job: &Job<'_>) -> Result<(), SqlError> {
        if self.statement.commits_by_itself() {
            return self.run_alone(job.database).await;
        }
        match (self.run_in_transaction(job.database).await, job.loader) {
            (Err(SqlError::NotRunHere { .. }), Some(loader)) if self.statement.head(4) == "LOAD DATA FROM S3" => {
                loader.load(self.text).await.map_err(|message| SqlError::Refused { message })?;
                self.record(job.database, "CURRENT_TIMESTAMP(6)", None).await
            }
            (done, _) => done,
        }
    }

    async fn run_alone(&self, database: &dyn Execute) -> Result<(), SqlError> {
        self.record(database, "NULL", None).await?;
        let (mut begun, mut tries) = (self.begun, 0);
        while let Err(error) = database.execute(self.text, &[], None).await {
            tries += 1;
            match error {
                error if begun && is_there_already(&error) => break,
                // It goes on in the database, and what it makes is its own when it is asked for again.
                error if is_timeout(&error) && tries < TIMEOUTS => begun = true,
                // It may have made it.
                SqlError::Lost { .. } if tries < TIMEOUTS => begun = true,
                // Refused is not interrupted: the next run must not take what it finds for its own.
                error @ (SqlError::Refused { .. } | SqlError::NotRunHere { .. }) => {
                    self.forget(database).await?;
                    return Err(error);
                }
                // Without an answer the statement may have taken effect, and stays begun.
                error => return Err(error),
            }
        }
        self.record(database, "CURRENT_TIMESTAMP(6)", None).await
    }

    /// All of it or nothing: where no clear answer came, the record tells, since it is a part of the transaction.
    async fn run_in_transaction(&self, database: &dyn Execute) -> Result<(), SqlError> {
        let mut lost = 0;
        loop {
            match self.in_transaction(database, lost > 0).await {
                Err(SqlError::Lost { .. }) if lost < TIMEOUTS => lost += 1,
                // The one that was lost may still hold what this one waits for.
                Err(error) if is_timeout(&error) && (1..TIMEOUTS).contains(&lost) => lost += 1,
                done => return done,
            }
        }
    }

    async fn in_transaction(&self, database: &dyn Execute, was_lost: bool) -> Result<(), SqlError> {
        let transaction = database.begin().await?;
        let work = async {
            if was_lost && self.is_applied(database, &transaction).await? {
                return Ok(());
            }
            database.execute(self.text, &[], Some(&transaction)).await?;
            self.record(database, "CURRENT_TIMESTAMP(6)", Some(&transaction)).await
        };
        match work.await {
            Ok(()) => database.commit(&transaction).await,
            Err(error) => {
                // The statement's own error is the one to tell; a transaction that is not ended ends by itself.
                let _ = database.rollback(&transaction).await;
                Err(error)
            }
        }
    }

    /// Whether the record is there; waits for a transaction that is about to write it.
    async fn is_applied(&self, database: &dyn Execute, transaction: &str) -> Result<bool, SqlError> {
        let number = self.number.to_string();
        let statement = "SELECT file FROM labctl_ledger \
             WHERE file = :file AND statement = :statement AND applied IS NOT NULL FOR UPDATE";
        let parameters = [("file", self.file), ("statement", &*number)];
        let found = database.execute(statement, &parameters, Some(transaction)).await?;
        Ok(!found.rows.is_empty())
    }

    async fn record(&self, database: &dyn Execute, applied: &str, transaction: Option<&str>) -> Result<(), SqlError> {
        let statement = format!(
            "REPLACE INTO labctl_ledger (file, statement, checksum, applied) VALUES (:file, :statement, :checksum, {applied})"
        );
        let (number, checksum) = (self.number.to_string(), self.statement.checksum());
        let parameters = [("file", self.file), ("statement", &*number), ("checksum", &*checksum)];
        match transaction {
            // One that is lost takes the whole transaction with it.
            Some(_) => database.execute(&statement, &parameters, transaction).await?,
            None => again(|| database.execute(&statement, &parameters, None)).await?,
        };
        Ok(())
    }

    async fn forget(&self, database: &dyn Execute) -> Result<(), SqlError> {
        let number = self.number.to_string();
        let statement = "DELETE FROM labctl_ledger WHERE file = :file AND statement = :statement";
        let parameters = [("file", self.file), ("statement", &*number)];
        again(|| database.execute(statement, &parameters, None)).await?;
        Ok(())
    }

    fn failed(&self, source: SqlError) -> ApplyError {
        let committed = match self.number {
            1 => "nothing of this file is applied".to_owned(),
            2 => "statement 1 is committed".to_owned(),
            number => format!("statements 1 to {} are committed", number - 1),
        };
        let (file, line, number) = (self.file.to_owned(), self.statement.line, self.number);
        ApplyError::Statement { file, line, number, head: self.statement.head(4), committed, source }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::super::result::ResultSet;
    use super::*;
    use crate::aws::AwsError;

    /// Remembers what ran; refuses what is told; keeps the ledger's rows.
    #[derive(Default)]
    struct Fake {
        ran: Mutex<Vec<String>>,
        ledger: Mutex<BTreeMap<(String, usize), (String, bool)>>,
        refuse: Mutex<Option<(String, String)>>,
        /// Of the next commit no answer comes; whether it is done.
        lose: Mutex<Option<bool>>,
    }

    #[async_trait::async_trait]
    impl Execute for Fake {
        async fn execute(
            &self,
            statement: &str,
            parameters: &[(&str, &str)],
            _: Option<&str>,
        ) -> Result<ResultSet, SqlError> {
            if statement.starts_with("REPLACE INTO labctl_ledger") {
                let value = |name| parameters.iter().find(|(key, _)| *key == name).unwrap().1.to_owned();
                let key = (value("file"), value("statement").parse().unwrap());
                self.ledger.lock().unwrap().insert(key, (value("checksum"), !statement.contains("NULL)")));
            } else if statement.starts_with("DELETE FROM labctl_ledger") {
                let number = parameters[1].1.parse().unwrap();
                self.ledger.lock().unwrap().remove(&(parameters[0].1.to_owned(), number));
            } else if statement.ends_with("FOR UPDATE") {
                let key = (parameters[0].1.to_owned(), parameters[1].1.parse().unwrap());
                let applied = self.ledger.lock().unwrap().get(&key).is_some_and(|(_, applied)| *applied);
                let rows = applied.then(|| vec![json!(key.0)]);
                return Ok(ResultSet { rows: rows.into_iter().collect(), ..ResultSet::default() });
            } else if statement.starts_with("SELECT file") {
                let ledger = self.ledger.lock().unwrap();
                let rows = ledger.iter().map(|((file, number), (sum, applied))| {
                    vec![json!(file), json!(number), json!(sum), json!(i32::from(*applied))]
                });
                return Ok(ResultSet { rows: rows.collect(), ..ResultSet::default() });
            } else if !statement.contains("labctl_ledger") {
                let refused = self.refuse.lock().unwrap().clone();
                if let Some((text, message)) = refused.filter(|(text, _)| statement.contains(text.as_str())) {
                    return Err(match message.as_str() {
                        "no answer" => lost(),
                        // It was done, and is there when it is asked for again.
                        "no answer of a change" => {
                            *self.refuse.lock().unwrap() = Some((text, "it already exists".to_owned()));
                            lost()
                        }
                        unsupported if unsupported.contains("not supported") => SqlError::NotRunHere { message },
                        _ => SqlError::Refused { message },
                    });
                }
                self.ran.lock().unwrap().push(statement.to_owned());
            }
            Ok(ResultSet::default())
        }
        async fn begin(&self) -> Result<String, SqlError> {
            Ok("t".to_owned())
        }
        async fn commit(&self, _: &str) -> Result<(), SqlError> {
            match self.lose.lock().unwrap().take() {
                None => return Ok(()),
                Some(true) => {}
                Some(false) => {
                    self.ledger.lock().unwrap().pop_last();
                    self.ran.lock().unwrap().pop();
                }
            }
            Err(lost())
        }
        async fn rollback(&self, _: &str) -> Result<(), SqlError> {
            Ok(())
        }
    }

    fn lost() -> SqlError {
        let source = "the connection broke".into();
        SqlError::Lost { source: AwsError::NoAnswer { operation: "ExecuteStatement", source } }
    }

    #[async_trait::async_trait]
    impl Loader for Fake {
        async fn load(&self, statement: &str) -> Result<(), String> {
            self.ran.lock().unwrap().push(format!("loader: {statement}"));
            Ok(())
        }
    }

    impl Fake {
        fn refuse(&self, text: &str, message: &str) {
            *self.refuse.lock().unwrap() = Some((text.to_owned(), message.to_owned()));
        }
        async fn apply(&self, text: &str) -> Result<Applied, ApplyError> {
            let files = [SqlFile { name: "001.sql".to_owned(), text: text.to_owned() }];
            let job = Job { database: self, values: &BTreeMap::new(), loader: Some(self), progress: &|_| () };
            apply(&files, &job).await
        }
        fn ran(&self) -> Vec<String> {
            std::mem::take(&mut *self.ran.lock().unwrap())
        }
    }

    #[tokio::test]
    async fn a_second_run_does_nothing_and_a_new_statement_is_run_alone() {
        let fake = Fake::default();
        assert_eq!(fake.apply("CREATE TABLE a (b INT); INSERT INTO a VALUES (1)").await.unwrap().statements, 2);
        fake.ran();
        assert_eq!(fake.apply("CREATE TABLE a (b INT); INSERT INTO a VALUES (1);").await.unwrap().before, 2);
        assert!(fake.ran().is_empty());
        fake.apply("CREATE TABLE a (b INT); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2)").await.unwrap();
        assert_eq!(fake.ran(), ["INSERT INTO a VALUES (2)"]);
    }

    #[tokio::test]
    async fn a_failed_file_goes_on_at_the_failed_statement_whose_text_may_be_repaired() {
        let fake = Fake::default();
        fake.refuse("BAD", "You have an error in your SQL syntax");
        let error = fake.apply("INSERT 1; INSERT 2;\nINSERT BAD; INSERT 4").await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("001.sql:2: statement 3") && text.contains("statements 1 to 2 are committed"), "{text}");
        fake.ran();
        fake.apply("INSERT 1; INSERT 2;\nINSERT GOOD; INSERT 4").await.unwrap();
        assert_eq!(fake.ran(), ["INSERT GOOD", "INSERT 4"]);
    }

    #[tokio::test]
    async fn a_change_to_what_was_applied_is_an_error_before_anything_runs() {
        let fake = Fake::default();
        fake.apply("INSERT 1; INSERT 2").await.unwrap();
        fake.ran();
        let changed = fake.apply("INSERT 1; INSERT 3; INSERT 4").await.unwrap_err();
        assert!(matches!(changed, ApplyError::Changed { number: 2, .. }), "{changed}");
        assert!(matches!(fake.apply("INSERT 1").await.unwrap_err(), ApplyError::Shortened { now: 1, applied: 2, .. }));
        assert!(fake.ran().is_empty());
    }

    #[tokio::test]
    async fn a_load_that_the_data_api_does_not_run_goes_through_the_loader_once() {
        let fake = Fake::default();
        fake.refuse("FROM S3", "statement is not supported");
        let file = "LOAD DATA FROM S3 's3://b/k' INTO TABLE t";
        fake.apply(file).await.unwrap();
        assert_eq!(fake.ran(), [format!("loader: {file}")]);
        assert_eq!(fake.apply(file).await.unwrap().before, 1);
        assert!(fake.ran().is_empty());
        fake.refuse("INSERT", "statement is not supported");
        assert!(fake.apply("LOAD DATA FROM S3 's3://b/k' INTO TABLE t; INSERT 1").await.is_err());
    }

    #[tokio::test]
    async fn a_ddl_that_was_interrupted_after_it_took_effect_counts_as_done() {
        let fake = Fake::default();
        let sum = split("CREATE TABLE a (b INT)").unwrap()[0].checksum();
        fake.refuse("CREATE TABLE a", "Table 'a' already exists");
        for _ in 0..2 {
            assert!(fake.apply("CREATE TABLE a (b INT)").await.is_err(), "somebody else's table is not ours");
        }
        fake.ledger.lock().unwrap().insert(("001.sql".to_owned(), 1), (sum, false));
        assert_eq!(fake.apply("CREATE TABLE a (b INT)").await.unwrap().statements, 1);
    }

    #[tokio::test]
    async fn what_no_clear_answer_came_of_is_done_once() {
        for committed in [true, false] {
            let fake = Fake::default();
            *fake.lose.lock().unwrap() = Some(committed);
            fake.apply("INSERT INTO a VALUES (1)").await.unwrap();
            assert_eq!(fake.ran(), ["INSERT INTO a VALUES (1)"], "committed: {committed}");
        }
        let fake = Fake::default();
        fake.refuse("CREATE TRIGGER", "no answer of a change");
        assert_eq!(fake.apply("CREATE TRIGGER t BEFORE INSERT ON a").await.unwrap().statements, 1);
    }

    #[tokio::test]
    async fn a_ddl_whose_answer_was_lost_counts_as_begun_and_a_repaired_one_does_not() {
        let (one, two) = ("CREATE TABLE a (b INT)", "CREATE TABLE a (b BIGINT)");
        for (text, done) in [(one, true), (two, false)] {
            let fake = Fake::default();
            fake.refuse("CREATE TABLE a", "no answer");
            assert!(fake.apply(one).await.is_err());
            fake.refuse("CREATE TABLE a", "Table 'a' already exists");
            assert_eq!(fake.apply(text).await.is_ok(), done, "{text}");
        }
    }
}
