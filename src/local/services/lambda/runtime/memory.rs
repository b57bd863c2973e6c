//! What a function's process uses of memory, and its limit.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::api::Slot;
use crate::process::Child;

/// How often the memory of a process that has work is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The memory of one process. The limit holds for what is its own: pages that no file backs.
pub(super) struct Memory {
    /// `/proc/<pid>/status`: opened once, since reading it is a part of every invocation. `None`: the process has ended at once.
    status: Option<File>,
    limit: u64,
    peak: AtomicU64,
    exceeded: AtomicBool,
}

impl Memory {
    /// `limit` in bytes.
    pub(super) fn of(child: &Child, limit: u64) -> Self {
        let status = File::open(format!("/proc/{}/status", child.pid())).ok();
        Memory { status, limit, peak: AtomicU64::new(0), exceeded: AtomicBool::new(false) }
    }

    /// The most that the process has used since its start, in bytes.
    pub(super) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Once over the limit, always: Lambda would have ended the process then.
    pub(super) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }

    /// Looks at the process; `false`: it is gone. The kernel keeps the high-water mark of all memory, so the peak is true; of the
    /// process's own it does not, so what is used and given back between two looks exceeds no limit.
    pub(super) fn look(&self) -> bool {
        let mut text = [0; 8192];
        let Some(Usage { peak, own }) = self.read(&mut text).and_then(usage) else {
            return false;
        };
        self.peak.fetch_max(peak, Ordering::Relaxed);
        self.exceeded.fetch_or(own > self.limit, Ordering::Relaxed);
        true
    }

    fn read<'t>(&self, text: &'t mut [u8]) -> Option<&'t [u8]> {
        let length = self.status.as_ref()?.read_at(text, 0).ok()?;
        text.get(..length)
    }

    /// Ends the process when it exceeds its limit. Looks only while the process has work: on AWS it would be frozen in between,
    /// and here nobody wants to pay for looking at processes that sleep.
    pub(super) async fn watch(self: Arc<Self>, child: Arc<Child>, slot: Arc<Slot>) {
        while child.ended().is_none() && self.look() {
            if self.is_exceeded() {
                child.kill().await;
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            slot.busy().await;
        }
    }
}

#[derive(Debug, PartialEq)]
struct Usage {
    /// The most that was resident at one time, in bytes.
    peak: u64,
    /// What no file backs now, in bytes.
    own: u64,
}

fn usage(status: &[u8]) -> Option<Usage> {
    let status = std::str::from_utf8(status).ok()?;
    let bytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
    };
    Some(Usage { peak: bytes("VmHWM:")?, own: bytes("RssAnon:")? + bytes("RssShmem:").unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::{Usage, usage};

    #[test]
    fn the_peak_is_of_all_and_the_limit_for_what_no_file_backs() {
        let status = b"Name:\tbootstrap\nVmHWM:\t   20480 kB\nVmRSS:\t    9000 kB\nRssAnon:\t    4000 kB\nRssFile:\t    5120 kB\nRssShmem:\t    96 kB\n";
        assert_eq!(usage(status), Some(Usage { peak: 20 << 20, own: 4096 << 10 }));
        // A process that has ended and is not waited for yet has no memory.
        assert_eq!(usage(b"Name:\tbootstrap\nState:\tZ (zombie)\n"), None);
    }
}
