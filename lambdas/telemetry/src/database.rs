//! Aurora over TLS with an IAM token, one connection kept across invocations.

use std::env;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::handler::log;
use crate::settings::{DatabaseSettings, required};

/// Amazon's authorities for RDS.
const RDS_AUTHORITIES: &[u8] = include_bytes!("../certs/rds-ca.pem");
/// The connection keeps the statement prepared under its text.
const INSERT: &str = "INSERT INTO telemetry (data) VALUES (?)";
/// A database that is awake has let us in long before.
const SLOW: Duration = Duration::from_secs(2);
/// A connection that rested longer is asked whether it still lives, so that an INSERT is not its first test.
const RESTED: Duration = Duration::from_millis(500);
/// The server closes what rested longer: an open connection would keep Aurora from pausing, and a function at rest cannot act.
const IDLE: &str = "SET SESSION wait_timeout = 60";

#[derive(Debug)]
pub enum DatabaseError {
    Token(String),
    /// No connection: nothing was sent.
    Connect(mysql_async::Error),
    /// No connection within the time that there is.
    NoConnection(Duration),
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
            DatabaseError::Token(why) => write!(f, "no authentication token: {why}"),
            DatabaseError::Connect(error) => write!(f, "no connection: {error}"),
            DatabaseError::NoConnection(within) => write!(f, "no connection within {:.1} s", within.as_secs_f64()),
            DatabaseError::Refused(error) => write!(f, "refused a message: {error}"),
            DatabaseError::Unable(error) => write!(f, "did not store a message: {error}"),
            DatabaseError::Lost(error) => write!(f, "lost while storing a message: {error}"),
            DatabaseError::NoAnswer(within) => write!(f, "no answer within {:.1} s", within.as_secs_f64()),
        }
    }
}

impl std::error::Error for DatabaseError {}

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

    /// Stores one message, by `until` or not at all. Committed when this returns `Ok`.
    pub async fn insert(&mut self, data: &str, until: Instant) -> Result<(), DatabaseError> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            let mut connection = self.connection(until).await?;
            let error = match timeout_at(until, connection.exec_drop(INSERT, (data,))).await {
                Ok(Ok(())) => {
                    self.rest(connection);
                    return Ok(());
                }
                Ok(Err(mysql_async::Error::Server(error))) => error,
                Ok(Err(error)) => return Err(DatabaseError::Lost(error)),
                Err(_) => return Err(DatabaseError::NoAnswer(begun.elapsed())),
            };
            // Rolled back as a whole, so that it can be sent again: it met a DELETE that thins out the same devices.
            let again = matches!(error.code, DEADLOCK | LOCK_WAIT) && Instant::now() + pause < until;
            match kind(&error) {
                _ if again => self.rest(connection),
                Kind::Message => {
                    self.rest(connection);
                    return Err(DatabaseError::Refused(error));
                }
                Kind::Server => return Err(DatabaseError::Unable(error)),
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    /// A connection is only put back after a statement whose end is known.
    fn rest(&mut self, connection: Conn) {
        self.resting = Some(Resting { connection, since: Instant::now() });
    }

    async fn connection(&mut self, until: Instant) -> Result<Conn, DatabaseError> {
        if let Some(Resting { mut connection, since }) = self.resting.take()
            && (since.elapsed() < RESTED || timeout(SLOW, connection.ping()).await.is_ok_and(|pong| pong.is_ok()))
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
            .init(vec![IDLE])
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

    use aws_credential_types::Credentials;
    use mysql_async::ServerError;

    use super::{Kind, kind, sign_token};

    #[test]
    fn a_token_is_a_presigned_url_without_scheme() {
        let credentials = Credentials::new("AKID", "secret", Some("session/+=".to_owned()), None, "test");
        let token =
            sign_token("https://db.example:3306/?Action=connect&DBUser=telemetry", "us-east-1", credentials).unwrap();
        assert!(token.starts_with("db.example:3306/?Action=connect&DBUser=telemetry&X-Amz-"), "{token}");
        for part in
            ["X-Amz-Expires=900", "rds-db%2Faws4_request", "X-Amz-Security-Token=session%2F%2B%3D", "X-Amz-Signature="]
        {
            assert!(token.contains(part), "{part} in {token}");
        }
        assert!(!token.contains("secret"));
    }

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
