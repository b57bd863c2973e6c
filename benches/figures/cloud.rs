//! One local cloud in a directory of its own, driven by the built program.

use std::process::{Command, Output};

use serde_json::Value;

const LABCTL: &str = env!("CARGO_BIN_EXE_labctl");
/// No throttle stands between the load and what is measured.
const SETTINGS: [&str; 4] = ["--set", "ApiAccess=public", "--set", "ThrottleRate=10000"];

pub(crate) struct Cloud {
    home: tempfile::TempDir,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        Cloud { home: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    fn command(&self, args: &[&str]) -> Output {
        self.command_of(args).output().unwrap()
    }

    pub(crate) fn command_of(&self, args: &[&str]) -> Command {
        let mut command = Command::new(LABCTL);
        command.args(args).env("LABCTL_HOME", self.home.path()).env("LABCTL_LOCAL_PORT", "0");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let output = self.command(args);
        assert!(output.status.success(), "labctl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    pub(crate) fn up(&self) {
        self.run(&[&["up", "superheroes", "--local", "--yes"], &SETTINGS[..]].concat());
    }

    pub(crate) fn down(&self) {
        self.run(&["down", "superheroes", "--local", "--yes"]);
    }

    pub(crate) fn start(&self) {
        self.run(&["local", "start"]);
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_slice(&self.run(args).stdout).unwrap()
    }

    pub(crate) fn output(&self, name: &str) -> String {
        let outputs = self.json(&["outputs", "superheroes", "--local", "--output", "json"]);
        outputs["outputs"][name].as_str().unwrap().to_owned()
    }

    fn status(&self) -> Value {
        self.json(&["local", "status", "--output", "json"])
    }

    pub(crate) fn endpoint(&self) -> String {
        self.status()["endpoint"].as_str().unwrap().to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.status()["pid"].as_u64().unwrap().try_into().unwrap()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.command(&["local", "stop"]);
    }
}
