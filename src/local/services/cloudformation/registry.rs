//! Every stack of this cloud, by name and by id.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use indexmap::IndexMap;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::scope::Scope;
use crate::store::StoreError;

use super::cell::Cell;
use super::state::Stack;

/// CloudFormation keeps deleted stacks readable by their id for 90 days.
const KEEP_DELETED_MILLIS: i64 = 90 * 24 * 3600 * 1000;

pub(super) struct Registry {
    root: PathBuf,
    index: RwLock<Index>,
    /// Held while a new name is taken.
    pub(super) naming: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Index {
    by_id: IndexMap<String, Arc<Cell>>,
    /// Region and name of stacks that are not deleted.
    by_name: HashMap<(String, String), Arc<Cell>>,
}

impl Registry {
    /// Reads every stack under `root`.
    ///
    /// # Errors
    /// A stack's files cannot be read or are not ours.
    pub(super) fn open(root: PathBuf, now: Timestamp) -> Result<Self, StoreError> {
        let mut cells = Vec::new();
        let entries = match std::fs::read_dir(&root) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        for entry in entries.map_err(|error| StoreError::new(&root, "list", error))? {
            let Some(cell) = Cell::open(entry.path())? else { continue };
            let expired = cell.get().deleted.is_some_and(|at| at.plus_millis(KEEP_DELETED_MILLIS) < now);
            if expired {
                std::fs::remove_dir_all(entry.path())
                    .map_err(|error| StoreError::new(entry.path(), "remove", error))?;
            } else {
                cells.push(Arc::new(cell));
            }
        }
        cells.sort_by_key(|cell| cell.get().created);
        let mut index = Index::default();
        for cell in cells {
            index.insert(&cell);
        }
        Ok(Registry { root, index: RwLock::new(index), naming: tokio::sync::Mutex::new(()) })
    }

    /// The stack with this id, deleted or not, or the one that has this name now.
    pub(super) fn find(&self, scope: &Scope, name_or_id: &str) -> Option<Arc<Cell>> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        if name_or_id.starts_with("arn:") {
            return index.by_id.get(name_or_id).cloned();
        }
        index.by_name.get(&(scope.region.clone(), name_or_id.to_owned())).cloned()
    }

    /// Every stack of the region, deleted ones too, newest first.
    pub(super) fn all(&self, region: &str) -> Vec<Arc<Cell>> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.by_id.values().rev().filter(|cell| cell.get().scope.region == region).cloned().collect()
    }

    /// Every stack of every region.
    pub(super) fn everywhere(&self) -> Vec<Arc<Cell>> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).by_id.values().cloned().collect()
    }

    /// A cell for a new stack, found by nobody until [`Registry::add`].
    ///
    /// # Errors
    /// Its directory cannot be read.
    pub(super) fn prepare(&self, stack: Stack) -> Result<Arc<Cell>, Fault> {
        let directory = stack.id.rsplit('/').next().unwrap_or_default();
        Ok(Arc::new(Cell::new(self.root.join(directory), stack)?))
    }

    pub(super) fn add(&self, cell: &Arc<Cell>) {
        self.index.write().unwrap_or_else(PoisonError::into_inner).insert(cell);
    }

    /// Frees the name of a stack that was deleted.
    pub(super) fn release(&self, stack: &Stack) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let key = (stack.scope.region.clone(), stack.name.clone());
        if index.by_name.get(&key).is_some_and(|cell| cell.get().id == stack.id) {
            index.by_name.remove(&key);
        }
    }
}

impl Index {
    fn insert(&mut self, cell: &Arc<Cell>) {
        let stack = cell.get();
        if !stack.is_deleted() {
            self.by_name.insert((stack.scope.region.clone(), stack.name.clone()), cell.clone());
        }
        self.by_id.insert(stack.id.clone(), cell.clone());
    }
}
