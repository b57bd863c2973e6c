//! Uploads in parts on the wire.

use std::io::{Seek, SeekFrom};
use std::sync::Arc;

use http::HeaderMap;
use http::header::HOST;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Request, dto};

use super::super::checksum::{Algorithm, Kind};
use super::super::content::Draft;
use super::super::faults::S3Fault;
use super::super::listing::{self, Query};
use super::super::objects::{Conditions, content_of, open};
use super::super::record::Upload;
use super::super::store::Store;
use super::super::uploads::{Completion, ListedPart, NewUpload, check_part_number, find_upload};
use super::convert::{
    Said, blocking, checksum, count, etag, given_checksum, moment, owner, refuse, size, tag_match, timestamp,
};
use super::listings::{Names, limit};
use super::reading::{algorithm, shown_version};
use super::writing::{Incoming, check_object_acl, copy_source, take_body};

pub(super) async fn create(
    store: &Arc<Store>,
    request: S3Request<dto::CreateMultipartUploadInput>,
) -> Result<dto::CreateMultipartUploadOutput, S3Fault> {
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    check_object_acl(
        &bucket,
        input.acl.as_ref().map(|acl| acl.as_str()),
        input.grant_full_control.is_some() || input.grant_read.is_some(),
    )?;
    refuse(&[
        ("customer-provided encryption keys (SSE-C)", input.sse_customer_algorithm.is_some()),
        ("object lock", input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some()),
    ])?;
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
    let new = NewUpload {
        key: input.key.clone(),
        algorithm: input.checksum_algorithm.as_ref().map(|name| Algorithm::parse(name.as_str())).transpose()?,
        kind: input.checksum_type.as_ref().map(|name| Kind::parse(name.as_str())).transpose()?,
        attributes,
    };
    let store = store.clone();
    let upload = blocking(move || store.create_upload(&bucket, new)).await?;
    let encryption = upload.attributes.encryption.clone().unwrap_or_default();
    Ok(dto::CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload.id),
        checksum_algorithm: upload.algorithm.map(|algorithm| algorithm.name().to_owned().into()),
        checksum_type: upload.kind.map(|kind| kind.name().to_owned().into()),
        server_side_encryption: Some(algorithm(&encryption)),
        ssekms_key_id: encryption.key,
        ..Default::default()
    })
}

fn part_number(number: i32) -> Result<u32, S3Fault> {
    let number = u32::try_from(number).unwrap_or(0);
    check_part_number(number).map(|()| number)
}

pub(super) async fn upload_part(
    store: &Arc<Store>,
    request: S3Request<dto::UploadPartInput>,
) -> Result<dto::UploadPartOutput, S3Fault> {
    let (input, headers, trailers) = (request.input, request.headers, request.trailing_headers);
    let bucket = store.bucket(&input.bucket)?;
    let number = part_number(input.part_number)?;
    let upload = find_upload(&bucket, &input.key, &input.upload_id)?;
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
        default: upload.algorithm,
    };
    let (received, expected) = take_body(store, &bucket, incoming, (&headers, trailers.as_ref())).await?;
    if let Some(wanted) = upload.algorithm
        && received.algorithm != wanted
    {
        return Err(S3Fault::InvalidRequest(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            wanted.name().to_lowercase(),
            received.algorithm.name().to_lowercase()
        )));
    }
    let store = store.clone();
    let encryption = upload.attributes.encryption.clone().unwrap_or_default();
    let part = blocking(move || store.put_part(&bucket, &upload, number, received.write(&expected)?)).await?;
    let sums = checksum(part.checksum.as_ref());
    Ok(dto::UploadPartOutput {
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        e_tag: Some(etag(&part.etag)),
        server_side_encryption: Some(algorithm(&encryption)),
        ssekms_key_id: encryption.key,
        ..Default::default()
    })
}

pub(super) async fn copy_part(
    store: &Arc<Store>,
    request: S3Request<dto::UploadPartCopyInput>,
) -> Result<dto::UploadPartCopyOutput, S3Fault> {
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    let number = part_number(input.part_number)?;
    let upload = find_upload(&bucket, &input.key, &input.upload_id)?;
    let (from, from_key, from_version) = copy_source(store, input.copy_source)?;
    let conditions = Conditions {
        matching: tag_match(input.copy_source_if_match),
        not_matching: tag_match(input.copy_source_if_none_match),
        modified_since: input.copy_source_if_modified_since.map(moment),
        unmodified_since: input.copy_source_if_unmodified_since.map(moment),
    };
    let range = input.copy_source_range.as_deref().map(copy_range).transpose()?;
    let (store, source) = (store.clone(), from.clone());
    let (read, part) = blocking(move || {
        let (read, mut file) = open(&source, &from_key, from_version.as_deref())?;
        let content = content_of(&read, &from_key)?;
        conditions.check_copy(&read, content)?;
        let (first, last) = range.unwrap_or((0, content.size.saturating_sub(1)));
        if range.is_some() && last >= content.size {
            let size = content.size;
            return Err(S3Fault::InvalidArgument(format!(
                "Range specified is not valid for source object of size: {size}"
            )));
        }
        let length = if content.size == 0 { 0 } else { last - first + 1 };
        file.seek(SeekFrom::Start(first))?;
        let mut draft = Draft::create(store.new_path(&bucket), upload.algorithm.unwrap_or(Algorithm::Crc64Nvme))?;
        draft.write_file(&file, length)?;
        let part = store.put_part(&bucket, &upload, number, draft.finish())?;
        Ok((read, part))
    })
    .await?;
    let sums = checksum(part.checksum.as_ref());
    let result = dto::CopyPartResult {
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(timestamp(part.modified)),
    };
    Ok(dto::UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: shown_version(&from, &read.id),
        ..Default::default()
    })
}

