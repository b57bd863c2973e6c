//! `labctl local`: started, found, killed, brought back, stopped and wiped, by the real program.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A home of its own, and the program pointed at it. What still runs at the end is stopped.
struct Machine {
    home: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        Machine { home: tempfile::Builder::new().prefix("lc").tempdir().unwrap() }
    }

    fn command(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_labctl"));
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("LABCTL_HOME", self.home.path()).env("LABCTL_LOCAL_PORT", "0").env("HOME", self.home.path());
        command.envs(crate::support::engines()).stdin(std::process::Stdio::null());
        command
    }

    async fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().await.unwrap()
    }

    async fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--output", "json"]].concat()).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    async fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args).await;
        (output.status.code().unwrap(), text(&output.stderr))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let mut stop = std::process::Command::new(env!("CARGO_BIN_EXE_labctl"));
        let _ = stop.args(["local", "stop"]).env("LABCTL_HOME", self.home.path()).output();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pid(status: &Value) -> i32 {
    i32::try_from(status["pid"].as_i64().unwrap()).unwrap()
}

fn lives(pid: i32) -> bool {
    // One that has ended and is not yet waited for does not live.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_started_once_found_and_stopped_without_a_trace() {
    let machine = Machine::new();
    assert_eq!(machine.json(&["local", "status"]).await["running"], false);
    let (one, two) = tokio::join!(machine.json(&["local", "start"]), machine.json(&["local", "start"]));
    assert_eq!((&one["pid"], &one["endpoint"]), (&two["pid"], &two["endpoint"]), "two that start at once share one");
    assert_ne!(one["already_running"], two["already_running"], "and one of them started it");
    let status = machine.json(&["local", "status"]).await;
    assert_eq!((&status["running"], &status["pid"]), (&Value::Bool(true), &one["pid"]));
    let port: u16 = one["port"].as_u64().unwrap().try_into().unwrap();
    assert_eq!(machine.json(&["local", "stop"]).await["stopped"], true);
    assert!(!lives(pid(&one)));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!machine.home.path().join("run/serve.json").exists());
    assert_eq!(machine.json(&["local", "stop"]).await["stopped"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_variables_are_those_of_the_running_cloud_and_safe_to_evaluate() {
    let machine = Machine::new();
    let (code, said) = machine.fails(&["local", "env"]).await;
    assert_eq!(code, 1);
    assert!(said.contains("hint: labctl local start"), "{said}");
    let started = machine.json(&["local", "start"]).await;
    let exports = text(&machine.run(&["local", "env"]).await.stdout);
    let script =
        format!("{exports}\nprintf '%s %s %s' \"$AWS_ENDPOINT_URL\" \"$AWS_ACCESS_KEY_ID\" \"$LABCTL_LOCAL_CA\"");
    let shell = tokio::process::Command::new("sh").args(["-euc", &script]).output().await.unwrap();
    let ca = machine.home.path().join("keys/ca.pem");
    assert_eq!(text(&shell.stdout), format!("{} test {}", started["endpoint"].as_str().unwrap(), ca.display()));
    let document = machine.json(&["local", "env"]).await;
    assert_eq!(document["AWS_ENDPOINT_URL"], started["endpoint"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_9_takes_the_engines_along_and_the_next_start_brings_everything_back() {
    let machine = Machine::new();
    let started = machine.json(&["local", "start"]).await;
    let client = client(&started);
    let request = client.create_replication_group().replication_group_id("lab").replication_group_description("d");
    request
        .cache_node_type("cache.t4g.micro")
        .send()
        .await
        .expect("a Redis or Valkey server: run tests/run, which installs it");
    available(&client).await;
    let engine = children(machine.home.path())[0];
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid(&started)).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    until("the engine ends with the local cloud", || !lives(engine)).await;

    assert_eq!(machine.json(&["local", "status"]).await["running"], false, "a note alone is no local cloud");
    let again = machine.json(&["local", "start"]).await;
    assert_ne!(again["pid"], started["pid"]);
    let client = self::client(&again);
    available(&client).await;
    let engine = children(machine.home.path())[0];
    assert_eq!(machine.json(&["local", "stop"]).await["stopped"], true);
    assert!(!lives(engine));
    assert_eq!(children(machine.home.path()), [0; 0]);
}

fn client(started: &Value) -> aws_sdk_elasticache::Client {
    let config = aws_sdk_elasticache::Config::builder()
        .behavior_version(aws_sdk_elasticache::config::BehaviorVersion::latest())
        .endpoint_url(started["endpoint"].as_str().unwrap())
        .region(aws_sdk_elasticache::config::Region::from_static("us-east-1"))
        .credentials_provider(aws_sdk_elasticache::config::Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    aws_sdk_elasticache::Client::from_conf(config.build())
}

async fn available(client: &aws_sdk_elasticache::Client) {
    let begun = Instant::now();
    loop {
        let found = client.describe_replication_groups().replication_group_id("lab").send().await.unwrap();
        if found.replication_groups()[0].status() == Some("available") {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The processes that the local cloud has noted.
fn children(home: &Path) -> Vec<i32> {
    let notes = std::fs::read_dir(home.join("run/children")).into_iter().flatten().flatten();
    notes.filter_map(|note| note.path().file_stem()?.to_str()?.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_asks_and_then_forgets() {
    let machine = Machine::new();
    let (code, said) = machine.fails(&["local", "reset"]).await;
    assert_eq!(code, 2);
    assert!(said.contains("hint: labctl local reset --yes"), "{said}");
    machine.json(&["local", "start"]).await;
    let state = machine.home.path().join("state");
    for running in [true, false] {
        if !running {
            machine.json(&["local", "stop"]).await;
        }
        std::fs::create_dir_all(state.join("mine")).unwrap();
        assert_eq!(machine.json(&["local", "reset", "--yes"]).await["reset"], true);
        assert!(!state.join("mine").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_said_with_its_holder_and_the_remedy() {
    let machine = Machine::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, said) = machine.fails(&["local", "start", "--port", &port]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains(&format!("port {port} on 127.0.0.1 is taken by")), "{said}");
    assert!(said.contains(&format!("(process {})", std::process::id())), "{said}");
    assert!(said.contains("--port 0"), "{said}");
    let doctor = machine.command(&["doctor", "--local"]).env("LABCTL_LOCAL_PORT", &port).output().await.unwrap();
    let said = text(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("port {port} on 127.0.0.1 is taken by")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_whose_home_is_deleted_ends() {
    let machine = Machine::new();
    let started = machine.json(&["local", "start"]).await;
    std::fs::remove_dir_all(machine.home.path()).unwrap();
    until("nobody would find it any more", || !lives(pid(&started))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_cannot_be_written_is_named() {
    let machine = Machine::new();
    let file = machine.home.path().join("file");
    std::fs::write(&file, "").unwrap();
    for home in [file.join("below"), "/proc/labctl".into()] {
        let output = machine.command(&["local", "start"]).env("LABCTL_HOME", &home).output().await.unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("cannot write to the local cloud's directory: {}", home.display())), "{said}");
        assert!(said.contains("hint: name a directory"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_a_variable_names_wrongly_is_an_error_before_anything_is_started() {
    let machine = Machine::new();
    let output = machine.command(&["local", "start"]).env("LABCTL_REDIS", "/nowhere/redis").output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("LABCTL_REDIS names a program that is not there: /nowhere/redis"));
    assert_eq!(machine.json(&["local", "status"]).await["running"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_shown_by_name() {
    let machine = Machine::new();
    machine.json(&["local", "start"]).await;
    let log = machine.json(&["local", "logs"]).await;
    assert!(log["lines"].to_string().contains("the local cloud is up"), "{log}");
    let (code, said) = machine.fails(&["local", "logs", "locla"]).await;
    assert_eq!(code, 2);
    assert!(said.contains("hint: labctl local logs local"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_added_shown_counted_and_taken_away() {
    let machine = Machine::new();
    let (code, said) = machine.fails(&["local", "fault", "ls"]).await;
    assert!(code == 1 && said.contains("hint: labctl local start"), "{said}");
    let started = machine.json(&["local", "start"]).await;
    let add = ["local", "fault", "add"];
    let throttle = [&add[..], &["throttle", "elasticache", "--times", "1"]].concat();
    assert_eq!(machine.json(&throttle).await["id"], "fault-1");
    let shown = text(&machine.run(&[&add[..], &["resume-delay", "30"]].concat()).await.stdout);
    assert_eq!(shown, "added fault-2; take it away with: labctl local fault clear fault-2\n");
    let client = client(&started);
    let once = aws_sdk_elasticache::Config::builder().retry_config(aws_config::retry::RetryConfig::disabled());
    let asked = client.describe_replication_groups().customize().config_override(once);
    let refused = asked.send().await.unwrap_err();
    assert_eq!(aws_sdk_elasticache::error::ProvideErrorMetadata::code(&refused), Some("Throttling"));
    client.describe_replication_groups().send().await.unwrap();
    let shown = text(&machine.run(&["local", "fault", "ls"]).await.stdout);
    let lines = [
        "fault-1  throttle  service: elasticache, rate: 1.0, times: 1  struck 1 of 1",
        "fault-2  resume-delay  seconds: 30.0",
    ];
    assert_eq!(shown.lines().collect::<Vec<_>>(), lines);
    let (code, said) = machine.fails(&[&add[..], &["throttle", "elastic"]].concat()).await;
    assert!(code == 2 && said.contains("there is no service elastic; there are: "), "{code} {said}");
    let (code, said) = machine.fails(&[&add[..], &["create", "AWS::Lambda::Functio"]].concat()).await;
    assert!(code == 2 && said.contains("(did you mean AWS::Lambda::Function?)"), "{code} {said}");
    assert_eq!(machine.json(&["local", "fault", "clear", "fault-1"]).await["cleared"], 1);
    let (code, said) = machine.fails(&["local", "fault", "clear", "fault-1"]).await;
    assert!(code == 2 && said.contains("there is no fault fault-1"), "{code} {said}");
    machine.json(&["local", "reset", "--yes"]).await;
    assert_eq!(machine.json(&["local", "fault", "ls"]).await["faults"], serde_json::json!([]), "a reset ends them");
}
