//! `labctl trace`.

use super::context::Context;
use super::instances;
use super::select::LabArg;
use crate::aws::traces::TraceSummary;
use crate::aws::{Aws, Need};
use crate::engine::traces::{Find, Trace, Traced};
use crate::error::Failure;
use crate::plan::Instance;
use crate::ui::waterfall::{self, millis, plain};
use crate::ui::{Answer, Label, Table, Theme, words};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use time::OffsetDateTime;
use unicode_width::UnicodeWidthStr;

/// Show where the time of a lab's requests went
///
/// Lists the last traces of the lab's functions and REST APIs, or draws one as a waterfall. X-Ray shows a trace some seconds
/// after its request, and records one request a second and five of a hundred more unless sampling rules say otherwise.
#[derive(clap::Args, Debug)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    lab: LabArg,
    /// Identifier of the trace to draw
    #[arg(value_name = "TRACE", conflicts_with = "last")]
    trace: Option<String>,
    /// Draw the last trace
    #[arg(long)]
    last: bool,
    /// List the N slowest of the time, the slowest first
    #[arg(long, value_name = "N", conflicts_with_all = ["trace", "last"], value_parser = clap::value_parser!(u32).range(1..))]
    slowest: Option<u32>,
    /// Only traces in which something went wrong
    #[arg(long, conflicts_with = "trace")]
    errors: bool,
    /// How far to look back: 10m, 2h, 1d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = words::parse_duration, allow_hyphen_values = true)]
    since: Duration,
    /// How many traces to list
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Write the waterfall to this file as SVG too
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

const DAY: Duration = Duration::from_secs(86_400);
/// X-Ray keeps traces so long.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

#[derive(Debug, Serialize)]
struct TraceList {
    lab: String,
    env: String,
    target: String,
    traces: Vec<TraceSummary>,
    /// Columns of the screen, if there is one.
    #[serde(skip)]
    width: Option<usize>,
    /// All are of the last hours: their times need no date.
    #[serde(skip)]
    recent: bool,
}

#[derive(Debug, Serialize)]
struct TraceAnswer {
    lab: String,
    env: String,
    target: String,
    #[serde(flatten)]
    trace: Trace,
    #[serde(skip)]
    width: usize,
}

impl Answer for TraceList {
    fn text(&self, theme: Theme) -> String {
        const HEADINGS: [&str; 5] = ["TIME (UTC)", "DURATION", "STATUS", "TRACE", "REQUEST"];
        let mut table = Table::new(&HEADINGS);
        let rows = self.traces.iter().map(|trace| {
            let (label, status) = outcome(trace);
            let time = moment(trace.start);
            let time = if self.recent { time.split_once(' ').map_or("", |(_, time)| time).to_owned() } else { time };
            (label, [time, millis(trace.duration * 1000.0), status, trace.id.clone()], told(trace))
        });
        let rows: Vec<_> = rows.collect();
        let width = |at: usize| rows.iter().map(|row| row.1[at].width()).chain([HEADINGS[at].len()]).max().unwrap_or(0);
        let before: usize = (0..4).map(|at| width(at) + 2).sum();
        // The identifier is whole, so that it can be copied; what is long is what clients have asked for.
        let room = self.width.map_or(usize::MAX, |width| width.saturating_sub(before).max(SHORTEST));
        for (label, [time, duration, status, id], request) in rows {
            table.labelled([
                (None, time),
                (None, duration),
                (Some(label), status),
                (Some(Label::Name), id),
                (None, words::cut(&request, room)),
            ]);
        }
        if table.is_empty() { String::new() } else { table.render(theme) }
    }
}

/// A request is cut to no fewer columns than these.
const SHORTEST: usize = 6;

impl Answer for TraceAnswer {
    fn text(&self, theme: Theme) -> String {
        let head = format!("{}  {}", heading(&self.trace), theme.paint(Label::Dim, &self.trace.id));
        let cut = if self.trace.cut { "X-Ray has not kept all of it: a trace holds 500 kB\n" } else { "" };
        format!("{head}\n{cut}{}", waterfall::text(&self.trace, self.width, theme))
    }
}

/// `2026-11-22 12:41:03`.
fn moment(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds of this century")]
    let at = OffsetDateTime::from_unix_timestamp(seconds as i64).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = at.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02}", at.date())
}

fn heading(trace: &Trace) -> String {
    let first = trace.spans.first();
    let name = first.and_then(|span| span.detail.as_ref().or(Some(&span.name))).map(|text| plain(text));
    format!("{}  {}  {}", moment(trace.start), name.unwrap_or_default(), millis(trace.duration_ms))
}

