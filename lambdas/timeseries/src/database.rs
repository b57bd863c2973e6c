//! Aurora over TLS with an IAM token, one connection kept across invocations.

use std::env;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Params, SslOpts, TxOpts, Value};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout, timeout_at};

use crate::handler::log;
use crate::message::Reading;
use crate::settings::{Settings, required};

/// Amazon's authorities for RDS.
const RDS_AUTHORITIES: &[u8] = include_bytes!("../certs/rds-ca.pem");
/// A database that is awake has let us in long before.
const SLOW: Duration = Duration::from_secs(2);
/// A connection that rested longer is asked whether it still lives, so that a message is not its first test.
const RESTED: Duration = Duration::from_millis(500);
/// An answer to that comes at once or not at all.
const PING_WITHIN: Duration = Duration::from_secs(1);
/// The server closes what rested longer: an open connection would keep Aurora from pausing, and a function at rest cannot act.
const IDLE: &str = "SET SESSION wait_timeout = 60";
/// Rows in one statement: far under the 65,535 placeholders that a statement may have, and enough that more gains nothing.
const MOST_ROWS: usize = 1024;

#[derive(Debug)]
pub enum DatabaseError {
    Token(String),
    /// No connection: nothing was sent.
    Connect(mysql_async::Error),
    /// No connection within the time that there was.
    NoConnection(Duration),
    /// The database is there and says that it stored nothing.
    Unable(mysql_async::ServerError),
    /// A statement was sent and no answer came.
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
            DatabaseError::Token(why) => write!(f, "no authentication token: {why}"),
            DatabaseError::Connect(error) => write!(f, "no connection: {error}"),
            DatabaseError::NoConnection(within) => write!(f, "no connection within {:.1} s", within.as_secs_f64()),
            DatabaseError::Unable(error) => write!(f, "did not store a message: {error}"),
            DatabaseError::Lost(error) => write!(f, "lost while storing a message: {error}"),
            DatabaseError::NoAnswer(within) => write!(f, "no answer within {:.1} s", within.as_secs_f64()),
        }
    }
}

impl std::error::Error for DatabaseError {}

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
        let mut connection = self.connection(until).await?;
        match timeout_at(until, write(&mut connection, arrived, readings)).await {
            Ok(Ok(())) => {}
            // What fails by the server's word is rolled back, with the transaction whose connection is dropped.
            Ok(Err(mysql_async::Error::Server(error))) => return Err(DatabaseError::Unable(error)),
            Ok(Err(error)) => return Err(DatabaseError::Lost(error)),
            Err(_) => return Err(DatabaseError::NoAnswer(begun.elapsed())),
        }
        // Only put back after a transaction that ended well: a connection that is dropped takes its transaction with it.
        self.resting = Some(Resting { connection, since: Instant::now() });
        Ok(())
    }

    async fn connection(&mut self, until: Instant) -> Result<Conn, DatabaseError> {
        if let Some(Resting { mut connection, since }) = self.resting.take()
            && (since.elapsed() < RESTED
                || timeout(PING_WITHIN, connection.ping()).await.is_ok_and(|pong| pong.is_ok()))
        {
            return Ok(connection);
        }
        let begun = Instant::now();
        let mut connecting = std::pin::pin!(Conn::new(self.options()?));
        let connected = match timeout(SLOW, &mut connecting).await {
            Ok(connected) => connected,
            Err(_) => {
                let left = until.saturating_duration_since(Instant::now()).as_secs();
                log(&format!(
                    "database: waiting for it to let us in, {left} s at most; a paused one needs 15 to 30 s to resume"
                ));
                let late = |_| DatabaseError::NoConnection(begun.elapsed());
                let connected = timeout_at(until, connecting).await.map_err(late)?;
                log(&format!("database: let us in after {:.1} s", begun.elapsed().as_secs_f64()));
                connected
            }
        };
        connected.map_err(DatabaseError::Connect)
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
            .init(vec![IDLE])
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
