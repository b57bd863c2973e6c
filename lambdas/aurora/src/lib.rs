//! Aurora over TLS with an IAM token, one connection kept across invocations.

mod settings;
mod token;

use std::env;
use std::fmt;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};
use tokio::time::{Instant, timeout, timeout_at};

pub use settings::Settings;

/// Amazon's authorities for RDS.
const AUTHORITIES: &[u8] = include_bytes!("../certs/rds-ca.pem");
/// A database that is awake has let us in long before.
const SLOW: Duration = Duration::from_secs(2);
/// A connection that rested longer is asked whether it still lives, so that a statement is not its first test.
const RESTED: Duration = Duration::from_millis(500);
/// The server closes what rested longer: an open connection would keep Aurora from pausing, and a function at rest cannot act.
const IDLE: &str = "SET SESSION wait_timeout = 60";

/// Why there is no connection. Nothing was sent.
#[derive(Debug)]
pub enum NoConnection {
    Token(String),
    Refused(mysql_async::Error),
    NoAnswer(Duration),
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoConnection::Token(why) => write!(f, "no authentication token: {why}"),
            NoConnection::Refused(error) => write!(f, "no connection: {error}"),
            NoConnection::NoAnswer(after) => write!(f, "no connection within {:.1} s", after.as_secs_f64()),
        }
    }
}

impl std::error::Error for NoConnection {}

/// A cluster, and the connection to it that rests between invocations.
pub struct Aurora {
    settings: Settings,
    resting: Option<Resting>,
}

struct Resting {
    connection: Conn,
    since: Instant,
}

impl Aurora {
    pub fn new(settings: Settings) -> Self {
        // The client uses the process-wide provider, and somebody else's is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Aurora { settings, resting: None }
    }

    /// The connection that rests, or a new one. A paused cluster needs 15 to 30 s to resume: it is waited for, and the log told so.
    pub async fn connection(&mut self, until: Instant) -> Result<Conn, NoConnection> {
        if let Some(Resting { mut connection, since }) = self.resting.take()
            && (since.elapsed() < RESTED || timeout(SLOW, connection.ping()).await.is_ok_and(|pong| pong.is_ok()))
        {
            return Ok(connection);
        }
        let begun = Instant::now();
        let token = token::of(&self.settings).map_err(|error| NoConnection::Token(error.to_string()))?;
        let mut connecting = std::pin::pin!(Conn::new(self.options(token)));
        let connected = match timeout_at(until.min(begun + SLOW), &mut connecting).await {
            Ok(connected) => connected,
            Err(_) => {
                let left = until.saturating_duration_since(Instant::now()).as_secs();
                eprintln!(
                    "database: waiting for it to let us in, {left} s at most; a paused one needs 15 to 30 s to resume"
                );
                let connected = timeout_at(until, connecting).await;
                let connected = connected.map_err(|_| NoConnection::NoAnswer(begun.elapsed()))?;
                eprintln!("database: let us in after {:.1} s", begun.elapsed().as_secs_f64());
                connected
            }
        };
        connected.map_err(NoConnection::Refused)
    }

    /// Keeps a connection for the next statement. Only one whose last statement's end is known: one that is dropped takes its
    /// transaction with it.
    pub fn rest(&mut self, connection: Conn) {
        self.resting = Some(Resting { connection, since: Instant::now() });
    }

    fn options(&self, token: String) -> Opts {
        let Settings { host, port, name, user, .. } = &self.settings;
        let mut authorities = vec![AUTHORITIES.to_vec().into()];
        if let Some(file) = env::var_os("SSL_CERT_FILE") {
            authorities.push(std::path::PathBuf::from(file).into());
        }
        let tls = SslOpts::default().with_root_certs(authorities).with_disable_built_in_roots(true);
        OptsBuilder::default()
            .ip_or_hostname(host.clone())
            .tcp_port(*port)
            .db_name(Some(name.clone()))
            .user(Some(user.clone()))
            .pass(Some(token))
            .enable_cleartext_plugin(true)
            .prefer_socket(false)
            .tcp_nodelay(true)
            .init(vec![IDLE])
            .ssl_opts(tls)
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Aurora, NoConnection, Settings};

    #[test]
    fn a_connection_is_over_tls_and_does_not_keep_a_cluster_from_pausing() {
        let [host, name, user, region] = ["db.example", "lab", "webhook", "us-east-1"].map(str::to_owned);
        let options = Aurora::new(Settings { host, port: 3306, name, user, region }).options("token".to_owned());
        let tls = options.ssl_opts().unwrap();
        assert!(!tls.accept_invalid_certs() && !tls.skip_domain_validation() && !tls.root_certs().is_empty());
        assert_eq!(options.init(), ["SET SESSION wait_timeout = 60"]);
    }

    #[test]
    fn why_there_is_no_connection_is_told_in_a_line() {
        let refused = mysql_async::Error::Driver(mysql_async::DriverError::ConnectionClosed);
        for (why, told) in [
            (NoConnection::Token("no key".to_owned()), "no authentication token: no key"),
            (NoConnection::Refused(refused), "no connection: Driver error: `Connection to the server is closed.'"),
            (NoConnection::NoAnswer(std::time::Duration::from_millis(25_998)), "no connection within 26.0 s"),
        ] {
            assert_eq!(why.to_string(), told);
        }
    }
}
