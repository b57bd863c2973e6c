//! Listings on the wire.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{S3Request, dto};

use super::super::bucket::Bucket;
use super::super::faults::S3Fault;
use super::super::listing::{self, Query};
use super::super::record::{Content, Version};
use super::super::store::Store;
use super::convert::{count, etag, owner, size, timestamp};

/// What `encoding-type=url` leaves as it is.
const UNENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');
const MOST: usize = 1000;

/// How names are written in an answer: plainly, or percent-encoded.
#[derive(Clone, Copy, Default)]
pub(super) struct Names {
    encoded: bool,
}

impl Names {
    pub(super) fn of(wish: Option<&dto::EncodingType>) -> Result<Self, S3Fault> {
        match wish.map(|wish| wish.as_str()) {
            None => Ok(Names { encoded: false }),
            Some("url") => Ok(Names { encoded: true }),
            Some(_) => Err(S3Fault::InvalidArgument("Invalid Encoding Method specified in Request".into())),
        }
    }

    pub(super) fn write(self, name: &str) -> String {
        if self.encoded { utf8_percent_encode(name, UNENCODED).to_string() } else { name.to_owned() }
    }

    pub(super) fn prefixes(self, prefixes: &[String]) -> Option<Vec<dto::CommonPrefix>> {
        let list: Vec<_> =
            prefixes.iter().map(|prefix| dto::CommonPrefix { prefix: Some(self.write(prefix)) }).collect();
        (!list.is_empty()).then_some(list)
    }
}

pub(super) fn limit(asked: Option<i32>) -> Result<usize, S3Fault> {
    match asked {
        None => Ok(MOST),
        Some(asked) => usize::try_from(asked).map(|asked| asked.min(MOST)).map_err(|_| {
            S3Fault::InvalidArgument("Argument maxKeys must be an integer between 0 and 2147483647".into())
        }),
    }
}

struct Objects {
    contents: Vec<dto::Object>,
    prefixes: Vec<String>,
    next: Option<String>,
}

fn read_page(bucket: &Bucket, query: &Query, names: Names, with_owner: bool) -> Objects {
    let index = bucket.read();
    let page = listing::page(&index.keys, query, |versions| {
        let latest = versions.last()?;
        latest.content.as_ref().map(|content| (latest, content))
    });
    let contents =
        page.items.iter().map(|(key, (version, content))| object(names.write(key), version, content, with_owner));
    Objects { contents: contents.collect(), prefixes: page.prefixes, next: page.next }
}

fn object(key: String, version: &Version, content: &Content, with_owner: bool) -> dto::Object {
    let class = content.attributes.class.clone().unwrap_or_else(|| "STANDARD".into());
    dto::Object {
        checksum_algorithm: content.checksum.as_ref().map(|held| vec![held.algorithm.name().to_owned().into()]),
        checksum_type: content.checksum.as_ref().map(|held| held.kind.name().to_owned().into()),
        e_tag: Some(etag(&content.etag)),
        key: Some(key),
        last_modified: Some(timestamp(version.modified)),
        owner: with_owner.then(owner),
        restore_status: None,
        size: Some(size(content.size)),
        storage_class: Some(class.into()),
    }
}

pub(super) async fn objects(
    store: &Arc<Store>,
    request: S3Request<dto::ListObjectsInput>,
) -> Result<dto::ListObjectsOutput, S3Fault> {
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    let names = Names::of(input.encoding_type.as_ref())?;
    let most = limit(input.max_keys)?;
    let prefix = input.prefix.unwrap_or_default();
    let after = input.marker.clone().filter(|marker| !marker.is_empty());
    let query = Query { prefix: prefix.clone(), delimiter: input.delimiter.clone(), after, limit: most };
    let page = read_page(&bucket, &query, names, true);
    let next_marker = page.next.as_deref().filter(|_| input.delimiter.is_some()).map(|next| names.write(next));
    Ok(dto::ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(names.write(&prefix)),
        marker: Some(names.write(input.marker.as_deref().unwrap_or_default())),
        max_keys: Some(input.max_keys.unwrap_or(count(MOST)).min(count(MOST))),
        is_truncated: Some(page.next.is_some()),
        contents: (!page.contents.is_empty()).then_some(page.contents),
        common_prefixes: names.prefixes(&page.prefixes),
        delimiter: input.delimiter.as_deref().map(|delimiter| names.write(delimiter)),
        next_marker,
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

pub(super) async fn objects_v2(
    store: &Arc<Store>,
    request: S3Request<dto::ListObjectsV2Input>,
) -> Result<dto::ListObjectsV2Output, S3Fault> {
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    let names = Names::of(input.encoding_type.as_ref())?;
    let most = limit(input.max_keys)?;
    let prefix = input.prefix.unwrap_or_default();
    let after = match &input.continuation_token {
        Some(token) => Some(read_token(token)?),
        None => input.start_after.clone().filter(|after| !after.is_empty()),
    };
    let query = Query { prefix: prefix.clone(), delimiter: input.delimiter.clone(), after, limit: most };
    let page = read_page(&bucket, &query, names, input.fetch_owner == Some(true));
    Ok(dto::ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(names.write(&prefix)),
        max_keys: Some(count(most)),
        key_count: Some(count(page.contents.len() + page.prefixes.len())),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(write_token),
        common_prefixes: names.prefixes(&page.prefixes),
        contents: (!page.contents.is_empty()).then_some(page.contents),
        delimiter: input.delimiter.as_deref().map(|delimiter| names.write(delimiter)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.as_deref().map(|after| names.write(after)),
        ..Default::default()
    })
}

pub(in super::super) fn write_token(next: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(next)
}

pub(in super::super) fn read_token(token: &str) -> Result<String, S3Fault> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| S3Fault::InvalidArgument("The continuation token provided is incorrect".into()))
}

