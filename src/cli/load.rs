//! `labctl load`.

mod answer;

use super::context::Context;
use super::deployed::Deployed;
use super::select::LabArg;
use super::sql;
use crate::engine::load::{Pace, Shape, Users, Watch, room};
use crate::engine::steps::check::Endpoint;
use crate::engine::steps::load::{self, Measured};
use crate::error::{Failure, Kind};
use crate::lab::model;
use crate::lab::traffic::{LEAST, MAX_SECONDS};
use crate::ui::load::Meter;
use crate::ui::words;
use answer::LoadAnswer;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

const MAX_USERS: i64 = 10_000;
const MAX_RATE: f64 = 100_000.0;
/// Users of whom nothing is said anywhere.
const USERS: u32 = 8;
/// Connections that a constant rate may open, if nothing else is said.
const CONNECTIONS: u32 = 1000;
/// What is sent if nothing says how much or how long.
const REQUESTS: u64 = 2000;
const WITHIN: Duration = Duration::from_secs(60);

/// Send load to a deployed lab and show rate and latency
///
/// Sends the requests of the manifest's `load` section: every variant the same ones, one variant after the other. Users wait for an answer before they
/// send the next request, and between bursts if the manifest says so. With --rate requests are sent by the clock, and latency is counted from the moment
/// at which a request should have been sent, so that a stall is seen by everything that was due meanwhile. Without --duration and --requests, and if the
/// manifest says nothing, 2000 requests are sent. Ctrl-C ends the load and reports what there is.
#[derive(clap::Args, Debug)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    lab: LabArg,
    /// How many users send at the same time (8 if the manifest says nothing); with --rate, how many connections there may be (1000)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_USERS))]
    users: Option<u32>,
    /// How many users begin in a second; all at once if nothing is said. What they send until the last has begun is reported apart
    #[arg(long, value_name = "N", value_parser = per_second, conflicts_with = "rate")]
    spawn_rate: Option<f64>,
    /// How long each variant is sent: 90s, 5m
    #[arg(long, value_name = "TIME", value_parser = at_most_a_day)]
    duration: Option<Duration>,
    /// How many requests are sent in a second, however long the answers take
    #[arg(long, value_name = "N", value_parser = per_second)]
    rate: Option<f64>,
    /// How many requests each variant sends at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Draw rate and latency over time in the terminal
    #[arg(long)]
    chart: bool,
    /// Draw rate and latency over time into this file, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn per_second(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (LEAST..=MAX_RATE).contains(number));
    number.ok_or_else(|| format!("write a number from {LEAST} to {MAX_RATE}"))
}

fn at_most_a_day(text: &str) -> Result<Duration, String> {
    let time = words::parse_duration(text)?;
    let is_short = time.as_secs_f64() <= MAX_SECONDS;
    is_short.then_some(time).ok_or_else(|| "write a day at most, 24h".to_owned())
}

impl LoadArgs {
    /// What the options say, and where they are silent the manifest.
    fn shape(&self, habits: &model::Users) -> Result<Shape, Failure> {
        let seconds = habits.seconds.map(Duration::from_secs_f64);
        let within = self.duration.or(seconds);
        let requests = self.requests.or(within.is_none().then_some(REQUESTS));
        let pace = match self.rate {
            Some(per_second) => Pace::Rate { per_second, connections: self.users.unwrap_or(CONNECTIONS) },
            None => Pace::Users(Users {
                count: self.users.or(habits.count).unwrap_or(USERS),
                spawn_rate: self.spawn_rate.or(habits.spawn_rate),
                wait: habits.wait,
                burst: habits.burst,
            }),
        };
        let shape = Shape { pace, requests, within: within.unwrap_or(WITHIN) };
        if shape.ramp_up() >= shape.within {
            let (ramp_up, within) = (words::duration(shape.ramp_up()), words::duration(shape.within));
            let told = format!("the last user begins after {ramp_up}, and the load ends after {within}");
            return Err(Failure::usage(told).hint("add a longer --duration, or a higher --spawn-rate"));
        }
        let connections = match shape.pace {
            Pace::Users(Users { count, .. }) => count,
            Pace::Rate { connections, .. } => connections,
        };
        room::make(connections).map_err(|most| {
            let told = format!("there is no room for {connections} connections: this process may have {most}");
            Failure::usage(told).hint("raise the limit of open files (`ulimit -n`), or add a lower --users")
        })?;
        Ok(shape)
    }

    /// The file for the drawing: that it can be written is known before the load begins.
    fn drawing(&self) -> Result<Option<File>, Failure> {
        let Some(path) = &self.svg else { return Ok(None) };
        let cannot = |error| Failure::usage(format!("cannot write `{}`", path.display())).because(error);
        File::create(path).map(Some).map_err(cannot)
    }
}

pub(crate) async fn run(args: LoadArgs, cx: &Context) -> Result<(), Failure> {
    let asked = signals();
    let mut again = asked.clone();
    tokio::select! {
        done = send(args, cx, asked) => done,
        _ = again.wait_for(|times| *times > 1) => Err(interrupted("interrupted twice")),
    }
}

/// How often the command was asked to end. Once ends the load, which is reported all the same.
fn signals() -> watch::Receiver<u32> {
    let (times, asked) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            super::asked_to_end().await;
            times.send_modify(|times| *times += 1);
        }
    });
    asked
}

async fn end(mut asked: watch::Receiver<u32>) {
    if asked.wait_for(|times| *times > 0).await.is_err() {
        std::future::pending().await
    }
}

fn interrupted(what: &str) -> Failure {
    Failure::new(Kind::Interrupted, what)
}

