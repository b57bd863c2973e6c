//! The nodes of a plan.

use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;

/// A step's name within its plan: `stack/network`, `build/superheroes`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What happens to one thing. Owns its glyph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Add,
    Change,
    Replace,
    Remove,
    Keep,
}

impl Action {
    pub const fn glyph(self) -> char {
        match self {
            Action::Add => '+',
            Action::Change => '~',
            Action::Replace => '±',
            Action::Remove => '-',
            Action::Keep => '=',
        }
    }

    /// Something that exists is lost.
    pub const fn destroys(self) -> bool {
        matches!(self, Action::Replace | Action::Remove)
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Create or update a stack from its template.
    DeployStack { stack: String },
    /// Delete a stack.
    DeleteStack { stack: String },
    /// Compile and package a function.
    BuildFunction { function: String },
    /// Put a function's package into the artifact bucket.
    UploadFunction { function: String },
    /// Put a data file where the lab wants it.
    UploadData { file: String, to: String },
    /// Apply a folder of SQL files.
    LoadSql { path: String, cluster: String },
    /// Look whether every resource is usable, send the lab's requests and look at the answers.
    RunChecks { checks: usize },
}

impl Work {
    pub fn id(&self) -> StepId {
        StepId(match self {
            Work::DeployStack { stack } => format!("stack/{stack}"),
            Work::DeleteStack { stack } => format!("delete/{stack}"),
            Work::BuildFunction { function } => format!("build/{function}"),
            Work::UploadFunction { function } => format!("upload/{function}"),
            Work::UploadData { file, .. } => format!("data/{file}"),
            Work::LoadSql { path, .. } => format!("sql/{path}"),
            Work::RunChecks { .. } => "checks".to_owned(),
        })
    }

    /// How people read it.
    pub fn title(&self) -> String {
        match self {
            Work::DeployStack { stack } => format!("stack {stack}"),
            Work::DeleteStack { stack } => format!("stack {stack}"),
            Work::BuildFunction { function } => format!("build {function}"),
            Work::UploadFunction { function } => format!("upload {function}"),
            Work::UploadData { file, .. } => format!("data {file}"),
            Work::LoadSql { path, .. } => format!("sql {path}"),
            Work::RunChecks { .. } => "checks".to_owned(),
        }
    }
}

/// One node of a plan. Its edges are derived, never written by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub id: StepId,
    #[serde(flatten)]
    pub work: Work,
    pub after: BTreeSet<StepId>,
    pub action: Action,
}
