//! Template texts: kept once per content, parsed once per process.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::local::fault::Fault;
use crate::local::store::replace;
use crate::template::refs::Graph;
use crate::template::{Problem, Template, problem, refs};

use super::faults::CfnFault;

/// A template that was read and whose references resolve.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) text: String,
    pub(super) digest: String,
    pub(super) template: Template,
    pub(super) graph: Graph,
}

/// Reads a template; what AWS refuses at once is refused here.
///
/// # Errors
/// `ValidationError` with every problem, its line and its path.
pub(super) fn parse(text: &str) -> Result<Parsed, CfnFault> {
    let template = Template::parse(text).map_err(|problems| format_error(&problems))?;
    if !template.transform.is_empty() {
        let names: Vec<&str> = template.transform.iter().map(|named| named.name.as_str()).collect();
        return Err(CfnFault::unsupported(format_args!("the transform {}", names.join(", "))));
    }
    if let Some(sentence) = refs::refusal(&template) {
        return Err(CfnFault::validation(sentence));
    }
    let graph = Graph::of(&template).map_err(|problems| format_error(&problems))?;
    Ok(Parsed { text: text.to_owned(), digest: hex::encode(Sha256::digest(text.as_bytes())), template, graph })
}

fn format_error(problems: &[Problem]) -> CfnFault {
    CfnFault::Validation(format!("Template format error: {}", listed(problems)))
}

/// All problems in one line, each with its place.
pub(super) fn listed(problems: &[Problem]) -> String {
    let shown: Vec<String> = problem::sorted(problems.to_vec())
        .iter()
        .map(|problem| format!("{} (line {}, column {})", problem.sentence(), problem.at.line, problem.at.column))
        .collect();
    shown.join("; ")
}

/// The texts that stacks and change sets were made from, by digest.
pub(super) struct Library {
    directory: PathBuf,
    read: Mutex<HashMap<String, Arc<Parsed>>>,
}

impl Library {
    pub(super) fn new(directory: PathBuf) -> Self {
        Library { directory, read: Mutex::new(HashMap::new()) }
    }

    /// Keeps a template: on disk before a stack names it.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn keep(&self, parsed: Parsed) -> Result<Arc<Parsed>, Fault> {
        let path = self.directory.join(&parsed.digest);
        if !path.exists() {
            replace(&path, parsed.text.as_bytes())
                .map_err(|error| Fault::internal(format_args!("cannot write {}: {error}", path.display())))?;
        }
        let parsed = Arc::new(parsed);
        self.known().insert(parsed.digest.clone(), parsed.clone());
        Ok(parsed)
    }

    /// The template with this digest.
    ///
    /// # Errors
    /// It was removed from the disk, or this labctl no longer reads it.
    pub(super) fn get(&self, digest: &str) -> Result<Arc<Parsed>, Fault> {
        if let Some(parsed) = self.known().get(digest) {
            return Ok(parsed.clone());
        }
        let path = self.directory.join(digest);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Fault::internal(format_args!("cannot read {}: {error}", path.display())))?;
        let parsed = Arc::new(parse(&text)?);
        self.known().insert(digest.to_owned(), parsed.clone());
        Ok(parsed)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Parsed>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
