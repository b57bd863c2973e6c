//! Statements on their way to the engine and back, for as long as AWS would wait.

use std::time::{Duration, Instant};

use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{Conn, Params, QueryResult};
use serde_json::{Map, Value, json};

use super::faults::DataFault;
use super::parameters::numbers;
use super::pool::{Left, Lent, Login};
use super::results::{Form, Rows, metadata};
use super::statement::{Keys, Statement};
use super::transactions::Place;
use crate::fault::Fault;

/// How long a call may take; the tests do not wait for AWS's.
pub(super) const LONGEST: Duration = if cfg!(test) { Duration::from_secs(3) } else { Duration::from_secs(45) };
/// `ER_LOCK_DEADLOCK`, which ends a transaction.
const DEADLOCK: u16 = 1213;
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
    Batch { statement: Statement, sets: Vec<Vec<mysql_async::Value>>, alone: bool },
}

impl Work {
    /// What it may leave in its session, or find there.
    pub(super) const fn left(&self) -> Left {
        match self {
            Work::One { statement, .. } | Work::Batch { statement, .. } => statement.left,
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
            (Some(mut place), _) => *place = Some(lent),
            // The rest of what is too large is still on its way.
            (None, Err(DataFault::Unsupported(_))) => {}
            (None, _) => lent.give_back(),
        }
        done
    });
    match tokio::time::timeout(LONGEST.saturating_sub(begun.elapsed()), &mut task).await {
        Ok(Ok(done)) => done,
        Ok(Err(failed)) => Err(Fault::internal(failed).into()),
        Err(_) => {
            if !go_on {
                task.abort();
                login.end_query(connection).await;
            }
            Err(DataFault::Timeout { connection })
        }
    }
}

async fn perform(conn: &mut Conn, work: Work) -> Result<Value, DataFault> {
    match work {
        Work::One { statement, values, form, metadata } => {
            one(conn, &statement, values, (form, metadata)).await.map(Value::Object)
        }
        // One request is one change: all of its sets are stored, or none.
        Work::Batch { statement, sets, alone: true } if sets.len() > 1 => {
            conn.query_drop("START TRANSACTION").await?;
            let done = batch(conn, &statement, sets).await;
            let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
            conn.query_drop(end).await?;
            done
        }
        Work::Batch { statement, sets, .. } => batch(conn, &statement, sets).await,
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
        // Statements that cannot be prepared, such as LOAD DATA FROM S3, go as they are.
        answer(conn.query_iter(&statement.sql).await?, wanted, statement.keys).await
    } else {
        answer(conn.exec_iter(&statement.sql, Params::Positional(values)).await?, wanted, statement.keys).await
    }
}

async fn answer<P: Protocol>(
    mut result: QueryResult<'_, '_, P>,
    (form, with_metadata): (Form, bool),
    keys: Keys,
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
            let count = if keys == Keys::Rows { affected } else { 1 };
            answer.insert("generatedFields".into(), generated(first, count));
        }
    }
    // A procedure's further results are not answered with.
    result.drop_result().await?;
    Ok(answer)
}

fn generated(first: Option<u64>, count: u64) -> Value {
    match first {
        Some(first) => (first..first + count.max(1)).map(|key| json!({"longValue": key})).collect(),
        None => json!([]),
    }
}

/// The statement once for each set. Rows of a plain INSERT go to the engine together: the first by itself, which tells whether
/// the table makes keys, then as many at a time as a statement holds.
async fn batch(conn: &mut Conn, statement: &Statement, sets: Vec<Vec<mysql_async::Value>>) -> Result<Value, DataFault> {
    let mut results = Vec::with_capacity(sets.len());
    let mut sets = sets.into_iter();
    let Some(set) = sets.next() else { return Ok(json!({"updateResults": []})) };
    let given = numbers(&set);
    let placeholders = set.len();
    let (first, keys) = exec(conn, &statement.sql, set, statement.keys).await?;
    results.push(keys);
    // A key that the request itself gives tells nothing of the next row's.
    let together =
        statement.row.as_ref().filter(|_| placeholders > 0 && !first.is_some_and(|key| given.contains(&key)));
    if let Some(row) = together {
        while sets.len() > 0 {
            let count = sets.len().min(PLACEHOLDERS / placeholders).min(1000);
            let values: Vec<mysql_async::Value> = sets.by_ref().take(count).flatten().collect();
            let sql = statement.with_rows(row, count);
            conn.exec_drop(sql, Params::Positional(values)).await?;
            let key = conn.last_insert_id().filter(|id| *id != 0);
            results.extend((0..count as u64).map(|at| generated(key.map(|key| key + at), 1)));
        }
    }
    for set in sets {
        results.push(exec(conn, &statement.sql, set, statement.keys).await?.1);
    }
    let results: Vec<Value> = results.into_iter().map(|keys| json!({"generatedFields": keys})).collect();
    Ok(json!({"updateResults": results}))
}

/// Gives the first key that was made, and all of them.
async fn exec(
    conn: &mut Conn,
    sql: &str,
    set: Vec<mysql_async::Value>,
    keys: Keys,
) -> Result<(Option<u64>, Value), DataFault> {
    let parameters = if set.is_empty() { Params::Empty } else { Params::Positional(set) };
    conn.exec_drop(sql, parameters).await?;
    let first = conn.last_insert_id().filter(|id| *id != 0);
    let count = if keys == Keys::Rows { conn.affected_rows() } else { 1 };
    Ok((first, generated(first, count)))
}
