//! Between the wire's types and the store's.

use std::collections::BTreeMap;

use s3s::{dto, header};

use crate::clock::Timestamp;

use super::super::checksum::{Algorithm, Checksum};
use super::super::faults::S3Fault;
use super::super::objects::TagMatch;
use super::super::record::{Attributes, Encryption};

/// The canonical id of the one account.
pub(super) const OWNER_ID: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Blocking work (disk) off the event loop.
pub(super) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, S3Fault> + Send + 'static,
) -> Result<R, S3Fault> {
    tokio::task::spawn_blocking(work).await?
}

pub(super) fn timestamp(at: Timestamp) -> dto::Timestamp {
    at.date_time().into()
}

pub(super) fn moment(at: dto::Timestamp) -> Timestamp {
    let at: time::OffsetDateTime = at.into();
    Timestamp::from_millis(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
}

pub(super) fn etag(tag: &str) -> dto::ETag {
    dto::ETag::Strong(tag.to_owned())
}

pub(super) fn size(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub(super) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) fn tag_match(condition: Option<dto::ETagCondition>) -> Option<TagMatch> {
    condition.map(|condition| match condition {
        dto::ETagCondition::Any => TagMatch::Any,
        dto::ETagCondition::ETag(tag) => TagMatch::Tag(tag.into_value()),
    })
}

pub(super) fn owner() -> dto::Owner {
    dto::Owner { display_name: None, id: Some(OWNER_ID.into()) }
}

/// The grants that every bucket and object has here: the owner may do everything.
pub(super) fn owner_grants() -> Vec<dto::Grant> {
    let grantee = dto::Grantee {
        display_name: None,
        email_address: None,
        id: Some(OWNER_ID.into()),
        type_: dto::Type::from_static(dto::Type::CANONICAL_USER),
        uri: None,
    };
    let permission = dto::Permission::from_static(dto::Permission::FULL_CONTROL);
    vec![dto::Grant { grantee: Some(grantee), permission: Some(permission) }]
}

/// One of the five values that the request names, if any.
pub(super) fn given_checksum(given: dto::Checksum) -> Result<Option<(Algorithm, String)>, S3Fault> {
    let values = [
        (Algorithm::Crc32, given.checksum_crc32),
        (Algorithm::Crc32c, given.checksum_crc32c),
        (Algorithm::Crc64Nvme, given.checksum_crc64nvme),
        (Algorithm::Sha1, given.checksum_sha1),
        (Algorithm::Sha256, given.checksum_sha256),
    ];
    let mut values = values.into_iter().filter_map(|(algorithm, value)| value.map(|value| (algorithm, value)));
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(S3Fault::InvalidRequest(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.".into(),
        )),
        (given, None) => Ok(given),
    }
}

/// The five members of which one carries the value.
pub(super) fn checksum(held: Option<&Checksum>) -> dto::Checksum {
    let mut wire = dto::Checksum::default();
    let Some(held) = held else { return wire };
    let value = Some(held.value.clone());
    match held.algorithm {
        Algorithm::Crc32 => wire.checksum_crc32 = value,
        Algorithm::Crc32c => wire.checksum_crc32c = value,
        Algorithm::Crc64Nvme => wire.checksum_crc64nvme = value,
        Algorithm::Sha1 => wire.checksum_sha1 = value,
        Algorithm::Sha256 => wire.checksum_sha256 = value,
    }
    wire.checksum_type = Some(held.kind.name().to_owned().into());
    wire
}

/// The algorithm named by `x-amz-checksum-algorithm`, or by the trailer that is to come.
pub(super) fn announced_algorithm(
    named: Option<&dto::ChecksumAlgorithm>,
    headers: &http::HeaderMap,
) -> Result<Option<Algorithm>, S3Fault> {
    let trailer = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok());
    let trailing =
        trailer.and_then(|name| Algorithm::ALL.into_iter().find(|algorithm| algorithm.header() == name.trim()));
    match (trailing, named) {
        (Some(algorithm), _) => Ok(Some(algorithm)),
        (None, Some(name)) => Algorithm::parse(name.as_str()).map(Some),
        (None, None) => Ok(None),
    }
}

/// The value that came behind the body.
pub(super) fn trailing_checksum(algorithm: Algorithm, trailers: Option<&s3s::TrailingHeaders>) -> Option<String> {
    trailers?.read(|headers| Some(headers.get(algorithm.header())?.to_str().ok()?.to_owned())).flatten()
}

/// What several inputs say about an object in the same members.
#[derive(Default)]
pub(super) struct Said {
    pub cache_control: Option<String>,
    pub content_disposition: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub content_type: Option<String>,
    pub expires: Option<dto::Timestamp>,
    pub website_redirect_location: Option<String>,
    pub metadata: Option<dto::Metadata>,
    pub tagging: Option<String>,
    pub storage_class: Option<dto::StorageClass>,
    pub encryption: (Option<dto::ServerSideEncryption>, Option<String>, Option<bool>),
}

