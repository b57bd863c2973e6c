//! Buckets on the wire.

use std::sync::Arc;

use s3s::{S3Request, dto};
use serde_json::json;

use super::super::configuration::{self, Kind};
use super::super::faults::S3Fault;
use super::super::store::{NewBucket, Store};
use super::convert::{blocking, owner, owner_grants, refuse, tags, timestamp};

/// The region of a request that nothing places: AWS's own default endpoint.
pub(super) const DEFAULT_REGION: &str = "us-east-1";

pub(super) async fn create(
    store: &Arc<Store>,
    request: S3Request<dto::CreateBucketInput>,
) -> Result<dto::CreateBucketOutput, S3Fault> {
    let region = request.region.as_ref().map_or(DEFAULT_REGION, |region| region.as_str()).to_owned();
    let input = request.input;
    let wanted = input.create_bucket_configuration.unwrap_or_default();
    refuse(&[
        ("object lock (CreateBucket.ObjectLockEnabledForBucket)", input.object_lock_enabled_for_bucket == Some(true)),
        ("directory buckets (CreateBucketConfiguration.Bucket)", wanted.bucket.is_some() || wanted.location.is_some()),
    ])?;
    if let Some(location) = &wanted.location_constraint {
        let location = if location.as_str() == "EU" { "eu-west-1" } else { location.as_str() };
        if location != region {
            return Err(S3Fault::IllegalLocation { wanted: location.into(), region });
        }
    } else if region != DEFAULT_REGION {
        return Err(S3Fault::IllegalLocation { wanted: "unspecified".into(), region });
    }
    let ownership =
        input.object_ownership.as_ref().map_or("BucketOwnerEnforced", |ownership| ownership.as_str()).to_owned();
    match input.acl.as_ref().map(|acl| acl.as_str()) {
        None | Some("private") => {}
        Some(_) if ownership == "BucketOwnerEnforced" => {
            return Err(S3Fault::InvalidRequest(
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting".into(),
            ));
        }
        Some(acl) => return Err(S3Fault::NotSupported(format!("the bucket ACL {acl}"))),
    }
    let grants = [
        &input.grant_full_control,
        &input.grant_read,
        &input.grant_read_acp,
        &input.grant_write,
        &input.grant_write_acp,
    ];
    refuse(&[("grants in ACLs (x-amz-grant-*)", grants.iter().any(|grant| grant.is_some()))])?;
    let mut configurations = configuration::defaults();
    configurations.insert(Kind::Ownership.name().into(), json!({"rules": [{"object_ownership": ownership}]}));
    let location = format!("/{}", input.bucket);
    let (store, new) = (store.clone(), NewBucket { name: input.bucket, region, configurations });
    blocking(move || store.create_bucket(new)).await?;
    Ok(dto::CreateBucketOutput { location: Some(location) })
}

pub(super) async fn delete(
    store: &Arc<Store>,
    request: S3Request<dto::DeleteBucketInput>,
) -> Result<dto::DeleteBucketOutput, S3Fault> {
    let (store, name) = (store.clone(), request.input.bucket);
    blocking(move || store.delete_bucket(&name)).await?;
    Ok(dto::DeleteBucketOutput::default())
}

pub(super) async fn head(
    store: &Arc<Store>,
    request: S3Request<dto::HeadBucketInput>,
) -> Result<dto::HeadBucketOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let region = bucket.read().region.clone();
    Ok(dto::HeadBucketOutput { bucket_region: Some(region), ..Default::default() })
}

pub(super) async fn list(
    store: &Arc<Store>,
    request: S3Request<dto::ListBucketsInput>,
) -> Result<dto::ListBucketsOutput, S3Fault> {
    let input = request.input;
    let prefix = input.prefix.clone().unwrap_or_default();
    let limit = input.max_buckets.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(0));
    if limit == 0 || (input.max_buckets.is_some() && limit > 10_000) {
        return Err(S3Fault::InvalidArgument("Argument max-buckets must be an integer between 1 and 10000".into()));
    }
    let mut buckets = Vec::new();
    let mut continuation_token = None;
    for bucket in store.buckets() {
        let index = bucket.read();
        let after = input.continuation_token.as_deref().is_none_or(|token| bucket.name.as_str() > token);
        let here = input.bucket_region.as_deref().is_none_or(|region| region == index.region);
        if !after || !here || !bucket.name.starts_with(&prefix) {
            continue;
        }
        if buckets.len() == limit {
            continuation_token = buckets.last().and_then(|last: &dto::Bucket| last.name.clone());
            break;
        }
        buckets.push(dto::Bucket {
            name: Some(bucket.name.clone()),
            creation_date: Some(timestamp(index.created)),
            bucket_region: Some(index.region.clone()),
        });
    }
    Ok(dto::ListBucketsOutput {
        buckets: Some(buckets),
        owner: Some(owner()),
        continuation_token,
        prefix: input.prefix,
    })
}

pub(super) async fn location(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketLocationInput>,
) -> Result<dto::GetBucketLocationOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let region = bucket.read().region.clone();
    let location_constraint = (region != DEFAULT_REGION).then(|| region.into());
    Ok(dto::GetBucketLocationOutput { location_constraint })
}

pub(super) async fn acl(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketAclInput>,
) -> Result<dto::GetBucketAclOutput, S3Fault> {
    store.bucket(&request.input.bucket)?;
    Ok(dto::GetBucketAclOutput { grants: Some(owner_grants()), owner: Some(owner()) })
}

/// Only what changes nothing is accepted: ACLs are off, or hold the owner's grant alone.
pub(super) async fn put_acl(
    store: &Arc<Store>,
    request: S3Request<dto::PutBucketAclInput>,
) -> Result<dto::PutBucketAclOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    if configuration::owner_enforced(&bucket.read()) {
        return Err(S3Fault::AclNotSupported);
    }
    match request.input.acl.as_ref().map(|acl| acl.as_str()) {
        Some("private") => Ok(dto::PutBucketAclOutput::default()),
        Some(acl) => Err(S3Fault::NotSupported(format!("the bucket ACL {acl}"))),
        None => Err(S3Fault::NotSupported("grants in bucket ACLs (PutBucketAcl.AccessControlPolicy)".into())),
    }
}

/// Reads bucket tags; the ones that AWS's services set stay.
pub(super) fn bucket_tags(set: Vec<dto::Tag>) -> Result<Vec<(String, String)>, S3Fault> {
    tags(set, 50)
}
