//! How soon a saved change of a function is live: `deploy-lambda --watch` on a copy of the superheroes lab.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cloud::Cloud;

/// The times that `count` changes took from the end of their compilation until calls went to them.
pub(crate) fn live(cloud: &Cloud, count: u32) -> Vec<Duration> {
    let dir = tempfile::tempdir().unwrap();
    let lab = dir.path().join("lab");
    let lab = lab.to_str().unwrap();
    cloud.run(&["init", "superheroes", lab]);
    cloud.run(&["up", lab, "--local", "--yes"]);
    let mut watch =
        cloud.command_of(&["deploy-lambda", lab, "--local", "--watch"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(watch.stderr.take().unwrap());
    wait_for(&mut said, "watching the sources");
    let live = |_| {
        change(&Path::new(lab).join("lambdas/superheroes/src/main.rs"));
        let line = wait_for(&mut said, " ms after it was compiled");
        let (_, rest) = line.split_once("live ").unwrap();
        let took = Duration::from_millis(rest.split(' ').next().unwrap().parse().unwrap());
        wait_for(&mut said, "stack superheroes-api: updated");
        took
    };
    let took = (0..count).map(live).collect();
    end(watch);
    cloud.run(&["down", lab, "--local", "--yes"]);
    took
}

/// A change that the binary shows, and that no run before has made: its package would be there already.
fn change(file: &Path) {
    const MAIN: &str = "async fn main() -> Result<(), Error> {\n";
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(MAIN));
    fs::write(file, text.replace(MAIN, &format!("{MAIN}    eprintln!(\"changed at {now}\");\n"))).unwrap();
}

fn wait_for(said: &mut BufReader<ChildStderr>, what: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended without: {what}");
        if line.contains(what) {
            return line;
        }
    }
}

fn end(mut watch: Child) {
    let pid = rustix::process::Pid::from_child(&watch);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    watch.wait().unwrap();
}
