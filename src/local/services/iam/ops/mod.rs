//! The operations: records and an input in, an answer or a refusal out.

pub(super) mod account;
pub(super) mod group;
pub(super) mod owned;
pub(super) mod policy;
pub(super) mod profile;
pub(super) mod role;
pub(super) mod simulate;
pub(super) mod tags;
pub(super) mod user;

use serde::Deserialize;

use super::page::Paging;

/// A list that `PathPrefix` narrows.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ByPath {
    path_prefix: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

impl ByPath {
    fn has(&self, path: &str) -> bool {
        self.path_prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix.as_str()))
    }
}
