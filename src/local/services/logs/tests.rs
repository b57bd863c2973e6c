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
