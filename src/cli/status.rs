//! `labctl status`.

use super::context::Context;
use super::deployed::deployed_values;
use super::prepare::flags;
use super::select::LabArg;
use super::{dashboard, instances, ls};
use crate::aws::stacks::StackResource;
use crate::aws::{Aws, Need};
use crate::engine::steps::readiness;
use crate::error::Failure;
use crate::plan::{Instance, ObservedStack, Wiring, names};
use crate::ui::{Answer, Format, Label, Table, Theme};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Show a lab's stacks, resources and health
#[derive(clap::Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    lab: LabArg,
    /// Look again and again: the lab's dashboard, or, where its manifest has none, its stacks
    ///
    /// The dashboard runs the queries of the manifest's `watch` twice a second over the Data API, which resumes a paused cluster and
    /// keeps it awake. `q` leaves it. Without a terminal, the tables are printed each time that they change.
    #[arg(long)]
    watch: bool,
}

impl StatusArgs {
    /// It ends when it is interrupted, and not before.
    pub(crate) fn is_endless(&self) -> bool {
        self.watch
    }
}

#[derive(Debug, Serialize)]
struct StatusAnswer {
    lab: String,
    env: String,
    target: String,
    state: &'static str,
    /// Stacks of the manifest that are not there.
    missing: Vec<String>,
    expires: Option<String>,
    stacks: Vec<StackRow>,
    /// What brings the missing ones.
    #[serde(skip)]
    up: String,
}

#[derive(Debug, Serialize)]
struct StackRow {
    stack: String,
    name: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    resources: Vec<ResourceRow>,
}

#[derive(Debug, Serialize)]
struct ResourceRow {
    #[serde(flatten)]
    resource: StackResource,
    /// Of what takes time to become usable: whether it is, or why not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<String>,
}

impl Answer for StatusAnswer {
    fn text(&self, theme: Theme) -> String {
        let mut table = Table::new(&[]);
        for stack in &self.stacks {
            let status =
                format!("{}{}", stack.status, stack.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default());
            table.labelled([(Some(Label::Heading), stack.stack.clone()), (Some(label(&stack.status)), status)]);
            for row in
                stack.resources.iter().filter(|row| row.health.is_some() || !row.resource.status.ends_with("_COMPLETE"))
            {
                let health = row.health.clone().unwrap_or_else(|| row.resource.status.clone());
                table.labelled([
                    (None, format!("  {}", row.resource.resource)),
                    (None, health),
                    (Some(Label::Dim), row.resource.id.clone()),
                ]);
            }
        }
        let expires = self.expires.as_ref().map(|date| format!(", until {date}")).unwrap_or_default();
        let missing = match self.missing.is_empty() {
            true => String::new(),
            false => {
                let text = format!("missing: {}; {} brings what is missing", self.missing.join(", "), self.up);
                format!("{}\n", theme.paint(Label::Warning, &text))
            }
        };
        let Self { lab, env, target, state, .. } = self;
        format!("{lab} ({env}) on {target} is {state}{expires}\n{missing}{}", table.render(theme))
    }
}

fn label(status: &str) -> Label {
    match status {
        bad if bad.contains("FAILED") || bad.contains("ROLLBACK") => Label::Bad,
        busy if busy.ends_with("_IN_PROGRESS") => Label::Warning,
        _ => Label::Good,
    }
}

pub(crate) async fn run(args: StatusArgs, cx: &Context) -> Result<(), Failure> {
    if args.watch && cx.globals.output == Format::Json {
        return Err(Failure::usage("--watch does not go with --output json: one document is printed once"));
    }
    // A lab whose manifest cannot be read still has stacks to look at.
    if args.watch
        && let Some(watch) = args.lab.load().ok().and_then(|lab| lab.manifest.watch)
    {
        return dashboard::run(&args.lab, &watch, cx).await;
    }
    let instance = args.lab.instance(cx)?;
    let aws = cx.aws(Need::Visit).await?;
    let up = format!("labctl up{}{}", args.lab.typed(), flags(cx, &aws));
    loop {
        let answer = look(&aws, &instance, (&args.lab, &up)).await?;
        if args.watch && cx.ui.draws() {
            // Home, and clear to the end: what stays the same does not flicker.
            cx.ui.raw("\x1b[H\x1b[2J");
        }
        cx.ui.answer(&answer);
        if !args.watch {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

async fn look(aws: &Aws, instance: &Instance, (arg, up): (&LabArg, &str)) -> Result<StatusAnswer, Failure> {
    let stacks = instances::there(aws, arg, instance).await?;
    let missing = missing(arg, &stacks);
    let mut state = match ls::state(&stacks) {
        "up" if !missing.is_empty() => "unfinished",
        state => state,
    };
    let expires = stacks.values().find_map(|stack| stack.tag(names::TAG_EXPIRES)).map(str::to_owned);
    let mut rows = Vec::new();
    for stack in stacks.into_values() {
        let resources = aws.stack_resources(&stack.id).await.map_err(|error| instances::unseen(aws, error))?;
        let mut with_health = Vec::new();
        for resource in resources {
            let health = readiness::health(aws, &resource).await.map_err(|error| instances::unseen(aws, error))?;
            if health.as_ref().is_some_and(|told| told.is_hopeless) && state == "up" {
                state = "broken";
            }
            with_health.push(ResourceRow { resource, health: health.map(|told| told.text) });
        }
        rows.push(StackRow {
            stack: stack.stack,
            name: stack.name,
            status: stack.status,
            reason: stack.reason,
            resources: with_health,
        });
    }
    let Instance { lab, env } = instance.clone();
    let (target, up) = (aws.target().name.clone(), up.to_owned());
    Ok(StatusAnswer { lab, env, target, state, missing, expires, stacks: rows, up })
}

/// Stacks that the lab's manifest asks for, by the parameters that it was deployed with, and that are not there. Of a lab whose
/// manifest is not at hand nobody knows.
fn missing(arg: &LabArg, stacks: &BTreeMap<String, ObservedStack>) -> Vec<String> {
    let Ok(mut lab) = arg.load() else { return Vec::new() };
    let Ok(wiring) = Wiring::of(&lab) else { return Vec::new() };
    let values = deployed_values(&lab, &wiring, stacks);
    lab.choose(&values);
    lab.stacks.into_iter().map(|stack| stack.name).filter(|name| !stacks.contains_key(name)).collect()
}