fn outcome(trace: &TraceSummary) -> (Label, String) {
    let (label, word) = match trace {
        TraceSummary { fault: true, .. } => (Label::Bad, "FAULT"),
        TraceSummary { throttle: true, .. } => (Label::Warning, "THROTTLED"),
        TraceSummary { error: true, .. } => (Label::Warning, "ERROR"),
        TraceSummary { partial: true, .. } => (Label::Dim, "running"),
        _ => (Label::Good, ""),
    };
    let status = trace.status.map(|status| status.to_string()).unwrap_or_default();
    let text = [status.as_str(), word].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    (label, text)
}

/// The request, and what people noted of it.
fn told(trace: &TraceSummary) -> String {
    let (request, annotations) = (plain(&request(trace)), plain(&annotations(trace)));
    if annotations.is_empty() { request } else { format!("{request}  {annotations}") }
}

/// Method and path; of a trace that began with no HTTP request the service.
fn request(trace: &TraceSummary) -> String {
    let path = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.find('/').map_or_else(|| rest.to_owned(), |at| rest[at..].to_owned())
    };
    match (&trace.method, &trace.url) {
        (Some(method), Some(url)) => format!("{method} {}", path(url)),
        (None, Some(url)) => path(url),
        _ => trace.entry.clone().unwrap_or_default(),
    }
}

/// Those that people made: API Gateway's own say what the path says.
fn annotations(trace: &TraceSummary) -> String {
    let own = trace.annotations.iter().filter(|(key, _)| !key.starts_with("aws:"));
    own.map(|(key, values)| format!("{key}={}", values.join(","))).collect::<Vec<_>>().join(" ")
}

