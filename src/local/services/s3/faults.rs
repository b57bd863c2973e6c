//! What S3 refuses, and the code, status and words AWS uses for it.

use std::io;

use crate::fault::Fault;
use crate::store::StoreError;

/// Why an S3 operation was refused or failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.parts().2)]
pub(super) enum S3Fault {
    NoSuchBucket(String),
    NoSuchKey(String),
    /// The latest version is a delete marker.
    Deleted {
        version: String,
    },
    /// The version asked for is a delete marker.
    IsDeleteMarker {
        version: String,
    },
    NoSuchVersion,
    NoSuchUpload,
    /// A bucket has no such configuration; the code and words depend on which.
    NotConfigured {
        code: &'static str,
        message: &'static str,
    },
    InvalidBucketName,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    IllegalLocation {
        wanted: String,
        region: String,
    },
    KeyTooLong,
    PreconditionFailed(&'static str),
    NotModified,
    InvalidRange {
        size: u64,
    },
    InvalidPartNumber,
    InvalidDigest,
    /// Content does not match the digest that came with it; the digest's name.
    BadDigest(&'static str),
    /// All bytes came and the signature or hash over them is wrong.
    ContentMismatch,
    IncompleteBody,
    EntityTooLarge,
    EntityTooSmall,
    InvalidPart,
    InvalidPartOrder,
    InvalidTag(&'static str),
    InvalidArgument(String),
    InvalidRequest(String),
    MalformedXml,
    MalformedPolicy(String),
    InvalidTargetBucket,
    AclNotSupported,
    AccessDenied(String),
    NotSupported(String),
    /// No operation has this method and address.
    MethodNotAllowed,
    /// The disk is full.
    NoSpace,
    Disk(String),
}

impl S3Fault {
    /// AWS's code, HTTP status and message.
    pub(super) fn parts(&self) -> (&'static str, u16, String) {
        match self {
            S3Fault::NoSuchBucket(_) => ("NoSuchBucket", 404, "The specified bucket does not exist".into()),
            S3Fault::NoSuchKey(_) | S3Fault::Deleted { .. } => ("NoSuchKey", 404, "The specified key does not exist.".into()),
            S3Fault::IsDeleteMarker { .. } | S3Fault::MethodNotAllowed => {
                ("MethodNotAllowed", 405, "The specified method is not allowed against this resource.".into())
            }
            S3Fault::NoSuchVersion => ("NoSuchVersion", 404, "The specified version does not exist.".into()),
            S3Fault::NoSuchUpload => (
                "NoSuchUpload",
                404,
                "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
                    .into(),
            ),
            S3Fault::NotConfigured { code, message } => (code, 404, (*message).into()),
            S3Fault::InvalidBucketName => ("InvalidBucketName", 400, "The specified bucket is not valid.".into()),
            S3Fault::BucketAlreadyOwnedByYou => (
                "BucketAlreadyOwnedByYou",
                409,
                "Your previous request to create the named bucket succeeded and you already own it.".into(),
            ),
            S3Fault::BucketNotEmpty => ("BucketNotEmpty", 409, "The bucket you tried to delete is not empty".into()),
            S3Fault::IllegalLocation { wanted, region } => (
                "IllegalLocationConstraintException",
                400,
                format!("The {wanted} location constraint is incompatible for the region specific endpoint this request was sent to ({region})."),
            ),
            S3Fault::KeyTooLong => ("KeyTooLongError", 400, "Your key is too long".into()),
            S3Fault::PreconditionFailed(_) => {
                ("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold".into())
            }
            S3Fault::NotModified => ("NotModified", 304, "Not Modified".into()),
            S3Fault::InvalidRange { .. } => ("InvalidRange", 416, "The requested range is not satisfiable".into()),
            S3Fault::InvalidPartNumber => ("InvalidPartNumber", 416, "The requested partnumber is not satisfiable".into()),
            S3Fault::InvalidDigest => ("InvalidDigest", 400, "The Content-MD5 you specified was invalid.".into()),
            S3Fault::BadDigest("Content-MD5") => {
                ("BadDigest", 400, "The Content-MD5 you specified did not match what we received.".into())
            }
            S3Fault::BadDigest(name) => {
                ("BadDigest", 400, format!("The {name} you specified did not match the calculated checksum."))
            }
            S3Fault::ContentMismatch => (
                "XAmzContentSHA256Mismatch",
                400,
                "The provided 'x-amz-content-sha256' header does not match what was computed.".into(),
            ),
            S3Fault::IncompleteBody => (
                "IncompleteBody",
                400,
                "You did not provide the number of bytes specified by the Content-Length HTTP header".into(),
            ),
            S3Fault::EntityTooLarge => {
                ("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size".into())
            }
            S3Fault::EntityTooSmall => {
                ("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size".into())
            }
            S3Fault::InvalidPart => (
                "InvalidPart",
                400,
                "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified \
                 entity tag may not match the part's entity tag."
                    .into(),
            ),
            S3Fault::InvalidPartOrder => (
                "InvalidPartOrder",
                400,
                "The list of parts was not in ascending order. Parts must be ordered by part number.".into(),
            ),
            S3Fault::InvalidTag(message) => ("InvalidTag", 400, (*message).into()),
            S3Fault::InvalidArgument(message) => ("InvalidArgument", 400, message.clone()),
            S3Fault::InvalidRequest(message) => ("InvalidRequest", 400, message.clone()),
            S3Fault::MalformedXml => (
                "MalformedXML",
                400,
                "The XML you provided was not well-formed or did not validate against our published schema".into(),
            ),
            S3Fault::MalformedPolicy(message) => ("MalformedPolicy", 400, message.clone()),
            S3Fault::InvalidTargetBucket => {
                ("InvalidTargetBucketForLogging", 400, "The target bucket for logging does not exist".into())
            }
            S3Fault::AclNotSupported => {
                ("AccessControlListNotSupported", 400, "The bucket does not allow ACLs".into())
            }
            S3Fault::AccessDenied(message) => ("AccessDenied", 403, message.clone()),
            S3Fault::NotSupported(what) => {
                ("NotImplemented", 501, format!("The local cloud does not support {what}."))
            }
            S3Fault::NoSpace => (
                "InternalError",
                500,
                "There is no space left on the disk that holds the local cloud; nothing was stored.".into(),
            ),
            S3Fault::Disk(cause) => ("InternalError", 500, format!("The local cloud's disk failed: {cause}")),
        }
    }
}

impl From<io::Error> for S3Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => S3Fault::NoSpace,
            _ => S3Fault::Disk(error.to_string()),
        }
    }
}

