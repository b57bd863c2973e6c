//! `labctl logs`.

use super::context::Context;
use super::functions::{Function, Functions};
use super::select::LabArg;
use crate::aws::AwsError;
use crate::aws::logs::LogEvent;
use crate::engine::logs::{Follower, FunctionLog, Walk, is_platforms};
use crate::error::Failure;
use crate::ui::log::{Line, Of};
use crate::ui::{Answer, Format, Theme, words};
use futures_util::future::try_join_all;
use serde::Serialize;
use std::collections::VecDeque;
use std::time::Duration;
use time::OffsetDateTime;

/// How far back the log is shown where nothing is said.
const USUAL: &str = "10m";
/// CloudWatch answers some five requests per second and account; nobody should have them all.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_PER_FUNCTION: Duration = Duration::from_millis(300);

/// Show the logs of a lab's functions
///
/// All functions together, by time. With --follow it goes on with what comes, until interrupted; with --output json each
/// event is then a document on a line of its own, since what never ends is no document.
#[derive(clap::Args, Debug)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    lab: LabArg,
    /// Functions to show; default: all of the lab
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// Go on with what comes, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only events that match CloudWatch's filter pattern: ERROR, '"two words"', '{ $.level = "warn" }'
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    filter: Option<String>,
    /// From when on: a time ago (10m, 2h), or a date (2026-11-22T12:00:00Z)
    #[arg(long, value_name = "TIME", default_value = USUAL, value_parser = words::parse_moment, allow_hyphen_values = true)]
    since: i64,
    /// Until when
    #[arg(long, value_name = "TIME", value_parser = words::parse_moment, allow_hyphen_values = true, conflicts_with = "follow")]
    until: Option<i64>,
    /// Only so many events, from the end
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

#[derive(Debug, Serialize)]
struct LogsAnswer {
    lab: String,
    env: String,
    target: String,
    since: String,
    until: Option<String>,
    events: Vec<EventDocument>,
}

/// One event, in the document or as a line of its own.
#[derive(Debug, Serialize)]
struct EventDocument {
    time: String,
    function: String,
    stream: String,
    message: String,
}

impl Answer for LogsAnswer {
    /// People are told line by line.
    fn text(&self, _theme: Theme) -> String {
        String::new()
    }
}

/// How events are told.
struct Teller<'a> {
    cx: &'a Context,
    functions: &'a [&'a Function],
    width: usize,
}

impl Teller<'_> {
    fn tell(&self, number: usize, event: LogEvent) {
        match self.cx.ui.format() {
            Format::Json => self.cx.ui.json_line(&self.document(number, event)),
            Format::Human => {
                let name = &self.functions[number].name;
                let of = (self.functions.len() > 1).then_some(Of { name, number, width: self.width });
                let message = &event.message;
                let line = Line { time: event.time, of, message, platforms: is_platforms(message) };
                self.cx.ui.raw(&line.text(self.cx.ui.out_theme(), self.cx.ui.shows()));
            }
        }
    }

    fn document(&self, number: usize, event: LogEvent) -> EventDocument {
        let LogEvent { time, stream, message, .. } = event;
        let function = self.functions[number].name.clone();
        EventDocument { time: words::moment(time), function, stream, message: message.trim_end().to_owned() }
    }
}

impl LogsArgs {
    /// It ends when it is interrupted, and not before.
    pub(crate) fn is_endless(&self) -> bool {
        self.follow
    }
}

