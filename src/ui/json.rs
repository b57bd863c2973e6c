//! Events as programs read them: a JSON document on each line, appended to a file.

use super::printer::Printer;
use crate::engine::Event;
use crate::plan::Instance;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Where events are written, if somebody wants them.
#[derive(Debug, Default)]
pub struct EventLog {
    to: Option<(PathBuf, File)>,
}

/// The log for the events of one instance.
#[derive(Debug)]
pub struct Lines<'a> {
    log: &'a mut EventLog,
    instance: &'a Instance,
    target: &'a str,
}

/// A line: when it happened, to what, and what.
#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339, in UTC.
    time: String,
    #[serde(flatten)]
    instance: &'a Instance,
    target: &'a str,
    #[serde(flatten)]
    event: &'a Event,
}

impl EventLog {
    /// Appends to what is there, so that one file can take a whole pipeline.
    ///
    /// # Errors
    /// The file cannot be opened for writing.
    pub fn open(path: &Path) -> io::Result<EventLog> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(EventLog { to: Some((path.to_owned(), file)) })
    }

    /// The log for what happens to an instance on a target.
    pub fn of<'a>(&'a mut self, instance: &'a Instance, target: &'a str) -> Lines<'a> {
        Lines { log: self, instance, target }
    }
}

impl Lines<'_> {
    /// Writes one event. A run is not stopped because its log is: that is said once, and the log ends there.
    pub fn write(&mut self, event: &Event, printer: &Printer) {
        let now = OffsetDateTime::now_utc();
        let line = line((self.instance, self.target), event, now);
        let Some((path, file)) = &mut self.log.to else { return };
        // One line in one write: what follows the file never sees half of it.
        if let Err(error) = line.and_then(|line| file.write_all(&line)) {
            printer.warning(&format!("events are no longer written to `{}`: {error}", path.display()));
            self.log.to = None;
        }
    }
}

fn line((instance, target): (&Instance, &str), event: &Event, now: OffsetDateTime) -> io::Result<Vec<u8>> {
    let time = now.format(&Rfc3339).map_err(io::Error::other)?;
    let mut line = serde_json::to_vec(&Line { time, instance, target, event })?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use time::macros::datetime;

    /// One of each: a new one does not compile until it is here and in the guide.
    fn samples() -> Vec<Event> {
        let (step, took) = (|| "stack/network".to_owned(), Duration::from_millis(1_500));
        let all = vec![
            Event::RunStarted { steps: 9 },
            Event::StepStarted { step: step(), title: "stack network".into() },
            Event::ResourceChanged {
                step: step(),
                resource: "Vpc".into(),
                kind: "AWS::EC2::VPC".into(),
                status: "CREATE_FAILED".into(),
                reason: Some("The maximum number of VPCs has been reached.".into()),
            },
            Event::StepWaiting { step: step(), why: "Cluster is creating".into() },
            Event::StepNoted { step: step(), note: "CloudFormation was busy; tried again".into() },
            Event::StepFinished { step: step(), did: "made, 20 resources".into(), unchanged: false, took },
            Event::StepFailed { step: step(), reason: "Vpc (AWS::EC2::VPC): …".into(), took },
            Event::StepSkipped { step: "stack/aurora".into(), because: step() },
            Event::RunFinished { finished: 7, failed: 1, skipped: 1, took },
        ];
        for event in &all {
            match event {
                Event::RunStarted { .. }
                | Event::StepStarted { .. }
                | Event::ResourceChanged { .. }
                | Event::StepWaiting { .. }
                | Event::StepNoted { .. }
                | Event::StepFinished { .. }
                | Event::StepFailed { .. }
                | Event::StepSkipped { .. }
                | Event::RunFinished { .. } => {}
            }
        }
        all
    }

    #[test]
    fn the_guide_shows_the_line_of_every_event() {
        let guide = include_str!("../../docs/guide/events.md");
        let instance = Instance::new("superheroes", "dev");
        for event in samples() {
            let line = line((&instance, "local"), &event, datetime!(2026-11-22 10:15 UTC)).unwrap();
            let line = String::from_utf8(line).unwrap();
            assert_eq!(line.matches('\n').count(), 1);
            assert!(guide.contains(&line), "docs/guide/events.md does not show:\n{line}");
        }
    }
}