impl From<StoreError> for S3Fault {
    fn from(error: StoreError) -> Self {
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
        match source.map(io::Error::kind) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => S3Fault::NoSpace,
            _ => S3Fault::Disk(error.to_string()),
        }
    }
}

impl From<tokio::task::JoinError> for S3Fault {
    fn from(error: tokio::task::JoinError) -> Self {
        S3Fault::Disk(error.to_string())
    }
}

impl From<S3Fault> for Fault {
    fn from(fault: S3Fault) -> Self {
        let (code, status, message) = fault.parts();
        Fault::new(code, message).status(status)
    }
}

impl From<S3Fault> for s3s::S3Error {
    fn from(fault: S3Fault) -> Self {
        let (code, status, message) = fault.parts();
        let code = s3s::S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(s3s::S3ErrorCode::InternalError);
        let mut error = s3s::S3Error::with_message(code, message);
        if let Ok(status) = http::StatusCode::from_u16(status) {
            error.set_status_code(status);
        }
        let mut headers = http::HeaderMap::new();
        match &fault {
            S3Fault::Deleted { version } | S3Fault::IsDeleteMarker { version } => {
                headers.insert("x-amz-delete-marker", http::HeaderValue::from_static("true"));
                if let Ok(version) = version.parse() {
                    headers.insert("x-amz-version-id", version);
                }
            }
            S3Fault::InvalidRange { size } => {
                if let Ok(range) = format!("bytes */{size}").parse() {
                    headers.insert(http::header::CONTENT_RANGE, range);
                }
            }
            _ => {}
        }
        if !headers.is_empty() {
            headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
            error.set_headers(headers);
        }
        error
    }
}
