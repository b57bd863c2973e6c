//! The children of a local cloud, as the machine sees them.

use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// The processes that run one of `programs` (the beginning of its file's name) and write to a log below `home`. The folder
/// that they run in says nothing of one that a wrapper has put into a root of its own.
pub(crate) fn children(home: &Path, programs: &[&str]) -> Vec<Pid> {
    let home = home.canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let found = processes.filter(|process| {
        let link = |name: &str| std::fs::read_link(process.path().join(name)).unwrap_or_default();
        let program: PathBuf = link("exe");
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        link("fd/1").starts_with(&home) && programs.iter().any(|wanted| name.starts_with(wanted))
    });
    found.filter_map(|process| process.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)).collect()
}

/// The programs that stand behind a database cluster.
pub(crate) const DATABASES: &[&str] = &["mysqld", "mariadbd"];
/// The programs that stand behind a replication group.
pub(crate) const CACHES: &[&str] = &["redis", "valkey"];

/// Sends `signal` to each; those that have ended meanwhile are left out.
pub(crate) fn send(signal: Signal, processes: &[Pid]) {
    for process in processes {
        let _ = kill_process(*process, signal);
    }
}

/// `kill -9` of every such child; there is one at least.
pub(crate) fn kill(home: &Path, programs: &[&str]) {
    let found = children(home, programs);
    assert!(!found.is_empty(), "no process of {programs:?} runs in {}", home.display());
    send(Signal::KILL, &found);
}
