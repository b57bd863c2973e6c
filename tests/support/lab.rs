//! A built-in lab, up in a home of its own and open to the public.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use super::clients::{Answer, Clients};
use super::labctl::Labctl;
use super::processes::{DATABASES, children, send};

pub(crate) struct Lab {
    pub(crate) labctl: Labctl,
    pub(crate) clients: Clients,
    pub(crate) name: &'static str,
    path: String,
}

impl Lab {
    /// `up` with `ApiAccess=public`.
    pub(crate) fn up(name: &'static str) -> Self {
        let labctl = Labctl::new();
        labctl.run(&["up", name, "--local", "--set", "ApiAccess=public"]);
        let outputs = labctl.json(&["outputs", name, "--local"]);
        let url = outputs["outputs"]["ApiUrl"].as_str().unwrap().to_owned();
        let clients = labctl.clients();
        let path = url.strip_prefix(clients.endpoint()).unwrap().trim_end_matches('/').to_owned();
        Lab { labctl, clients, name, path }
    }

    /// Runs `labctl <command> <lab> --local …`; it must end well.
    pub(crate) fn run(&self, command: &str, more: &[&str]) -> String {
        self.labctl.run(&[&[command, self.name, "--local"], more].concat())
    }

    /// Where its API is.
    pub(crate) fn url(&self) -> String {
        format!("{}{}", self.clients.endpoint(), self.path)
    }

    /// Adds a fault on purpose to the local cloud.
    pub(crate) async fn fault(&self, fault: &Value) {
        let answer = self.clients.post("/_labctl/faults", &fault.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// Takes every fault away.
    pub(crate) async fn no_faults(&self) {
        let request =
            format!("DELETE /_labctl/faults HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.clients.host());
        let answer = Answer::parse(&self.clients.send_raw(request.into_bytes()).await);
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// The processes of its functions.
    pub(crate) fn functions(&self) -> Vec<Pid> {
        let home = self.labctl.home().canonicalize().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let ours = processes.filter(|process| {
            let program = std::fs::read_link(process.path().join("exe")).unwrap_or_default();
            program.starts_with(&home) && program.file_name().is_some_and(|name| name == "bootstrap")
        });
        ours.filter_map(|process| process.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)).collect()
    }

    /// Pauses the cluster, and makes it take so many seconds longer to come back. Its functions end: an open connection keeps a
    /// cluster awake.
    pub(crate) async fn pause(&self, resume_takes: u32) {
        send(Signal::KILL, &self.functions());
        self.fault(&json!({"fault": "pause-after", "seconds": 0.2})).await;
        let deadline = Instant::now() + Duration::from_secs(60);
        while !children(self.clients.home(), DATABASES).is_empty() {
            assert!(Instant::now() < deadline, "the cluster does not pause");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.no_faults().await;
        self.fault(&json!({"fault": "resume-delay", "seconds": resume_takes})).await;
    }

    /// How often a function (`add` of the inventory lab) has said something.
    pub(crate) async fn said(&self, function: &str, part: &str) -> usize {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&self.clients.sdk());
        let group = format!("/aws/lambda/{}-dev-{function}", self.name);
        let events = logs.filter_log_events().log_group_name(group).send().await.unwrap();
        events.events().iter().filter(|event| event.message().is_some_and(|line| line.contains(part))).count()
    }

    /// Waits until it has said that so often, and not once more.
    pub(crate) async fn has_said(&self, function: &str, part: &str, times: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let said = self.said(function, part).await;
            assert!(said <= times && Instant::now() < deadline, "{part:?} is said {said} times, not {times}");
            if said == times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends a request to the lab's API. `path` is written as it goes over the wire.
    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let (host, base) = (self.clients.host(), &self.path);
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Answer::parse(&self.clients.send_raw(request.into_bytes()).await)
    }

    /// A statement over the Data API; its rows.
    pub(crate) fn rows(&self, statement: &str) -> Vec<Value> {
        let answer = self.labctl.json(&["sql", self.name, "--local", "-e", statement]);
        answer["rows"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) fn down(&self) {
        self.run("down", &["--yes"]);
    }
}
