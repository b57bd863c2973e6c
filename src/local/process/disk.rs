//! Is there room for what is about to be made?

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A fresh database directory, its redo log and a few uploads.
pub const NEEDED: u64 = 512 * 1024 * 1024;

/// Too little room, or no way to tell.
#[derive(Debug)]
pub enum DiskError {
    Low { path: PathBuf, free: u64, needed: u64 },
    Unknown { path: PathBuf, source: io::Error },
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1024 * 1024;
        match self {
            DiskError::Low { path, free, needed } => {
                write!(
                    f,
                    "no disk space for the local cloud: {} MiB free of the {} MiB needed in {}",
                    free / MIB,
                    needed / MIB,
                    path.display()
                )
            }
            DiskError::Unknown { path, source } => {
                write!(f, "cannot tell the free disk space of {}: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for DiskError {}

/// Bytes that this user may still write on the file system of `path`, which may not be there yet.
///
/// # Errors
/// No parent of `path` can be looked at. A file system without blocks (`/proc`) has no room to measure: what is written there
/// fails by itself.
pub fn free(path: &Path) -> Result<u64, DiskError> {
    let there = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(there)
        .map_err(|error| DiskError::Unknown { path: there.to_owned(), source: error.into() })?;
    Ok(if stat.f_blocks == 0 { u64::MAX } else { stat.f_bavail.saturating_mul(stat.f_frsize) })
}

/// Refuses when fewer than `needed` bytes are free where `path` is or will be.
///
/// # Errors
/// [`DiskError`] as it says.
pub fn require(path: &Path, needed: u64) -> Result<(), DiskError> {
    let free = free(path)?;
    if free < needed { Err(DiskError::Low { path: path.to_owned(), free, needed }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_directory_to_come_is_measured_by_its_parent_and_an_impossible_need_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("not/yet");
        assert!(require(&path, 1).is_ok());
        let refused = require(&path, u64::MAX).unwrap_err().to_string();
        assert!(refused.starts_with("no disk space for the local cloud: "), "{refused}");
        assert!(refused.ends_with("not/yet"), "{refused}");
    }
}
