//! `labctl load`, the built program, while something else is done.

use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::lab::Lab;

/// A load that goes on until it is ended.
pub(super) struct Load {
    process: Child,
    out: tempfile::NamedTempFile,
    err: tempfile::NamedTempFile,
}

/// What its document says.
#[derive(Debug)]
pub(super) struct Report {
    /// Answers that were as expected.
    pub(super) acknowledged: i64,
    /// The others by kind: a status, or why there was none.
    pub(super) others: Vec<(String, i64)>,
}

impl Load {
    /// `labctl load <lab> --local` with so many users, as the lab's manifest has it.
    pub(super) fn begin(lab: &Lab, users: &str) -> Self {
        let file = || tempfile::Builder::new().prefix("load").tempfile_in(lab.labctl.home()).unwrap();
        let (out, err) = (file(), file());
        let more = ["--users", users, "--spawn-rate", users, "--duration", "30m", "--output", "json"];
        let mut command = lab.labctl.command(&[&["load", lab.name, "--local"], &more[..]].concat());
        command.stdin(Stdio::null()).stdout(out.reopen().unwrap()).stderr(err.reopen().unwrap());
        Load { process: command.spawn().unwrap(), out, err }
    }

    fn signal(&self, signal: Signal) {
        // One that has ended cannot be told.
        let _ = kill_process(Pid::from_child(&self.process), signal);
    }

    /// Ends it as Ctrl-C does; what is under way is waited for or counted.
    pub(super) fn end(mut self) -> Report {
        assert!(self.process.try_wait().unwrap().is_none(), "it has ended by itself: {}", self.said());
        self.signal(Signal::INT);
        let code = self.process.wait().unwrap().code();
        assert_eq!(code, Some(130), "{}", self.said());
        let text = std::fs::read_to_string(self.out.path()).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let variant = &document["variants"][0];
        let mut report = Report { acknowledged: 0, others: Vec::new() };
        for part in [variant, &variant["ramp_up"]] {
            report.acknowledged += part["requests"].as_i64().unwrap_or_default();
            for (kind, count) in part["errors"].as_object().into_iter().flatten() {
                report.acknowledged -= count.as_i64().unwrap();
                report.others.push((kind.clone(), count.as_i64().unwrap()));
            }
        }
        report
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.err.path()).unwrap()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.process.wait();
    }
}
