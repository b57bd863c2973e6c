//! One environment: a process of the function, its Runtime API, its log, its memory limit.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::api::{Answer, Init, Job, MOST_RESPONSE, Server, Slot};
use super::environment::{Credentials, Place, assume, log_stream_variable, variables};
use super::failure::Failure;
use super::log_lines::{self, Report};
use super::log_stream::LogStream;
use super::memory::Memory;
use super::output::Output;
use super::pool::Pool;
use super::trace::Times;
use super::{Invocation, Outcome};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::process::{self, Child, ChildSpec};
use crate::services::lambda::state::Version;

/// "The Init phase is limited to 10 seconds."
pub(super) const INIT_WITHIN: Duration = Duration::from_secs(10);
/// An environment whose keys end sooner than this takes no more work.
const KEYS_LEFT: i64 = 5 * 60 * 1000;

/// A warm environment.
pub(super) struct Worker {
    cloud: Arc<Cloud>,
    version: Arc<Version>,
    slot: Arc<Slot>,
    child: Arc<Child>,
    output: Output,
    pub log: Arc<LogStream>,
    memory: Arc<Memory>,
    keys_until: i64,
    /// When the start began (microseconds since the epoch) and how long it took; reported with the first invocation.
    init: Option<(i64, Duration)>,
    _scratch: Scratch,
    _server: Server,
    _watch: JoinSet<()>,
}

/// A folder of one environment, `/tmp` to it: goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(cloud: &Cloud) -> std::io::Result<Self> {
        let path = cloud.home.run().join("lambda").join(cloud.ids.lower(16));
        std::fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An environment that did not start, and the log that says so.
pub(super) struct NotStarted {
    pub failure: Failure,
    pub log: Arc<LogStream>,
    /// When the start began, in microseconds since the epoch.
    pub began: i64,
    pub took: Duration,
}

/// How an invocation on one environment ended.
pub(super) enum Ran {
    Done(Outcome),
    /// The process was gone before it fetched the work.
    Undelivered(Invocation),
}

impl Worker {
    /// Starts the function's `bootstrap` and waits until it asks for work.
    pub(super) async fn start(pool: &Pool, within: Duration) -> Result<Worker, NotStarted> {
        let (cloud, version) = (&pool.cloud, &pool.version);
        let log = LogStream::open(cloud.clone(), version.scope(), version.logging.group.clone(), &version.version);
        let (began, began_at) = (Instant::now(), cloud.clock.micros());
        let not_started = |failure, log| NotStarted { failure, log, began: began_at, took: began.elapsed() };
        if let Some(line) = log_lines::init_start(version, cloud.clock.now()) {
            log.line(line);
        }
        let mut worker = match Worker::spawn(pool, log.clone()).await {
            Ok(worker) => worker,
            Err(failure) => {
                log.line(log_lines::init_report(version, cloud.clock.now(), began.elapsed(), &failure));
                return Err(not_started(failure, log));
            }
        };
        match worker.ready(within).await {
            Ok(()) => {
                worker.init = Some((began_at, began.elapsed()));
                Ok(worker)
            }
            Err(failure) => {
                worker.output.drain().await;
                log.line(log_lines::init_report(version, cloud.clock.now(), began.elapsed(), &failure));
                worker.end_process().await;
                Err(not_started(failure, log))
            }
        }
    }

    async fn spawn(pool: &Pool, log: Arc<LogStream>) -> Result<Worker, Failure> {
        let Pool { cloud, version, task_root, .. } = pool;
        let internal = |error: &dyn std::fmt::Display| Failure::Fault(Fault::internal(error));
        let program = entrypoint(task_root)?;
        let keys: Credentials = assume(cloud, version).await.map_err(Failure::Fault)?;
        let slot = Slot::new();
        let server = Server::start(slot.clone()).await.map_err(|error| internal(&error))?;
        let scratch = Scratch::new(cloud).map_err(|error| internal(&error))?;
        let place = Place { runtime_api: server.address, task_root, scratch: &scratch.0, log_stream: &log.name };
        let spec = ChildSpec {
            name: format!("function {}", version.name),
            program,
            args: Vec::new(),
            env: variables(cloud, version, &keys, &place),
            directory: task_root.to_owned(),
            output: process::spawn::Output::Piped,
        };
        let mut child = cloud.processes.spawn(spec).await.map_err(|error| not_spawned(&error))?;
        let output = Output::of(&mut child, &log).map_err(|error| internal(&error))?;
        let memory = Memory::of(&child, u64::from(version.memory) << 20);
        let (child, memory) = (Arc::new(child), Arc::new(memory));
        pool.spawned(&child).await;
        let mut watch = JoinSet::new();
        watch.spawn(memory.clone().watch(child.clone(), slot.clone()));
        Ok(Worker {
            cloud: cloud.clone(),
            version: version.clone(),
            slot,
            child,
            output,
            log,
            memory,
            keys_until: keys.expiration.millis(),
            init: None,
            _scratch: scratch,
            _server: server,
            _watch: watch,
        })
    }

