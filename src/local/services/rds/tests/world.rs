//! A cloud with a database service on a real engine, for this service's tests and the Data API's.

use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mysql_async::{Conn, OptsBuilder};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::cloud::Parts;
use crate::process::engines::{Engines, Search};
use crate::scope::Scope;
use crate::services::rds::*;

pub(crate) const PASSWORD: &str = "correct-horse-9";

/// A cloud with RDS and the Data API on this machine's engine, and stand-ins for the services that they call.
pub(crate) struct World {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) scope: Scope,
    pub(super) rds: Arc<Rds>,
    pub(super) directory: tempfile::TempDir,
}

/// Objects by bucket and key.
#[derive(Default)]
struct Objects(Mutex<std::collections::BTreeMap<String, PathBuf>>, PathBuf);

#[async_trait]
impl Service for Objects {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn support(&self) -> Vec<Support> {
        Vec::new()
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        let text = |name: &str| call.input[name].as_str().unwrap_or_default().to_owned();
        let mut objects = self.0.lock().unwrap();
        let name = format!("{}/{}", text("Bucket"), text("Key"));
        match call.operation.as_str() {
            "PutObject" => {
                let path = self.1.join(format!("object-{}", objects.len()));
                match &call.file {
                    Some(file) => std::fs::rename(file, &path).unwrap(),
                    None => std::fs::write(&path, &call.body).unwrap(),
                }
                objects.insert(name, path);
                Ok(Reply::default())
            }
            "GetObject" => {
                let missing = || Fault::new("NoSuchKey", "The specified key does not exist.");
                Ok(Reply { file: Some(objects.get(&name).cloned().ok_or_else(missing)?), ..Reply::default() })
            }
            "ListObjectsV2" => {
                let start = format!("{}/{}", text("Bucket"), text("Prefix"));
                let keys = objects.keys().filter(|key| key.starts_with(&start));
                let keys: Vec<Value> = keys.map(|key| json!({"Key": key.split_once('/').unwrap().1})).collect();
                Ok(json!({"Contents": keys}).into())
            }
            _ => Err(Fault::unsupported_operation("s3", &call.operation)),
        }
    }
}

struct Tokens;

#[async_trait]
impl Service for Tokens {
    fn name(&self) -> &'static str {
        "sts"
    }

    fn support(&self) -> Vec<Support> {
        Vec::new()
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        Ok(json!({"AssumedRoleUser": {"Arn": format!("{}/session", call.input["RoleArn"].as_str().unwrap())}}).into())
    }
}

/// Secrets Manager that makes secrets and never says so.
pub(super) struct Speechless(pub(super) Arc<dyn Service>);

#[async_trait]
impl Service for Speechless {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn support(&self) -> Vec<Support> {
        Vec::new()
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        let creates = call.operation == "CreateSecret";
        let answer = self.0.clone().call(call).await;
        if creates { std::future::pending().await } else { answer }
    }
}

/// Puts something in front of a service, such as one that is slow.
pub(super) type Wrapping = fn(Arc<dyn Service>) -> Arc<dyn Service>;

