//! One stack in memory and on disk: its document, replaced whole, and its events, appended.
//!
//! Changes go to a draft at once and become visible when they are on disk. Changes that wait for the disk at the same
//! time share one write, so that a wide stack costs few of them.

use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::store::{Shelf, StoreError, UNDERSTAND, replace};

use super::events::Event;
use super::state::{ChangeSet, Stack};
use super::status::Status;

const LAYOUT: u32 = 1;
const STACK_FILE: &str = "stack.json";
const EVENTS_FILE: &str = "events.jsonl";
const CHANGE_SETS_FILE: &str = "changesets.json";
/// How long the engine waits before it asks a full disk again.
const RETRY: Duration = Duration::from_millis(500);
/// How long a change waits for those that were built on it.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Serialize, Deserialize)]
struct Document<T> {
    version: u32,
    stack: T,
}

/// A stack: readers see what is on disk, the engine works on the draft.
pub(super) struct Cell {
    directory: PathBuf,
    draft: Mutex<Draft>,
    published: RwLock<Arc<Stack>>,
    events: RwLock<Vec<Arc<Event>>>,
    written: tokio::sync::Mutex<Written>,
    /// Told whenever something was published.
    news: tokio::sync::watch::Sender<u64>,
    /// Tells the engine to look at the status: a request has changed it.
    pub(super) poke: tokio::sync::Notify,
    /// Held by a request while it decides whether it may begin an operation.
    pub(super) admission: tokio::sync::Mutex<()>,
    pub(super) change_sets: Shelf<IndexMap<String, ChangeSet>>,
}

struct Draft {
    stack: Stack,
    pending: Vec<Event>,
    version: u64,
}

/// How a change is taken back: the stack before it, and how many events it added.
struct Undo {
    stack: Stack,
    events: usize,
}

impl Draft {
    /// Takes the last change back.
    fn take_back(&mut self, undo: Undo) {
        self.stack = undo.stack;
        let kept = self.pending.len().saturating_sub(undo.events);
        self.pending.truncate(kept);
        self.version -= 1;
    }
}

struct Written {
    version: u64,
    /// Where the events on disk end.
    events_end: u64,
}

impl Cell {
    /// A new stack, not yet on disk.
    ///
    /// # Errors
    /// What lies at `directory` cannot be read.
    pub(super) fn new(directory: PathBuf, stack: Stack) -> Result<Self, StoreError> {
        Cell::with(directory, stack, Vec::new(), 0)
    }

    fn with(directory: PathBuf, stack: Stack, events: Vec<Arc<Event>>, events_end: u64) -> Result<Self, StoreError> {
        Ok(Cell {
            change_sets: Shelf::open(directory.join(CHANGE_SETS_FILE), LAYOUT)?,
            directory,
            published: RwLock::new(Arc::new(stack.clone())),
            draft: Mutex::new(Draft { stack, pending: Vec::new(), version: 0 }),
            events: RwLock::new(events),
            written: tokio::sync::Mutex::new(Written { version: 0, events_end }),
            news: tokio::sync::watch::Sender::new(0),
            poke: tokio::sync::Notify::new(),
            admission: tokio::sync::Mutex::new(()),
        })
    }

