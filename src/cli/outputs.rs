//! `labctl outputs`.

use super::context::Context;
use super::instances;
use super::select::LabArg;
use crate::aws::Need;
use crate::engine::{entry, outputs};
use crate::error::Failure;
use crate::plan::Instance;
use crate::template::problem::nearest;
use crate::ui::{Answer, Label, Table, Theme};
use serde::Serialize;
use std::collections::BTreeMap;

/// Print a lab's endpoints and names
#[derive(clap::Args, Debug)]
pub(crate) struct OutputsArgs {
    #[command(flatten)]
    lab: LabArg,
    /// Print only this output's value
    #[arg(value_name = "OUTPUT")]
    name: Option<String>,
}

#[derive(Debug, Serialize)]
struct OutputsAnswer {
    lab: String,
    env: String,
    target: String,
    outputs: BTreeMap<String, String>,
    /// People get the value alone.
    #[serde(skip)]
    one: bool,
}

impl Answer for OutputsAnswer {
    fn text(&self, theme: Theme) -> String {
        if self.one {
            return self.outputs.values().map(|value| format!("{value}\n")).collect();
        }
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
    let mut outputs = outputs::observed(aws.target(), &stacks);
    let signed = entry::is_signed(&outputs);
    match (&args.name, outputs.get("ApiUrl")) {
        (Some(name), _) => {
            known(name, &instance, &outputs)?;
            outputs.retain(|output, _| output == name);
        }
        (None, Some(url)) if signed => cx.ui.note(&how_to_sign(&aws.target().region, url)),
        (None, _) => {}
    }
    cx.ui.answer(&OutputsAnswer {
        lab: instance.lab,
        env: instance.env,
        target: aws.target().name.clone(),
        outputs,
        one: args.name.is_some(),
    });
    Ok(())
}

/// A request that is signed by curl itself.
fn how_to_sign(region: &str, url: &str) -> String {
    format!(
        "the API takes signed requests only: curl --aws-sigv4 aws:amz:{region}:execute-api --user \
         \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\" -H \"x-amz-security-token: $AWS_SESSION_TOKEN\" {url}/"
    )
}

fn known(name: &str, instance: &Instance, outputs: &BTreeMap<String, String>) -> Result<(), Failure> {
    if outputs.contains_key(name) {
        return Ok(());
    }
    let near = nearest(name, outputs.keys().map(String::as_str));
    let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
    Err(Failure::usage(format!("{instance} has no output called `{name}`{near}")))
}
