//! Aurora over TLS with an IAM token, one connection kept across invocations.

use std::env;
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Params, SslOpts, TxOpts, Value};
use time::OffsetDateTime;

use crate::message::Reading;
use crate::settings::{Settings, required};

/// Amazon's authorities for RDS.
const RDS_AUTHORITIES: &[u8] = include_bytes!("../certs/rds-ca.pem");
/// Together under the function's 28 s: a paused Aurora needs about 15 s to wake.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);
const STORE_WITHIN: Duration = Duration::from_secs(7);
/// A connection that rested longer is asked whether it still lives, so that a message is not its first test.
const RESTED: Duration = Duration::from_millis(500);
/// An answer to that comes at once or not at all.
const PING_WITHIN: Duration = Duration::from_secs(1);
/// Rows in one statement: far under the 65,535 placeholders that a statement may have, and enough that more gains nothing.
const MOST_ROWS: usize = 1024;

#[derive(Debug)]
pub enum DatabaseError {
    Token(String),
    Mysql(mysql_async::Error),
    NoAnswer(Duration),
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseError::Token(why) => write!(f, "no authentication token: {why}"),
            DatabaseError::Mysql(error) => error.fmt(f),
            DatabaseError::NoAnswer(within) => write!(f, "no answer within {} s", within.as_secs()),
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
    settings: Settings,
    resting: Option<Resting>,
}

struct Resting {
    connection: Conn,
    since: Instant,
}

impl Database {
    pub fn new(settings: Settings) -> Self {
        Database { settings, resting: None }
    }

    /// Stores all of the readings or none: one statement per chunk, all in one transaction.
    pub async fn store(&mut self, arrived: OffsetDateTime, readings: &[Reading]) -> Result<(), DatabaseError> {
        if readings.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection().await?;
        within(STORE_WITHIN, write(&mut connection, arrived, readings)).await?;
        // Only put back after a transaction that ended well: a connection that is dropped takes its transaction with it.
        self.resting = Some(Resting { connection, since: Instant::now() });
        Ok(())
    }

    async fn connection(&mut self) -> Result<Conn, DatabaseError> {
        if let Some(Resting { mut connection, since }) = self.resting.take()
            && (since.elapsed() < RESTED || within(PING_WITHIN, connection.ping()).await.is_ok())
        {
            return Ok(connection);
        }
        within(CONNECT_WITHIN, Conn::new(self.options()?)).await
    }

    fn options(&self) -> Result<Opts, DatabaseError> {
        let Settings { host, port, name, user, .. } = &self.settings;
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
        let Settings { host, port, user, region, .. } = &self.settings;
        let credentials = Credentials::new(
            required("AWS_ACCESS_KEY_ID").map_err(DatabaseError::Token)?,
            required("AWS_SECRET_ACCESS_KEY").map_err(DatabaseError::Token)?,
            env::var("AWS_SESSION_TOKEN").ok(),
            None,
            "environment",
        );
        sign_token(&format!("https://{host}:{port}/?Action=connect&DBUser={user}"), region, credentials)
            .map_err(|error| DatabaseError::Token(error.to_string()))
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

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T, DatabaseError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(DatabaseError::NoAnswer(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_presigned_url_without_scheme() {
        let credentials = Credentials::new("AKID", "secret", Some("session/+=".to_owned()), None, "test");
        let token =
            sign_token("https://db.example:3306/?Action=connect&DBUser=webhook", "us-east-1", credentials).unwrap();
        assert!(token.starts_with("db.example:3306/?Action=connect&DBUser=webhook&X-Amz-"), "{token}");
        for part in
            ["X-Amz-Expires=900", "rds-db%2Faws4_request", "X-Amz-Security-Token=session%2F%2B%3D", "X-Amz-Signature="]
        {
            assert!(token.contains(part), "{part} in {token}");
        }
        assert!(!token.contains("secret"));
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
