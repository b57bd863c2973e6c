//! stdout for results, stderr for the rest; one JSON document or human text.

use super::theme::{Label, Theme, is_dumb};
use crate::error::Failure;
use serde::Serialize;
use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The form of what goes to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text for people
    #[default]
    Human,
    /// Exactly one JSON document
    Json,
}

/// A command's result: the same value is the JSON document and the text.
pub trait Answer: Serialize {
    /// The text for people, with its line ends.
    fn text(&self, theme: Theme) -> String;
}

/// How the two streams are set up.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    pub out_terminal: bool,
    pub err_terminal: bool,
    /// Questions can be asked: somebody sits at stdin and sees stderr.
    pub interactive: bool,
}

impl Streams {
    pub fn of_process() -> Self {
        let err_terminal = io::stderr().is_terminal();
        Streams {
            out_terminal: io::stdout().is_terminal(),
            err_terminal,
            interactive: err_terminal && io::stdin().is_terminal(),
        }
    }
}

/// The way to the screen.
#[derive(Debug)]
pub struct Printer {
    format: Format,
    streams: Streams,
    quiet: bool,
    answered: AtomicBool,
    /// Whoever read the results went away.
    unread: AtomicBool,
    /// Why a result could not be written.
    unwritten: OnceLock<io::Error>,
    /// What is to be said if the command is interrupted now.
    parting: Mutex<Option<String>>,
}

impl Printer {
    pub fn new(format: Format, streams: Streams, quiet: bool) -> Self {
        let (answered, unread) = (AtomicBool::new(false), AtomicBool::new(false));
        Printer { format, streams, quiet, answered, unread, unwritten: OnceLock::new(), parting: Mutex::default() }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// stderr is a terminal that can be drawn on: progress may be.
    pub fn draws(&self) -> bool {
        self.streams.err_terminal && !self.quiet && !is_dumb()
    }

    /// The whole terminal is ours to draw on: somebody sits at it, and stdout leads there.
    pub fn owns_terminal(&self) -> bool {
        self.streams.out_terminal && self.streams.interactive
    }

    pub fn interactive(&self) -> bool {
        self.streams.interactive
    }

    /// Results are read by somebody at a terminal.
    pub fn shows(&self) -> bool {
        self.streams.out_terminal
    }

    /// Nobody reads the results any more: what would go on for ever can end.
    pub fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    /// The theme of what goes to stderr.
    pub fn err_theme(&self) -> Theme {
        Theme::for_stream(self.streams.err_terminal)
    }

    /// The theme of what goes to stdout.
    pub fn out_theme(&self) -> Theme {
        Theme::for_stream(self.streams.out_terminal)
    }

    /// How many columns a line on stdout has.
    pub fn columns(&self) -> usize {
        const USUAL: usize = 100;
        match rustix::termios::tcgetwinsize(io::stdout()) {
            Ok(size) if self.streams.out_terminal && size.ws_col > 0 => usize::from(size.ws_col),
            _ => USUAL,
        }
    }

    /// Prints a command's result.
    pub fn answer(&self, answer: &impl Answer) {
        match self.format {
            Format::Human => self.raw(&answer.text(self.out_theme())),
            Format::Json => self.document(answer),
        }
    }

    /// Prints `value` as the one JSON document.
    pub fn document(&self, value: &impl Serialize) {
        // Values are made of strings, numbers, lists and string-keyed maps, which always have a JSON form.
        let text = serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
        self.raw(&(text + "\n"));
    }

    /// Text of a result on stdout, as it is. What cannot be written is told by [`Printer::written`].
    pub fn raw(&self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A result that need not be text, as it is.
    pub fn bytes(&self, bytes: &[u8]) {
        self.answered.store(true, Ordering::Relaxed);
        let mut out = io::stdout().lock();
        self.keep(out.write_all(bytes).and_then(|()| out.flush()));
    }

    /// Prints `value` as one line of JSON: of documents that never end, each line is one.
    pub fn json_line(&self, value: &impl Serialize) {
        // As for `document`.
        let text = serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
        self.raw(&(text + "\n"));
    }

    /// A reader that went away is not an error.
    fn keep(&self, written: io::Result<()>) {
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.unread.store(true, Ordering::Relaxed),
            // The first error is the one to tell.
            Err(error) => drop(self.unwritten.set(error)),
        }
    }

    /// Whether all results went to where stdout leads; a full disk must not pass for success.
    pub fn written(&self) -> Result<(), Failure> {
        match self.unwritten.get() {
            None => Ok(()),
            Some(error) => Err(Failure::failed("cannot write the result").because(error.to_string())),
        }
    }

    /// A line for people on stderr; `--quiet` silences it.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// A warning on stderr; `--quiet` does not silence it.
    pub fn warning(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{} {text}", self.err_theme().paint(Label::Warning, "warning:"));
    }

    /// What [`Printer::part`] is to say from now on, if anything.
    pub fn on_parting(&self, text: Option<String>) {
        *self.parting.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// Says what has to be said of a command that was interrupted, as a warning.
    pub fn part(&self) {
        let text = self.parting.lock().unwrap_or_else(PoisonError::into_inner).take();
        text.iter().for_each(|text| self.warning(text));
    }

    /// Asks on stderr. Only to be called when `interactive()`; then comes [`Printer::answer_to_question`].
    pub fn ask(&self, question: &str) -> io::Result<()> {
        let mut err = io::stderr().lock();
        write!(err, "{question} [y/N] ")?;
        err.flush()
    }

    /// Reads the answer to a question: a thread of its own waits for it, so that an interruption is heard meanwhile.
    pub fn answer_to_question() -> io::Result<bool> {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// The error a command ended with: on stderr for people, and as the JSON document if there was none yet.
    pub fn failure(&self, failure: &Failure) {
        let _ = io::stderr().lock().write_all(failure_text(failure, self.err_theme()).as_bytes());
        if self.format == Format::Json && !self.answered.load(Ordering::Relaxed) {
            self.failure_document(failure);
        }
    }

    /// An error as the JSON document alone: people were told already.
    pub fn failure_document(&self, failure: &Failure) {
        self.document(&FailureDocument::of(failure));
    }
}

/// Notes on stderr from places that outlive a borrow of the printer.
#[derive(Clone, Copy, Debug)]
pub struct Notes {
    quiet: bool,
    theme: Theme,
}

impl Notes {
    pub fn new(quiet: bool, theme: Theme) -> Self {
        Notes { quiet, theme }
    }

    pub fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{}", self.theme.paint(Label::Dim, text));
        }
    }
}

/// What comes from elsewhere (a name that was typed, a message of AWS) may hold characters that steer the terminal.
pub fn tame(text: &str) -> String {
    let tamed =
        |c: char| if steers(c) && c != '\n' && c != '\t' { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(tamed).collect()
}

/// Controls, and what turns the direction of all that follows.
pub(super) fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `error:`, the problems, `caused by:`, `hint:`.
pub fn failure_text(failure: &Failure, theme: Theme) -> String {
    let mut text = format!("{} {}\n", theme.paint(Label::Bad, "error:"), tame(&failure.summary));
    for problem in &failure.problems {
        text.push_str(&format!("  {}\n", tame(problem)));
    }
    for cause in causes(failure) {
        text.push_str(&format!("{} {}\n", theme.paint(Label::Bad, "caused by:"), tame(&cause)));
    }
    for hint in &failure.hints {
        text.push_str(&format!("{} {}\n", theme.paint(Label::Hint, "hint:"), tame(hint)));
    }
    text
}

fn causes(failure: &Failure) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = failure.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes
}

#[derive(Serialize)]
struct FailureDocument<'a> {
    error: FailureBody<'a>,
}

