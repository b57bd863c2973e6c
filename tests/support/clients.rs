//! Real clients pointed at a local cloud: the SDK, the AWS CLI, boto3, and a raw connection for what no client would send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use hmac::{Hmac, KeyInit, Mac};
use labctl::local::clock::Clock;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What every boto3 program begins with.
const PRELUDE: &str = include_str!("prelude.py");

/// An access key, and the token that temporary ones have.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl Key {
    /// The home's own.
    pub(crate) fn root() -> Self {
        Key { id: "test".into(), secret: "test".into(), token: None }
    }
}

/// An HTTP answer, read from a raw connection.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Reads an answer that ends with its connection.
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("not an HTTP answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not an HTTP answer: {text:?}"));
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// Where a local cloud is; every client is a method of it.
pub(crate) struct Clients {
    endpoint: String,
    home: PathBuf,
}

impl Clients {
    /// Clients of the cloud at `endpoint`, in a folder of their own.
    pub(crate) fn new(endpoint: String, home: &Path) -> Self {
        Clients { endpoint, home: home.to_owned() }
    }

    /// `http://127.0.0.1:40123`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// `127.0.0.1:40123`.
    pub(crate) fn host(&self) -> &str {
        self.endpoint().trim_start_matches("http://")
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// For the SDK's clients, as the root user: `aws_sdk_iam::Client::new(&cloud.sdk())`. It never retries, so that a test sees every error.
    pub(crate) fn sdk(&self) -> SdkConfig {
        self.sdk_as(&Key::root())
    }

    pub(crate) fn sdk_as(&self, key: &Key) -> SdkConfig {
        let credentials = Credentials::new(&key.id, &key.secret, key.token.clone(), None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(self.endpoint())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(aws_config::retry::RetryConfig::disabled())
            .build()
    }

    /// Runs the AWS CLI and reads its JSON; its failure fails the test.
    pub(crate) async fn aws(&self, args: &[&str]) -> Value {
        let (success, stdout, stderr) = self.run("aws", args, &Key::root()).await;
        assert!(success, "aws {} failed:\n{stderr}", args.join(" "));
        if stdout.trim().is_empty() { Value::Null } else { serde_json::from_str(&stdout).unwrap() }
    }

    /// Runs a command of the AWS CLI that answers with text; its failure fails the test.
    pub(crate) async fn aws_says(&self, args: &[&str]) -> String {
        let (success, stdout, stderr) = self.run("aws", args, &Key::root()).await;
        assert!(success, "aws {} failed:\n{stderr}{stdout}", args.join(" "));
        stdout
    }

    /// Runs the AWS CLI, which must fail, and gives what it says.
    pub(crate) async fn aws_fails(&self, args: &[&str]) -> String {
        let (success, stdout, stderr) = self.run("aws", args, &Key::root()).await;
        assert!(!success, "aws {} succeeded:\n{stdout}", args.join(" "));
        stderr
    }

    /// Runs a Python program that has boto3; what it prints is read as JSON. Its failure fails the test.
    pub(crate) async fn boto3(&self, program: &str) -> Value {
        let program = format!("{PRELUDE}\n{program}");
        let (success, stdout, stderr) = self.run("python3", &["-c", &program], &Key::root()).await;
        assert!(success, "boto3 failed:\n{stderr}\n{stdout}");
        if stdout.trim().is_empty() { Value::Null } else { serde_json::from_str(&stdout).unwrap() }
    }

    /// What `redis-cli` says on a cache's port, over TLS that it verifies.
    pub(crate) async fn redis_cli(&self, port: &str, words: &[&str]) -> String {
        let mut command = tokio::process::Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", port, "--tls", "--cacert"]).arg(self.home().join("keys/ca.pem"));
        said(&command.args(words).env_clear().output().await.expect("redis-cli is installed: run tests/install"))
    }

    /// The status and body that `curl` gets.
    pub(crate) async fn curl(&self, args: &[&str]) -> (u16, String) {
        let mut command = tokio::process::Command::new("curl");
        command.args(["-s", "-w", "\n%{http_code}"]).args(args);
        let output = command.output().await.expect("curl is installed: run tests/install");
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// Runs a program of the clients' environment, knowing nothing but this cloud and `key`.
    pub(crate) async fn run(&self, program: &str, args: &[&str], key: &Key) -> (bool, String, String) {
        let bin = client_programs();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin", bin.display());
        let mut command = tokio::process::Command::new(bin.join(program));
        if program == "aws" {
            // Version 1 of the CLI does not read AWS_ENDPOINT_URL for rds in us-east-1.
            command.args(["--endpoint-url", self.endpoint()]);
        }
        command.args(args).env_clear().env("PATH", path).env("HOME", self.home()).current_dir(self.home());
        command
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", &key.id).env("AWS_SECRET_ACCESS_KEY", &key.secret);
        command
            .env("AWS_PAGER", "")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_DEFAULT_OUTPUT", "json");
        command.envs(key.token.as_ref().map(|token| ("AWS_SESSION_TOKEN", token)));
        let output = command.kill_on_drop(true).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    /// A `POST` (without a body a `GET`) with a good signature of the root user, as bytes: to send what no client would.
    pub(crate) fn signed(&self, service: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let host = self.host();
        let at = Clock::System.now().iso8601().split('.').next().unwrap().replace(['-', ':'], "") + "Z";
        let method = if body.is_empty() { "GET" } else { "POST" };
        let scope = format!("{}/us-east-1/{service}/aws4_request", &at[..8]);
        let payload = hex::encode(Sha256::digest(body));
        // Encoded once more, as every service but S3 does it; the paths of tests have no other characters to encode.
        let path_twice = path.replace('%', "%25");
        let canonical = format!("{method}\n{path_twice}\n\nhost:{host}\nx-amz-date:{at}\n\nhost;x-amz-date\n{payload}");
        let to_sign = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let key = scope.split('/').fold(b"AWS4test".to_vec(), |key, step| hmac(&key, step.as_bytes()));
        let signature = hex::encode(hmac(&key, to_sign.as_bytes()));
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-Amz-Date: {at}\r\nContent-Length: {}\r\nConnection: close\r\n{more}\
             Authorization: AWS4-HMAC-SHA256 Credential=test/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    /// An unsigned `POST` of JSON, as a client of an API sends it.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        let host = self.endpoint().trim_start_matches("http://");
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close");
        Answer::parse(
            &self.send_raw(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()).await,
        )
    }

    /// Sends bytes as they are and reads the answer until the server closes; for requests that no client would send.
    /// The request should say `Connection: close`.
    pub(crate) async fn send_raw(&self, request: Vec<u8>) -> String {
        let address = self.endpoint().trim_start_matches("http://").to_owned();
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            // Longer than the gateway waits for a function.
            stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
            // The server may answer and close before it has read everything.
            let _ = stream.write_all(&request);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        });
        answer.await.unwrap()
    }
}

/// What a command wrote, to both of its ends.
pub(crate) fn said(output: &std::process::Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    text.concat().trim().to_owned()
}

/// The CLI names what it makes by the second: two deploys within one would collide, as on AWS.
pub(crate) async fn next_second() {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let begun = now();
    while now() == begun {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(super) fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Where `aws` and a `python3` with boto3 are: `$LABCTL_TEST_VENV`, or where `tests/install` puts them.
fn client_programs() -> PathBuf {
    let named = std::env::var_os("LABCTL_TEST_VENV").map(PathBuf::from);
    let usual = || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache/labctl-venv-aws");
    let bin = named.unwrap_or_else(usual).join("bin");
    assert!(bin.join("aws").exists(), "the AWS CLI is not in {}: run tests/run, which installs it", bin.display());
    bin
}
