//! Events as programs read them: a JSON document on each line, appended to a file.

use super::printer::Printer;
use crate::engine::Event;
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

/// A line: when it happened, and what.
#[derive(Serialize)]
struct Line<'a> {
    /// RFC 3339, in UTC.
    time: String,
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

    /// Writes one event. A run is not stopped because its log is: that is said once, and the log ends there.
    pub fn write(&mut self, event: &Event, printer: &Printer) {
        let Some((path, file)) = &mut self.to else { return };
        if let Err(error) = written(file, event, OffsetDateTime::now_utc()) {
            printer.warning(&format!("events are no longer written to `{}`: {error}", path.display()));
            self.to = None;
        }
    }
}

/// One line in one write: what follows the file never sees half of it.
fn written(file: &mut impl Write, event: &Event, now: OffsetDateTime) -> io::Result<()> {
    let time = now.format(&Rfc3339).map_err(io::Error::other)?;
    let mut line = serde_json::to_vec(&Line { time, event })?;
    line.push(b'\n');
    file.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_event_is_a_line_with_its_time() {
        let event = Event::StepFailed {
            step: "stack/network".into(),
            reason: "two\nlines".into(),
            took: Duration::from_millis(1_500),
        };
        let mut out = Vec::new();
        written(&mut out, &event, OffsetDateTime::UNIX_EPOCH).unwrap();
        let text = String::from_utf8(out).unwrap();
        let line = concat!(
            r#"{"time":"1970-01-01T00:00:00Z","event":"step_failed","step":"stack/network","reason":"two\nlines","took":1.5}"#,
            "\n"
        );
        assert_eq!(text, line);
    }
}
