//! `labctl labs`.

use super::context::Context;
use crate::error::Failure;
use crate::lab::{self, builtin};
use crate::ui::{Answer, Label, Table, Theme};
use serde::Serialize;
use std::path::Path;

/// List the built-in labs
#[derive(clap::Args, Debug)]
pub(crate) struct LabsArgs {}

#[derive(Debug, Serialize)]
struct LabsAnswer {
    labs: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    lab: String,
    description: String,
    stacks: Vec<String>,
    parameters: Vec<ParameterRow>,
}

#[derive(Debug, Serialize)]
struct ParameterRow {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    default: Option<String>,
}

impl Answer for LabsAnswer {
    fn text(&self, theme: Theme) -> String {
        let mut table = Table::new(&[]);
        for row in &self.labs {
            table.labelled([(Some(Label::Name), row.lab.clone()), (None, row.description.clone())]);
        }
        table.render(theme)
    }
}

pub(crate) fn run(_args: &LabsArgs, cx: &Context) -> Result<(), Failure> {
    let load = |name: &'static str| {
        let lab = lab::load(Some(name), Path::new("."))
            .map_err(|error| Failure::failed(format!("built-in lab `{name}` is broken")).because(error))?;
        let parameters = lab.manifest.parameters.iter();
        Ok(Row {
            lab: lab.manifest.lab.clone(),
            description: lab.manifest.description.clone(),
            stacks: lab.stacks.iter().map(|stack| stack.name.clone()).collect(),
            parameters: parameters
                .map(|(name, parameter)| ParameterRow {
                    name: name.clone(),
                    kind: parameter.kind.name(),
                    default: parameter.default.clone(),
                })
                .collect(),
        })
    };
    let labs = builtin::labs().into_iter().map(load).collect::<Result<_, Failure>>()?;
    cx.ui.answer(&LabsAnswer { labs });
    Ok(())
}
