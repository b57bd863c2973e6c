//! The service through the dispatcher, in memory.

use std::sync::Arc;

use serde_json::{Value, json};

use super::open;
use crate::clock::{Clock, Timestamp};
use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::scope::Scope;

const NOW: i64 = 1_700_000_000_000;

fn cloud(dir: &std::path::Path) -> Arc<Cloud> {
    let clock = Clock::fixed(Timestamp::from_millis(NOW));
    let cloud = Cloud::new(Parts { clock, ..Parts::of_test(dir) });
    cloud.register(vec![open(&cloud).unwrap()]);
    cloud
}

async fn call(cloud: &Cloud, operation: &str, input: Value) -> Result<Value, Fault> {
    cloud.call(&Scope::root("us-east-1"), "logs", operation, input).await
}

#[tokio::test]
async fn events_outlive_a_restart_and_expire_after_the_retention() {
    let dir = tempfile::tempdir().unwrap();
    {
        let cloud = cloud(dir.path());
        call(&cloud, "CreateLogGroup", json!({"logGroupName": "/g", "tags": {"a": "b"}})).await.unwrap();
        let again = call(&cloud, "CreateLogGroup", json!({"logGroupName": "/g"})).await.unwrap_err();
        assert_eq!(again.code, "ResourceAlreadyExistsException");
        call(&cloud, "CreateLogStream", json!({"logGroupName": "/g", "logStreamName": "s"})).await.unwrap();
        let events = json!([{"timestamp": NOW - 1000, "message": "one"}, {"timestamp": NOW, "message": "two ERROR"}]);
        let put = json!({"logGroupName": "/g", "logStreamName": "s", "logEvents": events});
        call(&cloud, "PutLogEvents", put).await.unwrap();
    }
    let cloud = cloud(dir.path());
    let found = call(&cloud, "FilterLogEvents", json!({"logGroupName": "/g", "filterPattern": "ERROR"})).await.unwrap();
    assert_eq!(found["events"][0]["message"], "two ERROR");
    assert_eq!(found["events"].as_array().unwrap().len(), 1);
    let groups = call(&cloud, "DescribeLogGroups", json!({"logGroupNamePrefix": "/"})).await.unwrap();
    assert_eq!(groups["logGroups"][0]["arn"], "arn:aws:logs:us-east-1:000000000000:log-group:/g:*");
    let retention = json!({"logGroupName": "/g", "retentionInDays": 1});
    call(&cloud, "PutRetentionPolicy", retention).await.unwrap();
    cloud.clock.advance_millis(86_400_000);
    let page = call(&cloud, "GetLogEvents", json!({"logGroupName": "/g", "logStreamName": "s"})).await.unwrap();
    assert_eq!(page["events"].as_array().unwrap().len(), 1, "{page}");
    let refused = call(&cloud, "PutRetentionPolicy", json!({"logGroupName": "/g", "retentionInDays": 2})).await;
    assert_eq!(refused.unwrap_err().code, "InvalidParameterException");
    call(&cloud, "DeleteLogGroup", json!({"logGroupName": "/g"})).await.unwrap();
    let gone = call(&cloud, "DescribeLogStreams", json!({"logGroupName": "/g"})).await.unwrap_err();
    assert_eq!(gone.code, "ResourceNotFoundException");
}

#[tokio::test]
async fn filtering_pages_over_streams_in_time_order() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    call(&cloud, "CreateLogGroup", json!({"logGroupName": "g"})).await.unwrap();
    for (stream, times) in [("a", [NOW, NOW + 2]), ("b", [NOW + 1, NOW + 3])] {
        call(&cloud, "CreateLogStream", json!({"logGroupName": "g", "logStreamName": stream})).await.unwrap();
        let events: Vec<Value> =
            times.iter().map(|t| json!({"timestamp": t, "message": format!("{}", t - NOW)})).collect();
        let put = json!({"logGroupName": "g", "logStreamName": stream, "logEvents": events});
        call(&cloud, "PutLogEvents", put).await.unwrap();
    }
    let (mut seen, mut token) = (Vec::new(), None::<Value>);
    loop {
        let mut input = json!({"logGroupName": "g", "limit": 3});
        if let Some(token) = &token {
            input["nextToken"] = token.clone();
        }
        let page = call(&cloud, "FilterLogEvents", input).await.unwrap();
        seen.extend(
            page["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap().to_owned()),
        );
        token = page.get("nextToken").cloned();
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["0", "1", "2", "3"]);
}