    async fn ready(&self, within: Duration) -> Result<(), Failure> {
        let mut init = self.slot.init();
        let started = async {
            match init.wait_for(|init| !matches!(init, Init::Starting)).await.as_deref() {
                Ok(Init::Failed { body, kind }) => Err(Failure::Reported { body: body.clone(), kind: kind.clone() }),
                _ => Ok(()),
            }
        };
        tokio::select! {
            biased;
            started = started => started,
            status = self.child.wait() => Err(self.death(status)),
            () = tokio::time::sleep(within) => Err(Failure::InitTimedOut),
        }
    }

    fn death(&self, status: std::process::ExitStatus) -> Failure {
        match self.memory.is_exceeded() {
            true => Failure::OutOfMemory,
            false => Failure::Exited(status),
        }
    }

    /// Alive, and with keys that last.
    pub(super) fn is_usable(&self) -> bool {
        self.child.ended().is_none() && self.keys_until - self.cloud.clock.now().millis() > KEYS_LEFT
    }

    pub(super) fn is_alive(&self) -> bool {
        self.child.ended().is_none()
    }

    /// Gives the process one invocation and waits for its answer, its death or the function's timeout.
    pub(super) async fn run(&mut self, invocation: Invocation) -> Ran {
        let (now, began) = (self.cloud.clock.now(), Instant::now());
        let timeout = Duration::from_secs(u64::from(self.version.timeout));
        let (request_id, tail) = (invocation.request_id.clone(), invocation.tail);
        let (trace, started) = (invocation.trace.clone(), self.cloud.clock.micros());
        let (done, answered) = oneshot::channel();
        if tail {
            self.log.start_tail();
        }
        if let Some(line) = log_lines::start(&self.version, now, &request_id) {
            self.log.line(line);
        }
        let deadline_ms = now.millis() + i64::from(self.version.timeout) * 1000;
        self.slot.give(Job { invocation, deadline_ms, trace_id: trace.header(), done });
        let answer = tokio::select! {
            biased;
            answer = answered => match answer {
                Ok(Answer::Response(body)) => Ok(body),
                Ok(Answer::Error { body, kind }) => Err(Failure::Reported { body, kind }),
                Ok(Answer::TooLarge) => Err(Failure::ResponseTooLarge(MOST_RESPONSE)),
                Err(_) => Err(Failure::Fault(Fault::internal("the invocation was dropped"))),
            },
            status = self.child.wait() => match self.slot.take_back() {
                Some(job) => return Ran::Undelivered(job.invocation),
                None => Err(self.death(status)),
            },
            () = tokio::time::sleep(timeout) => Err(Failure::TimedOut { seconds: timeout.as_secs_f64() }),
        };
        let answered = self.cloud.clock.micros();
        self.slot.forget();
        // It may have been quicker than the next look.
        self.memory.look();
        let answer = match answer {
            Ok(_) | Err(Failure::Reported { .. } | Failure::ResponseTooLarge(_)) if self.memory.is_exceeded() => {
                Err(Failure::OutOfMemory)
            }
            other => other,
        };
        let fatal = matches!(answer, Err(Failure::TimedOut { .. } | Failure::Exited(_) | Failure::OutOfMemory));
        if fatal {
            self.child.kill().await;
        }
        self.output.drain().await;
        let init = self.init.take();
        let report = Report {
            request_id: &request_id,
            duration: began.elapsed(),
            init: init.map(|(_, took)| took),
            memory_used: self.memory.peak(),
            failure: answer.as_ref().err(),
            trace: &trace,
        };
        finish_log(&self.log, &self.cloud, &self.version, &report);
        let times = Times { init, began: started, answered };
        trace.record((&self.cloud, &self.version), (&request_id, answer.as_ref().err()), times);
        let (payload, failed) = match answer {
            Ok(body) => (body, false),
            Err(failure) => (failure.payload(&request_id), true),
        };
        Ran::Done(Outcome { payload, failed, tail: if tail { self.log.take_tail() } else { None } })
    }

