//! `Marker` and `MaxItems`: a list, page by page.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::faults::IamFault;

/// The members that every list operation takes.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Paging {
    marker: Option<String>,
    max_items: Option<usize>,
}

impl Paging {
    /// `{"<name>": […], "IsTruncated": …, "Marker": …}`. The marker is how many came before.
    pub(super) fn page(&self, name: &str, items: Vec<Value>) -> Result<Map<String, Value>, IamFault> {
        let from = match &self.marker {
            None => 0,
            Some(marker) => marker.parse().map_err(|_| IamFault::InvalidInput("Invalid Marker.".to_owned()))?,
        };
        let (all, size) = (items.len(), self.max_items.unwrap_or(100));
        let page: Vec<Value> = items.into_iter().skip(from).take(size).collect();
        let next = from + page.len();
        let mut answer = Map::new();
        answer.insert(name.to_owned(), Value::Array(page));
        answer.insert("IsTruncated".to_owned(), Value::Bool(next < all));
        if next < all {
            answer.insert("Marker".to_owned(), Value::from(next.to_string()));
        }
        Ok(answer)
    }
}
