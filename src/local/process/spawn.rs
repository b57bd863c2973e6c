//! Starting, watching and stopping children. Every child has its own process group, dies with the local cloud (even on
//! kill -9), logs to a file, and is stopped by its owner.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};
use tokio::sync::{mpsc, oneshot, watch};

use super::{logs, reap};
use crate::home::Home;

/// How often the logs of children are looked at.
const LOG_EVERY: Duration = Duration::from_secs(30);

/// What to start.
#[derive(Debug)]
pub struct ChildSpec {
    /// What to call it in messages: `mysqld of cluster lab-aurora`.
    pub name: String,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// The whole environment: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    pub directory: PathBuf,
    pub output: Output,
}

/// Where a child's stdout and stderr go.
#[derive(Debug)]
pub enum Output {
    /// Appended to this file, readable by the owner only.
    File(PathBuf),
    /// Piped to whoever holds the [`Child`].
    Piped,
}

/// A child could not be started.
#[derive(Debug)]
pub struct SpawnError {
    name: String,
    program: PathBuf,
    source: io::Error,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot start {} ({}): {}", self.name, self.program.display(), self.source)
    }
}

impl std::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

type Request = (tokio::process::Command, oneshot::Sender<io::Result<tokio::process::Child>>);

/// Starts children from one thread that lives as long as the process: the kernel ends a child when the *thread* that
/// started it ends (`PR_SET_PDEATHSIG`, prctl(2)), so a worker thread of the runtime must not be that thread.
#[derive(Clone)]
pub struct Processes {
    requests: mpsc::UnboundedSender<Request>,
    /// Where children are noted while they run, for [`reap::sweep`].
    notes: Option<PathBuf>,
}

impl Processes {
    /// As [`Processes::start`], and notes every child in `home`, so that the next start finds what outlived this one.
    pub fn of(home: &Home) -> Self {
        Processes { notes: Some(reap::notes(home)), ..Processes::start() }
    }

    /// Starts the spawning thread. Called inside a tokio runtime.
    pub fn start() -> Self {
        let (requests, mut inbox) = mpsc::unbounded_channel::<Request>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || {
            let _runtime = runtime.enter();
            while let Some((mut command, answer)) = inbox.blocking_recv() {
                let _ = answer.send(command.spawn());
            }
        });
        Processes { requests, notes: None }
    }

    /// Starts a child.
    ///
    /// # Errors
    /// The program is not there or not executable, its log file cannot be opened, or the system refuses.
    pub async fn spawn(&self, spec: ChildSpec) -> Result<Child, SpawnError> {
        let ChildSpec { name, program, args, env, directory, output } = spec;
        let failed = |source| SpawnError { name: name.clone(), program: program.clone(), source };
        let mut command = tokio::process::Command::new(&program);
        command
            .args(args)
            .env_clear()
            .envs(env)
            .current_dir(directory)
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let log = match output {
            Output::Piped => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
                None
            }
            Output::File(path) => {
                let file = logs::open(&path).map_err(failed)?;
                command.stdout(file.try_clone().map_err(failed)?).stderr(file);
                Some(path)
            }
        };
        die_with_parent(&mut command);
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the spawning thread has ended");
        self.requests.send((command, answer)).map_err(|_| failed(gone()))?;
        let mut process = answered.await.map_err(|_| failed(gone()))?.map_err(failed)?;
        let pid = process.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).ok_or_else(|| failed(gone()))?;
        let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
        let (exited, exit) = watch::channel(None);
        let noted = self.notes.as_ref().and_then(|notes| reap::note(notes, &name, pid.as_raw_nonzero().get()));
        tokio::spawn(async move {
            let _noted = noted;
            let status = match log {
                Some(log) => tokio::select! {
                    status = process.wait() => status,
                    never = keep_short(log) => match never {},
                },
                None => process.wait().await,
            };
            // What the child itself started and left behind goes with it.
            let _ = kill_process_group(pid, Signal::KILL);
            // A child of which nobody knows how it ended has not ended well.
            let status = status.unwrap_or_else(|error| {
                tracing::warn!(%error, pid = pid.as_raw_nonzero().get(), "a child's exit status is unknown");
                ExitStatus::from_raw(255 << 8)
            });
            exited.send_replace(Some(status));
        });
        Ok(Child { name, pid, exit, stdout, stderr })
    }
}

/// Looks after a child's log for as long as the child lives.
async fn keep_short(log: PathBuf) -> Infallible {
    loop {
        let path = log.clone();
        let shortened = tokio::task::spawn_blocking(move || logs::shorten(&path, logs::LONGEST)).await;
        if let Err(error) = shortened.map_err(io::Error::other).flatten() {
            tracing::warn!(%error, path = %log.display(), "a log cannot be shortened");
        }
        tokio::time::sleep(LOG_EVERY).await;
    }
}

fn die_with_parent(command: &mut tokio::process::Command) {
    #[expect(
        unsafe_code,
        reason = "pre_exec: the closure makes one async-signal-safe system call and allocates nothing"
    )]
    // SAFETY: prctl(2) is async-signal-safe; nothing else runs between fork and exec.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

/// A running (or ended) child. Dropping it does not stop it; its owner calls [`Child::stop`].
#[derive(Debug)]
pub struct Child {
    name: String,
    pid: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
    /// Set for [`Output::Piped`]; taken by the reader.
    pub stdout: Option<tokio::process::ChildStdout>,
    pub stderr: Option<tokio::process::ChildStderr>,
}

impl Child {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits until it has ended.
    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            Err(_) => ExitStatus::default(),
        }
    }

    /// Asks it to end (SIGTERM), and after `grace` ends it and its whole group (SIGKILL).
    pub async fn stop(&self, grace: Duration) -> ExitStatus {
        if self.ended().is_none() {
            let _ = rustix::process::kill_process(self.pid, Signal::TERM);
        }
        match tokio::time::timeout(grace, self.wait()).await {
            Ok(status) => status,
            Err(_) => self.kill().await,
        }
    }

    /// Ends it and its whole group at once.
    pub async fn kill(&self) -> ExitStatus {
        if self.ended().is_none() {
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        self.wait().await
    }
}
