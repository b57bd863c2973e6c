//! An append-only file of JSON lines: each line is in the file before it is acknowledged.
//!
//! A kill -9 leaves at most one torn line at the end, which the next start cuts off. A line that cannot be written whole
//! (full disk) is taken back. Nothing is flushed through the disk's cache: the promise is to outlive the process.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store;

pub(super) struct Journal<E> {
    path: PathBuf,
    file: File,
    /// The length of all whole lines.
    length: u64,
    lines: usize,
    /// A torn line could not be taken back: nothing may follow it.
    torn: bool,
    entry: PhantomData<fn(E)>,
}

impl<E: Serialize + DeserializeOwned> Journal<E> {
    /// Makes a new journal with its first entries, in one step.
    pub(super) fn create(path: &Path, first: &[E]) -> io::Result<Self> {
        let bytes = lines(first)?;
        store::replace(path, &bytes)?;
        let file = OpenOptions::new().append(true).open(path)?;
        let (length, lines) = (bytes.len() as u64, first.len());
        Ok(Journal { path: path.into(), file, length, lines, torn: false, entry: PhantomData })
    }

    /// Reads what an earlier run left; a torn last line is cut off.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<E>)> {
        let bytes = std::fs::read(path)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let mut entries = Vec::new();
        for (number, line) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let entry = serde_json::from_slice(line)
                .map_err(|error| io::Error::other(format!("line {}: {error}", number + 1)))?;
            entries.push(entry);
        }
        let file = OpenOptions::new().append(true).open(path)?;
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
        }
        let lines = entries.len();
        Ok((Journal { path: path.into(), file, length: whole as u64, lines, torn: false, entry: PhantomData }, entries))
    }

    /// Appends `entries` in one write.
    pub(super) fn append(&mut self, entries: &[E]) -> io::Result<()> {
        if self.torn {
            return Err(io::Error::other(format!(
                "{} ends in a torn line; restart the local cloud",
                self.path.display()
            )));
        }
        let bytes = lines(entries)?;
        if let Err(error) = self.file.write_all(&bytes) {
            self.torn = self.file.set_len(self.length).is_err();
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.lines += entries.len();
        Ok(())
    }

    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// Replaces all lines by `entries`, in one step.
    pub(super) fn rewrite(&mut self, entries: &[E]) -> io::Result<()> {
        let bytes = lines(entries)?;
        store::replace(&self.path, &bytes)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.length = bytes.len() as u64;
        self.lines = entries.len();
        Ok(())
    }
}

fn lines<E: Serialize>(entries: &[E]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(entries.len() * 512);
    for entry in entries {
        serde_json::to_writer(&mut bytes, entry)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn cut_at_any_byte_it_opens_with_every_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        let mut journal = Journal::<String>::create(&path, &["first".into()]).unwrap();
        journal.append(&["zwei ü".into(), "three\nlines".into()]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let (mut journal, entries) = Journal::<String>::open(&path).unwrap();
            assert_eq!(entries.len(), bytes[..length].iter().filter(|byte| **byte == b'\n').count());
            journal.append(&["after".into()]).unwrap();
            let (_, again) = Journal::<String>::open(&path).unwrap();
            assert_eq!(again.len(), entries.len() + 1);
        }
    }
}
