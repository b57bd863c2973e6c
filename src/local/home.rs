//! The one directory that a local cloud writes to.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

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

    /// A private directory with a short path for Unix sockets, whose paths end at 107 bytes (unix(7)); made if need be.
    /// Gone after a stop.
    ///
    /// # Errors
    /// It cannot be made, or somebody else's file is in its place.
    pub fn sockets(&self) -> io::Result<PathBuf> {
        let path = self.sockets_path();
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let found = std::fs::symlink_metadata(&path)?;
        let mine =
            found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode().trailing_zeros() >= 6;
        if !mine {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{} is not a private directory of this user", path.display()),
            ));
        }
        Ok(path)
    }

    /// Removes the socket directory and what is in it.
    ///
    /// # Errors
    /// It is not ours or cannot be removed.
    pub fn remove_sockets(&self) -> io::Result<()> {
        if std::fs::symlink_metadata(self.sockets_path()).is_err() {
            return Ok(());
        }
        std::fs::remove_dir_all(self.sockets()?)
    }

    fn sockets_path(&self) -> PathBuf {
        let user = rustix::process::geteuid().as_raw();
        let owned = |path: &PathBuf| {
            path.is_absolute()
                && path.as_os_str().len() <= 40
                && path.metadata().is_ok_and(|found| found.is_dir() && found.uid() == user)
        };
        let base = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(owned)
            .unwrap_or_else(|| PathBuf::from("/tmp"));
        let root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        let digest = hex::encode(&Sha256::digest(root.as_os_str().as_bytes())[..6]);
        base.join(format!("labctl-{user}-{digest}"))
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn sockets_lie_in_a_short_private_directory_of_this_home_alone() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(120));
        let (one, two) = (Home::open(&long).unwrap(), Home::open(dir.path()).unwrap());
        let path = one.sockets().unwrap();
        assert!(path.as_os_str().len() < 70, "{}", path.display());
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(one.sockets().unwrap(), path);
        assert_ne!(two.sockets().unwrap(), path);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(one.sockets().is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        one.remove_sockets().unwrap();
        two.remove_sockets().unwrap();
        assert!(!path.exists());
    }
}
