//! The files of a lab's functions: beside the manifest, or embedded.

use crate::lab::Lab;
use crate::lab::builtin;
use crate::lab::model::Origin;
use crate::package::Source;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Folders that are no source: what a build or an editor left there.
pub const NOT_SOURCE: &[&str] = &["target", ".git"];

/// The folder of a function's crate. `None`: its sources are in the program.
pub fn folder_of(lab: &Lab, function: &str) -> Option<PathBuf> {
    let crate_name = &lab.manifest.functions.get(function)?.crate_name;
    let Origin::Folder(folder) = &lab.origin else { return None };
    Some(folder.join("lambdas").join(crate_name)).filter(|folder| folder.is_dir())
}

/// The crate of a function. `None`: nobody has a crate of this name.
pub fn of_function(lab: &Lab, function: &str) -> io::Result<Option<Source>> {
    let Some(crate_name) = lab.manifest.functions.get(function).map(|function| function.crate_name.clone()) else {
        return Ok(None);
    };
    if let Some(directory) = folder_of(lab, function) {
        let mut files = BTreeMap::new();
        collect(&directory, &directory, &mut files)?;
        return Ok(Some(Source { crate_name, files }));
    }
    let inside = format!("lambdas/{crate_name}");
    let prefix = format!("{inside}/");
    let embedded = builtin::folder(&inside).into_iter();
    let files: BTreeMap<String, Vec<u8>> = embedded
        .map(|(path, bytes)| (path.strip_prefix(&prefix).unwrap_or(&path).to_owned(), bytes.to_vec()))
        .collect();
    Ok((!files.is_empty()).then_some(Source { crate_name, files }))
}

fn collect(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            if !NOT_SOURCE.iter().any(|skipped| name == *skipped) {
                collect(root, &path, files)?;
            }
            continue;
        }
        if let Some(relative) = path.strip_prefix(root).ok().and_then(Path::to_str) {
            files.insert(relative.to_owned(), std::fs::read(&path)?);
        }
    }
    Ok(())
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
