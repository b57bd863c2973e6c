//! Access logs: gathered, and sent to their log group in the background.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::log_events::{LogEvent, Waiting, is_final, longer};
use crate::scope::Scope;

const GATHER: Duration = Duration::from_millis(200);
/// The name of the one stream of a group.
const STREAM: &str = "access";

/// A region and a log group.
type Key = (String, String);

/// Lines by region and log group; where there are some, somebody sends them.
#[derive(Clone, Default)]
pub(crate) struct AccessLog {
    lines: Arc<Mutex<HashMap<Key, Waiting>>>,
}

impl AccessLog {
    fn lines(&self) -> MutexGuard<'_, HashMap<Key, Waiting>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line to the group that the ARN names.
    pub(crate) fn write(&self, cloud: &Arc<Cloud>, scope: &Scope, group_arn: &str, line: String) {
        let Some(group) = group_arn.split(":log-group:").nth(1).map(|name| name.trim_end_matches(":*").to_owned())
        else {
            return;
        };
        let key = (scope.region.clone(), group);
        let event = LogEvent::new(cloud.clock.now().millis(), line);
        let mut lines = self.lines();
        let is_sent = lines.contains_key(&key);
        lines.entry(key.clone()).or_default().push(event);
        drop(lines);
        if !is_sent {
            tokio::spawn(self.clone().send_all(cloud.clone(), scope.as_service("apigateway.amazonaws.com"), key));
        }
    }

    /// Sends the lines of one group until there are no more.
    async fn send_all(self, cloud: Arc<Cloud>, scope: Scope, key: Key) {
        let mut pause = GATHER;
        loop {
            tokio::time::sleep(pause).await;
            let (batch, lost) = {
                let mut lines = self.lines();
                let Some(waiting) = lines.get_mut(&key).filter(|waiting| !waiting.is_empty()) else {
                    lines.remove(&key);
                    return;
                };
                (waiting.batch(), waiting.take_lost())
            };
            if lost > 0 {
                tracing::warn!(lost, group = key.1, "access log lines are lost: too many wait");
            }
            let put = put(&cloud, &scope, &key.1, &batch).await;
            let more = self.lines().get_mut(&key).is_some_and(|waiting| !waiting.is_empty());
            pause = match put {
                Ok(()) if more => Duration::ZERO,
                Ok(()) => GATHER,
                Err(fault) if is_final(&fault) => {
                    tracing::warn!(%fault, lines = batch.len(), group = key.1, "access log lines are lost");
                    GATHER
                }
                Err(fault) => {
                    tracing::warn!(%fault, group = key.1, "access log lines wait for the log service");
                    self.lines().entry(key.clone()).or_default().put_back(batch);
                    longer(pause.max(GATHER))
                }
            };
        }
    }
}

async fn put(cloud: &Cloud, scope: &Scope, group: &str, batch: &[LogEvent]) -> Result<(), Fault> {
    let input = json!({"logGroupName": group, "logStreamName": STREAM, "logEvents": batch});
    match cloud.call(scope, "logs", "PutLogEvents", input.clone()).await {
        Err(fault) if fault.code == "ResourceNotFoundException" => {}
        other => return other.map(drop),
    }
    let stream = json!({"logGroupName": group, "logStreamName": STREAM});
    match cloud.call(scope, "logs", "CreateLogStream", stream).await {
        Err(fault) if fault.code != "ResourceAlreadyExistsException" => return Err(fault),
        _ => {}
    }
    cloud.call(scope, "logs", "PutLogEvents", input).await.map(drop)
}
