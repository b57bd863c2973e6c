//! Content files: written under an opaque name that nothing refers to until the index does, so that whatever a failure
//! or a kill -9 leaves behind is swept at the next start.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;

use super::checksum::{Algorithm, Checksum, Kind, value_of};
use super::faults::S3Fault;
use super::record::Content;

/// The largest object that one PUT (or one part) may carry.
const LARGEST_PUT: u64 = 5 * 1024 * 1024 * 1024;
/// How much is gathered before a write goes to the disk.
const WRITE_SIZE: usize = 1024 * 1024;

/// Digests that came with the content and must match it.
#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    pub length: Option<u64>,
    /// `Content-MD5`, base64.
    pub md5: Option<String>,
    pub checksum: Option<(Algorithm, String)>,
}

/// A content file being written. Dropped before [`Draft::finish`] has handed it over, it is removed.
pub(super) struct Draft {
    path: Option<PathBuf>,
    file: File,
    size: u64,
    md5: Md5,
    algorithm: Algorithm,
    hasher: ChecksumHasher,
}

/// A whole content file that the index may refer to. Dropped before [`Written::keep`], it is removed.
pub(super) struct Written {
    path: Option<PathBuf>,
    pub size: u64,
    /// Lower-case hex, without quotes.
    pub md5: String,
    pub checksum: Checksum,
}

impl Draft {
    pub(super) fn create(path: PathBuf, algorithm: Algorithm) -> Result<Self, S3Fault> {
        let file = File::create_new(&path)?;
        Ok(Draft { path: Some(path), file, size: 0, md5: Md5::new(), algorithm, hasher: algorithm.hasher() })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), S3Fault> {
        self.size += bytes.len() as u64;
        if self.size > LARGEST_PUT {
            return Err(S3Fault::EntityTooLarge);
        }
        self.append(bytes)
    }

    /// [`Draft::write`] without the limit of one PUT.
    fn append(&mut self, bytes: &[u8]) -> Result<(), S3Fault> {
        self.md5.update(bytes);
        self.hasher.update(bytes);
        Ok(self.file.write_all(bytes)?)
    }

    /// Appends a range of another file.
    pub(super) fn write_file(&mut self, mut file: &File, length: u64) -> Result<(), S3Fault> {
        let mut buffer = vec![0; WRITE_SIZE];
        let mut left = length;
        while left > 0 {
            let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = file.read(&mut buffer[..room])?;
            if read == 0 {
                return Err(S3Fault::Disk("a content file is shorter than the index says".into()));
            }
            self.size += read as u64;
            self.append(&buffer[..read])?;
            left -= read as u64;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Written {
        let md5 = hex::encode(std::mem::take(&mut self.md5).finalize());
        let value = value_of(self.algorithm, std::mem::take(&mut self.hasher).finalize());
        let checksum = Checksum { algorithm: self.algorithm, kind: Kind::FullObject, value };
        Written { path: self.path.take(), size: self.size, md5, checksum }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            discard(&path);
        }
    }
}

impl Written {
    /// Takes over a file that is there already, by rename (or by copy from another file system).
    pub(super) fn adopt(source: &Path, path: PathBuf, algorithm: Algorithm) -> Result<Self, S3Fault> {
        let mut file = File::open(source)?;
        let (mut md5, mut hasher, mut size) = (Md5::new(), algorithm.hasher(), 0);
        let mut buffer = vec![0; WRITE_SIZE];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            md5.update(&buffer[..read]);
            hasher.update(&buffer[..read]);
            size += read as u64;
        }
        let value = value_of(algorithm, hasher.finalize());
        let checksum = Checksum { algorithm, kind: Kind::FullObject, value };
        let written = Written { path: Some(path.clone()), size, md5: hex::encode(md5.finalize()), checksum };
        match std::fs::rename(source, &path) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                std::fs::copy(source, &path)?;
                std::fs::remove_file(source)?;
            }
            done => done?,
        }
        Ok(written)
    }

    /// Gives the file of another version a second name.
    pub(super) fn link(source: &Path, path: PathBuf, content: &Content, checksum: Checksum) -> io::Result<Self> {
        std::fs::hard_link(source, &path)?;
        Ok(Written { path: Some(path), size: content.size, md5: content.etag.clone(), checksum })
    }

    /// Compares the content with the digests that came with it.
    pub(super) fn verify(&self, expected: &Expected) -> Result<(), S3Fault> {
        if expected.length.is_some_and(|length| length != self.size) {
            return Err(S3Fault::IncompleteBody);
        }
        if let Some(md5) = &expected.md5 {
            let wanted =
                BASE64_STANDARD.decode(md5).ok().filter(|bytes| bytes.len() == 16).ok_or(S3Fault::InvalidDigest)?;
            if hex::encode(wanted) != self.md5 {
                return Err(S3Fault::BadDigest("Content-MD5"));
            }
        }
        match &expected.checksum {
            Some((algorithm, value)) if *algorithm != self.checksum.algorithm || *value != self.checksum.value => {
                Err(S3Fault::BadDigest(algorithm.name()))
            }
            _ => Ok(()),
        }
    }

    /// The file's name, once the index is about to refer to it.
    pub(super) fn name(&self) -> String {
        let name = self.path.as_deref().and_then(Path::file_name).unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The index refers to the file now.
    pub(super) fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            discard(&path);
        }
    }
}

