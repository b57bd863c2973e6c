//! Functions that behave and functions that do not, through the dispatcher, in memory; the processes are real.

use std::io::{Cursor, Write};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::ops::settings::host_architecture;
use super::state::Lambda;
use crate::call::{Call, Reply};
use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::scope::Scope;
use crate::service::{Service, Support};
use crate::services::logs;
use crate::tracer::TraceHeader;

mod swaps;

/// A function that does what its event says, speaking the Runtime API by itself.
const BOOTSTRAP: &str = r#"#!/usr/bin/python3
import http.client, json, os, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def post(path, body, headers={}):
    api.request("POST", "/2018-06-01/runtime/" + path, body, headers)
    answer = api.getresponse(); answer.read(); return answer.status
start = os.environ.get("START", "")
if start == "fail":
    post("init/error", json.dumps({"errorMessage": "no", "errorType": "Init.No"}), {"Lambda-Runtime-Function-Error-Type": "Init.No"})
    sys.exit(1)
if start == "exit": sys.exit(3)
if start == "never": time.sleep(1000)
print("up", start, flush=True)
calls = 0
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse(); event = json.loads(answer.read()); id = answer.getheader("Lambda-Runtime-Aws-Request-Id")
    calls += 1
    do = event.get("do", "echo")
    if do == "echo": body = json.dumps({"event": event, "calls": calls, "pid": os.getpid()})
    elif do == "env": body = json.dumps(dict(os.environ))
    elif do == "headers": body = json.dumps(dict(answer.getheaders()))
    elif do == "print":
        print("line one"); print("to stderr", file=sys.stderr); sys.stdout.write("no newline"); sys.stdout.flush(); body = "{}"
    elif do == "chatty": sys.stdout.write("x" * 99 + "\n" * 1); sys.stdout.write(("y" * 99 + "\n") * 20000); sys.stdout.flush(); body = "{}"
    elif do == "sleep": time.sleep(event["seconds"]); body = json.dumps({"slept": True, "start": start})
    elif do == "exit": sys.exit(event["code"])
    elif do == "kill": os.kill(os.getpid(), 11)
    elif do == "memory": hog = b"x" * (300 << 20); time.sleep(5); body = "{}"
    elif do == "spike": hog = b"x" * (90 << 20); del hog; body = "{}"
    elif do == "endless":
        import threading
        threading.Thread(target=lambda: [print("again") for _ in iter(int, 1)], daemon=True).start(); body = "{}"
    elif do == "large": body = '"' + "z" * (7 << 20) + '"'
    elif do == "error":
        post("invocation/%s/error" % id, json.dumps({"errorMessage": "bad", "errorType": "Bad", "stackTrace": []}), {"Lambda-Runtime-Function-Error-Type": "Bad"})
        continue
    elif do == "wrong-id": body = json.dumps({"status": post("invocation/nonsense/response", "{}")})
    post("invocation/%s/response" % id, body)
    if do == "die-after": sys.exit(0)
"#;

/// Gives keys for any role but `missing`, in place of STS.
struct FakeSts;

#[async_trait]
impl Service for FakeSts {
    fn name(&self) -> &'static str {
        "sts"
    }

    fn support(&self) -> Vec<Support> {
        Vec::new()
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        assert_eq!(call.operation, "AssumeRole");
        if call.input["RoleArn"].as_str().unwrap().ends_with("/missing") {
            return Err(Fault::new("AccessDenied", "no"));
        }
        let keys =
            json!({"AccessKeyId": "ASIA1", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": 4_000_000_000.0});
        Ok(Reply::from(json!({"Credentials": keys})))
    }
}

struct World {
    cloud: Arc<Cloud>,
    lambda: Arc<Lambda>,
    home: tempfile::TempDir,
}

fn zip_of(bootstrap: &str, mode: u32) -> String {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(mode)).unwrap();
    writer.write_all(bootstrap.as_bytes()).unwrap();
    STANDARD.encode(writer.finish().unwrap().into_inner())
}

impl World {
    async fn open() -> Self {
        World::on(tempfile::tempdir().unwrap()).await
    }

