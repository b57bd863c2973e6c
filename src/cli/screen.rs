//! Runs work while its events are shown.

use super::context::Context;
use crate::engine::Events;
use crate::error::Failure;
use crate::ui::{EventLog, human};
use std::path::PathBuf;

/// Where the events of a run go, besides the screen.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct EventsArg {
    /// File to append every event to, one JSON document on each line
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

impl EventsArg {
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

/// Runs `work` with a channel of events that the screen and the log follow until the work is done.
pub(crate) async fn watched<T>(cx: &Context, log: &mut EventLog, work: impl AsyncFnOnce(&Events) -> T) -> T {
    let (events, seen) = Events::channel();
    let run = async {
        let done = work(&events).await;
        // The last sender gone, the screen ends.
        drop(events);
        done
    };
    let (done, ()) = tokio::join!(run, human::follow(seen, &cx.ui, log));
    done
}
