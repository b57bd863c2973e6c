//! The files of the built-in labs, embedded.

use include_dir::{Dir, DirEntry, File, include_dir};

/// The embedded folders by their names in the repository.
static FOLDERS: [(&str, Dir<'static>); 4] = [
    ("examples", include_dir!("$CARGO_MANIFEST_DIR/examples")),
    ("lambdas", include_dir!("$CARGO_MANIFEST_DIR/lambdas")),
    ("sql", include_dir!("$CARGO_MANIFEST_DIR/sql")),
    ("templates", include_dir!("$CARGO_MANIFEST_DIR/templates")),
];

/// Names of the built-in labs, sorted.
pub fn labs() -> Vec<&'static str> {
    let manifests = folders("examples").filter(|folder| folder.contains(folder.path().join(super::model::MANIFEST)));
    let mut names: Vec<&str> = manifests.filter_map(|folder| folder.path().to_str()).collect();
    names.sort_unstable();
    names
}

fn folders(name: &str) -> impl Iterator<Item = &'static Dir<'static>> {
    FOLDERS.iter().filter(move |(folder, _)| *folder == name).flat_map(|(_, dir)| dir.dirs())
}

/// A file by its path in the repository, such as `templates/network.yaml`.
pub fn file(path: &str) -> Option<&'static [u8]> {
    let (top, rest) = path.split_once('/')?;
    let (_, dir) = FOLDERS.iter().find(|(name, _)| *name == top)?;
    dir.get_file(rest).map(File::contents)
}

/// The files under a folder of the repository, with their paths, sorted.
pub fn folder(path: &str) -> Vec<(String, &'static [u8])> {
    let path = path.trim_end_matches('/');
    let (top, rest) = path.split_once('/').unwrap_or((path, ""));
    let Some((_, dir)) = FOLDERS.iter().find(|(name, _)| *name == top) else { return Vec::new() };
    let Some(dir) = (if rest.is_empty() { Some(dir) } else { dir.get_dir(rest) }) else { return Vec::new() };
    let mut found = Vec::new();
    collect(dir, top, &mut found);
    found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn collect(dir: &'static Dir<'static>, top: &str, found: &mut Vec<(String, &'static [u8])>) {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(dir) => collect(dir, top, found),
            DirEntry::File(file) => {
                found.extend(file.path().to_str().map(|path| (format!("{top}/{path}"), file.contents())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sha2::{Digest, Sha256};

    use crate::template::yaml;

    use super::{file, folder, folders, labs};

    #[test]
    fn the_labs_and_their_files_are_there() {
        assert!(labs().contains(&"superheroes"));
        assert!(file("examples/superheroes/lab.yaml").is_some());
        assert!(file("examples/superheroes/nothing").is_none());
        let names: Vec<String> = folder("sql/superheroes").into_iter().map(|(path, _)| path).collect();
        assert!(
            names.iter().all(|name| name.starts_with("sql/superheroes/")) && names.is_sorted() && !names.is_empty()
        );
        assert!(folder("lambdas/superheroes").iter().any(|(path, _)| path == "lambdas/superheroes/Cargo.toml"));
        assert!(folder("nothing").is_empty() && folder("sql/nothing").is_empty());
    }

    /// Of each REST API: the resources that a deployment is a snapshot of, the number of the deployment that took it, and
    /// what they were then.
    const DEPLOYED: &[(&str, &[&str], &str, &str)] = &[
        (
            "inventory-api",
            &["Api", "Instances", "Instance", "Post", "Get", "NoAnswer"],
            "Deployment1",
            "ae5441532fda5a43",
        ),
        ("superheroes-api", &["Api", "Post"], "Deployment1", "83d5499c0449139c"),
        (
            "timeseries-api",
            &["Api", "Webhook", "Address", "GetWebhook", "PutWebhook", "GetAddress", "NoAnswer"],
            "Deployment1",
            "6fb49eeae5bf154e",
        ),
    ];

    #[test]
    fn a_change_to_an_api_needs_a_new_deployment() {
        for (template, parts, name, known) in DEPLOYED {
            let text = std::str::from_utf8(file(&format!("templates/{template}.yaml")).unwrap()).unwrap();
            let document = yaml::parse(text).unwrap();
            let resources = document.get("Resources").unwrap();
            let parts: String = parts.iter().map(|name| resources.get(name).unwrap().to_json().to_string()).collect();
            let digest = hex::encode(&Sha256::digest(parts)[..8]);
            assert_eq!(
                digest, *known,
                "{template} differs: raise the number in the names of its Deployments in the template, and here"
            );
            let names = resources.as_map().unwrap().keys().filter(|name| name.starts_with("Deployment"));
            assert!(names.clone().count() == 2 && names.into_iter().all(|found| found.starts_with(name)));
        }
    }

    /// The packages of a lock file: name, version, checksum.
    fn locked(text: &str) -> BTreeSet<[&str; 3]> {
        let packages = text.split("[[package]]").skip(1).map(|package| {
            ["name", "version", "checksum"].map(|key| {
                let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
                line.unwrap_or_default().trim_matches('"')
            })
        });
        packages.collect()
    }

    #[test]
    fn every_functions_dependencies_are_locked_at_the_versions_of_the_workspace() {
        let workspace = include_str!("../../Cargo.lock");
        // What has no binary is part of functions, and in their lock files.
        let functions = folders("lambdas").filter(|dir| dir.contains(dir.path().join("src/main.rs")));
        for crate_name in functions.filter_map(|dir| dir.path().to_str()) {
            let lock = file(&format!("lambdas/{crate_name}/Cargo.lock")).expect("a lock file");
            let lock = std::str::from_utf8(lock).unwrap();
            let other: Vec<_> = locked(lock).difference(&locked(workspace)).copied().collect();
            assert!(other.is_empty() && locked(lock).len() > 10, "run tools/lock_functions: {other:?}");
        }
    }
}