    async fn on(dir: tempfile::TempDir) -> Self {
        let cloud = Cloud::new(Parts::of_test(dir.path()));
        let lambda = Arc::new(Lambda::open(cloud.clone()).unwrap());
        cloud.register(vec![Arc::new(FakeSts), logs::open(&cloud).unwrap(), lambda.clone()]);
        cloud.service("lambda").unwrap().start().await.unwrap();
        World { cloud, lambda, home: dir }
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.cloud.call(&Scope::root("us-east-1"), "lambda", operation, input).await
    }

    async fn create(&self, changes: Value) -> Result<Value, Fault> {
        let mut input = json!({
            "FunctionName": "f", "Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": [host_architecture()],
            "Role": "arn:aws:iam::000000000000:role/r", "Code": {"ZipFile": zip_of(BOOTSTRAP, 0o755)},
        });
        input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.call("CreateFunction", input).await
    }

    async fn invoke(&self, extra: Value, payload: Value) -> Result<(Value, Value), Fault> {
        let mut input = json!({"FunctionName": "f"});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let body = Bytes::from(payload.to_string());
        let reply = self.cloud.call_with_body(&Scope::root("us-east-1"), ("lambda", "Invoke"), input, body).await?;
        let payload = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
        Ok((reply.output, payload))
    }

