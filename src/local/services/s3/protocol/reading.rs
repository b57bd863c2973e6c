//! Reading objects on the wire.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use s3s::{S3Request, dto};

use super::super::bucket::Bucket;
use super::super::faults::S3Fault;
use super::super::objects::{Conditions, content_of, find, open};
use super::super::record::{Content, Encryption, NULL_VERSION, Version};
use super::super::store::Store;
use super::convert::{
    blocking, checksum, count, etag, from_http_date, moment, owner, owner_grants, refuse, size, tag_match, tag_set,
    timestamp,
};

/// Content up to this size is read in one go.
const ONE_GO: u64 = 256 * 1024;

/// The bytes of a content file that are sent.
struct Slice {
    from: u64,
    length: u64,
    /// `bytes 0-9/100`, if it is not the whole.
    range: Option<String>,
}

/// The version id as clients see it: only once the bucket has been versioned.
pub(in super::super) fn shown_version(bucket: &Bucket, id: &str) -> Option<String> {
    use super::super::bucket::Versioning;
    let versioned = id != NULL_VERSION || bucket.read().versioning() != Versioning::Never;
    versioned.then(|| id.to_owned())
}

pub(super) async fn get(
    store: &Arc<Store>,
    request: S3Request<dto::GetObjectInput>,
) -> Result<dto::GetObjectOutput, S3Fault> {
    let input = request.input;
    refuse(&[("customer-provided encryption keys (SSE-C)", input.sse_customer_algorithm.is_some())])?;
    let bucket = store.bucket(&input.bucket)?;
    let conditions = Conditions {
        matching: tag_match(input.if_match),
        not_matching: tag_match(input.if_none_match),
        modified_since: input.if_modified_since.map(moment),
        unmodified_since: input.if_unmodified_since.map(moment),
    };
    let (key, id) = (input.key, input.version_id);
    let (range, part, name) = (input.range, input.part_number, key.clone());
    let held = bucket.clone();
    let (version, slice, body) = blocking(move || {
        let (version, file) = open(&held, &key, id.as_deref())?;
        let content = content_of(&version, &key)?;
        conditions.check_read(&version, content)?;
        let slice = slice(content, range, part)?;
        let body = read_slice(file, &slice)?;
        Ok((version, slice, body))
    })
    .await?;
    let head = describe(
        &bucket,
        &version,
        content_of(&version, &name)?,
        &Wish { slice: &slice, part, checksums: input.checksum_mode.is_some() },
    );
    Ok(dto::GetObjectOutput { body: Some(body), tag_count: tag_count(&version), ..as_get(head) })
}

pub(super) async fn head(
    store: &Arc<Store>,
    request: S3Request<dto::HeadObjectInput>,
) -> Result<dto::HeadObjectOutput, S3Fault> {
    let input = request.input;
    refuse(&[("customer-provided encryption keys (SSE-C)", input.sse_customer_algorithm.is_some())])?;
    let bucket = store.bucket(&input.bucket)?;
    let version = find(&bucket, &input.key, input.version_id.as_deref())?;
    let content = content_of(&version, &input.key)?;
    let conditions = Conditions {
        matching: tag_match(input.if_match),
        not_matching: tag_match(input.if_none_match),
        modified_since: input.if_modified_since.map(moment),
        unmodified_since: input.if_unmodified_since.map(moment),
    };
    conditions.check_read(&version, content)?;
    let slice = slice(content, input.range, input.part_number)?;
    let wish = Wish { slice: &slice, part: input.part_number, checksums: input.checksum_mode.is_some() };
    Ok(describe(&bucket, &version, content, &wish))
}

struct Wish<'a> {
    slice: &'a Slice,
    part: Option<i32>,
    checksums: bool,
}

