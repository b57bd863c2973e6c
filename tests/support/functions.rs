//! Functions for tests: one that misbehaves as told, compiled once, and whatever else is put into a zip.

use std::io::{Cursor, Write};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, FunctionCode, Runtime};
use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::clients::Clients;

/// The program of `tests/functions/unruly.rs`.
pub(crate) static UNRULY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("bootstrap");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/functions/unruly.rs");
    let compiled = Command::new("rustc")
        .args(["--edition", "2024", "-C", "opt-level=s", "-C", "strip=symbols", "-o"])
        .arg(&binary)
        .arg(source)
        .status()
        .unwrap();
    assert!(compiled.success());
    std::fs::read(binary).unwrap()
});

/// A zip with one file.
pub(crate) fn zip_of(name: &str, content: &[u8], mode: u32) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

impl Clients {
    /// Makes a role that Lambda may assume; gives its ARN.
    pub(crate) async fn lambda_role(&self, name: &str) -> String {
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
        let iam = aws_sdk_iam::Client::new(&self.sdk());
        let made = iam.create_role().role_name(name).assume_role_policy_document(trust.to_string()).send().await;
        made.unwrap().role().unwrap().arn().to_owned()
    }

    /// Makes a function with a timeout of one second; gives its ARN. `start` is the unruly function's `START`.
    pub(crate) async fn function(&self, name: &str, package: Vec<u8>, start: &str) -> String {
        let role = self.lambda_role(&format!("{name}-role")).await;
        let here = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X8664 };
        let lambda = aws_sdk_lambda::Client::new(&self.sdk());
        let request = lambda
            .create_function()
            .function_name(name)
            .runtime(Runtime::Providedal2023)
            .handler("bootstrap")
            .role(role)
            .timeout(1)
            .architectures(here)
            .environment(Environment::builder().variables("START", start).build())
            .code(FunctionCode::builder().zip_file(Blob::new(package)).build());
        request.send().await.unwrap().function_arn().unwrap().to_owned()
    }
}
