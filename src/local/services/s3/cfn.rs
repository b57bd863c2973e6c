//! The CloudFormation types of S3.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) fn types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(Bucket), Arc::new(BucketPolicy)]
}

struct Bucket;

struct BucketPolicy;

/// A property and the operations that put it and take it away.
struct Document {
    property: &'static str,
    put: &'static str,
    member: &'static str,
    /// `None`: it is taken away by putting `absent`.
    delete: Option<&'static str>,
    absent: Option<Value>,
    /// From the property's form to the operation's.
    convert: fn(&Value) -> Result<Value, Fault>,
}

fn documents() -> Vec<Document> {
    let document =
        |property, put, member, delete, convert| Document { property, put, member, delete, absent: None, convert };
    let same: fn(&Value) -> Result<Value, Fault> = |value| Ok(value.clone());
    vec![
        document(
            "OwnershipControls",
            "PutBucketOwnershipControls",
            "OwnershipControls",
            Some("DeleteBucketOwnershipControls"),
            same,
        ),
        document(
            "PublicAccessBlockConfiguration",
            "PutPublicAccessBlock",
            "PublicAccessBlockConfiguration",
            Some("DeletePublicAccessBlock"),
            same,
        ),
        document(
            "BucketEncryption",
            "PutBucketEncryption",
            "ServerSideEncryptionConfiguration",
            Some("DeleteBucketEncryption"),
            encryption,
        ),
        Document {
            property: "VersioningConfiguration",
            put: "PutBucketVersioning",
            member: "VersioningConfiguration",
            delete: None,
            absent: Some(json!({"Status": "Suspended"})),
            convert: same,
        },
        document(
            "LifecycleConfiguration",
            "PutBucketLifecycleConfiguration",
            "LifecycleConfiguration",
            Some("DeleteBucketLifecycle"),
            lifecycle,
        ),
        document("CorsConfiguration", "PutBucketCors", "CORSConfiguration", Some("DeleteBucketCors"), cors),
        Document {
            property: "LoggingConfiguration",
            put: "PutBucketLogging",
            member: "BucketLoggingStatus",
            delete: None,
            absent: Some(json!({})),
            convert: logging,
        },
    ]
}

/// Properties that are no document of their own.
const PLAIN: &[&str] = &["BucketName", "Tags"];

/// Refuses what the local cloud does not do, by name.
fn check_properties(properties: &Value) -> Result<(), Fault> {
    let documents = documents();
    for (name, value) in properties.as_object().into_iter().flatten() {
        let known = PLAIN.contains(&name.as_str()) || documents.iter().any(|document| document.property == name);
        let private = name == "AccessControl" && matches!(value.as_str(), Some("Private" | "BucketOwnerFullControl"));
        let off = name == "ObjectLockEnabled" && value == &json!(false);
        if !known && !private && !off {
            return Err(Fault::unsupported(format!("the property {name} of AWS::S3::Bucket")));
        }
    }
    Ok(())
}

fn encryption(property: &Value) -> Result<Value, Fault> {
    let rules =
        property.get("ServerSideEncryptionConfiguration").and_then(Value::as_array).cloned().unwrap_or_default();
    let rules: Vec<Value> = rules
        .into_iter()
        .map(|rule| renamed(rule, &[("ServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault")]))
        .collect();
    Ok(json!({"Rules": rules}))
}

fn logging(property: &Value) -> Result<Value, Fault> {
    let target =
        renamed(property.clone(), &[("DestinationBucketName", "TargetBucket"), ("LogFilePrefix", "TargetPrefix")]);
    let mut target = match target {
        Value::Object(target) => target,
        _ => Map::new(),
    };
    if !target.contains_key("TargetBucket") {
        return Err(Fault::unsupported("access logs without LoggingConfiguration.DestinationBucketName"));
    }
    target.entry("TargetPrefix").or_insert_with(|| json!(""));
    Ok(json!({"LoggingEnabled": target}))
}

fn cors(property: &Value) -> Result<Value, Fault> {
    let rules = property.get("CorsRules").and_then(Value::as_array).cloned().unwrap_or_default();
    let names = [("ExposedHeaders", "ExposeHeaders"), ("Id", "ID"), ("MaxAge", "MaxAgeSeconds")];
    let rules: Vec<Value> = rules.into_iter().map(|rule| renamed(rule, &names)).collect();
    Ok(json!({"CORSRules": rules}))
}

/// CloudFormation's rules are flat where the API nests them.
fn lifecycle(property: &Value) -> Result<Value, Fault> {
    let rules = property.get("Rules").and_then(Value::as_array).cloned().unwrap_or_default();
    let rules: Result<Vec<Value>, Fault> = rules.iter().map(lifecycle_rule).collect();
    Ok(json!({"Rules": rules?}))
}