async fn send(args: LoadArgs, cx: &Context, asked: watch::Receiver<u32>) -> Result<(), Failure> {
    let deployed = tokio::select! {
        deployed = Deployed::of(cx, &args.lab) => deployed?,
        () = end(asked.clone()) => return Err(interrupted("interrupted before anything was sent")),
    };
    let Deployed { aws, wanted, known, .. } = deployed;
    let lab = wanted.instance.lab.clone();
    let Some(wanted_load) = wanted.lab.manifest.load.clone() else {
        return Err(Failure::usage(format!("lab `{lab}` does not say what load to send"))
            .hint("add a `load` section to its lab.yaml: docs/guide/manifest.md"));
    };
    let shape = args.shape(&wanted_load.users)?;
    let drawing = args.drawing()?;
    let cannot = || Failure::failed(format!("cannot send load to lab `{lab}`"));
    let endpoint = Endpoint::of(&aws, &wanted, known).await.map_err(|error| cannot().because(error))?;
    let endpoint = endpoint.telling(sql::notes(cx));
    let mut variants: Vec<Measured> = Vec::with_capacity(wanted_load.variants.len());
    for variant in &wanted_load.variants {
        cx.ui.note(&format!("sending {}: {}", told(&shape), variant.name));
        let mut meter = Meter::new(&cx.ui, &variant.name, &shape);
        let watch = Watch { seen: |moment: &_| meter.show(moment), stop: end(asked.clone()) };
        let measured = load::measure(&endpoint, variant, wanted_load.counter.as_ref(), &shape, watch).await;
        meter.done();
        variants.push(measured.map_err(|error| cannot().because(error))?);
        if variants.last().is_some_and(|last| last.stopped) {
            break;
        }
    }
    let answer = LoadAnswer::of(&wanted.instance, &aws.target().name, &shape, variants).with_chart(args.chart);
    cx.ui.answer(&answer);
    answer.warnings().iter().for_each(|warning| cx.ui.warning(warning));
    if let Some(mut file) = drawing {
        let written = file.write_all(answer.svg().as_bytes());
        written.map_err(|error| Failure::failed("cannot write the drawing").because(error))?;
    }
    verdict(&answer)
}

/// `2000 requests of 8 users`.
fn told(shape: &Shape) -> String {
    let much = match shape.requests {
        Some(requests) => words::count(requests as usize, "request"),
        None => format!("requests for {}", words::duration(shape.within)),
    };
    match shape.pace {
        Pace::Users(Users { count, .. }) => format!("{much} of {}", words::count(count as usize, "user")),
        Pace::Rate { per_second, .. } => format!("{much} at {per_second} per second"),
    }
}

fn verdict(answer: &LoadAnswer) -> Result<(), Failure> {
    match (answer.interrupted(), answer.failed()) {
        (true, _) => Err(interrupted("interrupted: the load was ended early")),
        (false, 0) => Ok(()),
        (false, failed) => Err(Failure::failed(format!("{failed} requests were not answered as expected"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::model::Range;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        args: LoadArgs,
    }

    fn args(text: &str) -> Result<LoadArgs, String> {
        let words = ["load", "lab"].into_iter().chain(text.split_whitespace());
        Line::try_parse_from(words).map(|line| line.args).map_err(|error| error.to_string())
    }

    fn shape(text: &str, habits: &model::Users) -> Result<Shape, Failure> {
        args(text).expect("well-formed").shape(habits)
    }

    #[test]
    fn options_come_before_the_manifest_and_that_before_what_is_usual() {
        let nothing = model::Users::default();
        assert_eq!(shape("", &nothing).unwrap(), Shape::requests(USERS, REQUESTS, WITHIN));
        let wait = Some(Range { from: 1.0, to: 2.0 });
        let habits = model::Users { count: Some(100), spawn_rate: Some(25.0), seconds: Some(120.0), wait, burst: None };
        let users = |count, spawn_rate| Pace::Users(Users { count, spawn_rate: Some(spawn_rate), wait, burst: None });
        let within = Duration::from_secs;
        assert_eq!(shape("", &habits).unwrap(), Shape { pace: users(100, 25.0), requests: None, within: within(120) });
        assert_eq!(
            shape("--users 10 --spawn-rate 0.5 --duration 1m30s --requests 7", &habits).unwrap(),
            Shape { pace: users(10, 0.5), requests: Some(7), within: within(90) }
        );
        let pace = Pace::Rate { per_second: 50.0, connections: CONNECTIONS };
        assert_eq!(shape("--rate 50", &habits).unwrap(), Shape { pace, requests: None, within: within(120) });
    }

    #[test]
    fn options_that_make_no_load_are_refused_by_name() {
        for (text, named) in [
            ("--users 0", "--users"),
            ("--users 10001", "--users"),
            ("--spawn-rate 0", "--spawn-rate"),
            ("--spawn-rate nan", "--spawn-rate"),
            ("--duration 5", "write 90s, 30m, 4h"),
            ("--rate -1", "-1"),
            ("--rate inf", "--rate"),
            ("--requests 0", "--requests"),
            ("--rate 5 --spawn-rate 5", "--spawn-rate"),
        ] {
            let refused = args(text).expect_err(text);
            assert!(refused.contains(named), "{text}: {refused}");
        }
        let refused = shape("--users 100 --spawn-rate 1 --duration 30s", &model::Users::default()).unwrap_err();
        assert_eq!(refused.kind, Kind::Usage);
        assert_eq!(refused.summary, "the last user begins after 1 min 39 s, and the load ends after 30 s");
    }
}
