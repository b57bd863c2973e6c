//! Reading a document into types: what is wrong is collected, and reading goes on.

use super::problem::{Position, Problem};
use super::yaml::{Map, Node};

/// A name used somewhere, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub name: String,
    pub at: Position,
}

/// Collects problems while it reads.
#[derive(Default)]
pub struct Reader {
    pub problems: Vec<Problem>,
}

impl Reader {
    pub fn problem(&mut self, at: Position, path: &str, what: impl Into<String>) {
        self.problems.push(Problem::new(at, path, what));
    }

    pub fn known_keys(&mut self, node: &Node, path: &str, what: &str, known: &[&str]) {
        for (key, entry) in node.as_map().into_iter().flatten() {
            if !known.contains(&key.as_str()) {
                let problem = Problem::new(entry.at, path, format!("unknown {what} `{key}`"));
                self.problems.push(problem.near(key, known.iter().copied()));
            }
        }
    }

    pub fn text(&mut self, node: &Node, path: &str, key: &str) -> Option<String> {
        let found = node.get(key)?;
        let text = found.scalar_text();
        if text.is_none() {
            self.problem(found.at, &join(path, key), format!("must be a string, not {}", found.kind()));
        }
        text
    }

    /// A name or a list of names.
    pub fn names(&mut self, node: &Node, path: &str, key: &str) -> Vec<Named> {
        let Some(found) = node.get(key) else { return Vec::new() };
        let items = found.as_list().unwrap_or(std::slice::from_ref(found));
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            match item.as_str() {
                Some(name) => names.push(Named { name: name.to_owned(), at: item.at }),
                None => self.problem(item.at, &join(path, key), format!("must be a name, not {}", item.kind())),
            }
        }
        names
    }

    pub fn name(&mut self, node: &Node, path: &str, key: &str) -> Option<Named> {
        let found = node.get(key)?;
        let name = found.as_str().map(|name| Named { name: name.to_owned(), at: found.at });
        if name.is_none() {
            self.problem(found.at, &join(path, key), format!("must be a name, not {}", found.kind()));
        }
        name
    }

    pub fn mapping_of<'a>(&mut self, path: &str, node: &'a Node) -> Option<&'a Map> {
        if node.as_map().is_none() {
            self.problem(node.at, path, format!("must be a mapping, not {}", node.kind()));
        }
        node.as_map()
    }

    pub fn number<T: std::str::FromStr>(&mut self, node: &Node, path: &str, key: &str) -> Option<T> {
        let found = node.get(key)?;
        // `inf` and `nan` are numbers to Rust only.
        let number = found
            .scalar_text()
            .filter(|text| text.contains(|c: char| c.is_ascii_digit()))
            .and_then(|text| text.parse().ok());
        if number.is_none() {
            self.problem(found.at, &join(path, key), "must be a number");
        }
        number
    }

    pub fn boolean(&mut self, node: &Node, path: &str, key: &str) -> bool {
        let Some(found) = node.get(key) else { return false };
        match found.scalar_text().map(|text| text.to_lowercase()).as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => {
                self.problem(found.at, &join(path, key), "must be true or false");
                false
            }
        }
    }
}

/// `Resources.Cluster` + `Type` → `Resources.Cluster.Type`.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
