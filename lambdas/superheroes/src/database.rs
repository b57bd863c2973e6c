//! The table `heroes`.

use std::fmt;
use std::time::Duration;

use aurora::{Aurora, NoConnection, Settings};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};
use tokio::time::Instant;

use crate::request::{Hero, NewHero};

/// A paused Aurora needs about 15 s to wake; the function itself is given 28.
const CONNECT_WITHIN: Duration = Duration::from_secs(25);
const QUERY_WITHIN: Duration = Duration::from_secs(20);
/// The function that loads is given 120 s.
const LOAD_WITHIN: Duration = Duration::from_secs(90);

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
            DatabaseError::NoAnswer(within) => write!(f, "no answer within {} s", within.as_secs()),
            DatabaseError::Row(error) => write!(f, "a row of `heroes` is no hero: {error}"),
            DatabaseError::NoId => f.write_str("the heroes were stored without an id"),
        }
    }
}

impl std::error::Error for DatabaseError {}

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

    /// The rows with these ids, in no order; one query.
    pub async fn read(&mut self, ids: &[u64]) -> Result<Vec<Hero>, DatabaseError> {
        let places = places(ids.len());
        let statement = format!(
            "SELECT id, hero, power, name, xp, color FROM heroes WHERE id IN ({})",
            vec!["?"; places].join(", ")
        );
        // Filled up with the last id: few different lengths mean few different statements to prepare.
        let last = ids.last().copied().unwrap_or_default();
        let ids = ids.iter().copied().chain(std::iter::repeat(last)).take(places).map(Value::from).collect();
        let mut connection = self.connection().await?;
        let rows: Vec<Row> = within(connection.exec(statement, Params::Positional(ids))).await?;
        self.aurora.rest(connection);
        rows.into_iter().map(hero).collect()
    }

    /// Inserts the heroes in their order, in one statement, which is one transaction; gives them with their new ids.
    pub async fn insert(&mut self, heroes: Vec<NewHero>) -> Result<Vec<Hero>, DatabaseError> {
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
        let mut connection = self.connection().await?;
        within(connection.exec_drop(statement, values)).await?;
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
    pub async fn run(&mut self, statement: &str) -> Result<u64, DatabaseError> {
        let mut connection = self.connection().await?;
        match tokio::time::timeout(LOAD_WITHIN, connection.query_drop(statement)).await {
            Ok(done) => done?,
            Err(_) => return Err(DatabaseError::NoAnswer(LOAD_WITHIN)),
        }
        let rows = connection.affected_rows();
        self.aurora.rest(connection);
        Ok(rows)
    }

    async fn connection(&mut self) -> Result<Conn, DatabaseError> {
        let connected = self.aurora.connection(Instant::now() + CONNECT_WITHIN).await;
        connected.map_err(DatabaseError::NoConnection)
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

async fn within<T>(work: impl Future<Output = Result<T, mysql_async::Error>>) -> Result<T, DatabaseError> {
    match tokio::time::timeout(QUERY_WITHIN, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(DatabaseError::NoAnswer(QUERY_WITHIN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_come_in_few_lengths() {
        assert_eq!([1, 2, 3, 5, 900].map(places), [1, 2, 4, 8, 1024]);
    }
}
