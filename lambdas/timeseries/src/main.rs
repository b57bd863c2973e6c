//! The function's start: the database, then the Lambda runtime's loop.

mod database;
#[cfg(test)]
mod generated;
mod handler;
mod message;

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tokio::sync::Mutex;

use aurora::Settings;
use database::Database;
use environment::until;
use handler::Event;

/// Kept of an invocation's time for the answer: the function is given 28 s, and the gateway waits no longer than 29. A paused Aurora
/// needs about 15 s to wake, 30 s after a day.
const RESERVE: Duration = Duration::from_millis(1_500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let database = Arc::new(Mutex::new(Database::new(Settings::from_env()?)));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        let database = database.clone();
        async move {
            let until = until(&event.context, RESERVE);
            Ok::<_, Error>(handler::handle(event.payload, &mut *database.lock().await, until).await)
        }
    }))
    .await
}
