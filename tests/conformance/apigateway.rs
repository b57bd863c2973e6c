//! REST APIs, configured by boto3 and called over plain HTTP.

use crate::support::LocalCloud;

const SHARED: &str = include_str!("function.py");

/// An API with a non-proxy method on `/`, a proxy on `/p/{id}` and a mock on `/m`.
const API: &str = r##"
import os
gw = boto3.client("apigateway"); fn = boto3.client("lambda")
made = function("f")
uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/%s/invocations" % made["FunctionArn"]
api = gw.create_rest_api(name="a", endpointConfiguration={"types": ["REGIONAL"]})
id, root = api["id"], api["rootResourceId"]
def method(resource, verb, integration, responses=(), **more):
    place = dict(restApiId=id, resourceId=resource, httpMethod=verb)
    gw.put_method(authorizationType="NONE", **place, **more)
    gw.put_integration(**place, **integration)
    for response in responses:
        gw.put_method_response(statusCode=response["statusCode"], responseParameters={k: False for k in response.get("responseParameters", {})}, **place)
        gw.put_integration_response(**place, **response)
def resource(parent, part): return gw.create_resource(restApiId=id, parentId=parent, pathPart=part)["id"]
method(root, "POST", dict(type="AWS", integrationHttpMethod="POST", uri=uri), [
    {"statusCode": "200"}, {"statusCode": "400", "selectionPattern": r"\[BadRequest\].*", "responseTemplates": {"application/json": '{"why": $input.json("$.errorMessage")}'}}])
p = resource(root, "p"); pid = resource(p, "{id}")
method(pid, "ANY", dict(type="AWS_PROXY", integrationHttpMethod="POST", uri=uri))
m = resource(root, "m")
method(m, "GET", dict(type="MOCK", requestTemplates={"application/json": '{"statusCode": #if($input.params("code") == "")200#{else}$input.params("code")#end}'}), [
    {"statusCode": "200", "responseTemplates": {"application/json": '{"from": "$context.identity.sourceIp", "stage": "$stageVariables.color"}'}, "responseParameters": {"method.response.header.X-Static": "'yes'"}},
    {"statusCode": "404", "selectionPattern": "4..", "responseTemplates": {"application/json": "{}"}}])
