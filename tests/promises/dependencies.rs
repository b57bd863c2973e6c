//! Every direct dependency has its reason in `docs/dependencies.md`, and no line there is stale.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn manifest_names(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end_matches(']').ends_with("dependencies");
        } else if inside && let Some((name, _)) = line.split_once('=') {
            names.insert(name.trim().trim_end_matches(".workspace").to_owned());
        }
    }
    names
}

/// The crates that a part of the page names.
fn reasons(part: &str) -> BTreeSet<String> {
    let lines = part.lines().filter(|line| line.starts_with("| `") || line.starts_with("For tests"));
    let first = lines.map(|line| line.trim_start_matches('|').split('|').next().unwrap());
    first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/dependencies.md")).unwrap();
    let parts = page.split("\n## ").skip(1).map(|part| part.split_once('\n').unwrap());
    let named: BTreeMap<String, BTreeSet<String>> =
        parts.map(|(heading, part)| (heading.to_owned(), reasons(part))).collect();

    let of = |packages: &[&str]| {
        let manifests = packages.iter().map(|package| manifest_names(&root.join(package).join("Cargo.toml")));
        manifests.flatten().collect::<BTreeSet<String>>()
    };
    let lambdas: Vec<String> = std::fs::read_dir(root.join("lambdas"))
        .unwrap()
        .map(|lambda| lambda.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut wanted = BTreeMap::from([("labctl".to_owned(), of(&["", "src/local", "src/template"]))]);
    wanted.extend(lambdas.iter().map(|name| (format!("lambdas/{name}"), of(&[&format!("lambdas/{name}")]))));
    // Our own crates are no dependencies.
    for names in wanted.values_mut() {
        names.retain(|name| !name.starts_with("labctl-") && !lambdas.contains(name));
    }
    assert_eq!(wanted, named);
}
