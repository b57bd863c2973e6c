//! Connections to clusters, kept for the next statement of the same user; and transactions, each with one of its own.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mysql_async::{Conn, OptsBuilder};
use sha2::{Digest, Sha256};

use super::faults::DataFault;

/// How many idle connections are kept for one user of one database.
const IDLE_PER_LOGIN: usize = 16;
/// How long an idle connection is kept.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// AWS's: a transaction without a call for three minutes is rolled back, and none lives longer than a day.
const TRANSACTION_IDLE: Duration = Duration::from_secs(180);
const TRANSACTION_LIFE: Duration = Duration::from_secs(86_400);

/// Who logs in to what.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) resource_id: String,
    pub(super) socket: PathBuf,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: Option<String>,
}

/// A login without its password in clear.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    resource_id: String,
    user: String,
    password: [u8; 32],
    database: Option<String>,
}

impl Login {
    fn key(&self) -> Key {
        Key {
            resource_id: self.resource_id.clone(),
            user: self.user.clone(),
            password: Sha256::digest(self.password.as_bytes()).into(),
            database: self.database.clone(),
        }
    }

    /// # Errors
    /// The engine is away or refuses the user.
    pub(super) async fn connect(&self) -> Result<Conn, DataFault> {
        let options = OptsBuilder::default()
            .socket(Some(self.socket.to_string_lossy()))
            .user(Some(&self.user))
            .pass(Some(&self.password))
            .db_name(self.database.as_ref())
            .max_allowed_packet(Some(64 << 20))
            .wait_timeout(Some(28_800));
        Ok(Conn::new(options).await?)
    }
}

/// A transaction that was begun.
pub(super) struct Transaction {
    pub(super) resource_id: String,
    pub(super) database: Option<String>,
    /// `None` after a statement that timed out: the transaction is lost.
    pub(super) conn: Arc<tokio::sync::Mutex<Option<Conn>>>,
    begun: Instant,
    used: Mutex<Instant>,
}

/// All connections of the Data API.
#[derive(Default)]
pub(super) struct Sessions {
    idle: Mutex<HashMap<Key, Vec<(Conn, Instant)>>>,
    transactions: Mutex<HashMap<String, Arc<Transaction>>>,
}

impl Sessions {
    /// A connection on which nobody has left anything.
    ///
    /// # Errors
    /// The engine is away or refuses the user.
    pub(super) async fn take(&self, login: &Login) -> Result<Conn, DataFault> {
        loop {
            let kept = self.lock_idle().get_mut(&login.key()).and_then(Vec::pop);
            match kept {
                // One whose engine has died since is not used again.
                Some((mut conn, _)) => {
                    if conn.reset().await.is_ok_and(|reset| reset) {
                        return Ok(conn);
                    }
                }
                None => return login.connect().await,
            }
        }
    }

    /// Keeps a connection for the next statement.
    pub(super) fn keep(&self, login: &Login, conn: Conn) {
        let mut idle = self.lock_idle();
        let kept = idle.entry(login.key()).or_default();
        if kept.len() < IDLE_PER_LOGIN {
            kept.push((conn, Instant::now()));
        }
    }

    pub(super) fn begin(&self, id: String, login: &Login, conn: Conn) {
        let transaction = Transaction {
            resource_id: login.resource_id.clone(),
            database: login.database.clone(),
            conn: Arc::new(tokio::sync::Mutex::new(Some(conn))),
            begun: Instant::now(),
            used: Mutex::new(Instant::now()),
        };
        self.lock_transactions().insert(id, Arc::new(transaction));
    }

    /// # Errors
    /// There is none of that id.
    pub(super) fn transaction(&self, id: &str) -> Result<Arc<Transaction>, DataFault> {
        let found = self.lock_transactions().get(id).cloned();
        let found = found.ok_or_else(|| DataFault::TransactionNotFound(id.to_owned()))?;
        *found.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(found)
    }

    /// # Errors
    /// There is none of that id.
    pub(super) fn end(&self, id: &str) -> Result<Arc<Transaction>, DataFault> {
        let found = self.lock_transactions().remove(id);
        found.ok_or_else(|| DataFault::TransactionNotFound(id.to_owned()))
    }

    /// Closes what nobody has used for long; the engine rolls back what a closed connection had begun.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let mut idle = self.lock_idle();
        for kept in idle.values_mut() {
            kept.retain(|(_, since)| now.duration_since(*since) < IDLE_FOR);
        }
        idle.retain(|_, kept| !kept.is_empty());
        drop(idle);
        self.lock_transactions().retain(|_, transaction| {
            let used = *transaction.used.lock().unwrap_or_else(PoisonError::into_inner);
            // A statement that is still running keeps its transaction.
            let busy = transaction.conn.try_lock().is_err();
            busy || now.duration_since(used) < TRANSACTION_IDLE
                && now.duration_since(transaction.begun) < TRANSACTION_LIFE
        });
    }

    pub(super) fn close(&self) {
        self.lock_idle().clear();
        self.lock_transactions().clear();
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Vec<(Conn, Instant)>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_transactions(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Transaction>>> {
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
