//! Access logs: gathered, and sent to their log group in the background.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::local::cloud::Cloud;
use crate::local::fault::Fault;
use crate::local::scope::Scope;

const GATHER: Duration = Duration::from_millis(200);
/// What is kept while the log service fails.
const MOST: usize = 50_000;

type Lines = HashMap<(String, String), Vec<Value>>;

/// Lines by region and log group.
#[derive(Default)]
pub(super) struct AccessLog {
    lines: Arc<Mutex<Lines>>,
}

impl AccessLog {
    /// Writes a line to the group that the ARN names.
    pub(super) fn write(&self, cloud: &Arc<Cloud>, scope: &Scope, group_arn: &str, line: String) {
        let Some(group) = group_arn.split(":log-group:").nth(1).map(|name| name.trim_end_matches(":*").to_owned())
        else {
            return;
        };
        let key = (scope.region.clone(), group);
        let event = json!({"timestamp": cloud.clock.now().millis(), "message": line});
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = lines.entry(key.clone()).or_default();
        if waiting.len() < MOST {
            waiting.push(event);
        }
        if waiting.len() == 1 {
            let (lines, cloud, scope) =
                (self.lines.clone(), cloud.clone(), scope.as_service("apigateway.amazonaws.com"));
            tokio::spawn(async move {
                tokio::time::sleep(GATHER).await;
                let batch = lines.lock().unwrap_or_else(PoisonError::into_inner).remove(&key).unwrap_or_default();
                if let Err(fault) = send(&cloud, &scope, &key.1, batch).await {
                    tracing::warn!(%fault, group = key.1, "access log lines are lost");
                }
            });
        }
    }
}

async fn send(cloud: &Cloud, scope: &Scope, group: &str, batch: Vec<Value>) -> Result<(), Fault> {
    let stream = json!({"logGroupName": group, "logStreamName": "access"});
    match cloud.call(scope, "logs", "CreateLogStream", stream).await {
        Err(fault) if fault.code != "ResourceAlreadyExistsException" => return Err(fault),
        _ => {}
    }
    for chunk in batch.chunks(1000) {
        let events = json!({"logGroupName": group, "logStreamName": "access", "logEvents": chunk});
        cloud.call(scope, "logs", "PutLogEvents", events).await?;
    }
    Ok(())
}
