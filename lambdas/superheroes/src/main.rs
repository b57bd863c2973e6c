//! The function's start: which handler, which stores, then the Lambda runtime's loop.

mod cache;
mod database;
mod handler;
mod loader;
mod request;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::sync::Mutex;

use cache::Cache;
use database::Database;
use environment::until;
use handler::Stores;
use settings::Settings;

/// Kept of an invocation's time for the answer: the function is given 28 s, and the gateway waits no longer than 29. A paused
/// Aurora needs about 15 s to wake.
const RESERVE: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // The cache's client uses the process-wide provider; installing it twice cannot happen here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Settings::from_env()?;
    let database = Database::new(settings.database);
    if settings.handler == "loader" {
        let database = Arc::new(Mutex::new(database));
        return lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
            let database = database.clone();
            async move {
                let until = until(&event.context, RESERVE);
                loader::load(&event.payload, &mut *database.lock().await, until).await
            }
        }))
        .await;
    }
    let cache = settings.cache.map(Cache::new);
    let stores = Arc::new(Mutex::new(Stores { database, cache }));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let stores = stores.clone();
        async move {
            let until = until(&event.context, RESERVE);
            Ok::<_, Error>(handler::handle(&event.payload, &mut *stores.lock().await, until).await)
        }
    }))
    .await
}