    /// Ends the process and all that it has started, also what has left its process group.
    async fn end_process(&self) {
        self.child.kill().await;
        let mark = log_stream_variable(&self.log.name);
        let swept = tokio::task::spawn_blocking(move || process::reap::end_marked(&mark));
        for pid in swept.await.unwrap_or_default() {
            tracing::warn!(function = self.version.name, pid, "ended a process that a function had left");
        }
    }

    /// Ends the process and sends the rest of its log.
    pub(super) async fn end(self) {
        self.end_process().await;
        self.output.drain().await;
        self.log.close().await;
    }
}

/// Writes what Lambda writes after an invocation.
pub(super) fn finish_log(log: &LogStream, cloud: &Cloud, version: &Version, report: &Report<'_>) {
    let now = cloud.clock.now();
    if let Some(line) = report.failure.and_then(|failure| failure.log_line(report.request_id, &now.iso8601())) {
        log.line(line);
    }
    for line in log_lines::end(version, now, report) {
        log.line(line);
    }
}

/// `bootstrap` in the root of the zip; there are no layers here, so `/opt` is empty.
fn entrypoint(task_root: &Path) -> Result<PathBuf, Failure> {
    let program = task_root.join("bootstrap");
    match std::fs::metadata(&program) {
        Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => match is_program(&program) {
            true => Ok(program),
            false => Err(Failure::Entrypoint("fork/exec /var/task/bootstrap: exec format error".into())),
        },
        Ok(found) if found.is_file() => {
            Err(Failure::Entrypoint("fork/exec /var/task/bootstrap: permission denied".into()))
        }
        _ => Err(Failure::Entrypoint("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".into())),
    }
}

/// The size of an ELF header and of an entry of its program header table, of 64 bits (elf(5)).
const ELF_HEAD: usize = 64;
const ELF_ENTRY: u64 = 56;
/// The machine of this build, as ELF numbers it.
const ELF_MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

/// A script with its interpreter, or an ELF file that the kernel takes. exec(3) hands anything else to a shell, which Lambda
/// does not: a program for another machine would be run as a script, line by line.
fn is_program(path: &Path) -> bool {
    let mut head = Vec::with_capacity(ELF_HEAD);
    let Ok(file) = std::fs::File::open(path) else { return false };
    let length = file.metadata().map_or(0, |found| found.len());
    let read = std::io::Read::read_to_end(&mut std::io::Read::take(file, ELF_HEAD as u64), &mut head);
    read.is_ok() && (head.starts_with(b"#!") || is_elf_for_here(&head, length))
}

fn is_elf_for_here(head: &[u8], length: u64) -> bool {
    let Ok(head) = <&[u8; ELF_HEAD]>::try_from(head) else { return false };
    let half = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let table = u64::from_le_bytes([head[32], head[33], head[34], head[35], head[36], head[37], head[38], head[39]]);
    let entries = u64::from(half(56)) * ELF_ENTRY;
    let program_or_shared = matches!(half(16), 2 | 3);
    head.starts_with(b"\x7fELF\x02\x01")
        && program_or_shared
        && half(18) == ELF_MACHINE
        && u64::from(half(54)) == ELF_ENTRY
        && entries > 0
        && table.checked_add(entries).is_some_and(|end| end <= length)
}

fn not_spawned(error: &process::SpawnError) -> Failure {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    match source.and_then(std::io::Error::raw_os_error) {
        // ENOEXEC, ENOENT (its interpreter is not there), EACCES: what the function's author can mend.
        Some(8) => Failure::Entrypoint("fork/exec /var/task/bootstrap: exec format error".into()),
        Some(2) => Failure::Entrypoint("fork/exec /var/task/bootstrap: no such file or directory".into()),
        Some(13) => Failure::Entrypoint("fork/exec /var/task/bootstrap: permission denied".into()),
        _ => Failure::Fault(Fault::internal(error)),
    }
}
