//! The service through the dispatcher, in memory.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::open;
use crate::call::Reply;
use crate::clock::{Clock, Timestamp};
use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::scope::Scope;

fn cloud(dir: &std::path::Path) -> Arc<Cloud> {
    let clock = Clock::fixed(Timestamp::from_millis(1_700_000_000_000));
    let cloud = Cloud::new(Parts { clock, ..Parts::of_test(dir) });
    cloud.register(vec![open(&cloud).unwrap()]);
    cloud
}

async fn call(cloud: &Cloud, operation: &str, input: Value) -> Result<Value, Fault> {
    cloud.call(&Scope::root("us-east-1"), "s3", operation, input).await
}

async fn put(cloud: &Cloud, key: &str, body: &str) -> Result<Reply, Fault> {
    let input = json!({"Bucket": "bucket", "Key": key});
    let body = Bytes::from(body.to_owned());
    cloud.call_with_body(&Scope::root("us-east-1"), ("s3", "PutObject"), input, body).await
}

async fn get(cloud: &Cloud, key: &str) -> Result<String, Fault> {
    let input = json!({"Bucket": "bucket", "Key": key});
    let reply = cloud.call_with_body(&Scope::root("us-east-1"), ("s3", "GetObject"), input, Bytes::new()).await?;
    Ok(std::fs::read_to_string(reply.file.unwrap()).unwrap())
}

fn content_files(dir: &std::path::Path) -> usize {
    std::fs::read_dir(dir.join("state/s3/objects/bucket")).unwrap().count()
}

#[tokio::test]
async fn any_valid_key_holds_what_was_put_there_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let long = "k".repeat(1024);
    let keys =
        ["a", "a/b", "dir/", "dir//x", "..", "../../etc/passwd", "/", ".", "ü ö\n\t", "\u{1f980}", "%2e%2e", &long];
    {
        let cloud = cloud(dir.path());
        call(&cloud, "CreateBucket", json!({"Bucket": "bucket"})).await.unwrap();
        for key in keys {
            put(&cloud, key, key).await.unwrap();
        }
        assert_eq!(put(&cloud, &"k".repeat(1025), "").await.unwrap_err().code, "KeyTooLongError");
        put(&cloud, "a", "again").await.unwrap();
    }
    let cloud = cloud(dir.path());
    for key in &keys[1..] {
        assert_eq!(get(&cloud, key).await.unwrap(), **key);
    }
    assert_eq!(get(&cloud, "a").await.unwrap(), "again");
    assert_eq!(content_files(dir.path()), keys.len());
    let listed = call(&cloud, "ListObjectsV2", json!({"Bucket": "bucket", "Delimiter": "/"})).await.unwrap();
    let prefixes: Vec<&str> =
        listed["CommonPrefixes"].as_array().unwrap().iter().map(|one| one["Prefix"].as_str().unwrap()).collect();
    assert_eq!(prefixes, ["../", "/", "a/", "dir/"]);
}

#[tokio::test]
async fn a_journal_cut_anywhere_keeps_what_was_acknowledged_before_and_leaves_no_orphan() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("state/s3/buckets/bucket.jsonl");
    let mut lengths = Vec::new();
    {
        let cloud = cloud(dir.path());
        call(&cloud, "CreateBucket", json!({"Bucket": "bucket"})).await.unwrap();
        for key in ["one", "two", "three"] {
            lengths.push(std::fs::metadata(&journal).unwrap().len());
            put(&cloud, key, key).await.unwrap();
        }
    }
    let whole = std::fs::read(&journal).unwrap();
    let objects = dir.path().join("state/s3/objects/bucket");
    let saved: Vec<_> = std::fs::read_dir(&objects).unwrap().map(|entry| entry.unwrap().path()).collect();
    let contents: Vec<_> = saved.iter().map(|path| std::fs::read(path).unwrap()).collect();
    for cut in (usize::try_from(lengths[0]).unwrap()..=whole.len()).rev().step_by(7) {
        std::fs::write(&journal, &whole[..cut]).unwrap();
        for (path, content) in saved.iter().zip(&contents) {
            std::fs::write(path, content).unwrap();
        }
        let cloud = cloud(dir.path());
        let kept =
            lengths[1..].iter().filter(|length| **length <= cut as u64).count() + usize::from(cut == whole.len());
        for key in &["one", "two", "three"][..kept] {
            assert_eq!(get(&cloud, key).await.unwrap(), **key, "cut at {cut}");
        }
        assert_eq!(content_files(dir.path()), kept, "cut at {cut}");
        put(&cloud, "after", "after").await.unwrap();
    }
}

