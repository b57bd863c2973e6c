//! The built program in a home of its own, as people use it, and the lab that it brought up.

use std::path::Path;
use std::process::{Command, Output};

use labctl::local::Found;
use serde_json::{Value, json};

use super::clients::{Answer, Clients};

/// The built program in a home of its own; its local cloud is stopped at the end.
pub(crate) struct Labctl {
    home: tempfile::TempDir,
}

impl Labctl {
    pub(crate) fn new() -> Self {
        Labctl { home: tempfile::Builder::new().prefix("lc").tempdir().unwrap() }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_labctl"));
        // An empty directory: everything the lab needs is in the program.
        let empty = self.home.path().join("empty");
        std::fs::create_dir_all(&empty).unwrap();
        command.args(args).current_dir(empty);
        command.env("LABCTL_HOME", self.home.path().join("home")).env("LABCTL_LOCAL_PORT", "0");
        command
    }

    pub(crate) fn try_run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// stdout of a run that ends well.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.try_run(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "labctl {args:?}\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[args, &["--output", "json"]].concat())).unwrap()
    }

    /// Where its local cloud is now.
    pub(crate) fn found(&self) -> Found {
        Found::find(&self.home.path().join("home")).unwrap().unwrap()
    }

    pub(crate) fn clients(&self) -> Clients {
        Clients::new(self.found().endpoint, &self.home.path().join("home"))
    }
}

impl Drop for Labctl {
    fn drop(&mut self) {
        self.try_run(&["local", "stop"]);
    }
}

/// The superheroes lab, up and open to the public.
pub(crate) struct Heroes {
    pub(crate) labctl: Labctl,
    pub(crate) clients: Clients,
    path: String,
}

impl Heroes {
    pub(crate) fn up() -> Self {
        let labctl = Labctl::new();
        labctl.run(&["up", "superheroes", "--local", "--set", "ApiAccess=public"]);
        let outputs = labctl.json(&["outputs", "superheroes", "--local"]);
        let url = outputs["outputs"]["ApiUrl"].as_str().unwrap().to_owned();
        let clients = labctl.clients();
        let path = url.strip_prefix(clients.endpoint()).unwrap().to_owned();
        Heroes { labctl, clients, path }
    }

    /// `POST /` with any body.
    pub(crate) async fn send(&self, body: &str) -> Answer {
        self.clients.post(&format!("{}/", self.path.trim_end_matches('/')), body).await
    }

    /// The function's whole result.
    pub(crate) async fn post(&self, body: &Value) -> Value {
        let answer = self.send(&body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// The rows that a read gives.
    pub(crate) async fn read(&self, cache: &str, ids: &[i64]) -> Vec<Value> {
        let answer = self.post(&json!({"USE_CACHE": cache, "REQUEST": "read", "SQLS": ids})).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
        answer["body"].as_array().unwrap().clone()
    }

    /// A statement over the Data API; its rows.
    pub(crate) fn sql(&self, statement: &str) -> Vec<Value> {
        let answer = self.labctl.json(&["sql", "superheroes", "--local", "-e", statement]);
        answer["rows"].as_array().cloned().unwrap_or_default()
    }

    pub(crate) fn down(self) {
        self.labctl.run(&["down", "superheroes", "--local", "--yes"]);
    }
}

/// One row to write.
pub(crate) fn hero(name: &str) -> Value {
    json!({"hero": "yes", "name": name, "power": "tests", "color": "red", "xp": 1})
}
