//! `labctl down`.

use super::confirm::confirm;
use super::context::Context;
use super::instances::{self, Instances};
use super::screen::{EventsArg, watched};
use super::select::LabArg;
use crate::aws::{Aws, Need};
use crate::engine::Events;
use crate::engine::leftovers::Leftover;
use crate::engine::teardown::{self, Down};
use crate::error::Failure;
use crate::lab::builtin;
use crate::plan::{Instance, ObservedStack, names};
use crate::template::problem::nearest;
use crate::ui::{Answer, EventLog, Label, Theme, words};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Take a lab down, to nothing
///
/// Deletes in reverse order, empties buckets, and then looks again by tag and by name and lists what is left. Needs no
/// manifest: the tags say what belongs to the lab.
#[derive(clap::Args, Debug)]
pub(crate) struct DownArgs {
    #[command(flatten)]
    lab: LabArg,
    /// Take down every lab that labctl deployed here; with --env, only those of that name
    #[arg(long, conflicts_with = "lab")]
    all: bool,
    /// Take down the labs whose time is over (see `up --ttl`); with --env, only those of that name
    #[arg(long, conflicts_with_all = ["lab", "all"])]
    expired: bool,
    /// Let CloudFormation wait until every resource has settled
    #[arg(long)]
    standard: bool,
    #[command(flatten)]
    events: EventsArg,
}

#[derive(Debug, Serialize)]
struct DownAnswer {
    target: String,
    instances: Vec<Row>,
    took_seconds: f64,
}

#[derive(Debug, Serialize)]
struct Row {
    lab: String,
    env: String,
    removed: Vec<String>,
    /// `None`: it could not be looked for.
    left: Option<Vec<Leftover>>,
}

impl Row {
    fn left(&self) -> &[Leftover] {
        self.left.as_deref().unwrap_or_default()
    }
}

/// What came of taking instances down.
#[derive(Default)]
struct TakenDown {
    rows: Vec<Row>,
    /// Those of which no stack is left.
    gone: Vec<Instance>,
    /// The first thing that failed.
    failure: Option<Failure>,
}

impl Answer for DownAnswer {
    fn text(&self, theme: Theme) -> String {
        let took = words::duration(Duration::from_secs_f64(self.took_seconds));
        let rows = self.instances.iter().map(|row| {
            let name = format!("{} ({})", row.lab, row.env);
            let mut text = match (row.left.as_deref(), row.removed.is_empty()) {
                (Some([]), true) => format!("{name} is not there; nothing to do\n"),
                (Some([]), false) => format!("{}\n", theme.paint(Label::Good, &format!("{name} is gone, {took}"))),
                (Some(left), _) => format!("{} left of {name}:\n", words::count(left.len(), "thing")),
                (None, _) => format!(
                    "{} of {name} removed; what is left is not known\n",
                    words::count(row.removed.len(), "stack")
                ),
            };
            text.extend(row.left().iter().map(|left| format!("  {} {}\n", left.kind, left.id)));
            text
        });
        let text: String = rows.collect();
        if text.is_empty() { "nothing to take down\n".to_owned() } else { text }
    }
}

impl DownArgs {
    /// The command as it has to be typed again.
    fn again(&self, cx: &Context, aws: &Aws) -> String {
        let mut again = format!("labctl down{}", self.lab.typed());
        again.extend(self.all.then_some(" --all"));
        again.extend(self.expired.then_some(" --expired"));
        again.extend(self.standard.then_some(" --standard"));
        again.push_str(&self.events.typed());
        again + &super::prepare::flags(cx, aws)
    }
}

