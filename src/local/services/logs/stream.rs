//! One log stream: a file of JSON lines, appended to and never rewritten but to drop expired events.
//!
//! The first line names the stream; each further one is an event. A line torn by a kill -9 is cut off when the file is opened.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Header {
    stream: String,
    created: i64,
    /// The number of the next event, for a stream whose old events were dropped.
    #[serde(default)]
    next: u64,
    /// The request that made it: the same request again finds what it made.
    #[serde(default)]
    made_by: String,
}

/// One event as it lies in the file: number, time, arrival (both in milliseconds), text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Event(pub u64, pub i64, pub i64, pub String);

impl Event {
    pub(super) fn number(&self) -> u64 {
        self.0
    }
    pub(super) fn time(&self) -> i64 {
        self.1
    }
    pub(super) fn ingested(&self) -> i64 {
        self.2
    }
    pub(super) fn message(&self) -> &str {
        &self.3
    }
}

/// What is known of a stream without reading it.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    pub first: Option<i64>,
    pub last: Option<i64>,
    pub last_ingestion: Option<i64>,
    pub bytes: u64,
    next: u64,
    /// The file ends in a piece of a line that could be neither finished nor taken back.
    torn: bool,
}

impl Summary {
    fn add(&mut self, event: &Event) {
        self.first = Some(self.first.map_or(event.time(), |first| first.min(event.time())));
        self.last = Some(self.last.map_or(event.time(), |last| last.max(event.time())));
        self.last_ingestion = Some(event.ingested());
        // CloudWatch counts 26 bytes of overhead for each event.
        self.bytes += event.message().len() as u64 + 26;
        self.next = event.number() + 1;
    }
}

/// A stream that is open for reading and appending.
#[derive(Debug)]
pub(super) struct Stream {
    pub name: String,
    pub created: i64,
    pub made_by: String,
    path: PathBuf,
    summary: Mutex<Summary>,
    /// Places in the file, each with the time that no event before it exceeds: who wants what is new need not read what is old.
    marks: Mutex<Vec<(u64, i64)>>,
}

/// How much of a file lies between two marks.
const MARK_EVERY: u64 = 256 * 1024;

