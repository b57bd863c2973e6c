//! Aurora over TLS with an IAM token, one connection kept across invocations.

use std::env;
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Params, Row, SslOpts, Value};

use crate::request::{Hero, NewHero};
use crate::settings::{DatabaseSettings, required};

/// Amazon's authorities for RDS.
const RDS_AUTHORITIES: &[u8] = include_bytes!("../certs/rds-ca.pem");
/// A paused Aurora needs about 15 s to wake; the function itself is given 28.
const CONNECT_WITHIN: Duration = Duration::from_secs(25);
const QUERY_WITHIN: Duration = Duration::from_secs(20);
/// The function that loads is given 120 s.
const LOAD_WITHIN: Duration = Duration::from_secs(90);
/// A connection that rested longer is asked whether it still lives, so that a write is not its first test.
const RESTED: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub enum DatabaseError {
    Token(String),
    Mysql(mysql_async::Error),
    NoAnswer(Duration),
    /// The table is not as the function knows it.
    Row(mysql_async::FromRowError),
    NoId,
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseError::Token(why) => write!(f, "no authentication token: {why}"),
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
    settings: DatabaseSettings,
    resting: Option<Resting>,
}

struct Resting {
    connection: Conn,
    since: Instant,
}

impl Database {
    pub fn new(settings: DatabaseSettings) -> Self {
        Database { settings, resting: None }
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
        self.rest(connection);
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
        self.rest(connection);
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
        self.rest(connection);
        Ok(rows)
    }

    /// A connection is only put back after a statement that ended well.
    fn rest(&mut self, connection: Conn) {
        self.resting = Some(Resting { connection, since: Instant::now() });
    }

    async fn connection(&mut self) -> Result<Conn, DatabaseError> {
        if let Some(Resting { mut connection, since }) = self.resting.take()
            && (since.elapsed() < RESTED || within(connection.ping()).await.is_ok())
        {
            return Ok(connection);
        }
        let connecting = Conn::new(self.options()?);
        match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
            Ok(connected) => Ok(connected?),
            Err(_) => Err(DatabaseError::NoAnswer(CONNECT_WITHIN)),
        }
    }

    fn options(&self) -> Result<Opts, DatabaseError> {
        let DatabaseSettings { host, port, name, user, .. } = &self.settings;
        let mut authorities = vec![RDS_AUTHORITIES.to_vec().into()];
        if let Some(file) = env::var_os("SSL_CERT_FILE") {
            authorities.push(std::path::PathBuf::from(file).into());
        }
        let tls = SslOpts::default().with_root_certs(authorities).with_disable_built_in_roots(true);
        Ok(OptsBuilder::default()
            .ip_or_hostname(host.clone())
            .tcp_port(*port)
            .db_name(Some(name.clone()))
            .user(Some(user.clone()))
            .pass(Some(self.token()?))
            .enable_cleartext_plugin(true)
            .prefer_socket(false)
            .tcp_nodelay(true)
            .ssl_opts(tls)
            .into())
    }

    /// The token that stands for a password: a presigned URL without its scheme, good for 15 minutes
    /// (AWS: UsingWithRDS.IAMDBAuth.Connecting).
    fn token(&self) -> Result<String, DatabaseError> {
        let DatabaseSettings { host, port, user, region, .. } = &self.settings;
        let missing = |why: String| DatabaseError::Token(why);
        let credentials = Credentials::new(
            required("AWS_ACCESS_KEY_ID").map_err(missing)?,
            required("AWS_SECRET_ACCESS_KEY").map_err(missing)?,
            env::var("AWS_SESSION_TOKEN").ok(),
            None,
            "environment",
        );
        sign_token(&format!("https://{host}:{port}/?Action=connect&DBUser={user}"), region, credentials)
            .map_err(|error| DatabaseError::Token(error.to_string()))
    }
}

fn sign_token(
    url: &str,
    region: &str,
    credentials: Credentials,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(Duration::from_secs(900));
    settings.signature_location = SignatureLocation::QueryParams;
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("rds-db")
        .time(SystemTime::now())
        .settings(settings)
        .build()?;
    let mut request = http::Request::get(url).body(())?;
    let signable = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(signable, &parameters.into())?.into_parts();
    instructions.apply_to_request_http1x(&mut request);
    let uri = request.uri().to_string();
    Ok(uri.strip_prefix("https://").unwrap_or(&uri).to_owned())
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
    fn a_token_is_a_presigned_url_without_scheme() {
        let credentials = Credentials::new("AKID", "secret", Some("session/+=".to_owned()), None, "test");
        let token =
            sign_token("https://db.example:3306/?Action=connect&DBUser=superheroes", "us-east-1", credentials).unwrap();
        assert!(token.starts_with("db.example:3306/?Action=connect&DBUser=superheroes&X-Amz-"), "{token}");
        for part in
            ["X-Amz-Expires=900", "rds-db%2Faws4_request", "X-Amz-Security-Token=session%2F%2B%3D", "X-Amz-Signature="]
        {
            assert!(token.contains(part), "{part} in {token}");
        }
        assert!(!token.contains("secret"));
    }

    #[test]
    fn statements_come_in_few_lengths() {
        assert_eq!([1, 2, 3, 5, 900].map(places), [1, 2, 4, 8, 1024]);
    }
}
