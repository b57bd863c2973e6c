//! Statements on their way to the engine and back, for as long as AWS would wait.

use std::time::{Duration, Instant};

use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{Conn, Params, QueryResult};
use serde_json::{Map, Value, json};

use super::faults::DataFault;
use super::pool::{Left, Lent, Login};
use super::results::{Form, Rows, metadata};
use super::statement::{Row, Statement, without_names};
use super::transactions::Place;
use crate::fault::Fault;

/// How long a call may take; the tests do not wait for AWS's.
pub(super) const LONGEST: Duration = if cfg!(test) { Duration::from_secs(3) } else { Duration::from_secs(45) };
/// How long the rest of an answer that is too large may take to arrive.
const DRAIN_WITHIN: Duration = Duration::from_secs(1);
/// `ER_LOCK_DEADLOCK`, which ends a transaction.
const DEADLOCK: u16 = 1213;
/// `ER_LOCK_WAIT_TIMEOUT`
const LOCK_WAIT: u16 = 1205;
/// `ER_UNSUPPORTED_PS`: a statement that cannot be prepared.
const NOT_PREPARED: u16 = 1295;
/// What one statement of the prepared protocol holds at most.
const PLACEHOLDERS: usize = 65_535;

/// A connection, and where it goes when its work is done: back to its transaction, or to the pool.
pub(super) struct Held {
    pub(super) lent: Lent,
    pub(super) transaction: Option<Place>,
}

/// What a request does on its connection.
pub(super) enum Work {
    One { statement: Statement, values: Vec<mysql_async::Value>, form: Form, metadata: bool },
    Batch { runs: Vec<SetsOf>, alone: bool },
}

/// Sets of a batch that follow each other and need the same statement.
pub(super) struct SetsOf {
    pub(super) statement: Statement,
    pub(super) sets: Vec<Vec<mysql_async::Value>>,
}

impl Work {
    /// What it may leave in its session, or find there.
    pub(super) fn left(&self) -> Left {
        match self {
            Work::One { statement, .. } => statement.left,
            Work::Batch { runs, .. } => runs.iter().map(|run| run.statement.left).max().unwrap_or(Left::Nothing),
        }
    }
}

/// Runs `work` on the connection until AWS would wait no longer. What takes longer is ended, or, if the request says so, goes on
/// by itself.
pub(super) async fn timed(
    (login, begun): (&Login, Instant),
    held: Held,
    go_on: bool,
    work: Work,
) -> Result<Value, DataFault> {
    let Held { mut lent, transaction } = held;
    let connection = lent.conn.id();
    let mut task = tokio::spawn(async move {
        lent.used(work.left());
        let done = perform(&mut lent.conn, work).await;
        match (transaction, &done) {
            (_, Err(DataFault::Unavailable(_))) => {}
            // The engine has rolled all of it back: what comes next would be stored without what came before.
            (Some(_), Err(DataFault::Database { code: DEADLOCK, .. })) => {}
            // The rest of what is too large is still on its way. A transaction outlives it, unless that has no end in sight.
            (None, Err(DataFault::Unsupported(_))) => return (done, true),
            (Some(_), Err(DataFault::Unsupported(_))) if !is_drained(&mut lent.conn).await => return (done, true),
            (Some(mut place), _) => *place = Some(lent),
            (None, _) => lent.give_back(),
        }
        (done, false)
    });
    match tokio::time::timeout(LONGEST.saturating_sub(begun.elapsed()), &mut task).await {
        Ok(Ok((done, goes_on))) => {
            if goes_on {
                login.end_query(connection).await;
            }
            done
        }
        Ok(Err(failed)) => Err(Fault::internal(failed).into()),
        Err(_) => {
            if !go_on {
                task.abort();
                // It holds the transaction until it is gone: whoever has this answer may ask at once.
                let _ = task.await;
                login.end_query(connection).await;
            }
            Err(DataFault::Timeout { connection })
        }
    }
}

/// Reads what is left of an answer, for a moment.
async fn is_drained(conn: &mut Conn) -> bool {
    tokio::time::timeout(DRAIN_WITHIN, conn.query_drop("DO 0")).await.is_ok_and(|done| done.is_ok())
}

async fn perform(conn: &mut Conn, work: Work) -> Result<Value, DataFault> {
    match work {
        Work::One { statement, values, form, metadata } => {
            one(conn, &statement, values, (form, metadata)).await.map(Value::Object)
        }
        // One request is one change: all of its sets are stored, or none.
        Work::Batch { runs, alone: true } if runs.iter().map(|run| run.sets.len()).sum::<usize>() > 1 => {
            conn.query_drop("START TRANSACTION").await?;
            let done = batch(conn, runs).await;
            let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
            conn.query_drop(end).await?;
            done
        }
        Work::Batch { runs, .. } => batch(conn, runs).await,
    }
}

/// One statement: rows or counts.
async fn one(
    conn: &mut Conn,
    statement: &Statement,
    values: Vec<mysql_async::Value>,
    wanted: (Form, bool),
) -> Result<Map<String, Value>, DataFault> {
    if values.is_empty() {
        if statement.has_semicolon {
            is_one(conn, &statement.sql).await?;
        }
        // Statements that cannot be prepared, such as LOAD DATA FROM S3, go as they are.
        answer(conn.query_iter(&statement.sql).await?, wanted).await
    } else {
        answer(conn.exec_iter(&statement.sql, Params::Positional(values)).await?, wanted).await
    }
}

