//! X-Ray, by the X-Ray SDK for Python inside a function and outside, by boto3, the AWS CLI and the SDK for Rust.

use aws_sdk_xray::primitives::DateTime;
use serde_json::json;

use crate::support::LocalCloud;

const SHARED: &str = include_str!("function.py");

/// What every program of this file begins with: an address of the daemon, and a way to wait for traces.
const TRACES: &str = r###"
import sys
xray = boto3.client("xray")
def daemon():
    return json.loads(http(os.environ["AWS_ENDPOINT_URL"] + "/_labctl/status")[1])["services"]["xray"]["daemons"]["us-east-1"]
def found(filter):
    end = time.time() + 1
    return xray.get_trace_summaries(StartTime=end - 600, EndTime=end, FilterExpression=filter)["TraceSummaries"]
def documents(id):
    traces = xray.batch_get_traces(TraceIds=[id])["Traces"]
    return [json.loads(s["Document"]) for t in traces for s in t["Segments"]]
def named(name, origin, all): return [d for d in all if d["name"] == name and d.get("origin") == origin][0]
"###;

/// A function that does a piece of work with the SDK: `_X_AMZN_TRACE_ID` is what the runtime of a language sets.
const TRACED: &str = r###"
PIECE = '''
    os.environ["_X_AMZN_TRACE_ID"] = answer.getheader("Lambda-Runtime-Trace-Id")
    from aws_xray_sdk.core import xray_recorder
    with xray_recorder.in_subsegment("## work") as work:
        work.put_annotation("hero", "batman"); work.put_metadata("daemon", os.environ["AWS_XRAY_DAEMON_ADDRESS"])
        with xray_recorder.in_subsegment("orders", namespace="remote") as call:
            call.put_http_meta("url", "https://orders.example/v1"); call.put_http_meta("status", 200)
'''
bootstrap = BOOTSTRAP.replace("#!/usr/bin/python3", "#!" + sys.executable).replace("    do = event.get", PIECE + "    do = event.get", 1)
made = function("traced", Code={"ZipFile": zipped(bootstrap)}, TracingConfig={"Mode": "Active"}, Timeout=20)
fn = boto3.client("lambda")
"###;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_traced_from_the_gateway_to_the_work_within_the_function() {
    let cloud = LocalCloud::start().await;
    let program = r###"
