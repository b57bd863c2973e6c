//! What the index remembers: versions of objects, uploads in parts, and the journal's entries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;

use super::checksum::Checksum;

/// The version id of objects made without versioning.
pub(super) const NULL_VERSION: &str = "null";

/// One version of one key: content, or a delete marker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Version {
    pub id: String,
    pub modified: Timestamp,
    /// `None`: a delete marker.
    pub content: Option<Content>,
}

/// A version's bytes (as a file) and what is known of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Content {
    /// The file's name in the bucket's directory.
    pub file: String,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    #[serde(default)]
    pub checksum: Option<Checksum>,
    /// Sizes of the parts of a multipart upload, for `partNumber` and `GetObjectAttributes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<CompletedPart>,
    #[serde(flatten)]
    pub attributes: Attributes,
}

/// What the client said about an object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Attributes {
    /// `content-type`, `cache-control`, … under their header names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// `x-amz-meta-*` without the prefix.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
    /// `None`: STANDARD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
}

/// The server-side encryption that the object is said to have. Nothing is encrypted here: the disk is the user's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Encryption {
    /// `AES256`, `aws:kms`, `aws:kms:dsse`.
    pub algorithm: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default)]
    pub bucket_key: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CompletedPart {
    pub number: u32,
    pub size: u64,
    #[serde(default)]
    pub checksum: Option<Checksum>,
}

/// An upload in parts that is neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Upload {
    pub id: String,
    pub key: String,
    pub initiated: Timestamp,
    /// The checksum that the client asked for; `None`: S3's default.
    pub algorithm: Option<super::checksum::Algorithm>,
    pub kind: Option<super::checksum::Kind>,
    pub attributes: Attributes,
    #[serde(default)]
    pub parts: BTreeMap<u32, UploadedPart>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct UploadedPart {
    pub file: String,
    pub size: u64,
    pub etag: String,
    pub checksum: Option<Checksum>,
    pub modified: Timestamp,
}

/// One line of a bucket's journal. Replaying the lines in order gives the bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Entry {
    /// Always the first line.
    Bucket {
        created: Timestamp,
        region: String,
    },
    /// A configuration document set, or removed (`null`).
    Configuration {
        name: String,
        document: Value,
    },
    /// A new latest version. With the id `null` it takes the place of an earlier `null` version.
    Put {
        key: String,
        version: Version,
    },
    /// Removes one version for good.
    Drop {
        key: String,
        id: String,
    },
    /// The same version with other tags.
    Change {
        key: String,
        version: Version,
    },
    Upload(Upload),
    Part {
        upload: String,
        number: u32,
        part: UploadedPart,
    },
    Complete {
        upload: String,
        key: String,
        version: Version,
    },
    Abort {
        upload: String,
    },
}
