//! `labctl trace`: of a traced lab a list, a waterfall, a picture; of one that is not the reason.

use crate::support::labctl::Labctl;

const SHARED: &str = include_str!("../conformance/function.py");

/// A lab by its tags: one stack with a function and a REST API in front of it. `MODE` and `TRACED` are filled in.
const DEPLOY: &str = r###"
boto3.client("s3").create_bucket(Bucket="code")
boto3.client("s3").put_object(Bucket="code", Key="f.zip", Body=zipped())
arch = "arm64" if platform.machine() == "aarch64" else "x86_64"
template = {"Resources": {
    "Function": {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "shop-dev-put", "Runtime": "provided.al2023", "Handler": "bootstrap",
        "Role": role(), "Code": {"S3Bucket": "code", "S3Key": "f.zip"}, "Architectures": [arch], "TracingConfig": {"Mode": MODE}}},
    "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "shop-dev"}},
    "Method": {"Type": "AWS::ApiGateway::Method", "Properties": {"RestApiId": {"Ref": "Api"}, "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "HttpMethod": "ANY", "AuthorizationType": "NONE", "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST",
        "Uri": {"Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function.Arn}/invocations"}}}},
    "Deployment": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": "Method", "Properties": {"RestApiId": {"Ref": "Api"}}},
    "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": {"RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": "Deployment"}, "StageName": "lab", "TracingEnabled": TRACED}},
    "May": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "Function"}, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}}}}
cfn = boto3.client("cloudformation")
tags = {"labctl:lab": "shop", "labctl:env": "dev", "labctl:stack": "api"}
cfn.create_stack(StackName="shop-dev-api", TemplateBody=json.dumps(template), Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
status = lambda: cfn.describe_stacks(StackName="shop-dev-api")["Stacks"][0]["StackStatus"]
wait(lambda: not status().endswith("IN_PROGRESS"), 60)
assert status() == "CREATE_COMPLETE", [e.get("ResourceStatusReason") for e in cfn.describe_stack_events(StackName="shop-dev-api")["StackEvents"]]
api = boto3.client("apigateway").get_rest_apis()["items"][0]["id"]
base = "%s/_aws/execute-api/%s/lab/" % (os.environ["AWS_ENDPOINT_URL"], api)
"###;

#[tokio::test(flavor = "multi_thread")]
async fn a_labs_traces_are_listed_and_drawn() {
    let labctl = Labctl::new();
    labctl.run(&["local", "start"]);
    let requests = r#"
for n, do in enumerate(["proxy", "fail"]):
    root = "1-%08x-%024x" % (int(time.time()), n)
    http(base + "?do=" + do, "POST", "x", {"X-Amzn-Trace-Id": "Root=%s;Sampled=1" % root})
xray = boto3.client("xray")
found = lambda: xray.get_trace_summaries(StartTime=time.time() - 600, EndTime=time.time() + 1, FilterExpression='service(id(type: "AWS::Lambda::Function"))')["TraceSummaries"]
wait(lambda: len(found()) == 2 and not any(s["IsPartial"] or s["EntryPoint"]["Name"] != "shop-dev/lab" for s in found()))
say([s["Id"] for s in found()])
"#;
    let deploy = DEPLOY.replace("MODE", "\"Active\"").replace("TRACED", "True");
    labctl.clients().boto3(&format!("{SHARED}{deploy}{requests}")).await;

    let list = labctl.json(&["trace", "shop", "--local"]);
    let traces = list["traces"].as_array().unwrap();
    assert_eq!((traces.len(), &list["lab"], &list["env"]), (2, &"shop".into(), &"dev".into()), "{list}");
    let failed = traces.iter().find(|trace| trace["fault"] == true).unwrap();
    assert_eq!((&failed["status"], &failed["method"]), (&502.into(), &"POST".into()), "{failed}");
    let id = failed["id"].as_str().unwrap();
    let errors = labctl.run(&["trace", "shop", "--local", "--errors"]);
    assert!(errors.contains(id) && errors.contains("502 FAULT") && errors.lines().count() == 2, "{errors}");
    let slowest = labctl.json(&["trace", "shop", "--local", "--slowest", "1"]);
    assert_eq!(slowest["traces"].as_array().unwrap().len(), 1);

    let picture = labctl.home().join("trace.svg");
    let drawn = labctl.run(&["trace", "shop", id, "--local", "--svg", picture.to_str().unwrap()]);
    for part in [
        "shop-dev/lab (AWS::ApiGateway::Stage)",
        "Lambda (aws)",
        "(AWS::Lambda::Function)",
        "Invocation",
        "FAULT",
        "! Oops: ",
    ] {
        assert!(drawn.contains(part), "{part}\n{drawn}");
    }
    assert!(drawn.contains('▓') && drawn.contains('█'), "{drawn}");
    let picture = std::fs::read_to_string(picture).unwrap();
    assert!(picture.starts_with("<svg") && picture.matches("<rect").count() > 5, "{picture}");
    let last = labctl.json(&["trace", "shop", "--local", "--last"]);
    assert_eq!((&last["spans"][0]["name"], &last["spans"][0]["depth"]), (&"shop-dev/lab".into(), &0.into()), "{last}");

    for (args, said) in [
        (&["trace", "shop", "--local", "nothing"][..], "is no identifier of a trace"),
        (&["trace", "shop", "--local", "--svg", "x.svg"][..], "--svg draws one trace"),
        (&["trace", "shop", "--local", "1-00000001-000000000000000000000001"][..], "X-Ray has no trace"),
        (&["trace", "shop", "--local", "--since", "40d"][..], "for 30 days"),
    ] {
        let output = labctl.try_run(args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(said), "{args:?}\n{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_that_is_not_traced_is_told_what_to_set() {
    let labctl = Labctl::new();
    labctl.run(&["local", "start"]);
    let deploy = DEPLOY.replace("MODE", "\"PassThrough\"").replace("TRACED", "False");
    labctl.clients().boto3(&format!("{SHARED}{deploy}http(base, 'POST', 'x'); say('done')")).await;
    let output = labctl.try_run(&["trace", "shop", "--local"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && output.stdout.is_empty(), "{told}");
    for part in ["shop-dev-put", "shop-dev", "TracingConfig", "TracingEnabled"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert_eq!(labctl.try_run(&["trace", "shop", "--local", "--last"]).status.code(), Some(1));
}
