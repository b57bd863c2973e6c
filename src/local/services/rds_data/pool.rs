//! Connections to clusters: so many for one user of one database and no more, kept for the next statement, and given to it as
//! if they were new.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::faults::DataFault;

/// How many connections one user of one database has at most for single statements; who wants another waits.
pub(super) const MOST: usize = if cfg!(test) { 4 } else { 64 };
/// And for transactions, which hold theirs between their statements: one that its client has lost for three minutes. They are apart,
/// so that statements go on however many there are.
pub(super) const MOST_TRANSACTIONS: usize = if cfg!(test) { 6 } else { 192 };
/// Statements that leave nothing still decide what `LAST_INSERT_ID()`, `FOUND_ROWS()`, `ROW_COUNT()` and the warnings say to the
/// next one. These leave them as they are in a new session: a SELECT that finds no row clears the warnings if it has a table.
const FORGET: &str = "SELECT n FROM (SELECT 0 AS n) AS nothing WHERE n; SET last_insert_id = 0";
/// How long an idle connection is kept.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// How long the caller of a statement that has to be ended waits for that.
const END_WITHIN: Duration = Duration::from_secs(2);

/// Who logs in to what.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) resource_id: String,
    /// Connections of another era of the engine are dead.
    pub(super) era: u64,
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
    async fn connect(&self) -> Result<Conn, DataFault> {
        let options = OptsBuilder::default()
            .socket(Some(self.socket.to_string_lossy()))
            .user(Some(&self.user))
            .pass(Some(&self.password))
            .db_name(self.database.as_ref())
            .max_allowed_packet(Some(64 << 20))
            .wait_timeout(Some(28_800))
            .stmt_cache_size(64);
        Ok(Conn::new(options).await?)
    }

    /// Ends what a connection runs, over one more of the same user.
    pub(super) async fn end_query(&self, connection: u32) {
        let end = async {
            if let Ok(mut killer) = self.connect().await {
                // It may have ended by itself.
                let _ = killer.query_drop(format!("KILL QUERY {connection}")).await;
            }
        };
        // An engine that does not even let us in has to be left to itself.
        let _ = tokio::time::timeout(END_WITHIN, end).await;
    }
}

/// What a statement may have left in its session, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Left {
    /// Nothing that a statement of the same kind could see.
    Nothing,
    /// What the engine's reset takes away: variables, temporary tables, locks.
    Something,
    /// What it does not: another database, and in MariaDB another role.
    Place,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One request, that may see or leave what the statements of this kind do.
    Statement(Left),
    Transaction,
}

/// The connections of one login.
struct Seats {
    statements: Arc<Semaphore>,
    transactions: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    conn: Conn,
    era: u64,
    since: Instant,
    /// No statement has run on it since it was new or was reset.
    pristine: bool,
}

impl Seats {
    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection used last, so that those that are too many grow old.
    fn pop(&self, era: u64) -> Option<Idle> {
        let mut idle = self.idle();
        idle.retain(|idle| idle.era == era);
        idle.pop()
    }
}

/// A connection on loan. Dropped, it is closed.
pub(super) struct Lent {
    pub(super) conn: Conn,
    /// What the statements of its loan may have left.
    left: Left,
    era: u64,
    seats: Arc<Seats>,
    /// Given back after the connection: whoever waits finds it.
    _place: OwnedSemaphorePermit,
}

impl Lent {
    /// Remembers what a statement may have left.
    pub(super) fn used(&mut self, left: Left) {
        self.left = self.left.max(left);
    }

    /// Gives the connection back for the next statement, if it can be made as good as new. A reset also forgets what is prepared,
    /// so only what needs one gets one.
    pub(super) fn give_back(mut self) {
        // Whoever has the answer waits for neither a reset nor an end.
        match self.left {
            Left::Nothing => self.keep(false),
            Left::Something => drop(tokio::spawn(async move {
                if self.conn.reset().await.is_ok_and(|reset| reset) {
                    self.keep(true);
                }
            })),
            Left::Place => drop(tokio::spawn(async move {
                let Lent { conn, _place, .. } = self;
                // It is gone, politely or not.
                let _ = conn.disconnect().await;
            })),
        }
    }

    fn keep(self, pristine: bool) {
        let Lent { conn, era, seats, _place, .. } = self;
        seats.idle().push(Idle { conn, era, since: Instant::now(), pristine });
    }
}

/// The engine is there, and does not answer.
pub(super) fn silent() -> DataFault {
    DataFault::Unavailable("The database does not answer.".into())
}

/// All connections of the Data API.
#[derive(Default)]
pub(super) struct Pool(Mutex<HashMap<Key, Arc<Seats>>>);

impl Pool {
    /// A connection. Only statements that leave nothing have run on it; for what may see more than that, not even what those
    /// leave for the very next one is there.
    ///
    /// # Errors
    /// The engine is away or refuses the user, or every connection of this login was in use `within` this time.
    pub(super) async fn take(&self, login: &Login, purpose: Purpose, within: Duration) -> Result<Lent, DataFault> {
        let (seats, until) = (self.seats(login), tokio::time::Instant::now() + within);
        let (places, pristine) = match purpose {
            Purpose::Statement(left) => (&seats.statements, left > Left::Nothing),
            Purpose::Transaction => (&seats.transactions, true),
        };
        let place = tokio::time::timeout_at(until, places.clone().acquire_owned()).await;
        let place = place.map_err(|_| DataFault::NoConnection)?.map_err(|_| DataFault::NoConnection)?;
        loop {
            let (era, left) = (login.era, Left::Nothing);
            let Some(mut idle) = seats.pop(era) else {
                let connected = tokio::time::timeout_at(until, login.connect()).await;
                let conn = connected.map_err(|_| silent())??;
                return Ok(Lent { conn, left, era, seats, _place: place });
            };
            // One that has died at rest is found dead here.
            if pristine && !idle.pristine {
                match tokio::time::timeout_at(until, idle.conn.query_drop(FORGET)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => continue,
                    Err(_) => return Err(silent()),
                }
            }
            return Ok(Lent { conn: idle.conn, left, era, seats, _place: place });
        }
    }

    fn seats(&self, login: &Login) -> Arc<Seats> {
        let places = |most| Arc::new(Semaphore::new(most));
        let fresh = || {
            let (statements, transactions) = (places(MOST), places(MOST_TRANSACTIONS));
            Arc::new(Seats { statements, transactions, idle: Mutex::default() })
        };
        self.all().entry(login.key()).or_insert_with(fresh).clone()
    }

    /// Closes what nobody has used for long.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.all().retain(|_, seats| {
            seats.idle().retain(|idle| now.duration_since(idle.since) < IDLE_FOR);
            // Somebody who holds it may still give a connection back.
            !seats.idle().is_empty() || Arc::strong_count(seats) > 1
        });
    }

    pub(super) fn close(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Arc<Seats>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
