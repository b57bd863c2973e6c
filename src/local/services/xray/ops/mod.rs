//! The operations, a file for each kind of thing.

pub(super) mod encryption;
pub(super) mod graph;
pub(super) mod groups;
mod page;
pub(super) mod rules;
pub(super) mod segments;
pub(super) mod tags;
pub(super) mod targets;
pub(super) mod traces;
