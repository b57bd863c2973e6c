//! What the user wants, and what it comes to: parameters of stacks, a digest of everything.

use super::names::{self, Instance};
use super::observed::{Condition, Observed};
use super::wiring::{BuiltIn, Source, Wiring};
use crate::lab::Lab;
use crate::template::parameters;
use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What the user wants: a lab, an instance of it, its parameters' values.
#[derive(Debug)]
pub struct Wanted {
    pub lab: Lab,
    pub instance: Instance,
    /// Value of every lab parameter, as text.
    pub values: IndexMap<String, String>,
    pub wiring: Wiring,
    /// As Lambda names it.
    pub architecture: String,
    /// The date for `labctl:expires`; `None` leaves what is there.
    pub expires: Option<String>,
}

/// What has become known of the values that stacks take from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub artifact_bucket: String,
    /// Stack → output → value.
    pub outputs: BTreeMap<String, BTreeMap<String, String>>,
    /// Function → key of its package.
    pub code_keys: BTreeMap<String, String>,
}

impl Wanted {
    /// The values to send for a stack's parameters: `None` for what is known only later; those left to their defaults are absent.
    pub fn parameters(&self, stack: &str, known: &Known) -> BTreeMap<String, Option<String>> {
        let sources = self.wiring.stacks.get(stack).into_iter().flatten();
        let value = |name: &String, source: &Source| match source {
            Source::Default => None,
            Source::Lab => Some(self.values.get(name).cloned()),
            Source::Output { stack } => Some(known.outputs.get(stack).and_then(|outputs| outputs.get(name)).cloned()),
            Source::BuiltIn(BuiltIn::LabName) => Some(Some(self.instance.lab.clone())),
            Source::BuiltIn(BuiltIn::LabEnv) => Some(Some(self.instance.env.clone())),
            Source::BuiltIn(BuiltIn::ArtifactBucket) => Some(Some(known.artifact_bucket.clone())),
            Source::BuiltIn(BuiltIn::FunctionArchitecture) => Some(Some(self.architecture.clone())),
            Source::BuiltIn(BuiltIn::CodeKey { function }) => Some(known.code_keys.get(function).cloned()),
        };
        sources.filter_map(|(name, source)| Some((name.clone(), value(name, source)?))).collect()
    }

    /// Lab parameters that a template would refuse: AWS's own sentences, before AWS is asked.
    pub fn refused_values(&self) -> Vec<String> {
        let wired = self.lab.stacks.iter().flat_map(|stack| {
            let sources = self.wiring.stacks.get(&stack.name).into_iter().flatten();
            sources.map(move |(name, source)| (stack, name, source))
        });
        let problems = wired.filter_map(|(stack, name, source)| {
            let value = match source {
                Source::Lab => self.values.get(name)?.as_str(),
                Source::BuiltIn(BuiltIn::LabName) => &self.instance.lab,
                Source::BuiltIn(BuiltIn::LabEnv) => &self.instance.env,
                Source::BuiltIn(BuiltIn::FunctionArchitecture) => &self.architecture,
                Source::BuiltIn(_) | Source::Output { .. } | Source::Default => return None,
            };
            let what = parameters::check(name, stack.template.parameters.get(name)?, value)?;
            Some(format!("{}: {what}", stack.file))
        });
        problems.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What is known before anything is done.
    pub fn known(&self, observed: &Observed) -> Known {
        let settled = observed.stacks.values().filter(|stack| stack.condition() == Condition::Settled);
        Known {
            artifact_bucket: names::artifact_bucket(&observed.account, &observed.region),
            outputs: settled.map(|stack| (stack.stack.clone(), stack.outputs.clone())).collect(),
            code_keys: observed.code_keys.clone(),
        }
    }

    /// A digest of all inputs and of the stacks they went to: the same digest, the same lab, checked.
    /// `None` while a stack is missing or a package is not built.
    pub fn digest(&self, observed: &Observed) -> Option<String> {
        let known = self.known(observed);
        let mut hash = Sha256::new();
        let mut part = |text: &[u8]| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        part(b"labctl 1");
        part(self.lab.text.as_bytes());
        for stack in &self.lab.stacks {
            part(observed.stacks.get(&stack.name)?.id.as_bytes());
            part(stack.text.as_bytes());
            for (name, value) in self.parameters(&stack.name, &known) {
                part(name.as_bytes());
                part(value?.as_bytes());
            }
        }
        for file in self.lab.sql.iter().chain(&self.lab.data) {
            part(file.name.as_bytes());
            part(&file.bytes);
        }
        Some(hex::encode(&hash.finalize()[..16]))
    }
}