/// Writes `count` events of this moment to a stream of its own, in batches, and tells when it is done.
async fn write(cloud: Arc<Cloud>, stream: String, count: usize) {
    for at in 0..count / 5 {
        let now = cloud.clock.now().millis();
        let events: Vec<Value> =
            (0..5).map(|n| json!({"timestamp": now, "message": format!("{stream} {}", at * 5 + n)})).collect();
        let put = json!({"logGroupName": "g", "logStreamName": stream, "logEvents": events});
        call(&cloud, "PutLogEvents", put).await.unwrap();
    }
}

/// All pages of FilterLogEvents from `since` on.
async fn walk(cloud: &Cloud, since: i64) -> Vec<(i64, String, String)> {
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"logGroupName": "g", "limit": 7, "startTime": since});
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let mut page = call(cloud, "FilterLogEvents", input).await.unwrap();
        let text = |event: &Value, member: &str| event[member].as_str().unwrap().to_owned();
        let events = page["events"].as_array().unwrap().iter();
        found.extend(
            events.map(|event| (event["timestamp"].as_i64().unwrap(), text(event, "eventId"), text(event, "message"))),
        );
        token = page["nextToken"].take();
        if token.is_null() {
            return found;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_read_while_others_write_double_nothing_and_in_the_end_lack_nothing() {
    const COUNT: usize = 300;
    let dir = tempfile::tempdir().unwrap();
    let cloud = Cloud::new(Parts::of_test(dir.path()));
    cloud.register(vec![open(&cloud).unwrap()]);
    call(&cloud, "CreateLogGroup", json!({"logGroupName": "g"})).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for stream in ["a", "b", "c"] {
        call(&cloud, "CreateLogStream", json!({"logGroupName": "g", "logStreamName": stream})).await.unwrap();
        writers.spawn(write(cloud.clone(), stream.to_owned(), COUNT));
    }
    let mut told = std::collections::BTreeSet::new();
    let mut forward = (Vec::new(), Value::Null);
    while !writers.is_empty() {
        let found = walk(&cloud, 0).await;
        assert!(found.is_sorted_by_key(|(time, _, _)| *time));
        let ids: std::collections::BTreeSet<&String> = found.iter().map(|(_, id, _)| id).collect();
        assert_eq!(ids.len(), found.len(), "an event came twice");
        told.extend(found.into_iter().map(|(_, _, message)| message));
        read_on(&cloud, &mut forward).await;
        while writers.try_join_next().is_some() {}
    }
    told.extend(walk(&cloud, 0).await.into_iter().map(|(_, _, message)| message));
    assert_eq!(told.len(), 3 * COUNT);
    while read_on(&cloud, &mut forward).await {}
    assert_eq!(forward.0, (0..COUNT).map(|n| format!("a {n}")).collect::<Vec<_>>(), "each once, in order");
}

/// One more page of stream `a`, forward; `false` at its end.
async fn read_on(cloud: &Cloud, (read, token): &mut (Vec<String>, Value)) -> bool {
    let mut input = json!({"logGroupName": "g", "logStreamName": "a", "limit": 9, "startFromHead": true});
    if !token.is_null() {
        input["nextToken"] = token.clone();
    }
    let page = call(cloud, "GetLogEvents", input).await.unwrap();
    let before = read.len();
    read.extend(page["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap().to_owned()));
    *token = page["nextForwardToken"].clone();
    read.len() > before
}
