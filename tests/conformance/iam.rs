//! IAM, by the clients that everybody uses.

use aws_sdk_iam::error::ProvideErrorMetadata;
use serde_json::json;

use crate::support::LocalCloud;
use crate::support::clients::Key;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_makes_a_user_whose_key_assumes_a_role() {
    let cloud = LocalCloud::start().await;
    let iam = aws_sdk_iam::Client::new(&cloud.sdk());
    iam.create_user().user_name("ann").send().await.unwrap();
    let key = iam.create_access_key().user_name("ann").send().await.unwrap().access_key.unwrap();
    let role =
        iam.create_role().role_name("work").assume_role_policy_document(TRUST).send().await.unwrap().role.unwrap();
    let ann = Key { id: key.access_key_id, secret: key.secret_access_key, token: None };
    let sts = aws_sdk_sts::Client::new(&cloud.sdk_as(&ann));
    assert_eq!(sts.get_caller_identity().send().await.unwrap().arn(), Some("arn:aws:iam::000000000000:user/ann"));
    let assumed = sts.assume_role().role_arn(role.arn()).role_session_name("session").send().await.unwrap();
    let credentials = assumed.credentials.unwrap();
    let session = Key {
        id: credentials.access_key_id,
        secret: credentials.secret_access_key,
        token: Some(credentials.session_token),
    };
    let who = aws_sdk_sts::Client::new(&cloud.sdk_as(&session)).get_caller_identity().send().await.unwrap();
    assert_eq!(who.arn(), Some("arn:aws:sts::000000000000:assumed-role/work/session"));
    iam.delete_access_key().user_name("ann").access_key_id(&ann.id).send().await.unwrap();
    let refused = sts.get_caller_identity().send().await.unwrap_err();
    assert_eq!(refused.into_service_error().code(), Some("InvalidClientTokenId"));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declared_errors_come_as_the_sdks_own_types() {
    let cloud = LocalCloud::start().await;
    let iam = aws_sdk_iam::Client::new(&cloud.sdk());
    let missing = iam.get_role().role_name("nobody").send().await.unwrap_err().into_service_error();
    assert!(missing.is_no_such_entity_exception(), "{missing:?}");
    let bad = iam
        .create_role()
        .role_name("r")
        .assume_role_policy_document("{")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(bad.is_malformed_policy_document_exception(), "{bad:?}");
    iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    let again = iam
        .create_role()
        .role_name("r")
        .assume_role_policy_document(TRUST)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(again.is_entity_already_exists_exception(), "{again:?}");
    let invalid = iam
        .create_role()
        .role_name("a b")
        .assume_role_policy_document(TRUST)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(invalid.code(), Some("ValidationError"));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cli_and_boto3_read_what_was_made_even_after_a_restart() {
    let cloud = LocalCloud::start().await;
    let arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole";
    cloud
        .aws(&[
            "iam",
            "create-role",
            "--role-name",
            "r",
            "--assume-role-policy-document",
            TRUST,
            "--tags",
            "Key=lab,Value=x",
        ])
        .await;
    cloud.aws(&["iam", "attach-role-policy", "--role-name", "r", "--policy-arn", arn]).await;
    cloud
        .aws(&[
            "iam",
            "put-role-policy",
            "--role-name",
            "r",
            "--policy-name",
            "p",
            "--policy-document",
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
        ])
        .await;
    let cloud = cloud.restart().await;
    let role = cloud.aws(&["iam", "get-role", "--role-name", "r"]).await;
    assert_eq!(role["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"], "000000000000");
    assert_eq!(role["Role"]["Tags"], json!([{"Key": "lab", "Value": "x"}]));
    let seen = cloud.boto3(
        "iam = boto3.client('iam')\n\
         attached = [p['PolicyArn'] for page in iam.get_paginator('list_attached_role_policies').paginate(RoleName='r') for p in page['AttachedPolicies']]\n\
         inline = iam.get_role_policy(RoleName='r', PolicyName='p')['PolicyDocument']['Statement'][0]['Action']\n\
         roles = [r['RoleName'] for page in iam.get_paginator('list_roles').paginate(PaginationConfig={'PageSize': 1}) for r in page['Roles']]\n\
         print(json.dumps([attached, inline, roles]))",
    ).await;
    assert_eq!(seen, json!([[arn], "s3:*", ["r"]]));
    let said = cloud.aws_fails(&["iam", "delete-role", "--role-name", "r"]).await;
    assert!(said.contains("DeleteConflict") && said.contains("must detach all policies first"), "{said}");
    let said = cloud
        .aws_fails(&["iam", "simulate-custom-policy", "--policy-input-list", "{}", "--action-names", "s3:x"])
        .await;
    assert!(said.contains("NotImplemented"), "{said}");
    cloud.stop().await;
}
