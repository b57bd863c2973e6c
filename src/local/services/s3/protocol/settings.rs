//! A bucket's configuration on the wire.

use std::sync::Arc;

use s3s::{S3Request, dto};
use serde::Serialize;
use serde_json::Value;

use super::super::bucket::Bucket;
use super::super::configuration::{self, Kind, Lifecycle, LogTarget, Logging, Ownership, OwnershipRule, blocks};
use super::super::faults::S3Fault;
use super::super::policy as policies;
use super::super::store::Store;
use super::buckets::bucket_tags;
use super::convert::{blocking, refuse, tag_set};

async fn set<T: Serialize + Send + 'static>(
    store: &Store,
    bucket: &str,
    kind: Kind,
    document: T,
) -> Result<(), S3Fault> {
    let bucket = store.bucket(bucket)?;
    blocking(move || configuration::set(&bucket, kind, &document)).await
}

async fn remove(store: &Store, bucket: &str, kind: Kind) -> Result<(), S3Fault> {
    let bucket = store.bucket(bucket)?;
    blocking(move || configuration::remove(&bucket, kind)).await
}

/// A document that may be absent without being an error.
fn optional<T: serde::de::DeserializeOwned>(bucket: &Bucket, kind: Kind) -> Result<Option<T>, S3Fault> {
    match configuration::get(bucket, kind) {
        Err(S3Fault::NotConfigured { .. }) => Ok(None),
        other => other.map(Some),
    }
}

pub(super) async fn versioning(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketVersioningInput>,
) -> Result<dto::GetBucketVersioningOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let held: Option<dto::VersioningConfiguration> = optional(&bucket, Kind::Versioning)?;
    Ok(dto::GetBucketVersioningOutput { status: held.and_then(|held| held.status), ..Default::default() })
}

/// Refuses what [`put_versioning`] and the in-process operation do not do.
pub(in super::super) fn check_versioning(wanted: &dto::VersioningConfiguration) -> Result<(), S3Fault> {
    refuse(&[(
        "MFA delete (VersioningConfiguration.MFADelete)",
        wanted.mfa_delete.as_ref().is_some_and(|mfa| mfa.as_str() == "Enabled"),
    )])?;
    match wanted.status.as_ref().map(|status| status.as_str()) {
        Some("Enabled" | "Suspended") => Ok(()),
        _ => Err(S3Fault::MalformedXml),
    }
}

pub(super) async fn put_versioning(
    store: &Arc<Store>,
    request: S3Request<dto::PutBucketVersioningInput>,
) -> Result<dto::PutBucketVersioningOutput, S3Fault> {
    check_versioning(&request.input.versioning_configuration)?;
    set(store, &request.input.bucket, Kind::Versioning, request.input.versioning_configuration).await?;
    Ok(dto::PutBucketVersioningOutput::default())
}

pub(super) async fn encryption(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketEncryptionInput>,
) -> Result<dto::GetBucketEncryptionOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let held = optional(&bucket, Kind::Encryption)?.unwrap_or_else(|| dto::ServerSideEncryptionConfiguration {
        rules: vec![dto::ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(dto::ServerSideEncryptionByDefault {
                kms_master_key_id: None,
                sse_algorithm: dto::ServerSideEncryption::from_static(dto::ServerSideEncryption::AES256),
            }),
            bucket_key_enabled: Some(false),
        }],
    });
    Ok(dto::GetBucketEncryptionOutput { server_side_encryption_configuration: Some(held) })
}

pub(in super::super) fn check_encryption(wanted: &dto::ServerSideEncryptionConfiguration) -> Result<(), S3Fault> {
    let [rule] = wanted.rules.as_slice() else { return Err(S3Fault::MalformedXml) };
    let Some(default) = &rule.apply_server_side_encryption_by_default else { return Ok(()) };
    match (default.sse_algorithm.as_str(), &default.kms_master_key_id) {
        ("AES256", Some(_)) => Err(S3Fault::InvalidArgument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse".into(),
        )),
        ("AES256" | "aws:kms" | "aws:kms:dsse", _) => Ok(()),
        _ => Err(S3Fault::MalformedXml),
    }
}

pub(super) async fn put_encryption(
    store: &Arc<Store>,
    request: S3Request<dto::PutBucketEncryptionInput>,
) -> Result<dto::PutBucketEncryptionOutput, S3Fault> {
    check_encryption(&request.input.server_side_encryption_configuration)?;
    set(store, &request.input.bucket, Kind::Encryption, request.input.server_side_encryption_configuration).await?;
    Ok(dto::PutBucketEncryptionOutput::default())
}