pub(super) async fn versions(
    store: &Arc<Store>,
    request: S3Request<dto::ListObjectVersionsInput>,
) -> Result<dto::ListObjectVersionsOutput, S3Fault> {
    let input = request.input;
    let bucket = store.bucket(&input.bucket)?;
    let names = Names::of(input.encoding_type.as_ref())?;
    let most = limit(input.max_keys)?;
    let prefix = input.prefix.unwrap_or_default();
    let key_marker = input.key_marker.clone().filter(|marker| !marker.is_empty());
    let version_marker = input.version_id_marker.clone().filter(|marker| !marker.is_empty());
    if version_marker.is_some() && key_marker.is_none() {
        return Err(S3Fault::InvalidArgument("A version-id marker cannot be specified without a key marker.".into()));
    }
    let mut lines = Lines { names, most, ..Lines::default() };
    let index = bucket.read();
    if let (Some(key), Some(marker)) = (&key_marker, &version_marker)
        && let Some(held) = index.keys.get(key)
    {
        let older = held.iter().rev().skip_while(|version| version.id != *marker).skip(1);
        lines.add(key, older.map(|version| (version.as_ref(), held.last().is_some_and(|last| last.id == version.id))));
    }
    let left = most - lines.len();
    let query =
        Query { prefix: prefix.clone(), delimiter: input.delimiter.clone(), after: key_marker, limit: left.max(1) };
    let page = listing::page(&index.keys, &query, Some);
    merge(&mut lines, &page, left);
    drop(index);
    let (next_key, next_version) = lines.next.clone().map_or((None, None), |(key, version)| (Some(key), version));
    Ok(dto::ListObjectVersionsOutput {
        common_prefixes: names.prefixes(&lines.prefixes),
        delete_markers: (!lines.markers.is_empty()).then_some(lines.markers),
        versions: (!lines.versions.is_empty()).then_some(lines.versions),
        delimiter: input.delimiter.as_deref().map(|delimiter| names.write(delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(next_key.is_some()),
        key_marker: Some(names.write(input.key_marker.as_deref().unwrap_or_default())),
        max_keys: Some(count(most)),
        name: Some(input.bucket),
        next_key_marker: next_key.as_deref().map(|key| names.write(key)),
        next_version_id_marker: next_version,
        prefix: Some(names.write(&prefix)),
        version_id_marker: input.version_id_marker,
        ..Default::default()
    })
}

/// Adds a page of keys and common prefixes in their common order, until the answer is full.
fn merge(lines: &mut Lines, page: &listing::Page<'_, &Vec<Arc<Version>>>, left: usize) {
    let mut prefixes = page.prefixes.iter().peekable();
    for (key, held) in &page.items {
        while let Some(prefix) = prefixes.next_if(|prefix| prefix.as_str() < *key) {
            lines.add_prefix(prefix);
        }
        lines.add(key, held.iter().rev().enumerate().map(|(at, version)| (version.as_ref(), at == 0)));
    }
    prefixes.for_each(|prefix| lines.add_prefix(prefix));
    if lines.next.is_none() && left > 0 && page.next.is_some() {
        lines.next.clone_from(&lines.last);
    }
}

#[derive(Default)]
struct Lines {
    names: Names,
    most: usize,
    versions: Vec<dto::ObjectVersion>,
    markers: Vec<dto::DeleteMarkerEntry>,
    prefixes: Vec<String>,
    /// Where the last line came from.
    last: Option<(String, Option<String>)>,
    /// Where the next page goes on, if this one is full and more follows.
    next: Option<(String, Option<String>)>,
}

impl Lines {
    fn len(&self) -> usize {
        self.versions.len() + self.markers.len() + self.prefixes.len()
    }

    /// Room for one more line; a full answer notes that more follows.
    fn room(&mut self) -> bool {
        if self.len() < self.most {
            return true;
        }
        if self.next.is_none() && self.most > 0 {
            self.next.clone_from(&self.last);
        }
        false
    }

    fn add_prefix(&mut self, prefix: &str) {
        if self.room() {
            self.prefixes.push(prefix.to_owned());
            self.last = Some((prefix.to_owned(), None));
        }
    }

    fn add<'v>(&mut self, key: &str, versions: impl Iterator<Item = (&'v Version, bool)>) {
        for (version, is_latest) in versions {
            if !self.room() {
                return;
            }
            self.last = Some((key.to_owned(), Some(version.id.clone())));
            let (name, modified) = (Some(self.names.write(key)), Some(timestamp(version.modified)));
            let Some(content) = &version.content else {
                self.markers.push(dto::DeleteMarkerEntry {
                    is_latest: Some(is_latest),
                    key: name,
                    last_modified: modified,
                    owner: Some(owner()),
                    version_id: Some(version.id.clone()),
                });
                continue;
            };
            let class = content.attributes.class.clone().unwrap_or_else(|| "STANDARD".into());
            self.versions.push(dto::ObjectVersion {
                checksum_algorithm: content.checksum.as_ref().map(|held| vec![held.algorithm.name().to_owned().into()]),
                checksum_type: content.checksum.as_ref().map(|held| held.kind.name().to_owned().into()),
                e_tag: Some(etag(&content.etag)),
                is_latest: Some(is_latest),
                key: name,
                last_modified: modified,
                owner: Some(owner()),
                restore_status: None,
                size: Some(size(content.size)),
                storage_class: Some(class.into()),
                version_id: Some(version.id.clone()),
            });
        }
    }
}
