//! CloudWatch Logs, driven by the AWS CLI.

use serde_json::json;

use crate::support::LocalCloud;

#[tokio::test(flavor = "multi_thread")]
async fn the_cli_writes_reads_filters_and_deletes_logs() {
    let cloud = LocalCloud::start().await;
    cloud.aws(&["logs", "create-log-group", "--log-group-name", "/app", "--tags", "a=b"]).await;
    cloud.aws(&["logs", "put-retention-policy", "--log-group-name", "/app", "--retention-in-days", "7"]).await;
    cloud.aws(&["logs", "create-log-stream", "--log-group-name", "/app", "--log-stream-name", "one"]).await;
    let now = cloud.cloud().clock.now().millis();
    let events = json!([{"timestamp": now - 2, "message": "{\"level\":\"ERROR\",\"n\":5}"}, {"timestamp": now, "message": "plain"}]);
    let events = events.to_string();
    cloud
        .aws(&[
            "logs",
            "put-log-events",
            "--log-group-name",
            "/app",
            "--log-stream-name",
            "one",
            "--log-events",
            &events,
        ])
        .await;
    let all = cloud.aws(&["logs", "get-log-events", "--log-group-name", "/app", "--log-stream-name", "one"]).await;
    assert_eq!(all["events"][1]["message"], "plain");
    let pattern = "{ $.level = \"ERROR\" && $.n > 4 }";
    let found =
        cloud.aws(&["logs", "filter-log-events", "--log-group-name", "/app", "--filter-pattern", pattern]).await;
    assert_eq!(found["events"].as_array().unwrap().len(), 1);
    let groups = cloud.aws(&["logs", "describe-log-groups"]).await;
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 7);
    let error = cloud.aws_fails(&["logs", "create-log-group", "--log-group-name", "/app"]).await;
    assert!(error.contains("ResourceAlreadyExistsException"), "{error}");
    let cloud = cloud.restart().await;
    let all = cloud.aws(&["logs", "get-log-events", "--log-group-name", "/app", "--log-stream-name", "one"]).await;
    assert_eq!(all["events"].as_array().unwrap().len(), 2);
    cloud.aws(&["logs", "delete-log-group", "--log-group-name", "/app"]).await;
    let error = cloud.aws_fails(&["logs", "describe-log-streams", "--log-group-name", "/app"]).await;
    assert!(error.contains("ResourceNotFoundException"), "{error}");
    cloud.stop().await;
}
