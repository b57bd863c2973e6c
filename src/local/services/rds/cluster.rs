//! A DB cluster at run time: its engine, watched and brought back, and its front door.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::data::{self, SetupError};
use super::engine::{self, ADMIN, ClusterSecret, First, HEALTH, Layout, TRANSFER_ROLE};
use super::frontdoor::{Door, Plugin};
use super::pause::Use;
use super::rewrite::literal;
use crate::cloud::Cloud;
use crate::process::engines::{self, Engine, EngineKind};
use crate::process::spawn::Output;
use crate::process::{Child, ChildSpec, SpawnError, ready};
use crate::scope::Scope;

/// What the control plane decides about a running cluster.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) identifier: String,
    pub(crate) scope: Scope,
    pub(crate) resource_id: String,
    pub(crate) port: u16,
    pub(crate) iam: bool,
    pub(crate) require_secure_transport: bool,
    pub(crate) all_roles_on_login: bool,
    /// The roles that S3 statements act in, if they are associated with the cluster.
    pub(crate) load_role: Option<String>,
    pub(crate) select_role: Option<String>,
    /// The parameters that the engine itself has.
    pub(crate) parameters: Vec<(String, String)>,
}

impl Settings {
    /// `127.0.0.1:40001`.
    pub(crate) fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// How the engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Starting,
    Running,
    /// The engine is being ended because nobody uses it.
    Pausing,
    Paused,
    /// It comes back from a pause.
    Resuming,
    Stopped,
    /// Its last start failed, for this reason; it is being tried again.
    Failing(String),
}

/// Why a cluster did not come up or an administrator's statement failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error("{0}")]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error(transparent)]
    NotReady(#[from] ready::NotReady<mysql_async::Error>),
    #[error("the engine refused an internal statement: {0}")]
    Sql(#[from] mysql_async::Error),
    #[error("the engine did not come up: {0}")]
    Down(String),
    #[error("the port {port} of the cluster is taken: {source}")]
    Port { port: u16, source: io::Error },
}

/// A running cluster.
pub(crate) struct Cluster {
    pub(crate) cloud: Arc<Cloud>,
    engine: Engine,
    layout: Layout,
    secret: ClusterSecret,
    settings: RwLock<Arc<Settings>>,
    health: watch::Sender<Health>,
    pub(super) usage: Use,
    stopping: watch::Sender<bool>,
    discarding: std::sync::atomic::AtomicBool,
    admin: Mutex<Option<Conn>>,
    /// How many statements of an account are reading or writing S3's files now.
    transfers: Mutex<HashMap<String, usize>>,
}

/// Why an engine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    ByItself,
    ForAPause,
    ForGood,
}

/// How long an engine may take to answer after its start; recovery after a kill takes longer than a clean start.
const PATIENCE: Duration = Duration::from_secs(60);

