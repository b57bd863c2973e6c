//! Writing, copying and deleting objects on the wire.

use std::sync::Arc;

use s3s::{S3Request, dto};

use super::super::bucket::Bucket;
use super::super::checksum::Algorithm;
use super::super::configuration::owner_enforced;
use super::super::content::{Expected, Received, receive};
use super::super::faults::S3Fault;
use super::super::objects::{Conditions, TagMatch, check_key, content_of, find, open};
use super::super::record::Attributes;
use super::super::store::Store;
use super::convert::{
    Said, announced_algorithm, blocking, checksum, etag, given_checksum, moment, refuse, tag_match, tags, timestamp,
    trailing_checksum,
};
use super::reading::{algorithm, shown_version};

/// An upload's body and the digests that come with it.
pub(super) struct Incoming {
    pub body: Option<dto::StreamingBlob>,
    pub length: Option<i64>,
    pub md5: Option<String>,
    pub given: dto::Checksum,
    pub named: Option<dto::ChecksumAlgorithm>,
    /// The algorithm to use if the request names none.
    pub default: Option<Algorithm>,
}

/// Takes in a body for a content file of the bucket, and what it must turn out to be.
pub(super) async fn take_body(
    store: &Store,
    bucket: &Bucket,
    incoming: Incoming,
    (headers, trailers): (&http::HeaderMap, Option<&s3s::TrailingHeaders>),
) -> Result<(Received, Expected), S3Fault> {
    let given = given_checksum(incoming.given)?;
    let announced = announced_algorithm(incoming.named.as_ref(), headers)?;
    let algorithm = given.as_ref().map(|(algorithm, _)| *algorithm).or(announced).or(incoming.default);
    let algorithm = algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let length = incoming.length.and_then(|length| u64::try_from(length).ok());
    let body = incoming.body.unwrap_or_else(|| dto::StreamingBlob::from(s3s::Body::empty()));
    let received = receive(body, store.new_path(bucket), algorithm, length).await?;
    let trailing = trailing_checksum(algorithm, trailers).map(|value| (algorithm, value));
    Ok((received, Expected { length, md5: incoming.md5, checksum: given.or(trailing) }))
}

/// With ACLs off only the ACL that says the same is accepted.
pub(super) fn check_object_acl(bucket: &Bucket, acl: Option<&str>, granted: bool) -> Result<(), S3Fault> {
    refuse(&[("grants in ACLs (x-amz-grant-*)", granted)])?;
    match acl {
        None | Some("bucket-owner-full-control") => Ok(()),
        Some(_) if owner_enforced(&bucket.read()) => Err(S3Fault::AclNotSupported),
        Some("private" | "bucket-owner-read") => Ok(()),
        Some(acl) => Err(S3Fault::NotSupported(format!("the object ACL {acl}"))),
    }
}

pub(super) async fn put(
    store: &Arc<Store>,
    request: S3Request<dto::PutObjectInput>,
) -> Result<dto::PutObjectOutput, S3Fault> {
    let (input, headers, trailers) = (request.input, request.headers, request.trailing_headers);
    let bucket = store.bucket(&input.bucket)?;
    check_key(&input.key)?;
    let granted = [&input.grant_full_control, &input.grant_read, &input.grant_read_acp, &input.grant_write_acp];
    check_object_acl(&bucket, input.acl.as_ref().map(|acl| acl.as_str()), granted.iter().any(|grant| grant.is_some()))?;
    refuse(&[
        ("customer-provided encryption keys (SSE-C)", input.sse_customer_algorithm.is_some()),
        ("appending to objects (x-amz-write-offset-bytes)", input.write_offset_bytes.is_some()),
        ("object lock", input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some()),
    ])?;
    let conditions = Conditions {
        matching: tag_match(input.if_match),
        not_matching: tag_match(input.if_none_match),
        ..Conditions::default()
    };
    let attributes = Said {
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        content_type: input.content_type,
        expires: input.expires,
        website_redirect_location: input.website_redirect_location,
        metadata: input.metadata,
        tagging: input.tagging,
        storage_class: input.storage_class,
        encryption: (input.server_side_encryption, input.ssekms_key_id, input.bucket_key_enabled),
    }
    .attributes()?;
    conditions.check_write(&bucket.read(), &input.key)?;
    let incoming = Incoming {
        body: input.body,
        length: input.content_length,
        md5: input.content_md5,
        given: dto::Checksum {
            checksum_crc32: input.checksum_crc32,
            checksum_crc32c: input.checksum_crc32c,
            checksum_crc64nvme: input.checksum_crc64nvme,
            checksum_sha1: input.checksum_sha1,
            checksum_sha256: input.checksum_sha256,
            checksum_type: None,
        },
        named: input.checksum_algorithm,
        default: None,
    };
    let (received, expected) = take_body(store, &bucket, incoming, (&headers, trailers.as_ref())).await?;
    let (shelf, target, key) = (store.clone(), bucket.clone(), input.key.clone());
    let put = move || shelf.put(&target, &key, received.write(&expected)?, attributes, &conditions);
    let version = blocking(put).await?;
    let content = content_of(&version, &input.key)?;
    let encryption = content.attributes.encryption.clone().unwrap_or_default();
    let sums = checksum(content.checksum.as_ref());
    Ok(dto::PutObjectOutput {
        bucket_key_enabled: encryption.bucket_key.then_some(true),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: sums.checksum_type,
        e_tag: Some(etag(&content.etag)),
        server_side_encryption: Some(algorithm(&encryption)),
        ssekms_key_id: encryption.key,
        version_id: shown_version(&bucket, &version.id),
        ..Default::default()
    })
}