/// `bytes=first-last`: the only form that `x-amz-copy-source-range` has.
fn copy_range(text: &str) -> Result<(u64, u64), S3Fault> {
    let pair = text.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
    let pair = pair.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    pair.filter(|(first, last)| first <= last).ok_or_else(|| {
        S3Fault::InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets \
             of the first and last bytes to copy"
                .into(),
        )
    })
}

/// What a URL's path holds as it is; S3 escapes the slashes of keys here.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The URL of an object, by the host that the client itself asked.
fn link(headers: &HeaderMap, bucket: &str, key: &str) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let key = utf8_percent_encode(key, PLAIN);
    if host.strip_prefix(bucket).is_some_and(|rest| rest.starts_with('.')) {
        return format!("http://{host}/{key}");
    }
    format!("http://{host}/{bucket}/{key}")
}

pub(super) async fn complete(
    store: &Arc<Store>,
    request: S3Request<dto::CompleteMultipartUploadInput>,
) -> Result<dto::CompleteMultipartUploadOutput, S3Fault> {
    let location = link(&request.headers, &request.input.bucket, &request.input.key);
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    let listed = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let wish = Completion {
        upload: input.upload_id,
        key: input.key.clone(),
        parts: listed.into_iter().map(listed_part).collect::<Result<_, _>>()?,
        size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
        checksum: given_checksum(dto::Checksum {
            checksum_crc32: input.checksum_crc32,
            checksum_crc32c: input.checksum_crc32c,
            checksum_crc64nvme: input.checksum_crc64nvme,
            checksum_sha1: input.checksum_sha1,
            checksum_sha256: input.checksum_sha256,
            checksum_type: None,
        })?,
        conditions: Conditions {
            matching: tag_match(input.if_match),
            not_matching: tag_match(input.if_none_match),
            ..Conditions::default()
        },
    };
    let (store, target) = (store.clone(), bucket.clone());
    let version = blocking(move || store.complete_upload(&target, &wish)).await?;
    let content = content_of(&version, &input.key)?;
    let encryption = content.attributes.encryption.clone().unwrap_or_default();
    let sums = checksum(content.checksum.as_ref());
    Ok(dto::CompleteMultipartUploadOutput {
        location: Some(location),
        bucket: Some(input.bucket),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: sums.checksum_type,
        e_tag: Some(etag(&content.etag)),
        key: Some(input.key),
        server_side_encryption: Some(algorithm(&encryption)),
        ssekms_key_id: encryption.key,
        version_id: shown_version(&bucket, &version.id),
        ..Default::default()
    })
}

fn listed_part(part: dto::CompletedPart) -> Result<ListedPart, S3Fault> {
    let checksum = given_checksum(dto::Checksum {
        checksum_crc32: part.checksum_crc32,
        checksum_crc32c: part.checksum_crc32c,
        checksum_crc64nvme: part.checksum_crc64nvme,
        checksum_sha1: part.checksum_sha1,
        checksum_sha256: part.checksum_sha256,
        checksum_type: None,
    })?;
    let (Some(tag), Some(number)) = (part.e_tag, part.part_number) else { return Err(S3Fault::MalformedXml) };
    Ok(ListedPart { number: part_number(number)?, etag: tag.into_value(), checksum })
}

pub(super) async fn abort(
    store: &Arc<Store>,
    request: S3Request<dto::AbortMultipartUploadInput>,
) -> Result<dto::AbortMultipartUploadOutput, S3Fault> {
    let input = request.input;
    refuse(&[("conditional abort (x-amz-if-match-initiated-time)", input.if_match_initiated_time.is_some())])?;
    let (bucket, store) = (store.bucket(&input.bucket)?, store.clone());
    blocking(move || store.abort_upload(&bucket, &input.key, &input.upload_id)).await?;
    Ok(dto::AbortMultipartUploadOutput::default())
}

