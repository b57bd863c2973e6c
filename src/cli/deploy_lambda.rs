//! `labctl deploy-lambda`.

use super::context::Context;
use super::deployed::Deployed;
use super::prepare::{Prepared, Request};
use super::screen::EventsArg;
use super::select::{LabArg, SetArgs};
use super::swaps::Swaps;
use super::up::execute;
use super::watching::Watching;
use crate::aws::Need;
use crate::engine::sources;
use crate::error::{Failure, Kind};
use crate::lab::Lab;
use crate::package::Source;
use crate::plan::{Plan, Wiring, Work};
use crate::template::problem::nearest;
use crate::ui::{Answer, EventLog, Format, Theme, words};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Build, package and update a lab's functions
///
/// Does nothing when nothing changed. The lab's parameters stay as they were deployed. With --watch a change is live as soon as
/// it is compiled, without a failed request, and what does not compile is told and waited for.
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
    if args.watch {
        return watch(cx, &args.lab, &lab, &functions, &mut log).await;
    }
    deploy(cx, &args.lab, &functions, &mut log).await
}

impl DeployLambdaArgs {
    /// It ends when it is interrupted, and not before.
    pub(crate) fn is_endless(&self) -> bool {
        self.watch
    }
}

/// Deploys what there is, and then each change as soon as it is there. What does not compile is told, and waited for.
async fn watch(
    cx: &Context,
    arg: &LabArg,
    lab: &Lab,
    functions: &BTreeSet<String>,
    log: &mut EventLog,
) -> Result<(), Failure> {
    let folders: Vec<_> = functions.iter().flat_map(|function| sources::folders_of(lab, function)).collect();
    if folders.is_empty() {
        let name = &lab.manifest.lab;
        return Err(Failure::usage(format!(
            "the sources of lab `{name}` are inside labctl, where nobody changes them"
        ))
        .hint(format!("labctl init {name} my-{name} && labctl deploy-lambda my-{name} --watch")));
    }
    // What is edited while the first one is built is deployed after it.
    let mut watching = Watching::of(folders, sources::NOT_SOURCE)?;
    let mut done = sources_of(lab, functions);
    let mut swaps = match first(cx, arg, functions, log).await {
        Ok(swaps) => Some(swaps),
        Err(failure) if failure.kind == Kind::Usage => return Err(failure),
        Err(failure) => {
            cx.ui.failure(&failure);
            None
        }
    };
    cx.ui.note("watching the sources; Ctrl-C ends it");
    if let Some(swaps) = &mut swaps
        && let Err(failure) = swaps.get_ready(cx, functions, log, watching.changed()).await
    {
        cx.ui.failure(&failure);
    }
    let (mut settled, mut doubted) = (swaps.is_some(), false);
    if !settled {
        next_save(lab, functions, &done, &mut watching).await;
    }
    loop {
        watching.begin();
        let now = sources_of(lab, functions);
        let changed: BTreeSet<String> = functions.iter().filter(|name| now[*name] != done[*name]).cloned().collect();
        if changed.is_empty() && settled {
            watching.changed().await;
            continue;
        }
        let tried = match &mut swaps {
            Some(swaps) => round(cx, swaps, &changed, other_sources(lab, functions, &now, &mut watching), log).await,
            // Nothing is there yet to be swapped.
            None => first(cx, arg, functions, log).await.map(|first| {
                swaps = Some(first);
                true
            }),
        };
        match tried {
            Ok(is_settled) => (done, settled, doubted) = (now, is_settled, false),
            Err(failure) => {
                cx.ui.failure(&failure);
                settled = false;
                // The compiler may have read a file in the middle of being saved: after a save during the try it is tried once more.
                doubted = !doubted && watching.changed_meanwhile().await;
                if !doubted {
                    next_save(lab, functions, &now, &mut watching).await;
                }
            }
        }
    }
}

