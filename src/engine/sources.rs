//! The files of a lab's functions: beside the manifest, or embedded.

use crate::lab::Lab;
use crate::lab::builtin;
use crate::lab::model::Origin;
use crate::package::Source;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use toml_edit::{Document, TableLike};

/// Folders that are no source: what a build or an editor left there.
pub const NOT_SOURCE: &[&str] = &["target", ".git"];

/// The folders of a function's crates, but for those that are in the program.
pub fn folders_of(lab: &Lab, function: &str) -> Vec<PathBuf> {
    let crates = crates_of(lab, function).unwrap_or_default();
    crates.iter().filter_map(|name| folder(lab, name)).collect()
}

/// The function's crate, with those beside it that it is made of. `None`: nobody has a crate of this name.
pub fn of_function(lab: &Lab, function: &str) -> io::Result<Option<Source>> {
    let crates = crates_of(lab, function)?;
    let mut files = BTreeMap::new();
    for name in &crates {
        match folder(lab, name) {
            Some(folder) => collect(&folder, name, &mut files)?,
            None => files.extend(embedded(name)),
        }
    }
    let crate_name = crates.into_iter().next();
    Ok(crate_name.filter(|_| !files.is_empty()).map(|crate_name| Source { crate_name, files }))
}

/// The function's crate first, then those that its manifest, or one of theirs, names as `path = "../NAME"`.
pub fn crates_of(lab: &Lab, function: &str) -> io::Result<Vec<String>> {
    let mut crates: Vec<String> =
        lab.manifest.functions.get(function).map(|function| function.crate_name.clone()).into_iter().collect();
    let mut next = 0;
    while let Some(name) = crates.get(next) {
        let manifest = match folder(lab, name) {
            Some(folder) => std::fs::read_to_string(folder.join("Cargo.toml")).or_else(nothing_if_missing)?,
            None => {
                let bytes = builtin::file(&format!("lambdas/{name}/Cargo.toml")).unwrap_or_default();
                String::from_utf8_lossy(bytes).into_owned()
            }
        };
        for beside in beside(&manifest) {
            if !crates.contains(&beside) {
                crates.push(beside);
            }
        }
        next += 1;
    }
    Ok(crates)
}

/// Cargo tells better what is wrong with a crate that has no manifest.
fn nothing_if_missing(error: io::Error) -> io::Result<String> {
    if error.kind() == io::ErrorKind::NotFound { Ok(String::new()) } else { Err(error) }
}

/// The crates that a manifest takes from the folders beside its own. Cargo tells better what is wrong with one that cannot be read.
fn beside(manifest: &str) -> Vec<String> {
    let mut crates = Vec::new();
    if let Ok(manifest) = Document::parse(manifest) {
        paths(manifest.as_table(), &mut crates);
    }
    crates
}

/// Every `path` of a table and of those in it: dependencies stand in several, and no other path begins with `../`.
fn paths(table: &dyn TableLike, crates: &mut Vec<String>) {
    for (key, item) in table.iter() {
        match (key, item.as_str(), item.as_table_like()) {
            ("path", Some(path), _) => {
                let name = path.strip_prefix("../").map(|name| name.trim_end_matches('/'));
                let name = name.filter(|name| !matches!(*name, "" | "..") && !name.contains(['/', '\\']));
                crates.extend(name.map(str::to_owned));
            }
            (_, _, Some(inner)) => paths(inner, crates),
            _ => {}
        }
    }
}

/// A crate beside the manifest. `None`: it is in the program, if anywhere.
fn folder(lab: &Lab, crate_name: &str) -> Option<PathBuf> {
    let Origin::Folder(folder) = &lab.origin else { return None };
    Some(folder.join("lambdas").join(crate_name)).filter(|folder| folder.is_dir())
}

fn embedded(crate_name: &str) -> impl Iterator<Item = (String, Vec<u8>)> {
    let files = builtin::folder(&format!("lambdas/{crate_name}")).into_iter();
    files.map(|(path, bytes)| (path.strip_prefix("lambdas/").unwrap_or(&path).to_owned(), bytes.to_vec()))
}

/// The files of a folder, with `place` before their names.
fn collect(directory: &Path, place: &str, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let (path, place) = (entry.path(), format!("{place}/{name}"));
        if !entry.file_type()?.is_dir() {
            files.insert(place, std::fs::read(&path)?);
        } else if !NOT_SOURCE.contains(&name) {
            collect(&path, &place, files)?;
        }
    }
    Ok(())
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::{beside, crates_of, folders_of, of_function};
    use crate::lab;
    use std::path::Path;

    #[test]
    fn a_manifest_names_the_crates_beside_its_own() {
        let manifest = r#"
            [lib]
            path = "src/lib.rs"
            [dependencies]
            serde = "1"
            # old = { path = "../old" }
            one = { path = "../one" }
            two = { version = "1", path='../two/' }
            three.path = "../three"
            [dependencies.four]
            path = "../four"
            [target.'cfg(unix)'.dev-dependencies]
            five = { path = "../five" }
            far = { path = "../../far" }
            up = { path = "../.." }
        "#;
        assert_eq!(beside(manifest), ["one", "two", "three", "four", "five"]);
        assert!(beside("[dependencies").is_empty());
    }

    #[test]
    fn a_built_in_function_brings_the_crates_that_it_is_made_of() {
        let lab = lab::load(Some("timeseries"), Path::new(".")).unwrap();
        assert_eq!(crates_of(&lab, "timeseries").unwrap(), ["timeseries", "aurora", "environment", "strict-json"]);
        let source = of_function(&lab, "timeseries").unwrap().unwrap();
        for file in ["timeseries/Cargo.lock", "aurora/src/lib.rs", "aurora/certs/rds-ca.pem", "strict-json/Cargo.toml"]
        {
            assert!(source.files.contains_key(file), "{file}");
        }
        assert!(source.is_locked() && folders_of(&lab, "timeseries").is_empty());
        assert_eq!(of_function(&lab, "nobody").unwrap(), None);
    }

    #[test]
    fn a_function_of_a_folder_takes_from_the_program_what_is_not_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("lab.yaml", "lab: mine\ndescription: x\nstacks: [network]\nfunctions: { f: {} }\n");
        write(
            "lambdas/f/Cargo.toml",
            "[dependencies]\nhere = { path = \"../here\" }\naurora = { path = \"../aurora\" }\n",
        );
        write("lambdas/f/target/debug/f", "built");
        write("lambdas/here/Cargo.toml", "[dependencies]\nf = { path = \"../f\" }\n");
        write("lambdas/here/src/lib.rs", "");
        let lab = lab::load(None, dir.path()).unwrap();
        let source = of_function(&lab, "f").unwrap().unwrap();
        let own = |file: &&str| !file.starts_with("aurora/") && !file.starts_with("environment/");
        let files: Vec<&str> = source.files.keys().map(String::as_str).filter(own).collect();
        assert_eq!(files, ["f/Cargo.toml", "here/Cargo.toml", "here/src/lib.rs"]);
        assert!(["aurora/src/lib.rs", "environment/src/lib.rs"].iter().all(|file| source.files.contains_key(*file)));
        assert_eq!(folders_of(&lab, "f"), ["f", "here"].map(|name| dir.path().join("lambdas").join(name)));
    }
}
