//! The function's start: the database, then the Lambda runtime's loop.

mod database;
#[cfg(test)]
mod generated;
mod handler;
mod message;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tokio::sync::Mutex;

use aurora::Settings;
use database::Database;
use handler::Event;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let database = Arc::new(Mutex::new(Database::new(Settings::from_env()?)));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        let database = database.clone();
        async move { Ok::<_, Error>(handler::handle(event.payload, &mut *database.lock().await).await) }
    }))
    .await
}