pub(super) async fn delete_encryption(
    store: &Arc<Store>,
    request: S3Request<dto::DeleteBucketEncryptionInput>,
) -> Result<dto::DeleteBucketEncryptionOutput, S3Fault> {
    remove(store, &request.input.bucket, Kind::Encryption).await?;
    Ok(dto::DeleteBucketEncryptionOutput::default())
}

pub(super) async fn policy(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketPolicyInput>,
) -> Result<dto::GetBucketPolicyOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    Ok(dto::GetBucketPolicyOutput { policy: Some(configuration::get(&bucket, Kind::Policy)?) })
}

pub(super) async fn policy_status(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketPolicyStatusInput>,
) -> Result<dto::GetBucketPolicyStatusOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let text: String = configuration::get(&bucket, Kind::Policy)?;
    let is_public = policies::is_public(&policies::parse(&text, &bucket.name)?)
        && !blocks(&bucket.read(), "restrict_public_buckets");
    Ok(dto::GetBucketPolicyStatusOutput { policy_status: Some(dto::PolicyStatus { is_public: Some(is_public) }) })
}

/// Refuses a policy that S3 would refuse, and a public one where those are blocked.
pub(in super::super) fn check_policy(bucket: &Bucket, text: &str) -> Result<(), S3Fault> {
    let policy = policies::parse(text, &bucket.name)?;
    if policies::is_public(&policy) && blocks(&bucket.read(), "block_public_policy") {
        return Err(S3Fault::AccessDenied(format!(
            "User: arn:aws:iam::000000000000:root is not authorized to perform: s3:PutBucketPolicy on resource: \
             \"arn:aws:s3:::{}\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
            bucket.name
        )));
    }
    Ok(())
}

pub(super) async fn put_policy(
    store: &Arc<Store>,
    request: S3Request<dto::PutBucketPolicyInput>,
) -> Result<dto::PutBucketPolicyOutput, S3Fault> {
    check_policy(&*store.bucket(&request.input.bucket)?, &request.input.policy)?;
    set(store, &request.input.bucket, Kind::Policy, request.input.policy).await?;
    Ok(dto::PutBucketPolicyOutput::default())
}

pub(super) async fn delete_policy(
    store: &Arc<Store>,
    request: S3Request<dto::DeleteBucketPolicyInput>,
) -> Result<dto::DeleteBucketPolicyOutput, S3Fault> {
    remove(store, &request.input.bucket, Kind::Policy).await?;
    Ok(dto::DeleteBucketPolicyOutput::default())
}

pub(super) async fn access_block(
    store: &Arc<Store>,
    request: S3Request<dto::GetPublicAccessBlockInput>,
) -> Result<dto::GetPublicAccessBlockOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let held = configuration::get(&bucket, Kind::PublicAccessBlock)?;
    Ok(dto::GetPublicAccessBlockOutput { public_access_block_configuration: Some(held) })
}

/// What is not said is off.
pub(in super::super) fn whole_access_block(
    wanted: &dto::PublicAccessBlockConfiguration,
) -> dto::PublicAccessBlockConfiguration {
    dto::PublicAccessBlockConfiguration {
        block_public_acls: Some(wanted.block_public_acls.unwrap_or(false)),
        block_public_policy: Some(wanted.block_public_policy.unwrap_or(false)),
        ignore_public_acls: Some(wanted.ignore_public_acls.unwrap_or(false)),
        restrict_public_buckets: Some(wanted.restrict_public_buckets.unwrap_or(false)),
    }
}

pub(super) async fn put_access_block(
    store: &Arc<Store>,
    request: S3Request<dto::PutPublicAccessBlockInput>,
) -> Result<dto::PutPublicAccessBlockOutput, S3Fault> {
    let whole = whole_access_block(&request.input.public_access_block_configuration);
    set(store, &request.input.bucket, Kind::PublicAccessBlock, whole).await?;
    Ok(dto::PutPublicAccessBlockOutput::default())
}

pub(super) async fn delete_access_block(
    store: &Arc<Store>,
    request: S3Request<dto::DeletePublicAccessBlockInput>,
) -> Result<dto::DeletePublicAccessBlockOutput, S3Fault> {
    remove(store, &request.input.bucket, Kind::PublicAccessBlock).await?;
    Ok(dto::DeletePublicAccessBlockOutput::default())
}

pub(super) async fn ownership(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketOwnershipControlsInput>,
) -> Result<dto::GetBucketOwnershipControlsOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let held: Ownership = configuration::get(&bucket, Kind::Ownership)?;
    let rules = held
        .rules
        .into_iter()
        .map(|rule| dto::OwnershipControlsRule { object_ownership: rule.object_ownership.into() });
    let controls = dto::OwnershipControls { rules: rules.collect() };
    Ok(dto::GetBucketOwnershipControlsOutput { ownership_controls: Some(controls) })
}

