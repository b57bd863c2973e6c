//! `labctl outputs`.

use super::context::Context;
use super::deployed::deployed_values;
use super::instances;
use super::prepare::flags;
use super::select::LabArg;
use crate::aws::{Aws, Need};
use crate::engine::entry;
use crate::engine::outputs::{self, API_KEY, Suggested};
use crate::error::Failure;
use crate::plan::{Instance, ObservedStack, Wiring};
use crate::template::problem::nearest;
use crate::ui::{Answer, Label, Table, Theme};
use serde::Serialize;
use std::collections::BTreeMap;

/// Print a lab's endpoints and names
///
/// And, where its manifest has some, commands to type. The value of the API key is printed only when it is asked for by its
/// name: labctl outputs LAB ApiKey.
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
    #[serde(rename = "try", skip_serializing_if = "Vec::is_empty")]
    suggested: Vec<Suggested>,
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
        let suggested = self.suggested.iter().map(|Suggested { about, command }| {
            format!("\n{}\n{command}\n", theme.paint(Label::Dim, &format!("# {about}")))
        });
        format!("{}{}", table.render(theme), suggested.collect::<String>())
    }
}

pub(crate) async fn run(args: OutputsArgs, cx: &Context) -> Result<(), Failure> {
    let instance = args.lab.instance(cx)?;
    let aws = cx.aws(Need::Visit).await?;
    let stacks = instances::there(&aws, &args.lab, &instance).await?;
    let mut outputs = outputs::observed(aws.target(), &stacks);
    let mut suggested = Vec::new();
    if let Some(name) = &args.name {
        if name == API_KEY {
            outputs.extend(api_key(&aws, &outputs).await?);
        }
        known(name, &instance, &outputs)?;
        outputs.retain(|output, _| output == name);
    } else {
        suggested = suggestions(&args.lab, &instance, &stacks, &outputs, &flags(cx, &aws));
        let said = stacks.values().flat_map(|stack| stack.parameters.iter().chain(&stack.outputs));
        let said = said.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(url) = outputs.get("ApiUrl").filter(|_| entry::is_signed(&said)) {
            cx.ui.note(&how_to_sign(&aws.target().region, url));
        }
    }
    cx.ui.answer(&OutputsAnswer {
        lab: instance.lab,
        env: instance.env,
        target: aws.target().name.clone(),
        outputs,
        suggested,
        one: args.name.is_some(),
    });
    Ok(())
}

/// A request that is signed by curl itself.
fn how_to_sign(region: &str, url: &str) -> String {
    format!(
        "the API takes signed requests only: curl --aws-sigv4 aws:amz:{region}:execute-api --user \
         \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\" ${{AWS_SESSION_TOKEN:+-H \"x-amz-security-token: $AWS_SESSION_TOKEN\"}} {url}/"
    )
}

/// The value of the key, which is no output of a stack.
async fn api_key(aws: &Aws, outputs: &BTreeMap<String, String>) -> Result<Option<(String, String)>, Failure> {
    let Some(id) = outputs.get("ApiKeyId") else { return Ok(None) };
    let key = aws.api_key(id).await.map_err(|error| Failure::failed("cannot read the API key").because(error))?;
    Ok(Some((API_KEY.to_owned(), key.reveal().to_owned())))
}

/// What the lab's manifest suggests to type. A lab that is known by its tags alone suggests nothing.
fn suggestions(
    lab: &LabArg,
    instance: &Instance,
    stacks: &BTreeMap<String, ObservedStack>,
    outputs: &BTreeMap<String, String>,
    flags: &str,
) -> Vec<Suggested> {
    let Ok(loaded) = lab.load() else { return Vec::new() };
    let Ok(wiring) = Wiring::of(&loaded) else { return Vec::new() };
    let values = deployed_values(&loaded, &wiring, stacks);
    // A command that fetches the key shows it to nobody who only reads.
    let named = if lab.lab.is_some() { lab.typed() } else { format!(" {}", instance.lab) };
    let key = format!("$(labctl outputs{named}{flags} {API_KEY})");
    outputs::suggested(&loaded, &values, instance, outputs, &key)
}

fn known(name: &str, instance: &Instance, outputs: &BTreeMap<String, String>) -> Result<(), Failure> {
    if outputs.contains_key(name) {
        return Ok(());
    }
    let near = nearest(name, outputs.keys().map(String::as_str));
    let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
    let failure = Failure::usage(format!("{instance} has no output called `{name}`{near}"));
    let there: Vec<&str> = outputs.keys().map(String::as_str).collect();
    Err(failure.hint(format!("its outputs: {}; a stack that is missing comes with labctl up", there.join(", "))))
}
