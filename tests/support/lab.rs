//! A built-in lab, up in a home of its own and open to the public.

use serde_json::Value;

use super::clients::{Answer, Clients};
use super::labctl::Labctl;

pub(crate) struct Lab {
    pub(crate) labctl: Labctl,
    pub(crate) clients: Clients,
    name: &'static str,
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
