//! What was acknowledged outlives the process, however it ends.

use labctl::local::Found;

use crate::support::LocalProgram;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_cloud_comes_back_with_what_it_acknowledged_and_a_stopped_one_leaves_no_trace() {
    let home = tempfile::Builder::new().prefix("lc").tempdir().unwrap();
    let first = LocalProgram::start(home.path()).await;
    let iam = aws_sdk_iam::Client::new(&first.sdk());
    iam.create_role().role_name("kept").assume_role_policy_document(TRUST).send().await.unwrap();
    first.kill().await;
    assert_eq!(Found::find(home.path()).unwrap(), None);
    let second = LocalProgram::start(home.path()).await;
    let iam = aws_sdk_iam::Client::new(&second.sdk());
    assert_eq!(iam.get_role().role_name("kept").send().await.unwrap().role().unwrap().role_name(), "kept");
    assert!(second.stop().await);
    assert_eq!(Found::find(home.path()).unwrap(), None);
}