/// Removes a content file that nothing refers to. What cannot be removed now is swept at the next start.
pub(super) fn discard(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "a content file without owner stays until the next start");
        }
        _ => {}
    }
}

/// Content that has all come. Its end (all of it, if it is small) is still in memory: it goes to the disk in the same step
/// that makes it known to the index.
pub(super) struct Received {
    draft: Option<Draft>,
    path: PathBuf,
    pub algorithm: Algorithm,
    rest: Bytes,
}

impl Received {
    /// Writes what is left to the disk (blocking), and compares the whole with the digests that came with it.
    pub(super) fn write(self, expected: &Expected) -> Result<Written, S3Fault> {
        let written = write_on(self.draft, self.path, self.algorithm, &self.rest)?.finish();
        written.verify(expected)?;
        Ok(written)
    }
}

/// Takes in a stream for a new content file at `path`, never holding more than one write's worth in memory.
pub(super) async fn receive<E>(
    stream: impl Stream<Item = Result<Bytes, E>>,
    path: PathBuf,
    algorithm: Algorithm,
    length: Option<u64>,
) -> Result<Received, S3Fault> {
    if length.is_some_and(|length| length > LARGEST_PUT) {
        return Err(S3Fault::EntityTooLarge);
    }
    let mut stream = std::pin::pin!(stream);
    let mut draft: Option<Draft> = None;
    let mut gathered = BytesMut::new();
    let mut received = 0;
    while let Some(chunk) = stream.next().await {
        let Ok(chunk) = chunk else {
            let all_came = length.is_some_and(|length| received >= length);
            return Err(if all_came { S3Fault::ContentMismatch } else { S3Fault::IncompleteBody });
        };
        received += chunk.len() as u64;
        gathered.extend_from_slice(&chunk);
        if gathered.len() >= WRITE_SIZE {
            let (bytes, path) = (gathered.split(), path.clone());
            let written = tokio::task::spawn_blocking(move || write_on(draft, path, algorithm, &bytes)).await??;
            draft = Some(written);
        }
    }
    Ok(Received { draft, path, algorithm, rest: gathered.freeze() })
}

fn write_on(draft: Option<Draft>, path: PathBuf, algorithm: Algorithm, bytes: &[u8]) -> Result<Draft, S3Fault> {
    let mut draft = match draft {
        Some(draft) => draft,
        None => Draft::create(path, algorithm)?,
    };
    draft.write(bytes)?;
    Ok(draft)
}
