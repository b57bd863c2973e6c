//! What happens during a run, as values. The only link from the engine to the screen.

use serde::Serialize;
use std::time::Duration;
use tokio::sync::mpsc;

/// One thing that happened. Adding a field is fine; changing one is a changelog entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins: how many steps it has.
    RunStarted { steps: usize },
    /// A step's inputs are done and it begins.
    StepStarted { step: String, title: String },
    /// A resource of a step's stack changed its state.
    ResourceChanged {
        step: String,
        resource: String,
        #[serde(rename = "type")]
        kind: String,
        status: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A step waits for something it cannot hurry.
    StepWaiting { step: String, why: String },
    /// A step says something worth a line: what it made, what it found done already.
    StepNoted { step: String, note: String },
    StepFinished {
        step: String,
        /// What it did, in a few words: `3 resources added`.
        did: String,
        /// There was nothing to do.
        unchanged: bool,
        #[serde(serialize_with = "seconds")]
        took: Duration,
    },
    StepFailed {
        step: String,
        reason: String,
        #[serde(serialize_with = "seconds")]
        took: Duration,
    },
    /// A step was not started, because one that it needs failed.
    StepSkipped { step: String, because: String },
    RunFinished {
        finished: usize,
        failed: usize,
        skipped: usize,
        #[serde(serialize_with = "seconds")]
        took: Duration,
    },
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// Where events go. Cheap to clone; a listener that went away is not an error.
#[derive(Clone, Debug)]
pub struct Events {
    sender: mpsc::UnboundedSender<Event>,
}

impl Events {
    /// A pair: what the engine writes to, what the screen reads from.
    pub fn channel() -> (Events, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Events { sender }, receiver)
    }

    pub fn emit(&self, event: Event) {
        let _ = self.sender.send(event);
    }
}
