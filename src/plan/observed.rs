//! What is there now, as plain data; `engine::observe` fills it.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is there of one instance, and what its inputs resolve to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    pub account: String,
    pub region: String,
    /// By the stack's name within the lab.
    pub stacks: BTreeMap<String, ObservedStack>,
    /// Function → key of its package, where that is known without building.
    pub code_keys: BTreeMap<String, String>,
    /// Keys that are in the artifact bucket.
    pub uploaded: BTreeSet<String>,
    /// Data files that are where the lab wants them, with the lab's bytes.
    pub data: BTreeSet<String>,
    /// These exact inputs were brought up and checked before.
    pub checked: bool,
}

/// A stack as CloudFormation describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedStack {
    /// The stack's name within the lab.
    pub stack: String,
    /// Its name in CloudFormation.
    pub name: String,
    pub id: String,
    pub status: String,
    pub reason: Option<String>,
    pub parameters: BTreeMap<String, String>,
    pub outputs: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// The template's text, as it was sent.
    pub template: String,
    /// RFC 3339.
    pub created: Option<String>,
}

impl ObservedStack {
    pub fn condition(&self) -> Condition {
        Condition::of(&self.status)
    }

    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name).map(String::as_str)
    }
}

/// What a stack's status means for what can be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It exists and can be updated.
    Settled,
    /// An operation is under way.
    Busy,
    /// It was never made (`REVIEW_IN_PROGRESS`): only change sets are there.
    Empty,
    /// All that can be done is to delete it.
    Broken,
    /// The rollback of an update failed: it has to be continued before anything else.
    StuckRollback,
    Gone,
}

impl Condition {
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html> lists the statuses.
    pub fn of(status: &str) -> Self {
        match status {
            "REVIEW_IN_PROGRESS" => Condition::Empty,
            "DELETE_COMPLETE" => Condition::Gone,
            "UPDATE_ROLLBACK_FAILED" => Condition::StuckRollback,
            "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_FAILED" => Condition::Broken,
            busy if busy.ends_with("_IN_PROGRESS") => Condition::Busy,
            _ => Condition::Settled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Condition;

    #[test]
    fn every_status_of_a_stack_has_a_meaning() {
        let cases = [
            ("CREATE_COMPLETE", Condition::Settled),
            ("UPDATE_COMPLETE", Condition::Settled),
            ("UPDATE_ROLLBACK_COMPLETE", Condition::Settled),
            ("UPDATE_FAILED", Condition::Settled),
            ("CREATE_IN_PROGRESS", Condition::Busy),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Condition::Busy),
            ("REVIEW_IN_PROGRESS", Condition::Empty),
            ("ROLLBACK_COMPLETE", Condition::Broken),
            ("DELETE_FAILED", Condition::Broken),
            ("UPDATE_ROLLBACK_FAILED", Condition::StuckRollback),
            ("DELETE_COMPLETE", Condition::Gone),
        ];
        for (status, condition) in cases {
            assert_eq!(Condition::of(status), condition, "{status}");
        }
    }
}
