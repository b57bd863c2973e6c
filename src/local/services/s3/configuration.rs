//! A bucket's configuration documents: what S3 says when there is none, and what follows from them.
//!
//! A document is kept as the s3s type that carries it on the wire, so that it comes back exactly as it was put.

use s3s::dto;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::fault::Fault;

use super::bucket::{Bucket, Index};
use super::faults::S3Fault;
use super::record::{Encryption, Entry};

/// The documents that a bucket may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Versioning,
    Encryption,
    Policy,
    PublicAccessBlock,
    Ownership,
    Tagging,
    Lifecycle,
    Cors,
    Logging,
}

impl Kind {
    /// The name in the journal.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::Versioning => "versioning",
            Kind::Encryption => "encryption",
            Kind::Policy => "policy",
            Kind::PublicAccessBlock => "public-access-block",
            Kind::Ownership => "ownership",
            Kind::Tagging => "tagging",
            Kind::Lifecycle => "lifecycle",
            Kind::Cors => "cors",
            Kind::Logging => "logging",
        }
    }

    /// What S3 answers when the bucket has no such document.
    pub(super) const fn missing(self) -> S3Fault {
        let (code, message) = match self {
            Kind::Versioning | Kind::Logging => ("NoSuchConfiguration", "The specified configuration does not exist."),
            Kind::Encryption => (
                "ServerSideEncryptionConfigurationNotFoundError",
                "The server side encryption configuration was not found",
            ),
            Kind::Policy => ("NoSuchBucketPolicy", "The bucket policy does not exist"),
            Kind::PublicAccessBlock => {
                ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
            }
            Kind::Ownership => ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
            Kind::Tagging => ("NoSuchTagSet", "The TagSet does not exist"),
            Kind::Lifecycle => ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
            Kind::Cors => ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
        };
        S3Fault::NotConfigured { code, message }
    }
}

/// `OwnershipControls`, which the crate does not serialise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ownership {
    pub rules: Vec<OwnershipRule>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct OwnershipRule {
    pub object_ownership: String,
}

/// `BucketLoggingStatus`, which the crate does not serialise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Logging {
    pub logging_enabled: Option<LogTarget>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LogTarget {
    pub target_bucket: String,
    pub target_prefix: String,
}

/// Rules for objects' lives, and what S3 keeps beside them: which objects are too small to change their storage class by default.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Lifecycle {
    pub rules: dto::LifecycleRules,
    pub transition_default_minimum_object_size: Option<String>,
}

/// What every new bucket has since April 2023: ACLs off, all public access blocked.
pub(super) fn defaults() -> std::collections::BTreeMap<String, Value> {
    let block = serde_json::json!({
        "block_public_acls": true, "ignore_public_acls": true, "block_public_policy": true, "restrict_public_buckets": true,
    });
    let ownership = serde_json::json!({"rules": [{"object_ownership": "BucketOwnerEnforced"}]});
    [(Kind::PublicAccessBlock, block), (Kind::Ownership, ownership)]
        .into_iter()
        .map(|(kind, document)| (kind.name().to_owned(), document))
        .collect()
}

/// The document, as the type that carries it.
pub(super) fn get<T: DeserializeOwned>(bucket: &Bucket, kind: Kind) -> Result<T, S3Fault> {
    let document = bucket.read().configurations.get(kind.name()).cloned().ok_or_else(|| kind.missing())?;
    serde_json::from_value(document).map_err(|error| S3Fault::Disk(error.to_string()))
}

pub(super) fn set<T: Serialize>(bucket: &Bucket, kind: Kind, document: &T) -> Result<(), S3Fault> {
    let document = serde_json::to_value(document).map_err(|error| S3Fault::Disk(error.to_string()))?;
    bucket.change(|_| Ok((vec![Entry::Configuration { name: kind.name().into(), document }], ())))
}

pub(super) fn remove(bucket: &Bucket, kind: Kind) -> Result<(), S3Fault> {
    bucket.change(|index| {
        let there = index.configurations.contains_key(kind.name());
        let entry = there.then(|| Entry::Configuration { name: kind.name().into(), document: Value::Null });
        Ok((entry.into_iter().collect(), ()))
    })
}

