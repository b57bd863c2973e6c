//! What the lab keeps: the readings of a message, in one transaction.

use std::fmt;
use std::time::Duration;

use aurora::{Aurora, NoConnection, Settings};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, ServerError, TxOpts, Value};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use crate::message::Reading;

/// Rows in one statement: far under the 65,535 placeholders that a statement may have, and enough that more gains nothing.
const MOST_ROWS: usize = 1024;

#[derive(Debug)]
pub enum DatabaseError {
    NoConnection(NoConnection),
    /// The database is there and says that it stored nothing.
    Unable(ServerError),
    /// No answer came to what was sent.
    Lost(mysql_async::Error),
    NoAnswer(Duration),
}

impl DatabaseError {
    /// Whether the readings may be there although nobody says so.
    pub fn may_have_stored(&self) -> bool {
        matches!(self, DatabaseError::Lost(_) | DatabaseError::NoAnswer(_))
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseError::NoConnection(why) => why.fmt(f),
            DatabaseError::Unable(error) => write!(f, "did not store a message: {error}"),
            DatabaseError::Lost(error) => write!(f, "lost while storing a message: {error}"),
            DatabaseError::NoAnswer(within) => write!(f, "no answer within {:.1} s", within.as_secs_f64()),
        }
    }
}

impl std::error::Error for DatabaseError {}

impl From<mysql_async::Error> for DatabaseError {
    /// What the server refuses is undone with its transaction. Of everything else nobody knows.
    fn from(error: mysql_async::Error) -> Self {
        match error {
            mysql_async::Error::Server(error) => DatabaseError::Unable(error),
            error => DatabaseError::Lost(error),
        }
    }
}

pub struct Database {
    aurora: Aurora,
}

impl Database {
    pub fn new(settings: Settings) -> Self {
        Database { aurora: Aurora::new(settings) }
    }

    /// Stores all of the readings or none, by `until`: one statement per chunk, all in one transaction.
    pub async fn store(
        &mut self,
        arrived: OffsetDateTime,
        readings: &[Reading],
        until: Instant,
    ) -> Result<(), DatabaseError> {
        if readings.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let mut connection = self.aurora.connection(until).await.map_err(DatabaseError::NoConnection)?;
        let written = timeout_at(until, write(&mut connection, arrived, readings)).await;
        written.map_err(|_| DatabaseError::NoAnswer(begun.elapsed()))??;
        self.aurora.rest(connection);
        Ok(())
    }
}

/// What fits into one statement is its own transaction.
async fn write(connection: &mut Conn, arrived: OffsetDateTime, readings: &[Reading]) -> Result<(), mysql_async::Error> {
    if readings.len() == chunk(readings.len()) {
        return insert(connection, arrived, readings).await;
    }
    let mut transaction = connection.start_transaction(TxOpts::default()).await?;
    let mut left = readings;
    while !left.is_empty() {
        let (now, later) = left.split_at(chunk(left.len()));
        insert(&mut transaction, arrived, now).await?;
        left = later;
    }
    transaction.commit().await
}

async fn insert(
    connection: &mut impl Queryable,
    arrived: OffsetDateTime,
    readings: &[Reading],
) -> Result<(), mysql_async::Error> {
    let rows = vec!["(?, ?, ?, ?)"; readings.len()].join(", ");
    let values = readings.iter().flat_map(|reading| -> [Value; 4] {
        [date(arrived), reading.value.into(), reading.board.as_str().into(), reading.sensor.as_str().into()]
    });
    let statement = format!("INSERT INTO events (ts, value, board, sensor) VALUES {rows}");
    connection.exec_drop(statement, Params::Positional(values.collect())).await
}

/// How many of `left` rows the next statement takes, from 1: a power of two. Few lengths mean few statements to prepare.
fn chunk(left: usize) -> usize {
    1 << left.clamp(1, MOST_ROWS).ilog2()
}

/// As `DATETIME`, which has whole seconds: cut off, as the database would otherwise round up.
fn date(moment: OffsetDateTime) -> Value {
    let year = u16::try_from(moment.year()).unwrap_or_default();
    Value::Date(year, moment.month().into(), moment.day(), moment.hour(), moment.minute(), moment.second(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_refuses_is_surely_not_stored() {
        let refused = ServerError { code: 1290, message: "read-only".to_owned(), state: "HY000".to_owned() };
        assert!(!DatabaseError::from(mysql_async::Error::Server(refused)).may_have_stored());
        let gone = mysql_async::IoError::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(DatabaseError::from(mysql_async::Error::Io(gone)).may_have_stored());
        assert!(!DatabaseError::NoConnection(NoConnection::NoAnswer(Duration::from_secs(20))).may_have_stored());
    }

    #[test]
    fn every_number_of_rows_is_cut_into_statements_of_few_lengths() {
        let cut = |mut left: usize| {
            let mut lengths = Vec::new();
            while left > 0 {
                lengths.push(chunk(left));
                left -= chunk(left);
            }
            lengths
        };
        assert_eq!(cut(1), [1]);
        assert_eq!(cut(7), [4, 2, 1]);
        assert_eq!(cut(1024), [1024]);
        assert_eq!(cut(10_000), [[1024; 9].as_slice(), &[512, 256, 16]].concat());
    }

    #[test]
    fn a_moment_is_stored_without_its_fraction() {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(1_767_225_599_999_999_999).unwrap();
        assert_eq!(date(moment), Value::Date(2025, 12, 31, 23, 59, 59, 0));
    }
}
