//! The operations, by what they work on.

pub(super) mod events;
pub(super) mod filter;
pub(super) mod groups;
pub(super) mod streams;
pub(super) mod tags;

/// An operation that answers nothing.
#[derive(serde::Serialize)]
pub(super) struct Nothing {}

/// `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`, with or without `:*`, or a bare name.
pub(super) fn group_name(identifier: &str) -> &str {
    let name = identifier.splitn(7, ':').nth(6).unwrap_or(identifier);
    name.strip_suffix(":*").unwrap_or(name)
}
