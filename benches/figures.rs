//! The figures of `docs/performance.md`, measured through the front: the built program, the SDK, HTTP.
//!
//! `cargo bench --bench figures` prints a table. With `LABCTL_BENCH_OTHER=http://127.0.0.1:PORT` (another emulator that is
//! already running) what can be asked of both is asked of both, in the same run.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on stops, and prints what it found"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_lambda::types::{Architecture, FunctionCode, Runtime};
use bytes::Bytes;
use http::{HeaderMap, Method};
use labctl::engine::load::{Judge, Report, Request, Shape, drive};
use serde_json::{Value, json};

const LABCTL: &str = env!("CARGO_BIN_EXE_labctl");

fn main() {
    let cloud = Cloud::new();
    let mut table = vec![("what", "measured".to_owned(), "target")];
    table.push((
        "labctl --version, p50 of 50",
        millis(percentile(&mut times(50, || cloud.run(&["--version"])), 50)),
        "10 ms",
    ));
    cloud.up();
    cloud.down();
    let (mut ups, mut agains, mut downs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        ups.push(timed(|| cloud.up()));
        agains.push(timed(|| cloud.up()));
        downs.push(timed(|| cloud.down()));
    }
    table.push(("up superheroes --local, p50 of 3", seconds(percentile(&mut ups, 50)), "6 s"));
    table.push(("up again, nothing to do, p50 of 3", seconds(percentile(&mut agains, 50)), "1 s"));
    table.push(("down, p50 of 3", seconds(percentile(&mut downs, 50)), "3 s"));
    cloud.up();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure_api(&cloud.output("ApiUrl"), &mut table));
    runtime.block_on(measure_sdk(&cloud.endpoint(), &mut table, ""));
    cloud.down();
    table.push(("resident memory of the local cloud, idle", format!("{:.0} MB", cloud.resident_megabytes()), "60 MB"));
    if let Ok(other) = std::env::var("LABCTL_BENCH_OTHER") {
        runtime.block_on(measure_put(&other, &mut table, "PutObject 1 KB, p50 of 1000: the other emulator"));
    }
    for (what, measured, target) in &table {
        println!("| {what} | {measured} | {target} |");
        if *what == "what" {
            println!("|---|---|---|");
        }
    }
}

type Row = (&'static str, String, &'static str);

async fn measure_api(url: &str, table: &mut Vec<Row>) {
    for (use_cache, name, target) in [
        ("True", "POST / read of 3 ids, cached, p50 at 1 client", "3 ms"),
        ("False", "POST / read of 3 ids, uncached, p50 at 1 client", "4 ms"),
    ] {
        let shape = Shape { users: 1, requests: 2000, within: Duration::from_secs(30) };
        load(url, use_cache, Shape { requests: 200, ..shape }).await;
        let report = load(url, use_cache, shape).await;
        table.push((name, format!("{:.2} ms", report.latency_ms.p50), target));
    }
    let shape = Shape { users: 32, requests: 20_000, within: Duration::from_secs(30) };
    load(url, "True", Shape { requests: 2000, ..shape }).await;
    let report = load(url, "True", shape).await;
    assert!(report.errors.is_empty(), "{report:?}");
    table.push((
        "POST / read of 3 ids, cached, requests per second at 32 clients",
        format!("{:.0}", report.rps),
        "1,500",
    ));
}

async fn load(url: &str, use_cache: &str, shape: Shape) -> Report {
    let id = json!({"$random": [1, 28]});
    let body = json!({"USE_CACHE": use_cache, "REQUEST": "read", "SQLS": [id, id, id]});
    let request = Request {
        method: Method::POST,
        uri: format!("{url}/").parse().unwrap(),
        headers: HeaderMap::new(),
        body: Some(body),
    };
    let judge: Judge = Arc::new(|status, body| {
        let right = status == 200 && body.windows(3).any(|part| part == b"200");
        if right { Ok(()) } else { Err(status.to_string()) }
    });
    drive(&request, shape, judge).await.unwrap()
}

