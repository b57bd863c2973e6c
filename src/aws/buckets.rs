//! S3 in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, Delete, ObjectIdentifier, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Tag, Tagging,
};

/// Where a put object's SHA-256 is kept, to be compared without reading the object.
const DIGEST: &str = "labctl-sha256";

/// One version of an object, or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectVersion {
    pub key: String,
    pub version: Option<String>,
}

impl Aws {
    pub async fn bucket_exists(&self, bucket: &str) -> Result<bool, AwsError> {
        match self.s3().head_bucket().bucket(bucket).send().await.map_err(AwsError::of("s3:HeadBucket")) {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a bucket that is encrypted, private and tagged. One that is there already (and ours) is as good.
    pub async fn create_bucket(&self, bucket: &str, tags: &[(&str, &str)]) -> Result<(), AwsError> {
        let region = self.target().region.as_str();
        // us-east-1 is the one region that must not be named.
        let place = (region != "us-east-1").then(|| {
            CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build()
        });
        let made = self.s3().create_bucket().bucket(bucket).set_create_bucket_configuration(place).send().await;
        match made.map_err(AwsError::of("s3:CreateBucket")) {
            Err(error) if !error.is("BucketAlreadyOwnedByYou") => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .block_public_policy(true)
            .ignore_public_acls(true)
            .restrict_public_buckets(true)
            .build();
        let request = self.s3().put_public_access_block().bucket(bucket).public_access_block_configuration(block);
        request.send().await.map_err(AwsError::of("s3:PutPublicAccessBlock"))?;
        self.encrypt_bucket(bucket).await?;
        self.tag_bucket(bucket, tags).await
    }

    async fn encrypt_bucket(&self, bucket: &str) -> Result<(), AwsError> {
        let incomplete = |_| AwsError::Incomplete { operation: "s3:PutBucketEncryption", missing: "rules" };
        let by_default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build();
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(by_default.map_err(incomplete)?)
            .build();
        let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(incomplete)?;
        let request = self.s3().put_bucket_encryption().bucket(bucket).server_side_encryption_configuration(rules);
        request.send().await.map(drop).map_err(AwsError::of("s3:PutBucketEncryption"))
    }

    async fn tag_bucket(&self, bucket: &str, tags: &[(&str, &str)]) -> Result<(), AwsError> {
        let incomplete = |_| AwsError::Incomplete { operation: "s3:PutBucketTagging", missing: "tags" };
        let mut tagging = Tagging::builder();
        for (key, value) in tags {
            tagging = tagging.tag_set(Tag::builder().key(*key).value(*value).build().map_err(incomplete)?);
        }
        let request = self.s3().put_bucket_tagging().bucket(bucket).tagging(tagging.build().map_err(incomplete)?);
        request.send().await.map(drop).map_err(AwsError::of("s3:PutBucketTagging"))
    }

    pub async fn object_exists(&self, bucket: &str, key: &str) -> Result<bool, AwsError> {
        match self.s3().head_object().bucket(bucket).key(key).send().await.map_err(AwsError::of("s3:HeadObject")) {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The SHA-256 that `put_object` left with an object, in hex.
    pub async fn object_digest(&self, bucket: &str, key: &str) -> Result<Option<String>, AwsError> {
        match self.s3().head_object().bucket(bucket).key(key).send().await.map_err(AwsError::of("s3:HeadObject")) {
            Ok(head) => Ok(head.metadata().and_then(|metadata| metadata.get(DIGEST)).cloned()),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn put_object(&self, bucket: &str, key: &str, bytes: Vec<u8>, digest: &str) -> Result<(), AwsError> {
        let request = self.s3().put_object().bucket(bucket).key(key).metadata(DIGEST, digest);
        let request = request.body(ByteStream::from(bytes));
        request.send().await.map(drop).map_err(AwsError::of("s3:PutObject"))
    }

    pub async fn delete_object(&self, bucket: &str, key: &str) -> Result<(), AwsError> {
        let request = self.s3().delete_object().bucket(bucket).key(key);
        request.send().await.map(drop).map_err(AwsError::of("s3:DeleteObject"))
    }

    pub async fn object_keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self.s3().list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("s3:ListObjectsV2"))?;
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        Ok(keys)
    }

    /// Removes every object, version and delete marker; gives their number. A bucket that is gone is empty.
    pub async fn empty_bucket(&self, bucket: &str) -> Result<usize, AwsError> {
        let mut removed = 0;
        loop {
            let batch = match self.object_versions(bucket).await {
                Err(error) if is_missing(&error) => return Ok(removed),
                answer => answer?,
            };
            if batch.is_empty() {
                return Ok(removed);
            }
            removed += batch.len();
            self.delete_versions(bucket, batch).await?;
        }
    }

    /// Up to a thousand of what is in a bucket, as many as one request can delete.
    async fn object_versions(&self, bucket: &str) -> Result<Vec<ObjectVersion>, AwsError> {
        let sent = self.s3().list_object_versions().bucket(bucket).max_keys(1000).send().await;
        let answer = sent.map_err(AwsError::of("s3:ListObjectVersions"))?;
        let versions = answer.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = answer.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        Ok(versions
            .chain(markers)
            .filter_map(|(key, version)| {
                Some(ObjectVersion { key: key?.to_owned(), version: version.map(str::to_owned) })
            })
            .collect())
    }

    async fn delete_versions(&self, bucket: &str, batch: Vec<ObjectVersion>) -> Result<(), AwsError> {
        const OPERATION: &str = "s3:DeleteObjects";
        let incomplete = |_| AwsError::Incomplete { operation: OPERATION, missing: "objects" };
        let mut delete = Delete::builder().quiet(true);
        for ObjectVersion { key, version } in batch {
            let object = ObjectIdentifier::builder().key(key).set_version_id(version).build().map_err(incomplete)?;
            delete = delete.objects(object);
        }
        let request = self.s3().delete_objects().bucket(bucket).delete(delete.build().map_err(incomplete)?);
        let answer = request.send().await.map_err(AwsError::of(OPERATION))?;
        match answer.errors().first() {
            Some(error) => Err(AwsError::Fault {
                operation: OPERATION,
                code: error.code().unwrap_or("Unknown").to_owned(),
                message: format!("{}: {}", error.key().unwrap_or_default(), error.message().unwrap_or_default()),
                request_id: None,
            }),
            None => Ok(()),
        }
    }

    pub async fn delete_bucket(&self, bucket: &str) -> Result<(), AwsError> {
        match self.s3().delete_bucket().bucket(bucket).send().await.map_err(AwsError::of("s3:DeleteBucket")) {
            Err(error) if !is_missing(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The names of the account's buckets that begin with `prefix`.
    pub async fn buckets(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let answer = self.s3().list_buckets().send().await.map_err(AwsError::of("s3:ListBuckets"))?;
        let names = answer.buckets().iter().filter_map(|bucket| bucket.name());
        Ok(names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
    }
}

/// HEAD answers have no body, so the SDK makes up `NotFound` for them.
fn is_missing(error: &AwsError) -> bool {
    matches!(error.code(), Some("NotFound" | "NoSuchBucket" | "NoSuchKey"))
}
