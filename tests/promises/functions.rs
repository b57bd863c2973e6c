//! Functions on bad days: a cloud that stops, a start on what it left.

use crate::support::LocalCloud;

const SHARED: &str = include_str!("../conformance/function.py");

/// The processes whose environment names this home's certificate: functions of this cloud and of no other.
fn functions_of(home: &std::path::Path) -> usize {
    let marker = home.join("keys/ca.pem").display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let environments = processes.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
    environments.filter(|environment| String::from_utf8_lossy(environment).contains(&marker)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_end_with_the_cloud_and_work_again_after_a_restart() {
    let cloud = LocalCloud::start().await;
    let first = r#"
function("f", Environment={"Variables": {"WHO": "me"}})
print(json.loads(boto3.client("lambda").invoke(FunctionName="f", Payload=b"1")["Payload"].read())["body"])
"#;
    assert_eq!(cloud.boto3(&format!("{SHARED}{first}")).await, 1);
    assert_eq!(functions_of(cloud.home()), 1);
    let cloud = cloud.restart().await;
    assert_eq!(functions_of(cloud.home()), 0);
    let second =
        r#"print(json.loads(boto3.client("lambda").invoke(FunctionName="f", Payload=b"2")["Payload"].read())["body"])"#;
    assert_eq!(cloud.boto3(&format!("{SHARED}{second}")).await, 2);
    cloud.stop().await;
}
