//! Documents on disk: files of JSON lines that are only ever appended to, the oldest of which is removed when there are too many.
//!
//! A line is `[arrival in milliseconds, region, document]`. What a kill -9 tears off at the end is cut when the file is opened.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde_json::Value;

/// How long a file grows before the next one begins.
const LONGEST_FILE: u64 = 4 << 20;
/// How much all files hold at most; then the oldest goes.
const MOST_BYTES: u64 = 64 << 20;
/// A file takes documents of one day at most, so that whole files expire.
const DAY: i64 = 86_400_000;

/// One line as it is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub arrived: i64,
    pub region: String,
    pub document: Value,
}

/// The files, and the one that grows.
pub(super) struct Journal {
    directory: PathBuf,
    /// Oldest first; the last one grows.
    files: Vec<Held>,
    current: Option<Current>,
}

/// A file that is there.
struct Held {
    number: u64,
    bytes: u64,
    /// When its first and its last line came.
    began: i64,
    last: i64,
}

struct Current {
    file: File,
    /// The file ends in a piece of a line that could not be taken back.
    torn: bool,
}

/// Where appended lines are, and the files that had to go for them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Appended {
    pub file: u64,
    pub gone: Vec<u64>,
}

impl Journal {
    /// Opens what an earlier run left; every whole line of it goes to `each`, with its file's number.
    ///
    /// # Errors
    /// The directory or a file cannot be read or mended.
    pub(super) fn open(directory: PathBuf, mut each: impl FnMut(u64, Line)) -> io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&directory)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        let mut journal = Journal { directory, files: Vec::new(), current: None };
        for number in numbers {
            let mut held = Held { number, bytes: 0, began: i64::MAX, last: 0 };
            held.bytes = journal.read(number, |line| {
                held.began = held.began.min(line.arrived);
                held.last = line.arrived;
                each(number, line);
            })?;
            journal.files.push(held);
        }
        if let Some(held) = journal.files.last() {
            let file = OpenOptions::new().append(true).open(journal.path(held.number))?;
            journal.current = Some(Current { file, torn: false });
        }
        Ok(journal)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:010}.jsonl"))
    }

    /// Reads the whole lines of a file, and cuts what comes after them; how long it is then.
    fn read(&self, number: u64, mut each: impl FnMut(Line)) -> io::Result<u64> {
        let path = self.path(number);
        let mut reader = BufReader::new(File::open(&path)?);
        let (mut line, mut whole) = (Vec::new(), 0);
        loop {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            whole += line.len() as u64;
            if let Ok((arrived, region, document)) = serde_json::from_slice::<(i64, String, Value)>(&line) {
                each(Line { arrived, region, document });
            }
        }
        if !line.is_empty() {
            OpenOptions::new().write(true).open(&path)?.set_len(whole)?;
        }
        Ok(whole)
    }

    /// Appends documents (region, text on one line) in one write: all of them, or none.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn append(&mut self, documents: &[(&str, &str)], now: i64) -> io::Result<Appended> {
        let gone = self.make_room(now)?;
        let mut bytes = Vec::new();
        for (region, text) in documents {
            writeln!(bytes, "[{now},{},{text}]", Value::from(*region))?;
        }
        let (Some(current), Some(held)) = (&mut self.current, self.files.last_mut()) else {
            return Err(io::Error::other("no file grows"));
        };
        if current.torn {
            bytes.insert(0, b'\n');
        }
        if let Err(error) = current.file.write_all(&bytes) {
            // What the disk took of it must not be glued to the next line.
            current.torn = current.file.set_len(held.bytes).is_err();
            return Err(error);
        }
        current.torn = false;
        (held.bytes, held.last) = (held.bytes + bytes.len() as u64, now);
        Ok(Appended { file: held.number, gone })
    }

    /// Begins a new file if the present one is full or of another day; removes the oldest while there is too much.
    fn make_room(&mut self, now: i64) -> io::Result<Vec<u64>> {
        let fits = |held: &Held| held.bytes < LONGEST_FILE && now - held.began < DAY;
        if self.current.is_some() && self.files.last().is_some_and(fits) {
            return Ok(Vec::new());
        }
        let number = self.files.last().map_or(1, |held| held.number + 1);
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(self.path(number))?;
        self.current = Some(Current { file, torn: false });
        self.files.push(Held { number, bytes: 0, began: now, last: now });
        let mut total: u64 = self.files.iter().map(|held| held.bytes).sum();
        let spare = self.files.iter().take_while(|held| {
            let too_much = total > MOST_BYTES;
            total -= held.bytes;
            too_much
        });
        let spare = spare.count();
        self.remove(spare)
    }

    /// Removes files whose last line came before `horizon`.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn expire(&mut self, horizon: i64) -> io::Result<Vec<u64>> {
        let old = self.files.iter().take_while(|held| held.last < horizon).count();
        if old == self.files.len() {
            self.current = None;
        }
        self.remove(old)
    }

    fn remove(&mut self, oldest: usize) -> io::Result<Vec<u64>> {
        let mut gone = Vec::new();
        for _ in 0..oldest {
            let number = self.files[0].number;
            match std::fs::remove_file(self.path(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            self.files.remove(0);
            gone.push(number);
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HERE: &str = "us-east-1";

    fn line(arrived: i64, document: Value) -> Line {
        Line { arrived, region: HERE.into(), document }
    }

    fn all(directory: &std::path::Path) -> (Journal, Vec<(u64, Line)>) {
        let mut found = Vec::new();
        let journal = Journal::open(directory.to_owned(), |file, line| found.push((file, line))).unwrap();
        (journal, found)
    }

    #[test]
    fn lines_outlive_the_journal_and_a_torn_one_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, found) = all(dir.path());
        assert!(found.is_empty());
        let appended = journal.append(&[(HERE, r#"{"a":1}"#), (HERE, r#"{"b":2}"#)], 5).unwrap();
        assert_eq!(appended, Appended { file: 1, gone: vec![] });
        let path = dir.path().join("0000000001.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"[5,\"us-ea").unwrap();
        let (mut journal, found) = all(dir.path());
        assert_eq!(found, [(1, line(5, json!({"a": 1}))), (1, line(5, json!({"b": 2})))]);
        assert!(std::fs::read(&path).unwrap().ends_with(b"}]\n"));
        assert_eq!(journal.append(&[(HERE, "{}")], 6).unwrap().file, 1);
        assert_eq!(all(dir.path()).1.len(), 3);
    }

    #[test]
    fn the_oldest_file_makes_room_and_old_ones_expire() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = all(dir.path());
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(4 << 20));
        let gone: Vec<u64> = (0..20).flat_map(|_| journal.append(&[(HERE, &large)], 5).unwrap().gone).collect();
        assert_eq!(gone, [1, 2, 3, 4]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 16);
        let (mut journal, found) = all(dir.path());
        assert_eq!(found.len(), 16);
        let appended = journal.append(&[(HERE, "{}")], 5 + DAY).unwrap();
        assert_eq!(appended, Appended { file: 21, gone: vec![5] });
        assert_eq!(journal.expire(5 + DAY).unwrap().len(), 15);
        assert_eq!(journal.expire(6 + DAY).unwrap(), [21]);
        assert!(journal.append(&[(HERE, "{}")], 7 + DAY).unwrap().gone.is_empty());
        assert_eq!(all(dir.path()).1.len(), 1);
    }
}
