//! Runs work while its events are shown.

use super::context::Context;
use crate::engine::Events;
use crate::error::Failure;
use crate::plan::Instance;
use crate::ui::{EventLog, human, words};
use std::path::PathBuf;

/// Where the events of a run go, besides the screen.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct EventsArg {
    /// File to append every event to, one JSON document on each line
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

impl EventsArg {
    /// The flag as it has to be typed again, with a space before it.
    pub(crate) fn typed(&self) -> String {
        let path = self.events.as_ref().map(|path| path.display().to_string());
        path.map(|path| format!(" --events {}", words::shell_word(&path))).unwrap_or_default()
    }

    /// Opens the file before anything else is done.
    pub(crate) fn open(&self) -> Result<EventLog, Failure> {
        let Some(path) = &self.events else { return Ok(EventLog::default()) };
        EventLog::open(path).map_err(|error| {
            Failure::usage(format!("cannot write events to `{}`", path.display()))
                .because(error)
                .hint("name a file that can be written, in a folder that is there")
        })
    }
}

/// Runs `work` on an instance with a channel of events that the screen and the log follow until the work is done.
pub(crate) async fn watched<T>(
    cx: &Context,
    (instance, target): (&Instance, &str),
    log: &mut EventLog,
    work: impl AsyncFnOnce(&Events) -> T,
) -> T {
    let (events, seen) = Events::channel();
    let run = async {
        let done = work(&events).await;
        // The last sender gone, the screen ends.
        drop(events);
        done
    };
    let (done, ()) = tokio::join!(run, human::follow(seen, &cx.ui, log.of(instance, target)));
    done
}