#[tokio::test]
async fn versions_and_delete_markers_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    call(&cloud, "CreateBucket", json!({"Bucket": "bucket"})).await.unwrap();
    put(&cloud, "k", "null").await.unwrap();
    let enabled = json!({"Bucket": "bucket", "VersioningConfiguration": {"Status": "Enabled"}});
    call(&cloud, "PutBucketVersioning", enabled).await.unwrap();
    let first = put(&cloud, "k", "first").await.unwrap().output["VersionId"].clone();
    assert!(first.is_string());
    let marker = call(&cloud, "DeleteObject", json!({"Bucket": "bucket", "Key": "k"})).await.unwrap();
    assert_eq!(marker["DeleteMarker"], true);
    assert_eq!(get(&cloud, "k").await.unwrap_err().code, "NoSuchKey");
    assert_eq!(call(&cloud, "DeleteBucket", json!({"Bucket": "bucket"})).await.unwrap_err().code, "BucketNotEmpty");
    call(&cloud, "DeleteObject", json!({"Bucket": "bucket", "Key": "k", "VersionId": marker["VersionId"]}))
        .await
        .unwrap();
    assert_eq!(get(&cloud, "k").await.unwrap(), "first");
    call(&cloud, "DeleteObject", json!({"Bucket": "bucket", "Key": "k", "VersionId": first})).await.unwrap();
    assert_eq!(get(&cloud, "k").await.unwrap(), "null");
    call(&cloud, "DeleteObject", json!({"Bucket": "bucket", "Key": "k", "VersionId": "null"})).await.unwrap();
    call(&cloud, "DeleteBucket", json!({"Bucket": "bucket"})).await.unwrap();
    assert!(!dir.path().join("state/s3/objects/bucket").exists());
}

#[tokio::test]
async fn a_file_that_is_read_in_place_stays_while_it_is_on_loan() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    call(&cloud, "CreateBucket", json!({"Bucket": "bucket"})).await.unwrap();
    put(&cloud, "k", "old").await.unwrap();
    let input = json!({"Bucket": "bucket", "Key": "k"});
    let scope = Scope::root("us-east-1");
    let lent = cloud.call_with_body(&scope, ("s3", "GetObject"), input, Bytes::new()).await.unwrap().file.unwrap();
    put(&cloud, "k", "new").await.unwrap();
    assert_eq!(std::fs::read_to_string(&lent).unwrap(), "old");
    cloud.clock.advance_millis(10 * 60 * 1000);
    put(&cloud, "other", "").await.unwrap();
    assert!(!lent.exists());
    assert_eq!(get(&cloud, "k").await.unwrap(), "new");
}

#[tokio::test]
async fn a_configuration_with_an_unknown_member_is_refused_and_nothing_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    call(&cloud, "CreateBucket", json!({"Bucket": "bucket"})).await.unwrap();
    let versioning = json!({"Bucket": "bucket", "VersioningConfiguration": {"Status": "Enabled", "Speed": 9}});
    let refused = call(&cloud, "PutBucketVersioning", versioning).await.unwrap_err();
    assert!(refused.message.contains("speed"), "{refused}");
    let public = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}});
    let policy = json!({"Bucket": "bucket", "Policy": public.to_string()});
    assert_eq!(call(&cloud, "PutBucketPolicy", policy.clone()).await.unwrap_err().code, "AccessDenied");
    call(&cloud, "DeletePublicAccessBlock", json!({"Bucket": "bucket"})).await.unwrap();
    call(&cloud, "PutBucketPolicy", policy).await.unwrap();
}

#[tokio::test]
async fn operations_that_are_not_here_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    let refused = call(&cloud, "SelectObjectContent", json!({})).await.unwrap_err();
    assert!(refused.code == "NotImplemented" && refused.message.contains("SelectObjectContent"), "{refused}");
}