pub(in super::super) fn check_ownership(wanted: &Ownership) -> Result<(), S3Fault> {
    match wanted.rules.as_slice() {
        [rule]
            if ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"]
                .contains(&rule.object_ownership.as_str()) =>
        {
            Ok(())
        }
        _ => Err(S3Fault::MalformedXml),
    }
}

pub(super) async fn put_ownership(
    store: &Arc<Store>,
    request: S3Request<dto::PutBucketOwnershipControlsInput>,
) -> Result<dto::PutBucketOwnershipControlsOutput, S3Fault> {
    let rules = request.input.ownership_controls.rules.into_iter();
    let rules = rules.map(|rule| OwnershipRule { object_ownership: rule.object_ownership.as_str().to_owned() });
    let wanted = Ownership { rules: rules.collect() };
    check_ownership(&wanted)?;
    set(store, &request.input.bucket, Kind::Ownership, wanted).await?;
    Ok(dto::PutBucketOwnershipControlsOutput::default())
}

pub(super) async fn delete_ownership(
    store: &Arc<Store>,
    request: S3Request<dto::DeleteBucketOwnershipControlsInput>,
) -> Result<dto::DeleteBucketOwnershipControlsOutput, S3Fault> {
    remove(store, &request.input.bucket, Kind::Ownership).await?;
    Ok(dto::DeleteBucketOwnershipControlsOutput::default())
}

fn held_tags(bucket: &Bucket) -> Result<Vec<(String, String)>, S3Fault> {
    Ok(optional(bucket, Kind::Tagging)?.unwrap_or_default())
}

pub(super) async fn tagging(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketTaggingInput>,
) -> Result<dto::GetBucketTaggingOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let tags: Vec<(String, String)> = configuration::get(&bucket, Kind::Tagging)?;
    Ok(dto::GetBucketTaggingOutput { tag_set: tag_set(&tags) })
}

/// The user's tags are replaced; those that AWS's services set (`aws:…`) stay.
async fn replace_tags(store: &Store, name: &str, tags: Vec<(String, String)>) -> Result<(), S3Fault> {
    let bucket = store.bucket(name)?;
    let mut all = held_tags(&bucket)?;
    all.retain(|(key, _)| key.starts_with("aws:"));
    all.extend(tags);
    if all.is_empty() { remove(store, name, Kind::Tagging).await } else { set(store, name, Kind::Tagging, all).await }
}

pub(super) async fn put_tagging(
    store: &Arc<Store>,
    request: S3Request<dto::PutBucketTaggingInput>,
) -> Result<dto::PutBucketTaggingOutput, S3Fault> {
    replace_tags(store, &request.input.bucket, bucket_tags(request.input.tagging.tag_set)?).await?;
    Ok(dto::PutBucketTaggingOutput::default())
}

pub(super) async fn delete_tagging(
    store: &Arc<Store>,
    request: S3Request<dto::DeleteBucketTaggingInput>,
) -> Result<dto::DeleteBucketTaggingOutput, S3Fault> {
    replace_tags(store, &request.input.bucket, Vec::new()).await?;
    Ok(dto::DeleteBucketTaggingOutput::default())
}

pub(super) async fn lifecycle(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketLifecycleConfigurationInput>,
) -> Result<dto::GetBucketLifecycleConfigurationOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let Lifecycle { rules, transition_default_minimum_object_size: size } =
        configuration::get(&bucket, Kind::Lifecycle)?;
    let size = size.unwrap_or_else(|| dto::TransitionDefaultMinimumObjectSize::ALL_STORAGE_CLASSES_128K.to_owned());
    Ok(dto::GetBucketLifecycleConfigurationOutput {
        rules: Some(rules),
        transition_default_minimum_object_size: Some(size.into()),
    })
}

