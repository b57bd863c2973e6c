//! Uploads in parts.

use std::fs::File;

use super::bucket::Bucket;
use super::checksum::{Algorithm, Checksum, Kind};
use super::content::{Draft, Written};
use super::faults::S3Fault;
use super::objects::{Conditions, check_key, with_default_encryption};
use super::record::{Attributes, CompletedPart, Content, Entry, Upload, UploadedPart, Version};
use super::store::Store;

use md5::{Digest, Md5};

/// Every part but the last has at least 5 MiB.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
const LARGEST_OBJECT: u64 = 50 * 1024 * 1024 * 1024 * 1024;
const MOST_PARTS: u32 = 10_000;

/// What the client wants its upload to be.
pub(super) struct NewUpload {
    pub key: String,
    pub algorithm: Option<Algorithm>,
    pub kind: Option<Kind>,
    pub attributes: Attributes,
}

/// One line of the list that completes an upload.
#[derive(Clone, Debug)]
pub(super) struct ListedPart {
    pub number: u32,
    pub etag: String,
    pub checksum: Option<(Algorithm, String)>,
}

/// The list that completes an upload, and what the whole must be.
pub(super) struct Completion {
    pub upload: String,
    pub key: String,
    pub parts: Vec<ListedPart>,
    pub size: Option<u64>,
    pub checksum: Option<(Algorithm, String)>,
    pub conditions: Conditions,
}

/// An upload of `bucket` for `key`.
pub(super) fn find_upload(bucket: &Bucket, key: &str, id: &str) -> Result<Upload, S3Fault> {
    bucket.read().uploads.get(id).filter(|upload| upload.key == key).cloned().ok_or(S3Fault::NoSuchUpload)
}

impl Store {
    pub(super) fn create_upload(&self, bucket: &Bucket, new: NewUpload) -> Result<Upload, S3Fault> {
        check_key(&new.key)?;
        let kind = new.kind.or_else(|| new.algorithm.map(default_kind));
        match (new.algorithm, kind) {
            (Some(Algorithm::Sha1 | Algorithm::Sha256), Some(Kind::FullObject))
            | (Some(Algorithm::Crc64Nvme), Some(Kind::Composite)) => {
                let algorithm = new.algorithm.map_or("", Algorithm::name);
                let kind = kind.map_or("", Kind::name);
                return Err(S3Fault::InvalidRequest(format!(
                    "The {kind} checksum type cannot be used with the {} checksum algorithm.",
                    algorithm.to_lowercase()
                )));
            }
            (None, Some(_)) => {
                return Err(S3Fault::InvalidRequest(
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.".into(),
                ));
            }
            _ => {}
        }
        bucket.change(|index| {
            let upload = Upload {
                id: self.ids.lower(64),
                key: new.key,
                initiated: self.clock.now(),
                algorithm: new.algorithm,
                kind,
                attributes: with_default_encryption(new.attributes, index),
                parts: std::collections::BTreeMap::new(),
            };
            Ok((vec![Entry::Upload(upload.clone())], upload))
        })
    }

    pub(super) fn put_part(
        &self,
        bucket: &Bucket,
        upload: &Upload,
        number: u32,
        written: Written,
    ) -> Result<UploadedPart, S3Fault> {
        check_part_number(number)?;
        let part = UploadedPart {
            file: written.name(),
            size: written.size,
            etag: written.md5.clone(),
            checksum: Some(written.checksum.clone()),
            modified: self.clock.now(),
        };
        bucket.change(|index| {
            if !index.uploads.contains_key(&upload.id) {
                return Err(S3Fault::NoSuchUpload);
            }
            Ok((vec![Entry::Part { upload: upload.id.clone(), number, part: part.clone() }], ()))
        })?;
        written.keep();
        Ok(part)
    }

    pub(super) fn abort_upload(&self, bucket: &Bucket, key: &str, id: &str) -> Result<(), S3Fault> {
        bucket.change(|index| match index.uploads.get(id).filter(|upload| upload.key == key) {
            Some(_) => Ok((vec![Entry::Abort { upload: id.into() }], ())),
            None => Err(S3Fault::NoSuchUpload),
        })
    }

