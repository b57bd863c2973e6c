//! Buckets and their configuration, for callers inside the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use s3s::dto;

use crate::call::Call;
use crate::fault::Fault;
use crate::service::asks_for_nothing;

use super::super::S3;
use super::super::configuration::{self, Kind, Logging, Ownership};
use super::super::faults::S3Fault;
use super::super::protocol::settings;
use super::super::store::NewBucket;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct CreateBucket {
    bucket: String,
    #[serde(default)]
    create_bucket_configuration: Option<BucketConfiguration>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BucketConfiguration {
    #[serde(default)]
    location_constraint: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Named {
    bucket: String,
}

pub(super) async fn create(s3: Arc<S3>, call: &Call, input: CreateBucket) -> Result<Value, Fault> {
    let wanted = input.create_bucket_configuration.unwrap_or_default();
    let region = wanted.location_constraint.unwrap_or_else(|| call.scope.region.clone());
    let mut configurations = configuration::defaults();
    insert_tags(&mut configurations, wanted.tags);
    let location = format!("/{}", input.bucket);
    let new = NewBucket { name: input.bucket, region, configurations };
    s3.blocking(move |store| store.create_bucket(new)).await?;
    Ok(json!({"Location": location}))
}

fn insert_tags(configurations: &mut BTreeMap<String, Value>, tags: Vec<Tag>) {
    if !tags.is_empty() {
        let tags: Vec<(String, String)> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
        configurations.insert(Kind::Tagging.name().into(), json!(tags));
    }
}

pub(super) async fn delete(s3: Arc<S3>, _call: &Call, input: Named) -> Result<Value, Fault> {
    s3.blocking(move |store| store.delete_bucket(&input.bucket)).await?;
    Ok(json!({}))
}

pub(super) async fn head(s3: Arc<S3>, _call: &Call, input: Named) -> Result<Value, Fault> {
    let bucket = s3.store.bucket(&input.bucket)?;
    let region = bucket.read().region.clone();
    Ok(json!({"BucketRegion": region}))
}

pub(super) async fn get_policy(s3: Arc<S3>, _call: &Call, input: Named) -> Result<Value, Fault> {
    let policy: String = configuration::get(&*s3.store.bucket(&input.bucket)?, Kind::Policy)?;
    Ok(json!({"Policy": policy}))
}

pub(super) async fn get_tagging(s3: Arc<S3>, _call: &Call, input: Named) -> Result<Value, Fault> {
    let tags = settings::tags_of(&*s3.store.bucket(&input.bucket)?);
    if tags.is_empty() {
        return Err(Kind::Tagging.missing().into());
    }
    let set: Vec<Tag> = tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(json!({"TagSet": set}))
}

/// The member that carries the document, and what the document is.
fn member_of(operation: &str) -> Result<(&'static str, Kind), Fault> {
    Ok(match operation {
        "PutBucketVersioning" => ("VersioningConfiguration", Kind::Versioning),
        "PutBucketEncryption" | "DeleteBucketEncryption" => ("ServerSideEncryptionConfiguration", Kind::Encryption),
        "PutBucketPolicy" | "DeleteBucketPolicy" => ("Policy", Kind::Policy),
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => {
            ("PublicAccessBlockConfiguration", Kind::PublicAccessBlock)
        }
        "PutBucketTagging" | "DeleteBucketTagging" => ("Tagging", Kind::Tagging),
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => ("LifecycleConfiguration", Kind::Lifecycle),
        "PutBucketOwnershipControls" | "DeleteBucketOwnershipControls" => ("OwnershipControls", Kind::Ownership),
        "PutBucketCors" | "DeleteBucketCors" => ("CORSConfiguration", Kind::Cors),
        "PutBucketLogging" => ("BucketLoggingStatus", Kind::Logging),
        other => return Err(Fault::unsupported_operation("s3", other)),
    })
}

pub(super) async fn put_document(s3: Arc<S3>, call: &Call, input: Value) -> Result<Value, Fault> {
    let (member, kind) = member_of(&call.operation)?;
    let members = input.as_object().ok_or(S3Fault::MalformedXml)?;
    let is_unknown =
        |(name, value): &(&String, &Value)| *name != "Bucket" && *name != member && !asks_for_nothing(value);
    if let Some((unknown, _)) = members.iter().find(is_unknown) {
        return Err(Fault::unsupported(format!("the parameter {unknown} of {}", call.operation)));
    }
    let name = members.get("Bucket").and_then(Value::as_str).ok_or(S3Fault::InvalidBucketName)?;
    let bucket = s3.store.bucket(name)?;
    let document = members.get(member).ok_or(S3Fault::MalformedXml)?;
    let document = checked(&s3, &bucket, (member, kind), document)?;
    s3.blocking(move |_| configuration::set(&bucket, kind, &document)).await?;
    Ok(json!({}))
}

/// The document in the form that is kept, after the checks that the wire makes.
fn checked(
    s3: &S3,
    bucket: &super::super::bucket::Bucket,
    (member, kind): (&str, Kind),
    model: &Value,
) -> Result<Value, Fault> {
    let kept = match kind {
        Kind::Versioning => {
            let wanted: dto::VersioningConfiguration = configuration::from_model(model, member)?;
            settings::check_versioning(&wanted)?;
            serde_json::to_value(wanted)
        }
        Kind::Encryption => {
            let wanted: dto::ServerSideEncryptionConfiguration = configuration::from_model(model, member)?;
            settings::check_encryption(&wanted)?;
            serde_json::to_value(wanted)
        }
        Kind::Policy => {
            let text = model.as_str().map_or_else(|| model.to_string(), str::to_owned);
            settings::check_policy(bucket, &text)?;
            serde_json::to_value(text)
        }
        Kind::PublicAccessBlock => {
            let wanted: dto::PublicAccessBlockConfiguration = configuration::from_model(model, member)?;
            serde_json::to_value(settings::whole_access_block(&wanted))
        }
        Kind::Ownership => {
            let wanted: Ownership = configuration::from_model(model, member)?;
            settings::check_ownership(&wanted)?;
            serde_json::to_value(wanted)
        }
        Kind::Tagging => {
            let tags: Vec<Tag> = serde_json::from_value(model.get("TagSet").cloned().unwrap_or_default())
                .map_err(|error| Fault::new("MalformedXML", error.to_string()))?;
            serde_json::to_value(tags.into_iter().map(|tag| (tag.key, tag.value)).collect::<Vec<_>>())
        }
        Kind::Lifecycle => {
            let mut wanted: dto::BucketLifecycleConfiguration = configuration::from_model(model, member)?;
            settings::check_lifecycle(&s3.store, &mut wanted)?;
            serde_json::to_value(wanted)
        }
        Kind::Cors => serde_json::to_value(configuration::from_model::<dto::CORSConfiguration>(model, member)?),
        Kind::Logging => {
            let wanted: Logging = configuration::from_model(model, member)?;
            if let Some(target) = &wanted.logging_enabled {
                settings::check_log_target(&s3.store, &target.target_bucket)?;
            }
            serde_json::to_value(wanted)
        }
    };
    kept.map_err(Fault::internal)
}

pub(super) async fn delete_document(s3: Arc<S3>, call: &Call, input: Named) -> Result<Value, Fault> {
    let (_, kind) = member_of(&call.operation)?;
    let bucket = s3.store.bucket(&input.bucket)?;
    s3.blocking(move |_| configuration::remove(&bucket, kind)).await?;
    Ok(json!({}))
}