fn lifecycle_rule(rule: &Value) -> Result<Value, Fault> {
    let mut api = Map::new();
    let mut expiration = Map::new();
    let (mut filters, mut tags) = (Map::new(), Vec::new());
    for (name, value) in rule.as_object().into_iter().flatten() {
        match name.as_str() {
            "Id" => drop(api.insert("ID".into(), value.clone())),
            "Status" => drop(api.insert(name.clone(), value.clone())),
            "AbortIncompleteMultipartUpload" => drop(api.insert(name.clone(), value.clone())),
            "ExpirationInDays" => drop(expiration.insert("Days".into(), value.clone())),
            "ExpirationDate" => drop(expiration.insert("Date".into(), value.clone())),
            "ExpiredObjectDeleteMarker" => drop(expiration.insert(name.clone(), value.clone())),
            "NoncurrentVersionExpirationInDays" => {
                api.insert("NoncurrentVersionExpiration".into(), json!({"NoncurrentDays": value}));
            }
            "NoncurrentVersionExpiration" => drop(api.insert(name.clone(), value.clone())),
            "Transitions" => {
                let list = value.as_array().cloned().unwrap_or_default();
                let names = [("TransitionInDays", "Days"), ("TransitionDate", "Date")];
                api.insert(name.clone(), list.into_iter().map(|item| renamed(item, &names)).collect());
            }
            "NoncurrentVersionTransitions" => {
                let list = value.as_array().cloned().unwrap_or_default();
                let names = [("TransitionInDays", "NoncurrentDays")];
                api.insert(name.clone(), list.into_iter().map(|item| renamed(item, &names)).collect());
            }
            "Prefix" => drop(filters.insert(name.clone(), value.clone())),
            "ObjectSizeGreaterThan" | "ObjectSizeLessThan" => {
                let number =
                    value.as_str().and_then(|text| text.parse::<i64>().ok()).map_or_else(|| value.clone(), Value::from);
                filters.insert(name.clone(), number);
            }
            "TagFilters" => tags = value.as_array().cloned().unwrap_or_default(),
            other => return Err(Fault::unsupported(format!("the property {other} of a lifecycle rule"))),
        }
    }
    if !expiration.is_empty() {
        api.insert("Expiration".into(), Value::Object(expiration));
    }
    let filter = match (filters.len(), tags.len()) {
        (0, 0) => json!({"Prefix": ""}),
        (1, 0) => Value::Object(filters),
        (0, 1) => json!({"Tag": tags[0]}),
        _ => {
            filters.insert("Tags".into(), Value::Array(tags));
            json!({"And": filters})
        }
    };
    api.insert("Filter".into(), filter);
    Ok(Value::Object(api))
}

/// The object with some members under other names.
fn renamed(value: Value, names: &[(&str, &str)]) -> Value {
    let Value::Object(members) = value else { return value };
    let rename = |name: String| names.iter().find(|(from, _)| *from == name).map_or(name, |(_, to)| (*to).to_owned());
    Value::Object(members.into_iter().map(|(name, value)| (rename(name), value)).collect())
}

fn provisioned(cx: &ResourceContext, name: &str) -> Provisioned {
    let region = &cx.scope.region;
    let website = match region.as_str() {
        "us-east-1" | "us-west-1" | "us-west-2" | "ap-southeast-1" | "ap-southeast-2" | "ap-northeast-1"
        | "eu-west-1" | "sa-east-1" => '-',
        _ => '.',
    };
    let attributes = json!({
        "Arn": format!("arn:aws:s3:::{name}"),
        "DomainName": format!("{name}.s3.amazonaws.com"),
        "RegionalDomainName": format!("{name}.s3.{region}.amazonaws.com"),
        "DualStackDomainName": format!("{name}.s3.dualstack.{region}.amazonaws.com"),
        "WebsiteURL": format!("http://{name}.s3-website{website}{region}.amazonaws.com"),
    });
    let attributes = attributes.as_object().cloned().unwrap_or_default();
    Provisioned { physical_id: name.to_owned(), reference: None, attributes }
}

/// Whether the bucket that is there was made for this resource: it carries the stack's own tags.
async fn is_ours(cx: &ResourceContext, name: &str) -> bool {
    let held = cx.cloud.call(&cx.scope, "s3", "GetBucketTagging", json!({"Bucket": name})).await;
    let tags = held.ok().and_then(|held| held.get("TagSet").and_then(Value::as_array).cloned()).unwrap_or_default();
    let carries = |key: &str, value: &str| tags.iter().any(|tag| tag["Key"] == key && tag["Value"] == value);
    carries("aws:cloudformation:stack-id", &cx.stack_id) && carries("aws:cloudformation:logical-id", &cx.logical_id)
}

