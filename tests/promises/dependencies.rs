//! Every direct dependency has its reason in `docs/dependencies.md`, and no line there is stale.

use std::collections::BTreeSet;
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

#[test]
fn every_direct_dependency_has_its_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wanted = BTreeSet::new();
    for package in ["", "src/local", "src/template"] {
        wanted.extend(manifest_names(&root.join(package).join("Cargo.toml")));
    }
    // The workspace's own.
    wanted.retain(|name| !name.starts_with("labctl-"));
    let lambdas: Vec<_> = std::fs::read_dir(root.join("lambdas")).unwrap().map(|lambda| lambda.unwrap()).collect();
    for lambda in &lambdas {
        wanted.extend(manifest_names(&lambda.path().join("Cargo.toml")));
    }
    for lambda in &lambdas {
        wanted.remove(lambda.file_name().to_str().unwrap());
    }
    let page = std::fs::read_to_string(root.join("docs/dependencies.md")).unwrap();
    let reasons = page.lines().filter(|line| line.starts_with("| `") || line.starts_with("For tests"));
    let named: BTreeSet<String> = reasons
        .flat_map(|line| line.trim_start_matches('|').split('|').next().unwrap_or("").split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    assert_eq!(wanted, named);
}
