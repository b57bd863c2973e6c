//! Invoke.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::call::{Call, Reply};
use crate::fault::Fault;
use crate::scope::Scope;
use crate::service;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::names::Target;
use crate::services::lambda::permission;
use crate::services::lambda::queue::Event;
use crate::services::lambda::runtime::{Invocation, Limits, Traced};
use crate::services::lambda::state::Lambda;

/// The account's concurrent executions.
pub(super) const ACCOUNT_CONCURRENCY: u32 = 1000;
/// "Invocation payload: 6 MB each for request and response (synchronous), 1 MB (asynchronous)."
const MOST_SYNCHRONOUS: usize = 6_291_456;
const MOST_ASYNCHRONOUS: usize = 1_048_576;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Invoke {
    function_name: String,
    invocation_type: Option<String>,
    log_type: Option<String>,
    client_context: Option<String>,
    qualifier: Option<String>,
}

/// How many calls of the function may run at once.
pub(in crate::services::lambda) fn limits(lambda: &Lambda, scope: &Scope, name: &str) -> Limits {
    let functions = lambda.functions.get();
    let here = functions.get(&scope.region);
    let reserved = here.and_then(|here| here.get(name)).and_then(|function| function.reserved);
    let all: u32 = here.into_iter().flatten().filter_map(|(_, function)| function.reserved).sum();
    Limits { reserved, unreserved: ACCOUNT_CONCURRENCY.saturating_sub(all) }
}

fn client_context(text: Option<&str>) -> Result<Option<String>, LambdaFault> {
    let Some(text) = text else { return Ok(None) };
    let refused = || LambdaFault::BadPayload("Client context must be a valid Base64-encoded JSON object.".into());
    let bytes = STANDARD.decode(text).map_err(|_| refused())?;
    let text = String::from_utf8(bytes).map_err(|_| refused())?;
    serde_json::from_str::<IgnoredAny>(&text).map_err(|_| refused())?;
    Ok(Some(text))
}

/// Invoke, as a row of the operation table: it answers with a payload and a status of its own.
pub(crate) async fn invoke(lambda: Arc<Lambda>, call: Call) -> Result<Reply, Fault> {
    Ok(invoked(lambda, call).await?)
}

async fn invoked(lambda: Arc<Lambda>, call: Call) -> Result<Reply, LambdaFault> {
    let input: Invoke = service::input(&call).map_err(LambdaFault::Other)?;
    let target = Target::parse(&input.function_name, input.qualifier.as_deref())?;
    let version = {
        let function = lambda.function(&call.scope, &target)?;
        permission::check(&function, &target, &call)?;
        function.version(&call.scope, &target)?
    };
    let most = match input.invocation_type.as_deref() {
        Some("Event") => MOST_ASYNCHRONOUS,
        None | Some("RequestResponse" | "DryRun") => MOST_SYNCHRONOUS,
        Some(other) => {
            return Err(LambdaFault::invalid(format!(
                "InvocationType {other} is not one of RequestResponse, Event, DryRun."
            )));
        }
    };
    let payload = match call.body.is_empty() {
        true => Bytes::from_static(b"{}"),
        false => call.body,
    };
    if payload.len() > most {
        return Err(LambdaFault::TooLarge(most));
    }
    serde_json::from_slice::<IgnoredAny>(&payload).map_err(|error| LambdaFault::BadPayload(error.to_string()))?;
    let invocation = Invocation {
        request_id: call.request_id,
        payload,
        arn: target.arn(&call.scope),
        client_context: client_context(input.client_context.as_deref())?,
        tail: input.log_type.as_deref() == Some("Tail"),
        trace: Traced::of(&lambda.cloud, &version, call.trace),
    };
    match input.invocation_type.as_deref() {
        Some("DryRun") => Ok(Reply { output: json!({}), status: Some(204), ..Reply::default() }),
        Some("Event") => {
            let event = Event::new(&target, &call.scope, &invocation, lambda.now());
            lambda.accept(event).await?;
            Ok(Reply { output: json!({}), status: Some(202), ..Reply::default() })
        }
        _ => {
            let limits = limits(&lambda, &call.scope, &target.name);
            let (trace, request_id) = (invocation.trace.clone(), invocation.request_id.clone());
            let ran = lambda.fleet.run(&version, &lambda.code, limits, invocation).await;
            if let Err(LambdaFault::Throttled(_)) = ran {
                trace.throttled(&lambda.cloud, &version, &request_id);
            }
            let outcome = ran?;
            let mut output = json!({"ExecutedVersion": version.version});
            if outcome.failed {
                output["FunctionError"] = "Unhandled".into();
            }
            if let Some(tail) = outcome.tail {
                output["LogResult"] = STANDARD.encode(tail).into();
            }
            Ok(Reply { output, body: outcome.payload, status: Some(200), ..Reply::default() })
        }
    }
}
