//! Secrets Manager, by the clients that everybody uses.

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use serde_json::json;

use crate::support::LocalCloud;

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_lives_its_life_by_the_sdk() {
    let cloud = LocalCloud::start().await;
    let client = aws_sdk_secretsmanager::Client::new(&cloud.sdk());
    let made = client.create_secret().name("s").secret_string("one").description("d").send().await.unwrap();
    client.put_secret_value().secret_id("s").secret_string("two").send().await.unwrap();
    let now = client.get_secret_value().secret_id("s").send().await.unwrap();
    assert_eq!((now.secret_string(), now.arn()), (Some("two"), made.arn()));
    let before = client.get_secret_value().secret_id("s").version_stage("AWSPREVIOUS").send().await.unwrap();
    assert_eq!(before.version_id(), made.version_id());
    let blob = aws_sdk_secretsmanager::primitives::Blob::new([0u8, 255]);
    client.create_secret().name("binary").secret_binary(blob.clone()).send().await.unwrap();
    let binary = client.get_secret_value().secret_id("binary").send().await.unwrap();
    assert_eq!(binary.secret_binary(), Some(&blob));
    client.delete_secret().secret_id("s").recovery_window_in_days(7).send().await.unwrap();
    let marked = client.get_secret_value().secret_id("s").send().await.unwrap_err();
    assert_eq!(marked.into_service_error().code(), Some("InvalidRequestException"));
    client.delete_secret().secret_id("s").force_delete_without_recovery(true).send().await.unwrap();
    let gone = client.get_secret_value().secret_id("s").send().await.unwrap_err();
    assert_eq!(gone.into_service_error().code(), Some("ResourceNotFoundException"));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cli_and_boto3_see_the_same_secrets_also_after_a_restart() {
    let cloud = LocalCloud::start().await;
    cloud
        .aws(&["secretsmanager", "create-secret", "--name", "a/b", "--secret-string", "v", "--tags", "Key=k,Value=t"])
        .await;
    let cloud = cloud.restart().await;
    let seen = cloud
        .boto3(
            r#"
sm = boto3.client('secretsmanager')
secret = sm.list_secrets(Filters=[{'Key': 'tag-key', 'Values': ['k']}])['SecretList'][0]
value = sm.get_secret_value(SecretId=secret['ARN'])
password = sm.get_random_password(PasswordLength=20, ExcludePunctuation=True)['RandomPassword']
print(json.dumps([secret['Name'], value['SecretString'], value['VersionStages'], len(password), password.isalnum()]))
"#,
        )
        .await;
    assert_eq!(seen, json!(["a/b", "v", ["AWSCURRENT"], 20, true]));
    let said = cloud.aws_fails(&["secretsmanager", "rotate-secret", "--secret-id", "a/b"]).await;
    assert!(said.contains("NotImplemented") && said.contains("RotateSecret"), "{said}");
    let said = cloud.aws_fails(&["secretsmanager", "get-secret-value", "--secret-id", "nothing"]).await;
    assert!(said.contains("ResourceNotFoundException"), "{said}");
    cloud.stop().await;
}
