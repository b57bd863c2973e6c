//! The function's start: which handler, which stores, then the Lambda runtime's loop.

mod cache;
mod database;
mod handler;
mod loader;
mod request;
mod settings;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::sync::Mutex;

use cache::Cache;
use database::Database;
use handler::Stores;
use settings::Settings;

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
            async move { loader::load(&event.payload, &mut *database.lock().await).await }
        }))
        .await;
    }
    let cache = settings.cache.map(Cache::new);
    let stores = Arc::new(Mutex::new(Stores { database, cache }));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let stores = stores.clone();
        async move { Ok::<_, Error>(handler::handle(&event.payload, &mut *stores.lock().await).await) }
    }))
    .await
}
