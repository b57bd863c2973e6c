//! STS, by the clients that everybody uses.

use aws_sdk_sts::error::ProvideErrorMetadata;

use crate::support::LocalCloud;
use crate::support::clients::Key;

#[tokio::test(flavor = "multi_thread")]
async fn every_client_learns_who_it_is() {
    let cloud = LocalCloud::start().await;
    let root = "arn:aws:iam::000000000000:root";
    let by_sdk = aws_sdk_sts::Client::new(&cloud.sdk()).get_caller_identity().send().await.unwrap();
    assert_eq!(by_sdk.arn(), Some(root));
    assert_eq!(cloud.aws(&["sts", "get-caller-identity"]).await["Arn"], root);
    let by_boto3 = cloud.boto3("print(json.dumps(boto3.client('sts').get_caller_identity()['Arn']))").await;
    assert_eq!(by_boto3, root);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_signature_is_refused_in_awss_words() {
    let cloud = LocalCloud::start().await;
    let ask = async |id: &str, secret: &str, token: Option<&str>| {
        let key = Key { id: id.into(), secret: secret.into(), token: token.map(str::to_owned) };
        let answer = aws_sdk_sts::Client::new(&cloud.sdk_as(&key)).get_caller_identity().send().await;
        answer.unwrap_err().into_service_error().code().unwrap_or_default().to_owned()
    };
    assert_eq!(ask("test", "tset", None).await, "SignatureDoesNotMatch");
    assert_eq!(ask("AKIANOBODY", "test", None).await, "InvalidClientTokenId");
    assert_eq!(ask("test", "test", Some("token")).await, "InvalidClientTokenId");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn session_credentials_work_until_somebody_touches_them() {
    let cloud = LocalCloud::start().await;
    let session = aws_sdk_sts::Client::new(&cloud.sdk()).get_session_token().send().await.unwrap();
    let credentials = session.credentials().unwrap();
    let key = Key {
        id: credentials.access_key_id().to_owned(),
        secret: credentials.secret_access_key().to_owned(),
        token: Some(credentials.session_token().to_owned()),
    };
    let whole = aws_sdk_sts::Client::new(&cloud.sdk_as(&key)).get_caller_identity().send().await.unwrap();
    assert_eq!(whole.account(), Some("000000000000"));
    let touched = Key { token: key.token.as_ref().map(|token| format!("{token}x")), ..key };
    let refused = aws_sdk_sts::Client::new(&cloud.sdk_as(&touched)).get_caller_identity().send().await.unwrap_err();
    assert_eq!(refused.into_service_error().code(), Some("InvalidClientTokenId"));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_here_is_refused_by_name() {
    let cloud = LocalCloud::start().await;
    let said = cloud.aws_fails(&["sts", "get-federation-token", "--name", "somebody"]).await;
    assert!(said.contains("NotImplemented") && said.contains("GetFederationToken"), "{said}");
    let said = cloud.aws_fails(&["athena", "list-work-groups"]).await;
    assert!(said.contains("NotImplemented") && said.contains("athena"), "{said}");
    cloud.stop().await;
}
