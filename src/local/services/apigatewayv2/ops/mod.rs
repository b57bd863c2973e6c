//! The operations, by what they work on.

pub(super) mod apis;
pub(super) mod deployments;
pub(super) mod integrations;
pub(super) mod routes;
pub(super) mod stages;
pub(super) mod tags;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::execute_api::fault::GatewayFault;

/// What an operation answers.
pub(super) type Answer = Result<Value, GatewayFault>;

/// An operation that answers nothing.
fn nothing() -> Answer {
    Ok(json!({}))
}

/// What asks for a page of an API's things.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct List {
    api_id: String,
    max_results: Option<String>,
    next_token: Option<String>,
}

impl List {
    fn page(&self, items: Vec<Value>) -> Answer {
        page(items, self.next_token.as_deref(), self.max_results.as_deref())
    }
}

/// A page of `items`: `most` (100 by default) from the position that `token` is.
fn page(items: Vec<Value>, token: Option<&str>, most: Option<&str>) -> Answer {
    let start: usize = match token {
        Some(token) => token.parse().map_err(|_| GatewayFault::invalid("Invalid nextToken specified"))?,
        None => 0,
    };
    let most: usize = match most {
        Some(most) => most.parse().ok().filter(|most| *most > 0).ok_or_else(|| {
            GatewayFault::invalid(format!("Invalid maxResults specified: {most} is not a number greater than 0"))
        })?,
        None => 100,
    };
    let next = (items.len() > start.saturating_add(most)).then(|| (start + most).to_string());
    let mut answer = json!({"Items": items.into_iter().skip(start).take(most).collect::<Vec<_>>()});
    if let Some(next) = next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

/// Refuses a value that AWS takes for WebSocket APIs only.
fn only_for_websockets(what: &str, given: bool) -> Result<(), GatewayFault> {
    if given {
        return Err(GatewayFault::invalid(format!("{what} is not supported on protocolType HTTP")));
    }
    Ok(())
}
