//! The walls of `docs/design/`: reads every `crate::` path in `src/` and fails on a forbidden edge. `src/local` and
//! `src/template` are crates of their own, whose walls are their manifests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What each module may name besides itself, `env`, and outside crates.
const ALLOWED: &[(&str, &[&str])] = &[
    ("lab", &["template"]),
    ("plan", &["lab", "template"]),
    ("sql", &["aws", "template"]),
    ("package", &[]),
    ("aws", &["error"]),
    ("engine", &["plan", "aws", "package", "sql", "lab", "template", "error"]),
    ("ui", &["engine", "plan", "sql", "error"]),
    ("cli", &["lab", "plan", "engine", "aws", "package", "sql", "ui", "error", "template"]),
];

/// `cli/local.rs` and its parts: the one place outside `local` that knows of it.
fn is_local_command(relative: &Path) -> bool {
    relative == Path::new("cli/local.rs") || relative.starts_with("cli/local")
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn edges(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().map(without_comment).collect::<Vec<_>>().join("\n");
    let after = code.split("crate::").skip(1).flat_map(|rest| match rest.strip_prefix('{') {
        Some(group) => members(group),
        None => vec![rest],
    });
    after.filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()).map(str::to_owned).collect()
}

/// A line up to its comment; what looks like one within a text may be the text's.
fn without_comment(line: &str) -> &str {
    let begins = |at: &usize| line[..*at].matches('"').count().is_multiple_of(2);
    let end = line.match_indices("//").map(|(at, _)| at).find(begins);
    &line[..end.unwrap_or(line.len())]
}

/// The paths of a `use` group up to its closing brace; groups within it belong to their path.
fn members(group: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (index, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                found.push(group[start..index].trim());
                start = index + 1;
                if sign == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

/// A path from `super` that leaves its own module of the crate: those are to be written from `crate`.
fn leaves(text: &str, depth: usize) -> bool {
    text.contains(&"super::".repeat(depth))
}

#[test]
fn every_name_of_a_nested_group_is_seen() {
    let text = "use crate::{aws::{x, y::{self, z}}, local::z, // of, }\n    // crate::{cli}\n    ui};\nlet a = crate::plan::B;\n// crate::sql";
    assert_eq!(edges(text), ["aws", "local", "plan", "ui"].map(str::to_owned).into());
    assert_eq!(edges("get(\"http://x\", crate::lab::Y)"), ["lab"].map(str::to_owned).into());
}

#[test]
fn no_module_reaches_over_a_wall() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut crossings = Vec::new();
    for file in &files {
        let relative = file.strip_prefix(&root).unwrap();
        let module = relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == module) else { continue };
        let text = std::fs::read_to_string(file).unwrap();
        // Of `a/b/c.rs` three steps lead out of `a`, in a module within the file four; of `a/mod.rs` and `a.rs` one and two.
        let inner = usize::from(text.contains("\nmod tests {"));
        let depth = relative.components().count() - usize::from(relative.ends_with("mod.rs"));
        if leaves(&text, depth + inner) {
            crossings.push(format!("{} leaves its module by `super`", relative.display()));
        }
        for target in edges(&text) {
            let local_face = is_local_command(relative) && target == "local";
            if target != module && target != "env" && !allowed.contains(&target.as_str()) && !local_face {
                crossings.push(format!("{} names crate::{target}", relative.display()));
            }
        }
    }
    assert!(crossings.is_empty(), "{crossings:#?}");
}

#[test]
fn the_crates_know_what_their_manifests_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours = |package: &str| {
        let manifest = std::fs::read_to_string(root.join(package).join("Cargo.toml")).unwrap();
        let names = manifest.lines().filter(|line| line.starts_with("labctl")).map(str::to_owned);
        names.collect::<Vec<_>>()
    };
    assert_eq!(ours("src/template"), [""; 0]);
    assert_eq!(ours("src/local"), ["labctl-template.workspace = true"]);
}

#[test]
fn only_the_local_half_speaks_of_the_local_cloud() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let outside = |file: &PathBuf| {
        let relative = file.strip_prefix(&root).unwrap();
        !relative.starts_with("local") && !is_local_command(relative) && relative != Path::new("lib.rs")
    };
    let words = ["crate::local", "labctl_local", "is_local", "if local", "localhost", "127.0.0.1"];
    let mut found = Vec::new();
    for file in files.iter().filter(|file| outside(file)) {
        for (number, line) in std::fs::read_to_string(file).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            found.extend(
                words
                    .iter()
                    .filter(|word| code.contains(**word))
                    .map(|word| format!("{}:{}: {word}", file.display(), number + 1)),
            );
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
