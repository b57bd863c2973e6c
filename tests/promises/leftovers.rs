//! What a deleted stack leaves behind is found by `down`, told, and nothing of others with it.

use serde_json::{Value, json};

use crate::support::Machine;

/// Of each kind one with telemetry's tags or name, and one that belongs to another environment. The log group is that of a function
/// that is gone: `down` removes it.
const LEAVE: &str = r#"
ours = {"labctl:lab": "telemetry", "labctl:env": "dev"}
theirs = {"labctl:lab": "telemetry", "labctl:env": "devil"}
pairs = lambda tags: [{"Key": key, "Value": value} for key, value in tags.items()]
trust = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
client = lambda name: boto3.client(name)
left = []
for tags, env in ((ours, "dev"), (theirs, "devil")):
    name = f"telemetry-{env}-left"
    vpc = client("ec2").create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": pairs(tags)}])["Vpc"]["VpcId"]
    group = client("ec2").create_security_group(GroupName=name, Description="left", VpcId=vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": pairs(tags)}])["GroupId"]
    rest = client("apigateway").create_rest_api(name=name, tags=tags)["id"]
    key = client("apigateway").create_api_key(name=name, tags=tags)["id"]
    api = client("apigatewayv2").create_api(Name=name, ProtocolType="HTTP", Tags=tags)["ApiId"]
    secret = client("secretsmanager").create_secret(Name=name, SecretString="left", Tags=pairs(tags))["Name"]
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    client("s3").create_bucket(Bucket=name)
    client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    if env == "dev":
        left = [["API key", key], ["HTTP API", api], ["REST API", rest], ["VPC", vpc], ["bucket", name], ["role", name],
                ["secret", secret], ["security group", group]]
say(left)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_is_told_kind_by_kind_and_what_is_another_instances_is_not() {
    let machine = Machine::new();
    machine.well(&["local", "start"]);
    let left = machine.clients().unwrap().boto3(LEAVE).await;
    let said = machine.run(&["down", "telemetry", "--local", "--yes", "--output", "json"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let row = &said.json()["instances"][0];
    assert!(row["left"].is_array(), "{said:?}");
    let told: Vec<Value> = row["left"].as_array().unwrap().iter().map(|one| json!([one["type"], one["id"]])).collect();
    assert_eq!(json!(told), left);
    let logs = machine
        .clients()
        .unwrap()
        .boto3("say([g['logGroupName'] for g in boto3.client('logs').describe_log_groups()['logGroups']])")
        .await;
    assert_eq!(logs, json!(["/aws/lambda/telemetry-devil-left"]));
    let said = machine.run(&["down", "telemetry", "--local", "--yes"]).ended(1);
    assert!(said.contains("error: something is left"), "{said}");
    // Another environment sees its own, and nothing of a lab that never was.
    machine.run(&["down", "telemetry", "--local", "--yes", "--env", "devil"]).ended(1);
    machine.well(&["down", "inventory", "--local", "--yes"]);
}

#[test]
fn a_lab_of_which_a_stack_is_missing_is_not_up() {
    let machine = Machine::new();
    machine.well(&["init", "superheroes", "small"]);
    machine.write("small/lab.yaml", "lab: small\ndescription: d\nstacks: [network]\n");
    machine.well(&["up", "./small", "--local"]);
    let status = ["status", "./small", "--local"];
    let whole = machine.json(&status);
    assert_eq!((&whole["state"], &whole["missing"]), (&json!("up"), &json!([])));
    machine.write("small/lab.yaml", "lab: small\ndescription: d\nstacks: [network, storage]\n");
    let part = machine.json(&status);
    assert_eq!((&part["state"], &part["missing"]), (&json!("unfinished"), &json!(["storage"])));
    let said = machine.well(&status);
    assert!(said.contains("missing: storage; labctl up ./small --local brings what is missing"), "{said}");
    machine.well(&["down", "./small", "--local", "--yes"]);
    let none = machine.run(&["invoke", "small", "--local"]).ended(2);
    assert!(none.contains("lab `small` (dev) is not there"), "{none}");
}
