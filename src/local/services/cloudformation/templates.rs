//! Template texts: kept once per content, parsed once per process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::scope::{PARTITION, Scope};
use crate::store::replace;
use crate::template::intrinsics::{LANGUAGE_EXTENSIONS, Pseudo};
use crate::template::model::Outlined;
use crate::template::parameters::Values;
use crate::template::refs::Graph;
use crate::template::yaml::{self, Node};
use crate::template::{Problem, Template, extensions, problem, refs};

use super::faults::CfnFault;

/// A template that was read and whose references resolve.
#[derive(Debug)]
pub(super) struct Parsed {
    /// As it was sent.
    pub(super) text: String,
    /// After its transforms, if it has any.
    pub(super) processed: Option<String>,
    pub(super) digest: String,
    pub(super) template: Template,
    pub(super) graph: Graph,
}

impl Parsed {
    /// The text that the resources were made from.
    pub(super) fn final_text(&self) -> &str {
        self.processed.as_deref().unwrap_or(&self.text)
    }
}

/// A template as it was sent: what it declares can be read, and it becomes whole when its parameters have values.
pub(super) struct Source {
    text: String,
    document: Node,
    /// Its parameters and mappings; nothing else.
    pub(super) outline: Template,
    transformed: bool,
}

impl Source {
    /// # Errors
    /// `ValidationError` if the text has not the form of a template; a refusal by name for macros, which only AWS can run.
    pub(super) fn read(text: &str) -> Result<Self, CfnFault> {
        let document = Template::document(text).map_err(|problems| format_error(&problems))?;
        let outline =
            Template::outline(&document, Outlined::Declarations).map_err(|problems| format_error(&problems))?;
        let macros = outline.transform.iter().map(|named| named.name.as_str());
        let macros: Vec<&str> = macros.filter(|name| *name != LANGUAGE_EXTENSIONS).collect();
        if !macros.is_empty() {
            return Err(CfnFault::unsupported(format_args!("the transform {}", macros.join(", "))));
        }
        let transformed = extensions::asked(&document);
        Ok(Source { text: text.to_owned(), document, outline, transformed })
    }

    pub(super) fn is_transformed(&self) -> bool {
        self.transformed
    }

    /// Runs the transforms; a template without any is read as it is.
    ///
    /// # Errors
    /// `ValidationError` with every problem, its line and its path.
    pub(super) fn process(self, scope: &Scope, stack: &str, values: &Values) -> Result<Parsed, CfnFault> {
        if !self.transformed {
            return read(self.text, None, self.document);
        }
        let pseudo = Pseudo {
            account_id: scope.account.clone(),
            region: scope.region.clone(),
            partition: PARTITION.to_owned(),
            url_suffix: "amazonaws.com".to_owned(),
            stack_name: stack.to_owned(),
            ..Pseudo::default()
        };
        let written = extensions::written_out(&self.document, values, &pseudo).map_err(|problems| {
            CfnFault::validation(format_args!("Transform {LANGUAGE_EXTENSIONS} failed with: {}", listed(&problems)))
        })?;
        let processed = written.to_json().to_string();
        read(self.text, Some(processed), written)
    }

    /// The template with nothing but defaults, as far as they go: what can be said of it before it is deployed. `None` if
    /// its transforms need values that nobody has given.
    ///
    /// # Errors
    /// As [`Source::process`].
    pub(super) fn by_default(self, scope: &Scope) -> Result<Option<Parsed>, CfnFault> {
        let defaults =
            self.outline.parameters.iter().map(|(name, parameter)| Some((name.clone(), parameter.default.clone()?)));
        match defaults.collect::<Option<Values>>() {
            Some(values) => self.process(scope, "", &values).map(Some),
            None if self.transformed => Ok(None),
            None => self.process(scope, "", &Values::new()).map(Some),
        }
    }
}

/// Reads a whole template; what AWS refuses at once is refused here.
fn read(text: String, processed: Option<String>, document: Node) -> Result<Parsed, CfnFault> {
    let template = Template::from_node(document).map_err(|problems| format_error(&problems))?;
    if let Some(sentence) = refs::refusal(&template) {
        return Err(CfnFault::validation(sentence));
    }
    let graph = Graph::of(&template).map_err(|problems| format_error(&problems))?;
    let digest = match &processed {
        // The same text with other parameters is another template.
        Some(processed) => Sha256::new().chain_update(&text).chain_update([0]).chain_update(processed).finalize(),
        None => Sha256::digest(&text),
    };
    Ok(Parsed { text, processed, digest: hex::encode(digest), template, graph })
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

/// What the file of a processed template ends with; the original lies beside it, without.
const PROCESSED: &str = "processed";

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
        let write = |path: &Path, text: &str| {
            replace(path, text.as_bytes())
                .map_err(|error| Fault::internal(format_args!("cannot write {}: {error}", path.display())))
        };
        if !path.exists() {
            // First: a text that is there is whole.
            if let Some(processed) = &parsed.processed {
                write(&path.with_extension(PROCESSED), processed)?;
            }
            write(&path, &parsed.text)?;
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
        let processed = std::fs::read_to_string(path.with_extension(PROCESSED)).ok();
        let document =
            yaml::parse(processed.as_deref().unwrap_or(&text)).map_err(|problems| format_error(&problems))?;
        let parsed = Arc::new(read(text, processed, document)?);
        self.known().insert(digest.to_owned(), parsed.clone());
        Ok(parsed)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Parsed>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