impl Said {
    pub(super) fn attributes(self) -> Result<Attributes, S3Fault> {
        let headers = [
            (header::CACHE_CONTROL, self.cache_control),
            (header::CONTENT_DISPOSITION, self.content_disposition),
            (header::CONTENT_ENCODING, self.content_encoding.and_then(without_aws_chunked)),
            (header::CONTENT_LANGUAGE, self.content_language),
            (header::CONTENT_TYPE, self.content_type),
            (header::EXPIRES, self.expires.and_then(http_date)),
            (header::X_AMZ_WEBSITE_REDIRECT_LOCATION, self.website_redirect_location),
        ];
        let headers =
            headers.into_iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value?))).collect();
        let metadata: BTreeMap<String, String> = self.metadata.unwrap_or_default().into_iter().collect();
        let length: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if length > 2048 {
            return Err(S3Fault::InvalidArgument(
                "Your metadata headers exceed the maximum allowed metadata size".into(),
            ));
        }
        let tags = self.tagging.as_deref().map(parse_tagging).transpose()?.unwrap_or_default();
        let class = self.storage_class.map(|class| class.as_str().to_owned()).filter(|class| class != "STANDARD");
        if let Some(class) = &class {
            check_class(class)?;
        }
        let (algorithm, key, bucket_key) = self.encryption;
        let encryption = algorithm.map(|algorithm| Encryption {
            algorithm: algorithm.as_str().to_owned(),
            key,
            bucket_key: bucket_key.unwrap_or(false),
        });
        Ok(Attributes { headers, metadata, tags, class, encryption })
    }
}

/// `aws-chunked` is how the body travelled, not what it is.
fn without_aws_chunked(encoding: String) -> Option<String> {
    let rest: Vec<&str> = encoding.split(',').map(str::trim).filter(|part| *part != "aws-chunked").collect();
    Some(rest.join(",")).filter(|rest| !rest.is_empty())
}

fn http_date(at: dto::Timestamp) -> Option<String> {
    let mut text = Vec::new();
    at.format(dto::TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

pub(super) fn from_http_date(text: &str) -> Option<dto::Timestamp> {
    dto::Timestamp::parse(dto::TimestampFormat::HttpDate, text).ok()
}

/// Classes whose objects can be read at once are recorded; archives would have to be restored first.
fn check_class(class: &str) -> Result<(), S3Fault> {
    match class {
        "REDUCED_REDUNDANCY" | "STANDARD_IA" | "ONEZONE_IA" | "INTELLIGENT_TIERING" | "GLACIER_IR" => Ok(()),
        "GLACIER" | "DEEP_ARCHIVE" | "OUTPOSTS" | "SNOW" | "EXPRESS_ONEZONE" | "FSX_OPENZFS" | "FSX_ONTAP" => {
            Err(S3Fault::NotSupported(format!("the storage class {class}")))
        }
        other => Err(S3Fault::InvalidArgument(format!("The storage class you specified is not valid: {other}"))),
    }
}

/// `a=b&c=d`, URL-encoded: the `x-amz-tagging` header.
fn parse_tagging(text: &str) -> Result<Vec<(String, String)>, S3Fault> {
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8().map(|text| text.into_owned()).map_err(|_| {
            S3Fault::InvalidArgument(
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters".into(),
            )
        })
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let tags = pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decode(key)?, decode(value)?))
    });
    let tags: Vec<(String, String)> = tags.collect::<Result<_, S3Fault>>()?;
    check_tags(&tags, 10)?;
    Ok(tags)
}

/// Reads a tag set of an object (10 tags) or bucket (50 tags).
pub(super) fn tags(set: Vec<dto::Tag>, most: usize) -> Result<Vec<(String, String)>, S3Fault> {
    let tags: Vec<(String, String)> =
        set.into_iter().map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect();
    check_tags(&tags, most)?;
    Ok(tags)
}

pub(super) fn tag_set(tags: &[(String, String)]) -> Vec<dto::Tag> {
    tags.iter().map(|(key, value)| dto::Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

fn check_tags(tags: &[(String, String)], most: usize) -> Result<(), S3Fault> {
    if tags.len() > most {
        let message = if most == 10 {
            "Object tags cannot be greater than 10"
        } else {
            "Bucket tag count cannot be greater than 50"
        };
        return Err(S3Fault::InvalidRequest(message.into()));
    }
    for (at, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.chars().count() > 128 {
            return Err(S3Fault::InvalidTag("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 {
            return Err(S3Fault::InvalidTag("The TagValue you have provided is invalid"));
        }
        if key.starts_with("aws:") {
            return Err(S3Fault::InvalidTag("System tags cannot be added/updated by requester"));
        }
        if tags[..at].iter().any(|(earlier, _)| earlier == key) {
            return Err(S3Fault::InvalidTag("Cannot provide multiple Tags with the same key"));
        }
    }
    Ok(())
}

/// What the client may say and the local cloud does not do, named in the refusal.
pub(super) fn refuse(unsupported: &[(&str, bool)]) -> Result<(), S3Fault> {
    match unsupported.iter().find(|(_, given)| *given) {
        Some((what, _)) => Err(S3Fault::NotSupported((*what).to_owned())),
        None => Ok(()),
    }
}
