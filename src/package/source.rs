//! The sources of one function's crate, wherever they come from.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The versions of a crate's dependencies.
const LOCK: &str = "Cargo.lock";

/// A crate, and those beside it that it is made of. With a lock file its dependencies are pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The package's name, which is its binary's name too.
    pub crate_name: String,
    /// Each crate's under its name: `telemetry/Cargo.toml`, `aurora/src/lib.rs`.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Source {
    /// Changes when any file or `salt` (target, compiler, profile) does.
    pub fn fingerprint(&self, salt: &[&str]) -> String {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for part in salt {
            add(part.as_bytes());
        }
        for (path, bytes) in &self.files {
            add(path.as_bytes());
            add(bytes);
        }
        hex::encode(hash.finalize())
    }

    /// Whether the versions of the dependencies are those of a lock file.
    pub fn is_locked(&self) -> bool {
        self.files.contains_key(&format!("{}/{LOCK}", self.crate_name))
    }

    /// Makes `directory` hold these files and no others. A file that is right already is not touched: cargo goes by modification times.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write_to(&self, directory: &Path) -> io::Result<()> {
        for stale in self.stale(directory)? {
            std::fs::remove_file(stale)?;
        }
        for (path, bytes) in &self.files {
            let path = directory.join(path);
            if std::fs::read(&path).is_ok_and(|there| there == *bytes) {
                continue;
            }
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, bytes)?;
        }
        Ok(())
    }

    /// Files of an earlier version that this one does not have: a build script or a cargo configuration would go into the binary
    /// of sources without it. A lock file that cargo wrote for sources that have none stays, and their dependencies with it.
    fn stale(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let lock = Path::new(&self.crate_name).join(LOCK);
        let mut stale = Vec::new();
        let mut folders = vec![directory.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let path = entry?.path();
                let known = path
                    .strip_prefix(directory)
                    .is_ok_and(|path| path == lock || self.files.contains_key(&*path.to_string_lossy()));
                // A link to a folder is no folder of ours.
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else if !known {
                    stale.push(path);
                }
            }
        }
        Ok(stale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(files: &[(&str, &str)]) -> Source {
        let files = files.iter().map(|(path, text)| (format!("f/{path}"), text.as_bytes().to_vec())).collect();
        Source { crate_name: "f".to_owned(), files }
    }

    #[test]
    fn the_fingerprint_tells_contents_paths_and_salt_apart() {
        let one = source(&[("a", "bc"), ("d", "")]);
        let prints = [
            one.fingerprint(&["x"]),
            one.fingerprint(&["y"]),
            source(&[("ab", "c"), ("d", "")]).fingerprint(&["x"]),
            source(&[("a", "bd"), ("d", "")]).fingerprint(&["x"]),
        ];
        assert_eq!(prints.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        assert_eq!(one.fingerprint(&["x"]), prints[0]);
    }

    #[test]
    fn writing_again_removes_what_is_gone_and_leaves_the_rest_untouched() {
        let dir = tempfile::tempdir().unwrap();
        let old = [("src/old.rs", "o"), ("build.rs", "b"), (".cargo/config.toml", "c")];
        let old: Vec<_> = [("Cargo.toml", "1"), ("src/main.rs", "m")].into_iter().chain(old).collect();
        source(&old).write_to(dir.path()).unwrap();
        let file = |path: &str| dir.path().join("f").join(path);
        let modified = || std::fs::metadata(file("src/main.rs")).unwrap().modified().unwrap();
        let before = modified();
        source(&[("Cargo.toml", "2"), ("src/main.rs", "m")]).write_to(dir.path()).unwrap();
        assert!(old[2..].iter().all(|(path, _)| !file(path).exists()));
        assert_eq!(before, modified());
        assert_eq!(std::fs::read(file("Cargo.toml")).unwrap(), b"2");
    }
}
