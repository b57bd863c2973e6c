//! The service through the dispatcher, and its daemon over loopback.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::open;
use crate::clock::{Clock, Timestamp};
use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::scope::{DEFAULT_REGION, Scope};
use crate::tracer::Request;

const NOW: i64 = 1_800_000_000;

fn cloud(dir: &std::path::Path) -> Arc<Cloud> {
    let clock = Clock::fixed(Timestamp::from_millis(NOW * 1000));
    let cloud = Cloud::new(Parts { clock, ..Parts::of_test(dir) });
    cloud.register(vec![open(&cloud).unwrap()]);
    cloud
}

async fn call(cloud: &Cloud, operation: &str, input: Value) -> Result<Value, Fault> {
    cloud.call(&Scope::root(DEFAULT_REGION), "xray", operation, input).await
}

fn trace_id(number: u32) -> String {
    format!("1-{NOW:08x}-{number:024x}")
}

/// A segment of one second with `more` members.
fn segment(trace: u32, id: u32, more: Value) -> Value {
    let mut made = json!({"name": "s", "id": format!("{id:016x}"), "trace_id": trace_id(trace), "start_time": NOW,
        "end_time": NOW + 1});
    for (name, value) in more.as_object().unwrap() {
        made[name] = value.clone();
    }
    made
}

async fn put(cloud: &Cloud, documents: &[Value]) -> Value {
    let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
    call(cloud, "PutTraceSegments", json!({"TraceSegmentDocuments": texts})).await.unwrap()["UnprocessedTraceSegments"]
        .clone()
}

fn range(more: Value) -> Value {
    let mut made = json!({"StartTime": NOW - 60, "EndTime": NOW + 60});
    for (name, value) in more.as_object().unwrap() {
        made[name] = value.clone();
    }
    made
}

