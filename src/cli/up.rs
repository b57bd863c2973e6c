//! `labctl up`.

use super::confirm::confirm;
use super::context::Context;
use super::prepare::{Prepared, Request};
use super::screen::{EventsArg, watched};
use super::select::{LabArg, SetArgs};
use crate::aws::Need;
use crate::engine::steps::{readiness, swap};
use crate::engine::trouble::Trouble;
use crate::engine::{Run, outputs, walk};
use crate::error::Failure;
use crate::plan::{Action, Plan, Work};
use crate::ui::{Answer, EventLog, Label, Table, Theme, words};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Bring a lab up, or to what its files say now
///
/// Builds the functions, deploys the stacks, loads data and SQL, and runs the checks. Run again, it does what is left to
/// do, which may be nothing.
#[derive(clap::Args, Debug)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    lab: LabArg,
    #[command(flatten)]
    set: SetArgs,
    /// How long the lab is wanted: recorded as a tag, for `labctl down --expired` (30m, 4h, 2d)
    #[arg(long, value_name = "TIME", value_parser = words::parse_duration)]
    ttl: Option<Duration>,
    /// Let CloudFormation wait until every resource has settled
    #[arg(long)]
    standard: bool,
    #[command(flatten)]
    events: EventsArg,
}

/// What `up` ends with.
#[derive(Debug, Serialize)]
struct UpAnswer {
    lab: String,
    env: String,
    target: String,
    /// There was something to do.
    changed: bool,
    took_seconds: f64,
    outputs: BTreeMap<String, String>,
    #[serde(skip)]
    down: String,
}

impl Answer for UpAnswer {
    fn text(&self, theme: Theme) -> String {
        let mut table = Table::new(&[]);
        for (name, value) in &self.outputs {
            table.labelled([(Some(Label::Name), format!("  {name}")), (None, value.clone())]);
        }
        let said = match self.changed {
            true => format!("{} is up, {}", self.lab, words::duration(Duration::from_secs_f64(self.took_seconds))),
            false => format!("{} is up; nothing to do", self.lab),
        };
        let gone = theme.paint(Label::Dim, &format!("to take it down: {}", self.down)).into_owned();
        format!("{}\n\n{}\n{gone}\n", theme.paint(Label::Good, &said), table.render(theme))
    }
}

pub(crate) async fn run(args: UpArgs, cx: &Context) -> Result<(), Failure> {
    let start = Instant::now();
    let expires = args.ttl.map(expiry).transpose()?;
    let mut log = args.events.open()?;
    let mut again = format!("up{}{}", args.lab.typed(), args.set.typed());
    again.extend(args.ttl.map(|ttl| format!(" --ttl {}s", ttl.as_secs())));
    again.extend(args.standard.then_some(" --standard"));
    again.push_str(&args.events.typed());
    let request =
        Request { lab: &args.lab, set: &args.set, up: again.clone(), again, express: !args.standard, expires };
    let prepared = Prepared::of(cx, &request, |types| Need::Deploy { types }).await?;
    let plan = prepared.plan();
    let losses = plan.losses();
    if !losses.is_empty() {
        confirm(cx, "replace or remove what is listed", &losses, &prepared.options.again).await?;
    }
    let Executed { outputs, changed } = execute(cx, &prepared, &plan, &mut log).await?;
    let target = prepared.aws.target();
    cx.ui.answer(&UpAnswer {
        lab: prepared.wanted.instance.lab.clone(),
        env: prepared.wanted.instance.env.clone(),
        target: target.name.clone(),
        changed,
        took_seconds: (start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        outputs: outputs::of(target, &outputs),
        down: format!("labctl down {}{}", prepared.wanted.instance.lab, super::prepare::flags(cx, &prepared.aws)),
    });
    Ok(())
}

/// What came of a plan.
pub(crate) struct Executed {
    /// Of the lab's stacks.
    pub(crate) outputs: BTreeMap<String, BTreeMap<String, String>>,
    /// There was something to do.
    pub(crate) changed: bool,
}

/// Carries a plan out. Where there is nothing to do, what is there has to work all the same.
pub(crate) async fn execute(
    cx: &Context,
    prepared: &Prepared,
    plan: &Plan,
    log: &mut EventLog,
) -> Result<Executed, Failure> {
    let Prepared { aws, wanted, observed, options } = prepared;
    let has_changes = plan.has_changes();
    if has_changes {
        let steps = plan.steps.iter().filter(|step| step.action != Action::Keep).count();
        cx.ui.note(&format!("{} on {}: {}", wanted.instance, aws.target().title, words::count(steps, "step")));
    }
    let done = watched(cx, (&wanted.instance, &aws.target().name), log, async |events| {
        let run = Run::new(aws, wanted, observed, options, events);
        walk(&plan.steps, &run, events).await.into_result()?;
        if !has_changes {
            all_works(&run).await?;
        } else if !plan.partial {
            run.remember_checked().await?;
        }
        let kept = plan.steps.iter().filter(|step| step.action == Action::Keep);
        let functions = kept.filter_map(|step| match &step.work {
            Work::BuildFunction { function } => Some(function),
            _ => None,
        });
        Ok((run.known().outputs, swap::take_back(&run, functions).await?))
    });
    let (outputs, taken_back) = done.await?;
    for function in &taken_back {
        cx.ui.note(&format!("{function} ran another package than its stack names; it has that one again"));
    }
    Ok(Executed { outputs, changed: has_changes || !taken_back.is_empty() })
}

/// Whether everything works that is there, as far as it can be told without a request to the lab.
async fn all_works(run: &Run<'_>) -> Result<(), Failure> {
    let found = readiness::hopeless(run.aws, run.observed.stacks.values()).await;
    let found = found.map_err(|error| super::instances::unseen(run.aws, error))?;
    match found.into_iter().next() {
        None => Ok(()),
        Some(first) => {
            let summary = format!("lab `{}` is deployed, and not all of it works", run.wanted.instance.lab);
            Err(run.failure_of_stack(summary, Trouble::Hopeless(first)))
        }
    }
}

fn expiry(ttl: Duration) -> Result<String, Failure> {
    let date =
        OffsetDateTime::now_utc().replace_nanosecond(0).ok().and_then(|now| now.checked_add(ttl.try_into().ok()?));
    let text = date.and_then(|date| date.format(&Rfc3339).ok());
    text.ok_or_else(|| Failure::usage("--ttl is too long"))
}
