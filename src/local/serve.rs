//! The local cloud as one thing that is started, found, reset and stopped.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::clock::{Clock, Timestamp};
use super::cloud::{Cloud, Parts};
use super::endpoint;
use super::fault::Fault;
use super::gate::Gate;
use super::home::Home;
use super::http::{self, Patience};
use super::ids::Ids;
use super::process::engines::Engines;
use super::process::{Processes, reap};
use super::service::Service;
use super::services;
use super::store::{StoreError, replace};
use super::tls::Authority;

/// Where and with what the local cloud runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory it owns; made if missing.
    pub home: PathBuf,
    /// On 127.0.0.1; 0 picks a free one.
    pub port: u16,
    pub engines: Engines,
    pub clock: Clock,
    pub ids: Ids,
    /// How long clients are waited for.
    pub patience: Patience,
}

impl Options {
    /// A free port, no engines, the system's clock.
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Options {
            home: home.into(),
            port: 0,
            engines: Engines::default(),
            clock: Clock::System,
            ids: Ids::Random,
            patience: Patience::default(),
        }
    }
}

/// Why the local cloud does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot write to the local cloud's directory {}", home.display())]
    Home { home: PathBuf, source: io::Error },
    #[error("the directory {} belongs to a local cloud that runs already{}", home.display(), found(.by.as_ref()))]
    Locked { home: PathBuf, by: Option<Found> },
    #[error("port {port} on 127.0.0.1 is taken")]
    PortTaken { port: u16, source: io::Error },
    #[error("cannot listen on port {port} of 127.0.0.1")]
    Listen { port: u16, source: io::Error },
    #[error("cannot read the local cloud's state")]
    State(#[from] StoreError),
    #[error("cannot bring back {service}")]
    Start { service: &'static str, source: Fault },
}

impl ServeError {
    /// With its causes, on one line.
    fn whole(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }
}

fn found(by: Option<&Found>) -> String {
    by.map(|found| format!(": process {} at {}", found.pid, found.endpoint)).unwrap_or_default()
}

/// What a running local cloud leaves in its home for others to find: `run/serve.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub pid: u32,
    pub port: u16,
    /// `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// ISO 8601.
    pub started: String,
    pub version: String,
}

