//! The table `heroes`.

use std::fmt;
use std::time::Duration;

use aurora::{Aurora, NoConnection, Settings};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};
use tokio::time::{Instant, timeout_at};

use crate::request::{Hero, NewHero};

#[derive(Debug)]
pub enum DatabaseError {
    NoConnection(NoConnection),
    Mysql(mysql_async::Error),
    NoAnswer(Duration),
    /// The table is not as the function knows it.
    Row(mysql_async::FromRowError),
    NoId,
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseError::NoConnection(why) => why.fmt(f),
            DatabaseError::Mysql(error) => error.fmt(f),
            DatabaseError::NoAnswer(within) => write!(f, "no answer within {:.1} s", within.as_secs_f64()),
            DatabaseError::Row(error) => write!(f, "a row of `heroes` is no hero: {error}"),
            DatabaseError::NoId => f.write_str("the heroes were stored without an id"),
        }
    }
}

impl std::error::Error for DatabaseError {}

impl DatabaseError {
    /// Whether what was to be stored may be there although nobody says so: it was sent, and no answer came.
    pub fn may_have_stored(&self) -> bool {
        match self {
            DatabaseError::NoAnswer(_) | DatabaseError::NoId => true,
            DatabaseError::Mysql(error) => !matches!(error, mysql_async::Error::Server(_)),
            DatabaseError::NoConnection(_) | DatabaseError::Row(_) => false,
        }
    }
}

impl From<mysql_async::Error> for DatabaseError {
    fn from(error: mysql_async::Error) -> Self {
        DatabaseError::Mysql(error)
    }
}

pub struct Database {
    aurora: Aurora,
}

impl Database {
    pub fn new(settings: Settings) -> Self {
        Database { aurora: Aurora::new(settings) }
    }

    /// The rows with these ids, in no order; one query, answered by `until`.
    pub async fn read(&mut self, ids: &[u64], until: Instant) -> Result<Vec<Hero>, DatabaseError> {
        let places = places(ids.len());
        let statement = format!(
            "SELECT id, hero, power, name, xp, color FROM heroes WHERE id IN ({})",
            vec!["?"; places].join(", ")
        );
        // Filled up with the last id: few different lengths mean few different statements to prepare.
        let last = ids.last().copied().unwrap_or_default();
        let ids = ids.iter().copied().chain(std::iter::repeat(last)).take(places).map(Value::from).collect();
        let mut connection = self.connection(until).await?;
        let rows: Vec<Row> = by(until, connection.exec(statement, Params::Positional(ids))).await?;
        self.aurora.rest(connection);
        rows.into_iter().map(hero).collect()
    }

    /// Inserts the heroes in their order, in one statement, which is one transaction; gives them with their new ids.
    pub async fn insert(&mut self, heroes: Vec<NewHero>, until: Instant) -> Result<Vec<Hero>, DatabaseError> {
        let statement = format!(
            "INSERT INTO heroes (hero, power, name, xp, color) VALUES {}",
            vec!["(?, ?, ?, ?, ?)"; heroes.len()].join(", ")
        );
        let values = heroes.iter().flat_map(|hero| -> [Value; 5] {
            [
                hero.hero.as_str().into(),
                hero.power.as_str().into(),
                hero.name.as_str().into(),
                hero.xp.into(),
                hero.color.as_str().into(),
            ]
        });
        let values = Params::Positional(values.collect());
        let mut connection = self.connection(until).await?;
        by(until, connection.exec_drop(statement, values)).await?;
        // InnoDB gives the rows of one simple INSERT consecutive ids, the first of which is the statement's insert id.
        let first = connection.last_insert_id().ok_or(DatabaseError::NoId)?;
        self.aurora.rest(connection);
        let numbered = (first..).zip(heroes);
        Ok(numbered
            .map(|(id, new)| Hero {
                id,
                hero: new.hero,
                power: new.power,
                name: new.name,
                xp: new.xp,
                color: new.color,
            })
            .collect())
    }

    /// Runs one statement without parameters; gives the number of rows it touched.
    pub async fn run(&mut self, statement: &str, until: Instant) -> Result<u64, DatabaseError> {
        let mut connection = self.connection(until).await?;
        by(until, connection.query_drop(statement)).await?;
        let rows = connection.affected_rows();
        self.aurora.rest(connection);
        Ok(rows)
    }

    async fn connection(&mut self, until: Instant) -> Result<Conn, DatabaseError> {
        self.aurora.connection(until).await.map_err(DatabaseError::NoConnection)
    }
}

/// How many placeholders a statement for `ids` has: the next power of two.
fn places(ids: usize) -> usize {
    ids.next_power_of_two()
}

fn hero(row: Row) -> Result<Hero, DatabaseError> {
    let (id, hero, power, name, xp, color) = mysql_async::from_row_opt(row).map_err(DatabaseError::Row)?;
    Ok(Hero { id, hero, power, name, xp, color })
}

async fn by<T>(until: Instant, work: impl Future<Output = Result<T, mysql_async::Error>>) -> Result<T, DatabaseError> {
    let begun = Instant::now();
    match timeout_at(until, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(DatabaseError::NoAnswer(begun.elapsed())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sent_without_an_answer_may_be_stored() {
        let server = mysql_async::ServerError { code: 1205, message: String::new(), state: "HY000".to_owned() };
        let closed = || mysql_async::Error::Driver(mysql_async::DriverError::ConnectionClosed);
        assert!(DatabaseError::Mysql(closed()).may_have_stored());
        assert!(DatabaseError::NoAnswer(Duration::from_secs(1)).may_have_stored());
        assert!(!DatabaseError::Mysql(server.into()).may_have_stored());
        assert!(!DatabaseError::NoConnection(NoConnection::Refused(closed())).may_have_stored());
    }

    #[test]
    fn statements_come_in_few_lengths() {
        assert_eq!([1, 2, 3, 5, 900].map(places), [1, 2, 4, 8, 1024]);
    }
}
