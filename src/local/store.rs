//! State on disk: one JSON document per shelf, replaced whole and atomically, before the change is acknowledged.
//!
//! A change that cannot be written (full disk) is not made. A kill -9 leaves the old or the new document, never a torn one.
//! Nothing is flushed through the disk's cache: the promise is to outlive the process, not a power cut.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::scope::Scope;

#[derive(Serialize, Deserialize)]
struct Document<T> {
    /// The layout of `state`; a home written by a newer labctl is refused.
    version: u32,
    state: T,
}

/// A document in memory and on disk. Readers never wait for the disk; writers go one at a time.
pub struct Shelf<T> {
    path: PathBuf,
    version: u32,
    current: RwLock<Arc<T>>,
    writing: tokio::sync::Mutex<()>,
}

/// What fails with a file that can be read and holds something else.
pub const UNDERSTAND: &str = "understand";

/// A shelf could not be read or written.
#[derive(Debug)]
pub struct StoreError {
    path: PathBuf,
    doing: &'static str,
    source: io::Error,
}

impl StoreError {
    /// For state that is not a shelf. `doing` completes "cannot … PATH".
    pub fn new(path: impl Into<PathBuf>, doing: &'static str, source: io::Error) -> Self {
        StoreError { path: path.into(), doing, source }
    }

    /// The one file whose content is not what it should be, if that is what is wrong.
    pub fn spoilt(&self) -> Option<&Path> {
        (self.doing == UNDERSTAND).then_some(self.path.as_path())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.doing, self.path.display(), self.source)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::internal(error)
    }
}

impl<T: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static> Shelf<T> {
    /// Reads the document at `path`, or starts with the default if there is none.
    ///
    /// # Errors
    /// The file cannot be read, is not this document, or has another layout than `version`.
    pub fn open(path: impl Into<PathBuf>, version: u32) -> Result<Self, StoreError> {
        let path = path.into();
        let failed = |doing, source| StoreError { path: path.clone(), doing, source };
        let state = match std::fs::read(&path) {
            Ok(bytes) => {
                let document: Document<T> =
                    serde_json::from_slice(&bytes).map_err(|error| failed(UNDERSTAND, io::Error::other(error)))?;
                if document.version != version {
                    let found = format!("layout {}, this labctl reads {version}", document.version);
                    return Err(failed(UNDERSTAND, io::Error::other(found)));
                }
                document.state
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => T::default(),
            Err(error) => return Err(failed("read", error)),
        };
        Ok(Shelf { path, version, current: RwLock::new(Arc::new(state)), writing: tokio::sync::Mutex::new(()) })
    }

    /// The document as it is now.
    pub fn get(&self) -> Arc<T> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes a copy; if `change` succeeds and the copy is on disk, it becomes the document.
    ///
    /// # Errors
    /// What `change` refuses, or the disk does.
    pub async fn change<R, E: From<StoreError>>(&self, change: impl FnOnce(&mut T) -> Result<R, E>) -> Result<R, E> {
        let _one_at_a_time = self.writing.lock().await;
        let mut next = T::clone(&self.get());
        let result = change(&mut next)?;
        let bytes = serde_json::to_vec(&Document { version: self.version, state: &next }).map_err(|error| {
            StoreError { path: self.path.clone(), doing: "encode", source: io::Error::other(error) }
        })?;
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || replace(&path, &bytes))
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|source| StoreError { path: self.path.clone(), doing: "write", source })?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(result)
    }
}

/// A document that has a record of each region.
impl<R: Clone + Default + Serialize + DeserializeOwned + Send + Sync + 'static> Shelf<BTreeMap<String, R>> {
    /// The record of the scope's region as it is now.
    pub fn region(&self, scope: &Scope) -> R {
        self.get().get(&scope.region).cloned().unwrap_or_default()
    }

    /// [`Shelf::change`] of the record of the scope's region.
    ///
    /// # Errors
    /// What `change` refuses, or the disk does.
    pub async fn change_region<A, E: From<StoreError>>(
        &self,
        scope: &Scope,
        change: impl FnOnce(&mut R) -> Result<A, E>,
    ) -> Result<A, E> {
        self.change(|regions| change(regions.entry(scope.region.clone()).or_default())).await
    }
}

/// A record shared between a document's old and new state: a change copies pointers and not all that there is.
#[derive(Debug)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    pub fn new(record: T) -> Self {
        Shared(Arc::new(record))
    }

    /// The record for somebody who keeps it longer than the document does.
    pub fn pointer(&self) -> Arc<T> {
        self.0.clone()
    }
}

impl<T: Clone> Shared<T> {
    /// The record, to be changed: a copy, if another document has it too.
    pub fn own(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(self.0.clone())
    }
}

impl<T> std::ops::Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Shared::new)
    }
}

/// Puts `bytes` in place of the file at `path` in one step; only the owner can read it.
///
/// # Errors
/// The directory cannot be made, or the file not written or renamed. The old file is then untouched.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)?;
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_outlives_the_shelf_and_a_refused_one_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.json");
        let shelf = Shelf::<Vec<u32>>::open(&path, 1).unwrap();
        shelf
            .change(|list| {
                list.push(7);
                Ok::<_, Fault>(())
            })
            .await
            .unwrap();
        let refused = shelf
            .change(|list| {
                list.push(8);
                Err::<(), _>(Fault::new("No", "no"))
            })
            .await;
        assert!(refused.is_err());
        assert_eq!(*shelf.get(), [7]);
        assert_eq!(*Shelf::<Vec<u32>>::open(&path, 1).unwrap().get(), [7]);
        assert!(Shelf::<Vec<u32>>::open(&path, 2).is_err());
    }
}
