//! Objects: put, find, delete, copy, tag. Blocking where the disk is touched; callers run these off the event loop.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::clock::Timestamp;

use super::bucket::{Bucket, Index, Versioning};
use super::checksum::Algorithm;
use super::content::{Draft, Written};
use super::faults::S3Fault;
use super::record::{Attributes, Content, Encryption, Entry, NULL_VERSION, Version};
use super::store::Store;

/// An entity tag condition: `*`, or one tag without quotes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TagMatch {
    Any,
    Tag(String),
}

/// `If-Match`, `If-None-Match`, `If-Modified-Since`, `If-Unmodified-Since`.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    pub matching: Option<TagMatch>,
    pub not_matching: Option<TagMatch>,
    pub modified_since: Option<Timestamp>,
    pub unmodified_since: Option<Timestamp>,
}

/// What a deletion did.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Deletion {
    /// The version that was removed, or the id of the delete marker that was made.
    pub version: Option<String>,
    /// A marker was made or removed.
    pub marker: bool,
}

impl TagMatch {
    fn holds(&self, etag: &str) -> bool {
        match self {
            TagMatch::Any => true,
            TagMatch::Tag(tag) => tag == etag,
        }
    }
}

impl Conditions {
    /// Whether a read may go on. HTTP dates have whole seconds.
    pub(super) fn check_read(&self, version: &Version, content: &Content) -> Result<(), S3Fault> {
        let modified = version.modified.seconds();
        match (&self.matching, self.unmodified_since) {
            (Some(tag), _) if !tag.holds(&content.etag) => return Err(S3Fault::PreconditionFailed("If-Match")),
            (None, Some(since)) if modified > since.seconds() => {
                return Err(S3Fault::PreconditionFailed("If-Unmodified-Since"));
            }
            _ => {}
        }
        match (&self.not_matching, self.modified_since) {
            (Some(tag), _) if tag.holds(&content.etag) => Err(S3Fault::NotModified),
            (None, Some(since)) if modified <= since.seconds() => Err(S3Fault::NotModified),
            _ => Ok(()),
        }
    }

    /// As [`Conditions::check_read`] for the source of a copy, where everything that fails is a failed precondition.
    pub(super) fn check_copy(&self, version: &Version, content: &Content) -> Result<(), S3Fault> {
        self.check_read(version, content).map_err(|fault| match fault {
            S3Fault::NotModified => S3Fault::PreconditionFailed("x-amz-copy-source-if"),
            other => other,
        })
    }

    /// Whether a write over what is there may go on.
    pub(super) fn check_write(&self, index: &Index, key: &str) -> Result<(), S3Fault> {
        let there = index.latest(key).and_then(|version| version.content.as_ref());
        match (&self.matching, there) {
            (Some(_), None) => return Err(S3Fault::NoSuchKey(key.into())),
            (Some(tag), Some(content)) if !tag.holds(&content.etag) => {
                return Err(S3Fault::PreconditionFailed("If-Match"));
            }
            _ => {}
        }
        match (&self.not_matching, there) {
            (Some(tag), Some(content)) if tag.holds(&content.etag) => Err(S3Fault::PreconditionFailed("If-None-Match")),
            _ => Ok(()),
        }
    }
}

/// A key is 1 to 1,024 bytes of any characters.
pub(super) fn check_key(key: &str) -> Result<(), S3Fault> {
    match key.len() {
        0 => Err(S3Fault::InvalidArgument("The key must not be empty".into())),
        1..=1024 => Ok(()),
        _ => Err(S3Fault::KeyTooLong),
    }
}

/// The version of `key` with content: the latest, or the one with `id`.
pub(super) fn find(bucket: &Bucket, key: &str, id: Option<&str>) -> Result<Arc<Version>, S3Fault> {
    let index = bucket.read();
    let missing = || S3Fault::NoSuchKey(key.into());
    let version = match id {
        Some(id) => index.version(key, id).ok_or(S3Fault::NoSuchVersion)?,
        None => index.latest(key).ok_or_else(missing)?,
    };
    match (&version.content, id) {
        (Some(_), _) => Ok(version.clone()),
        (None, None) => Err(S3Fault::Deleted { version: version.id.clone() }),
        (None, Some(id)) => Err(S3Fault::IsDeleteMarker { version: id.into() }),
    }
}

/// The content of a version that [`find`] gave.
pub(super) fn content_of<'v>(version: &'v Version, key: &str) -> Result<&'v Content, S3Fault> {
    version.content.as_ref().ok_or_else(|| S3Fault::NoSuchKey(key.into()))
}