/// The engine's own word that this is one statement and not several: how it reads a text depends on its session, and the prepared
/// protocol takes one only.
async fn is_one(conn: &mut Conn, sql: &str) -> Result<(), DataFault> {
    match conn.prep(without_names(sql)).await {
        Ok(prepared) => Ok(conn.close(prepared).await?),
        // The engine had read it to its end before it found out.
        Err(mysql_async::Error::Server(error)) if error.code == NOT_PREPARED => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn answer<P: Protocol>(
    mut result: QueryResult<'_, '_, P>,
    (form, with_metadata): (Form, bool),
) -> Result<Map<String, Value>, DataFault> {
    let mut answer = Map::new();
    let columns = result.columns().filter(|columns| !columns.is_empty());
    let (affected, first) = (result.affected_rows(), result.last_insert_id().filter(|id| *id != 0));
    match columns {
        Some(columns) => {
            let mut rows = Rows::new(&columns, form)?;
            while let Some(row) = result.next().await? {
                rows.add(row)?;
            }
            answer.insert("numberOfRecordsUpdated".into(), 0.into());
            rows.answer(&mut answer)?;
            if with_metadata && !form.json {
                answer.insert("columnMetadata".into(), columns.iter().map(metadata).collect());
            }
        }
        None => {
            answer.insert("numberOfRecordsUpdated".into(), affected.into());
            answer.insert("generatedFields".into(), generated(first));
        }
    }
    // A procedure's further results are not answered with.
    result.drop_result().await?;
    Ok(answer)
}

/// A statement's generated key: the first, as AWS tells, however many rows it has inserted. A `longValue` has a sign.
fn generated(key: Option<u64>) -> Value {
    key.map_or_else(
        || json!([]),
        |key| match i64::try_from(key) {
            Ok(key) => json!([{"longValue": key}]),
            Err(_) => json!([{"stringValue": key.to_string()}]),
        },
    )
}

/// The statement once for each set.
async fn batch(conn: &mut Conn, runs: Vec<SetsOf>) -> Result<Value, DataFault> {
    let mut results = Vec::new();
    for SetsOf { statement, sets } in runs {
        each(conn, &statement, sets, &mut results).await?;
    }
    let results: Vec<Value> = results.into_iter().map(|keys| json!({"generatedFields": keys})).collect();
    Ok(json!({"updateResults": results}))
}

/// One statement for each of the sets. Rows of a plain INSERT go to the engine together: the first by itself, which tells whether
/// the table makes keys, then as many at a time as a statement holds.
async fn each(
    conn: &mut Conn,
    statement: &Statement,
    sets: Vec<Vec<mysql_async::Value>>,
    results: &mut Vec<Value>,
) -> Result<(), DataFault> {
    let mut sets = sets.into_iter();
    let Some(set) = sets.next() else { return Ok(()) };
    let placeholders = set.len();
    let key = exec(conn, &statement.sql, set).await?;
    results.push(generated(key));
    let mut together = statement.row.as_ref().filter(|_| placeholders > 0 && sets.len() > 0);
    if let (Some(row), Some(_)) = (together, key) {
        // Keys that the request itself gives cannot be told from those of the first row of many.
        together = if makes_keys(conn, row).await? { Some(row) } else { None };
    }
    if let Some(row) = together {
        while sets.len() > 0 {
            let count = sets.len().min(PLACEHOLDERS / placeholders).min(1000);
            let rows: Vec<Vec<mysql_async::Value>> = sets.by_ref().take(count).collect();
            let sql = statement.with_rows(row, count);
            match conn.exec_drop(sql, Params::Positional(rows.concat())).await {
                Ok(()) => {
                    let key = conn.last_insert_id().filter(|id| *id != 0);
                    results.extend((0..count as u64).map(|at| generated(key.map(|key| key + at))));
                }
                // None of them is stored. By themselves those before the bad one are, and its error speaks of its own row.
                Err(mysql_async::Error::Server(error)) if !matches!(error.code, DEADLOCK | LOCK_WAIT) => {
                    for set in rows {
                        results.push(generated(exec(conn, &statement.sql, set).await?));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    for set in sets {
        results.push(generated(exec(conn, &statement.sql, set).await?));
    }
    Ok(())
}

/// Whether the table makes every row's key itself: the INSERT names its columns, and the key's is not among them.
async fn makes_keys(conn: &mut Conn, row: &Row) -> Result<bool, DataFault> {
    if row.columns.is_empty() {
        return Ok(false);
    }
    let query = format!("SHOW COLUMNS FROM {} WHERE Extra LIKE '%auto_increment%'", row.table);
    let key: Option<mysql_async::Row> = conn.query_first(query).await?;
    let name = key.and_then(|key| key.get::<String, _>(0));
    Ok(name.is_some_and(|name| !row.columns.contains(&name.to_lowercase())))
}

/// Gives the first key that was made.
async fn exec(conn: &mut Conn, sql: &str, set: Vec<mysql_async::Value>) -> Result<Option<u64>, DataFault> {
    let parameters = if set.is_empty() { Params::Empty } else { Params::Positional(set) };
    conn.exec_drop(sql, parameters).await?;
    Ok(conn.last_insert_id().filter(|id| *id != 0))
}