impl Found {
    /// The local cloud that runs on `home` now: its note is there *and* its lock is held.
    ///
    /// # Errors
    /// The home is there and cannot be read.
    pub fn find(home: &Path) -> io::Result<Option<Found>> {
        match File::open(home.join(LOCK)) {
            Ok(lock) if flock(&lock, FlockOperation::NonBlockingLockShared).is_ok() => Ok(None),
            Ok(_) => note(home),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn note(home: &Path) -> io::Result<Option<Found>> {
    match std::fs::read(home.join(NOTE)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// How often the lock is tried, 5 ms apart.
const LOOKERS: u32 = 50;
const LOCK: &str = "run/lock";
/// How often it is looked whether the home is still there.
const LOOK_AT_HOME: Duration = Duration::from_secs(2);
const NOTE: &str = "run/serve.json";

/// A local cloud that runs in this process. Dropping it does not stop it: call [`Running::stop`].
pub struct Running {
    supervisor: Arc<Supervisor>,
    listening: JoinHandle<()>,
    /// Held as long as we run; the kernel lets go of it when the process ends, however it ends.
    lock: File,
}

/// Starts the local cloud: opens and locks the home, binds the port, brings back what ran before, answers.
///
/// # Errors
/// Each [`ServeError`] says what to do about it; nothing is left running.
pub async fn serve(options: Options) -> Result<Running, ServeError> {
    let unwritable = |source| ServeError::Home { home: options.home.clone(), source };
    let home = Home::open(&options.home).map_err(unwritable)?;
    let lock = lock(&home)?;
    clear(&home).map_err(unwritable)?;
    allow_many_files();
    // What we and our engines write is nobody's but the owner's, wherever it comes to lie.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let listener = bind(options.port).await?;
    let address = listener.local_addr().map_err(|source| ServeError::Listen { port: options.port, source })?;
    let supervisor = Arc::new(Supervisor {
        authority: Authority::open(&home).map_err(unwritable)?,
        processes: Processes::of(&home),
        engines: options.engines,
        started: options.clock.now(),
        clock: options.clock,
        ids: options.ids,
        address,
        home,
        current: RwLock::new(Err(Closed::Resetting)),
        stop: watch::Sender::new(false),
        resetting: tokio::sync::Mutex::new(()),
    });
    let cloud = supervisor.open()?;
    *supervisor.current() = Ok(Open::of(cloud.clone()));
    let answering = supervisor.clone();
    let stop = supervisor.stop.subscribe();
    let listening = tokio::spawn(http::run(listener, options.patience, stop, move |request| {
        endpoint::answer(answering.clone(), request)
    }));
    let running = Running { supervisor: supervisor.clone(), listening, lock };
    let ready = match start_services(&cloud).await {
        Ok(()) => {
            supervisor.leave_note().map_err(|source| ServeError::Home { home: supervisor.home.root().into(), source })
        }
        Err(error) => Err(error),
    };
    match ready {
        Ok(()) => {
            tracing::info!(endpoint = %format_args!("http://{address}"), pid = std::process::id(), "the local cloud is up");
            Ok(running)
        }
        Err(error) => {
            running.stop().await;
            Err(error)
        }
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.supervisor.address
    }

    /// `http://127.0.0.1:4566`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.supervisor.address)
    }

    /// The cloud behind it; `None` while it resets.
    pub fn cloud(&self) -> Option<Arc<Cloud>> {
        self.supervisor.now_open().ok().map(|open| open.cloud)
    }

    /// Waits until someone asks it to stop (`POST /_labctl/stop`), or deletes its home, where nobody would find it any more; then
    /// call [`Running::stop`].
    pub async fn asked_to_stop(&self) {
        let mut stop = self.supervisor.stop.subscribe();
        tokio::select! {
            // An error means that the sender is gone, which we hold.
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.home_gone() => {
                tracing::error!(home = %self.supervisor.home.root().display(), "the home is gone: the local cloud ends");
            }
        }
    }

    async fn home_gone(&self) {
        while self.lock.metadata().is_ok_and(|lock| lock.nlink() > 0) {
            tokio::time::sleep(LOOK_AT_HOME).await;
        }
    }

    /// Drains the requests under way, stops every service and its children, and lets go of the home.
    pub async fn stop(self) {
        self.supervisor.ask_to_stop();
        let _ = self.listening.await;
        let running = std::mem::replace(&mut *self.supervisor.current(), Err(Closed::Resetting));
        if let Ok(open) = running {
            stop_services(&open.cloud).await;
            open.cloud.let_go();
        }
        let _ = std::fs::remove_file(self.supervisor.home.root().join(NOTE));
        if let Err(error) = self.supervisor.home.remove_sockets() {
            tracing::warn!(%error, "cannot remove the socket directory");
        }
        tracing::info!("the local cloud has stopped");
    }
}

/// Removes what a killed local cloud left: its note, its sockets, children that outlived it. Only for whoever has the lock.
fn clear(home: &Home) -> io::Result<()> {
    match std::fs::remove_file(home.root().join(NOTE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for name in reap::sweep(home)? {
        tracing::warn!(child = name, "ended a process that an earlier local cloud had left");
    }
    Ok(())
}

/// Forgets everything in a home on which no local cloud runs; the certificate authority and the logs stay.
///
/// # Errors
/// A local cloud runs on it, or the directory cannot be written.
pub fn wipe(home: &Path) -> Result<(), ServeError> {
    let unwritable = |source| ServeError::Home { home: home.to_owned(), source };
    let home = Home::open(home).map_err(unwritable)?;
    let _lock = lock(&home)?;
    clear(&home).and_then(|()| forget(&home)).map_err(unwritable)
}

fn forget(home: &Home) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(std::fs::remove_dir_all(home.root().join("state")))?;
    gone(std::fs::remove_file(home.keys().join("session.key")))
}

fn lock(home: &Home) -> Result<File, ServeError> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |source| ServeError::Home { home: home.root().to_owned(), source };
    std::fs::create_dir_all(home.run()).map_err(failed)?;
    let path = home.root().join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(failed)?;
    // Whoever looks whether a local cloud runs holds the lock for a moment: that is no owner.
    for _ in 0..LOOKERS {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => return Err(failed(error.into())),
        }
    }
    Err(ServeError::Locked { home: home.root().to_owned(), by: note(home.root()).ok().flatten() })
}

/// A client of a database costs three files: as many as this process may open, in place of the 1024 that it starts with.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "cannot raise the number of open files");
    }
}

async fn bind(port: u16) -> Result<TcpListener, ServeError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::PortTaken { port, source },
        _ => ServeError::Listen { port, source },
    })
}

