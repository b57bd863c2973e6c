//! The cache in front of the database. It is never a dependency: when it fails, the answer comes from the database, a log
//! line says so, and it is left alone for a second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, pipe};

use crate::handler::log;
use crate::request::Hero;
use crate::settings::CacheSettings;

/// A cache that answers later than this is slower than the database it stands before.
const PATIENCE: Duration = Duration::from_millis(250);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

pub struct Cache {
    settings: CacheSettings,
    connection: Option<MultiplexedConnection>,
    leave_alone_until: Option<Instant>,
}

impl Cache {
    pub fn new(settings: CacheSettings) -> Self {
        Cache { settings, connection: None, leave_alone_until: None }
    }

    /// The rows it has, in one round trip; none when it is down.
    pub async fn get(&mut self, ids: &[u64]) -> HashMap<u64, Hero> {
        let mut command = redis::cmd("MGET");
        for id in ids {
            command.arg(key(*id));
        }
        let Some(mut connection) = self.connection().await else { return HashMap::new() };
        match command.query_async::<Vec<Option<Vec<u8>>>>(&mut connection).await {
            // A value that is not a hero is a miss: it is read from the database and written anew.
            Ok(values) => ids
                .iter()
                .zip(values)
                .filter_map(|(id, value)| Some((*id, serde_json::from_slice::<Hero>(&value?).ok()?)))
                .filter(|(id, hero)| *id == hero.id)
                .collect(),
            Err(error) => {
                self.failed("read", &error);
                HashMap::new()
            }
        }
    }

    /// Stores rows, in one round trip.
    pub async fn put(&mut self, heroes: &[Hero]) {
        if heroes.is_empty() {
            return;
        }
        let mut commands = pipe();
        for hero in heroes {
            let Ok(value) = serde_json::to_vec(hero) else { continue };
            commands
                .cmd("SET")
                .arg(key(hero.id))
                .arg(value)
                .arg("EX")
                .arg(self.settings.time_to_live.as_secs())
                .ignore();
        }
        let Some(mut connection) = self.connection().await else { return };
        if let Err(error) = commands.query_async::<()>(&mut connection).await {
            self.failed("write", &error);
        }
    }

    async fn connection(&mut self) -> Option<MultiplexedConnection> {
        if self.leave_alone_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        if self.connection.is_none() {
            match connect(&self.settings).await {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.leave_alone_until = None;
                }
                Err(error) => self.failed("connect", &error),
            }
        }
        self.connection.clone()
    }

    fn failed(&mut self, doing: &str, error: &RedisError) {
        log(&format!("cache: cannot {doing}, going on with the database: {error}"));
        self.connection = None;
        self.leave_alone_until = Some(Instant::now() + PAUSE_AFTER_FAILURE);
    }
}

fn key(id: u64) -> String {
    format!("hero:{id}")
}

/// TLS against the system's authorities, or those of `SSL_CERT_FILE`; name and chain are always verified.
async fn connect(settings: &CacheSettings) -> Result<MultiplexedConnection, RedisError> {
    let client = Client::open(format!("rediss://{}:{}", settings.host, settings.port))?;
    let config =
        AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    // The client's own limit covers the socket but not the TLS handshake with a peer that says nothing.
    match tokio::time::timeout(PATIENCE * 2, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(RedisError::from((ErrorKind::Io, "no answer in time"))),
    }
}
