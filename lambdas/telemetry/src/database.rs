//! What the lab keeps: a message, in one INSERT.

use std::fmt;
use std::time::Duration;

use aurora::{Aurora, NoConnection, Settings};
use mysql_async::prelude::Queryable;
use tokio::time::{Instant, sleep, timeout_at};

/// The connection keeps the statement prepared under its text.
const INSERT: &str = "INSERT INTO telemetry (data) VALUES (?)";

#[derive(Debug)]
pub enum DatabaseError {
    /// Nothing was sent.
    NoConnection(NoConnection),
    /// The database looked at the row and does not take it.
    Refused(mysql_async::ServerError),
    /// The database is there and says that it stored nothing.
    Unable(mysql_async::ServerError),
    /// The statement was sent and no answer came.
    Lost(mysql_async::Error),
    NoAnswer(Duration),
}

impl DatabaseError {
    /// Whether the row may be there although nobody says so.
    pub fn may_have_stored(&self) -> bool {
        matches!(self, DatabaseError::Lost(_) | DatabaseError::NoAnswer(_))
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseError::NoConnection(why) => why.fmt(f),
            DatabaseError::Refused(error) => write!(f, "refused a message: {error}"),
            DatabaseError::Unable(error) => write!(f, "did not store a message: {error}"),
            DatabaseError::Lost(error) => write!(f, "lost while storing a message: {error}"),
            DatabaseError::NoAnswer(within) => write!(f, "no answer within {:.1} s", within.as_secs_f64()),
        }
    }
}

impl std::error::Error for DatabaseError {}

pub struct Database {
    aurora: Aurora,
}

impl Database {
    pub fn new(settings: Settings) -> Self {
        Database { aurora: Aurora::new(settings) }
    }

    /// Stores one message, by `until` or not at all. Committed when this returns `Ok`.
    pub async fn insert(&mut self, data: &str, until: Instant) -> Result<(), DatabaseError> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            let mut connection = self.aurora.connection(until).await.map_err(DatabaseError::NoConnection)?;
            let error = match timeout_at(until, connection.exec_drop(INSERT, (data,))).await {
                Ok(Ok(())) => {
                    self.aurora.rest(connection);
                    return Ok(());
                }
                Ok(Err(mysql_async::Error::Server(error))) => error,
                Ok(Err(error)) => return Err(DatabaseError::Lost(error)),
                Err(_) => return Err(DatabaseError::NoAnswer(begun.elapsed())),
            };
            // Rolled back as a whole, so that it can be sent again: it met a DELETE that thins out the same devices.
            let again = matches!(error.code, DEADLOCK | LOCK_WAIT) && Instant::now() + pause < until;
            match kind(&error) {
                _ if again => self.aurora.rest(connection),
                Kind::Message => {
                    self.aurora.rest(connection);
                    return Err(DatabaseError::Refused(error));
                }
                Kind::Server => return Err(DatabaseError::Unable(error)),
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }
}

/// ER_LOCK_DEADLOCK and ER_LOCK_WAIT_TIMEOUT.
const DEADLOCK: u16 = 1213;
const LOCK_WAIT: u16 = 1205;

#[derive(Debug, PartialEq)]
enum Kind {
    /// The row is at fault.
    Message,
    /// The server is.
    Server,
}

/// SQLSTATE classes 22 (data) and 23 (constraints), and what has no class of its own (MySQL: Server Error Message Reference).
fn kind(error: &mysql_async::ServerError) -> Kind {
    const CHECK_VIOLATED: u16 = 3819;
    const TRUNCATED: u16 = 1265;
    const NO_NUMBER: u16 = 1366;
    let by_state = error.state.starts_with("22") || error.state.starts_with("23");
    if by_state || matches!(error.code, CHECK_VIOLATED | TRUNCATED | NO_NUMBER) { Kind::Message } else { Kind::Server }
}

#[cfg(test)]
mod tests {

    use mysql_async::ServerError;

    use super::{Kind, kind};

    #[test]
    fn a_row_at_fault_is_told_from_a_server_at_fault() {
        let error = |code, state: &str| ServerError { code, message: String::new(), state: state.to_owned() };
        for row in [
            error(4025, "23000"),
            error(3819, "HY000"),
            error(1292, "22007"),
            error(1265, "01000"),
            error(1366, "HY000"),
        ] {
            assert_eq!(kind(&row), Kind::Message, "{row}");
        }
        for server in [error(1290, "HY000"), error(1040, "08004"), error(1142, "42000"), error(1114, "HY000")] {
            assert_eq!(kind(&server), Kind::Server, "{server}");
        }
    }
}
