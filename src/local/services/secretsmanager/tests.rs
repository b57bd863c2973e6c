//! The service through the dispatcher, in memory.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use serde_json::{Value, json};

use super::open;
use crate::clock::{Clock, Timestamp};
use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::scope::Scope;

const DAY: i64 = 86_400_000;

fn cloud(dir: &std::path::Path) -> Arc<Cloud> {
    let clock = Clock::fixed(Timestamp::from_millis(1_700_000_000_000));
    let cloud = Cloud::new(Parts { clock, ..Parts::of_test(dir) });
    cloud.register(vec![open(&cloud).unwrap()]);
    cloud
}

async fn call(cloud: &Cloud, operation: &str, input: Value) -> Result<Value, Fault> {
    cloud.call(&Scope::root("us-east-1"), "secretsmanager", operation, input).await
}

async fn value(cloud: &Cloud, input: Value) -> Result<String, Fault> {
    Ok(call(cloud, "GetSecretValue", input).await?["SecretString"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_is_not_there_can_be_deleted_by_force_only() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    let forced = json!({"SecretId": "gone", "ForceDeleteWithoutRecovery": true});
    assert_eq!(call(&cloud, "DeleteSecret", forced).await.unwrap()["Name"], "gone");
    let plain = call(&cloud, "DeleteSecret", json!({"SecretId": "gone"})).await;
    assert_eq!(plain.unwrap_err().code, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_secret_is_found_by_name_arn_and_partial_arn_and_its_file_is_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let arn = {
        let cloud = cloud(dir.path());
        let made = call(&cloud, "CreateSecret", json!({"Name": "a/b", "SecretString": "hidden"})).await.unwrap();
        made["ARN"].as_str().unwrap().to_owned()
    };
    assert!(arn.starts_with("arn:aws:secretsmanager:us-east-1:000000000000:secret:a/b-"));
    let cloud = cloud(dir.path());
    for id in ["a/b", &arn, &arn[..arn.len() - 7]] {
        assert_eq!(value(&cloud, json!({"SecretId": id})).await.unwrap(), "hidden");
    }
    assert_eq!(value(&cloud, json!({"SecretId": "a"})).await.unwrap_err().code, "ResourceNotFoundException");
    let elsewhere =
        cloud.call(&Scope::root("eu-west-1"), "secretsmanager", "DescribeSecret", json!({"SecretId": "a/b"})).await;
    assert_eq!(elsewhere.unwrap_err().code, "ResourceNotFoundException");
    let mode = std::fs::metadata(dir.path().join("state/secretsmanager/secrets.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn stages_move_and_a_token_is_one_version() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    let token = |n: u8| format!("{n:032}");
    let put = |n: u8, text: &str| json!({"SecretId": "s", "SecretString": text, "ClientRequestToken": token(n)});
    let create = json!({"Name": "s", "SecretString": "1", "ClientRequestToken": token(1)});
    call(&cloud, "CreateSecret", create.clone()).await.unwrap();
    call(&cloud, "CreateSecret", create).await.unwrap();
    let other = json!({"Name": "s", "SecretString": "x"});
    assert_eq!(call(&cloud, "CreateSecret", other).await.unwrap_err().code, "ResourceExistsException");
    call(&cloud, "PutSecretValue", put(2, "2")).await.unwrap();
    call(&cloud, "PutSecretValue", put(2, "2")).await.unwrap();
    assert_eq!(call(&cloud, "PutSecretValue", put(2, "3")).await.unwrap_err().code, "ResourceExistsException");
    assert_eq!(value(&cloud, json!({"SecretId": "s"})).await.unwrap(), "2");
    assert_eq!(value(&cloud, json!({"SecretId": "s", "VersionStage": "AWSPREVIOUS"})).await.unwrap(), "1");
    let back = json!({
        "SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": token(1), "RemoveFromVersionId": token(2),
    });
    call(&cloud, "UpdateSecretVersionStage", back).await.unwrap();
    assert_eq!(value(&cloud, json!({"SecretId": "s"})).await.unwrap(), "1");
    assert_eq!(value(&cloud, json!({"SecretId": "s", "VersionStage": "AWSPREVIOUS"})).await.unwrap(), "2");
    let versions = call(&cloud, "ListSecretVersionIds", json!({"SecretId": "s"})).await.unwrap();
    assert_eq!(versions["Versions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_until_its_window_ends() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    call(&cloud, "CreateSecret", json!({"Name": "s", "SecretString": "v"})).await.unwrap();
    let bad = json!({"SecretId": "s", "RecoveryWindowInDays": 3});
    assert_eq!(call(&cloud, "DeleteSecret", bad).await.unwrap_err().code, "InvalidParameterException");
    let delete = json!({"SecretId": "s", "RecoveryWindowInDays": 7});
    call(&cloud, "DeleteSecret", delete.clone()).await.unwrap();
    assert_eq!(value(&cloud, json!({"SecretId": "s"})).await.unwrap_err().code, "InvalidRequestException");
    let taken = call(&cloud, "CreateSecret", json!({"Name": "s", "SecretString": "v"})).await.unwrap_err();
    assert_eq!(taken.code, "InvalidRequestException");
    assert_eq!(call(&cloud, "ListSecrets", json!({})).await.unwrap()["SecretList"], json!([]));
    call(&cloud, "RestoreSecret", json!({"SecretId": "s"})).await.unwrap();
    assert_eq!(value(&cloud, json!({"SecretId": "s"})).await.unwrap(), "v");
    call(&cloud, "DeleteSecret", delete).await.unwrap();
    cloud.clock.advance_millis(7 * DAY);
    assert_eq!(value(&cloud, json!({"SecretId": "s"})).await.unwrap_err().code, "ResourceNotFoundException");
    call(&cloud, "CreateSecret", json!({"Name": "s", "SecretString": "new"})).await.unwrap();
}

#[tokio::test]
async fn what_a_service_owns_only_that_service_changes() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    let user = call(&cloud, "CreateSecret", json!({"Name": "rds!cluster-1", "SecretString": "v"})).await.unwrap_err();
    assert_eq!(user.code, "ValidationException");
    let rds = Scope::root("us-east-1").as_service("rds.amazonaws.com");
    let create = json!({"Name": "rds!cluster-1", "SecretString": "v"});
    cloud.call(&rds, "secretsmanager", "CreateSecret", create).await.unwrap();
    let described = call(&cloud, "DescribeSecret", json!({"SecretId": "rds!cluster-1"})).await.unwrap();
    assert_eq!(described["OwningService"], "rds");
    assert_eq!(value(&cloud, json!({"SecretId": "rds!cluster-1"})).await.unwrap(), "v");
    let delete = json!({"SecretId": "rds!cluster-1", "ForceDeleteWithoutRecovery": true});
    assert_eq!(call(&cloud, "DeleteSecret", delete.clone()).await.unwrap_err().code, "InvalidRequestException");
    cloud.call(&rds, "secretsmanager", "DeleteSecret", delete).await.unwrap();
}

#[tokio::test]
async fn filters_find_by_prefix_and_words() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    for (name, description) in [("prod/db", "The Database"), ("prod/api", "an API"), ("dev/db", "x")] {
        let tags = json!([{"Key": "team", "Value": name}]);
        let input = json!({"Name": name, "Description": description, "SecretString": "v", "Tags": tags});
        call(&cloud, "CreateSecret", input).await.unwrap();
    }
    for (key, wanted, found) in [
        ("name", "prod/", 2),
        ("name", "!prod/", 1),
        ("description", "the data", 1),
        ("tag-value", "dev", 1),
        ("all", "database THE", 1),
    ] {
        let filters = json!({"Filters": [{"Key": key, "Values": [wanted]}]});
        let list = call(&cloud, "ListSecrets", filters.clone()).await.unwrap();
        assert_eq!(list["SecretList"].as_array().unwrap().len(), found, "{key} {wanted}");
        let batch = call(&cloud, "BatchGetSecretValue", filters).await.unwrap();
        assert_eq!(batch["SecretValues"].as_array().unwrap().len(), found, "{key} {wanted}");
    }
    let refused = call(&cloud, "RotateSecret", json!({"SecretId": "prod/db"})).await.unwrap_err();
    assert_eq!(refused.code, "NotImplemented");
}
