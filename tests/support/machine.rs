//! The built program in a home of its own, as a user has it: a working folder, a home, a cache that all tests share.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use labctl::local::Found;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::clients::Clients;

/// A machine with nothing on it yet. What still runs at its end is stopped.
pub(crate) struct Machine {
    root: tempfile::TempDir,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    /// The exit code; `None` of one that a signal ended.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It ended with this code; gives everything it said on stderr.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self.err
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: not one document:\n{}{}", self.out, self.err))
    }
}

impl Machine {
    pub(crate) fn new() -> Self {
        let root = tempfile::Builder::new().prefix("lm").tempdir().unwrap();
        std::fs::create_dir(root.path().join("work")).unwrap();
        Machine { root }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// `LABCTL_HOME`; it is not there until the program makes it.
    pub(crate) fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// The folder in which commands are typed.
    pub(crate) fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    /// Writes a file of the working folder.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_labctl")), args)
    }

    /// The same environment for a program that starts labctl in its turn.
    pub(crate) fn command_of(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        let user = PathBuf::from(std::env::var_os("HOME").unwrap());
        let of_user = |name: &str, usual: &str| std::env::var_os(name).unwrap_or_else(|| user.join(usual).into());
        command.args(args).current_dir(self.work()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.root());
        command
            .env("CARGO_HOME", of_user("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", of_user("RUSTUP_HOME", ".rustup"));
        command.env("LABCTL_CACHE", of_user("LABCTL_CACHE", ".cache/labctl"));
        command.env("LABCTL_HOME", self.home()).env("LABCTL_LOCAL_PORT", "0").env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(super::engines());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().unwrap())
    }

    /// A run that must end well; gives what it said on stdout.
    #[track_caller]
    pub(crate) fn well(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert_eq!(said.code, Some(0), "labctl {args:?}\n{}{}", said.out, said.err);
        said.out
    }

    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let said = self.run(&[args, &["--output", "json"]].concat());
        assert_eq!(said.code, Some(0), "labctl {args:?}\n{}{}", said.out, said.err);
        said.json()
    }

    /// Starts a command whose output goes to a file of its own, so that it never waits for a reader.
    pub(crate) fn start(&self, args: &[&str]) -> Started {
        self.start_with(args, &[])
    }

    /// The same with more variables.
    pub(crate) fn start_with(&self, args: &[&str], env: &[(&str, &Path)]) -> Started {
        let file = tempfile::Builder::new().prefix("said").tempfile_in(self.root()).unwrap();
        let mut command = self.command(args);
        command.envs(env.iter().copied());
        let said = file.reopen().unwrap();
        command.stdout(said.try_clone().unwrap()).stderr(said);
        Started { process: command.spawn().unwrap(), said: file }
    }

    /// The local cloud that runs on the home now.
    pub(crate) fn cloud(&self) -> Option<Found> {
        Found::find(&self.home()).unwrap_or_default()
    }

    /// Real clients of that cloud.
    pub(crate) fn clients(&self) -> Option<Clients> {
        Some(Clients::new(self.cloud()?.endpoint, self.root()))
    }

    /// Processes that name this machine's folder in their command line or environment, with their command lines. Those
    /// that have ended and are not waited for yet do not count.
    pub(crate) fn processes(&self) -> Vec<(i32, String)> {
        let mark = self.root().to_str().unwrap();
        let pids =
            std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let read = |pid: i32, file: &str| {
            let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let named = pids
            .map(|pid| (pid, read(pid, "cmdline")))
            .filter(|(pid, line)| !line.is_empty() && (line.contains(mark) || read(*pid, "environ").contains(mark)));
        named.collect()
    }

    /// Nothing was made and nothing was started.
    #[track_caller]
    pub(crate) fn is_untouched(&self) {
        assert!(!self.home().exists(), "the home was made");
        assert_eq!(self.processes(), []);
    }

    /// Waits until no process of this machine is left.
    #[track_caller]
    pub(crate) fn is_quiet(&self) {
        until("every process has ended", || self.processes().is_empty());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.home().exists() {
            let _ = self.command(&["local", "stop"]).output();
        }
    }
}

/// A command that runs.
pub(crate) struct Started {
    process: Child,
    said: tempfile::NamedTempFile,
}

impl Started {
    pub(crate) fn pid(&self) -> i32 {
        self.process.id().try_into().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Everything it has said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.said.path()).unwrap()
    }

    /// It has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Waits for its end: the exit code and everything it said.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let status = self.process.wait().unwrap();
        (status.code(), std::fs::read_to_string(self.said.path()).unwrap())
    }
}

pub(crate) fn send(pid: i32, signal: Signal) {
    // One that is gone already cannot be told.
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Waits for a condition, for two minutes at most.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(120), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