/// Rules are recorded; nothing expires here by itself. An unnamed rule gets a name, as S3 gives it one.
pub(in super::super) fn check_lifecycle(
    store: &Store,
    wanted: &mut dto::BucketLifecycleConfiguration,
) -> Result<(), S3Fault> {
    if wanted.rules.is_empty() || wanted.rules.len() > 1000 {
        return Err(S3Fault::MalformedXml);
    }
    for rule in &mut wanted.rules {
        let acts = rule.expiration.is_some()
            || rule.transitions.as_ref().is_some_and(|list| !list.is_empty())
            || rule.noncurrent_version_expiration.is_some()
            || rule.noncurrent_version_transitions.as_ref().is_some_and(|list| !list.is_empty())
            || rule.abort_incomplete_multipart_upload.is_some();
        if !acts {
            return Err(S3Fault::InvalidRequest("At least one action needs to be specified in a rule".into()));
        }
        if !matches!(rule.status.as_str(), "Enabled" | "Disabled") {
            return Err(S3Fault::MalformedXml);
        }
        if rule.id.is_none() {
            rule.id = Some(store.ids.uuid());
        }
    }
    let mut names: Vec<_> = wanted.rules.iter().map(|rule| rule.id.clone()).collect();
    names.sort();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(S3Fault::InvalidArgument("Rule ID must be unique. Found same ID for more than one rule".into()));
    }
    Ok(())
}

pub(super) async fn put_lifecycle(
    store: &Arc<Store>,
    request: S3Request<dto::PutBucketLifecycleConfigurationInput>,
) -> Result<dto::PutBucketLifecycleConfigurationOutput, S3Fault> {
    let mut wanted = request.input.lifecycle_configuration.ok_or(S3Fault::MalformedXml)?;
    check_lifecycle(store, &mut wanted)?;
    let size = request.input.transition_default_minimum_object_size;
    let known = [
        dto::TransitionDefaultMinimumObjectSize::ALL_STORAGE_CLASSES_128K,
        dto::TransitionDefaultMinimumObjectSize::VARIES_BY_STORAGE_CLASS,
    ];
    if size.as_ref().is_some_and(|size| !known.contains(&size.as_str())) {
        return Err(S3Fault::InvalidRequest("Invalid TransitionDefaultMinimumObjectSize found".into()));
    }
    let kept = Lifecycle {
        rules: wanted.rules,
        transition_default_minimum_object_size: size.as_ref().map(|size| size.as_str().to_owned()),
    };
    set(store, &request.input.bucket, Kind::Lifecycle, kept).await?;
    Ok(dto::PutBucketLifecycleConfigurationOutput { transition_default_minimum_object_size: size })
}

pub(super) async fn delete_lifecycle(
    store: &Arc<Store>,
    request: S3Request<dto::DeleteBucketLifecycleInput>,
) -> Result<dto::DeleteBucketLifecycleOutput, S3Fault> {
    remove(store, &request.input.bucket, Kind::Lifecycle).await?;
    Ok(dto::DeleteBucketLifecycleOutput::default())
}

pub(super) async fn cors(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketCorsInput>,
) -> Result<dto::GetBucketCorsOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let held: dto::CORSConfiguration = configuration::get(&bucket, Kind::Cors)?;
    Ok(dto::GetBucketCorsOutput { cors_rules: Some(held.cors_rules) })
}