pub(super) async fn list_parts(
    store: &Arc<Store>,
    request: S3Request<dto::ListPartsInput>,
) -> Result<dto::ListPartsOutput, S3Fault> {
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    let upload = find_upload(&bucket, &input.key, &input.upload_id)?;
    let most = limit(input.max_parts)?;
    let after = u32::try_from(input.part_number_marker.unwrap_or(0)).unwrap_or(0);
    let mut rest = upload.parts.range(after.saturating_add(1)..);
    let parts: Vec<dto::Part> = rest
        .by_ref()
        .take(most)
        .map(|(number, part)| {
            let sums = checksum(part.checksum.as_ref().filter(|_| upload.algorithm.is_some()));
            dto::Part {
                checksum_crc32: sums.checksum_crc32,
                checksum_crc32c: sums.checksum_crc32c,
                checksum_crc64nvme: sums.checksum_crc64nvme,
                checksum_sha1: sums.checksum_sha1,
                checksum_sha256: sums.checksum_sha256,
                e_tag: Some(etag(&part.etag)),
                last_modified: Some(timestamp(part.modified)),
                part_number: i32::try_from(*number).ok(),
                size: Some(size(part.size)),
            }
        })
        .collect();
    Ok(dto::ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: upload.algorithm.map(|algorithm| algorithm.name().to_owned().into()),
        checksum_type: upload.kind.map(|kind| kind.name().to_owned().into()),
        initiator: Some(initiator()),
        is_truncated: Some(most > 0 && rest.next().is_some()),
        key: Some(input.key),
        max_parts: Some(count(most)),
        next_part_number_marker: parts.last().and_then(|part| part.part_number),
        owner: Some(owner()),
        part_number_marker: input.part_number_marker,
        parts: Some(parts),
        storage_class: Some(upload.attributes.class.unwrap_or_else(|| "STANDARD".into()).into()),
        upload_id: Some(input.upload_id),
        ..Default::default()
    })
}

fn initiator() -> dto::Initiator {
    dto::Initiator { display_name: None, id: owner().id }
}

pub(super) async fn list_uploads(
    store: &Arc<Store>,
    request: S3Request<dto::ListMultipartUploadsInput>,
) -> Result<dto::ListMultipartUploadsOutput, S3Fault> {
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    let names = Names::of(input.encoding_type.as_ref())?;
    let most = limit(input.max_uploads)?;
    let index = bucket.read();
    let prefix = input.prefix.unwrap_or_default();
    // Several uploads may have one key: a listing key is the object's key, a zero byte and the upload's place in time.
    let mut ordered: Vec<&Upload> = index.uploads.values().collect();
    ordered.sort_by(|a, b| (&a.key, a.initiated, &a.id).cmp(&(&b.key, b.initiated, &b.id)));
    let marker = input.key_marker.clone().filter(|marker| !marker.is_empty());
    let upload_marker = input.upload_id_marker.clone().filter(|marker| !marker.is_empty());
    let place = ordered.iter().position(|upload| Some(&upload.id) == upload_marker.as_ref());
    let rest = ordered.iter().enumerate().filter(|(at, upload)| match (&marker, place) {
        (Some(marker), Some(place)) => upload.key > *marker || (upload.key == *marker && *at > place),
        (Some(marker), None) => upload.key > *marker,
        (None, _) => true,
    });
    let mut keys: std::collections::BTreeMap<String, Vec<&Upload>> = std::collections::BTreeMap::new();
    for (_, upload) in rest {
        keys.entry(upload.key.clone()).or_default().push(upload);
    }
    let query = Query { prefix: prefix.clone(), delimiter: input.delimiter.clone(), after: None, limit: most };
    let page = listing::page(&keys, &query, Some);
    let found: Vec<&Upload> = page.items.iter().flat_map(|(_, uploads)| uploads.iter().copied()).collect();
    let shown = &found[..found.len().min(most.saturating_sub(page.prefixes.len()))];
    let truncated = page.next.is_some() || shown.len() < found.len();
    let uploads = shown.iter().map(|upload| dto::MultipartUpload {
        checksum_algorithm: upload.algorithm.map(|algorithm| algorithm.name().to_owned().into()),
        checksum_type: upload.kind.map(|kind| kind.name().to_owned().into()),
        initiated: Some(timestamp(upload.initiated)),
        initiator: Some(initiator()),
        key: Some(names.write(&upload.key)),
        owner: Some(owner()),
        storage_class: Some(upload.attributes.class.clone().unwrap_or_else(|| "STANDARD".into()).into()),
        upload_id: Some(upload.id.clone()),
    });
    let last = shown.last().filter(|_| truncated);
    Ok(dto::ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: names.prefixes(&page.prefixes),
        uploads: Some(uploads.collect()),
        delimiter: input.delimiter.as_deref().map(|delimiter| names.write(delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(truncated),
        key_marker: input.key_marker,
        max_uploads: Some(count(most)),
        next_key_marker: last
            .map(|upload| names.write(&upload.key))
            .or_else(|| page.next.as_deref().map(|next| names.write(next))),
        next_upload_id_marker: last.map(|upload| upload.id.clone()),
        prefix: Some(names.write(&prefix)),
        upload_id_marker: input.upload_id_marker,
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::link;

    #[test]
    fn an_object_is_found_by_the_host_that_was_asked() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "127.0.0.1:4566".parse().unwrap());
        assert_eq!(link(&headers, "b", "a b/c"), "http://127.0.0.1:4566/b/a%20b%2Fc");
        headers.insert("host", "b.localhost:4566".parse().unwrap());
        assert_eq!(link(&headers, "b", "k"), "http://b.localhost:4566/k");
    }
}
