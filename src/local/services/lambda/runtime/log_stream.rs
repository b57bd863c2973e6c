//! One environment's log stream. Lines are gathered in memory and sent in the background: an invocation waits for no log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::log_events::{LogEvent, Waiting, is_final, longer};
use crate::scope::Scope;

/// How long lines are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(250);
/// How long the log of an environment that ends waits for a log service that fails.
const LAST_PAUSES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
const TAIL: usize = 4096;

#[derive(Default)]
struct Gathered {
    waiting: Waiting,
    /// The end of the log of the invocation that asked for it.
    tail: Option<Vec<u8>>,
    closed: bool,
}

/// A log stream of CloudWatch Logs, written to by one environment.
pub(super) struct LogStream {
    cloud: Arc<Cloud>,
    scope: Scope,
    pub group: String,
    pub name: String,
    gathered: Mutex<Gathered>,
    fresh: Notify,
    /// One batch at a time: the order of lines is kept, and who flushes knows that all is out.
    sending: tokio::sync::Mutex<bool>,
}

impl LogStream {
    pub(super) fn open(cloud: Arc<Cloud>, scope: Scope, group: String, version: &str) -> Arc<Self> {
        let at = cloud.clock.now().date_time();
        let date = format!("{:04}/{:02}/{:02}", at.year(), u8::from(at.month()), at.day());
        let name = format!("{date}/[{version}]{}", cloud.ids.hex(32));
        let stream = Arc::new(LogStream {
            cloud,
            scope,
            group,
            name,
            gathered: Mutex::default(),
            fresh: Notify::new(),
            sending: tokio::sync::Mutex::new(false),
        });
        tokio::spawn(stream.clone().send_in_background());
        stream
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn line(&self, text: impl Into<String>) {
        let text = text.into();
        if text.is_empty() {
            return;
        }
        let mut gathered = self.gathered();
        if let Some(tail) = &mut gathered.tail {
            tail.extend_from_slice(text.as_bytes());
            tail.push(b'\n');
            if tail.len() > 2 * TAIL {
                tail.drain(..tail.len() - TAIL);
            }
        }
        let first = gathered.waiting.is_empty();
        gathered.waiting.push(self.event(text));
        drop(gathered);
        if first {
            self.fresh.notify_one();
        }
    }

    fn event(&self, text: String) -> LogEvent {
        LogEvent::new(self.cloud.clock.now().millis(), text)
    }

    pub(super) fn start_tail(&self) {
        self.gathered().tail = Some(Vec::new());
    }

    /// The last 4 KB since [`LogStream::start_tail`].
    pub(super) fn take_tail(&self) -> Option<Vec<u8>> {
        let mut tail = self.gathered().tail.take()?;
        tail.drain(..tail.len().saturating_sub(TAIL));
        Some(tail)
    }

    /// Sends what is left and ends the background task.
    pub(super) async fn close(&self) {
        self.gathered().closed = true;
        self.fresh.notify_one();
        for pause in LAST_PAUSES {
            if self.flush().await {
                return;
            }
            tokio::time::sleep(pause).await;
        }
        if !self.flush().await {
            let lines = std::mem::take(&mut self.gathered().waiting).len();
            tracing::error!(lines, group = self.group, "lines of a function's log are lost");
        }
    }

    async fn send_in_background(self: Arc<Self>) {
        let mut pause = GATHER;
        loop {
            self.fresh.notified().await;
            if self.gathered().closed {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = match self.flush().await {
                true => GATHER,
                false => longer(pause),
            };
        }
    }

    /// Sends what is gathered; `false`: some of it has to wait for the log service.
    async fn flush(&self) -> bool {
        let mut made = self.sending.lock().await;
        loop {
            let batch = self.batch();
            if batch.is_empty() {
                return true;
            }
            let Err(fault) = self.put(&batch, &mut made).await else { continue };
            // Nobody but the cloud's own log can be told that a function's log cannot be written.
            if is_final(&fault) {
                tracing::error!(%fault, lines = batch.len(), group = self.group, "lines of a function's log are lost");
            } else {
                tracing::warn!(%fault, group = self.group, "lines of a function's log wait for the log service");
                self.gathered().waiting.put_back(batch);
                self.fresh.notify_one();
                return false;
            }
        }
    }

    fn batch(&self) -> Vec<LogEvent> {
        let mut gathered = self.gathered();
        let batch = gathered.waiting.batch();
        // Only now there is room to say it.
        let lost = gathered.waiting.take_lost();
        if lost > 0 {
            let text = format!("[labctl] {lost} lines were lost: they came faster than they could be stored");
            gathered.waiting.push(self.event(text));
        }
        batch
    }

    async fn put(&self, batch: &[LogEvent], made: &mut bool) -> Result<(), Fault> {
        if !*made {
            self.make().await?;
            *made = true;
        }
        let put = async || {
            let input = json!({"logGroupName": self.group, "logStreamName": self.name, "logEvents": batch});
            self.cloud.call(&self.scope, "logs", "PutLogEvents", input).await.map(drop)
        };
        match put().await {
            // Somebody deleted the group or the stream while the environment was alive.
            Err(fault) if fault.code == "ResourceNotFoundException" && !self.gathered().closed => {
                self.make().await?;
                put().await
            }
            Err(fault) if fault.code == "ResourceNotFoundException" => Ok(()),
            other => other,
        }
    }

    async fn make(&self) -> Result<(), Fault> {
        let there = |result: Result<Value, Fault>| match result {
            Err(fault) if fault.code != "ResourceAlreadyExistsException" => Err(fault),
            _ => Ok(()),
        };
        there(self.cloud.call(&self.scope, "logs", "CreateLogGroup", json!({"logGroupName": self.group})).await)?;
        let stream = json!({"logGroupName": self.group, "logStreamName": self.name});
        there(self.cloud.call(&self.scope, "logs", "CreateLogStream", stream).await)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use async_trait::async_trait;

    use super::*;
    use crate::call::{Call, Reply};
    use crate::cloud::Parts;
    use crate::service::{Service, Support};

    /// CloudWatch Logs that refuses the first puts.
    struct Flawed {
        left: Mutex<usize>,
        stored: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Service for Flawed {
        fn name(&self) -> &'static str {
            "logs"
        }

        fn support(&self) -> Vec<Support> {
            Vec::new()
        }

        async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
            if call.operation == "PutLogEvents" {
                let mut left = self.left.lock().unwrap();
                if *left > 0 {
                    *left -= 1;
                    return Err(Fault::internal("no space left on device"));
                }
                let events = call.input["logEvents"].as_array().unwrap();
                let texts = events.iter().map(|event| event["message"].as_str().unwrap().to_owned());
                self.stored.lock().unwrap().extend(texts);
            }
            Ok(Reply::default())
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn lines_that_could_not_be_stored_are_stored_later_in_their_order() {
        let home = tempfile::tempdir().unwrap();
        let cloud = Cloud::new(Parts::of_test(home.path()));
        let logs = Arc::new(Flawed { left: Mutex::new(1), stored: Mutex::default() });
        cloud.register(vec![logs.clone()]);
        let stream = LogStream::open(cloud, Scope::root("us-east-1"), "/aws/lambda/f".into(), "$LATEST");
        // More than one request takes, so that some wait behind the one that fails.
        let mut lines: Vec<String> = (0..=10_000).map(|number| format!("line {number}")).collect();
        lines.iter().for_each(|line| stream.line(line.as_str()));
        let end = Instant::now() + Duration::from_secs(20);
        while logs.stored.lock().unwrap().len() < lines.len() {
            assert!(Instant::now() < end, "{} lines are stored", logs.stored.lock().unwrap().len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The end of an environment waits, too.
        *logs.left.lock().unwrap() = 1;
        stream.line("after");
        stream.close().await;
        lines.push("after".to_owned());
        assert!(*logs.stored.lock().unwrap() == lines);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn lines_that_there_was_no_room_for_are_counted() {
        let home = tempfile::tempdir().unwrap();
        let cloud = Cloud::new(Parts::of_test(home.path()));
        let logs = Arc::new(Flawed { left: Mutex::new(1), stored: Mutex::default() });
        cloud.register(vec![logs.clone()]);
        let stream = LogStream::open(cloud, Scope::root("us-east-1"), "/aws/lambda/f".into(), "$LATEST");
        let line = "x".repeat(200_000);
        (0..120).for_each(|_| stream.line(line.as_str()));
        stream.close().await;
        let stored = logs.stored.lock().unwrap();
        let told = stored.iter().filter_map(|text| text.strip_prefix("[labctl] ")?.split(' ').next());
        let lost: usize = told.map(|count| count.parse::<usize>().unwrap()).sum();
        assert!(lost > 0 && stored.iter().filter(|text| **text == line).count() + lost == 120, "{lost} lost");
    }
}
