//! One environment's log stream. Lines are gathered in memory and sent in the background: an invocation waits for no log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::scope::Scope;

/// How long lines are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(250);
/// The longest event and the fullest batch that CloudWatch Logs takes, with its 26 bytes of overhead.
const LONGEST_EVENT: usize = 256 * 1024 - 26;
const FULLEST_BATCH: usize = 900_000;
const MOST_EVENTS: usize = 10_000;
/// With the log service failing, this much is kept; what is older is given up, and the log says so.
const MOST_KEPT: usize = 64 << 20;
const TAIL: usize = 4096;

struct Line {
    time: i64,
    text: String,
}

#[derive(Default)]
struct Gathered {
    lines: Vec<Line>,
    bytes: usize,
    lost: usize,
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
        let time = self.cloud.clock.now().millis();
        let mut text = text.into();
        if text.is_empty() {
            return;
        }
        if text.len() > LONGEST_EVENT {
            text.truncate(text.floor_char_boundary(LONGEST_EVENT));
        }
        let mut gathered = self.gathered();
        if let Some(tail) = &mut gathered.tail {
            tail.extend_from_slice(text.as_bytes());
            tail.push(b'\n');
            if tail.len() > 2 * TAIL {
                tail.drain(..tail.len() - TAIL);
            }
        }
        if gathered.bytes > MOST_KEPT {
            gathered.lost += 1;
            return;
        }
        let first = gathered.lines.is_empty();
        gathered.bytes += text.len();
        gathered.lines.push(Line { time, text });
        drop(gathered);
        if first {
            self.fresh.notify_one();
        }
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
        self.flush().await;
    }

    async fn send_in_background(self: Arc<Self>) {
        loop {
            self.fresh.notified().await;
            if self.gathered().closed {
                return;
            }
            tokio::time::sleep(GATHER).await;
            self.flush().await;
        }
    }

    async fn flush(&self) {
        let mut made = self.sending.lock().await;
        loop {
            let batch = self.batch();
            if batch.is_empty() {
                return;
            }
            if let Err(fault) = self.put(&batch, &mut made).await {
                // Nobody but the cloud's own log can be told that a function's log cannot be written.
                tracing::error!(%fault, group = self.group, "lines of a function's log are lost");
                return;
            }
        }
    }

    /// The oldest lines, as many as one request takes.
    fn batch(&self) -> Vec<Line> {
        let mut gathered = self.gathered();
        if gathered.lost > 0 {
            let text =
                format!("[labctl] {} lines were lost: they came faster than they could be stored", gathered.lost);
            let time = self.cloud.clock.now().millis();
            gathered.lines.push(Line { time, text });
            gathered.lost = 0;
        }
        let mut room = FULLEST_BATCH;
        let fitting = gathered.lines.iter().take(MOST_EVENTS).take_while(|line| {
            let fits = line.text.len() + 26 <= room;
            room = room.saturating_sub(line.text.len() + 26);
            fits
        });
        let count = fitting.count();
        let mut lines: Vec<Line> = gathered.lines.drain(..count).collect();
        gathered.bytes -= lines.iter().map(|line| line.text.len()).sum::<usize>().min(gathered.bytes);
        drop(gathered);
        lines.sort_by_key(|line| line.time);
        lines
    }

    async fn put(&self, batch: &[Line], made: &mut bool) -> Result<(), Fault> {
        if !*made {
            self.make().await?;
            *made = true;
        }
        let put = async || {
            let event = |line: &Line| json!({"timestamp": line.time, "message": line.text});
            let events: Vec<Value> = batch.iter().map(event).collect();
            let input = json!({"logGroupName": self.group, "logStreamName": self.name, "logEvents": events});
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
