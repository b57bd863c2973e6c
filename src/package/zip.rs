//! The zip that Lambda takes: one executable `bootstrap`, and the same bytes for the same binary.

use std::io::{self, Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// How hard to look for a small zip. Of 4.6 MB: 0.1 s for 2.7 MB, 0.3 s for 2.2; the smallest, 2.1, would take a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// For what is tried out and replaced soon.
    Quick,
    ForKeeps,
}

impl Effort {
    fn level(self) -> i64 {
        match self {
            Effort::Quick => 1,
            Effort::ForKeeps => 6,
        }
    }
}

/// Packs `binary` as `bootstrap`. No clock and no file system has a say in the bytes.
///
/// # Errors
/// The binary cannot be compressed.
pub fn bootstrap(binary: &[u8], effort: Effort) -> io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(effort.level()))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options)?;
    zip.write_all(binary)?;
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::{Effort, bootstrap};
    use std::io::Read;

    #[test]
    fn the_zip_holds_one_executable_bootstrap_and_never_differs() {
        let zip = bootstrap(b"binary", Effort::ForKeeps).unwrap();
        assert_eq!(zip, bootstrap(b"binary", Effort::ForKeeps).unwrap());
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_index(0).unwrap();
        assert_eq!((&*entry.name().unwrap(), entry.unix_mode().map(|mode| mode & 0o777)), ("bootstrap", Some(0o755)));
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(text, "binary");
    }
}