/// The form of a trace's identifier: where a lab is expected, it is one.
fn is_trace(text: &str) -> bool {
    let mut parts = text.split('-');
    let digits = |part: Option<&str>, length: usize| {
        part.is_some_and(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    parts.next() == Some("1") && digits(parts.next(), 8) && digits(parts.next(), 24) && parts.next().is_none()
}

pub(crate) async fn run(mut args: TraceArgs, cx: &Context) -> Result<(), Failure> {
    if args.trace.is_none() && args.lab.lab.as_deref().is_some_and(is_trace) {
        args.trace = args.lab.lab.take();
    }
    if let Some(trace) = args.trace.as_ref().filter(|trace| !is_trace(trace)) {
        return Err(
            Failure::usage(format!("`{}` is no identifier of a trace", plain(trace))).hint(again(&args, cx, ""))
        );
    }
    if args.svg.is_some() && args.trace.is_none() && !args.last {
        let svg = args.svg.iter().map(|file| words::shell_word(&file.to_string_lossy()).into_owned());
        let last = format!(" --last --svg {}", svg.collect::<String>());
        return Err(Failure::usage("--svg draws one trace: name it, or add --last").hint(again(&args, cx, &last)));
    }
    if args.since > KEPT {
        return Err(Failure::usage("X-Ray keeps traces for 30 days").hint(again(&args, cx, " --since 30d")));
    }
    let instance = args.lab.instance(cx)?;
    let aws = cx.aws(Need::Visit).await?;
    let wanted = Wanted { aws, instance, args };
    match wanted.args.trace.clone() {
        Some(id) => wanted.draw(&id, cx).await,
        None if wanted.args.last => {
            let (mut found, traced) = wanted.find().await?;
            if found.is_empty() {
                return Err(wanted.nothing(&traced));
            }
            let last = found.swap_remove(0);
            wanted.draw(&last.id, cx).await
        }
        None => wanted.list(cx).await,
    }
}

/// The command as it can be typed again.
fn again(args: &TraceArgs, cx: &Context, more: &str) -> String {
    format!("labctl trace{}{}{more}", args.lab.typed(), cx.globals.place.typed())
}

/// What is asked, and where.
struct Wanted {
    aws: Aws,
    instance: Instance,
    args: TraceArgs,
}

impl Wanted {
    async fn find(&self) -> Result<(Vec<TraceSummary>, Traced), Failure> {
        let unseen = |error| instances::unseen(&self.aws, error);
        let mut resources = Vec::new();
        for stack in instances::there(&self.aws, &self.args.lab, &self.instance).await?.into_values() {
            resources.extend(self.aws.stack_resources(&stack.id).await.map_err(unseen)?);
        }
        let traced = Traced::of(&self.aws, &resources).await.map_err(unseen)?;
        let find = Find { since: self.args.since, errors: self.args.errors };
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let found = traced.find(&self.aws, find, now).await.map_err(unseen)?;
        Ok((found, traced))
    }

    async fn list(&self, cx: &Context) -> Result<(), Failure> {
        let (mut traces, traced) = self.find().await?;
        let limit = self.args.slowest.unwrap_or(self.args.limit);
        if self.args.slowest.is_some() {
            traces.sort_by(|one, other| other.duration.total_cmp(&one.duration));
        }
        if traces.is_empty() {
            cx.ui.note(&self.why_nothing(&traced));
        }
        traces.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let Instance { lab, env } = self.instance.clone();
        let width = cx.ui.shows().then(|| cx.ui.columns());
        let recent = self.args.since < DAY;
        cx.ui.answer(&TraceList { lab, env, target: self.aws.target().name.clone(), traces, width, recent });
        Ok(())
    }

    async fn draw(&self, id: &str, cx: &Context) -> Result<(), Failure> {
        let found = self.aws.trace_documents(&[id.to_owned()]).await;
        let found = found.map_err(|error| instances::unseen(&self.aws, error))?;
        let documents = found.first().filter(|trace| !trace.segments.is_empty()).ok_or_else(|| {
            Failure::usage(format!("X-Ray has no trace {id}"))
                .hint("a trace is shown some seconds after its request, and kept for 30 days")
        })?;
        let trace = Trace::of(documents);
        if let Some(path) = &self.args.svg {
            let picture = waterfall::svg(&trace, &heading(&trace));
            std::fs::write(path, picture)
                .map_err(|error| Failure::usage(format!("cannot write `{}`", path.display())).because(error))?;
            cx.ui.note(&format!("wrote {}", path.display()));
        }
        let Instance { lab, env } = self.instance.clone();
        let target = self.aws.target().name.clone();
        cx.ui.answer(&TraceAnswer { lab, env, target, trace, width: cx.ui.columns() });
        Ok(())
    }

    fn nothing(&self, traced: &Traced) -> Failure {
        Failure::failed(format!("{} has no trace of the last {}", self.instance, words::duration(self.args.since)))
            .hint(self.advice(traced))
    }

    fn why_nothing(&self, traced: &Traced) -> String {
        let kind = if self.args.errors { "trace with an error" } else { "trace" };
        let since = words::duration(self.args.since);
        format!("{} has no {kind} of the last {since}: {}", self.instance, self.advice(traced))
    }

    /// What may be the cause, the likeliest first.
    fn advice(&self, traced: &Traced) -> String {
        match (traced.services.is_empty(), traced.untraced.is_empty()) {
            (true, true) => "it has no function and no REST API, which are what X-Ray traces".to_owned(),
            (_, false) => format!(
                "not traced: {}; set TracingConfig: {{Mode: Active}} (functions) or TracingEnabled: true (stages) in its templates",
                traced.untraced.join(", ")
            ),
            (false, true) => {
                "a trace is shown some seconds after its request; look further back with --since".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_line_for_each_trace() {
        let trace = TraceSummary {
            id: "1-6b49d200-000000000000000000000001".to_owned(),
            start: 1_800_000_000.25,
            duration: 0.0842,
            status: Some(502),
            fault: true,
            method: Some("POST".to_owned()),
            url: Some("https://x.example/dev/ec2/i-1\u{1b}[2J".to_owned()),
            annotations: [("aws:api_id", "x"), ("packages", "100")]
                .map(|(key, value)| (key.to_owned(), vec![value.to_owned()]))
                .into(),
            ..TraceSummary::default()
        };
        let asleep = TraceSummary { id: "1-2".to_owned(), entry: Some("put".to_owned()), ..TraceSummary::default() };
        let traces = vec![trace, asleep];
        let mut list =
            TraceList { lab: "l".into(), env: "e".into(), target: "t".into(), traces, width: None, recent: false };
        let text = list.text(Theme::PLAIN);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split("  ").map(str::trim).collect()).collect();
        let cells = |line: usize| lines[line].iter().filter(|cell| !cell.is_empty()).copied().collect::<Vec<_>>();
        assert_eq!(cells(0), ["TIME (UTC)", "DURATION", "STATUS", "TRACE", "REQUEST"]);
        let request = "POST /dev/ec2/i-1\u{fffd}[2J";
        let id = "1-6b49d200-000000000000000000000001";
        assert_eq!(cells(1), ["2027-01-15 08:00:00", "84 ms", "502 FAULT", id, request, "packages=100"]);
        assert_eq!(cells(2), ["1970-01-01 00:00:00", "0.00 ms", "1-2", "put"]);
        // On the usual terminal a line is a line, however long what was asked for is.
        (list.width, list.recent) = (Some(80), true);
        list.traces[0].url = Some(format!("https://x.example/{}", "x".repeat(9_000)));
        let text = list.text(Theme::PLAIN);
        assert!(text.lines().all(|line| line.width() <= 80) && text.contains("08:00:00    84 ms"), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.contains(id) && line.ends_with('…')), "{text}");
    }

    #[test]
    fn a_trace_identifier_is_told_from_a_lab() {
        assert!(is_trace("1-6b49d200-000000000000000000000001"));
        for lab in ["inventory", "1-2-3", "./lab.yaml", "1-6b49d200-00000000000000000000000z"] {
            assert!(!is_trace(lab), "{lab}");
        }
    }
}