impl Cluster {
    /// Starts the engine, unless the cluster is `paused`, and opens the front door; does not wait for either to be usable.
    ///
    /// # Errors
    /// The files cannot be written, or the port is taken.
    pub(crate) async fn launch(
        cloud: Arc<Cloud>,
        engine: Engine,
        settings: Settings,
        paused: bool,
    ) -> Result<Arc<Self>, ClusterError> {
        let layout = Layout::open(&cloud, &settings.resource_id)?;
        let secret = ClusterSecret::open(&layout)?;
        let usage = Use::new(paused, cloud.clock.now());
        let cluster = Arc::new(Cluster {
            cloud,
            engine,
            layout,
            secret,
            settings: RwLock::new(Arc::new(settings)),
            health: watch::Sender::new(if paused { Health::Paused } else { Health::Starting }),
            usage,
            stopping: watch::Sender::new(false),
            discarding: std::sync::atomic::AtomicBool::new(false),
            admin: Mutex::new(None),
            transfers: Mutex::default(),
        });
        let door = Door::open(cluster.clone()).await?;
        tokio::spawn(cluster.clone().supervise(door));
        Ok(cluster)
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    pub(crate) fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    pub(super) fn health_changes(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    pub(super) fn set_health(&self, health: Health) {
        self.health.send_replace(health);
    }

    pub(crate) fn is_mariadb(&self) -> bool {
        self.engine.kind == EngineKind::MariaDb
    }

    pub(crate) fn kind(&self) -> EngineKind {
        self.engine.kind
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.layout.socket.clone()
    }

    pub(crate) fn door_socket(&self) -> PathBuf {
        self.layout.door.clone()
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.layout.directory.clone()
    }

    /// The directory of S3's content files, where the engine may write a new one.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.layout.objects.join(".incoming")
    }

    pub(crate) fn plugin(&self) -> Plugin {
        Plugin::of(self.engine.kind)
    }

    /// The internal password of a user that IAM vouches for.
    pub(crate) fn iam_password(&self, user: &[u8]) -> String {
        self.secret.password("iam", user)
    }

    /// What stands for `IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'` in the engine.
    pub(crate) fn identified_by_iam(&self, user: &[u8]) -> String {
        self.plugin().identified(&self.plugin().hash(&self.iam_password(user)))
    }

    pub(crate) fn health_login(&self) -> (&'static str, String) {
        (HEALTH, self.secret.password("internal", HEALTH.as_bytes()))
    }

    /// Resolves when the cluster is being stopped.
    pub(crate) async fn stopped(&self) {
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Waits until the engine runs.
    ///
    /// # Errors
    /// It was stopped, or did not come up in `within`.
    pub(crate) async fn running(&self, within: Duration) -> Result<(), ClusterError> {
        let mut health = self.health_changes();
        let settled = health.wait_for(|health| matches!(health, Health::Running | Health::Stopped));
        let settled = tokio::time::timeout(within, settled).await;
        match settled.map(|settled| settled.is_ok_and(|health| *health == Health::Running)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(ClusterError::Down("it is stopped".into())),
            Err(_) => Err(ClusterError::Down(match self.health() {
                Health::Failing(reason) => reason,
                _ => format!("no answer within {} s", within.as_secs()),
            })),
        }
    }

    /// Waits until the engine does not run.
    pub(crate) async fn away(&self) {
        let _ = self.health.subscribe().wait_for(|health| *health != Health::Running).await;
    }

    /// Stops the engine cleanly and closes the front door.
    pub(crate) async fn stop(&self) {
        self.stopping.send_replace(true);
        let mut health = self.health.subscribe();
        let _ = health.wait_for(|health| *health == Health::Stopped).await;
    }

    /// Ends the engine at once: what it holds is going to be deleted.
    pub(crate) async fn discard(&self) {
        self.discarding.store(true, std::sync::atomic::Ordering::Relaxed);
        self.stop().await;
    }

    /// Keeps the engine running until the cluster is stopped; then also its door is closed and its sockets are gone.
    async fn supervise(self: Arc<Self>, door: JoinHandle<()>) {
        let mut failures = 0u32;
        while self.awake().await {
            let name = self.settings().identifier.clone();
            let begun = Instant::now();
            match self.boot().await {
                Ok(child) => {
                    info!(cluster = %name, pid = child.pid(), took_ms = begun.elapsed().as_millis(), "engine is up");
                    self.touch();
                    self.set_health(Health::Running);
                    let since = Instant::now();
                    match self.keep(&name, child).await {
                        Ended::ByItself => {
                            failures = if since.elapsed() > Duration::from_secs(10) { 0 } else { failures + 1 };
                            self.set_health(Health::Starting);
                        }
                        Ended::ForAPause => {
                            self.set_health(Health::Paused);
                            continue;
                        }
                        Ended::ForGood => break,
                    }
                }
                Err(_) if *self.stopping.borrow() => break,
                Err(reason) => {
                    failures += 1;
                    error!(cluster = %name, %reason, log = %self.layout.log.display(), "engine did not start");
                    self.set_health(Health::Failing(reason.to_string()));
                }
            }
            let pause = Duration::from_millis(50) * 2u32.saturating_pow(failures.min(7));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stopped() => break,
            }
        }
        let _ = door.await;
        // An engine that was killed has left its own, MySQL also a note of who holds it.
        let _ = std::fs::remove_file(&self.layout.socket);
        let _ = std::fs::remove_file(self.layout.socket.with_extension("sql.lock"));
        self.set_health(Health::Stopped);
    }

    /// Watches a running engine until it has ended.
    async fn keep(&self, name: &str, child: Child) -> Ended {
        let ended = tokio::select! {
            status = child.wait() => {
                warn!(cluster = %name, %status, "engine ended; it is started again");
                Ended::ByItself
            }
            () = self.sent_to_sleep() => Ended::ForAPause,
            () = self.stopped() => Ended::ForGood,
        };
        self.usage.next_era();
        if ended == Ended::ForAPause {
            self.set_health(Health::Pausing);
        }
        *self.admin.lock().await = None;
        if ended != Ended::ByItself {
            let at_once = self.discarding.load(std::sync::atomic::Ordering::Relaxed);
            let grace = if at_once { Duration::ZERO } else { Duration::from_secs(30) };
            let status = child.stop(grace).await;
            info!(cluster = %name, %status, paused = ended == Ended::ForAPause, "engine is stopped");
        }
        ended
    }

    /// Starts the engine and waits until it answers. When the cluster is being stopped meanwhile it gives up, and leaves
    /// no process behind that writes to files which somebody is about to delete.
    async fn boot(&self) -> Result<Child, ClusterError> {
        if !self.layout.data.exists() {
            data::make_data(&self.engine, &self.layout, &self.cloud.processes, self.stopped()).await?;
        }
        let _ = std::fs::remove_file(&self.layout.socket);
        let settings = self.settings();
        let init = engine::write_init_file(&self.layout, self.engine.kind, &self.secret)?;
        let certificate = self.cloud.authority.issue(&self.layout.directory.join("tls"), &[])?;
        let child = self
            .cloud
            .processes
            .spawn(ChildSpec {
                name: format!("{} of cluster {}", self.engine.kind.name(), settings.identifier),
                program: self.engine.program.clone(),
                args: engine::arguments(&self.engine, &self.layout, &init, &certificate, &settings.parameters),
                env: engines::environment(),
                directory: self.layout.directory.clone(),
                output: Output::File(self.layout.log.clone()),
            })
            .await?;
        let prepared = tokio::select! {
            prepared = self.prepare(&child) => prepared,
            () = self.stopped() => Err(ClusterError::Down("it is being stopped".into())),
        };
        match prepared {
            Ok(()) => Ok(child),
            Err(error) => {
                child.kill().await;
                Err(error)
            }
        }
    }

    async fn prepare(&self, child: &Child) -> Result<(), ClusterError> {
        let mut admin = ready::wait(child, PATIENCE, || Conn::new(self.admin_options())).await?;
        if let Some(first) = First::pending(&self.layout)? {
            for statement in engine::setup(self.engine.kind, &self.secret, &first) {
                admin.query_drop(statement).await?;
            }
            First::done(&self.layout)?;
        }
        self.take_all_back(&mut admin).await?;
        *self.admin.lock().await = Some(admin);
        Ok(())
    }

    fn admin_options(&self) -> Opts {
        OptsBuilder::default()
            .socket(Some(self.layout.socket.to_string_lossy()))
            .user(Some(ADMIN))
            .pass(Some(self.secret.password("internal", ADMIN.as_bytes())))
            .stmt_cache_size(0)
            .wait_timeout(Some(31_536_000))
            .into()
    }

    /// Runs a statement as the internal administrator.
    ///
    /// # Errors
    /// The engine is away or refuses it.
    pub(crate) async fn administer(&self, statement: &str) -> Result<(), ClusterError> {
        self.ask(statement).await.map(|_| ())
    }

    /// Runs a query as the internal administrator; gives its rows as text.
    ///
    /// # Errors
    /// The engine is away or refuses it.
    pub(crate) async fn ask(&self, query: &str) -> Result<Vec<Vec<Option<String>>>, ClusterError> {
        let mut admin = self.admin.lock().await;
        if let Some(conn) = admin.as_mut() {
            match rows(conn, query).await {
                // It died with the engine, which shows only when it is used.
                Err(error) if !matches!(error, mysql_async::Error::Server(_)) => {}
                answered => return Ok(answered?),
            }
        }
        let fresh = Conn::new(self.admin_options()).await?;
        Ok(rows(admin.insert(fresh), query).await?)
    }

    /// Changes the master user's password.
    ///
    /// # Errors
    /// The engine is away or refuses it.
    pub(crate) async fn set_master_password(&self, master: &str, password: &str) -> Result<(), ClusterError> {
        self.be_awake().await?;
        self.administer(&engine::set_password(self.engine.kind, master, password)).await
    }

    /// Gives the account the role that may use S3's files, for as long as [`Cluster::take_back`] is not called. With a
    /// role active on MariaDB, which has one at a time, it is one that holds both. Returns the role's name.
    ///
    /// # Errors
    /// The engine is away or refuses it.
    pub(crate) async fn lend(&self, account: &str, active: Option<&str>) -> Result<String, ClusterError> {
        let mut transfers = self.transfers.lock().await;
        let role = match active.filter(|_| self.is_mariadb()) {
            None => TRANSFER_ROLE.to_owned(),
            Some(active) => {
                let role = format!("{TRANSFER_ROLE}_{}", &Plugin::Native.hash(active)[1..13]);
                self.administer(&format!("CREATE ROLE IF NOT EXISTS {role}")).await?;
                self.administer(&format!("GRANT {TRANSFER_ROLE} TO {role}")).await?;
                self.administer(&format!("GRANT `{}` TO {role}", active.replace('`', "``"))).await?;
                role
            }
        };
        let loan = format!("{role} to {account}");
        if !transfers.contains_key(&loan) {
            self.administer(&format!("GRANT {role} TO {account}")).await?;
        }
        *transfers.entry(loan).or_default() += 1;
        Ok(role)
    }

    pub(crate) async fn take_back(&self, account: &str, role: &str) {
        let mut transfers = self.transfers.lock().await;
        let loan = format!("{role} to {account}");
        let Some(count) = transfers.get_mut(&loan) else { return };
        *count -= 1;
        if *count == 0 {
            transfers.remove(&loan);
            if let Err(reason) = self.administer(&format!("REVOKE {role} FROM {account}")).await {
                warn!(%reason, "a role that was lent for a statement with S3 could not be taken back");
            }
        }
    }

    /// Takes back what an engine that ended in the middle of a statement with S3 still has on its books.
    async fn take_all_back(&self, admin: &mut Conn) -> Result<(), ClusterError> {
        let query = if self.is_mariadb() {
            "SELECT Role, User, Host FROM mysql.roles_mapping WHERE Host <> ''"
        } else {
            "SELECT FROM_USER, TO_USER, TO_HOST FROM mysql.role_edges"
        };
        let given: Vec<(String, String, String)> = admin.query(query).await?;
        // The administrator has every role that it made.
        let lent = given.into_iter().filter(|(role, user, _)| role.starts_with(TRANSFER_ROLE) && user != ADMIN);
        for (role, user, host) in lent {
            let quote = |name: &str| String::from_utf8_lossy(&literal(name.as_bytes())).into_owned();
            admin.query_drop(format!("REVOKE {role} FROM {}@{}", quote(&user), quote(&host))).await?;
        }
        Ok(())
    }

    /// What the engine knows of a login name: whether IAM vouches for it, and whether it must come over TLS.
    ///
    /// # Errors
    /// The engine is away.
    pub(crate) async fn account(&self, user: &[u8]) -> Result<Account, ClusterError> {
        let name = String::from_utf8_lossy(&literal(user)).into_owned();
        let query = format!("SELECT authentication_string, ssl_type FROM mysql.user WHERE User = {name}");
        let rows = self.ask(&query).await?;
        let field = |at: usize| rows.iter().filter_map(move |row| row.get(at)?.as_deref());
        let hash = std::cell::LazyCell::new(|| self.plugin().hash(&self.iam_password(user)));
        let (iam, tls) = (field(0).any(|kept| kept == *hash), field(1).any(|tls| !tls.is_empty()));
        Ok(Account { iam, tls })
    }
}

/// How a user logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) iam: bool,
    pub(crate) tls: bool,
}

async fn rows(conn: &mut Conn, query: &str) -> Result<Vec<Vec<Option<String>>>, mysql_async::Error> {
    Ok(conn.query(query).await?.into_iter().map(texts).collect())
}

fn texts(row: mysql_async::Row) -> Vec<Option<String>> {
    let text = |value| match value {
        mysql_async::Value::NULL => None,
        mysql_async::Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    };
    row.unwrap().into_iter().map(text).collect()
}