fn describe(bucket: &Bucket, version: &Version, content: &Content, wish: &Wish<'_>) -> dto::HeadObjectOutput {
    let attributes = &content.attributes;
    let header = |name: &str| attributes.headers.get(name).cloned();
    let encryption = attributes.encryption.clone().unwrap_or_default();
    // The checksum is the whole object's: a client would hold a part of the bytes against it.
    let sums = checksum(content.checksum.as_ref().filter(|_| wish.checksums && wish.slice.range.is_none()));
    dto::HeadObjectOutput {
        accept_ranges: Some("bytes".into()),
        bucket_key_enabled: encryption.bucket_key.then_some(true),
        cache_control: header("cache-control"),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: sums.checksum_type,
        content_disposition: header("content-disposition"),
        content_encoding: header("content-encoding"),
        content_language: header("content-language"),
        content_length: Some(size(wish.slice.length)),
        content_range: wish.slice.range.clone(),
        content_type: Some(header("content-type").unwrap_or_else(|| "binary/octet-stream".into())),
        e_tag: Some(etag(&content.etag)),
        expires: header("expires").as_deref().and_then(from_http_date),
        last_modified: Some(timestamp(version.modified)),
        metadata: (!attributes.metadata.is_empty()).then(|| attributes.metadata.clone().into_iter().collect()),
        parts_count: wish.part.and((!content.parts.is_empty()).then(|| count(content.parts.len()))),
        ssekms_key_id: encryption.key.clone(),
        server_side_encryption: Some(algorithm(&encryption)),
        storage_class: attributes.class.clone().map(Into::into),
        version_id: shown_version(bucket, &version.id),
        website_redirect_location: header("x-amz-website-redirect-location"),
        ..Default::default()
    }
}

pub(super) fn algorithm(encryption: &Encryption) -> dto::ServerSideEncryption {
    encryption.algorithm.clone().into()
}

fn tag_count(version: &Version) -> Option<i32> {
    let tags = version.content.as_ref().map_or(0, |content| content.attributes.tags.len());
    (tags > 0).then(|| count(tags))
}

fn as_get(head: dto::HeadObjectOutput) -> dto::GetObjectOutput {
    dto::GetObjectOutput {
        accept_ranges: head.accept_ranges,
        bucket_key_enabled: head.bucket_key_enabled,
        cache_control: head.cache_control,
        checksum_crc32: head.checksum_crc32,
        checksum_crc32c: head.checksum_crc32c,
        checksum_crc64nvme: head.checksum_crc64nvme,
        checksum_sha1: head.checksum_sha1,
        checksum_sha256: head.checksum_sha256,
        checksum_type: head.checksum_type,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_length: head.content_length,
        content_range: head.content_range,
        content_type: head.content_type,
        e_tag: head.e_tag,
        expires: head.expires,
        last_modified: head.last_modified,
        metadata: head.metadata,
        parts_count: head.parts_count,
        ssekms_key_id: head.ssekms_key_id,
        server_side_encryption: head.server_side_encryption,
        storage_class: head.storage_class,
        version_id: head.version_id,
        website_redirect_location: head.website_redirect_location,
        ..Default::default()
    }
}

fn slice(content: &Content, range: Option<dto::Range>, part: Option<i32>) -> Result<Slice, S3Fault> {
    let whole = content.size;
    let bytes = match (range, part) {
        (Some(_), Some(_)) => {
            return Err(S3Fault::InvalidRequest(
                "Cannot specify both Range header and partNumber query parameter".into(),
            ));
        }
        (None, None) => return Ok(Slice { from: 0, length: whole, range: None }),
        (Some(range), None) => range.check(whole).map_err(|_| S3Fault::InvalidRange { size: whole })?,
        (None, Some(1)) if content.parts.is_empty() => 0..whole,
        (None, Some(part)) => {
            let at =
                usize::try_from(part).ok().and_then(|part| part.checked_sub(1)).filter(|at| *at < content.parts.len());
            let at = at.ok_or(S3Fault::InvalidPartNumber)?;
            let from: u64 = content.parts[..at].iter().map(|part| part.size).sum();
            from..from + content.parts[at].size
        }
    };
    let range = (bytes.start < bytes.end).then(|| format!("bytes {}-{}/{whole}", bytes.start, bytes.end - 1));
    Ok(Slice { from: bytes.start, length: bytes.end - bytes.start, range })
}