#[derive(Serialize)]
struct FailureBody<'a> {
    summary: &'a str,
    exit_code: u8,
    problems: &'a [String],
    causes: Vec<String>,
    hints: &'a [String],
}

impl<'a> FailureDocument<'a> {
    fn of(failure: &'a Failure) -> Self {
        FailureDocument {
            error: FailureBody {
                summary: &failure.summary,
                exit_code: failure.kind.exit_code(),
                problems: &failure.problems,
                causes: causes(failure),
                hints: &failure.hints,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_cannot_be_written_is_a_failure_unless_its_reader_went_away() {
        let streams = Streams { out_terminal: false, err_terminal: false, interactive: false };
        let printer = Printer::new(Format::Human, streams, true);
        printer.keep(Err(io::ErrorKind::BrokenPipe.into()));
        assert!(printer.written().is_ok());
        printer.keep(Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(printer.written().unwrap_err().kind, crate::error::Kind::Failed);
    }

    #[test]
    fn what_is_told_cannot_steer_the_terminal() {
        let text = failure_text(&Failure::usage("no lab is called `\u{1b}[31mx\r`"), Theme::PLAIN);
        assert_eq!(text, "error: no lab is called `\\u{1b}[31mx\\r`\n");
    }

    #[test]
    fn a_failure_reads_error_problems_causes_hints() {
        let failure = Failure::usage("cannot use `lab.yaml`")
            .with_problems(["lab.yaml:3:1: unknown key `stack`".to_owned()])
            .because(io::Error::other("disk is gone"))
            .hint("labctl labs");
        insta::assert_snapshot!(failure_text(&failure, Theme::PLAIN), @r"
        error: cannot use `lab.yaml`
          lab.yaml:3:1: unknown key `stack`
        caused by: disk is gone
        hint: labctl labs
        ");
    }
}