impl World {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        World::open(directory).await
    }

    pub(crate) async fn open(directory: tempfile::TempDir) -> Self {
        World::with(directory, lifecycle::PATIENCE, |secrets| secrets).await
    }

    pub(super) async fn with(directory: tempfile::TempDir, patience: Duration, secrets: Wrapping) -> Self {
        World::at(directory, Clock::System, (patience, secrets)).await
    }

    /// Where time stands still until a test moves it.
    pub(crate) async fn timeless(directory: tempfile::TempDir) -> Self {
        let clock = Clock::fixed(Clock::System.now());
        World::at(directory, clock, (lifecycle::PATIENCE, |secrets| secrets)).await
    }

    async fn at(directory: tempfile::TempDir, clock: Clock, (patience, secrets): (Duration, Wrapping)) -> Self {
        let engines = Engines::find(&Search::here(directory.path())).await.unwrap();
        let cloud = Cloud::new(Parts { engines, clock, ..Parts::of_test(directory.path()) });
        let objects = cloud.home.state("s3").join("objects");
        std::fs::create_dir_all(&objects).unwrap();
        let mut rds = Rds::open(cloud.clone()).unwrap();
        rds.patience = patience;
        let rds = Arc::new(rds);
        cloud.register(vec![
            rds.clone(),
            crate::services::rds_data::open(&cloud).unwrap(),
            Arc::new(Objects(Mutex::default(), objects)),
            Arc::new(Tokens),
            secrets(crate::services::secretsmanager::open(&cloud).unwrap()),
        ]);
        for service in ["rds", "rds-data"] {
            cloud.service(service).unwrap().start().await.unwrap();
        }
        World { cloud, scope: Scope::root("us-east-1"), rds, directory }
    }

    pub(crate) async fn call(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.cloud.call(&self.scope, "rds", operation, input).await
    }

    pub(crate) async fn make(&self, more: Value) -> Value {
        let mut input = json!({
            "DBClusterIdentifier": "lab", "Engine": "aurora-mysql", "MasterUsername": "admin",
            "MasterUserPassword": PASSWORD, "DatabaseName": "lab",
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("CreateDBCluster", input).await.unwrap();
        self.until("available").await
    }

    pub(crate) async fn until(&self, status: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let found = self.call("DescribeDBClusters", json!({"DBClusterIdentifier": "lab"})).await.unwrap();
            let cluster = found["DBClusters"][0].clone();
            if cluster["Status"] == status {
                return cluster;
            }
            assert!(Instant::now() < deadline, "{cluster:#}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn until_gone(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.call("DescribeDBClusters", json!({"DBClusterIdentifier": "lab"})).await.is_ok() {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where the files of a cluster are.
    pub(super) fn files(&self, cluster: &Value) -> PathBuf {
        self.cloud.home.state("rds").join("clusters").join(cluster["DbClusterResourceId"].as_str().unwrap())
    }

    /// Sends a signal to the cluster's engine.
    pub(crate) fn signal_engine(&self, cluster: &Value, signal: Signal) {
        let pid = std::fs::read_to_string(self.files(cluster).join("engine.pid")).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(super) async fn secrets(&self, scope: &Scope) -> Vec<String> {
        let listed = self.cloud.call(scope, "secretsmanager", "ListSecrets", json!({})).await.unwrap();
        let secrets = listed["SecretList"].as_array().unwrap().iter();
        secrets.map(|secret| secret["Name"].as_str().unwrap().to_owned()).collect()
    }

    /// The processes whose command line names this world's directory.
    pub(crate) fn processes(&self) -> Vec<String> {
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = all.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        lines.filter(|line| line.contains(&*self.directory.path().to_string_lossy())).collect()
    }

    /// Through the front door's private socket: the port would want TLS, which this client does not have.
    pub(crate) async fn connect(&self, cluster: &Value, user: &str) -> Conn {
        let door = door_socket(&self.cloud, cluster["DbClusterResourceId"].as_str().unwrap()).unwrap();
        let options = OptsBuilder::default()
            .socket(Some(door.to_string_lossy()))
            .user(Some(user))
            .pass(Some(PASSWORD))
            .db_name(Some("lab"));
        Conn::new(options).await.unwrap()
    }

    /// The `mysql` command, over TLS that it verifies.
    pub(crate) async fn mysql(&self, cluster: &Value, user: &str, password: &str, more: &[&str]) -> Output {
        tokio::process::Command::new("mysql")
            .arg("--no-defaults")
            .args(["-h", "127.0.0.1", "-u", user, "-N", "-P", &cluster["Port"].to_string()])
            .arg(format!("--ssl-ca={}", self.cloud.authority.certificate_file().display()))
            .arg("--ssl-verify-server-cert")
            .args(more)
            .env("MYSQL_PWD", password)
            .output()
            .await
            .unwrap()
    }

    pub(crate) async fn put(&self, key: &str, text: &str) {
        let body = bytes::Bytes::copy_from_slice(text.as_bytes());
        let input = json!({"Bucket": "b", "Key": key});
        self.cloud.call_with_body(&self.scope, ("s3", "PutObject"), input, body).await.unwrap();
    }

    pub(super) async fn object(&self, key: &str) -> String {
        let input = json!({"Bucket": "b", "Key": key});
        let reply =
            self.cloud.call_with_body(&self.scope, ("s3", "GetObject"), input, bytes::Bytes::new()).await.unwrap();
        std::fs::read_to_string(reply.file.unwrap()).unwrap()
    }

    pub(crate) async fn close(self) -> tempfile::TempDir {
        self.cloud.service("rds").unwrap().stop().await;
        let _ = self.cloud.home.remove_sockets();
        self.directory
    }
}
