//! `labctl deploy-lambda`.

use super::context::Context;
use super::deployed::Deployed;
use super::prepare::{Prepared, Request};
use super::screen::EventsArg;
use super::select::{LabArg, SetArgs};
use super::up::execute;
use crate::aws::Need;
use crate::engine::sources;
use crate::error::Failure;
use crate::lab::Lab;
use crate::package::Source;
use crate::plan::{Plan, Wiring, Work};
use crate::template::problem::nearest;
use crate::ui::{Answer, EventLog, Format, Theme, words};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Build, package and update a lab's functions
///
/// Does nothing when nothing changed. The lab's parameters stay as they were deployed.
#[derive(clap::Args, Debug)]
pub(crate) struct DeployLambdaArgs {
    #[command(flatten)]
    lab: LabArg,
    /// Functions to deploy; default: all of the lab
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// Deploy again whenever a source file changes, until interrupted
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    events: EventsArg,
}

#[derive(Debug, Serialize)]
struct DeployAnswer {
    lab: String,
    env: String,
    target: String,
    functions: Vec<String>,
    changed: bool,
    took_seconds: f64,
}

impl Answer for DeployAnswer {
    fn text(&self, _theme: Theme) -> String {
        let functions = self.functions.join(", ");
        let took = words::duration(Duration::from_secs_f64(self.took_seconds));
        match self.changed {
            true => format!("deployed {functions}, {took}\n"),
            false => format!("{functions}: nothing to do\n"),
        }
    }
}

pub(crate) async fn run(args: DeployLambdaArgs, cx: &Context) -> Result<(), Failure> {
    if args.watch && cx.globals.output == Format::Json {
        return Err(Failure::usage("--watch does not go with --output json: one document is printed once"));
    }
    let mut log = args.events.open()?;
    let lab = args.lab.load()?;
    let functions = functions(&lab, &args.functions)?;
    // What is edited while the first one is built is deployed after it.
    let mut seen = sources_of(&lab, &functions);
    deploy(cx, &args.lab, &functions, &mut log).await?;
    if !args.watch {
        return Ok(());
    }
    cx.ui.note("watching the sources; Ctrl-C ends it");
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = sources_of(&lab, &functions);
        if now == seen {
            continue;
        }
        seen = now;
        if let Err(failure) = deploy(cx, &args.lab, &functions, &mut log).await {
            cx.ui.failure(&failure);
        }
    }
}

async fn deploy(cx: &Context, lab: &LabArg, functions: &BTreeSet<String>, log: &mut EventLog) -> Result<(), Failure> {
    let start = Instant::now();
    // The parameters stay as they were deployed.
    let deployed = Deployed::of(cx, lab).await?.wanted.values;
    let set = SetArgs { set: deployed.into_iter().map(|(name, value)| format!("{name}={value}")).collect() };
    let named: String = functions.iter().map(|function| format!(" {function}")).collect();
    // A function can only be named after the lab.
    let again = format!("deploy-lambda{}{}", lab.typed(), if lab.lab.is_some() { named } else { String::new() });
    let up = format!("up{}{}", lab.typed(), set.typed());
    let request = Request { lab, set: &set, again, up, express: true, expires: None };
    let prepared = Prepared::of(cx, &request, |_| Need::Visit).await?;
    let mut plan = prepared.plan();
    keep_to_functions(&mut plan, &prepared.wanted.wiring, functions);
    execute(cx, &prepared, &plan, log).await?;
    cx.ui.answer(&DeployAnswer {
        lab: prepared.wanted.instance.lab.clone(),
        env: prepared.wanted.instance.env.clone(),
        target: prepared.aws.target().name.clone(),
        functions: functions.iter().cloned().collect(),
        changed: plan.has_changes(),
        took_seconds: (start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    });
    Ok(())
}

fn functions(lab: &Lab, named: &[String]) -> Result<BTreeSet<String>, Failure> {
    let known = &lab.manifest.functions;
    if known.is_empty() {
        return Err(Failure::usage(format!("lab `{}` has no functions", lab.manifest.lab)));
    }
    let unknown: Vec<String> = named
        .iter()
        .filter(|name| !known.contains_key(*name))
        .map(|name| match nearest(name, known.keys().map(String::as_str)) {
            Some(near) => format!("no function is called `{name}` (did you mean `{near}`?)"),
            None => format!("no function is called `{name}`"),
        })
        .collect();
    match (unknown.is_empty(), named.is_empty()) {
        (false, _) => Err(Failure::usage("cannot deploy these functions").with_problems(unknown)),
        (true, true) => Ok(known.keys().cloned().collect()),
        (true, false) => Ok(named.iter().cloned().collect()),
    }
}

/// Only the functions and the stacks that take their packages are worked on.
fn keep_to_functions(plan: &mut Plan, wiring: &Wiring, functions: &BTreeSet<String>) {
    plan.keep_to(|work| match work {
        Work::BuildFunction { function } | Work::UploadFunction { function } => functions.contains(function),
        Work::DeployStack { stack } => wiring.functions(stack).iter().any(|function| functions.contains(function)),
        Work::DeleteStack { .. } | Work::UploadData { .. } | Work::LoadSql { .. } | Work::RunChecks { .. } => false,
    });
}

fn sources_of(lab: &Lab, functions: &BTreeSet<String>) -> Vec<Option<Source>> {
    functions.iter().map(|function| sources::of_function(lab, function).ok().flatten()).collect()
}
