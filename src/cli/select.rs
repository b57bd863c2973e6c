//! Arguments that name a lab, its parameters, or an instance of it.

use super::context::Context;
use crate::error::Failure;
use crate::lab::parameters::{self, Values};
use crate::lab::{self, Lab, LoadError};
use crate::plan::Instance;
use crate::ui::words;
use std::path::PathBuf;

/// The lab a command is about.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LabArg {
    /// A built-in lab, or a path to a manifest or its folder; with none, ./lab.yaml
    #[arg(value_name = "LAB")]
    pub(crate) lab: Option<String>,
}

/// Values for the lab's parameters.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct SetArgs {
    /// Value of a lab parameter; may be given several times. What is not given has its default, whatever it was the last time
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

impl LabArg {
    /// The lab with all its files.
    pub(crate) fn load(&self) -> Result<Lab, Failure> {
        lab::load(self.lab.as_deref(), &here()?).map_err(refuse)
    }

    /// The lab and the values of its parameters. What is wrong with one does not hide what is wrong with the other.
    pub(crate) fn load_with(&self, set: &SetArgs) -> Result<(Lab, Result<Values, Vec<String>>), Failure> {
        match lab::load(self.lab.as_deref(), &here()?) {
            Ok(lab) => {
                let values = parameters::resolve(&lab.manifest, &set.set);
                Ok((lab, values))
            }
            Err(LoadError::Problems { problems, manifest }) => {
                let parameters = manifest.as_ref().and_then(|manifest| parameters::resolve(manifest, &set.set).err());
                let failure = refuse(LoadError::Problems { problems, manifest });
                // A parameter that is written wrongly is not known: what was set is told once it is.
                let sure =
                    parameters.filter(|_| !failure.problems.iter().any(|problem| problem.contains(" parameters")));
                Err(failure.with_problems(sure.into_iter().flatten()))
            }
            Err(error) => Err(refuse(error)),
        }
    }

    /// The instance meant. Of a name that is no path, no manifest is needed: tags tell the rest. Of one that cannot be loaded as it is
    /// written, its name is enough.
    pub(crate) fn instance(&self, cx: &Context) -> Result<Instance, Failure> {
        let name = match &self.lab {
            Some(name) if !lab::is_path(name, &here()?) => name.clone(),
            _ => match self.load() {
                Ok(lab) => lab.manifest.lab,
                Err(failure) => lab::name_in(self.lab.as_deref(), &here()?).ok_or(failure)?,
            },
        };
        Ok(Instance::new(name, cx.globals.env()))
    }

    /// The argument as it has to be typed again, with a space before it.
    pub(crate) fn typed(&self) -> String {
        self.lab.as_ref().map(|lab| format!(" {}", words::shell_word(lab))).unwrap_or_default()
    }
}

impl SetArgs {
    /// The flags as they have to be typed again, each with a space before it.
    pub(crate) fn typed(&self) -> String {
        self.set.iter().map(|pair| format!(" --set {}", words::shell_word(pair))).collect()
    }
}

fn here() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::usage("cannot read this folder").because(error))
}

fn refuse(error: LoadError) -> Failure {
    let summary = error.to_string();
    match error {
        LoadError::UnknownLab { known, .. } => {
            Failure::usage(summary).hint(format!("labctl labs   (there are: {})", known.join(", ")))
        }
        LoadError::Unreadable { .. } => {
            Failure::usage(summary).hint("name a lab (see `labctl labs`), or write one with `labctl init`")
        }
        LoadError::Problems { problems, .. } => {
            Failure::usage(summary).with_problems(problems.iter().map(ToString::to_string))
        }
    }
}
