//! Operations by the AWS SDK, against any endpoint: the local cloud's, or another emulator's.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_lambda::types::{Architecture, FunctionCode, Runtime, State};
use aws_smithy_types::Blob;
use bytes::Bytes;
use serde_json::json;

/// A client of one service for `endpoint`.
macro_rules! client {
    ($service:ident, $endpoint:expr $(, $setting:ident ($value:expr))*) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version_latest()
                .region($service::config::Region::new("us-east-1"))
                .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
                .endpoint_url($endpoint)
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                $(.$setting($value))*
                .build(),
        )
    };
}

/// Invokes the function of `noop.rs`, and times the last `count` invocations.
pub(crate) async fn invoke(endpoint: &str, count: usize, warmed: &dyn Fn()) -> Result<Vec<Duration>, String> {
    let lambda = client!(aws_sdk_lambda, endpoint);
    let code = FunctionCode::builder().zip_file(Blob::new(noop_package())).build();
    let architecture = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X8664 };
    let made = lambda
        .create_function()
        .function_name("noop")
        .runtime(Runtime::Providedal2023)
        .architectures(architecture)
        .handler("bootstrap")
        .role(role(endpoint).await)
        .code(code);
    made.send().await.map_err(said)?;
    let ready = lambda.get_function_configuration().function_name("noop");
    while ready.clone().send().await.map_err(said)?.state() != Some(&State::Active) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let once = || async {
        let begun = Instant::now();
        let answer = lambda.invoke().function_name("noop").payload(Blob::new("{}")).send().await.map_err(said)?;
        let payload = answer.payload().map(|payload| payload.clone().into_inner()).unwrap_or_default();
        match (answer.function_error(), payload.as_slice()) {
            (None, b"{}") => Ok(begun.elapsed()),
            (error, payload) => Err(format!("{error:?}: {}", String::from_utf8_lossy(payload))),
        }
    };
    for _ in 0..100 {
        once().await?;
    }
    warmed();
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        took.push(once().await?);
    }
    Ok(took)
}

/// Puts objects of 1 KB, and times the last `count`.
pub(crate) async fn put(endpoint: &str, count: usize, warmed: &dyn Fn()) -> Result<Vec<Duration>, String> {
    let s3 = client!(aws_sdk_s3, endpoint, force_path_style(true));
    s3.create_bucket().bucket("labctl-figures").send().await.map_err(said)?;
    let body = Bytes::from(vec![b'x'; 1024]);
    let once = async |number: usize| {
        let begun = Instant::now();
        let key = format!("object-{number}");
        s3.put_object().bucket("labctl-figures").key(key).body(body.clone().into()).send().await.map_err(said)?;
        Ok::<_, String>(begun.elapsed())
    };
    for number in 0..100 {
        once(number).await?;
    }
    warmed();
    let mut took = Vec::with_capacity(count);
    for number in 0..count {
        took.push(once(100 + number).await?);
    }
    Ok(took)
}

fn said<E: std::error::Error>(error: E) -> String {
    format!("{}", aws_smithy_types::error::display::DisplayErrorContext(&error))
}

async fn role(endpoint: &str) -> String {
    let iam = client!(aws_sdk_iam, endpoint);
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let made = iam.create_role().role_name("noop").assume_role_policy_document(trust.to_string()).send().await.unwrap();
    made.role().unwrap().arn().to_owned()
}

/// The function of `noop.rs`, compiled and packed.
fn noop_package() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("bootstrap");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/figures/noop.rs");
    let compiled =
        Command::new("rustc").args(["--edition", "2024", "-O", "-o"]).arg(&binary).arg(source).status().unwrap();
    assert!(compiled.success());
    labctl::package::zip::bootstrap(&std::fs::read(binary).unwrap(), labctl::package::zip::Effort::ForKeeps).unwrap()
}