/// The bucket, key and version that a copy reads.
pub(super) fn copy_source(
    store: &Store,
    source: dto::CopySource,
) -> Result<(Arc<Bucket>, String, Option<String>), S3Fault> {
    match source {
        dto::CopySource::Bucket { bucket, key, version_id } => {
            Ok((store.bucket(&bucket)?, key.into(), version_id.map(Into::into)))
        }
        dto::CopySource::AccessPoint { .. } | dto::CopySource::Outpost { .. } => {
            Err(S3Fault::NotSupported("access points and outposts as copy source".into()))
        }
    }
}

pub(super) async fn copy(
    store: &Arc<Store>,
    request: S3Request<dto::CopyObjectInput>,
) -> Result<dto::CopyObjectOutput, S3Fault> {
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    check_key(&input.key)?;
    check_object_acl(
        &bucket,
        input.acl.as_ref().map(|acl| acl.as_str()),
        input.grant_full_control.is_some() || input.grant_read.is_some(),
    )?;
    refuse(&[(
        "customer-provided encryption keys (SSE-C)",
        input.sse_customer_algorithm.is_some() || input.copy_source_sse_customer_algorithm.is_some(),
    )])?;
    let (from, from_key, from_version) = copy_source(store, input.copy_source)?;
    let conditions = Conditions {
        matching: tag_match(input.copy_source_if_match),
        not_matching: tag_match(input.copy_source_if_none_match),
        modified_since: input.copy_source_if_modified_since.map(moment),
        unmodified_since: input.copy_source_if_unmodified_since.map(moment),
    };
    let replaces = directive(input.metadata_directive.as_ref().map(|directive| directive.as_str()))?;
    let replaces_tags = directive(input.tagging_directive.as_ref().map(|directive| directive.as_str()))?;
    let said = Said {
        cache_control: input.cache_control,
        content_disposition: input.content_disposition,
        content_encoding: input.content_encoding,
        content_language: input.content_language,
        content_type: input.content_type,
        expires: input.expires,
        website_redirect_location: input.website_redirect_location,
        metadata: input.metadata,
        tagging: input.tagging,
        storage_class: input.storage_class,
        encryption: (input.server_side_encryption, input.ssekms_key_id, input.bucket_key_enabled),
    }
    .attributes()?;
    let wanted = input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?;
    let (shelf, target, key) = (store.clone(), bucket.clone(), input.key.clone());
    let source = from.clone();
    let (read, version) = blocking(move || {
        let (read, file) = open(&source, &from_key, from_version.as_deref())?;
        let content = content_of(&read, &from_key)?;
        conditions.check_copy(&read, content)?;
        let unchanged = !replaces && !replaces_tags && said.class.is_none() && said.encryption.is_none() && from_version.is_none();
        if unchanged && source.name == target.name && from_key == key {
            return Err(S3Fault::InvalidRequest(
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, \
                 storage class, website redirect location or encryption attributes."
                    .into(),
            ));
        }
        let attributes = copied_attributes(&content.attributes, said, replaces, replaces_tags);
        let written = shelf.copy_content((&source, content, file), &target, wanted)?;
        let version = shelf.put(&target, &key, written, attributes, &Conditions::default())?;
        Ok((read, version))
    })
    .await?;
    let content = content_of(&version, &input.key)?;
    let encryption = content.attributes.encryption.clone().unwrap_or_default();
    let sums = checksum(content.checksum.as_ref());
    let result = dto::CopyObjectResult {
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: sums.checksum_type,
        e_tag: Some(etag(&content.etag)),
        last_modified: Some(timestamp(version.modified)),
    };
    Ok(dto::CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: shown_version(&from, &read.id),
        server_side_encryption: Some(algorithm(&encryption)),
        ssekms_key_id: encryption.key,
        version_id: shown_version(&bucket, &version.id),
        ..Default::default()
    })
}

fn directive(said: Option<&str>) -> Result<bool, S3Fault> {
    match said {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(S3Fault::InvalidArgument(format!("Unknown metadata directive: {other}"))),
    }
}

