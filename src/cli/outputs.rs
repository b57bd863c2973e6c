//! `labctl outputs`.

use super::context::Context;
use super::instances;
use super::select::LabArg;
use crate::aws::Need;
use crate::engine::outputs;
use crate::error::Failure;
use crate::ui::{Answer, Label, Table, Theme};
use serde::Serialize;
use std::collections::BTreeMap;

/// Print a lab's endpoints and names
#[derive(clap::Args, Debug)]
pub(crate) struct OutputsArgs {
    #[command(flatten)]
    lab: LabArg,
}

#[derive(Debug, Serialize)]
struct OutputsAnswer {
    lab: String,
    env: String,
    target: String,
    outputs: BTreeMap<String, String>,
}

impl Answer for OutputsAnswer {
    fn text(&self, theme: Theme) -> String {
        let mut table = Table::new(&[]);
        for (name, value) in &self.outputs {
            table.labelled([(Some(Label::Name), name.clone()), (None, value.clone())]);
        }
        table.render(theme)
    }
}

pub(crate) async fn run(args: OutputsArgs, cx: &Context) -> Result<(), Failure> {
    let instance = args.lab.instance(cx)?;
    let aws = cx.aws(Need::Visit).await?;
    let stacks = instances::there(&aws, &instance).await?;
    cx.ui.answer(&OutputsAnswer {
        lab: instance.lab,
        env: instance.env,
        target: aws.target().name.clone(),
        outputs: outputs::observed(aws.target(), &stacks),
    });
    Ok(())
}