    /// Puts the listed parts together to one content file and makes it the latest version of the key.
    pub(super) fn complete_upload(&self, bucket: &Bucket, wish: &Completion) -> Result<Version, S3Fault> {
        let upload = find_upload(bucket, &wish.key, &wish.upload)?;
        let parts = chosen_parts(&upload, &wish.parts)?;
        let size: u64 = parts.iter().map(|(_, part)| part.size).sum();
        if size > LARGEST_OBJECT {
            return Err(S3Fault::EntityTooLarge);
        }
        if wish.size.is_some_and(|wanted| wanted != size) {
            return Err(S3Fault::InvalidRequest(
                "The provided 'x-amz-mp-object-size' header value does not match what was computed.".into(),
            ));
        }
        let mut draft = Draft::create(self.new_path(bucket), upload.algorithm.unwrap_or(Algorithm::Crc64Nvme))?;
        for (_, part) in &parts {
            let file = File::open(bucket.path(&part.file)).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => S3Fault::NoSuchUpload,
                _ => error.into(),
            })?;
            draft.write_file(&file, part.size)?;
        }
        let written = draft.finish();
        let checksum = whole_checksum(&upload, &parts, &written);
        if let Some((algorithm, value)) = &wish.checksum
            && (checksum.algorithm != *algorithm || checksum.value != *value)
        {
            return Err(S3Fault::BadDigest(algorithm.name()));
        }
        let content = Content {
            file: written.name(),
            size,
            etag: whole_etag(&parts),
            checksum: Some(checksum),
            parts: parts
                .iter()
                .map(|(number, part)| CompletedPart {
                    number: *number,
                    size: part.size,
                    checksum: part.checksum.clone(),
                })
                .collect(),
            attributes: upload.attributes.clone(),
        };
        let version = bucket.change(|index| {
            if !index.uploads.contains_key(&upload.id) {
                return Err(S3Fault::NoSuchUpload);
            }
            wish.conditions.check_write(index, &wish.key)?;
            let version = Version { id: self.version_id(index), modified: self.clock.now(), content: Some(content) };
            let entry = Entry::Complete { upload: upload.id.clone(), key: wish.key.clone(), version: version.clone() };
            Ok((vec![entry], version))
        })?;
        written.keep();
        Ok(version)
    }
}

pub(super) fn check_part_number(number: u32) -> Result<(), S3Fault> {
    match number {
        1..=MOST_PARTS => Ok(()),
        _ => Err(S3Fault::InvalidArgument("Part number must be an integer between 1 and 10000, inclusive".into())),
    }
}

fn default_kind(algorithm: Algorithm) -> Kind {
    match algorithm {
        Algorithm::Crc64Nvme => Kind::FullObject,
        _ => Kind::Composite,
    }
}

fn chosen_parts<'u>(upload: &'u Upload, listed: &[ListedPart]) -> Result<Vec<(u32, &'u UploadedPart)>, S3Fault> {
    if listed.is_empty() {
        return Err(S3Fault::MalformedXml);
    }
    if listed.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(S3Fault::InvalidPartOrder);
    }
    let mut chosen = Vec::with_capacity(listed.len());
    for line in listed {
        let part = upload.parts.get(&line.number).filter(|part| part.etag == line.etag).ok_or(S3Fault::InvalidPart)?;
        let held = part.checksum.as_ref();
        let matches = |(algorithm, value): &(Algorithm, String)| {
            held.is_some_and(|held| held.algorithm == *algorithm && held.value == *value)
        };
        if !line.checksum.as_ref().is_none_or(matches) {
            return Err(S3Fault::InvalidPart);
        }
        chosen.push((line.number, part));
    }
    if chosen[..chosen.len() - 1].iter().any(|(_, part)| part.size < SMALLEST_PART) {
        return Err(S3Fault::EntityTooSmall);
    }
    Ok(chosen)
}

/// The MD5 of the parts' MD5s, `-`, their number.
fn whole_etag(parts: &[(u32, &UploadedPart)]) -> String {
    let mut md5 = Md5::new();
    for (_, part) in parts {
        md5.update(hex::decode(&part.etag).unwrap_or_default());
    }
    format!("{}-{}", hex::encode(md5.finalize()), parts.len())
}

fn whole_checksum(upload: &Upload, parts: &[(u32, &UploadedPart)], written: &Written) -> Checksum {
    match (upload.algorithm, upload.kind) {
        (Some(algorithm), Some(Kind::Composite)) => {
            let parts: Vec<&Checksum> = parts.iter().filter_map(|(_, part)| part.checksum.as_ref()).collect();
            algorithm.composite(&parts)
        }
        _ => written.checksum.clone(),
    }
}
