//! The five checksums that S3 keeps beside an object.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use serde::{Deserialize, Serialize};

use super::faults::S3Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// What a checksum is taken over: all bytes, or the checksums of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    FullObject,
    Composite,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksum {
    pub algorithm: Algorithm,
    pub kind: Kind,
    /// Base64, with `-<parts>` behind a composite one.
    pub value: String,
}

impl Algorithm {
    pub(super) const ALL: [Algorithm; 5] =
        [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

    /// AWS's name, as in `x-amz-checksum-algorithm`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Crc32c => "CRC32C",
            Algorithm::Crc64Nvme => "CRC64NVME",
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
        }
    }

    /// The header that carries a value.
    pub(super) const fn header(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "x-amz-checksum-crc32",
            Algorithm::Crc32c => "x-amz-checksum-crc32c",
            Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Algorithm::Sha1 => "x-amz-checksum-sha1",
            Algorithm::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, S3Fault> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or_else(|| {
            S3Fault::InvalidRequest(format!(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                 [CRC32, CRC32C, CRC64NVME, SHA1, SHA256] (got {name})"
            ))
        })
    }

    /// A fresh hasher of this kind.
    pub(super) fn hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        match self {
            Algorithm::Crc32 => hasher.crc32 = Some(s3s::crypto::Crc32::new()),
            Algorithm::Crc32c => hasher.crc32c = Some(s3s::crypto::Crc32c::new()),
            Algorithm::Crc64Nvme => hasher.crc64nvme = Some(s3s::crypto::Crc64Nvme::new()),
            Algorithm::Sha1 => hasher.sha1 = Some(s3s::crypto::Sha1::new()),
            Algorithm::Sha256 => hasher.sha256 = Some(s3s::crypto::Sha256::new()),
        }
        hasher
    }

    /// The checksum over the parts' checksums: `<base64>-<parts>`.
    pub(super) fn composite(self, parts: &[&Checksum]) -> Checksum {
        let mut hasher = self.hasher();
        for part in parts {
            hasher.update(&BASE64_STANDARD.decode(&part.value).unwrap_or_default());
        }
        let value = value_of(self, hasher.finalize());
        Checksum { algorithm: self, kind: Kind::Composite, value: format!("{value}-{}", parts.len()) }
    }
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::FullObject => "FULL_OBJECT",
            Kind::Composite => "COMPOSITE",
        }
    }

    pub(super) fn parse(name: &str) -> Result<Self, S3Fault> {
        match name {
            "FULL_OBJECT" => Ok(Kind::FullObject),
            "COMPOSITE" => Ok(Kind::Composite),
            other => Err(S3Fault::InvalidRequest(format!("Value for x-amz-checksum-type header is invalid: {other}"))),
        }
    }
}

/// The value of `algorithm` among those that were computed.
pub(super) fn value_of(algorithm: Algorithm, computed: s3s::dto::Checksum) -> String {
    match algorithm {
        Algorithm::Crc32 => computed.checksum_crc32,
        Algorithm::Crc32c => computed.checksum_crc32c,
        Algorithm::Crc64Nvme => computed.checksum_crc64nvme,
        Algorithm::Sha1 => computed.checksum_sha1,
        Algorithm::Sha256 => computed.checksum_sha256,
    }
    .unwrap_or_default()
}