async fn measure_sdk(endpoint: &str, table: &mut Vec<Row>, _: &str) {
    let lambda = aws_sdk_lambda::Client::from_conf(
        aws_sdk_lambda::Config::builder()
            .behavior_version_latest()
            .region(aws_sdk_lambda::config::Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
            .endpoint_url(endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build(),
    );
    let role = role(endpoint).await;
    let code = FunctionCode::builder().zip_file(aws_smithy_types::Blob::new(noop_package())).build();
    lambda
        .create_function()
        .function_name("noop")
        .runtime(Runtime::Providedal2023)
        .architectures(if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X8664 })
        .handler("bootstrap")
        .role(role)
        .code(code)
        .send()
        .await
        .unwrap();
    let mut invoked = Vec::new();
    for number in 0..2100 {
        let begun = Instant::now();
        let answer =
            lambda.invoke().function_name("noop").payload(aws_smithy_types::Blob::new("{}")).send().await.unwrap();
        assert!(answer.function_error().is_none());
        if number >= 100 {
            invoked.push(begun.elapsed());
        }
    }
    table.push((
        "warm invoke of a no-op Rust function by the SDK, p50 of 2000",
        millis(percentile(&mut invoked, 50)),
        "1.5 ms",
    ));
    measure_put(endpoint, table, "PutObject 1 KB by the SDK, p50 of 1000").await;
}

async fn measure_put(endpoint: &str, table: &mut Vec<Row>, name: &'static str) {
    let s3 = aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::Config::builder()
            .behavior_version_latest()
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
            .endpoint_url(endpoint)
            .force_path_style(true)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build(),
    );
    s3.create_bucket().bucket("labctl-figures").send().await.unwrap();
    let body = Bytes::from(vec![b'x'; 1024]);
    let mut put = Vec::new();
    for number in 0..1100 {
        let begun = Instant::now();
        let request =
            s3.put_object().bucket("labctl-figures").key(format!("object-{number}")).body(body.clone().into());
        request.send().await.unwrap();
        if number >= 100 {
            put.push(begun.elapsed());
        }
    }
    table.push((name, millis(percentile(&mut put, 50)), "1.5 ms"));
}

async fn role(endpoint: &str) -> String {
    let iam = aws_sdk_iam::Client::from_conf(
        aws_sdk_iam::Config::builder()
            .behavior_version_latest()
            .region(aws_sdk_iam::config::Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
            .endpoint_url(endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build(),
    );
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let made = iam.create_role().role_name("noop").assume_role_policy_document(trust.to_string()).send().await.unwrap();
    made.role().unwrap().arn().to_owned()
}

/// The function of `noop.rs`, compiled and packed.
fn noop_package() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("bootstrap");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/noop.rs");
    let compiled =
        Command::new("rustc").args(["--edition", "2024", "-O", "-o"]).arg(&binary).arg(source).status().unwrap();
    assert!(compiled.success());
    labctl::package::zip::bootstrap(&std::fs::read(binary).unwrap()).unwrap()
}

/// One local cloud in a directory of its own.
struct Cloud {
    home: tempfile::TempDir,
}

impl Cloud {
    fn new() -> Self {
        Cloud { home: tempfile::tempdir().unwrap() }
    }

    fn command(&self, args: &[&str]) -> Output {
        let mut command = Command::new(LABCTL);
        command.args(args).env("LABCTL_HOME", self.home.path()).env("LABCTL_LOCAL_PORT", "0");
        command.output().unwrap()
    }

    fn run(&self, args: &[&str]) -> Output {
        let output = self.command(args);
        assert!(output.status.success(), "labctl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn up(&self) {
        self.run(&[
            "up",
            "superheroes",
            "--local",
            "--yes",
            "--set",
            "ApiAccess=public",
            "--set",
            "ThrottleRate=10000",
        ]);
    }

    fn down(&self) {
        self.run(&["down", "superheroes", "--local", "--yes"]);
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_slice(&self.run(args).stdout).unwrap()
    }

    fn output(&self, name: &str) -> String {
        let outputs = self.json(&["outputs", "superheroes", "--local", "--output", "json"]);
        outputs["outputs"][name].as_str().unwrap().to_owned()
    }

    fn endpoint(&self) -> String {
        self.json(&["local", "status", "--output", "json"])["endpoint"].as_str().unwrap().to_owned()
    }

    fn resident_megabytes(&self) -> f64 {
        let pid = self.json(&["local", "status", "--output", "json"])["pid"].as_u64().unwrap();
        let status = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/status"))).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.command(&["local", "stop"]);
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn times<T>(count: usize, mut work: impl FnMut() -> T) -> Vec<Duration> {
    (0..count).map(|_| timed(|| drop(work()))).collect()
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
