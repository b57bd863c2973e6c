//! The local cloud's own log: one JSON line per request and event, in the home's `logs/local.log`.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use super::process::logs::{LONGEST, Turning};

/// Sends what this process logs to `home`'s log from now on. For the process that serves; called once, before [`super::serve()`].
///
/// # Errors
/// The file cannot be opened, or the process logs somewhere else already.
pub fn log_to(home: &Path) -> io::Result<()> {
    let log = Turning::open(home.join("logs/local.log"), LONGEST)?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(EnvFilter::new("warn,s3s=off,labctl=info"))
        .with_writer(Mutex::new(log))
        .try_init()
        .map_err(io::Error::other)
}
