//! The CloudFormation types of S3.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::resource::{
    Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished,
};

pub(super) fn types() -> Vec<ResourceType> {
    let documents: Vec<&str> = documents().iter().map(|document| document.property).collect();
    let plain = ["BucketName", "Tags", "AccessControl", "ObjectLockEnabled"];
    vec![
        ResourceType::new("AWS::S3::Bucket", &plain, Bucket).and(&documents),
        ResourceType::new("AWS::S3::BucketPolicy", &["Bucket", "PolicyDocument"], BucketPolicy),
    ]
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

/// Refuses values that the local cloud does not do, by the property's name.
fn check_values(properties: &Value) -> Result<(), Fault> {
    let private = matches!(properties["AccessControl"].as_str(), None | Some("Private" | "BucketOwnerFullControl"));
    let unlocked = properties["ObjectLockEnabled"] != true;
    match (private, unlocked) {
        (true, true) => Ok(()),
        (false, _) => Err(Fault::unsupported("the property AccessControl of AWS::S3::Bucket")),
        (_, false) => Err(Fault::unsupported("the property ObjectLockEnabled of AWS::S3::Bucket")),
    }
}

fn encryption(property: &Value) -> Result<Value, Fault> {
    let names = [("ServerSideEncryptionByDefault", "ApplyServerSideEncryptionByDefault")];
    Ok(json!({"Rules": all_renamed(property.list("ServerSideEncryptionConfiguration"), &names)}))
}

fn logging(property: &Value) -> Result<Value, Fault> {
    let mut target = renamed(property, &[("DestinationBucketName", "TargetBucket"), ("LogFilePrefix", "TargetPrefix")]);
    if target["TargetBucket"].is_null() {
        return Err(Fault::unsupported("access logs without LoggingConfiguration.DestinationBucketName"));
    }
    target["TargetPrefix"] = json!(target.text("TargetPrefix"));
    Ok(json!({"LoggingEnabled": target}))
}

fn cors(property: &Value) -> Result<Value, Fault> {
    let names = [("ExposedHeaders", "ExposeHeaders"), ("Id", "ID"), ("MaxAge", "MaxAgeSeconds")];
    Ok(json!({"CORSRules": all_renamed(property.list("CorsRules"), &names)}))
}

/// CloudFormation's rules are flat where the API nests them.
fn lifecycle(property: &Value) -> Result<Value, Fault> {
    let rules: Result<Vec<Value>, Fault> = property.list("Rules").iter().map(lifecycle_rule).collect();
    Ok(json!({"Rules": rules?}))
}

fn lifecycle_rule(rule: &Value) -> Result<Value, Fault> {
    let mut api = Map::new();
    let mut expiration = Map::new();
    let (mut filters, tags) = (Map::new(), rule.list("TagFilters"));
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
                let names = [("TransitionInDays", "Days"), ("TransitionDate", "Date")];
                api.insert(name.clone(), all_renamed(rule.list(name), &names));
            }
            "NoncurrentVersionTransitions" => {
                let names = [("TransitionInDays", "NoncurrentDays")];
                api.insert(name.clone(), all_renamed(rule.list(name), &names));
            }
            "Prefix" => drop(filters.insert(name.clone(), value.clone())),
            // Text to CloudFormation, a number to S3.
            "ObjectSizeGreaterThan" | "ObjectSizeLessThan" => {
                let number = value.as_str().and_then(|text| text.parse::<i64>().ok());
                filters.insert(name.clone(), number.map_or_else(|| value.clone(), Value::from));
            }
            "TagFilters" => {}
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
            filters.insert("Tags".into(), json!(tags));
            json!({"And": filters})
        }
    };
    api.insert("Filter".into(), filter);
    Ok(Value::Object(api))
}

/// The object with some members under other names.
fn renamed(value: &Value, names: &[(&str, &str)]) -> Value {
    let new = |name: &str| names.iter().find(|(from, _)| *from == name).map_or(name, |(_, to)| to).to_owned();
    value.as_object().into_iter().flatten().map(|(name, value)| (new(name), value.clone())).collect()
}

fn all_renamed(values: &[Value], names: &[(&str, &str)]) -> Value {
    values.iter().map(|value| renamed(value, names)).collect()
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
    Provisioned::with(name, attributes)
}

#[async_trait]
impl Provider for Bucket {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        check_values(properties)?;
        let named = properties["BucketName"].as_str();
        let name = named.map_or_else(|| cx.generated_name(63).to_lowercase(), str::to_owned);
        let place = json!({"Bucket": name});
        if cx.ask("HeadBucket", place.clone()).await.is_ok() {
            let tags = cx.ask("GetBucketTagging", place).await.unwrap_or_default();
            if !cx.is_ours(&tags["TagSet"]) {
                return Err(Fault::new("BucketAlreadyOwnedByYou", format!("{name} already exists")).status(409).into());
            }
        } else {
            let input = json!({"Bucket": name, "CreateBucketConfiguration": {"Tags": cx.tags(properties)}});
            cx.ask("CreateBucket", input).await?;
        }
        configure(cx, &name, &json!({}), properties).await.unfinished(&name)?;
        Ok(provisioned(cx, &name))
    }

    async fn update(&self, cx: &ResourceContext, name: &str, old: &Value, new: &Value) -> Made {
        check_values(new)?;
        let tagging = json!({"Bucket": name, "Tagging": {"TagSet": cx.tags(new)}});
        cx.ask("PutBucketTagging", tagging).await?;
        configure(cx, name, old, new).await?;
        Ok(provisioned(cx, name))
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteBucket", json!({"Bucket": name})).await
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
                cx.ask(delete, json!({"Bucket": name})).await?;
                None
            }
        };
        if let Some(put) = put {
            cx.ask(document.put, json!({"Bucket": name, document.member: put})).await?;
        }
    }
    Ok(())
}

impl BucketPolicy {
    async fn put(cx: &ResourceContext, bucket: &str, properties: &Value) -> Made {
        let policy = properties["PolicyDocument"].to_text();
        cx.ask("PutBucketPolicy", json!({"Bucket": bucket, "Policy": policy})).await?;
        Ok(Provisioned::named(bucket))
    }
}

#[async_trait]
impl Provider for BucketPolicy {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let bucket = properties.text("Bucket");
        if let Ok(held) = cx.ask("GetBucketPolicy", json!({"Bucket": bucket})).await
            && serde_json::from_str::<Value>(held.text("Policy")).ok().as_ref() != Some(&properties["PolicyDocument"])
        {
            let message = format!("The bucket policy already exists on bucket {bucket}");
            return Err(Fault::new("BucketPolicyAlreadyExists", message).into());
        }
        BucketPolicy::put(cx, bucket, properties).await
    }

    async fn update(&self, cx: &ResourceContext, bucket: &str, _: &Value, new: &Value) -> Made {
        BucketPolicy::put(cx, bucket, new).await
    }

    async fn delete(&self, cx: &ResourceContext, bucket: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteBucketPolicy", json!({"Bucket": bucket})).await
    }
}