/// Finds a version and opens its content; an overwrite between the two is met by looking again.
pub(super) fn open(bucket: &Bucket, key: &str, id: Option<&str>) -> Result<(Arc<Version>, File), S3Fault> {
    loop {
        let version = find(bucket, key, id)?;
        match File::open(bucket.path(&content_of(&version, key)?.file)) {
            Ok(file) => return Ok((version, file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let now = find(bucket, key, id)?;
                if Arc::ptr_eq(&now, &version) {
                    return Err(S3Fault::Disk(format!("the content of version {} of an object is gone", version.id)));
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl Store {
    /// The id that a new version of this bucket gets.
    pub(super) fn version_id(&self, index: &Index) -> String {
        match index.versioning() {
            Versioning::Enabled => self.ids.lower(32),
            Versioning::Never | Versioning::Suspended => NULL_VERSION.into(),
        }
    }

    /// Makes written content the latest version of `key`.
    pub(super) fn put(
        &self,
        bucket: &Bucket,
        key: &str,
        written: Written,
        attributes: Attributes,
        conditions: &Conditions,
    ) -> Result<Version, S3Fault> {
        check_key(key)?;
        let version = bucket.change(|index| {
            conditions.check_write(index, key)?;
            let content = Content {
                file: written.name(),
                size: written.size,
                etag: written.md5.clone(),
                checksum: Some(written.checksum.clone()),
                parts: Vec::new(),
                attributes: with_default_encryption(attributes, index),
            };
            let version = Version { id: self.version_id(index), modified: self.clock.now(), content: Some(content) };
            Ok((vec![Entry::Put { key: key.into(), version: version.clone() }], version))
        })?;
        written.keep();
        Ok(version)
    }

    /// Deletes one version for good, or (without `id`) the object as the bucket's versioning has it.
    pub(super) fn delete(
        &self,
        bucket: &Bucket,
        key: &str,
        id: Option<&str>,
        only: Option<&TagMatch>,
    ) -> Result<Deletion, S3Fault> {
        bucket.change(|index| {
            let conditions = Conditions { matching: only.cloned(), ..Conditions::default() };
            conditions.check_write(index, key)?;
            if let Some(id) = id {
                let Some(version) = index.version(key, id) else {
                    return Ok((Vec::new(), Deletion { version: Some(id.into()), marker: false }));
                };
                let deletion = Deletion { version: Some(id.into()), marker: version.content.is_none() };
                return Ok((vec![Entry::Drop { key: key.into(), id: id.into() }], deletion));
            }
            if index.versioning() == Versioning::Never {
                let there = index.version(key, NULL_VERSION).is_some();
                let entries = there.then(|| Entry::Drop { key: key.into(), id: NULL_VERSION.into() });
                return Ok((entries.into_iter().collect(), Deletion::default()));
            }
            let marker = Version { id: self.version_id(index), modified: self.clock.now(), content: None };
            let deletion = Deletion { version: Some(marker.id.clone()), marker: true };
            Ok((vec![Entry::Put { key: key.into(), version: marker }], deletion))
        })
    }

    /// Gives a version other tags.
    pub(super) fn set_tags(
        &self,
        bucket: &Bucket,
        key: &str,
        id: Option<&str>,
        tags: Vec<(String, String)>,
    ) -> Result<String, S3Fault> {
        let found = find(bucket, key, id)?;
        bucket.change(|index| {
            let held = index.version(key, &found.id).ok_or(S3Fault::NoSuchVersion)?;
            let mut version = Version::clone(held);
            if let Some(content) = &mut version.content {
                content.attributes.tags = tags;
            }
            let id = version.id.clone();
            Ok((vec![Entry::Change { key: key.into(), version }], id))
        })
    }

    /// A copy of a version's content in `bucket`: a second name of the same file where its digests are known already,
    /// for content files never change.
    pub(super) fn copy_content(
        &self,
        (from, content, file): (&Bucket, &Content, File),
        bucket: &Bucket,
        algorithm: Option<Algorithm>,
    ) -> Result<Written, S3Fault> {
        let held = content.checksum.as_ref();
        let algorithm = algorithm.or(held.map(|held| held.algorithm)).unwrap_or(Algorithm::Crc64Nvme);
        if let Some(held) = held.filter(|held| held.algorithm == algorithm && content.parts.is_empty())
            && let Ok(linked) = Written::link(&from.path(&content.file), self.new_path(bucket), content, held.clone())
        {
            return Ok(linked);
        }
        let mut draft = Draft::create(self.new_path(bucket), algorithm)?;
        draft.write_file(&file, content.size)?;
        Ok(draft.finish())
    }

    /// Takes a file over as content of `bucket`.
    pub(super) fn adopt(&self, bucket: &Bucket, file: &Path) -> Result<Written, S3Fault> {
        Written::adopt(file, self.new_path(bucket), Algorithm::Crc64Nvme)
    }
}

/// Objects carry the bucket's default encryption if they name none; S3 encrypts all with AES256 since 2023.
pub(super) fn with_default_encryption(mut attributes: Attributes, index: &Index) -> Attributes {
    if attributes.encryption.is_none() {
        attributes.encryption = Some(super::configuration::default_encryption(index));
    }
    attributes
}

impl Default for Encryption {
    fn default() -> Self {
        Encryption { algorithm: "AES256".into(), key: None, bucket_key: false }
    }
}