fn tags_of(cx: &ResourceContext, properties: &Value) -> Value {
    let mut tags = cx.tags(properties.get("Tags"));
    let own = [
        ("aws:cloudformation:stack-id", &cx.stack_id),
        ("aws:cloudformation:stack-name", &cx.stack_name),
        ("aws:cloudformation:logical-id", &cx.logical_id),
    ];
    if let Value::Array(list) = &mut tags {
        for (key, value) in own {
            list.retain(|tag| tag["Key"] != key);
            list.push(json!({"Key": key, "Value": value}));
        }
    }
    tags
}

#[async_trait]
impl ResourceType for Bucket {
    fn type_name(&self) -> &'static str {
        "AWS::S3::Bucket"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        check_properties(properties)?;
        let named = properties.get("BucketName").and_then(Value::as_str);
        let name = named.map_or_else(|| cx.generated_name(63).to_lowercase(), str::to_owned);
        let there = cx.cloud.call(&cx.scope, "s3", "HeadBucket", json!({"Bucket": name})).await.is_ok();
        if there && !is_ours(cx, &name).await {
            return Err(Fault::new("BucketAlreadyOwnedByYou", format!("{name} already exists")).status(409).into());
        }
        if !there {
            let configuration = json!({"Tags": tags_of(cx, properties)});
            let input = json!({"Bucket": name, "CreateBucketConfiguration": configuration});
            cx.cloud.call(&cx.scope, "s3", "CreateBucket", input).await?;
        }
        configure(cx, &name, &json!({}), properties).await.unfinished(&name)?;
        Ok(provisioned(cx, &name))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        physical_id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        check_properties(new)?;
        let tagging = json!({"Bucket": physical_id, "Tagging": {"TagSet": tags_of(cx, new)}});
        cx.cloud.call(&cx.scope, "s3", "PutBucketTagging", tagging).await?;
        configure(cx, physical_id, old, new).await?;
        Ok(provisioned(cx, physical_id))
    }

    async fn delete(&self, cx: &ResourceContext, physical_id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        match cx.cloud.call(&cx.scope, "s3", "DeleteBucket", json!({"Bucket": physical_id})).await {
            Err(fault) if fault.code != "NoSuchBucket" => Err(fault.into()),
            _ => Ok(()),
        }
    }
}

/// Puts the documents that changed, and takes away those that are gone.
async fn configure(cx: &ResourceContext, name: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    for document in documents() {
        let (before, after) = (old.get(document.property), new.get(document.property));
        if before == after {
            continue;
        }
        let put = match (after, document.delete) {
            (Some(wanted), _) => Some((document.convert)(wanted)?),
            (None, None) => document.absent,
            (None, Some(delete)) => {
                cx.cloud.call(&cx.scope, "s3", delete, json!({"Bucket": name})).await?;
                None
            }
        };
        if let Some(put) = put {
            cx.cloud.call(&cx.scope, "s3", document.put, json!({"Bucket": name, document.member: put})).await?;
        }
    }
    Ok(())
}

#[async_trait]
impl ResourceType for BucketPolicy {
    fn type_name(&self) -> &'static str {
        "AWS::S3::BucketPolicy"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let bucket = properties.get("Bucket").and_then(Value::as_str).unwrap_or_default().to_owned();
        let wanted = properties.get("PolicyDocument").cloned().unwrap_or_default();
        let held = cx.cloud.call(&cx.scope, "s3", "GetBucketPolicy", json!({"Bucket": bucket})).await;
        if let Ok(held) = held {
            let held: Option<Value> =
                held.get("Policy").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
            if held.as_ref() != Some(&wanted) {
                return Err(Fault::new(
                    "BucketPolicyAlreadyExists",
                    "The bucket policy already exists on bucket ".to_owned() + &bucket,
                )
                .into());
            }
        }
        put_policy(cx, &bucket, &wanted).await?;
        Ok(Provisioned { physical_id: bucket, ..Provisioned::default() })
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        physical_id: &str,
        _old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        put_policy(cx, physical_id, &new.get("PolicyDocument").cloned().unwrap_or_default()).await?;
        Ok(Provisioned { physical_id: physical_id.to_owned(), ..Provisioned::default() })
    }

    async fn delete(&self, cx: &ResourceContext, physical_id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        match cx.cloud.call(&cx.scope, "s3", "DeleteBucketPolicy", json!({"Bucket": physical_id})).await {
            Err(fault) if fault.code != "NoSuchBucket" => Err(fault.into()),
            _ => Ok(()),
        }
    }
}

async fn put_policy(cx: &ResourceContext, bucket: &str, document: &Value) -> Result<(), Fault> {
    let policy = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
    cx.cloud.call(&cx.scope, "s3", "PutBucketPolicy", json!({"Bucket": bucket, "Policy": policy})).await?;
    Ok(())
}
