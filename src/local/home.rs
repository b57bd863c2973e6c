//! The one directory that a local cloud writes to.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The directory of one local cloud; two homes are two clouds. Readable by its owner only.
#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Makes the directory if it is not there, closed to other users.
    ///
    /// # Errors
    /// The directory cannot be made, written or closed to others.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&root)?;
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o700))?;
        Ok(Home { root })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// State of one service: `state/<service>`.
    pub fn state(&self, service: &str) -> PathBuf {
        self.root.join("state").join(service)
    }

    /// Logs of the cloud and its children.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Sockets and pid files: gone after a stop.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Keys and certificates.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }
}