impl Stream {
    pub(super) fn create(path: PathBuf, name: &str, created: i64, made_by: &str) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
        let (name, made_by) = (name.to_owned(), made_by.to_owned());
        let stream = Stream { name, created, made_by, path, summary: Mutex::default(), marks: Mutex::default() };
        file.write_all(&stream.header(0)?)?;
        Ok(stream)
    }

    /// Opens a stream that an earlier run left; `None` if its file was torn before its name was written.
    pub(super) fn open(path: PathBuf) -> io::Result<Option<Self>> {
        let mut reader = BufReader::new(File::open(&path)?);
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line)?;
        let Ok(header) = serde_json::from_slice::<Header>(&line) else { return Ok(None) };
        let mut summary = Summary { next: header.next, ..Summary::default() };
        let mut whole = line.len() as u64;
        let mut marks = Vec::new();
        loop {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            whole += line.len() as u64;
            if let Ok(event) = serde_json::from_slice::<Event>(&line) {
                summary.add(&event);
            }
            mark(&mut marks, whole, summary.last);
        }
        if !line.is_empty() {
            OpenOptions::new().write(true).open(&path)?.set_len(whole)?;
        }
        let Header { stream: name, created, made_by, .. } = header;
        let (summary, marks) = (Mutex::new(summary), Mutex::new(marks));
        Ok(Some(Stream { name, created, made_by, path, summary, marks }))
    }

    pub(super) fn summary(&self) -> Summary {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Appends events in one write: all of them, or none.
    pub(super) fn append(&self, events: &[(i64, &str)], now: i64) -> io::Result<()> {
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = summary.clone();
        let mut bytes = if next.torn { b"\n".to_vec() } else { Vec::new() };
        next.torn = false;
        for (time, message) in events {
            let event = Event(next.next, *time, now, (*message).to_owned());
            serde_json::to_writer(&mut bytes, &event)?;
            bytes.push(b'\n');
            next.add(&event);
        }
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        let whole = file.metadata()?.len();
        if let Err(error) = file.write_all(&bytes) {
            // What the disk took of it must not be glued to the next event.
            summary.torn = file.set_len(whole).is_err();
            return Err(error);
        }
        mark(&mut self.marks(), whole + bytes.len() as u64, next.last);
        *summary = next;
        Ok(())
    }

    fn marks(&self) -> MutexGuard<'_, Vec<(u64, i64)>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place in the file before which every event is older.
    fn place_of(&self, since: i64) -> u64 {
        let marks = self.marks();
        let older = marks.partition_point(|(_, last)| *last < since);
        older.checked_sub(1).map_or(0, |at| marks[at].0)
    }

    /// Every event not older than `since`, oldest first; events of one moment in the order they came.
    pub(super) fn read(&self, since: Option<i64>) -> io::Result<Vec<Event>> {
        let mut events: Vec<Event> = Vec::new();
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(since.map_or(0, |since| self.place_of(since))))?;
        for line in BufReader::new(file).split(b'\n') {
            // Neither the first line, nor one that is being written at this moment, is an event.
            let Ok(event) = serde_json::from_slice::<Event>(&line?) else { continue };
            if since.is_none_or(|since| event.time() >= since) {
                events.push(event);
            }
        }
        events.sort_by_key(|event| (event.time(), event.number()));
        Ok(events)
    }

    /// Takes events older than `since` off the disk.
    pub(super) fn drop_before(&self, since: i64) -> io::Result<()> {
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        if summary.first.is_none_or(|first| first >= since) {
            return Ok(());
        }
        let mut kept = self.read(Some(since))?;
        kept.sort_by_key(Event::number);
        let mut next = Summary { next: summary.next, ..Summary::default() };
        let mut bytes = self.header(summary.next)?;
        for event in &kept {
            serde_json::to_writer(&mut bytes, event)?;
            bytes.push(b'\n');
            next.add(event);
        }
        next.next = summary.next;
        // A reader opens the file first and looks up its place then: the lock is held over both.
        let mut marks = self.marks();
        crate::store::replace(&self.path, &bytes)?;
        marks.clear();
        *summary = next;
        Ok(())
    }

    /// The file's first line; `next` is the number of the first event after it.
    fn header(&self, next: u64) -> io::Result<Vec<u8>> {
        let (stream, made_by) = (self.name.clone(), self.made_by.clone());
        let mut bytes = serde_json::to_vec(&Header { stream, created: self.created, next, made_by })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn mark(marks: &mut Vec<(u64, i64)>, place: u64, last: Option<i64>) {
    let before = marks.last().map_or(0, |(place, _)| *place);
    if place >= before + MARK_EVERY {
        marks.extend(last.map(|last| (place, last)));
    }
}

/// The streams of a group's directory, for a start after a stop or a kill.
pub(super) fn in_directory(directory: &Path) -> io::Result<Vec<Stream>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut streams = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            streams.extend(Stream::open(path)?);
        }
    }
    Ok(streams)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_cut_off_and_appending_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let stream = Stream::create(path.clone(), "one", 5, "").unwrap();
        stream.append(&[(10, "first"), (20, "second\nline")], 30).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"[2,40,").unwrap();
        let stream = in_directory(dir.path()).unwrap().pop().unwrap();
        assert_eq!((stream.name.as_str(), stream.summary().last), ("one", Some(20)));
        stream.append(&[(15, "late")], 50).unwrap();
        let texts: Vec<String> = stream.read(None).unwrap().into_iter().map(|event| event.3).collect();
        assert_eq!(texts, ["first", "late", "second\nline"]);
    }

    #[test]
    fn an_append_that_the_disk_refuses_spoils_no_event_before_or_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("a.log"), dir.path().join("aside"));
        let stream = Stream::create(path.clone(), "one", 5, "").unwrap();
        stream.append(&[(10, "first")], 30).unwrap();
        std::fs::rename(&path, &aside).unwrap();
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        stream.append(&[(20, "refused")], 40).unwrap_err();
        std::fs::rename(&aside, &path).unwrap();
        // A device cannot be cut back: the worst case, in which half of the event stays.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"[1,20,40,\"ref").unwrap();
        stream.append(&[(30, "second")], 50).unwrap();
        let texts: Vec<String> = stream.read(None).unwrap().into_iter().map(|event| event.3).collect();
        assert_eq!(texts, ["first", "second"]);
    }

    #[test]
    fn what_is_new_is_found_without_reading_what_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let stream = Stream::create(dir.path().join("a.log"), "one", 5, "").unwrap();
        let text = "x".repeat(1000);
        for round in 0..1000 {
            stream.append(&[(round, &text), (round, &text)], 30).unwrap();
        }
        // One that comes late is found all the same.
        stream.append(&[(3, "late")], 40).unwrap();
        let reopened = Stream::open(dir.path().join("a.log")).unwrap().unwrap();
        for stream in [&stream, &reopened] {
            let place = stream.place_of(900);
            assert!(place > 1_500_000 && place < stream.path.metadata().unwrap().len(), "{place}");
            let times: Vec<i64> = stream.read(Some(900)).unwrap().iter().map(Event::time).collect();
            assert_eq!(times, (900..1000).flat_map(|round| [round, round]).collect::<Vec<_>>());
            assert_eq!(stream.read(Some(3)).unwrap().len(), 1995);
            assert_eq!(stream.read(None).unwrap().len(), 2001);
        }
        stream.drop_before(999).unwrap();
        assert_eq!((stream.place_of(2000), stream.read(Some(0)).unwrap().len()), (0, 2));
    }

    #[test]
    fn dropping_old_events_keeps_the_rest_and_the_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let stream = Stream::create(dir.path().join("a.log"), "one", 5, "").unwrap();
        stream.append(&[(10, "old"), (20, "new")], 30).unwrap();
        stream.drop_before(15).unwrap();
        stream.append(&[(30, "newer")], 40).unwrap();
        let numbers: Vec<u64> = stream.read(None).unwrap().iter().map(Event::number).collect();
        assert_eq!(numbers, [1, 2]);
        assert_eq!(stream.summary().first, Some(20));
    }
}