    /// Waits for the end of an update.
    async fn settled(&self) {
        let name = json!({"FunctionName": "f"});
        while self.call("GetFunctionConfiguration", name.clone()).await.unwrap()["LastUpdateStatus"] != "Successful" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn run(&self, payload: Value) -> Value {
        self.invoke(json!({}), payload).await.unwrap().1
    }

    async fn stop(&self) {
        self.cloud.service("lambda").unwrap().stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_is_invoked_warm_with_its_environment_and_headers() {
    let world = World::open().await;
    let made = world.create(json!({"Environment": {"Variables": {"START": "s1"}}, "Timeout": 5})).await.unwrap();
    assert_eq!((made["State"].as_str(), made["Version"].as_str()), (Some("Active"), Some("$LATEST")));
    let first = world.run(json!({"a": 1})).await;
    let second = world.run(json!({"a": 2})).await;
    assert_eq!((&first["event"], &second["event"], &second["calls"]), (&json!({"a": 1}), &json!({"a": 2}), &json!(2)));
    assert_eq!(first["pid"], second["pid"]);
    let variables = world.run(json!({"do": "env"})).await;
    let expected = [
        ("_HANDLER", "bootstrap"),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
        ("AWS_ACCESS_KEY_ID", "ASIA1"),
        ("AWS_REGION", "us-east-1"),
        ("START", "s1"),
    ];
    for (name, value) in expected {
        assert_eq!(variables[name], value, "{name}");
    }
    assert!(variables.get("HOME").is_none() && variables["SSL_CERT_FILE"].as_str().unwrap().ends_with("ca.pem"));
    let headers = world.run(json!({"do": "headers"})).await;
    assert_eq!(headers["lambda-runtime-invoked-function-arn"], "arn:aws:lambda:us-east-1:000000000000:function:f");
    let trace = regex::Regex::new("^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$").unwrap();
    assert!(trace.is_match(headers["lambda-runtime-trace-id"].as_str().unwrap()), "{headers}");
    assert_eq!(world.run(json!({"do": "wrong-id"})).await, json!({"status": 400}));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_fail_has_its_own_error_and_the_next_call_works() {
    let world = World::open().await;
    world.create(json!({"Timeout": 2, "MemorySize": 200})).await.unwrap();
    let cases = [
        (json!({"do": "error"}), "Bad", "bad"),
        (json!({"do": "exit", "code": 4}), "Runtime.ExitError", "Runtime exited with error: exit status 4"),
        (json!({"do": "exit", "code": 0}), "Runtime.ExitError", "Runtime exited without providing a reason"),
        (json!({"do": "kill"}), "Runtime.ExitError", "signal: segmentation fault"),
        (json!({"do": "sleep", "seconds": 9}), "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
        (json!({"do": "memory"}), "Runtime.OutOfMemory", "signal: killed"),
        (json!({"do": "large"}), "Function.ResponseSizeTooLarge", "6291556 bytes"),
    ];
    for (event, kind, message) in cases {
        let (output, payload) = world.invoke(json!({}), event.clone()).await.unwrap();
        assert_eq!(output["FunctionError"], "Unhandled", "{event}");
        assert_eq!(payload["errorType"], kind, "{event} {payload}");
        assert!(payload["errorMessage"].as_str().unwrap().contains(message), "{payload}");
        assert_eq!(world.run(json!({"ok": 1})).await["event"], json!({"ok": 1}));
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_services_permission_holds_for_the_qualifier_that_it_was_given_for() {
    let world = World::open().await;
    world.create(json!({})).await.unwrap();
    world.call("PublishVersion", json!({"FunctionName": "f"})).await.unwrap();
    world.call("CreateAlias", json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})).await.unwrap();
    let source = "arn:aws:execute-api:us-east-1:000000000000:abc/lab/POST/";
    let permission = json!({
        "FunctionName": "f", "Qualifier": "live", "StatementId": "s", "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com", "SourceArn": source,
    });
    world.call("AddPermission", permission).await.unwrap();
    let gateway = Scope::root("us-east-1").as_service("apigateway.amazonaws.com");
    let ask = async |function: &str, source: &str| {
        let what = (json!({"FunctionName": function}), Bytes::from_static(b"{}"));
        let whence = (TraceHeader::begin(world.cloud.clock.now(), &world.cloud.ids), source.to_owned());
        world.cloud.call_for(&gateway, ("lambda", "Invoke"), what, whence).await
    };
    assert_eq!(ask("f:live", source).await.unwrap().output["FunctionError"], Value::Null);
    for (function, source) in
        [("f", source), ("f:1", source), ("f:live", "arn:aws:execute-api:us-east-1:000000000000:other/lab/POST/")]
    {
        let fault = ask(function, source).await.unwrap_err();
        assert_eq!((fault.code.as_str(), fault.status), ("AccessDeniedException", Some(403)), "{function} {source}");
        assert!(fault.message.contains(source) && fault.message.ends_with(function), "{fault}");
    }
    // A service that names no resource is told without one.
    let what = (json!({"FunctionName": "f:live"}), Bytes::from_static(b"{}"));
    let fault = world.cloud.call_with_body(&gateway, ("lambda", "Invoke"), what.0, what.1).await.unwrap_err();
    assert!(fault.message.starts_with("apigateway.amazonaws.com is not authorized"), "{fault}");
    // Who is of the account needs no policy.
    assert_eq!(world.run(json!({"ok": 1})).await["event"], json!({"ok": 1}));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_does_not_start_says_why() {
    let world = World::open().await;
    let cases = [
        (zip_of(BOOTSTRAP, 0o644), "", "Runtime.InvalidEntrypoint"),
        (zip_of("#!/no/such/interpreter\n", 0o755), "", "Runtime.InvalidEntrypoint"),
        (zip_of("\u{1}\u{2}garbage", 0o755), "", "Runtime.InvalidEntrypoint"),
        (zip_of(BOOTSTRAP, 0o755), "fail", "Init.No"),
        (zip_of(BOOTSTRAP, 0o755), "exit", "Runtime.ExitError"),
    ];
    for (number, (zip, start, kind)) in cases.into_iter().enumerate() {
        let name = format!("f{number}");
        let changes =
            json!({"FunctionName": name, "Code": {"ZipFile": zip}, "Environment": {"Variables": {"START": start}}});
        world.create(changes).await.unwrap();
        let (output, payload) = world.invoke(json!({"FunctionName": name}), json!({})).await.unwrap();
        assert_eq!(
            (output["FunctionError"].as_str(), payload["errorType"].as_str()),
            (Some("Unhandled"), Some(kind)),
            "{payload}"
        );
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_holds_the_functions_lines_between_start_and_report() {
    let world = World::open().await;
    world.create(json!({})).await.unwrap();
    let (output, _) = world.invoke(json!({"LogType": "Tail"}), json!({"do": "print"})).await.unwrap();
    let tail = String::from_utf8(STANDARD.decode(output["LogResult"].as_str().unwrap()).unwrap()).unwrap();
    let starts: Vec<&str> = tail.lines().map(|line| line.split_once(' ').map_or(line, |(word, _)| word)).collect();
    assert_eq!((starts[0], *starts.last().unwrap()), ("START", "REPORT"), "{tail}");
    for line in ["line one", "to stderr", "no newline"] {
        assert!(tail.lines().any(|found| found == line), "{tail}");
    }
    world.run(json!({"do": "chatty"})).await;
    world.stop().await;
    let found = world
        .cloud
        .call(&Scope::root("us-east-1"), "logs", "FilterLogEvents", json!({"logGroupName": "/aws/lambda/f"}))
        .await
        .unwrap();
    let messages: Vec<&str> =
        found["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert!(messages[0].starts_with("INIT_START Runtime Version: provided:al2023"), "{:?}", messages[0]);
    assert!(
        messages.iter().any(|message| message.starts_with("REPORT RequestId: ") && message.contains("Init Duration: "))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_prints_for_ever_holds_up_neither_its_answers_nor_others() {
    let world = World::open().await;
    for name in ["f", "g", "h"] {
        world.create(json!({"FunctionName": name, "MemorySize": 512})).await.unwrap();
        world.invoke(json!({"FunctionName": name}), json!({"do": "endless"})).await.unwrap();
    }
    for name in ["f", "g", "h"] {
        let (output, payload) = world.invoke(json!({"FunctionName": name}), json!({"ok": 1})).await.unwrap();
        assert_eq!((&output["FunctionError"], &payload["event"]), (&Value::Null, &json!({"ok": 1})));
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_used_and_given_back_is_reported() {
    let world = World::open().await;
    world.create(json!({})).await.unwrap();
    let (output, _) = world.invoke(json!({"LogType": "Tail"}), json!({"do": "spike"})).await.unwrap();
    let tail = String::from_utf8(STANDARD.decode(output["LogResult"].as_str().unwrap()).unwrap()).unwrap();
    let used = tail.split("Max Memory Used: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(used.parse::<u32>().unwrap() >= 90, "{tail}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_code_serves_new_calls_while_a_running_call_ends_on_the_old() {
    let world = Arc::new(World::open().await);
    world.create(json!({"Timeout": 5, "Environment": {"Variables": {"START": "old"}}})).await.unwrap();
    world.run(json!({})).await;
    let running = {
        let world = world.clone();
        tokio::spawn(async move { world.run(json!({"do": "sleep", "seconds": 0.6})).await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.call("PublishVersion", json!({"FunctionName": "f"})).await.unwrap();
    let change = json!({"FunctionName": "f", "Environment": {"Variables": {"START": "new"}}});
    let begun = world.call("UpdateFunctionConfiguration", change.clone()).await.unwrap();
    assert_eq!(begun["LastUpdateStatus"], "InProgress");
    assert_eq!(begun["Environment"]["Variables"]["START"], "new");
    for (operation, input) in
        [("UpdateFunctionConfiguration", change), ("PublishVersion", json!({"FunctionName": "f"}))]
    {
        let busy = world.call(operation, input).await.unwrap_err();
        assert_eq!((busy.code.as_str(), busy.status), ("ResourceConflictException", Some(409)), "{operation}");
    }
    world.settled().await;
    assert_eq!(world.run(json!({"do": "env"})).await["START"], "new");
    let (output, variables) = world.invoke(json!({"Qualifier": "1"}), json!({"do": "env"})).await.unwrap();
    assert_eq!((output["ExecutedVersion"].as_str(), variables["START"].as_str()), (Some("1"), Some("old")));
    assert_eq!(running.await.unwrap(), json!({"slept": true, "start": "old"}));
    world.call("CreateAlias", json!({"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})).await.unwrap();
    let used = world.call("DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"})).await.unwrap_err();
    assert_eq!((used.code.as_str(), used.handler_code), ("ResourceConflictException", Some("ResourceConflict")));
    assert_eq!(world.invoke(json!({"FunctionName": "f:live"}), json!({"do": "env"})).await.unwrap().1["START"], "old");
    world.call("DeleteFunction", json!({"FunctionName": "f"})).await.unwrap();
    assert_eq!(world.invoke(json!({}), json!({})).await.unwrap_err().code, "ResourceNotFoundException");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrency_is_held_and_the_refusal_names_its_reason() {
    let world = Arc::new(World::open().await);
    world.create(json!({"Timeout": 5})).await.unwrap();
    world
        .call("PutFunctionConcurrency", json!({"FunctionName": "f", "ReservedConcurrentExecutions": 2}))
        .await
        .unwrap();
    let sleep = |world: Arc<World>| {
        tokio::spawn(async move { world.invoke(json!({}), json!({"do": "sleep", "seconds": 0.8})).await })
    };
    let running = [sleep(world.clone()), sleep(world.clone())];
    tokio::time::sleep(Duration::from_millis(200)).await;
    let refused = world.invoke(json!({}), json!({})).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.status), ("TooManyRequestsException", Some(429)));
    assert_eq!(refused.members["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
    for call in running {
        assert_eq!(call.await.unwrap().unwrap().1["slept"], true);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_aws_refuses_is_refused_and_what_is_missing_here_is_named() {
    let world = World::open().await;
    let refused = [
        (json!({"Runtime": "python3.12"}), "NotImplemented", "python3.12"),
        (json!({"PackageType": "Image"}), "NotImplemented", "Image"),
        (json!({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"]}), "NotImplemented", "Layers"),
        (
            json!({"Role": "arn:aws:iam::000000000000:role/missing"}),
            "InvalidParameterValueException",
            "cannot be assumed",
        ),
        (json!({"Timeout": 901}), "InvalidParameterValueException", "900"),
        (json!({"MemorySize": 64}), "InvalidParameterValueException", "128"),
        (json!({"Environment": {"Variables": {"AWS_REGION": "x"}}}), "InvalidParameterValueException", "AWS_REGION"),
        (json!({"Environment": {"Variables": {"BIG": "x".repeat(5000)}}}), "InvalidParameterValueException", "4KB"),
        (json!({"Code": {"ZipFile": "AAAA"}}), "InvalidParameterValueException", "Could not unzip"),
    ];
    for (changes, code, named) in refused {
        let fault = world.create(changes.clone()).await.unwrap_err();
        assert!(fault.code == code && fault.message.contains(named), "{changes}: {fault}");
    }
    world.create(json!({})).await.unwrap();
    let again = world.create(json!({})).await.unwrap_err();
    assert_eq!((again.code.as_str(), again.handler_code), ("ResourceConflictException", None));
    let bad = world
        .cloud
        .call_with_body(
            &Scope::root("us-east-1"),
            ("lambda", "Invoke"),
            json!({"FunctionName": "f"}),
            Bytes::from_static(b"{oops"),
        )
        .await;
    assert_eq!(bad.unwrap_err().code, "InvalidRequestContentException");
    let large = world.invoke(json!({}), json!("x".repeat(7 << 20))).await.unwrap_err();
    assert_eq!((large.code.as_str(), large.status), ("RequestTooLargeException", Some(413)));
    let permission = json!({"FunctionName": "f", "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com", "SourceArn": "arn:aws:execute-api:us-east-1:000000000000:a/*"});
    world.call("AddPermission", permission.clone()).await.unwrap();
    assert_eq!(world.call("AddPermission", permission).await.unwrap_err().code, "ResourceConflictException");
    let policy = world.call("GetPolicy", json!({"FunctionName": "f"})).await.unwrap();
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(
        policy["Statement"][0]["Condition"]["ArnLike"]["AWS:SourceArn"],
        "arn:aws:execute-api:us-east-1:000000000000:a/*"
    );
    world.call("RemovePermission", json!({"FunctionName": "f", "StatementId": "s"})).await.unwrap();
    assert_eq!(
        world.call("GetPolicy", json!({"FunctionName": "f"})).await.unwrap_err().code,
        "ResourceNotFoundException"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_share_a_pool_that_grows_and_none_is_lost() {
    let world = Arc::new(World::open().await);
    world.create(json!({"Timeout": 10})).await.unwrap();
    let calls: Vec<_> = (0..40)
        .map(|n| {
            let world = world.clone();
            tokio::spawn(async move { world.run(json!({"n": n})).await["event"]["n"].as_i64() == Some(n) })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_functions_that_are_still_starting() {
    let world = World::open().await;
    world.create(json!({"Environment": {"Variables": {"START": "never"}}, "Timeout": 900})).await.unwrap();
    world.invoke(json!({"InvocationType": "Event"}), json!({})).await.unwrap();
    let scratch = world.cloud.home.run().join("lambda");
    while std::fs::read_dir(&scratch).map_or(0, Iterator::count) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::timeout(Duration::from_secs(5), world.stop()).await.expect("it waited for the function");
}
