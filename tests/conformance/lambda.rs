//! Lambda and its logs, driven by boto3.

use crate::support::LocalCloud;

const SHARED: &str = include_str!("function.py");

#[tokio::test(flavor = "multi_thread")]
async fn boto3_creates_invokes_updates_versions_and_deletes_a_function() {
    let cloud = LocalCloud::start().await;
    let program = r#"
fn = boto3.client("lambda")
made = function("f", Environment={"Variables": {"AB": "1"}}, Tags={"team": "x"})
assert made["State"] == "Active" and made["CodeSha256"] and made["ResponseMetadata"]["HTTPStatusCode"] == 201, made
fn.get_waiter("function_active_v2").wait(FunctionName="f")
def invoke(payload, **more):
    answer = fn.invoke(FunctionName="f", Payload=json.dumps(payload), **more)
    return answer, json.loads(answer["Payload"].read())
answer, body = invoke({"x": 1}, LogType="Tail")
assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST" and body == {"statusCode": 200, "body": {"x": 1}}, body
assert b"REPORT RequestId: " in base64.b64decode(answer["LogResult"])
answer, body = invoke({"do": "fail"})
assert answer["FunctionError"] == "Unhandled" and body["errorType"] == "Oops", body
answer, body = invoke({"do": "crash"})
assert body["errorType"] == "Runtime.ExitError", body
assert fn.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
assert fn.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"event": 1}')["StatusCode"] == 202
assert refused(fn.invoke, FunctionName="f", Payload=b"{oops") == "InvalidRequestContentException"
assert refused(fn.invoke, FunctionName="none") == "ResourceNotFoundException"
assert refused(fn.create_function, FunctionName="g", Runtime="python3.12", Handler="x", Role=made["Role"], Code={"ZipFile": zipped()}) == "NotImplemented"
assert refused(fn.create_function, FunctionName="g", Runtime="provided.al2023", Handler="x", Role="arn:aws:iam::000000000000:role/none", Code={"ZipFile": zipped()}) == "InvalidParameterValueException"
changed = fn.update_function_configuration(FunctionName="f", Timeout=7, Environment={"Variables": {"AB": "2"}})
assert changed["LastUpdateStatus"] in ("InProgress", "Successful") and changed["Timeout"] == 7, changed
fn.get_waiter("function_updated_v2").wait(FunctionName="f")
assert fn.publish_version(FunctionName="f")["Version"] == "1"
assert fn.create_alias(FunctionName="f", Name="live", FunctionVersion="1")["AliasArn"].endswith(":f:live")
assert fn.invoke(FunctionName="f", Qualifier="live")["ExecutedVersion"] == "1"
fn.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
assert refused(fn.invoke, FunctionName="f") == "TooManyRequestsException"
fn.delete_function_concurrency(FunctionName="f")
found = fn.get_function(FunctionName="f")
assert found["Tags"] == {"team": "x"} and found["Configuration"]["Environment"]["Variables"] == {"AB": "2"}, found
changed = BOOTSTRAP.replace('"statusCode": 200, "body": event', '"new": event')
fn.update_function_code(FunctionName="f", ZipFile=zipped(changed))
fn.get_waiter("function_updated_v2").wait(FunctionName="f")
assert invoke({"y": 2})[1] == {"new": {"y": 2}}
assert http(fn.get_function(FunctionName="f")["Code"]["Location"])[0] == 200
assert [f["FunctionName"] for f in fn.list_functions()["Functions"]] == ["f"]
logs = boto3.client("logs")
def lines(): return [e["message"] for e in logs.filter_log_events(logGroupName="/aws/lambda/f")["events"]]
wait(lambda: any(line.strip() == "did fail" for line in lines()) and any(line.startswith("REPORT") for line in lines()))
streams = logs.describe_log_streams(logGroupName="/aws/lambda/f", orderBy="LastEventTime", descending=True)["logStreams"]
assert "[$LATEST]" in streams[-1]["logStreamName"] or "[1]" in streams[-1]["logStreamName"], streams
fn.delete_function(FunctionName="f")
assert refused(fn.get_function, FunctionName="f") == "ResourceNotFoundException"
print(json.dumps("done"))
"#;
    assert_eq!(cloud.boto3(&format!("{SHARED}{program}")).await, "done");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_and_the_cli_publish_versions_route_aliases_and_wait_for_updates() {
    let cloud = LocalCloud::start().await;
    let program = r#"
fn = boto3.client("lambda")
def code(text): return zipped(BOOTSTRAP.replace('"statusCode": 200, "body": event', '"told": "%s"' % text))
function("f", Code={"ZipFile": code("one")}, Publish=True)
def told(qualifier="$LATEST"):
    answer = fn.invoke(FunctionName="f", Qualifier=qualifier)
    return answer["ExecutedVersion"], json.loads(answer["Payload"].read())["told"]
assert told() == ("$LATEST", "one") and told("1") == ("1", "one")
begun = fn.update_function_code(FunctionName="f", ZipFile=code("two"))
assert begun["LastUpdateStatus"] == "InProgress" and begun["LastUpdateStatusReasonCode"] == "Creating", begun
# On a slow machine it may be done already.
busy = refused(fn.publish_version, FunctionName="f")
done = fn.get_function_configuration(FunctionName="f")["LastUpdateStatus"] == "Successful"
assert done or busy == "ResourceConflictException", busy
fn.get_waiter("function_updated_v2").wait(FunctionName="f")
now = fn.get_function_configuration(FunctionName="f")
assert now["LastUpdateStatus"] == "Successful" and "LastUpdateStatusReason" not in now and now["Timeout"] == 5, now
assert told() == ("$LATEST", "two")
assert fn.publish_version(FunctionName="f")["Version"] == "2"
assert fn.publish_version(FunctionName="f")["Version"] == "2", "nothing has changed"
assert refused(fn.publish_version, FunctionName="f", CodeSha256="x" * 44) == "InvalidParameterValueException"
alias = fn.create_alias(FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
seen = {told("live") for _ in range(60)}
assert seen == {("1", "one"), ("2", "two")}, seen
moved = fn.update_alias(FunctionName="f", Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}}, RevisionId=alias["RevisionId"])
assert {told("live")[0] for _ in range(20)} == {"2"} and "RoutingConfig" not in moved, moved
assert refused(fn.update_alias, FunctionName="f", Name="live", FunctionVersion="1", RevisionId=alias["RevisionId"]) == "PreconditionFailedException"
assert refused(fn.create_alias, FunctionName="f", Name="none", FunctionVersion="9") == "ResourceNotFoundException"
assert [v["Version"] for v in fn.list_versions_by_function(FunctionName="f")["Versions"]] == ["$LATEST", "1", "2"]
assert [a["Name"] for a in fn.list_aliases(FunctionName="f", FunctionVersion="2")["Aliases"]] == ["live"]
assert refused(fn.delete_function, FunctionName="f", Qualifier="2") == "ResourceConflictException"
fn.delete_function(FunctionName="f", Qualifier="1")
assert refused(fn.invoke, FunctionName="f", Qualifier="1") == "ResourceNotFoundException"
print(json.dumps("done"))
"#;
    assert_eq!(cloud.boto3(&format!("{SHARED}{program}")).await, "done");
    let alias = cloud.aws(&["lambda", "get-alias", "--function-name", "f", "--name", "live"]).await;
    assert_eq!(alias["FunctionVersion"], "2");
    let out = cloud.home().join("out.json");
    let call = ["lambda", "invoke", "--function-name", "f:live", "--log-type", "Tail", out.to_str().unwrap()];
    assert_eq!(cloud.aws(&call).await["ExecutedVersion"], "2");
    cloud.stop().await;
}
