//! `labctl invoke`.

use super::context::Context;
use super::functions::{Function, Functions};
use super::select::LabArg;
use crate::aws::functions::{Called, FunctionCall};
use crate::engine::call::{self, Repeated, Thrown};
use crate::engine::logs::is_platforms;
use crate::error::{Failure, Kind};
use crate::ui::printer::tame;
use crate::ui::table::Table;
use crate::ui::{self, Answer, Format, Label, Theme, words};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;
use time::OffsetDateTime;

/// "6 MB each for request and response (synchronous), 1 MB (asynchronous)": Lambda quotas.
const MOST: usize = 6 * 1024 * 1024;
const MOST_ASYNC: usize = 1024 * 1024;

/// Call a function of a lab
///
/// The function's result goes to stdout: laid out on a terminal, byte for byte elsewhere. Status and duration go to stderr.
/// A function that fails ends it with exit code 1. A lab's only function need not be named: the payload may follow the lab,
/// since no function's name begins with {, [ or ".
#[derive(clap::Args, Debug)]
pub(crate) struct InvokeArgs {
    #[command(flatten)]
    lab: LabArg,
    /// Function to call; default: the lab's only one
    #[arg(value_name = "FUNCTION")]
    function: Option<String>,
    /// JSON to call it with, or - for stdin; default: {}
    #[arg(value_name = "PAYLOAD", allow_negative_numbers = true)]
    payload: Option<String>,
    /// File of the JSON to call it with
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    file: Option<PathBuf>,
    /// Version or alias to call
    #[arg(long, value_name = "NAME")]
    qualifier: Option<String>,
    /// Show the lines that the call left in the log
    #[arg(long, conflicts_with_all = ["repeat", "async"])]
    tail: bool,
    /// Do not wait for the result: Lambda takes the event and calls the function by and by
    #[arg(long = "async", conflicts_with = "repeat")]
    r#async: bool,
    /// Call it so many times, and show how long the calls took
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
    /// So many calls at once
    #[arg(long, value_name = "N", default_value_t = 1, requires = "repeat", value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
}

/// What one call came to.
#[derive(Debug, Serialize)]
struct InvokeAnswer<'a> {
    lab: &'a str,
    env: &'a str,
    target: &'a str,
    function: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    status: i32,
    duration_ms: f64,
    /// How long the environment took to start, if it had to.
    #[serde(skip_serializing_if = "Option::is_none")]
    init_ms: Option<f64>,
    /// The function failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Thrown>,
    /// As the function wrote it: a number keeps all its digits.
    payload: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a [String]>,
}

#[derive(Debug, Serialize)]
struct RepeatAnswer {
    lab: String,
    env: String,
    target: String,
    function: String,
    #[serde(flatten)]
    repeated: Repeated,
}

impl Answer for RepeatAnswer {
    fn text(&self, theme: Theme) -> String {
        let Repeated { report, cold_starts, .. } = &self.repeated;
        let errors: Vec<String> = report.errors.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let errors = if errors.is_empty() { "0".to_owned() } else { errors.join(", ") };
        let mut table = Table::new(&[]);
        let mut row = |name: &str, value: String| table.labelled([(Some(Label::Name), name.to_owned()), (None, value)]);
        row("calls", report.requests.to_string());
        row("errors", errors);
        row("cold starts", cold_starts.to_string());
        row("per second", format!("{:.1}", report.rps));
        let latency = serde_json::to_value(&report.latency_ms).unwrap_or_default();
        for (name, value) in latency.as_object().into_iter().flatten() {
            row(&name.replace('_', "."), format!("{:.2} ms", value.as_f64().unwrap_or_default()));
        }
        table.render(theme)
    }
}

pub(crate) async fn run(args: InvokeArgs, cx: &Context) -> Result<(), Failure> {
    let Some(times) = args.repeat else {
        let (functions, function, call) = args.prepared(cx).await?;
        return once(cx, &functions, &function, &call, args.tail).await;
    };
    // One listener for both: a signal between two would be heard by nobody.
    let mut end = std::pin::pin!(super::asked_to_end());
    let (functions, function, call) = tokio::select! {
        prepared = args.prepared(cx) => prepared?,
        () = &mut end => return Err(interrupted("interrupted before anything was called")),
    };
    cx.ui.note(&format!("calling {} {}", function.full, words::count(times as usize, "time")));
    let repeated = call::repeat(&functions.aws, &call, (times, args.concurrency), end).await;
    tell_all(cx, &functions, &function, repeated)
}