pub(super) async fn put_cors(
    store: &Arc<Store>,
    request: S3Request<dto::PutBucketCorsInput>,
) -> Result<dto::PutBucketCorsOutput, S3Fault> {
    let wanted = request.input.cors_configuration;
    if wanted.cors_rules.is_empty() || wanted.cors_rules.len() > 100 {
        return Err(S3Fault::MalformedXml);
    }
    for method in wanted.cors_rules.iter().flat_map(|rule| &rule.allowed_methods) {
        if !["GET", "PUT", "HEAD", "POST", "DELETE"].contains(&method.as_str()) {
            return Err(S3Fault::InvalidRequest(format!(
                "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            )));
        }
    }
    set(store, &request.input.bucket, Kind::Cors, wanted).await?;
    Ok(dto::PutBucketCorsOutput::default())
}

pub(super) async fn delete_cors(
    store: &Arc<Store>,
    request: S3Request<dto::DeleteBucketCorsInput>,
) -> Result<dto::DeleteBucketCorsOutput, S3Fault> {
    remove(store, &request.input.bucket, Kind::Cors).await?;
    Ok(dto::DeleteBucketCorsOutput::default())
}

pub(super) async fn logging(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketLoggingInput>,
) -> Result<dto::GetBucketLoggingOutput, S3Fault> {
    let bucket = store.bucket(&request.input.bucket)?;
    let held: Option<Logging> = optional(&bucket, Kind::Logging)?;
    let target = held.and_then(|held| held.logging_enabled).map(|target| dto::LoggingEnabled {
        target_bucket: target.target_bucket,
        target_prefix: target.target_prefix,
        target_grants: None,
        target_object_key_format: None,
    });
    Ok(dto::GetBucketLoggingOutput { logging_enabled: target })
}

/// Access logging is recorded; no log is delivered here.
pub(super) async fn put_logging(
    store: &Arc<Store>,
    request: S3Request<dto::PutBucketLoggingInput>,
) -> Result<dto::PutBucketLoggingOutput, S3Fault> {
    let (name, wanted) = (request.input.bucket, request.input.bucket_logging_status);
    match wanted.logging_enabled {
        None => remove(store, &name, Kind::Logging).await?,
        Some(target) => {
            refuse(&[
                ("grants on access logs (LoggingEnabled.TargetGrants)", target.target_grants.is_some()),
                (
                    "the key format of access logs (LoggingEnabled.TargetObjectKeyFormat)",
                    target.target_object_key_format.is_some(),
                ),
            ])?;
            check_log_target(store, &target.target_bucket)?;
            let target = LogTarget { target_bucket: target.target_bucket, target_prefix: target.target_prefix };
            set(store, &name, Kind::Logging, Logging { logging_enabled: Some(target) }).await?;
        }
    }
    Ok(dto::PutBucketLoggingOutput::default())
}

pub(in super::super) fn check_log_target(store: &Store, target: &str) -> Result<(), S3Fault> {
    store.bucket(target).map(drop).map_err(|_| S3Fault::InvalidTargetBucket)
}

pub(super) async fn notification(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketNotificationConfigurationInput>,
) -> Result<dto::GetBucketNotificationConfigurationOutput, S3Fault> {
    store.bucket(&request.input.bucket)?;
    Ok(dto::GetBucketNotificationConfigurationOutput::default())
}

pub(super) async fn put_notification(
    store: &Arc<Store>,
    request: S3Request<dto::PutBucketNotificationConfigurationInput>,
) -> Result<dto::PutBucketNotificationConfigurationOutput, S3Fault> {
    store.bucket(&request.input.bucket)?;
    let wanted = request.input.notification_configuration;
    let some = |filled: Option<usize>| filled.is_some_and(|length| length > 0);
    refuse(&[
        (
            "notifications to Lambda (LambdaFunctionConfigurations)",
            some(wanted.lambda_function_configurations.map(|list| list.len())),
        ),
        ("notifications to SQS (QueueConfigurations)", some(wanted.queue_configurations.map(|list| list.len()))),
        ("notifications to SNS (TopicConfigurations)", some(wanted.topic_configurations.map(|list| list.len()))),
        ("notifications to EventBridge (EventBridgeConfiguration)", wanted.event_bridge_configuration.is_some()),
    ])?;
    Ok(dto::PutBucketNotificationConfigurationOutput::default())
}

/// What can only be asked for here: the answer of a bucket that has none.
fn without(store: &Store, bucket: &str, code: &'static str, message: &'static str) -> S3Fault {
    store.bucket(bucket).err().unwrap_or(S3Fault::NotConfigured { code, message })
}

pub(super) async fn website(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketWebsiteInput>,
) -> Result<dto::GetBucketWebsiteOutput, S3Fault> {
    let (code, message) = ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration");
    Err(without(store, &request.input.bucket, code, message))
}

pub(super) async fn replication(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketReplicationInput>,
) -> Result<dto::GetBucketReplicationOutput, S3Fault> {
    let (code, message) = ("ReplicationConfigurationNotFoundError", "The replication configuration was not found");
    Err(without(store, &request.input.bucket, code, message))
}

pub(super) async fn object_lock(
    store: &Arc<Store>,
    request: S3Request<dto::GetObjectLockConfigurationInput>,
) -> Result<dto::GetObjectLockConfigurationOutput, S3Fault> {
    let (code, message) =
        ("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket");
    Err(without(store, &request.input.bucket, code, message))
}

pub(super) async fn request_payment(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketRequestPaymentInput>,
) -> Result<dto::GetBucketRequestPaymentOutput, S3Fault> {
    store.bucket(&request.input.bucket)?;
    Ok(dto::GetBucketRequestPaymentOutput { payer: Some(dto::Payer::from_static(dto::Payer::BUCKET_OWNER)) })
}

pub(super) async fn accelerate(
    store: &Arc<Store>,
    request: S3Request<dto::GetBucketAccelerateConfigurationInput>,
) -> Result<dto::GetBucketAccelerateConfigurationOutput, S3Fault> {
    store.bucket(&request.input.bucket)?;
    Ok(dto::GetBucketAccelerateConfigurationOutput::default())
}

/// The tags of a bucket in the journal's form, for callers inside the process.
pub(in super::super) fn tags_of(bucket: &Bucket) -> Vec<(String, String)> {
    let held = bucket.read().configurations.get(Kind::Tagging.name()).cloned();
    serde_json::from_value(held.unwrap_or(Value::Null)).unwrap_or_default()
}