o = resource(root, "o")
method(o, "GET", dict(type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}), [
    {"statusCode": "200", "responseTemplates": {"application/json": """#macro(answer $status)#set($context.responseOverride.status = $status)#end
#answer($input.params('want'))#set($context.responseOverride.header.X-N = 3 + 4){"list": $util.parseJson('["a"]')}"""}}])
later = resource(root, "later")
method(later, "POST", dict(type="AWS", integrationHttpMethod="POST", uri=uri, requestTemplates={"application/json": "#set($context.requestOverride.header.X-Amz-Invocation-Type = 'Event')$input.json('$')"}), [{"statusCode": "200"}])
def deploy(): return gw.create_deployment(restApiId=id)["id"]
gw.create_stage(restApiId=id, stageName="lab", deploymentId=deploy(), variables={"color": "red"})
base = "%s/_aws/execute-api/%s/lab" % (os.environ["AWS_ENDPOINT_URL"], id)
J = {"Content-Type": "application/json"}
def allow(): fn.add_permission(FunctionName="f", StatementId="gw", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:%s/*" % id)
"##;

#[tokio::test(flavor = "multi_thread")]
async fn integrations_answer_as_on_aws() {
    let cloud = LocalCloud::start().await;
    let program = r##"
status, body, head = http(base + "/", "POST", '{"x": 1}', J)
assert (status, body) == (500, '{"message": "Internal server error"}'), (status, body)
allow()
assert http(base + "/", "POST", '{"x": 1}', J)[:2] == (200, '{"statusCode": 200, "body": {"x": 1}}')
assert http(base + "/", "POST")[:2] == (200, '{"statusCode": 200, "body": {}}')
status, body, head = http(base + "/", "POST", '{"do": "fail"}', J)
assert (status, json.loads(body)) == (400, {"why": "[BadRequest] no such hero"}), body
status, body, head = http(base + "/", "POST", '{"do": "crash"}', J)
assert status == 200 and json.loads(body)["errorType"] == "Runtime.ExitError", body
status, body, head = http(base + "/", "POST", "{oops", J)
assert status == 400 and "Could not parse request body into json" in json.loads(body)["message"], body
assert http(base + "/", "POST", "x" * (11 << 20), J)[0] == 413
status, body, head = http(base + "/nowhere")
assert (status, body, head["x-amzn-errortype"]) == (403, '{"message":"Missing Authentication Token"}', "MissingAuthenticationTokenException")
assert http(base + "/", "GET")[0] == 403
assert http(base.replace("/lab", "/none") + "/", "POST")[0] == 403
status, body, head = http(base + "/p/7%2F8?q=1&q=2&do=proxy", "PUT", "text", {"X-My": "a"})
event = json.loads(body)
assert status == 201 and head["x-one"] == "1"
assert event["resource"] == "/p/{id}" and event["pathParameters"] == {"id": "7/8"} and event["httpMethod"] == "PUT", event
assert event["multiValueQueryStringParameters"]["q"] == ["1", "2"] and event["queryStringParameters"]["q"] == "2" and event["body"] == "text"
assert event["headers"]["X-My"] == "a" and event["requestContext"]["path"].startswith("/lab/p/") and "version" not in event
assert event["stageVariables"] == {"color": "red"} and event["isBase64Encoded"] is False
assert http(base + "/p/1?do=malformed")[:2] == (502, '{"message": "Internal server error"}')
assert http(base + "/p/1?do=fail")[0] == 502
status, body, head = http(base + "/m")
assert (status, json.loads(body), head["x-static"]) == (200, {"from": "127.0.0.1", "stage": "red"}, "yes"), body
assert http(base + "/m?code=404")[0] == 404
assert http(os.environ["AWS_ENDPOINT_URL"] + "/lab/m", headers={"Host": id + ".execute-api.localhost"})[0] == 200
assert http(base + "/m?code=none")[0] == 500
status, body, head = http(base + "/o?want=418")
assert (status, json.loads(body), head["x-n"]) == (418, {"list": ["a"]}, "7"), (status, body)
status, body, head = http(base + "/later", "POST", '{"x": 1}', J)
assert (status, body) == (200, ""), "an invocation that nobody waits for"
gw.update_integration(restApiId=id, resourceId=root, httpMethod="POST", patchOperations=[{"op": "replace", "path": "/timeoutInMillis", "value": "500"}])
assert http(base + "/", "POST", '{"do": "sleep"}', J)[0] == 200, "not deployed yet"
gw.update_stage(restApiId=id, stageName="lab", patchOperations=[{"op": "replace", "path": "/deploymentId", "value": deploy()}])
assert http(base + "/", "POST", '{"do": "sleep"}', J)[:2] == (504, '{"message": "Endpoint request timed out"}')
assert refused(gw.put_integration, restApiId=id, resourceId=m, httpMethod="GET", type="HTTP_PROXY", uri="http://x", integrationHttpMethod="GET") == "NotImplemented"
assert refused(gw.put_integration, restApiId=id, resourceId=m, httpMethod="GET", type="MOCK", requestTemplates={"application/json": "#include('x')"}) == "NotImplemented"
gw.delete_rest_api(restApiId=id)
assert refused(gw.get_rest_api, restApiId=id) == "NotFoundException"
assert http(base + "/m")[0] == 403
print(json.dumps("done"))
"##;
    assert_eq!(cloud.boto3(&format!("{SHARED}{API}{program}")).await, "done");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_plans_and_throttles_hold() {
    let cloud = LocalCloud::start().await;
    let program = r##"
allow()
gw.update_method(restApiId=id, resourceId=m, httpMethod="GET", patchOperations=[{"op": "replace", "path": "/apiKeyRequired", "value": "true"}])
gw.update_stage(restApiId=id, stageName="lab", patchOperations=[{"op": "replace", "path": "/deploymentId", "value": deploy()}])
assert http(base + "/m")[:2] == (403, '{"message":"Forbidden"}')
key = gw.create_api_key(name="k", enabled=True)
plan = gw.create_usage_plan(name="p", apiStages=[{"apiId": id, "stage": "lab"}], quota={"limit": 3, "period": "DAY"})
assert http(base + "/m", headers={"x-api-key": key["value"]})[0] == 403, "not in the plan yet"
gw.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
assert "value" not in gw.get_api_key(apiKey=key["id"]) and gw.get_api_key(apiKey=key["id"], includeValue=True)["value"] == key["value"]
codes = [http(base + "/m", headers={"x-api-key": key["value"]})[0] for _ in range(5)]
assert codes == [200, 200, 200, 429, 429], codes
assert http(base + "/m", headers={"x-api-key": "wrong"})[0] == 403
gw.update_stage(restApiId=id, stageName="lab", patchOperations=[{"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0.01"}, {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "2"}])
answers = [http(base + "/", "POST", "{}", J)[:2] for _ in range(3)]
assert [a[0] for a in answers] == [200, 200, 429] and answers[2][1] == '{"message":"Too Many Requests"}', answers
assert refused(gw.delete_usage_plan, usagePlanId=plan["id"]) == "BadRequestException"
gw.put_gateway_response(restApiId=id, responseType="INVALID_API_KEY", statusCode="401", responseTemplates={"application/json": '{"error": $context.error.messageString}'})
gw.update_stage(restApiId=id, stageName="lab", patchOperations=[{"op": "replace", "path": "/deploymentId", "value": deploy()}])
assert http(base + "/m")[:2] == (401, '{"error": "Forbidden"}')
print(json.dumps("done"))
"##;
    assert_eq!(cloud.boto3(&format!("{SHARED}{API}{program}")).await, "done");
    cloud.stop().await;
}