    /// Reads what an earlier run left; `None` if the directory holds no stack (a create that was never acknowledged).
    ///
    /// # Errors
    /// The files cannot be read or are not ours.
    pub(super) fn open(directory: PathBuf) -> Result<Option<Self>, StoreError> {
        let path = directory.join(STACK_FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::new(&path, "read", error)),
        };
        let document: Document<Stack> = serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::new(&path, UNDERSTAND, io::Error::other(error)))?;
        if document.version != LAYOUT {
            let found = format!("layout {}, this labctl reads {LAYOUT}", document.version);
            return Err(StoreError::new(&path, UNDERSTAND, io::Error::other(found)));
        }
        // A request that was cut off between the stack and its first change set: nobody was told of this stack.
        let is_empty = document.stack.status == Status::ReviewInProgress;
        if is_empty && !directory.join(CHANGE_SETS_FILE).exists() {
            return Ok(None);
        }
        let (events, end) = read_events(&directory.join(EVENTS_FILE))?;
        Cell::with(directory, document.stack, events, end).map(Some)
    }

    /// The stack as it is on disk.
    pub(super) fn get(&self) -> Arc<Stack> {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every event on disk, oldest first.
    pub(super) fn events(&self) -> Vec<Arc<Event>> {
        self.events.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the draft: what the engine knows, a write ahead of [`Cell::get`].
    pub(super) fn peek<R>(&self, read: impl FnOnce(&Stack) -> R) -> R {
        read(&self.draft.lock().unwrap_or_else(PoisonError::into_inner).stack)
    }

    /// Changes the stack for a client: refused or not written, nothing has changed.
    ///
    /// # Errors
    /// What `change` refuses, or the disk does.
    pub(super) async fn change<R, E: From<Fault>>(
        &self,
        change: impl FnOnce(&mut Stack, &mut Vec<Event>) -> Result<R, E>,
    ) -> Result<R, E> {
        let (result, version, undo) = {
            let mut draft = self.draft.lock().unwrap_or_else(PoisonError::into_inner);
            let mut stack = draft.stack.clone();
            let mut events = Vec::new();
            let result = change(&mut stack, &mut events)?;
            let undo = Undo { stack: std::mem::replace(&mut draft.stack, stack), events: events.len() };
            draft.pending.extend(events);
            draft.version += 1;
            (result, draft.version, undo)
        };
        let mut undo = Some(undo);
        while let Err(fault) = self.flush(version, &mut undo).await {
            if undo.is_none() {
                return Err(fault.into());
            }
            // Others have built on this change and wait for the disk too: it stands or falls with theirs.
            tokio::time::sleep(AGAIN).await;
        }
        Ok(result)
    }

    /// Changes the stack for the engine, which cannot take back what has happened: it waits for the disk.
    pub(super) async fn record<R>(&self, change: impl FnOnce(&mut Stack, &mut Vec<Event>) -> R) -> R {
        let (result, version) = {
            let mut draft = self.draft.lock().unwrap_or_else(PoisonError::into_inner);
            let Draft { stack, pending, version } = &mut *draft;
            let result = change(stack, pending);
            *version += 1;
            (result, *version)
        };
        while let Err(fault) = self.flush(version, &mut None).await {
            tracing::error!(%fault, "a stack's progress cannot be written; trying again");
            tokio::time::sleep(RETRY).await;
        }
        result
    }

    /// Waits until `done` holds of the published stack.
    pub(super) async fn until(&self, done: impl Fn(&Stack) -> bool) {
        let mut news = self.news.subscribe();
        while !done(&self.get()) {
            if news.changed().await.is_err() {
                return;
            }
        }
    }

    /// Writes the draft unless a write that began later than `version` already did. If it cannot be written and `version` is
    /// still the last change, `undo` is taken and the change with it: before any other write.
    async fn flush(&self, version: u64, undo: &mut Option<Undo>) -> Result<(), Fault> {
        let mut written = self.written.lock().await;
        if written.version >= version {
            return Ok(());
        }
        let (stack, events, at) = {
            let draft = self.draft.lock().unwrap_or_else(PoisonError::into_inner);
            (draft.stack.clone(), draft.pending.clone(), draft.version)
        };
        let (directory, start) = (self.directory.clone(), written.events_end);
        let flushed = tokio::task::spawn_blocking(move || {
            let end = append_events(&directory.join(EVENTS_FILE), &events, start)?;
            let bytes = serde_json::to_vec(&Document { version: LAYOUT, stack: &stack })?;
            replace(&directory.join(STACK_FILE), &bytes)?;
            Ok::<_, io::Error>((stack, events, end))
        })
        .await
        .map_err(io::Error::other)
        .flatten();
        let mut draft = self.draft.lock().unwrap_or_else(PoisonError::into_inner);
        let (stack, events, end) = match flushed {
            Ok(flushed) => flushed,
            Err(error) => {
                if draft.version == version
                    && let Some(undo) = undo.take()
                {
                    draft.take_back(undo);
                }
                return Err(Fault::internal(format_args!("cannot write {}: {error}", self.directory.display())));
            }
        };
        draft.pending.drain(..events.len());
        drop(draft);
        self.events.write().unwrap_or_else(PoisonError::into_inner).extend(events.into_iter().map(Arc::new));
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(stack);
        *written = Written { version: at, events_end: end };
        self.news.send_replace(at);
        Ok(())
    }
}

/// Writes `events` from the byte `start` on, over what a failed write may have left there.
fn append_events(path: &Path, events: &[Event], start: u64) -> io::Result<u64> {
    if events.is_empty() {
        return Ok(start);
    }
    let mut lines = Vec::new();
    for event in events {
        serde_json::to_writer(&mut lines, event)?;
        lines.push(b'\n');
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut file = std::fs::OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path)?;
    file.set_len(start)?;
    file.seek(SeekFrom::Start(start))?;
    file.write_all(&lines)?;
    Ok(start + lines.len() as u64)
}

/// The whole lines of the file, and where they end: a kill may have torn the last one.
fn read_events(path: &Path) -> Result<(Vec<Arc<Event>>, u64), StoreError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        Err(error) => return Err(StoreError::new(path, "read", error)),
    };
    let mut events = Vec::new();
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        let event =
            serde_json::from_slice(line).map_err(|error| StoreError::new(path, UNDERSTAND, io::Error::other(error)))?;
        events.push(Arc::new(event));
        end += line.len() as u64;
    }
    Ok((events, end))
}

