//! Transactions, each with a connection of its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::faults::{DataFault, Gone};
use super::pool::{Lent, Login};
use crate::clock::Timestamp;

/// AWS's: a transaction without a call for three minutes is rolled back, and none lives longer than a day.
const IDLE_MILLIS: i64 = 180_000;
const LIFE_MILLIS: i64 = 86_400_000;
/// How many ended ones are remembered, to say how they ended.
const REMEMBERED: usize = 10_000;

/// A transaction that was begun.
struct Transaction {
    resource_id: String,
    era: u64,
    database: Option<String>,
    /// `None` after a statement that timed out: the transaction is lost.
    conn: Arc<tokio::sync::Mutex<Option<Lent>>>,
    begun: Timestamp,
    used: AtomicI64,
}

impl Transaction {
    fn is_over(&self, now: Timestamp) -> bool {
        let idle = now.millis() - self.used.load(Ordering::Relaxed);
        idle >= IDLE_MILLIS || now.millis() - self.begun.millis() >= LIFE_MILLIS
    }

    /// It runs a statement, which keeps it. A call that has just come holds it too.
    fn is_busy(&self) -> bool {
        Arc::strong_count(&self.conn) > 1
    }
}

/// A transaction's connection, for one call. It is out of the transaction while it works, so that one that is dropped in the
/// middle of an answer is not used again.
pub(super) type Place = OwnedMutexGuard<Option<Lent>>;

/// All transactions.
#[derive(Default)]
pub(super) struct Transactions {
    open: Mutex<HashMap<String, Arc<Transaction>>>,
    ended: Mutex<HashMap<String, Gone>>,
}

impl Transactions {
    pub(super) fn begin(&self, id: String, login: &Login, conn: Lent, now: Timestamp) {
        let transaction = Transaction {
            resource_id: login.resource_id.clone(),
            era: login.era,
            database: login.database.clone(),
            conn: Arc::new(tokio::sync::Mutex::new(Some(conn))),
            begun: now,
            used: AtomicI64::new(now.millis()),
        };
        self.open().insert(id, Arc::new(transaction));
    }

    /// The connection of a transaction of the login's cluster, and where it comes back to.
    ///
    /// # Errors
    /// There is none of that id, it is of another database, or it runs a statement.
    pub(super) fn take(&self, id: &str, login: &Login, now: Timestamp) -> Result<(Lent, Place), DataFault> {
        let found = self.open().get(id).cloned().filter(|found| found.resource_id == login.resource_id);
        let found = found.ok_or_else(|| self.not_found(id))?;
        if login.database.is_some() && login.database != found.database {
            return Err(DataFault::Invalid("Database name is not the same as transaction database".into()));
        }
        // With its engine it has ended.
        let lost = found.era != login.era;
        let place = found.conn.clone().try_lock_owned();
        if lost || (place.is_ok() && found.is_over(now)) {
            self.forget(id, if lost { Gone::Aborted } else { Gone::Expired });
            return Err(self.not_found(id));
        }
        let mut place = place.map_err(|_| DataFault::Busy)?;
        found.used.store(now.millis(), Ordering::Relaxed);
        let Some(lent) = place.take() else {
            self.forget(id, Gone::Aborted);
            return Err(self.not_found(id));
        };
        Ok((lent, place))
    }

    /// Ends a transaction; the caller has its connection.
    pub(super) fn end(&self, id: &str) {
        self.forget(id, Gone::Ended);
    }

    fn not_found(&self, id: &str) -> DataFault {
        let why = self.ended().get(id).copied().unwrap_or(Gone::Expired);
        DataFault::TransactionNotFound { id: id.to_owned(), why }
    }

    /// Closes its connection; the engine rolls back what it had begun.
    fn forget(&self, id: &str, why: Gone) {
        self.open().remove(id);
        let mut ended = self.ended();
        if ended.len() >= REMEMBERED {
            ended.clear();
        }
        ended.insert(id.to_owned(), why);
    }

    /// Rolls back what nobody has used for long.
    pub(super) fn sweep(&self, now: Timestamp) {
        let over: Vec<String> = {
            let open = self.open();
            let over = |transaction: &Transaction| transaction.is_over(now) && !transaction.is_busy();
            open.iter().filter(|(_, transaction)| over(transaction)).map(|(id, _)| id.clone()).collect()
        };
        for id in over {
            self.forget(&id, Gone::Expired);
        }
    }

    pub(super) fn close(&self) {
        self.open().clear();
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Arc<Transaction>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> MutexGuard<'_, HashMap<String, Gone>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
