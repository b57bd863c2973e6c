//! The function's start: the database, then the Lambda runtime's loop.

mod database;
#[cfg(test)]
mod generated;
mod handler;
mod message;
mod settings;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tokio::sync::Mutex;

use database::Database;
use handler::Event;
use settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // The database's TLS uses the process-wide provider; installing it twice cannot happen here.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let database = Arc::new(Mutex::new(Database::new(Settings::from_env()?)));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        let database = database.clone();
        async move { Ok::<_, Error>(handler::handle(event.payload, &mut *database.lock().await).await) }
    }))
    .await
}