pub(crate) async fn run(args: LogsArgs, cx: &Context) -> Result<(), Failure> {
    if args.until.is_some_and(|until| until < args.since) {
        return Err(Failure::usage("--until is before --since").hint("without --since it is the last 10 minutes"));
    }
    let all = Functions::of(cx, &args.lab).await?;
    let functions = all.several(&args.functions)?;
    let unread = |error: AwsError| match error.code() {
        Some("InvalidParameterException") => Failure::usage("CloudWatch refuses what is asked for").because(error),
        _ => Failure::failed(format!("cannot read the logs of lab `{}`", all.instance.lab)).because(error),
    };
    let source = async |function: &&Function| {
        let group = all.aws.function_log_group(&function.full).await?;
        Ok(FunctionLog { aws: &all.aws, group, pattern: args.filter.clone() })
    };
    let sources: Vec<FunctionLog<'_>> = try_join_all(functions.iter().map(source)).await.map_err(unread)?;
    let width = functions.iter().map(|function| function.name.len()).max().unwrap_or(0);
    let teller = Teller { cx, functions: &functions, width };
    if args.follow {
        return follow(&args, &sources, &teller).await.map_err(unread);
    }
    let found = read(&args, &sources, &teller).await.map_err(unread)?;
    if cx.ui.format() == Format::Json {
        let events = found.into_iter().map(|(number, event)| teller.document(number, event)).collect();
        cx.ui.answer(&LogsAnswer {
            lab: all.instance.lab.clone(),
            env: all.instance.env.clone(),
            target: all.aws.target().name.clone(),
            since: words::moment(args.since),
            until: args.until.map(words::moment),
            events,
        });
    }
    Ok(())
}

/// Tells what is there at once, unless only the end is wanted or all is one document: what is left to tell is given back.
async fn read(
    args: &LogsArgs,
    sources: &[FunctionLog<'_>],
    teller: &Teller<'_>,
) -> Result<Vec<(usize, LogEvent)>, AwsError> {
    let human = teller.cx.ui.format() == Format::Human;
    let mut end = End::of(args.limit);
    let mut walk = Walk::new(sources, |_| args.since, args.until);
    let mut empty = true;
    while let Some((number, event)) = walk.next().await? {
        empty = false;
        match human && args.limit.is_none() {
            true => teller.tell(number, event),
            false => end.push((number, event)),
        }
        if teller.cx.ui.is_unread() {
            return Ok(Vec::new());
        }
    }
    if empty {
        let until = args.until.map(|until| format!(" until {}", words::moment(until))).unwrap_or_default();
        teller.cx.ui.note(&format!("no events since {}{until}; further back: --since 1d", words::moment(args.since)));
    }
    if !human {
        return Ok(end.0.into());
    }
    end.0.into_iter().for_each(|(number, event)| teller.tell(number, event));
    Ok(Vec::new())
}

/// Tells what is there, of which only the end may be wanted, and then what comes.
async fn follow(args: &LogsArgs, sources: &[FunctionLog<'_>], teller: &Teller<'_>) -> Result<(), AwsError> {
    let now = || i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    let mut follower = Follower::new(sources, args.since);
    if args.limit.is_some() {
        let mut end = End::of(args.limit);
        // What a refusal leaves out here, the next look finds.
        let looked = follower.look(now(), |number, event| end.push((number, event))).await;
        end.0.into_iter().for_each(|(number, event)| teller.tell(number, event));
        looked?;
    }
    let functions = u32::try_from(sources.len()).unwrap_or(u32::MAX);
    let pause = PAUSE.max(PAUSE_PER_FUNCTION.saturating_mul(functions));
    follower.follow(pause, now, |number, event| teller.tell(number, event), || !teller.cx.ui.is_unread()).await
}

/// The last of many.
struct End(VecDeque<(usize, LogEvent)>, usize);

impl End {
    fn of(limit: Option<u32>) -> Self {
        End(VecDeque::new(), limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX))
    }

    fn push(&mut self, event: (usize, LogEvent)) {
        if self.0.len() == self.1 {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_events_the_last_are_kept() {
        let event = |time: i64| LogEvent { id: String::new(), stream: String::new(), time, message: String::new() };
        let mut end = End::of(Some(2));
        (0..5).for_each(|time| end.push((0, event(time))));
        assert_eq!(end.0.iter().map(|(_, event)| event.time).collect::<Vec<_>>(), [3, 4]);
    }
}
