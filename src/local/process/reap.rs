//! Children that outlived their local cloud.
//!
//! The kernel ends a child when the local cloud dies (`PR_SET_PDEATHSIG`), but not what the child had started itself, and not
//! a child that was starting at that very moment. So each child leaves a note while it runs; the next start reads what is
//! left and ends what is surely ours: the same boot, and the same process, or a member of its group in our session.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::home::Home;

/// What a child leaves while it runs: `run/children/<pid>.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    name: String,
    pid: i32,
    /// The kernel's start time of the process: tells it from a later one with the same number.
    started: u64,
    session: i32,
    boot: String,
}

/// A note on disk, gone when the child has ended.
#[derive(Debug)]
pub(super) struct Noted(PathBuf);

impl Drop for Noted {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Notes a child that has just started. A child without a note only lacks this second safety.
pub(super) fn note(directory: &Path, name: &str, pid: i32) -> Option<Noted> {
    let stat = Stat::of(pid)?;
    let note = Note { name: name.to_owned(), pid, started: stat.started, session: stat.session, boot: boot()? };
    let path = directory.join(format!("{pid}.json"));
    crate::store::replace(&path, &serde_json::to_vec(&note).ok()?).ok()?;
    Some(Noted(path))
}

/// Where the children of `home` are noted.
pub(super) fn notes(home: &Home) -> PathBuf {
    home.run().join("children")
}

/// Ends what an earlier local cloud of this home left running and removes its sockets. Only for whoever holds the home.
/// Gives the names of what it ended.
///
/// # Errors
/// The home's own run directory cannot be read.
pub fn sweep(home: &Home) -> io::Result<Vec<String>> {
    let mut ended = Vec::new();
    let entries = match std::fs::read_dir(notes(home)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return home.remove_sockets().map(|()| ended),
        Err(error) => return Err(error),
    };
    let boot = boot();
    for entry in entries {
        let path = entry?.path();
        let note = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        if let Some(note) = note.filter(|note| Some(&note.boot) == boot.as_ref())
            && end(&note)
        {
            ended.push(note.name);
        }
        let _ = std::fs::remove_file(&path);
    }
    home.remove_sockets()?;
    Ok(ended)
}

fn end(note: &Note) -> bool {
    let Some(group) = Pid::from_raw(note.pid) else { return false };
    if Stat::of(note.pid).is_some_and(|stat| stat.started == note.started) {
        return kill_process_group(group, Signal::KILL).is_ok();
    }
    let mut any = false;
    for pid in processes() {
        let ours = Stat::of(pid)
            .is_some_and(|stat| stat.group == note.pid && stat.session == note.session && stat.started >= note.started);
        if let Some(pid) = Pid::from_raw(pid).filter(|_| ours) {
            any |= kill_process(pid, Signal::KILL).is_ok();
        }
    }
    any
}

/// Ends every process that has `mark` (`NAME=value`, a value that nobody else has) in its environment: what a child has
/// started inherits it, whatever its group and session. Gives the processes that were ended.
pub fn end_marked(mark: &str) -> Vec<i32> {
    let has_mark = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let end = |pid: &i32| Pid::from_raw(*pid).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok());
    processes().into_iter().filter(has_mark).filter(end).collect()
}

fn processes() -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn boot() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

/// What is needed of `/proc/<pid>/stat` (proc_pid_stat(5)).
struct Stat {
    group: i32,
    session: i32,
    started: u64,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The program's name is in parentheses and may hold anything, so count from the last one.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        if fields.first() == Some(&"Z") {
            return None;
        }
        Some(Stat {
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {

    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_noted_child_that_was_left_is_ended_and_a_later_process_with_its_number_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        let mut left = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let mut other = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let pid = i32::try_from(left.id()).unwrap();
        std::mem::forget(note(&notes(&home), "left over", pid).unwrap());
        let reused = i32::try_from(other.id()).unwrap();
        std::mem::forget(note(&notes(&home), "long gone", reused).unwrap());
        let path = notes(&home).join(format!("{reused}.json"));
        let mut text: Note = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        text.started -= 1;
        text.session += 1;
        std::fs::write(&path, serde_json::to_vec(&text).unwrap()).unwrap();

        assert_eq!(sweep(&home).unwrap(), ["left over"]);
        assert!(!left.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none(), "a stranger is left alone");
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(std::fs::read_dir(notes(&home)).unwrap().count(), 0);
    }
}
