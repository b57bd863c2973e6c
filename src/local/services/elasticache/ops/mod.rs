//! The operations, a file per kind of thing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::ElastiCache;
use super::faults::CacheFault;

pub(super) mod clusters;
mod create;
pub(super) mod events;
pub(super) mod groups;
pub(super) mod parameters;
pub(super) mod subnets;
pub(super) mod tags;

type Service = Arc<ElastiCache>;
type Answer = Result<Value, CacheFault>;

/// One page of a list: `MaxRecords` from 20 to 100, and the place to go on from.
fn page(member: &str, items: Vec<Value>, most: Option<usize>, marker: Option<&str>) -> Answer {
    let size = most.unwrap_or(100);
    if !(20..=100).contains(&size) {
        return Err(CacheFault::InvalidValue("The parameter MaxRecords must be between 20 and 100.".to_owned()));
    }
    let start = match marker {
        None | Some("") => 0,
        Some(marker) => {
            marker.parse().map_err(|_| CacheFault::InvalidValue(format!("The Marker '{marker}' is invalid.")))?
        }
    };
    let more = items.len() > start + size;
    let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let mut output = json!({(member): shown});
    if more {
        output["Marker"] = json!((start + size).to_string());
    }
    Ok(output)
}

/// AWS's rule for identifiers: 1 to `longest` letters, digits and single hyphens, a letter first; stored in lower case.
fn identifier(what: &str, text: &str, longest: usize) -> Result<String, CacheFault> {
    let good = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with('-')
        && !text.contains("--")
        && text.len() <= longest;
    match good {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(CacheFault::InvalidValue(format!(
            "The parameter {what} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII \
             letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        ))),
    }
}