/// Small content at once, large content as a stream of pieces.
fn read_slice(mut file: File, slice: &Slice) -> Result<dto::StreamingBlob, S3Fault> {
    if slice.from > 0 {
        file.seek(SeekFrom::Start(slice.from))?;
    }
    if slice.length <= ONE_GO {
        let mut bytes = Vec::with_capacity(usize::try_from(slice.length).unwrap_or(0));
        file.take(slice.length).read_to_end(&mut bytes)?;
        return Ok(dto::StreamingBlob::from(s3s::Body::from(bytes)));
    }
    let pieces = stream::try_unfold((file, slice.length), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; usize::try_from(left.min(ONE_GO)).unwrap_or(0)];
            file.read_exact(&mut piece)?;
            Ok::<_, std::io::Error>((file, piece))
        });
        let (file, piece) = read.await.map_err(std::io::Error::other).flatten()?;
        let left = left - piece.len() as u64;
        Ok::<_, std::io::Error>(Some((Bytes::from(piece), (file, left))))
    });
    Ok(dto::StreamingBlob::wrap(pieces))
}

const ATTRIBUTES: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

pub(super) async fn attributes(
    store: &Arc<Store>,
    request: S3Request<dto::GetObjectAttributesInput>,
) -> Result<dto::GetObjectAttributesOutput, S3Fault> {
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    let version = find(&bucket, &input.key, input.version_id.as_deref())?;
    let content = content_of(&version, &input.key)?;
    // Most clients send one header with commas, which the crate takes for one attribute.
    let wanted: Vec<&str> =
        input.object_attributes.iter().flat_map(|given| given.as_str().split(',')).map(str::trim).collect();
    let unknown = wanted.iter().find(|name| !ATTRIBUTES.contains(name));
    if let Some(unknown) = unknown {
        return Err(S3Fault::InvalidArgument(format!("Invalid attribute name specified: {unknown}")));
    }
    let wants = |name: &str| wanted.contains(&name);
    let first = usize::try_from(input.part_number_marker.unwrap_or(0)).unwrap_or(0);
    let most = usize::try_from(input.max_parts.unwrap_or(1000)).unwrap_or(0).min(1000);
    let parts: Vec<dto::ObjectPart> = content
        .parts
        .iter()
        .skip(first)
        .take(most)
        .map(|part| {
            let sums = checksum(part.checksum.as_ref());
            dto::ObjectPart {
                checksum_crc32: sums.checksum_crc32,
                checksum_crc32c: sums.checksum_crc32c,
                checksum_crc64nvme: sums.checksum_crc64nvme,
                checksum_sha1: sums.checksum_sha1,
                checksum_sha256: sums.checksum_sha256,
                part_number: i32::try_from(part.number).ok(),
                size: Some(size(part.size)),
            }
        })
        .collect();
    let truncated = first + parts.len() < content.parts.len();
    let object_parts = (wants("ObjectParts") && !content.parts.is_empty()).then(|| dto::GetObjectAttributesParts {
        is_truncated: Some(truncated),
        max_parts: Some(count(most)),
        next_part_number_marker: Some(count(first + parts.len())),
        part_number_marker: Some(count(first)),
        parts: Some(parts),
        total_parts_count: Some(count(content.parts.len())),
    });
    Ok(dto::GetObjectAttributesOutput {
        checksum: (wants("Checksum") && content.checksum.is_some()).then(|| checksum(content.checksum.as_ref())),
        e_tag: wants("ETag").then(|| etag(&content.etag)),
        last_modified: Some(timestamp(version.modified)),
        object_parts,
        object_size: wants("ObjectSize").then(|| size(content.size)),
        storage_class: wants("StorageClass")
            .then(|| content.attributes.class.clone().unwrap_or_else(|| "STANDARD".into()).into()),
        version_id: shown_version(&bucket, &version.id),
        ..Default::default()
    })
}

pub(super) async fn tagging(
    store: &Arc<Store>,
    request: S3Request<dto::GetObjectTaggingInput>,
) -> Result<dto::GetObjectTaggingOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let version = find(&bucket, &request.input.key, request.input.version_id.as_deref())?;
    let tag_set = tag_set(&content_of(&version, &request.input.key)?.attributes.tags);
    Ok(dto::GetObjectTaggingOutput { tag_set, version_id: shown_version(&bucket, &version.id) })
}

pub(super) async fn acl(
    store: &Arc<Store>,
    request: S3Request<dto::GetObjectAclInput>,
) -> Result<dto::GetObjectAclOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    find(&bucket, &request.input.key, request.input.version_id.as_deref())?;
    Ok(dto::GetObjectAclOutput { grants: Some(owner_grants()), owner: Some(owner()), ..Default::default() })
}