/// How long a reset waits for requests under way, and then for those that end only with the services' children.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// The cloud of the moment, and the gate that its requests go through.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) cloud: Arc<Cloud>,
    pub(super) gate: Arc<Gate>,
}

impl Open {
    fn of(cloud: Arc<Cloud>) -> Self {
        Open { cloud, gate: Gate::new() }
    }

    /// Stops everything; afterwards nothing of this cloud writes any more.
    async fn close(self) {
        self.gate.close();
        self.gate.emptied(DRAIN_WITHIN).await;
        stop_services(&self.cloud).await;
        if !self.gate.emptied(DRAIN_WITHIN).await {
            tracing::warn!("requests were cut by a reset");
            self.gate.cut();
            self.gate.emptied(DRAIN_WITHIN).await;
        }
        self.cloud.let_go();
    }
}

/// Why there is no cloud to answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Closed {
    #[error("The local cloud is being reset.")]
    Resetting,
    #[error("The last reset failed: {0}. Mend that and reset once more: labctl local reset")]
    Failed(String),
}

/// What outlives a reset: the place, the port, the keys, and the cloud of the moment.
pub(super) struct Supervisor {
    home: Home,
    clock: Clock,
    ids: Ids,
    authority: Authority,
    processes: Processes,
    engines: Engines,
    address: SocketAddr,
    started: Timestamp,
    current: RwLock<Result<Open, Closed>>,
    stop: watch::Sender<bool>,
    resetting: tokio::sync::Mutex<()>,
}

