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

use crate::local::fault::Fault;
use crate::local::store::{Shelf, StoreError, UNDERSTAND, replace};

use super::events::Event;
use super::state::{ChangeSet, Stack};
use super::status::Status;

const LAYOUT: u32 = 1;
const STACK_FILE: &str = "stack.json";
const EVENTS_FILE: &str = "events.jsonl";
const CHANGE_SETS_FILE: &str = "changesets.json";
/// How long the engine waits before it asks a full disk again.
const RETRY: Duration = Duration::from_millis(500);

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
        let (result, version, before) = {
            let mut draft = self.draft.lock().unwrap_or_else(PoisonError::into_inner);
            let mut stack = draft.stack.clone();
            let mut events = Vec::new();
            let result = change(&mut stack, &mut events)?;
            let before = (std::mem::replace(&mut draft.stack, stack), draft.pending.len());
            draft.pending.extend(events);
            draft.version += 1;
            (result, draft.version, before)
        };
        if let Err(fault) = self.flush(version).await {
            let mut draft = self.draft.lock().unwrap_or_else(PoisonError::into_inner);
            if draft.version == version {
                draft.stack = before.0;
                draft.pending.truncate(before.1);
            }
            return Err(fault.into());
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
        while let Err(fault) = self.flush(version).await {
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

    /// Writes the draft unless a write that began later than `version` already did.
    async fn flush(&self, version: u64) -> Result<(), Fault> {
        let mut written = self.written.lock().await;
        if written.version >= version {
            return Ok(());
        }
        let (stack, events, at) = {
            let draft = self.draft.lock().unwrap_or_else(PoisonError::into_inner);
            (draft.stack.clone(), draft.pending.clone(), draft.version)
        };
        let (directory, start) = (self.directory.clone(), written.events_end);
        let (stack, events, end) = tokio::task::spawn_blocking(move || {
            let end = append_events(&directory.join(EVENTS_FILE), &events, start)?;
            let bytes = serde_json::to_vec(&Document { version: LAYOUT, stack: &stack })?;
            replace(&directory.join(STACK_FILE), &bytes)?;
            Ok::<_, io::Error>((stack, events, end))
        })
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| Fault::internal(format_args!("cannot write {}: {error}", self.directory.display())))?;
        self.draft.lock().unwrap_or_else(PoisonError::into_inner).pending.drain(..events.len());
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