gw = boto3.client("apigateway")
api = gw.create_rest_api(name="heroes", endpointConfiguration={"types": ["REGIONAL"]})
place = dict(restApiId=api["id"], resourceId=api["rootResourceId"], httpMethod="ANY")
gw.put_method(authorizationType="NONE", **place)
uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % made["FunctionArn"]
gw.put_integration(type="AWS_PROXY", integrationHttpMethod="POST", uri=uri, **place)
gw.create_stage(restApiId=api["id"], stageName="lab", deploymentId=gw.create_deployment(restApiId=api["id"])["id"], tracingEnabled=True)
fn.add_permission(FunctionName="traced", StatementId="gw", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com")
base = "%s/_aws/execute-api/%s/lab/" % (os.environ["AWS_ENDPOINT_URL"], api["id"])

root = "1-%08x-%024x" % (int(time.time()), 7)
status, body, head = http(base + "?x=1", "POST", "hello", {"X-Amzn-Trace-Id": "Root=%s;Sampled=1" % root, "User-Agent": "tests"})
assert status == 201 and head["x-amzn-trace-id"].startswith("Root=%s;Parent=" % root) and head["x-amzn-trace-id"].endswith(";Sampled=1"), head
event = json.loads(body)
assert event["headers"]["X-Amzn-Trace-Id"] == head["x-amzn-trace-id"], event["headers"]
wait(lambda: len(documents(root)) == 4)
all = documents(root)
stage, service, run = named("heroes/lab", "AWS::ApiGateway::Stage", all), named("traced", "AWS::Lambda", all), named("traced", "AWS::Lambda::Function", all)
assert stage["http"]["request"]["method"] == "POST" and stage["http"]["response"]["status"] == 201 and stage["http"]["request"]["user_agent"] == "tests", stage
assert stage["http"]["request"]["url"].endswith(".execute-api.us-east-1.amazonaws.com/lab/"), stage
assert stage["annotations"] == {"aws:api_id": api["id"], "aws:api_stage": "lab"}
call = stage["subsegments"][0]
assert (call["name"], service["parent_id"], run["parent_id"]) == ("Lambda", call["id"], service["id"]), all
parts = {s["name"]: s for s in run["subsegments"]}
assert list(parts) == ["Initialization", "Invocation", "## work", "Overhead"], list(parts)
assert parts["Initialization"]["end_time"] <= run["start_time"] + 0.01 and run["end_time"] <= service["end_time"] <= stage["end_time"], all
work = parts["## work"]
assert work["annotations"] == {"hero": "batman"} and work["metadata"]["default"]["daemon"] == daemon(), work
assert parts["Invocation"]["start_time"] <= work["start_time"] <= work["end_time"] <= parts["Invocation"]["end_time"], run
inferred = named("orders", "remote", all)
assert inferred["inferred"] and inferred["parent_id"] == work["subsegments"][0]["id"], inferred

summary = found('annotation.hero = "batman" AND service("heroes/lab")')[0]
assert summary["Id"] == root and summary["Http"]["HttpStatus"] == 201 and not summary["IsPartial"], summary
assert summary["EntryPoint"]["Name"] == "heroes/lab" and {s["Name"] for s in summary["ServiceIds"]} == {"heroes/lab", "traced", "orders"}
assert found('edge("heroes/lab", id(name: "traced", type: "AWS::Lambda")) AND http.url CONTAINS "/lab/"')
assert not found('service("traced") { fault }')
graph = xray.get_service_graph(StartTime=time.time() - 600, EndTime=time.time() + 1)["Services"]
assert [s.get("Type") for s in graph if s.get("Root")] == ["AWS::ApiGateway::Stage"], graph

logs = boto3.client("logs")
def report():
    # The group comes with the first lines.
    try: events = logs.filter_log_events(logGroupName="/aws/lambda/traced")["events"]
    except logs.exceptions.ResourceNotFoundException: return []
    return [e["message"] for e in events if e["message"].startswith("REPORT")]
line = wait(report)[0]
assert "\nXRAY TraceId: %s\tSegmentId: %s\tSampled: true\t" % (root, run["id"]) in line, line

root = "1-%08x-%024x" % (int(time.time()), 8)
assert http(base + "?do=fail", "GET", None, {"X-Amzn-Trace-Id": "Root=%s;Sampled=1" % root})[0] == 502
wait(lambda: len(documents(root)) == 4)
run = named("traced", "AWS::Lambda::Function", documents(root))
assert run["fault"] and run["cause"]["exceptions"][0]["type"] == "Oops" and "Initialization" not in [s["name"] for s in run["subsegments"]], run
assert [s["Id"] for s in found('service("traced") { fault }')] == [root] and [s["Id"] for s in found("fault")] == [root]
cause = found("fault")[0]["FaultRootCauses"][0]["Services"]
assert cause[-1]["EntityPath"][0]["Exceptions"][0]["Message"] == "[BadRequest] no such hero", cause

quiet = "1-%08x-%024x" % (int(time.time()), 9)
status, body, head = http(base, "GET", None, {"X-Amzn-Trace-Id": "Root=%s;Sampled=0" % quiet})
assert head["x-amzn-trace-id"] == "Root=%s;Sampled=0" % quiet, head
fn.invoke(FunctionName="traced", InvocationType="Event")
event = wait(lambda: [s for s in found('service(id(name: "traced", type: "AWS::Lambda"))') if s["Id"] not in (root, summary["Id"]) and not s["IsPartial"]])[0]
parts = [s["name"] for s in named("traced", "AWS::Lambda", documents(event["Id"]))["subsegments"]]
assert parts == ["Dwell Time", "Attempt #1"], parts
assert documents(quiet) == []
say("done")
"###;
    assert_eq!(cloud.boto3(&format!("{SHARED}{TRACES}{TRACED}{program}")).await, "done");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_for_python_samples_by_the_rules_and_sends_what_it_keeps() {
    let cloud = LocalCloud::start().await;
    let program = r###"
rule = dict(RuleName="all", ResourceARN="*", Priority=1, FixedRate=1.0, ReservoirSize=0, ServiceName="shop", ServiceType="*", Host="*",
    HTTPMethod="*", URLPath="*", Version=1)
xray.create_sampling_rule(SamplingRule=rule)
xray.create_sampling_rule(SamplingRule=dict(rule, RuleName="none", FixedRate=0.0, ServiceName="quiet", Priority=2))
assert [r["SamplingRule"]["RuleName"] for r in xray.get_sampling_rules()["SamplingRuleRecords"]] == ["all", "none", "Default"]
from aws_xray_sdk.core import xray_recorder, patch
from aws_xray_sdk.core.sampling.sampler import DefaultSampler
from aws_xray_sdk.core.sampling.connector import ServiceConnector
xray_recorder.configure(service="shop", daemon_address=daemon(), sampling=True, context_missing="LOG_ERROR")
ip, port = daemon().split(":")
connector = ServiceConnector()
connector.setup_xray_client(ip=ip, port=port, client=None)
rules = connector.fetch_sampling_rules()
assert [(r.name, r.rate, r.reservoir._capacity if hasattr(r.reservoir, "_capacity") else None) for r in rules][0][:2] == ("all", 1.0), rules
for rule in rules: rule.increment_request_count(); rule.increment_sampled_count()
targets, modified = connector.fetch_sampling_target(rules)
assert targets["all"]["rate"] == 1.0 and targets["all"]["interval"] == 10 and targets["Default"]["quota"] == 1, targets
assert abs(modified - time.time()) < 60, modified

with xray_recorder.in_segment("shop") as segment:
    segment.set_user("ada"); segment.put_http_meta("url", "http://shop.example/cart"); segment.put_http_meta("method", "GET"); segment.put_http_meta("status", 404)
    try:
        with xray_recorder.in_subsegment("query", namespace="remote") as query:
            query.set_sql({"sanitized_query": "SELECT 1", "url": "mysql://db"})
            raise ValueError("no such cart")
    except ValueError: pass
id = segment.trace_id
wait(lambda: documents(id))
all = documents(id)
shop = named("shop", None, all)
query = shop["subsegments"][0]
assert query["fault"] and query["cause"]["exceptions"][0]["message"] == "no such cart", query
assert named("query", "Database::SQL", all)["inferred"]
assert [s["Id"] for s in found('error AND user = "ada" AND http.status = 404 AND service("query") { fault }')] == [id]

# More subsegments than a segment is sent with: the SDK streams them by themselves.
xray_recorder.configure(streaming_threshold=10)
with xray_recorder.in_segment("shop") as segment:
    for n in range(40):
        with xray_recorder.in_subsegment("part %d" % n): pass
wait(lambda: documents(segment.trace_id) and len(documents(segment.trace_id)[0].get("subsegments", [])) == 40)
assert len(documents(segment.trace_id)) == 1

assert http("http://%s/TraceSummaries" % daemon(), "POST", "{}")[0] == 403, "the daemon hands on two operations"
say("done")
"###;
    assert_eq!(cloud.boto3(&format!("{SHARED}{TRACES}{program}")).await, "done");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_and_the_sdk_for_rust_speak_to_it_and_it_remembers() {
    let cloud = LocalCloud::start().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let id = format!("1-{now:08x}-{:024x}", 5);
    let segment =
        json!({"name": "cli", "id": "00000000000000aa", "trace_id": id, "start_time": now, "end_time": now + 1});
    let put = cloud.aws(&["xray", "put-trace-segments", "--trace-segment-documents", &segment.to_string(), "{}"]).await;
    assert_eq!(put["UnprocessedTraceSegments"][0]["ErrorCode"], "MissingId", "{put}");
    let group = ["xray", "create-group", "--group-name", "mine", "--filter-expression", "service(\"cli\")"];
    let group = cloud.aws(&group).await["Group"]["GroupARN"].as_str().unwrap().to_owned();
    let tag = ["xray", "tag-resource", "--resource-arn", &group, "--tags", "Key=team,Value=x"];
    cloud.aws(&tag).await;
    let said = cloud.aws_fails(&["xray", "create-group", "--group-name", "odd", "--filter-expression", "falt"]).await;
    assert!(said.contains("InvalidRequestException") && said.contains("`falt` is not a keyword"), "{said}");
    let said = cloud.aws_fails(&["xray", "get-insight-summaries", "--start-time", "1", "--end-time", "2"]).await;
    assert!(said.contains("NotImplemented") && said.contains("GetInsightSummaries"), "{said}");
    let encryption = cloud.aws(&["xray", "get-encryption-config"]).await;
    assert_eq!(encryption["EncryptionConfig"]["Type"], "NONE");
    let daemon = format!("{TRACES}say(daemon())");
    let before = cloud.boto3(&daemon).await;
    let cloud = cloud.restart().await;
    assert_eq!(cloud.boto3(&daemon).await, before, "whoever was told an address goes on sending to it");
    let tags = cloud.aws(&["xray", "list-tags-for-resource", "--resource-arn", &group]).await;
    assert_eq!(tags["Tags"][0]["Value"], "x");
    let xray = aws_sdk_xray::Client::new(&cloud.sdk());
    let range = |seconds| DateTime::from_secs(i64::try_from(now).unwrap() + seconds);
    let found = xray.get_trace_summaries().start_time(range(-60)).end_time(range(60));
    let found = found.filter_expression("group.name = \"mine\"").send().await.unwrap();
    assert_eq!(found.trace_summaries()[0].id(), Some(id.as_str()));
    let traces = xray.batch_get_traces().trace_ids(&id).send().await.unwrap();
    assert_eq!(traces.traces()[0].segments()[0].id(), Some("00000000000000aa"));
    let gone = xray.get_group().group_name("none").send().await.unwrap_err().into_service_error();
    assert!(gone.is_invalid_request_exception(), "{gone}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cloudformation_makes_changes_and_removes_groups_and_sampling_rules() {
    let cloud = LocalCloud::start().await;
    let program = r###"
cfn = boto3.client("cloudformation")
def template(filter, rate):
    return json.dumps({"Resources": {
        "Group": {"Type": "AWS::XRay::Group", "Properties": {"GroupName": "lab", "FilterExpression": filter, "Tags": [{"Key": "a", "Value": "b"}]}},
        "Rule": {"Type": "AWS::XRay::SamplingRule", "Properties": {"SamplingRule": {"RuleName": "lab", "ResourceARN": "*", "Priority": 7, "FixedRate": rate,
            "ReservoirSize": 3, "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "/lab/*", "Version": 1}}}},
        "Outputs": {"Group": {"Value": {"Fn::GetAtt": ["Group", "GroupARN"]}}, "Rule": {"Value": {"Fn::GetAtt": ["Rule", "RuleARN"]}}}})
def rest():
    wait(lambda: not cfn.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"].endswith("IN_PROGRESS"), 30)
    return cfn.describe_stacks(StackName="s")["Stacks"][0]
cfn.create_stack(StackName="s", TemplateBody=template('service("a")', 0.5), Tags=[{"Key": "labctl:lab", "Value": "l"}])
stack = rest()
assert stack["StackStatus"] == "CREATE_COMPLETE", cfn.describe_stack_events(StackName="s")
outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
group = xray.get_group(GroupARN=outputs["Group"])["Group"]
assert (group["GroupName"], group["FilterExpression"]) == ("lab", 'service("a")'), group
tags = {t["Key"]: t["Value"] for t in xray.list_tags_for_resource(ResourceARN=outputs["Rule"])["Tags"]}
assert tags["labctl:lab"] == "l", tags
cfn.update_stack(StackName="s", TemplateBody=template("fault", 0.25))
assert rest()["StackStatus"] == "UPDATE_COMPLETE", cfn.describe_stack_events(StackName="s")
assert xray.get_group(GroupName="lab")["Group"]["FilterExpression"] == "fault"
assert [r["SamplingRule"]["FixedRate"] for r in xray.get_sampling_rules()["SamplingRuleRecords"]] == [0.25, 0.05]
cfn.delete_stack(StackName="s")
wait(lambda: refused(cfn.describe_stacks, StackName="s"), 30)
assert refused(xray.get_group, GroupName="lab") == "InvalidRequestException"
assert len(xray.get_sampling_rules()["SamplingRuleRecords"]) == 1
say("done")
"###;
    assert_eq!(cloud.boto3(&format!("{TRACES}{program}")).await, "done");
    cloud.stop().await;
}
