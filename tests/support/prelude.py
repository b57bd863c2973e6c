# What every boto3 program of the tests begins with.
import base64, io, json, os, platform, time, urllib.error, urllib.request, zipfile
import boto3

def refused(call, **input):
    """The code that a call is refused with; None if it is not."""
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

def until(waiter, **input):
    """A client's own waiter, looking often."""
    waiter.wait(WaiterConfig={"Delay": 1, "MaxAttempts": 120}, **input)

def say(value): print(json.dumps(value, default=str))

def http(url, method="GET", body=None, headers={}):
    request = urllib.request.Request(url, method=method, data=body.encode() if isinstance(body, str) else body, headers=headers)
    try:
        answer = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.read().decode(errors="replace"), dict((k.lower(), v) for k, v in answer.headers.items())
