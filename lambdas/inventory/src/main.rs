//! The functions' start: which of the two this is, and its Data API; then the Lambda runtime's loop.

mod data_api;
mod handler;
mod request;
mod settings;
mod store;
mod xray;

use std::time::Duration;

use environment::until;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

use data_api::DataApi;
use settings::{Route, Settings};
use store::Store;
use xray::{Daemon, Trace};

/// Kept of an invocation's time for a rollback and the answer.
const RESERVE: Duration = Duration::from_millis(1_500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let Settings { route, database, xray_daemon } = Settings::from_env()?;
    let api = DataApi::new(database);
    let daemon = Daemon::of(xray_daemon.as_deref());
    let (api, daemon) = (&api, &daemon);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        Ok::<_, Error>(invoked(route, &event, api, daemon).await)
    }))
    .await
}

async fn invoked(route: Route, event: &LambdaEvent<Value>, api: &DataApi, daemon: &Daemon) -> Value {
    let LambdaEvent { payload, context } = event;
    // The gateway's id names the request in its own log too; without a gateway it is the invocation's.
    let request = payload["requestContext"]["requestId"].as_str().unwrap_or(&context.request_id);
    let trace = Trace::of(daemon, context.xray_trace_id.as_deref());
    let store = Store { api, trace, request, until: until(context, RESERVE) };
    handler::handle(route, payload, &store).await
}
