//! Functions on bad days: they fail in every way there is, the caller and the log are told as on AWS, the next call works,
//! and nothing is left running.

use std::time::{Duration, Instant};

use aws_sdk_apigateway::types::IntegrationType;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::functions::{UNRULY, zip_of};
use crate::support::{Answer, LocalCloud};

const SHARED: &str = include_str!("../conformance/function.py");

/// The processes whose environment names this home's certificate: functions of this cloud and of no other.
fn functions_of(home: &std::path::Path) -> usize {
    let marker = home.join("keys/ca.pem").display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let environments = processes.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
    environments.filter(|environment| String::from_utf8_lossy(environment).contains(&marker)).count()
}

async fn until_no_functions_of(home: &std::path::Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while functions_of(home) > 0 {
        assert!(Instant::now() < deadline, "{} processes of functions are left", functions_of(home));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What an invocation gave.
#[derive(Debug)]
struct Invoked {
    error: Option<String>,
    payload: Value,
    log: String,
}

impl Invoked {
    fn text(&self, member: &str) -> &str {
        self.payload[member].as_str().unwrap_or_default()
    }

    /// Lambda's own form of a failure: the payload, START, END and REPORT, the status and the kind in the report.
    fn is_failure(&self, kind: &str, message: &str) {
        assert_eq!(self.error.as_deref(), Some("Unhandled"), "{self:?}");
        assert_eq!(self.text("errorType"), kind, "{self:?}");
        assert!(self.text("errorMessage").ends_with(message), "{self:?}");
        let status = if kind == "Sandbox.Timedout" { "timeout" } else { "error" };
        for line in ["START RequestId: ", "END RequestId: ", "REPORT RequestId: ", &format!("Status: {status}")] {
            assert!(self.log.contains(line), "{line} is not in the log: {self:?}");
        }
        assert_eq!(self.log.contains(&format!("Error Type: {kind}")), status == "error", "{self:?}");
    }

    fn is_good(&self) {
        assert_eq!(self.error, None, "{self:?}");
        assert!(self.text("body").starts_with("process "), "{self:?}");
    }
}

async fn invoke(lambda: &aws_sdk_lambda::Client, function: &str, told: &str) -> Invoked {
    let event = json!({"do": told}).to_string();
    let request = lambda.invoke().function_name(function).payload(Blob::new(event)).log_type(LogType::Tail);
    let output = request.send().await.unwrap();
    assert_eq!(output.status_code(), 200);
    Invoked {
        error: output.function_error().map(str::to_owned),
        payload: serde_json::from_slice(output.payload().unwrap().as_ref()).unwrap(),
        log: String::from_utf8(STANDARD.decode(output.log_result().unwrap_or_default()).unwrap()).unwrap(),
    }
}

/// What a call can be told to fail with: the kind and the end of the message.
const FAILURES: [(&str, &str, &str); 6] = [
    ("panic", "Runtime.ExitError", "Runtime exited with error: exit status 101"),
    ("exit", "Runtime.ExitError", "Runtime exited with error: exit status 7"),
    ("abort", "Runtime.ExitError", "Runtime exited with error: signal: aborted"),
    ("hang", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
    ("large", "Function.ResponseSizeTooLarge", "exceeded maximum allowed payload size (6291556 bytes)."),
    ("error", "Unruly.Refused", "no"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_is_told_in_lambdas_words_and_the_next_one_works() {
    let cloud = LocalCloud::start().await;
    cloud.function("f", zip_of("bootstrap", &UNRULY, 0o755), "").await;
    let lambda = aws_sdk_lambda::Client::new(&cloud.sdk());
    invoke(&lambda, "f", "").await.is_good();
    for (told, kind, message) in FAILURES {
        let failed = invoke(&lambda, "f", told).await;
        failed.is_failure(kind, message);
        assert!(failed.log.contains(&format!("told to {told}")), "{failed:?}");
        invoke(&lambda, "f", "").await.is_good();
    }
    assert!(invoke(&lambda, "f", "panic").await.log.contains("everything is on fire"), "why it died is in its log");
    // One that dies between two calls is nobody's failure.
    for _ in 0..5 {
        invoke(&lambda, "f", "leave-after").await.is_good();
    }
    lambda.delete_function().function_name("f").send().await.unwrap();
    until_no_functions_of(cloud.home()).await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_fail_do_not_touch_those_that_run_beside_them() {
    let cloud = LocalCloud::start().await;
    cloud.function("f", zip_of("bootstrap", &UNRULY, 0o755), "").await;
    let lambda = aws_sdk_lambda::Client::new(&cloud.sdk());
    let good = (0..4).map(|_| {
        let lambda = lambda.clone();
        async move {
            for _ in 0..40 {
                invoke(&lambda, "f", "wait").await.is_good();
            }
        }
    });
    let bad = FAILURES.iter().map(|(told, kind, message)| {
        let lambda = lambda.clone();
        async move {
            for _ in 0..2 {
                invoke(&lambda, "f", told).await.is_failure(kind, message);
            }
        }
    });
    tokio::join!(futures_util::future::join_all(good), futures_util::future::join_all(bad));
    lambda.delete_function().function_name("f").send().await.unwrap();
    until_no_functions_of(cloud.home()).await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_cannot_start_is_told_apart_by_its_error_and_its_log() {
    let cloud = LocalCloud::start().await;
    let lambda = aws_sdk_lambda::Client::new(&cloud.sdk());
    // The machine that an ELF file is for: bytes 18 and 19. 8 is MIPS.
    let mut foreign = UNRULY.clone();
    foreign[18..20].copy_from_slice(&[8, 0]);
    let good = zip_of("bootstrap", &UNRULY, 0o755);
    let entry = "Runtime.InvalidEntrypoint";
    let exec = "fork/exec /var/task/bootstrap: exec format error";
    let cases = [
        (
            "missing",
            zip_of("other", b"x", 0o755),
            "",
            entry,
            "valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
        ),
        ("closed", zip_of("bootstrap", &UNRULY, 0o644), "", entry, "fork/exec /var/task/bootstrap: permission denied"),
        ("text", zip_of("bootstrap", b"hello", 0o755), "", entry, exec),
        ("cut", zip_of("bootstrap", &UNRULY[..100], 0o755), "", entry, exec),
        ("foreign", zip_of("bootstrap", &foreign, 0o755), "", entry, exec),
        ("exits", good.clone(), "exit", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("panics", good.clone(), "panic", "Runtime.ExitError", "Runtime exited with error: exit status 101"),
        // Ten seconds for the first phase, then the function's own time.
        ("hangs", good, "hang", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
    ];
    let all = cases.map(|(name, package, start, kind, message)| {
        let (lambda, cloud) = (lambda.clone(), &cloud);
        async move {
            cloud.function(name, package, start).await;
            let failed = invoke(&lambda, name, "").await;
            failed.is_failure(kind, message);
            let reported = log_has(cloud, name, "INIT_REPORT Init Duration: ").await;
            assert!(reported.contains("Phase: init"), "{reported}");
            // With good code it works at once.
            let code = Blob::new(zip_of("bootstrap", &UNRULY, 0o755));
            lambda.update_function_code().function_name(name).zip_file(code).send().await.unwrap();
            let settings = aws_sdk_lambda::types::Environment::builder().variables("START", "").build();
            lambda.update_function_configuration().function_name(name).environment(settings).send().await.unwrap();
            invoke(&lambda, name, "").await.is_good();
            lambda.delete_function().function_name(name).send().await.unwrap();
        }
    });
    futures_util::future::join_all(all).await;
    until_no_functions_of(cloud.home()).await;
    cloud.stop().await;
}

/// The event of a function's log that has `part`.
async fn log_has(cloud: &LocalCloud, function: &str, part: &str) -> String {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&cloud.sdk());
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = logs.filter_log_events().log_group_name(format!("/aws/lambda/{function}")).send().await;
        let events = found.as_ref().map(|found| found.events().to_vec()).unwrap_or_default();
        let line = events.iter().find_map(|event| event.message().filter(|line| line.contains(part)));
        if let Some(line) = line {
            return line.to_owned();
        }
        assert!(Instant::now() < deadline, "no line of {function} has {part}: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A REST API before a function: `/` passes events on as they are, `/proxy` is a proxy, `/hasty` is one that waits 300 ms.
async fn api(cloud: &LocalCloud, function_arn: &str) -> String {
    let gateway = aws_sdk_apigateway::Client::new(&cloud.sdk());
    let api = gateway.create_rest_api().name("a").send().await.unwrap();
    let (id, root) = (api.id().unwrap(), api.root_resource_id().unwrap());
    let uri = format!("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations");
    for (part, kind, within) in [
        ("", IntegrationType::Aws, 29_000),
        ("proxy", IntegrationType::AwsProxy, 29_000),
        ("hasty", IntegrationType::AwsProxy, 300),
    ] {
        let resource = match part {
            "" => root.to_owned(),
            _ => {
                let made =
                    gateway.create_resource().rest_api_id(id).parent_id(root).path_part(part).send().await.unwrap();
                made.id().unwrap().to_owned()
            }
        };
        let place = |verb: &str| (id.to_owned(), resource.clone(), verb.to_owned());
        let (api, at, verb) = place("POST");
        gateway
            .put_method()
            .rest_api_id(api)
            .resource_id(at)
            .http_method(verb)
            .authorization_type("NONE")
            .send()
            .await
            .unwrap();
        let (api, at, verb) = place("POST");
        let integration = gateway.put_integration().rest_api_id(api).resource_id(at).http_method(verb).r#type(kind);
        integration.integration_http_method("POST").uri(&uri).timeout_in_millis(within).send().await.unwrap();
        if part.is_empty() {
            let (api, at, verb) = place("POST");
            gateway
                .put_method_response()
                .rest_api_id(api)
                .resource_id(at)
                .http_method(verb)
                .status_code("200")
                .send()
                .await
                .unwrap();
            let (api, at, verb) = place("POST");
            let response = gateway.put_integration_response().rest_api_id(api).resource_id(at).http_method(verb);
            response.status_code("200").send().await.unwrap();
        }
    }
    let lambda = aws_sdk_lambda::Client::new(&cloud.sdk());
    let permission = lambda.add_permission().function_name(function_arn).statement_id("gateway");
    permission.action("lambda:InvokeFunction").principal("apigateway.amazonaws.com").send().await.unwrap();
    gateway.create_deployment().rest_api_id(id).stage_name("lab").send().await.unwrap();
    format!("/_aws/execute-api/{id}/lab")
}

fn is_gateway_error(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.body, format!("{{\"message\": \"{message}\"}}"));
    assert_eq!(answer.header("x-amzn-errortype"), Some("InternalServerErrorException"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_tells_a_failed_call_as_on_aws() {
    let cloud = LocalCloud::start().await;
    let arn = cloud.function("f", zip_of("bootstrap", &UNRULY, 0o755), "").await;
    let stage = api(&cloud, &arn).await;
    for (told, kind, message) in FAILURES {
        // Not a proxy: what Lambda gives is the answer, unless an integration response selects it.
        let plain = cloud.post(&format!("{stage}/"), &json!({"do": told}).to_string()).await;
        assert_eq!(plain.status, 200, "{plain:?}");
        let body: Value = serde_json::from_str(&plain.body).unwrap();
        assert_eq!(body["errorType"], kind);
        assert!(body["errorMessage"].as_str().unwrap().ends_with(message), "{body}");
        let proxied = cloud.post(&format!("{stage}/proxy?do={told}"), "{}").await;
        is_gateway_error(&proxied, 502, "Internal server error");
        let good = cloud.post(&format!("{stage}/proxy"), "{}").await;
        assert!(good.status == 200 && good.body.starts_with("process "), "{good:?}");
    }
    is_gateway_error(&cloud.post(&format!("{stage}/proxy?do=malformed"), "{}").await, 502, "Internal server error");
    is_gateway_error(&cloud.post(&format!("{stage}/hasty?do=hang"), "{}").await, 504, "Endpoint request timed out");
    let lambda = aws_sdk_lambda::Client::new(&cloud.sdk());
    lambda.put_function_concurrency().function_name("f").reserved_concurrent_executions(0).send().await.unwrap();
    is_gateway_error(&cloud.post(&format!("{stage}/"), "{}").await, 500, "Internal server error");
    lambda.delete_function().function_name("f").send().await.unwrap();
    is_gateway_error(&cloud.post(&format!("{stage}/proxy"), "{}").await, 500, "Internal server error");
    until_no_functions_of(cloud.home()).await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_leaves_running_ends_with_it() {
    let cloud = LocalCloud::start().await;
    cloud.function("f", zip_of("bootstrap", &UNRULY, 0o755), "").await;
    let lambda = aws_sdk_lambda::Client::new(&cloud.sdk());
    invoke(&lambda, "f", "leave").await.is_good();
    assert!(functions_of(cloud.home()) >= 3, "the function, and two that it left");
    lambda.delete_function().function_name("f").send().await.unwrap();
    until_no_functions_of(cloud.home()).await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_end_with_the_cloud_and_work_again_after_a_restart() {
    let cloud = LocalCloud::start().await;
    let first = r#"
function("f", Environment={"Variables": {"WHO": "me"}})
print(json.loads(boto3.client("lambda").invoke(FunctionName="f", Payload=b"1")["Payload"].read())["body"])
"#;
    assert_eq!(cloud.boto3(&format!("{SHARED}{first}")).await, 1);
    assert_eq!(functions_of(cloud.home()), 1);
    let cloud = cloud.restart().await;
    assert_eq!(functions_of(cloud.home()), 0);
    let second =
        r#"print(json.loads(boto3.client("lambda").invoke(FunctionName="f", Payload=b"2")["Payload"].read())["body"])"#;
    assert_eq!(cloud.boto3(&format!("{SHARED}{second}")).await, 2);
    cloud.stop().await;
}
