//! HTTP APIs, configured by boto3, the AWS CLI and CloudFormation, and called by urllib, curl and botocore's signer.

use std::collections::BTreeMap;

use aws_credential_types::Credentials;
use bytes::Bytes;
use http_body_util::Full;
use labctl::aws::{Architecture, Aws, Glibc, Target, config};
use labctl::engine::entry::Entry;
use labctl::engine::http::HttpClient;
use serde_json::{Value, json};

use crate::support::LocalCloud;

const SHARED: &str = include_str!("function.py");

/// An API with routes of every kind to a function that does as it is told, on a stage `$default` that deploys by itself.
const API: &str = r##"
import os
gw = boto3.client("apigatewayv2"); fn = boto3.client("lambda")
made = function("f")
id = gw.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
def integration(version="2.0", **more):
    return gw.create_integration(ApiId=id, IntegrationType="AWS_PROXY", IntegrationUri=made["FunctionArn"], PayloadFormatVersion=version, **more)["IntegrationId"]
def route(key, integration, **more):
    return gw.create_route(ApiId=id, RouteKey=key, Target="integrations/" + integration, **more)["RouteId"]
second = integration()
first = integration("1.0")
short = integration(TimeoutInMillis=500)
route("POST /echo/{id}", second)
route("ANY /any/{proxy+}", second)
route("GET /one/{id}", first)
route("POST /slow", short)
signed = route("ANY /signed/{proxy+}", second, AuthorizationType="AWS_IAM")
gw.create_stage(ApiId=id, StageName="$default", AutoDeploy=True, StageVariables={"color": "red"})
endpoint = os.environ["AWS_ENDPOINT_URL"]
base = "%s/_aws/execute-api/%s" % (endpoint, id)
J = {"Content-Type": "application/json"}
NOT_FOUND, FORBIDDEN, FAILED = '{"message":"Not Found"}', '{"message":"Forbidden"}', '{"message":"Internal Server Error"}'
def allow(): fn.add_permission(FunctionName="f", StatementId="gw", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/*" % id)
"##;

/// Requests signed by botocore, as a program without an SDK client for the API would sign them.
const SIGNED: &str = r##"
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
def sign(url, method="GET", body=None, key=("test", "test", None), region="us-east-1", service="execute-api"):
    request = AWSRequest(method=method, url=url, data=body, headers=dict(J))
    SigV4Auth(Credentials(*key), service, region).add_auth(request)
    return dict(request.headers)
def ask(url, method="GET", body=None, **more): return http(url, method, body, sign(url, method, body, **more))[:2]
"##;

async fn run(programs: &[&str]) {
    let cloud = LocalCloud::start().await;
    let program = format!("{SHARED}{API}{}\nprint(json.dumps('done'))", programs.concat());
    assert_eq!(cloud.boto3(&program).await, "done");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_answers_are_those_of_payload_format_2() {
    let program = r##"
status, body, head = http(base + "/echo/7", "POST", "{}", J)
assert (status, body) == (500, FAILED), "API Gateway has no permission: %s %s" % (status, body)
allow()
headers = dict(J, **{"X-My": "a", "Cookie": "one=1; two=2", "User-Agent": "tests"})
status, body, head = http(base + "/echo/7%208?q=1&q=%C3%BC&do=proxy", "POST", '{"x": "\u00fc"}', headers)
event = json.loads(body)
assert status == 201 and head["x-one"] == "1" and head["content-type"] == "text/plain;charset=UTF-8" and head["apigw-requestid"].endswith("="), (status, head)
assert (event["version"], event["routeKey"], event["rawPath"], event["rawQueryString"]) == ("2.0", "POST /echo/{id}", "/echo/7 8", "q=1&q=%C3%BC&do=proxy"), event
assert event["cookies"] == ["one=1", "two=2"] and event["headers"]["x-my"] == "a" and "cookie" not in event["headers"], event
assert event["headers"]["host"] == id + ".execute-api.us-east-1.amazonaws.com" and event["headers"]["x-forwarded-proto"] == "https"
assert event["queryStringParameters"] == {"q": "1,\u00fc", "do": "proxy"} and event["pathParameters"] == {"id": "7 8"}
assert event["stageVariables"] == {"color": "red"} and event["body"] == '{"x": "\u00fc"}' and event["isBase64Encoded"] is False
context = event["requestContext"]
assert context["http"] == {"method": "POST", "path": "/echo/7 8", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "tests"}, context
assert (context["apiId"], context["stage"], context["accountId"], context["routeKey"]) == (id, "$default", "000000000000", "POST /echo/{id}")
assert context["requestId"] == head["apigw-requestid"] and abs(context["timeEpoch"] / 1000 - time.time()) < 60 and "authorizer" not in context
event = json.loads(http(base + "/any/a/b", "DELETE")[1])
for absent in ("cookies", "queryStringParameters", "body"):
    assert absent not in event, event
assert event["routeKey"] == "ANY /any/{proxy+}" and event["pathParameters"] == {"proxy": "a/b"} and event["rawQueryString"] == "" and event["isBase64Encoded"] is False
for kind in ("application/x-www-form-urlencoded", "application/octet-stream"):
    event = json.loads(http(base + "/any/a", "POST", "a=b", {"Content-Type": kind})[1])
    assert event["isBase64Encoded"] is True and base64.b64decode(event["body"]) == b"a=b", event
status, body, head = http(base + "/any/a?do=give&answer=" + urllib.parse.quote('{"greeting": "hello"}'))
assert (status, body, head["content-type"]) == (200, '{"greeting": "hello"}', "application/json"), (status, body)
answer = {"statusCode": 202, "headers": {"Content-Type": "application/octet-stream", "X-N": 7}, "cookies": ["a=1", "b=2"], "body": "aGk=", "isBase64Encoded": True}
status, body, head = http(base + "/any/a?do=give&answer=" + urllib.parse.quote(json.dumps(answer)))
assert (status, body, head["content-type"], head["x-n"]) == (202, "hi", "application/octet-stream", "7"), (status, body, head)
assert http(base + "/any/a?do=give&answer=" + urllib.parse.quote('{"statusCode": 200, "body": {}}'))[:2] == (500, FAILED)
assert http(base + "/any/a?do=fail")[:2] == (500, FAILED)
assert http(base + "/any/a?do=crash")[:2] == (500, FAILED)
assert http(base + "/any/%ff%00?%ff&=", headers={"X-Odd": "\xff"})[0] == 201, "what is no text is read as far as it is one"
assert http(base + "/slow?do=sleep", "POST")[:2] == (503, '{"message":"Service Unavailable"}')
assert http(base + "/any/a", "POST", "x" * (11 << 20), J)[:2] == (413, '{"message":"Request Entity Too Large"}')
event = json.loads(http(base + "/one/7?q=1&q=2")[1])
assert event["version"] == "1.0" and event["resource"] == "/one/{id}" and event["path"] == "/one/7" and event["multiValueQueryStringParameters"]["q"] == ["1", "2"], event
assert event["requestContext"]["resourcePath"] == "/one/{id}" and event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1" and event["body"] is None
assert http(base + "/one/7?do=malformed")[0] == 200
assert http(base + "/one/7?do=give&answer=%7B%7D")[:2] == (500, FAILED)
"##;
    run(&["import urllib.parse\n", program]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_stages_and_deployments_decide_what_is_served() {
    let program = r##"
allow()
assert http(base + "/echo/7", "GET")[:2] == (404, NOT_FOUND), "a method that no route has"
assert http(base + "/nowhere", "POST")[:2] == (404, NOT_FOUND)
assert http(base)[:2] == (404, NOT_FOUND) and http(base + "/")[:2] == (404, NOT_FOUND)
catch = route("$default", second)
event = json.loads(http(base + "/nowhere?x=1", "PATCH")[1])
assert event["routeKey"] == "$default" and "pathParameters" not in event, "it is deployed at once"
assert json.loads(http(base, "GET")[1])["rawPath"] == "/"
assert json.loads(http(endpoint + "/by/host", headers={"Host": id + ".execute-api.localhost"})[1])["rawPath"] == "/by/host"
gw.delete_route(ApiId=id, RouteId=catch)
assert http(base + "/nowhere")[0] == 404
deployed = gw.create_deployment(ApiId=id, Description="first")["DeploymentId"]
gw.create_stage(ApiId=id, StageName="live", DeploymentId=deployed, StageVariables={"function": "f"})
event = json.loads(http(base + "/live/any/a", "PUT")[1])
assert (event["rawPath"], event["requestContext"]["stage"], event["pathParameters"]) == ("/live/any/a", "live", {"proxy": "a"}), event
late = route("GET /late", second)
assert http(base + "/late")[0] == 201 and http(base + "/live/late")[0] == 404, "live stays where it is"
gw.update_stage(ApiId=id, StageName="live", DeploymentId=gw.create_deployment(ApiId=id)["DeploymentId"])
assert http(base + "/live/late")[0] == 201
by_variable = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:${stageVariables.function}/invocations"
variable = gw.create_integration(ApiId=id, IntegrationType="AWS_PROXY", IntegrationUri=by_variable, PayloadFormatVersion="2.0")["IntegrationId"]
gw.update_route(ApiId=id, RouteId=late, Target="integrations/" + variable)
gw.create_deployment(ApiId=id, StageName="live")
assert http(base + "/live/late")[0] == 201 and http(base + "/late")[0] == 500, "only live has the variable"
gw.update_stage(ApiId=id, StageName="$default", RouteSettings={"GET /late": {"ThrottlingRateLimit": 0.01, "ThrottlingBurstLimit": 2}}, StageVariables={"function": "f"})
answers = [http(base + "/late")[:2] for _ in range(3)]
assert [a[0] for a in answers] == [201, 201, 429] and answers[2][1] == '{"message":"Too Many Requests"}', answers
assert http(base + "/any/a")[0] == 201, "another route has its own"
gw.update_stage(ApiId=id, StageName="live", DefaultRouteSettings={"ThrottlingRateLimit": 0.01, "ThrottlingBurstLimit": 1})
assert [http(base + "/live/any/a")[0] for _ in range(2)] == [201, 429]
gw.update_api(ApiId=id, DisableExecuteApiEndpoint=True)
assert http(base + "/any/a")[:2] == (404, NOT_FOUND)
rest = boto3.client("apigateway").create_rest_api(name="r")["id"]
assert http("%s/_aws/execute-api/%s/lab/" % (endpoint, rest))[:2] == (403, FORBIDDEN), "REST APIs share the address"
assert [item["ApiId"] for item in gw.get_apis()["Items"]] == [id] and [item["id"] for item in boto3.client("apigateway").get_rest_apis()["items"]] == [rest]
gw.delete_api(ApiId=id)
assert refused(gw.get_api, ApiId=id) == "NotFoundException" and http(base + "/any/a")[0] == 403
"##;
    run(&[program]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cors_is_served_for_origins_of_this_machine() {
    let program = r##"
allow()
gw.update_api(ApiId=id, CorsConfiguration={"AllowOrigins": ["http://localhost:3000"], "AllowMethods": ["POST"], "AllowHeaders": ["content-type"], "MaxAge": 60})
asking = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
status, body, head = http(base + "/echo/7", "OPTIONS", headers=asking)
assert (status, body, head["access-control-allow-origin"], head["access-control-allow-methods"]) == (204, "", "http://localhost:3000", "POST"), (status, head)
assert "access-control-allow-origin" in http(base + "/nowhere", headers=asking)[2]
assert "access-control-allow-origin" in http(base + "/echo/7", "POST", "{}", dict(J, Origin="http://localhost:3000"))[2]
assert "access-control-allow-origin" not in http(base + "/echo/7", "POST", "{}", dict(J, Origin="http://localhost:4000"))[2]
gw.delete_cors_configuration(ApiId=id)
assert http(base + "/echo/7", "OPTIONS", headers=asking)[0] == 404
"##;
    run(&[program]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_with_iam_take_signatures_of_those_who_may() {
    let program = r##"
allow()
url = base + "/signed/a%20b/c?q=%C3%BC&a=1"
for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "AWS4-HMAC-SHA256 Credential=test"}):
    assert http(url, headers=headers)[:2] == (403, FORBIDDEN), headers
assert http(base + "/any/a", headers={"Authorization": "Bearer x"})[0] == 201, "what a route does not ask for is the function's own"
status, body = ask(url)
event = json.loads(body)
iam = event["requestContext"]["authorizer"]["iam"]
assert status == 201 and iam["accessKey"] == "test" and iam["accountId"] == "000000000000" and iam["userArn"] == "arn:aws:iam::000000000000:root", iam
assert ask(base + "/signed/a", "POST", '{"x": 1}')[0] == 201
wrong = [dict(key=("test", "wrong", None)), dict(key=("AKIANOBODY", "test", None)), dict(region="eu-west-1"), dict(service="lambda")]
for more in wrong:
    assert ask(url, **more) == (403, FORBIDDEN), more
assert http(base + "/signed/a", "POST", '{"x": 2}', sign(base + "/signed/a", "POST", '{"x": 1}'))[:2] == (403, FORBIDDEN), "another body"
assert http(base + "/signed/b", headers=sign(base + "/signed/a"))[:2] == (403, FORBIDDEN), "another path"
old = sign(base + "/signed/a")
stale = dict(old, **{"X-Amz-Date": "20200101T000000Z"})
assert http(base + "/signed/a", headers=stale)[:2] == (403, FORBIDDEN), "another date"
i = boto3.client("iam"); i.create_user(UserName="u")
key = i.create_access_key(UserName="u")["AccessKey"]
user = (key["AccessKeyId"], key["SecretAccessKey"], None)
assert ask(url, key=user) == (403, FORBIDDEN), "no policy allows it"
policy = lambda effect, path: {"Effect": effect, "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:us-east-1:000000000000:%s/$default/%s" % (id, path)}
put = lambda *statements: i.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))
put(policy("Allow", "POST/signed/*"))
assert ask(url, key=user) == (403, FORBIDDEN), "another method"
put(policy("Allow", "GET/signed/*"))
status, body = ask(url, key=user)
iam = json.loads(body)["requestContext"]["authorizer"]["iam"]
assert status == 201 and iam["userArn"].endswith("user/u") and iam["accessKey"] == key["AccessKeyId"] and iam["userId"] == i.get_user(UserName="u")["User"]["UserId"], iam
put(policy("Allow", "*"), policy("Deny", "GET/signed/*"))
assert ask(url, key=user) == (403, FORBIDDEN) and ask(base + "/signed/a", "POST", key=user)[0] == 201
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}]}
r = i.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
i.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [policy("Allow", "GET/*")]}))
session = boto3.client("sts").assume_role(RoleArn=r["Arn"], RoleSessionName="session")["Credentials"]
temporary = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
status, body = ask(url, key=temporary)
assert status == 201 and json.loads(body)["requestContext"]["authorizer"]["iam"]["userArn"].endswith(":assumed-role/r/session"), body
assert ask(url, key=temporary[:2] + (None,)) == (403, FORBIDDEN), "the token is missing"
gw.update_route(ApiId=id, RouteId=signed, AuthorizationType="NONE")
assert http(url)[0] == 201
"##;
    run(&[SIGNED, program]).await;
}

/// A session of a role that may invoke every API.
const ROLE: &str = r##"
i = boto3.client("iam")
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}]}
r = i.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}]}
i.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(allow))
say(boto3.client("sts").assume_role(RoleArn=r["Arn"], RoleSessionName="session")["Credentials"])
"##;

/// What `labctl` does before it sends a check or a load, with the stack outputs of an API that takes signatures only.
#[tokio::test(flavor = "multi_thread")]
async fn labctl_signs_what_an_api_with_iam_asks_for() {
    let cloud = LocalCloud::start().await;
    let base = cloud.boto3(&format!("{SHARED}{API}\nallow(); say(base)")).await;
    let session = cloud.boto3(ROLE).await;
    let text = |name: &str| session[name].as_str().unwrap().to_owned();
    let temporary = (text("AccessKeyId"), text("SecretAccessKey"), Some(text("SessionToken")));
    let http = HttpClient::new().unwrap();
    for (id, secret, token) in [("test".to_owned(), "test".to_owned(), None), temporary] {
        let credentials = Credentials::new(id, secret, token, None, "test");
        let aws = Aws::new(target(config::fixed("us-east-1", cloud.endpoint(), credentials)));
        for (access, expected) in [("iam", 201), ("public", 403)] {
            let entry = Entry::of(&aws, &BTreeMap::from([("ApiAccess".to_owned(), access.to_owned())])).await.unwrap();
            let url = format!("{}/signed/a%20b?q=1&a=%C3%BC", base.as_str().unwrap());
            let request = http::Request::post(url).header("content-type", "application/json");
            let mut request = request.body(Bytes::from("{}")).unwrap();
            entry.unlock(&mut request).unwrap();
            entry.sign(&mut request).unwrap();
            let answer = http.send(request.map(Full::new)).await.unwrap();
            assert_eq!(answer.status().as_u16(), expected, "{:?}", answer.body());
        }
    }
    cloud.stop().await;
}

fn target(config: aws_config::SdkConfig) -> Target {
    Target {
        name: "test".into(),
        title: "test".into(),
        region: "us-east-1".into(),
        config,
        api_url: String::new(),
        console: None,
        architecture: Architecture::HOST,
        glibc: Glibc::PROVIDED_AL2023,
        findings: Vec::new(),
        answers: true,
        flags: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_signs_requests_by_itself() {
    let cloud = LocalCloud::start().await;
    let program = format!("{SHARED}{API}\nallow(); say(base)");
    let base = cloud.boto3(&program).await;
    let url = format!("{}/signed/a", base.as_str().unwrap());
    let signing = ["--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", "test:test"];
    let kind = ["-H", "content-type: application/json"];
    let (status, body) = cloud.curl(&[&signing[..], &kind, &["-d", "{\"x\": 1}", &url]].concat()).await;
    assert_eq!(status, 201, "{body}");
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&event["body"], &event["requestContext"]["authorizer"]["iam"]["accessKey"]),
        (&json!("{\"x\": 1}"), &json!("test"))
    );
    let session = cloud.boto3(ROLE).await;
    let text = |name: &str| session[name].as_str().unwrap();
    let user = format!("{}:{}", text("AccessKeyId"), text("SecretAccessKey"));
    let token = format!("x-amz-security-token: {}", text("SessionToken"));
    let temporary = ["--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", &user, "-H", &token];
    assert_eq!(cloud.curl(&[&temporary[..], &[&url]].concat()).await.0, 201);
    let wrong = ["--aws-sigv4", "aws:amz:us-east-1:execute-api", "--user", "test:wrong"];
    let forbidden = (403, "{\"message\":\"Forbidden\"}".to_owned());
    assert_eq!(cloud.curl(&[&wrong[..], &[&url]].concat()).await, forbidden);
    assert_eq!(cloud.curl(&[&url]).await, forbidden);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_logs_reach_their_group() {
    let program = r##"
allow()
logs = boto3.client("logs"); logs.create_log_group(logGroupName="access")
group = "arn:aws:logs:us-east-1:000000000000:log-group:access"
refused = refused(gw.update_stage, ApiId=id, StageName="$default", AccessLogSettings={"DestinationArn": group, "Format": "$context.status"})
assert refused == "BadRequestException", refused
line = '{"id": "$context.requestId", "route": "$context.routeKey", "status": $context.status, "agent": "$context.identity.userAgent", "user": "$context.identity.userArn", "took": "$context.integrationLatency", "lambda": "$context.integration.integrationStatus", "function": "$context.integration.status", "error": "$context.integrationErrorMessage", "type": "$context.error.responseType"}'
gw.update_stage(ApiId=id, StageName="$default", AccessLogSettings={"DestinationArn": group, "Format": line})
def lines(): return [json.loads(event["message"]) for event in logs.filter_log_events(logGroupName="access")["events"]]
def logged(path, status):
    before = len(lines())
    assert http(base + path, headers={"User-Agent": 'quoted "agent"'})[0] == status
    wait(lambda: len(lines()) > before)
    line = lines()[-1]
    assert line.pop("id") and line.pop("agent") == 'quoted "agent"' and line.pop("user") == "-" and line.pop("status") == status, line
    assert line.pop("took").isdigit() == (line["route"] != "-"), line
    return line
assert logged("/any/a", 201) == {"route": "ANY /any/{proxy+}", "lambda": "200", "function": "201", "error": "-", "type": "-"}
failed = {"route": "ANY /any/{proxy+}", "lambda": "200", "function": "-", "error": "[BadRequest] no such hero", "type": "INTEGRATION_FAILURE"}
assert logged("/any/a?do=fail", 500) == failed, lines()[-1]
assert logged("/nowhere", 404) == {"route": "-", "lambda": "-", "function": "-", "error": "-", "type": "NOT_FOUND"}, lines()[-1]
fn.remove_permission(FunctionName="f", StatementId="gw")
forbidden = logged("/any/a", 500)
assert forbidden["lambda"] == "403" and "doesn't have permissions to call the integration" in forbidden["error"], forbidden
gw.delete_access_log_settings(ApiId=id, StageName="$default")
assert "AccessLogSettings" not in gw.get_stage(ApiId=id, StageName="$default")
"##;
    run(&[program]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cli_makes_an_api_of_one_command_and_reads_it_back() {
    let cloud = LocalCloud::start().await;
    let arn = cloud.boto3(&format!("{SHARED}say(function('f')['FunctionArn'])")).await;
    let arn = arn.as_str().unwrap();
    let made =
        cloud.aws(&["apigatewayv2", "create-api", "--name", "q", "--protocol-type", "HTTP", "--target", arn]).await;
    let id = made["ApiId"].as_str().unwrap();
    assert_eq!(made["ApiEndpoint"], format!("{}/_aws/execute-api/{id}", cloud.endpoint()));
    let stage = cloud.aws(&["apigatewayv2", "get-stage", "--api-id", id, "--stage-name", "$default"]).await;
    assert_eq!((&stage["AutoDeploy"], &stage["ApiGatewayManaged"]), (&json!(true), &json!(true)));
    let permission =
        ["--statement-id", "gw", "--action", "lambda:InvokeFunction", "--principal", "apigateway.amazonaws.com"];
    cloud.aws(&[&["lambda", "add-permission", "--function-name", "f"], &permission[..]].concat()).await;
    let (status, body) = cloud.curl(&[&format!("{}/x", made["ApiEndpoint"].as_str().unwrap())]).await;
    assert_eq!((status, body.contains("\"rawPath\": \"/x\"")), (201, true), "{body}");
    let tags = format!("arn:aws:apigateway:us-east-1::/apis/{id}");
    cloud.aws(&["apigatewayv2", "tag-resource", "--resource-arn", &tags, "--tags", "a=b"]).await;
    assert_eq!(cloud.aws(&["apigatewayv2", "get-tags", "--resource-arn", &tags]).await["Tags"], json!({"a": "b"}));
    let refused = cloud.aws_fails(&["apigatewayv2", "create-api", "--name", "w", "--protocol-type", "WEBSOCKET"]).await;
    assert!(refused.contains("NotImplemented") && refused.contains("WEBSOCKET"), "{refused}");
    let body = "{\"openapi\": \"3.0.1\"}";
    let refused = cloud.aws_fails(&["apigatewayv2", "import-api", "--body", body]).await;
    assert!(refused.contains("ImportApi"), "{refused}");
    cloud.stop().await;
}

/// A stack of all types, by CloudFormation.
const STACK: &str = r##"
cfn = boto3.client("cloudformation")
template = lambda timeout=5000, settings="{ThrottlingRateLimit: 50, ThrottlingBurstLimit: 20}", more="": """
Resources:
  Api: {Type: "AWS::ApiGatewayV2::Api", Properties: {Name: a, ProtocolType: HTTP, Tags: {own: x}, CorsConfiguration: {AllowOrigins: ["http://localhost"]}}}
  Integration: {Type: "AWS::ApiGatewayV2::Integration", Properties: {ApiId: !Ref Api, IntegrationType: AWS_PROXY, IntegrationUri: FUNCTION, PayloadFormatVersion: "2.0", TimeoutInMillis: %d}}
  Route: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: POST /telemetry, Target: !Sub "integrations/${Integration}"}}
  Stage: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: $default, AutoDeploy: true, DefaultRouteSettings: %s}}
  Permission: {Type: "AWS::Lambda::Permission", Properties: {FunctionName: FUNCTION, Action: "lambda:InvokeFunction", Principal: apigateway.amazonaws.com, SourceArn: !Sub "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"}}
%s
Outputs:
  ApiId: {Value: !Ref Api}
  ApiStage: {Value: !Ref Stage}
  Endpoint: {Value: !GetAtt Api.ApiEndpoint}
  IntegrationId: {Value: !Ref Integration}
  Route: {Value: !Ref Route}
""".replace("FUNCTION", made["FunctionArn"]) % (timeout, settings, more)
made = function("f")
def done(status):
    wait(lambda: not stack()["StackStatus"].endswith("IN_PROGRESS"), 60)
    assert stack()["StackStatus"] == status, [(e["LogicalResourceId"], e.get("ResourceStatusReason")) for e in cfn.describe_stack_events(StackName="s")["StackEvents"] if "FAILED" in e["ResourceStatus"]]
def stack(): return cfn.describe_stacks(StackName="s")["Stacks"][0]
def outputs(): return {o["OutputKey"]: o["OutputValue"] for o in stack()["Outputs"]}
def update(body, status="UPDATE_COMPLETE"):
    cfn.update_stack(StackName="s", TemplateBody=body); done(status)
gw = boto3.client("apigatewayv2")
cfn.create_stack(StackName="s", TemplateBody=template(), Tags=[{"Key": "stack", "Value": "y"}]); done("CREATE_COMPLETE")
out = outputs()
id = out["ApiId"]
post = lambda: http(out["Endpoint"] + "/telemetry", "POST", "{}", {"Content-Type": "application/json"})[0]
assert post() == 201 and out["ApiStage"] == "$default"
tags = gw.get_api(ApiId=id)["Tags"]
assert (tags["own"], tags["stack"], tags["aws:cloudformation:logical-id"]) == ("x", "y", "Api"), tags
update(template(250, "{ThrottlingRateLimit: 0.01, ThrottlingBurstLimit: 1}"))
assert outputs() == out, "nothing was replaced"
assert gw.get_integration(ApiId=id, IntegrationId=out["IntegrationId"])["TimeoutInMillis"] == 250
assert [post(), post()] == [201, 429]
more = '''
  Deployment: {Type: "AWS::ApiGatewayV2::Deployment", DependsOn: Route, Properties: {ApiId: !Ref Api}}
  Live: {Type: "AWS::ApiGatewayV2::Stage", Properties: {ApiId: !Ref Api, StageName: live, DeploymentId: !Ref Deployment, StageVariables: {a: b}, RouteSettings: {POST /telemetry: {ThrottlingRateLimit: 5, ThrottlingBurstLimit: 5}}}}
  Signed: {Type: "AWS::ApiGatewayV2::Route", Properties: {ApiId: !Ref Api, RouteKey: GET /telemetry, AuthorizationType: AWS_IAM, Target: !Sub "integrations/${Integration}"}}
'''
update(template(more=more))
assert {s["StageName"] for s in gw.get_stages(ApiId=id)["Items"]} == {"$default", "live"} and len(gw.get_routes(ApiId=id)["Items"]) == 2
update(template(more=more.replace("AuthorizationType: AWS_IAM", "AuthorizationType: JWT")), "UPDATE_ROLLBACK_COMPLETE")
assert {r["AuthorizationType"] for r in gw.get_routes(ApiId=id)["Items"]} == {"NONE", "AWS_IAM"}
update(template(settings="{}"))
assert len(gw.get_routes(ApiId=id)["Items"]) == 1 and [s["StageName"] for s in gw.get_stages(ApiId=id)["Items"]] == ["$default"]
assert [post() for _ in range(3)] == [201] * 3
try:
    cfn.create_stack(StackName="t", TemplateBody='{"Resources": {"A": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": {"openapi": "3.0.1"}}}}}')
    until(cfn.get_waiter("stack_create_complete"), StackName="t")
    assert False, "Body is not read"
except Exception as error:
    said = str(error) + str(cfn.describe_stack_events(StackName="t")["StackEvents"])
    assert "Body" in said, said
cfn.delete_stack(StackName="s"); until(cfn.get_waiter("stack_delete_complete"), StackName="s")
assert gw.get_apis()["Items"] == []
print(json.dumps("done"))
"##;

#[tokio::test(flavor = "multi_thread")]
async fn cloudformation_makes_changes_and_removes_an_api() {
    let cloud = LocalCloud::start().await;
    assert_eq!(cloud.boto3(&format!("{SHARED}{STACK}")).await, "done");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_is_there_after_a_restart() {
    let cloud = LocalCloud::start().await;
    let made = cloud.boto3(&format!("{SHARED}{API}\nallow(); say(id)")).await;
    let cloud = cloud.restart().await;
    let url = format!("{}/_aws/execute-api/{}/any/a", cloud.endpoint(), made.as_str().unwrap());
    assert_eq!(cloud.curl(&[&url]).await.0, 201);
    cloud.stop().await;
}