async fn summaries(cloud: &Cloud, filter: &str) -> Vec<Value> {
    let found = call(cloud, "GetTraceSummaries", range(json!({"FilterExpression": filter}))).await.unwrap();
    found["TraceSummaries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_trace_is_put_together_summed_up_and_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    {
        let cloud = cloud(dir.path());
        let documents = [
            segment(
                1,
                1,
                json!({"name": "front", "origin": "AWS::EC2::Instance", "user": "ada", "annotations": {"tier": "gold"},
                "http": {"request": {"url": "http://x/y", "method": "GET"}, "response": {"status": 503}},
                "aws": {"ec2": {"instance_id": "i-1", "availability_zone": "us-east-1a"}}}),
            ),
            segment(
                1,
                2,
                json!({"type": "subsegment", "parent_id": format!("{:016x}", 1), "namespace": "aws",
                "name": "SNS", "fault": true, "cause": {"exceptions": [{"type": "Boom", "message": "it broke"}]}}),
            ),
            segment(
                1,
                3,
                json!({"name": "back", "parent_id": format!("{:016x}", 2), "start_time": NOW,
                "end_time": NOW + 3}),
            ),
            json!({"name": "none"}),
        ];
        let refused = put(&cloud, &documents).await;
        assert_eq!(refused, json!([{"ErrorCode": "MissingId", "Message": "Invalid segment. ErrorCode: MissingId"}]));
    }
    let cloud = cloud(dir.path());
    let found = summaries(&cloud, "").await;
    let summary = &found[0];
    assert_eq!((found.len(), &summary["Id"]), (1, &json!(trace_id(1))));
    assert_eq!((&summary["Duration"], &summary["ResponseTime"]), (&json!(3.0), &json!(1.0)));
    assert_eq!(
        (&summary["HasFault"], &summary["HasError"], &summary["IsPartial"]),
        (&json!(true), &json!(false), &json!(false))
    );
    assert_eq!(summary["Http"], json!({"HttpURL": "http://x/y", "HttpStatus": 503, "HttpMethod": "GET"}));
    assert_eq!(summary["Annotations"]["tier"][0]["AnnotationValue"]["StringValue"], "gold");
    assert_eq!((&summary["Users"][0]["UserName"], &summary["InstanceIds"][0]["Id"]), (&json!("ada"), &json!("i-1")));
    assert_eq!(summary["ServiceIds"].as_array().unwrap().len(), 2);
    assert_eq!(summary["EntryPoint"]["Type"], "AWS::EC2::Instance");
    let cause = &summary["FaultRootCauses"][0]["Services"][0]["EntityPath"];
    assert_eq!((&cause[0]["Name"], &cause[1]["Exceptions"][0]["Message"]), (&json!("front"), &json!("it broke")));
    let asked = json!({"TraceIds": [trace_id(1), trace_id(9)]});
    let batch = call(&cloud, "BatchGetTraces", asked.clone()).await.unwrap();
    assert_eq!(batch["UnprocessedTraceIds"], json!([trace_id(9)]));
    let segments = batch["Traces"][0]["Segments"].as_array().unwrap();
    let front: Value = serde_json::from_str(segments[0]["Document"].as_str().unwrap()).unwrap();
    assert_eq!((segments.len(), &front["subsegments"][0]["name"]), (2, &json!("SNS")));
    let graph = call(&cloud, "GetTraceGraph", asked).await.unwrap()["Services"].clone();
    let of = |name: &str, kind: Value| {
        graph
            .as_array()
            .unwrap()
            .iter()
            .find(|service| service["Name"] == name && service["Type"] == kind)
            .unwrap()
            .clone()
    };
    let (front, back, client) =
        (of("front", json!("AWS::EC2::Instance")), of("back", Value::Null), of("front", json!("client")));
    assert_eq!(
        (&front["Root"], &front["SummaryStatistics"]["FaultStatistics"]["TotalCount"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(front["Edges"][0]["ReferenceId"], back["ReferenceId"]);
    assert_eq!(client["Edges"][0]["ReferenceId"], front["ReferenceId"]);
    let whole = call(&cloud, "GetServiceGraph", range(json!({}))).await.unwrap();
    assert_eq!(whole["Services"], graph);
}

#[tokio::test]
async fn summaries_come_in_pages_and_by_the_time_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    for from in (0..240).step_by(40) {
        let documents: Vec<Value> = (from..from + 40)
            .map(|n| segment(n, 1, json!({"name": if n % 2 == 0 { "even" } else { "odd" }})))
            .collect();
        assert_eq!(put(&cloud, &documents).await, json!([]));
    }
    let (mut seen, mut token, mut pages) = (std::collections::BTreeSet::new(), Value::Null, 0);
    loop {
        let more = if token.is_null() { json!({}) } else { json!({"NextToken": token}) };
        let page = call(&cloud, "GetTraceSummaries", range(more)).await.unwrap();
        let ids = page["TraceSummaries"].as_array().unwrap().iter().map(|summary| summary["Id"].to_string());
        seen.extend(ids);
        (token, pages) = (page["NextToken"].clone(), pages + 1);
        if token.is_null() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (240, 3));
    assert_eq!(summaries(&cloud, "service(\"odd\")").await.len(), 100);
    let by = |kind: &str, from: i64, until: i64| json!({"StartTime": from, "EndTime": until, "TimeRangeType": kind, "FilterExpression": "service(\"odd\")"});
    for (input, some) in [
        (by("TraceId", NOW, NOW), true),
        (by("TraceId", NOW + 1, NOW + 9), false),
        (by("Service", NOW + 1, NOW + 9), true),
        (by("Event", NOW, NOW), true),
        (by("Event", NOW - 9, NOW - 1), false),
    ] {
        let found = call(&cloud, "GetTraceSummaries", input.clone()).await.unwrap();
        assert_eq!(!found["TraceSummaries"].as_array().unwrap().is_empty(), some, "{input}");
    }
    for bad in [
        json!({"StartTime": NOW, "EndTime": NOW - 1}),
        json!({"StartTime": NOW - 90_000, "EndTime": NOW}),
        range(json!({"NextToken": "%%"})),
        range(json!({"FilterExpression": "falt"})),
    ] {
        let fault = call(&cloud, "GetTraceSummaries", bad).await.unwrap_err();
        assert_eq!(fault.code, "InvalidRequestException", "{fault}");
    }
    let fault = call(&cloud, "GetTraceSummaries", range(json!({"Sampling": true}))).await.unwrap_err();
    assert_eq!(fault.code, "NotImplemented");
}

#[tokio::test]
async fn groups_have_names_filters_and_tags() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    put(&cloud, &[segment(1, 1, json!({"name": "a"})), segment(2, 1, json!({"name": "b"}))]).await;
    let input = json!({"GroupName": "g", "FilterExpression": "service(\"a\")", "Tags": [{"Key": "k", "Value": "v"}]});
    let made = call(&cloud, "CreateGroup", input.clone()).await.unwrap()["Group"].clone();
    let arn = made["GroupARN"].clone();
    assert!(arn.as_str().unwrap().starts_with("arn:aws:xray:us-east-1:000000000000:group/g/"), "{made}");
    assert!(call(&cloud, "CreateGroup", input).await.unwrap_err().message.contains("already exists"));
    assert_eq!(summaries(&cloud, "group.name = \"g\"").await.len(), 1);
    let graph = call(&cloud, "GetServiceGraph", range(json!({"GroupName": "g"}))).await.unwrap();
    assert_eq!(graph["Services"].as_array().unwrap().len(), 2);
    call(&cloud, "UpdateGroup", json!({"GroupARN": arn, "FilterExpression": "service()"})).await.unwrap();
    assert_eq!(summaries(&cloud, "group.name = \"g\"").await.len(), 2);
    call(&cloud, "TagResource", json!({"ResourceARN": arn, "Tags": [{"Key": "l", "Value": "w"}]})).await.unwrap();
    call(&cloud, "UntagResource", json!({"ResourceARN": arn, "TagKeys": ["k"]})).await.unwrap();
    let tags = call(&cloud, "ListTagsForResource", json!({"ResourceARN": arn})).await.unwrap();
    assert_eq!(tags["Tags"], json!([{"Key": "l", "Value": "w"}]));
    let groups = call(&cloud, "GetGroups", json!({})).await.unwrap();
    let names: Vec<_> = groups["Groups"].as_array().unwrap().iter().map(|group| &group["GroupName"]).collect();
    assert_eq!(names, ["Default", "g"]);
    for (operation, input, code) in [
        ("CreateGroup", json!({"GroupName": "h", "FilterExpression": "what"}), "InvalidRequestException"),
        (
            "CreateGroup",
            json!({"GroupName": "h", "InsightsConfiguration": {"InsightsEnabled": true}}),
            "NotImplemented",
        ),
        ("CreateGroup", json!({"GroupName": "Default"}), "InvalidRequestException"),
        ("GetGroup", json!({"GroupName": "none"}), "InvalidRequestException"),
        ("GetGroup", json!({}), "InvalidRequestException"),
        ("ListTagsForResource", json!({"ResourceARN": "arn:x"}), "ResourceNotFoundException"),
        ("GetInsight", json!({}), "NotImplemented"),
    ] {
        assert_eq!(call(&cloud, operation, input).await.unwrap_err().code, code, "{operation}");
    }
    call(&cloud, "DeleteGroup", json!({"GroupName": "g"})).await.unwrap();
    assert!(call(&cloud, "GetGroup", json!({"GroupName": "g"})).await.is_err());
}

fn rule(name: &str) -> Value {
    json!({"RuleName": name, "ResourceARN": "*", "Priority": 5, "FixedRate": 0.5, "ReservoirSize": 4, "ServiceName": "api/*",
        "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1})
}

#[tokio::test]
async fn sampling_goes_by_the_rules_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    let rules = call(&cloud, "GetSamplingRules", json!({})).await.unwrap()["SamplingRuleRecords"].clone();
    assert_eq!(
        (&rules[0]["SamplingRule"]["RuleName"], &rules[0]["SamplingRule"]["FixedRate"]),
        (&json!("Default"), &json!(0.05))
    );
    let made = call(&cloud, "CreateSamplingRule", json!({"SamplingRule": rule("r")})).await.unwrap();
    let arn = made["SamplingRuleRecord"]["SamplingRule"]["RuleARN"].clone();
    assert_eq!(arn, "arn:aws:xray:us-east-1:000000000000:sampling-rule/r");
    let update = json!({"SamplingRuleUpdate": {"RuleARN": arn, "FixedRate": 0.0, "ReservoirSize": 2}});
    call(&cloud, "UpdateSamplingRule", update).await.unwrap();
    let request =
        Request { service: "api/dev", kind: "AWS::ApiGateway::Stage", arn: "a", host: "h", method: "GET", path: "/" };
    let recorder = cloud.recorder().unwrap();
    let taken: Vec<bool> = (0..4).map(|_| recorder.samples(DEFAULT_REGION, &request)).collect();
    assert_eq!(taken, [true, true, false, false]);
    let document = json!({"RuleName": "r", "ClientID": "0123456789abcdef01234567", "Timestamp": NOW, "RequestCount": 9,
        "SampledCount": 2, "BorrowCount": 1});
    let mut gone = document.clone();
    gone["RuleName"] = json!("gone");
    let asked = json!({"SamplingStatisticsDocuments": [document, gone]});
    let targets = call(&cloud, "GetSamplingTargets", asked).await.unwrap();
    assert_eq!(targets["SamplingTargetDocuments"][0]["ReservoirQuota"], 1, "one for the client, one for the gateway");
    assert_eq!(targets["UnprocessedStatistics"][0]["RuleName"], "gone");
    let statistics = call(&cloud, "GetSamplingStatisticSummaries", json!({})).await.unwrap();
    assert_eq!(statistics["SamplingStatisticSummaries"][0]["RequestCount"], 13);
    for (operation, input) in [
        ("DeleteSamplingRule", json!({"RuleName": "Default"})),
        ("DeleteSamplingRule", json!({"RuleName": "none"})),
        ("CreateSamplingRule", json!({"SamplingRule": rule("r")})),
        ("UpdateSamplingRule", json!({"SamplingRuleUpdate": {"RuleName": "Default", "Host": "x"}})),
        ("UpdateSamplingRule", json!({"SamplingRuleUpdate": {"FixedRate": 0.1}})),
    ] {
        assert_eq!(call(&cloud, operation, input).await.unwrap_err().code, "InvalidRequestException", "{operation}");
    }
    let update = json!({"SamplingRuleUpdate": {"RuleName": "Default", "FixedRate": 1.0}});
    call(&cloud, "UpdateSamplingRule", update).await.unwrap();
    call(&cloud, "DeleteSamplingRule", json!({"RuleName": "r"})).await.unwrap();
    assert!((0..4).all(|_| recorder.samples(DEFAULT_REGION, &request)));
}

/// Waits until `look` gives something.
async fn until<R, F: Future<Output = Option<R>>>(what: &str, look: impl Fn() -> F) -> R {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn datagrams_become_traces_and_bad_ones_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = cloud(dir.path());
    let service = cloud.service("xray").unwrap();
    service.clone().start().await.unwrap();
    let address = cloud.recorder().unwrap().daemon(DEFAULT_REGION).unwrap();
    assert_eq!(service.status()["daemons"][DEFAULT_REGION], address.to_string());
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let head = "{\"format\": \"json\", \"version\": 1}\n";
    for text in [format!("{head}{}", segment(1, 1, json!({}))), "junk".into(), format!("{head}{{}}")] {
        socket.send_to(text.as_bytes(), address).await.unwrap();
    }
    let found = async || Some(summaries(&cloud, "").await).filter(|found| !found.is_empty());
    assert_eq!(until("the trace is found", found).await[0]["Id"], json!(trace_id(1)));
    let counted = async || (service.status()["documents"]["refused"] == 2).then_some(());
    until("both bad ones are counted", counted).await;
    cloud.recorder().unwrap().record("eu-west-1", segment(2, 1, json!({})));
    service.clone().stop().await;
    let elsewhere = Scope::root("eu-west-1");
    let found = cloud.call(&elsewhere, "xray", "BatchGetTraces", json!({"TraceIds": [trace_id(2)]})).await.unwrap();
    assert_eq!(found["Traces"].as_array().unwrap().len(), 1, "what was offered is written before the end");
}
