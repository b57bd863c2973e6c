//! Objects, for callers inside the process: content is read in place, and taken over by rename.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::call::{Call, Reply};
use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::service;

use super::super::S3;
use super::super::checksum::Algorithm;
use super::super::content::Draft;
use super::super::listing::{self, Query};
use super::super::objects::{Conditions, check_key, content_of, find};
use super::super::protocol::listings::{read_token, write_token};
use super::super::protocol::reading::shown_version;
use super::super::record::{Attributes, Content, Version};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Address {
    bucket: String,
    key: String,
    #[serde(default)]
    version_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutObject {
    bucket: String,
    key: String,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    content_encoding: Option<String>,
    #[serde(default)]
    cache_control: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct ListObjects {
    bucket: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    delimiter: Option<String>,
    #[serde(default)]
    max_keys: Option<usize>,
    #[serde(default)]
    continuation_token: Option<String>,
    #[serde(default)]
    start_after: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    key: String,
    size: u64,
    #[serde(rename = "ETag")]
    etag: String,
    last_modified: Timestamp,
    storage_class: String,
}

fn describe(version: &Version, content: &Content, shown: Option<String>) -> Value {
    let mut output = Map::new();
    output.insert("ETag".into(), json!(format!("\"{}\"", content.etag)));
    output.insert("ContentLength".into(), json!(content.size));
    output.insert("LastModified".into(), json!(version.modified));
    output.insert("Metadata".into(), json!(content.attributes.metadata));
    let kind = content.attributes.headers.get("content-type").map_or("binary/octet-stream", String::as_str);
    output.insert("ContentType".into(), json!(kind));
    if let Some(shown) = shown {
        output.insert("VersionId".into(), json!(shown));
    }
    Value::Object(output)
}

/// Answers with [`Reply::file`]: the file stays where it is for ten minutes at least, even if the object is overwritten.
pub(super) async fn get(s3: Arc<S3>, call: Call) -> Result<Reply, Fault> {
    let input: Address = service::input(&call)?;
    let bucket = s3.store.bucket(&input.bucket)?;
    let version = find(&bucket, &input.key, input.version_id.as_deref())?;
    let content = content_of(&version, &input.key)?;
    let file = bucket.lend(&content.file);
    let output = describe(&version, content, shown_version(&bucket, &version.id));
    Ok(Reply { output, file: Some(file), ..Reply::default() })
}

pub(super) async fn head(s3: Arc<S3>, _call: &Call, input: Address) -> Result<Value, Fault> {
    let bucket = s3.store.bucket(&input.bucket)?;
    let version = find(&bucket, &input.key, input.version_id.as_deref())?;
    let content = content_of(&version, &input.key)?;
    Ok(describe(&version, content, shown_version(&bucket, &version.id)))
}

pub(super) async fn put(s3: Arc<S3>, call: Call) -> Result<Reply, Fault> {
    let input: PutObject = service::input(&call)?;
    let bucket = s3.store.bucket(&input.bucket)?;
    check_key(&input.key)?;
    let headers = [
        ("content-type", input.content_type),
        ("content-encoding", input.content_encoding),
        ("cache-control", input.cache_control),
    ];
    let attributes = Attributes {
        headers: headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
        metadata: input.metadata,
        ..Attributes::default()
    };
    let (target, key) = (bucket.clone(), input.key.clone());
    let version = s3
        .blocking(move |store| {
            let written = match call.file {
                Some(file) => store.adopt(&target, &file)?,
                None => {
                    let mut draft = Draft::create(store.new_path(&target), Algorithm::Crc64Nvme)?;
                    draft.write(&call.body)?;
                    draft.finish()
                }
            };
            store.put(&target, &key, written, attributes, &Conditions::default())
        })
        .await?;
    let content = content_of(&version, &input.key)?;
    let mut output = json!({"ETag": format!("\"{}\"", content.etag), "Size": content.size});
    if let Some(shown) = shown_version(&bucket, &version.id) {
        output["VersionId"] = json!(shown);
    }
    Ok(Reply::from(output))
}

pub(super) async fn delete(s3: Arc<S3>, _call: &Call, input: Address) -> Result<Value, Fault> {
    let bucket = s3.store.bucket(&input.bucket)?;
    let done = s3.blocking(move |store| store.delete(&bucket, &input.key, input.version_id.as_deref(), None)).await?;
    let mut output = Map::new();
    if done.marker {
        output.insert("DeleteMarker".into(), json!(true));
    }
    if let Some(version) = done.version {
        output.insert("VersionId".into(), json!(version));
    }
    Ok(Value::Object(output))
}

pub(super) async fn list(s3: Arc<S3>, _call: &Call, input: ListObjects) -> Result<Value, Fault> {
    let bucket = s3.store.bucket(&input.bucket)?;
    let after = match &input.continuation_token {
        Some(token) => Some(read_token(token)?),
        None => input.start_after,
    };
    let limit = input.max_keys.unwrap_or(1000).min(1000);
    let query = Query { prefix: input.prefix, delimiter: input.delimiter, after, limit };
    let index = bucket.read();
    let page = listing::page(&index.keys, &query, |versions| {
        let latest = versions.last()?;
        latest.content.as_ref().map(|content| (latest, content))
    });
    let contents = page.items.iter().map(|(key, (version, content))| Listed {
        key: (*key).to_owned(),
        size: content.size,
        etag: format!("\"{}\"", content.etag),
        last_modified: version.modified,
        storage_class: content.attributes.class.clone().unwrap_or_else(|| "STANDARD".into()),
    });
    let contents: Vec<Listed> = contents.collect();
    let prefixes: Vec<Value> = page.prefixes.iter().map(|prefix| json!({"Prefix": prefix})).collect();
    let mut output = json!({
        "Name": bucket.name,
        "KeyCount": contents.len() + prefixes.len(),
        "IsTruncated": page.next.is_some(),
        "Contents": contents,
        "CommonPrefixes": prefixes,
    });
    if let Some(next) = &page.next {
        output["NextContinuationToken"] = json!(write_token(next));
    }
    Ok(output)
}
