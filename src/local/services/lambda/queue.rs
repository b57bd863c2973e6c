//! Asynchronous invocations: kept on disk until they have been handled, tried again after one and two minutes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::faults::LambdaFault;
use super::names::Target;
use super::ops::invoke::limits;
use super::runtime::{Invocation, Traced};
use super::state::Lambda;
use crate::fault::Fault;
use crate::scope::Scope;
use crate::tracer::TraceHeader;

/// "By default, Lambda retries an asynchronous invocation twice", an event lives six hours at most.
const RETRIES: u32 = 2;
const OLDEST_SECONDS: u32 = 6 * 3600;
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Between tries that were throttled: doubled up to five minutes.
const THROTTLED_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_THROTTLED_PAUSE: Duration = Duration::from_secs(300);

/// Where events wait.
pub(super) struct Queue {
    directory: PathBuf,
}

/// An event that nobody waits for.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Event {
    pub request_id: String,
    pub region: String,
    pub name: String,
    pub qualifier: Option<String>,
    payload: String,
    client_context: Option<String>,
    accepted: i64,
    tries: u32,
    /// The trace it is in, and whether that is looked at.
    #[serde(default)]
    trace: Option<String>,
}

impl Event {
    pub(super) fn new(target: &Target, scope: &Scope, invocation: &Invocation, accepted: i64) -> Self {
        Event {
            request_id: invocation.request_id.clone(),
            region: scope.region.clone(),
            name: target.name.clone(),
            qualifier: target.qualifier.clone(),
            payload: STANDARD.encode(&invocation.payload),
            client_context: invocation.client_context.clone(),
            accepted,
            tries: 0,
            trace: Some(invocation.trace.to_keep()),
        }
    }

    fn given_up(&self, why: &str) {
        tracing::warn!(
            function = self.name,
            request_id = self.request_id,
            tries = self.tries,
            why,
            "an event was given up"
        );
    }
}

impl Queue {
    pub(super) fn new(directory: PathBuf) -> Self {
        Queue { directory }
    }

    fn path(&self, event: &Event) -> PathBuf {
        let safe: String = event.request_id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        self.directory.join(format!("{safe}.json"))
    }

    async fn keep(&self, event: &Event) -> Result<(), LambdaFault> {
        let path = self.path(event);
        let bytes = serde_json::to_vec(event).map_err(|error| LambdaFault::Internal(error.to_string()))?;
        let write = tokio::task::spawn_blocking(move || crate::store::replace(&path, &bytes));
        Ok(write.await.map_err(io::Error::other).flatten()?)
    }

    fn forget(&self, event: &Event) {
        if let Err(error) = std::fs::remove_file(self.path(event)) {
            tracing::warn!(%error, function = event.name, "a handled event stays on disk and may run again after a restart");
        }
    }

    /// What an earlier run accepted and did not finish.
    fn left(&self) -> Vec<Event> {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| read(&entry.path())).collect()
    }
}

fn read(path: &Path) -> Option<Event> {
    let event = std::fs::read(path).and_then(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other));
    event
        .inspect_err(|error| tracing::warn!(%error, path = %path.display(), "an event cannot be read; it is not run"))
        .ok()
}

impl Lambda {
    /// Accepts an event: once this returns, it will be handled even after a kill.
    pub(super) async fn accept(self: &Arc<Self>, event: Event) -> Result<(), LambdaFault> {
        self.queue.keep(&event).await?;
        tokio::spawn(self.clone().handle(event));
        Ok(())
    }

    /// Goes on with the events of an earlier run.
    pub(super) fn resume_events(self: &Arc<Self>) {
        for event in self.queue.left() {
            tokio::spawn(self.clone().handle(event));
        }
    }

    async fn handle(self: Arc<Self>, mut event: Event) {
        let mut throttled = THROTTLED_PAUSE;
        loop {
            let pause = match self.try_event(&event).await {
                Tried::Done => break,
                Tried::Throttled => {
                    let pause = throttled;
                    throttled = (throttled * 2).min(LONGEST_THROTTLED_PAUSE);
                    pause
                }
                Tried::Failed => {
                    event.tries += 1;
                    let (retries, _) = self.event_settings(&event);
                    if event.tries > retries {
                        event.given_up("its retries are used up");
                        break;
                    }
                    if let Err(fault) = self.queue.keep(&event).await {
                        event.given_up(&format!("its tries cannot be counted: {}", Fault::from(fault)));
                        break;
                    }
                    FIRST_PAUSE * event.tries
                }
            };
            tokio::time::sleep(pause).await;
            let (_, oldest) = self.event_settings(&event);
            if self.now() - event.accepted > i64::from(oldest) * 1000 {
                event.given_up("it is too old");
                break;
            }
        }
        self.queue.forget(&event);
    }

    fn event_settings(&self, event: &Event) -> (u32, u32) {
        let functions = self.functions.get();
        let function = functions.get(&event.region).and_then(|functions| functions.get(&event.name));
        let config =
            function.and_then(|function| function.event_configs.get(event.qualifier.as_deref().unwrap_or("$LATEST")));
        let config = config.cloned().unwrap_or_default();
        (config.retries.unwrap_or(RETRIES), config.age.unwrap_or(OLDEST_SECONDS))
    }

    async fn try_event(&self, event: &Event) -> Tried {
        let scope = Scope::root(event.region.clone());
        let target = Target { name: event.name.clone(), qualifier: event.qualifier.clone() };
        // A function that is gone takes its events with it.
        let Ok(version) = self.version(&scope, &target) else { return Tried::Done };
        let trace = event.trace.as_deref().and_then(TraceHeader::parse);
        let invocation = Invocation {
            request_id: event.request_id.clone(),
            payload: Bytes::from(STANDARD.decode(&event.payload).unwrap_or_default()),
            arn: target.arn(&scope),
            client_context: event.client_context.clone(),
            tail: false,
            trace: Traced::of(&self.cloud, &version, trace).of_event(event.accepted, event.tries + 1),
        };
        match self.fleet.run(&version, &self.code, limits(self, &scope, &target.name), invocation).await {
            Ok(outcome) if outcome.failed => Tried::Failed,
            Ok(_) => Tried::Done,
            Err(LambdaFault::Throttled(_)) => Tried::Throttled,
            Err(_) => Tried::Failed,
        }
    }
}

enum Tried {
    Done,
    Failed,
    Throttled,
}