impl Supervisor {
    /// The cloud that answers now.
    ///
    /// # Errors
    /// There is none: it resets, or could not.
    pub(super) fn now_open(&self) -> Result<Open, Closed> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn current(&self) -> std::sync::RwLockWriteGuard<'_, Result<Open, Closed>> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn engines(&self) -> &Engines {
        &self.engines
    }

    pub(super) fn started(&self) -> Timestamp {
        self.started
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    fn open(&self) -> Result<Arc<Cloud>, StoreError> {
        let cloud = Cloud::new(Parts {
            home: self.home.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            authority: self.authority.clone(),
            processes: self.processes.clone(),
            engines: self.engines.clone(),
        });
        cloud.register(services::all(&cloud)?);
        cloud.listening(self.address);
        Ok(cloud)
    }

    /// Stops everything, forgets everything but the certificate authority, and starts empty on the same port. What fails is
    /// told to all who ask from then on, until another reset succeeds.
    ///
    /// # Errors
    /// Why there is no cloud now.
    pub(super) async fn reset(&self) -> Result<(), Closed> {
        let _one_at_a_time = self.resetting.lock().await;
        let running = std::mem::replace(&mut *self.current(), Err(Closed::Resetting));
        if let Ok(open) = running {
            open.close().await;
        }
        let renewed = self.renew().await.map(Open::of).map_err(|error| Closed::Failed(error.whole()));
        if let Err(error) = &renewed {
            tracing::error!(%error, "a reset failed");
        }
        *self.current() = renewed.clone();
        renewed.map(drop)
    }

    async fn renew(&self) -> Result<Arc<Cloud>, ServeError> {
        forget(&self.home).map_err(|source| ServeError::Home { home: self.home.root().to_owned(), source })?;
        let cloud = self.open()?;
        match start_services(&cloud).await {
            Ok(()) => Ok(cloud),
            Err(error) => {
                stop_services(&cloud).await;
                cloud.let_go();
                Err(error)
            }
        }
    }

    fn leave_note(&self) -> io::Result<()> {
        let found = Found {
            pid: std::process::id(),
            port: self.address.port(),
            endpoint: format!("http://{}", self.address),
            started: self.started.iso8601(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        replace(&self.home.root().join(NOTE), &serde_json::to_vec_pretty(&found)?)
    }
}

/// Those that call the others come up last and go down first, in this order.
const CALLERS: [&str; 3] = ["cloudformation", "apigateway", "lambda"];

async fn start_services(cloud: &Arc<Cloud>) -> Result<(), ServeError> {
    let (callers, others): (Vec<_>, Vec<_>) = cloud.services().into_iter().partition(is_caller);
    let started = join_all(others.into_iter().map(start)).await;
    started.into_iter().collect::<Result<(), _>>()?;
    for name in CALLERS.iter().rev() {
        for service in callers.iter().filter(|service| service.name() == *name) {
            start(service.clone()).await?;
        }
    }
    Ok(())
}

async fn start(service: Arc<dyn Service>) -> Result<(), ServeError> {
    let name = service.name();
    service.start().await.map_err(|source| ServeError::Start { service: name, source })
}

async fn stop_services(cloud: &Arc<Cloud>) {
    let (callers, others): (Vec<_>, Vec<_>) = cloud.services().into_iter().partition(is_caller);
    for name in CALLERS {
        for service in callers.iter().filter(|service| service.name() == name) {
            service.clone().stop().await;
        }
    }
    join_all(others.into_iter().map(Service::stop)).await;
}

fn is_caller(service: &Arc<dyn Service>) -> bool {
    CALLERS.contains(&service.name())
}

#[cfg(test)]
mod tests {

    use super::*;

    #[tokio::test]
    async fn a_second_cloud_on_the_same_home_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let first = serve(Options::new(dir.path())).await.unwrap();
        let found = Found::find(dir.path()).unwrap().unwrap();
        assert_eq!((found.pid, found.port), (std::process::id(), first.address().port()));
        let second = serve(Options::new(dir.path())).await.err().unwrap();
        assert!(matches!(second, ServeError::Locked { by: Some(by), .. } if by == found));
        first.stop().await;
        assert_eq!(Found::find(dir.path()).unwrap(), None);
        serve(Options::new(dir.path())).await.unwrap().stop().await;
    }

    #[tokio::test]
    async fn a_reset_that_failed_says_why_until_one_succeeds() {
        let dir = tempfile::tempdir().unwrap();
        let running = serve(Options::new(dir.path())).await.unwrap();
        let state = dir.path().join("state");
        std::fs::remove_dir_all(&state).unwrap();
        std::fs::write(&state, "in the way").unwrap();
        let error = running.supervisor.reset().await.unwrap_err();
        assert!(matches!(&error, Closed::Failed(why) if why.contains("Not a directory")), "{error}");
        assert_eq!(running.supervisor.now_open().err(), Some(error));
        std::fs::remove_file(&state).unwrap();
        running.supervisor.reset().await.unwrap();
        assert!(running.cloud().is_some());
        running.stop().await;
    }

    #[tokio::test]
    async fn a_reset_leaves_nothing_of_the_cloud_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let running = serve(Options::new(dir.path())).await.unwrap();
        let before = Arc::downgrade(&running.cloud().unwrap());
        running.supervisor.reset().await.unwrap();
        // Tasks that the stop has ended drop what they hold a moment later.
        for _ in 0..400 {
            if before.strong_count() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        assert_eq!(before.strong_count(), 0, "something still holds it");
        running.stop().await;
    }

    #[tokio::test]
    async fn a_request_under_way_ends_before_a_reset_forgets() {
        let dir = tempfile::tempdir().unwrap();
        let running = serve(Options::new(dir.path())).await.unwrap();
        let open = running.supervisor.now_open().unwrap();
        let (left, file) = (open.gate.enter().unwrap(), dir.path().join("state/written"));
        let late = file.clone();
        let (resetting, seen) = tokio::sync::oneshot::channel::<()>();
        let writing = tokio::spawn(left.run(async move {
            seen.await.unwrap();
            std::fs::write(late, "late").unwrap();
        }));
        let supervisor = running.supervisor.clone();
        let reset = tokio::spawn(async move { supervisor.reset().await });
        while open.gate.enter().is_some() {
            tokio::task::yield_now().await;
        }
        resetting.send(()).unwrap();
        assert_eq!(writing.await.unwrap(), Some(()));
        reset.await.unwrap().unwrap();
        assert!(!file.exists() && running.cloud().is_some());
        running.stop().await;
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let dir = tempfile::tempdir().unwrap();
        let error = serve(Options { port, ..Options::new(dir.path()) }).await.err().unwrap();
        assert_eq!(error.to_string(), format!("port {port} on 127.0.0.1 is taken"));
    }

    #[tokio::test]
    async fn a_home_that_is_a_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = serve(Options::new(file.path())).await.err().unwrap();
        assert!(matches!(error, ServeError::Home { home, .. } if home == file.path()));
    }
}
