//! The operations, by what they work on.

pub(super) mod account;
pub(super) mod apis;
pub(super) mod deployments;
pub(super) mod extras;
pub(super) mod integrations;
pub(super) mod keys;
pub(super) mod methods;
pub(super) mod plans;
pub(super) mod resources;
pub(super) mod stages;
pub(super) mod tags;

use serde_json::{Value, json};

use super::patch::Operation;
use crate::execute_api::fault::GatewayFault;

/// What an operation answers.
pub(super) type Answer = Result<Value, GatewayFault>;

/// An operation that answers nothing.
pub(super) fn nothing() -> Answer {
    Ok(json!({}))
}

/// A page of `items`, `limit` (25 by default, 500 at most) from the position after `position`.
pub(super) fn page(items: Vec<Value>, position: Option<&str>, limit: Option<usize>) -> Answer {
    let start: usize = match position {
        Some(position) => position.parse().map_err(|_| GatewayFault::invalid("Invalid position specified"))?,
        None => 0,
    };
    let limit = limit.unwrap_or(25).clamp(1, 500);
    let next = (items.len() > start + limit).then(|| (start + limit).to_string());
    let mut answer = json!({"items": items.into_iter().skip(start).take(limit).collect::<Vec<_>>()});
    if let Some(next) = next {
        answer["position"] = next.into();
    }
    Ok(answer)
}

/// An operation's `patchOperations`.
pub(super) type Patches = Vec<Operation>;
