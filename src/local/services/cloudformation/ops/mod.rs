//! The operations, by what they are about.

pub(super) mod account;
pub(super) mod answer;
pub(super) mod changesets;
pub(super) mod deploy;
pub(super) mod exports;
pub(super) mod history;
pub(super) mod lifecycle;
pub(super) mod resources;
pub(super) mod stacks;
pub(super) mod templates;
