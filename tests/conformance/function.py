# What the tests of functions and APIs share: a function that does as it is told, its role, its zip.

BOOTSTRAP = r'''#!/usr/bin/python3
import http.client, json, os, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def post(path, body):
    api.request("POST", "/2018-06-01/runtime/invocation/" + path, body)
    api.getresponse().read()
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    event = json.loads(answer.read())
    id = answer.getheader("Lambda-Runtime-Aws-Request-Id")
    do = event.get("do") if isinstance(event, dict) else None
    if isinstance(event, dict) and "requestContext" in event:
        do = (event.get("queryStringParameters") or {}).get("do", "proxy")
    print("did", do, flush=True)
    if do == "fail":
        post(id + "/error", json.dumps({"errorMessage": "[BadRequest] no such hero", "errorType": "Oops", "stackTrace": []}))
    elif do == "crash":
        sys.exit(1)
    elif do == "sleep":
        time.sleep(2); post(id + "/response", "{}")
    elif do == "proxy":
        post(id + "/response", json.dumps({"statusCode": 201, "headers": {"X-One": "1"}, "body": json.dumps(event)}))
    elif do == "give":
        post(id + "/response", event["queryStringParameters"]["answer"])
    elif do == "malformed":
        post(id + "/response", json.dumps({"statusCode": 200, "surprise": True}))
    else:
        post(id + "/response", json.dumps({"statusCode": 200, "body": event}))
'''

def zipped(bootstrap=BOOTSTRAP):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr = 0o755 << 16
        archive.writestr(info, bootstrap)
    return out.getvalue()

def role(name="function"):
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    return boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]

def function(name="f", **more):
    settings = dict(FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role(name + "-role"), Timeout=5,
        Code={"ZipFile": zipped()}, Architectures=["arm64" if platform.machine() == "aarch64" else "x86_64"])
    settings.update(more)
    return boto3.client("lambda").create_function(**settings)
