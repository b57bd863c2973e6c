//! Who may: signed callers by the home's keys, anonymous ones by the bucket's policy.

use std::sync::Arc;

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::path::S3Path;
use s3s::{S3Result, s3_error};
use serde_json::Value;

use crate::cloud::Cloud;
use crate::credentials::Rejected;

use super::super::configuration::{Kind, blocks};
use super::super::policy;
use super::super::store::Store;

tokio::task_local! {
    /// The session token of the request being answered: the crate asks for a key's secret by its id alone.
    pub(in super::super) static TOKEN: Option<String>;
}

/// The session token of a request, from its header or (presigned) its query.
pub(in super::super) fn session_token<B>(request: &http::Request<B>) -> Option<String> {
    if let Some(header) = request.headers().get("x-amz-security-token") {
        return header.to_str().ok().map(str::to_owned);
    }
    let value = request.uri().query()?.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Security-Token="))?;
    percent_encoding::percent_decode_str(value).decode_utf8().ok().map(|text| text.into_owned())
}

pub(in super::super) struct Auth(pub(in super::super) Arc<Cloud>);

#[async_trait::async_trait]
impl S3Auth for Auth {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let token = TOKEN.try_with(Clone::clone).ok().flatten();
        match self.0.credentials.identify(access_key, token.as_deref(), self.0.clock.now()) {
            Ok(identity) => Ok(SecretKey::from(identity.secret.expose())),
            Err(Rejected::Expired) => Err(s3_error!(ExpiredToken, "The provided token has expired.")),
            Err(Rejected::Unknown) if token.is_some() => {
                Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."))
            }
            Err(Rejected::Unknown) => {
                Err(s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records."))
            }
        }
    }
}

pub(in super::super) struct Access(pub(in super::super) Arc<Store>);

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_some() || self.is_public(cx) {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "Access Denied"))
    }
}

impl Access {
    /// Whether the bucket's policy lets everybody do this, and the public access block lets policies do so.
    fn is_public(&self, cx: &S3AccessContext<'_>) -> bool {
        let versioned =
            cx.uri().query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("versionId=")));
        let action = match (cx.s3_op().name(), versioned) {
            ("GetObject" | "HeadObject", false) => "s3:GetObject",
            ("GetObject" | "HeadObject", true) => "s3:GetObjectVersion",
            ("ListObjects" | "ListObjectsV2" | "HeadBucket", _) => "s3:ListBucket",
            _ => return false,
        };
        let resource = match cx.s3_path() {
            S3Path::Root => return false,
            S3Path::Bucket { bucket } => format!("arn:aws:s3:::{bucket}"),
            S3Path::Object { bucket, key } => format!("arn:aws:s3:::{bucket}/{key}"),
        };
        let bucket = cx.s3_path().get_bucket_name().and_then(|name| self.0.bucket(name).ok());
        let Some(bucket) = bucket else { return false };
        let index = bucket.read();
        let text = index.configurations.get(Kind::Policy.name()).and_then(Value::as_str);
        let policy = text.and_then(|text| serde_json::from_str::<Value>(text).ok());
        !blocks(&index, "restrict_public_buckets")
            && policy.is_some_and(|policy| policy::lets_anonymous(&policy, action, &resource))
    }
}
