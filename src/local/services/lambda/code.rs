//! A function's zip: checked, digested, unpacked once per content.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::faults::LambdaFault;
use super::state::Code;

/// A zip in the request itself.
const MOST_ZIPPED: usize = 50 << 20;
/// Everything unpacked.
const MOST_UNZIPPED: u64 = 262_144_000;

/// Where unpacked code and the zips lie.
pub(super) struct CodeStore {
    root: PathBuf,
}

impl CodeStore {
    pub(super) fn new(root: PathBuf) -> Self {
        CodeStore { root }
    }

    fn stem(&self, code: &Code) -> PathBuf {
        let digest = STANDARD.decode(&code.sha256).unwrap_or_default();
        self.root.join(hex::encode(digest))
    }

    /// The unpacked code: `LAMBDA_TASK_ROOT`.
    pub(super) fn directory(&self, code: &Code) -> PathBuf {
        self.stem(code)
    }

    /// The zip as it was uploaded.
    pub(super) fn zip(&self, code: &Code) -> PathBuf {
        self.stem(code).with_extension("zip")
    }

    /// Checks the zip and unpacks it; what is there already is taken.
    pub(super) fn put(&self, zip: &[u8], direct: bool) -> Result<Code, LambdaFault> {
        if zip.is_empty() {
            return Err(LambdaFault::invalid("Uploaded file must be a non-empty zip"));
        }
        if direct && zip.len() > MOST_ZIPPED {
            return Err(LambdaFault::TooLarge(MOST_ZIPPED));
        }
        let code = Code { sha256: STANDARD.encode(Sha256::digest(zip)), size: zip.len() as u64 };
        let directory = self.directory(&code);
        if directory.is_dir() && self.zip(&code).is_file() {
            return Ok(code);
        }
        std::fs::create_dir_all(&self.root)?;
        let staging = tempfile::Builder::new().prefix("unpacking-").tempdir_in(&self.root)?;
        unpack(zip, staging.path())?;
        crate::store::replace(&self.zip(&code), zip)?;
        // The directory is readable by the owner only (tempfile makes it so), as is the whole home.
        let staged = staging.keep();
        match std::fs::rename(&staged, &directory) {
            // Another request unpacked the same bytes meanwhile.
            Err(_) if directory.is_dir() => std::fs::remove_dir_all(&staged)?,
            other => other?,
        }
        Ok(code)
    }

    /// Removes what no function uses.
    pub(super) fn keep_only<'c>(&self, used: impl Iterator<Item = &'c Code>) -> io::Result<()> {
        let kept: BTreeSet<PathBuf> = used.flat_map(|code| [self.directory(code), self.zip(code)]).collect();
        let entries = match std::fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if kept.contains(&path) {
                continue;
            }
            if path.is_dir() { std::fs::remove_dir_all(&path)? } else { std::fs::remove_file(&path)? }
        }
        Ok(())
    }
}

fn broken() -> LambdaFault {
    LambdaFault::invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
}

fn unpack(zip: &[u8], into: &Path) -> Result<(), LambdaFault> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|_| broken())?;
    let mut room = MOST_UNZIPPED;
    let mut links = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|_| broken())?;
        let name = entry.name().map_err(|_| broken())?.into_owned();
        let relative = entry.enclosed_name().ok_or_else(|| {
            LambdaFault::invalid(format!("The zip entry '{name}' lies outside of the function's directory."))
        })?;
        let path = into.join(relative);
        if entry.is_dir() {
            std::fs::create_dir_all(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        if entry.is_symlink() {
            let mut target = String::new();
            entry.by_ref().take(4096).read_to_string(&mut target).map_err(|_| broken())?;
            links.push((path, target, name));
            continue;
        }
        // The size in the header may lie: what counts is what comes out.
        let mode = entry.unix_mode().map_or(0o644, |mode| mode & 0o777 | 0o400);
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let copied = io::copy(&mut entry.by_ref().take(room + 1), &mut file).map_err(|_| broken())?;
        room = room
            .checked_sub(copied)
            .ok_or_else(|| LambdaFault::invalid(format!("Unzipped size must be smaller than {MOST_UNZIPPED} bytes")))?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    // Links come last, so that no file can be written through one.
    for (path, target, name) in links {
        if !stays_inside(into, &path, Path::new(&target)) {
            let message = format!("The symbolic link '{name}' in the zip leads outside of the function's directory.");
            return Err(LambdaFault::invalid(message));
        }
        std::os::unix::fs::symlink(&target, &path).map_err(|_| broken())?;
    }
    Ok(())
}

fn stays_inside(root: &Path, link: &Path, target: &Path) -> bool {
    let Some(mut depth) =
        link.parent().and_then(|parent| parent.strip_prefix(root).ok()).map(|p| p.components().count())
    else {
        return false;
    };
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zip_of(entries: &[(&str, &[u8], u32)], links: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes, mode) in entries {
            writer.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        for (name, target) in links {
            writer.add_symlink(*name, *target, SimpleFileOptions::default()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_zip_is_unpacked_with_its_modes_and_digest_and_only_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = CodeStore::new(dir.path().join("code"));
        let zip = zip_of(&[("bootstrap", b"#!/bin/sh", 0o755), ("lib/a.txt", b"a", 0o640)], &[("link", "lib/a.txt")]);
        let code = store.put(&zip, true).unwrap();
        let mode =
            |name: &str| std::fs::metadata(store.directory(&code).join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("bootstrap"), mode("lib/a.txt")), (0o755, 0o640));
        assert_eq!(std::fs::read(store.directory(&code).join("link")).unwrap(), b"a");
        assert_eq!(code.sha256, STANDARD.encode(Sha256::digest(&zip)));
        assert_eq!(store.put(&zip, true).unwrap(), code);
        store.keep_only([].iter()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("code")).unwrap().count(), 0);
    }

    #[test]
    fn hostile_zips_are_refused_and_leave_nothing_outside() {
        let dir = tempfile::tempdir().unwrap();
        let store = CodeStore::new(dir.path().join("code"));
        let hostile = [
            zip_of(&[("../evil", b"x", 0o644)], &[]),
            zip_of(&[("/etc/evil", b"x", 0o644), ("../../x", b"", 0o644)], &[]),
            zip_of(&[], &[("link", "/etc/passwd")]),
            zip_of(&[], &[("a/link", "../../x")]),
            zip_of(&[("link/inner", b"x", 0o644)], &[("link", "elsewhere")]),
            b"not a zip".to_vec(),
            Vec::new(),
        ];
        for zip in hostile {
            assert!(matches!(store.put(&zip, true), Err(LambdaFault::Invalid(_))));
        }
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["code"]);
    }
}