/// Waits for the next save: what failed is tried again then, and not sooner. It may be one of the same bytes, since the network or
/// AWS may have been what failed. What was saved during the try counts if it made a difference.
async fn next_save(lab: &Lab, functions: &BTreeSet<String>, tried: &Sources, watching: &mut Watching) {
    watching.forget();
    if sources_of(lab, functions) == *tried {
        watching.changed().await;
    }
}

/// Deploys the functions by their stacks; what is there then can be swapped.
async fn first(cx: &Context, lab: &LabArg, functions: &BTreeSet<String>, log: &mut EventLog) -> Result<Swaps, Failure> {
    deploy(cx, lab, functions, log).await?;
    Ok(Swaps::of(prepare(cx, lab, functions).await?))
}

/// One change: tried out, and settled unless another comes. `false`: it is still to be settled.
async fn round(
    cx: &Context,
    swaps: &mut Swaps,
    changed: &BTreeSet<String>,
    another: impl Future<Output = ()>,
    log: &mut EventLog,
) -> Result<bool, Failure> {
    // There is none when a file was caught in the middle of being saved as it was.
    if !changed.is_empty() {
        swaps.try_out(cx, changed, log).await?;
    }
    swaps.settle(cx, log, another).await
}

/// Waits until the sources are others than those `seen`. A file that is saved as it was is told of too, and changes nothing.
async fn other_sources(lab: &Lab, functions: &BTreeSet<String>, seen: &Sources, watching: &mut Watching) {
    while sources_of(lab, functions) == *seen {
        watching.changed().await;
    }
}

async fn deploy(cx: &Context, lab: &LabArg, functions: &BTreeSet<String>, log: &mut EventLog) -> Result<(), Failure> {
    let start = Instant::now();
    let prepared = prepare(cx, lab, functions).await?;
    let mut plan = prepared.plan();
    keep_to_functions(&mut plan, &prepared.wanted.wiring, functions);
    let changed = execute(cx, &prepared, &plan, log).await?.changed;
    cx.ui.answer(&DeployAnswer {
        lab: prepared.wanted.instance.lab.clone(),
        env: prepared.wanted.instance.env.clone(),
        target: prepared.aws.target().name.clone(),
        functions: functions.iter().cloned().collect(),
        changed,
        took_seconds: (start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    });
    Ok(())
}

/// What is there now, and what is wanted. The parameters stay as they were deployed.
async fn prepare(cx: &Context, lab: &LabArg, functions: &BTreeSet<String>) -> Result<Prepared, Failure> {
    let deployed = Deployed::of(cx, lab).await?.wanted.values;
    let set = SetArgs { set: deployed.into_iter().map(|(name, value)| format!("{name}={value}")).collect() };
    let named: String = functions.iter().map(|function| format!(" {function}")).collect();
    // A function can only be named after the lab.
    let again = format!("deploy-lambda{}{}", lab.typed(), if lab.lab.is_some() { named } else { String::new() });
    let up = format!("up{}{}", lab.typed(), set.typed());
    let request = Request { lab, set: &set, again, up, express: true, expires: None };
    Prepared::of(cx, &request, |_| Need::Visit).await
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
pub(super) fn keep_to_functions(plan: &mut Plan, wiring: &Wiring, functions: &BTreeSet<String>) {
    plan.keep_to(|work| match work {
        Work::BuildFunction { function } | Work::UploadFunction { function } => functions.contains(function),
        Work::DeployStack { stack } => wiring.functions(stack).iter().any(|function| functions.contains(function)),
        Work::DeleteStack { .. } | Work::UploadData { .. } | Work::LoadSql { .. } | Work::RunChecks { .. } => false,
    });
}

/// What each function is made of; `None`: what cannot be read.
type Sources = BTreeMap<String, Option<Source>>;

fn sources_of(lab: &Lab, functions: &BTreeSet<String>) -> Sources {
    let source = |function: &String| sources::of_function(lab, function).ok().flatten();
    functions.iter().map(|function| (function.clone(), source(function))).collect()
}