fn interrupted(what: &str) -> Failure {
    Failure::new(Kind::Interrupted, what)
}

impl InvokeArgs {
    /// Many calls that are interrupted are told as far as they came.
    pub(crate) fn hears_signals(&self) -> bool {
        self.repeat.is_some()
    }

    /// What is called and with what; what is wrong with it is told before anything is sent.
    async fn prepared(&self, cx: &Context) -> Result<(Functions, Function, FunctionCall), Failure> {
        let (named, payload) = self.words();
        let payload = payload_of(payload, self.file.as_deref()).await?;
        check(&payload, self.r#async)?;
        let functions = Functions::of(cx, &self.lab).await?;
        let function = functions.one(named)?.clone();
        let call = FunctionCall {
            function: function.full.clone(),
            qualifier: self.qualifier.clone(),
            payload: payload.into_bytes(),
            wait: !self.r#async,
            // The end of the log tells cold starts.
            tail: !self.r#async,
        };
        Ok((functions, function, call))
    }

    /// The function's name and the payload: the second word is the payload when it cannot be a name.
    fn words(&self) -> (Option<&str>, Option<&str>) {
        match (self.function.as_deref(), self.payload.as_deref()) {
            (Some(word), None) if word == "-" || word.starts_with(['{', '[', '"']) => (None, Some(word)),
            words => words,
        }
    }
}

async fn payload_of(word: Option<&str>, file: Option<&Path>) -> Result<String, Failure> {
    let (read, what) = match (word, file) {
        (Some("-"), None) => (patiently(|| io::read_to_string(io::stdin())).await, "stdin".to_owned()),
        (Some(text), None) => return Ok(text.to_owned()),
        (None, None) => return Ok("{}".to_owned()),
        (Some(_), Some(_)) => return Err(Failure::usage("the payload is given twice: as a word and with --file")),
        (None, Some(file)) => {
            let path = file.to_owned();
            (patiently(|| std::fs::read_to_string(path)).await, format!("`{}`", file.display()))
        }
    };
    read.map_err(|error| Failure::usage(format!("cannot read the payload from {what}")).because(error))
}

/// Reads what may be a pipe that nobody writes to: it must not block an interruption.
async fn patiently(read: impl FnOnce() -> io::Result<String> + Send + 'static) -> io::Result<String> {
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|gone| Err(gone.into()))
}

/// Before anything is sent: a payload that Lambda would refuse.
fn check(payload: &str, is_async: bool) -> Result<(), Failure> {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(payload) {
        let failure = Failure::usage("the payload is not JSON").because(error);
        return Err(failure.hint("quote it for the shell, '{\"key\": 1}', or give its file: --file event.json"));
    }
    let most = if is_async { MOST_ASYNC } else { MOST };
    match payload.len() > most {
        true => Err(Failure::usage(format!(
            "the payload has {} bytes, and Lambda takes {most}{}",
            payload.len(),
            if is_async { " of an asynchronous call" } else { "" }
        ))),
        false => Ok(()),
    }
}

fn tell_all(cx: &Context, functions: &Functions, function: &Function, repeated: Repeated) -> Result<(), Failure> {
    let ended_early = repeated.interrupted;
    let failed: u64 = repeated.report.errors.values().sum();
    let first = repeated.first_error.clone();
    cx.ui.answer(&RepeatAnswer {
        lab: functions.instance.lab.clone(),
        env: functions.instance.env.clone(),
        target: functions.aws.target().name.clone(),
        function: function.name.clone(),
        repeated,
    });
    match (failed, first) {
        _ if ended_early => Err(interrupted("interrupted: the calls were ended early")),
        (0, _) => Ok(()),
        (_, Some(Thrown { kind, message, .. })) => {
            let which =
                if failed == 1 { "one call failed".to_owned() } else { format!("{failed} calls failed, the first") };
            Err(Failure::failed(format!("{which} with {kind}")).because(message))
        }
        (_, None) => Err(Failure::failed(format!("{failed} calls failed"))),
    }
}