pub(crate) async fn run(args: DownArgs, cx: &Context) -> Result<(), Failure> {
    let start = Instant::now();
    let mut log = args.events.open()?;
    let wanted = if args.all || args.expired { None } else { Some(args.lab.instance(cx)?) };
    let aws = cx.aws(Need::Visit).await?;
    let mut found = instances::all(&aws).await?;
    let found_labs: Vec<String> = found.keys().map(|instance| instance.lab.clone()).collect();
    let now = OffsetDateTime::now_utc();
    found.retain(|other, stacks| match &wanted {
        Some(instance) => other == instance,
        None => is_of(other, cx.globals.env.as_deref()) && (!args.expired || is_expired(stacks, now)),
    });
    if !found.is_empty() {
        let losses: Vec<String> = found.iter().map(|(instance, stacks)| loss(instance, stacks)).collect();
        confirm(cx, "take down what is listed", &losses, &args.again(cx, &aws)).await?;
    }
    let TakenDown { mut rows, gone, mut failure } = take_down(cx, &aws, &found, !args.standard, &mut log).await;
    if let Some(instance) = wanted.filter(|instance| !found.contains_key(instance)) {
        // No stack has its tags; something may still have its name.
        let left = teardown::look_again(&aws, &instance).await.map_err(|error| instances::unseen(&aws, error))?;
        if left.is_empty() {
            known(&instance, &found_labs)?;
        }
        rows.push(Row { lab: instance.lab, env: instance.env, removed: Vec::new(), left: Some(left) });
    }
    if let Err(error) = teardown::artifacts(&aws, &gone).await {
        let untidy = || Failure::failed("cannot tidy up the bucket of packages").because(error).hint(instances::AGAIN);
        failure = failure.or_else(|| Some(untidy()));
    }
    if failure.is_none() && rows.iter().any(|row| !row.left().is_empty()) {
        failure = Some(Failure::failed("something is left").hint("run the same command again, or remove it by hand"));
    }
    let took_seconds = (start.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    cx.ui.answer(&DownAnswer { target: aws.target().name.clone(), instances: rows, took_seconds });
    failure.map_or(Ok(()), Err)
}

/// Of a lab that is not there nothing has to be done. A name that is nearly that of a lab is a slip, and the lab still there.
fn known(instance: &Instance, found: &[String]) -> Result<(), Failure> {
    let labs: Vec<&str> = builtin::labs().into_iter().chain(found.iter().map(String::as_str)).collect();
    match nearest(&instance.lab, labs.iter().copied()) {
        Some(near) if !labs.contains(&instance.lab.as_str()) => {
            Err(Failure::usage(format!("no lab is called `{}` (did you mean `{near}`?)", instance.lab)))
        }
        _ => Ok(()),
    }
}

/// One instance after the other: two may hold on to the same things. What fails with one is no reason to leave the others.
async fn take_down(cx: &Context, aws: &Aws, found: &Instances, express: bool, log: &mut EventLog) -> TakenDown {
    let mut taken = TakenDown::default();
    for (instance, stacks) in found {
        cx.ui.note(&format!("{instance} on {}: {} to remove", aws.target().title, words::count(stacks.len(), "stack")));
        let of = (instance, aws.target().name.as_str());
        let work = async |events: &Events| teardown::instance(aws, instance, stacks, express, events).await;
        let down: Down = watched(cx, of, log, work).await;
        if down.failure.is_none() {
            taken.gone.push(instance.clone());
        }
        let (left, unseen) = match down.left {
            Ok(left) => (Some(left), None),
            Err(error) => (None, Some(instances::unseen(aws, error))),
        };
        let again = format!("labctl down {}{} --yes", instance.lab, super::prepare::flags_of(&instance.env, aws));
        let failed = down.failure.or(unseen).map(|failure| failure.hint(format!("go on: {again}")));
        taken.failure = taken.failure.or(failed);
        let Instance { lab, env } = instance.clone();
        taken.rows.push(Row { lab, env, removed: down.removed, left });
    }
    taken
}

fn loss(instance: &Instance, stacks: &BTreeMap<String, ObservedStack>) -> String {
    let names: Vec<&str> = stacks.keys().map(String::as_str).collect();
    format!("- {instance}: {}", names.join(", "))
}

/// Whoever names an environment means no other.
fn is_of(instance: &Instance, env: Option<&str>) -> bool {
    env.is_none_or(|env| instance.env == env)
}

/// With a date that cannot be read nothing expires.
fn is_expired(stacks: &BTreeMap<String, ObservedStack>, now: OffsetDateTime) -> bool {
    let dates = stacks.values().filter_map(|stack| stack.tag(names::TAG_EXPIRES));
    let dates: Result<Vec<_>, _> = dates.map(|date| OffsetDateTime::parse(date, &Rfc3339)).collect();
    dates.is_ok_and(|dates| dates.into_iter().max().is_some_and(|date| date <= now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_expired_when_the_latest_date_on_its_stacks_is_past() {
        let stack = |date: &str| ObservedStack {
            tags: BTreeMap::from([(names::TAG_EXPIRES.to_owned(), date.to_owned())]),
            ..ObservedStack::default()
        };
        let stacks = BTreeMap::from([
            ("a".to_owned(), stack("2026-01-01T00:00:00Z")),
            ("b".to_owned(), stack("2026-01-02T00:00:00Z")),
        ]);
        let at = |text: &str| OffsetDateTime::parse(text, &Rfc3339).unwrap();
        assert!(!is_expired(&stacks, at("2026-01-01T12:00:00Z")));
        assert!(is_expired(&stacks, at("2026-01-02T00:00:00Z")));
        let unreadable = ("c".to_owned(), stack("soon"));
        assert!(!is_expired(&stacks.into_iter().chain([unreadable]).collect(), at("2026-01-03T00:00:00Z")));
        assert!(!is_expired(&BTreeMap::from([("d".to_owned(), ObservedStack::default())]), at("2026-01-03T00:00:00Z")));
    }

    #[test]
    fn an_environment_that_is_named_is_the_only_one_meant() {
        let instance = Instance::new("superheroes", "dev");
        assert!(is_of(&instance, None) && is_of(&instance, Some("dev")) && !is_of(&instance, Some("ci")));
    }
}