/// The encryption of objects that name none.
pub(super) fn default_encryption(index: &Index) -> Encryption {
    let rule = index.configurations.get(Kind::Encryption.name()).and_then(|document| document.pointer("/rules/0"));
    let Some(rule) = rule else { return Encryption::default() };
    let text = |pointer| rule.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Encryption {
        algorithm: text("/apply_server_side_encryption_by_default/sse_algorithm").unwrap_or_else(|| "AES256".into()),
        key: text("/apply_server_side_encryption_by_default/kms_master_key_id"),
        bucket_key: rule.get("bucket_key_enabled").and_then(Value::as_bool).unwrap_or(false),
    }
}

/// Whether ACLs are off.
pub(super) fn owner_enforced(index: &Index) -> bool {
    let rule = index
        .configurations
        .get(Kind::Ownership.name())
        .and_then(|document| document.pointer("/rules/0/object_ownership"));
    rule.and_then(Value::as_str) == Some("BucketOwnerEnforced")
}

/// One of the four switches of the public access block.
pub(super) fn blocks(index: &Index, switch: &str) -> bool {
    let document = index.configurations.get(Kind::PublicAccessBlock.name());
    document.and_then(|document| document.get(switch)).and_then(Value::as_bool).unwrap_or(false)
}

/// Reads a document in the service model's member names (`SSEAlgorithm`) as the s3s type (`sse_algorithm`).
///
/// # Errors
/// A member that the type does not have is refused by name; so is a missing or mistyped one.
pub(super) fn from_model<T: Serialize + DeserializeOwned>(model: &Value, what: &str) -> Result<T, Fault> {
    let snake = renamed(model);
    let typed: T = serde_json::from_value(snake.clone())
        .map_err(|error| Fault::new("MalformedXML", format!("{what}: {error}")).status(400))?;
    let kept = serde_json::to_value(&typed).map_err(Fault::internal)?;
    match lost(&snake, &kept) {
        Some(member) => Err(Fault::unsupported(format!("the member {member} of {what}"))),
        None => Ok(typed),
    }
}

fn renamed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: Map<String, Value> =
                members.iter().map(|(name, value)| (snake_case(name), renamed(value))).collect();
            Value::Object(members)
        }
        Value::Array(items) => Value::Array(items.iter().map(renamed).collect()),
        other => other.clone(),
    }
}

/// The first member of `given` that is not in `kept`.
fn lost(given: &Value, kept: &Value) -> Option<String> {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => given.iter().find_map(|(name, value)| match kept.get(name) {
            None => Some(name.clone()),
            Some(held) => lost(value, held),
        }),
        (Value::Array(given), Value::Array(kept)) => given.iter().zip(kept).find_map(|(given, kept)| lost(given, kept)),
        _ => None,
    }
}

/// `KMSMasterKeyID` to `kms_master_key_id`: how the s3s crate names members of the model.
fn snake_case(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut snake = String::with_capacity(name.len() + 8);
    for (at, character) in characters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| characters.get(at));
        let after = characters.get(at + 1);
        let starts = character.is_uppercase()
            && before.is_some_and(|before| !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase()));
        if starts {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_model_become_names_of_the_crate() {
        let cases = [
            ("KMSMasterKeyID", "kms_master_key_id"),
            ("SSEAlgorithm", "sse_algorithm"),
            ("ID", "id"),
            ("BlockPublicAcls", "block_public_acls"),
            ("ApplyServerSideEncryptionByDefault", "apply_server_side_encryption_by_default"),
        ];
        for (model, expected) in cases {
            assert_eq!(snake_case(model), expected);
        }
    }

    #[test]
    fn a_member_that_s3_does_not_have_is_refused_by_name() {
        let model = serde_json::json!({"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "Bogus": 1}]});
        let refused = from_model::<dto::ServerSideEncryptionConfiguration>(&model, "encryption").unwrap_err();
        assert!(refused.message.contains("bogus"), "{refused}");
    }
}
