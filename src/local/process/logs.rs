//! Log files that do not grow without end: at a size, what is there becomes `NAME.log.1` and the file begins anew.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

/// When a log is turned; with the one before, twice as much is kept.
pub const LONGEST: u64 = 10 << 20;

/// Where the lines before those in `path` are: one turn back, and no further.
pub fn earlier(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".1");
    name.into()
}

/// Opens a log to append to it, readable by the owner only.
///
/// # Errors
/// Its directory cannot be made, or the file not opened.
pub fn open(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// Turns a log that a child holds open for appending: the lines are copied away, and the child goes on at the beginning.
/// What it writes in this very moment may be lost.
///
/// # Errors
/// The log is there and cannot be copied or cut.
pub fn shorten(path: &Path, longest: u64) -> io::Result<()> {
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() > longest {
        std::fs::copy(path, earlier(path))?;
        file.set_len(0)?;
    }
    Ok(())
}

/// A log of JSON lines that this process writes, and turns by itself. Nobody fails because it cannot be written: lines for which
/// the disk has no room are counted, and told when there is room again.
pub struct Turning {
    path: PathBuf,
    longest: u64,
    file: File,
    length: u64,
    lost: u64,
}

impl Turning {
    /// # Errors
    /// As [`open`].
    pub fn open(path: PathBuf, longest: u64) -> io::Result<Self> {
        let file = open(&path)?;
        let length = file.metadata()?.len();
        Ok(Turning { path, longest, file, length, lost: 0 })
    }

    fn append(&mut self, text: &[u8]) -> bool {
        let written = self.file.write_all(text).is_ok();
        self.length += if written { text.len() as u64 } else { 0 };
        written
    }

    fn turn(&mut self) -> io::Result<()> {
        std::fs::rename(&self.path, earlier(&self.path))?;
        self.file = open(&self.path)?;
        self.length = 0;
        Ok(())
    }
}

impl Write for Turning {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.length > 0 && self.length + line.len() as u64 > self.longest {
            // Where it cannot be turned, a long log is better than none.
            let _ = self.turn();
        }
        if self.lost > 0 {
            // The line that there was no room for may have begun.
            let told = json!({"level": "WARN", "message": format!("{} lines of this log were lost: there was no room", self.lost)});
            if self.append(format!("\n{told}\n").as_bytes()) {
                self.lost = 0;
            }
        }
        if self.lost > 0 || !self.append(line) {
            self.lost += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_log_of_ours_turns_at_its_size_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/local.log");
        for _ in 0..2 {
            let mut log = Turning::open(path.clone(), 10).unwrap();
            for line in ["one\n", "two\n", "three\n"] {
                log.write_all(line.as_bytes()).unwrap();
            }
        }
        // one two | three one | two three
        assert_eq!((text(&earlier(&path)), text(&path)), ("three\none\n".into(), "two\nthree\n".into()));
    }

    #[test]
    fn a_child_s_log_is_cut_under_its_hands() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.log");
        shorten(&path, 3).unwrap();
        let mut child = open(&path).unwrap();
        child.write_all(b"old\n").unwrap();
        shorten(&path, 4).unwrap();
        assert_eq!(text(&path), "old\n");
        shorten(&path, 3).unwrap();
        child.write_all(b"new\n").unwrap();
        assert_eq!((text(&earlier(&path)), text(&path)), ("old\n".into(), "new\n".into()));
    }
}