/// Metadata, tags follow their directives; class and encryption are always the request's.
fn copied_attributes(source: &Attributes, said: Attributes, replaces: bool, replaces_tags: bool) -> Attributes {
    Attributes {
        headers: if replaces { said.headers } else { source.headers.clone() },
        metadata: if replaces { said.metadata } else { source.metadata.clone() },
        tags: if replaces_tags { said.tags } else { source.tags.clone() },
        class: said.class,
        encryption: said.encryption,
    }
}

pub(super) async fn delete(
    store: &Arc<Store>,
    request: S3Request<dto::DeleteObjectInput>,
) -> Result<dto::DeleteObjectOutput, S3Fault> {
    let input = request.input;
    refuse(&[
        ("conditional deletion by time (If-Match-Last-Modified-Time)", input.if_match_last_modified_time.is_some()),
        ("conditional deletion by size (If-Match-Size)", input.if_match_size.is_some()),
    ])?;
    let bucket = store.bucket(&input.bucket)?;
    let (store, only) = (store.clone(), tag_match(input.if_match));
    let done = blocking(move || store.delete(&bucket, &input.key, input.version_id.as_deref(), only.as_ref())).await?;
    Ok(dto::DeleteObjectOutput {
        delete_marker: done.marker.then_some(true),
        version_id: done.version,
        ..Default::default()
    })
}

pub(super) async fn delete_many(
    store: &Arc<Store>,
    request: S3Request<dto::DeleteObjectsInput>,
) -> Result<dto::DeleteObjectsOutput, S3Fault> {
    let input = request.input;
    if input.delete.objects.is_empty() || input.delete.objects.len() > 1000 {
        return Err(S3Fault::MalformedXml);
    }
    let (bucket, store) = (store.bucket(&input.bucket)?, store.clone());
    let quiet = input.delete.quiet.unwrap_or(false);
    blocking(move || {
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in input.delete.objects {
            let only = object.e_tag.map(|tag| TagMatch::Tag(tag.into_value()));
            match store.delete(&bucket, &object.key, object.version_id.as_deref(), only.as_ref()) {
                Ok(done) => deleted.push(dto::DeletedObject {
                    delete_marker: done.marker.then_some(true),
                    delete_marker_version_id: done.version.filter(|_| done.marker),
                    key: Some(object.key),
                    version_id: object.version_id,
                }),
                Err(fault) => {
                    let (code, _, message) = fault.parts();
                    errors.push(dto::Error {
                        code: Some(code.into()),
                        key: Some(object.key),
                        message: Some(message),
                        version_id: object.version_id,
                    });
                }
            }
        }
        let deleted = (!quiet).then_some(deleted);
        Ok(dto::DeleteObjectsOutput { deleted, errors: (!errors.is_empty()).then_some(errors), ..Default::default() })
    })
    .await
}

pub(super) async fn put_tagging(
    store: &Arc<Store>,
    request: S3Request<dto::PutObjectTaggingInput>,
) -> Result<dto::PutObjectTaggingOutput, S3Fault> {
    let input = request.input;
    let tags = tags(input.tagging.tag_set, 10)?;
    let version_id = change_tags(store, input.bucket, input.key, input.version_id, tags).await?;
    Ok(dto::PutObjectTaggingOutput { version_id })
}

pub(super) async fn delete_tagging(
    store: &Arc<Store>,
    request: S3Request<dto::DeleteObjectTaggingInput>,
) -> Result<dto::DeleteObjectTaggingOutput, S3Fault> {
    let input = request.input;
    let version_id = change_tags(store, input.bucket, input.key, input.version_id, Vec::new()).await?;
    Ok(dto::DeleteObjectTaggingOutput { version_id })
}

async fn change_tags(
    store: &Arc<Store>,
    bucket: String,
    key: String,
    version: Option<String>,
    tags: Vec<(String, String)>,
) -> Result<Option<String>, S3Fault> {
    let (bucket, store) = (store.bucket(&bucket)?, store.clone());
    blocking(move || {
        let id = store.set_tags(&bucket, &key, version.as_deref(), tags)?;
        Ok(shown_version(&bucket, &id))
    })
    .await
}

pub(super) async fn put_acl(
    store: &Arc<Store>,
    request: S3Request<dto::PutObjectAclInput>,
) -> Result<dto::PutObjectAclOutput, S3Fault> {
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    find(&bucket, &input.key, input.version_id.as_deref())?;
    if owner_enforced(&bucket.read()) {
        return Err(S3Fault::AclNotSupported);
    }
    let granted =
        input.access_control_policy.is_some() || input.grant_full_control.is_some() || input.grant_read.is_some();
    check_object_acl(&bucket, input.acl.as_ref().map(|acl| acl.as_str()), granted)?;
    Ok(dto::PutObjectAclOutput::default())
}