async fn once(
    cx: &Context,
    functions: &Functions,
    function: &Function,
    call: &FunctionCall,
    tail: bool,
) -> Result<(), Failure> {
    let failed = || Failure::failed(format!("cannot call function `{}`", function.name));
    let (begun, moment) = (Instant::now(), OffsetDateTime::now_utc().unix_timestamp() * 1000);
    let called = functions.aws.call_function(call).await.map_err(|error| failed().because(error))?;
    let duration_ms = (begun.elapsed().as_secs_f64() * 100_000.0).round() / 100.0;
    let log = if tail { Some(log_lines(cx, functions, function, &called, moment).await?) } else { None };
    let thrown = called.error.as_ref().map(|_| Thrown::of(&called.payload));
    let answer = InvokeAnswer {
        lab: &functions.instance.lab,
        env: &functions.instance.env,
        target: &functions.aws.target().name,
        function: &function.name,
        version: called.version.as_deref(),
        request_id: called.request_id.as_deref(),
        status: called.status,
        duration_ms,
        init_ms: called.log.as_deref().and_then(call::init_ms),
        error: thrown.as_ref(),
        payload: raw(&called.payload),
        log: log.as_deref(),
    };
    tell(cx, &answer, &called, call.wait);
    match thrown {
        None => Ok(()),
        Some(Thrown { kind, message, stack }) => {
            let failure = Failure::failed(format!("function `{}` failed: {kind}", function.name));
            Err(failure.because(message).with_problems(stack))
        }
    }
}

/// What is not JSON is shown as text.
fn raw(payload: &[u8]) -> Box<RawValue> {
    let text = |payload: &[u8]| match payload {
        [] => "null".to_owned(),
        payload => Value::from(String::from_utf8_lossy(payload)).to_string(),
    };
    let raw = serde_json::from_slice::<Box<RawValue>>(payload).or_else(|_| RawValue::from_string(text(payload)));
    raw.unwrap_or_default()
}

async fn log_lines(
    cx: &Context,
    functions: &Functions,
    function: &Function,
    called: &Called,
    moment: i64,
) -> Result<Vec<String>, Failure> {
    let lines = async {
        let group = functions.aws.function_log_group(&function.full).await?;
        call::lines(&functions.aws, &group, called, moment).await
    };
    let (lines, whole) =
        lines.await.map_err(|error| Failure::failed("the call was made; its log cannot be read").because(error))?;
    if !whole {
        cx.ui.warning("the log has not arrived yet: these are its last 4 KB");
    }
    Ok(lines)
}

fn tell(cx: &Context, answer: &InvokeAnswer<'_>, called: &Called, waited: bool) {
    if cx.ui.format() == Format::Json {
        return cx.ui.document(answer);
    }
    let theme = cx.ui.err_theme();
    for line in answer.log.into_iter().flatten() {
        cx.ui.note(&ui::log::message(theme, line, is_platforms(line), cx.ui.draws()));
    }
    let mut said = match waited {
        true => format!("{} in {:.1} ms", answer.status, answer.duration_ms),
        false => format!("{} accepted", answer.status),
    };
    said.extend(answer.init_ms.map(|init| format!(", cold start {init:.1} ms")));
    said.extend(answer.version.map(|version| format!(", version {version}")));
    said.extend(answer.request_id.map(|id| format!(", request {id}")));
    cx.ui.note(&theme.paint(Label::Dim, &said));
    // A failure is told as one; what it says is no result.
    if answer.error.is_some() || !waited {
        return;
    }
    match cx.ui.shows() {
        true => cx.ui.raw(&(tame(&words::laid_out(answer.payload.get())) + "\n")),
        false => cx.ui.bytes(&called.payload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_that_lambda_would_refuse_is_refused_before_anything_is_sent() {
        assert!(check("{\"a\": [1, null]}", false).is_ok() && check("1", true).is_ok());
        for bad in ["", "{oops", "{} {}", "nul"] {
            assert_eq!(check(bad, false).unwrap_err().kind, Kind::Usage, "{bad}");
        }
        let large = format!("\"{}\"", "x".repeat(MOST_ASYNC));
        assert!(check(&large, false).is_ok());
        assert!(check(&large, true).unwrap_err().summary.contains("Lambda takes 1048576 of an asynchronous call"));
    }

    #[tokio::test]
    async fn the_payload_is_a_word_a_file_or_an_empty_object() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("event.json");
        std::fs::write(&file, "[1]").unwrap();
        assert_eq!(payload_of(None, None).await.unwrap(), "{}");
        assert_eq!(payload_of(Some("5"), None).await.unwrap(), "5");
        assert_eq!(payload_of(None, Some(&file)).await.unwrap(), "[1]");
        assert!(payload_of(Some("5"), Some(&file)).await.unwrap_err().summary.contains("twice"));
        assert!(payload_of(None, Some(dir.path())).await.unwrap_err().summary.contains("cannot read the payload"));
    }
}
