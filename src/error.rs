//! The one error a command can end with: kind, cause and the next thing to type.

use std::error::Error;
use std::fmt;

/// Why a command ended without success. The kind alone decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The work was started and did not succeed.
    Failed,
    /// Bad usage or bad input; nothing was changed.
    Usage,
    /// `plan --detailed-exitcode` found changes.
    Changes,
    /// A check of the lab failed.
    CheckFailed,
    /// The user interrupted the command.
    Interrupted,
}

impl Kind {
    /// Every kind, by its exit code.
    pub const ALL: [Kind; 5] = [Kind::Failed, Kind::Usage, Kind::Changes, Kind::CheckFailed, Kind::Interrupted];

    /// When a command ends this way.
    pub const fn meaning(self) -> &'static str {
        match self {
            Kind::Failed => "the work was started and did not succeed",
            Kind::Usage => "bad usage or bad input; nothing was changed",
            Kind::Changes => "`plan --detailed-exitcode` found changes",
            Kind::CheckFailed => "a check of the lab failed",
            Kind::Interrupted => "interrupted; run the same command again to go on",
        }
    }

    /// The exit code promised in `docs/reference/exit-codes.md`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Changes => 3,
            Kind::CheckFailed => 4,
            Kind::Interrupted => 130,
        }
    }
}

/// What failed, why, and what to type next. Built in `cli` and `engine` only; leaf modules return their own enums.
///
/// Printed as `error: <summary>`, then one `caused by:` line per source, then one `hint:` line per hint.
#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    /// What failed and which thing, in lower case, no full stop.
    pub summary: String,
    /// Every further problem found in the same input, already worded with its place.
    pub problems: Vec<String>,
    pub source: Option<Box<dyn Error + Send + Sync>>,
    /// Commands to paste, or what to change.
    pub hints: Vec<String>,
}

impl Failure {
    pub fn new(kind: Kind, summary: impl Into<String>) -> Self {
        Failure { kind, summary: summary.into(), problems: Vec::new(), source: None, hints: Vec::new() }
    }

    /// Bad usage or input: exit code 2, nothing was changed.
    pub fn usage(summary: impl Into<String>) -> Self {
        Failure::new(Kind::Usage, summary)
    }

    /// The work was started and did not succeed: exit code 1.
    pub fn failed(summary: impl Into<String>) -> Self {
        Failure::new(Kind::Failed, summary)
    }

    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn with_problems(mut self, problems: impl IntoIterator<Item = String>) -> Self {
        self.problems.extend(problems);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
