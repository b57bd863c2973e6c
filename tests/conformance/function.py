# What the tests of functions and APIs share: a function that does as it is told, its role, its zip.
import io, json, time, urllib.error, urllib.request, zipfile, base64, platform

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

def http(url, method="GET", body=None, headers={}):
    request = urllib.request.Request(url, method=method, data=body.encode() if isinstance(body, str) else body, headers=headers)
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.read().decode(errors="replace"), dict((k.lower(), v) for k, v in answer.headers.items())

def refused(call, **input):
    try:
        call(**input)
    except Exception as error:
        return error.response["Error"]["Code"]
    return None

def wait(condition, seconds=10):
    end = time.time() + seconds
    while time.time() < end:
        found = condition()
        if found: return found
        time.sleep(0.05)
    raise AssertionError("the condition did not come true")