#[cfg(test)]
mod tests {
    use crate::clock::Timestamp;
    use crate::scope::Scope;
    use crate::services::cloudformation::events::What;

    use super::*;

    /// A cell whose files cannot be written while something is in the way.
    fn blocked() -> (tempfile::TempDir, PathBuf, Cell) {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("s");
        let stack = Stack::blank(&Scope::root("us-east-1"), ("s", "s".into()), Timestamp::from_millis(0));
        let cell = Cell::new(place.clone(), Stack { status: Status::CreateComplete, ..stack }).unwrap();
        std::fs::write(&place, "in the way").unwrap();
        (dir, place, cell)
    }

    fn event(id: &str) -> Event {
        Event {
            id: id.into(),
            at: Timestamp::from_millis(0),
            logical_id: "A".into(),
            physical_id: String::new(),
            kind: "K".into(),
            reason: None,
            properties: None,
            client_token: None,
            operation: None,
            what: What::Changed(Status::CreateComplete),
        }
    }

    async fn import(cell: &Cell, name: &str) -> Result<(), Fault> {
        cell.change(|stack, events| {
            stack.imports.insert(name.to_owned());
            events.push(event(name));
            Ok::<_, Fault>(())
        })
        .await
    }

    fn names(cell: &Cell) -> (Vec<String>, Vec<String>) {
        (cell.get().imports.iter().cloned().collect(), cell.events().iter().map(|event| event.id.clone()).collect())
    }

    #[tokio::test]
    async fn what_was_told_to_have_failed_is_not_written_later() {
        let (_dir, place, cell) = blocked();
        // The second is built on the first, and waits for the disk behind it.
        let (one, two, three) = tokio::join!(import(&cell, "one"), import(&cell, "two"), import(&cell, "three"));
        assert!(one.is_err() && two.is_err() && three.is_err());
        std::fs::remove_file(&place).unwrap();
        import(&cell, "four").await.unwrap();
        let four = (vec!["four".to_owned()], vec!["four".to_owned()]);
        assert_eq!(names(&cell), four);
        assert_eq!(names(&Cell::open(place).unwrap().unwrap()), four);
    }

    #[tokio::test]
    async fn a_change_that_the_engine_has_built_on_is_told_as_it_comes_out() {
        let (_dir, place, cell) = blocked();
        let engine = cell.record(|stack, events| {
            stack.imports.insert("engine".to_owned());
            events.push(event("engine"));
        });
        let mend = async {
            tokio::task::yield_now().await;
            std::fs::remove_file(&place).unwrap();
        };
        let (client, (), ()) = tokio::join!(import(&cell, "client"), engine, mend);
        client.unwrap();
        let both = ["client".to_owned(), "engine".to_owned()].to_vec();
        assert_eq!(names(&cell), (both.clone(), both));
    }
}
