//! The zip that Lambda takes: one executable `bootstrap`, and the same bytes for the same binary.

use std::io::{self, Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The quickest. The smallest would be 7 % smaller and cost a second of every deployment.
const LEVEL: i64 = 1;

/// Packs `binary` as `bootstrap`. No clock and no file system has a say in the bytes.
///
/// # Errors
/// The binary cannot be compressed.
pub fn bootstrap(binary: &[u8]) -> io::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options)?;
    zip.write_all(binary)?;
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    #[test]
    fn the_zip_holds_one_executable_bootstrap_and_never_differs() {
        let zip = super::bootstrap(b"binary").unwrap();
        assert_eq!(zip, super::bootstrap(b"binary").unwrap());
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_index(0).unwrap();
        assert_eq!((&*entry.name().unwrap(), entry.unix_mode().map(|mode| mode & 0o777)), ("bootstrap", Some(0o755)));
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(text, "binary");
    }
}
