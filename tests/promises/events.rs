//! What programs are told of a run while it goes on.

use serde_json::{Value, json};

use crate::support::Machine;

fn events(machine: &Machine) -> Vec<Value> {
    let text = std::fs::read_to_string(machine.work().join("events.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn steps<'a>(events: &'a [Value], event: &str) -> Vec<&'a str> {
    let named = events.iter().filter(|line| line["event"] == event);
    named.map(|line| line["step"].as_str().unwrap()).collect()
}

#[test]
fn every_event_of_a_run_is_a_line_of_the_file_that_was_named() {
    let machine = Machine::new();
    machine.well(&["init", "superheroes", "small"]);
    machine.write("small/lab.yaml", "lab: small\ndescription: d\nstacks: [network]\n");
    let refused = machine.run(&["up", "./small", "--local", "--events", "nowhere/events.jsonl"]).ended(2);
    assert!(refused.contains("cannot write events to `nowhere/events.jsonl`"), "{refused}");
    assert!(machine.cloud().is_none(), "nothing was begun");

    machine.well(&["up", "./small", "--local", "--events", "events.jsonl"]);
    let up = events(&machine);
    assert_eq!((&up[0]["event"], &up[0]["steps"]), (&"run_started".into(), &2.into()));
    let of =
        |line: &Value| [&line["lab"], &line["env"], &line["target"]].map(|value| value.as_str().unwrap().to_owned());
    assert!(up.iter().all(|line| of(line) == ["small", "dev", "local"]), "{up:#?}");
    let counted = |line: &Value| json!([line["event"], line["finished"], line["failed"], line["skipped"]]);
    assert_eq!(counted(up.last().unwrap()), json!(["run_finished", 2, 0, 0]));
    assert_eq!(steps(&up, "step_started"), ["stack/network", "checks"]);
    assert_eq!(steps(&up, "step_finished"), ["stack/network", "checks"]);
    assert!(up.iter().any(|line| line["event"] == "resource_changed" && line["type"] == "AWS::EC2::VPC"), "{up:#?}");
    assert!(up.iter().all(|line| line["time"].as_str().is_some_and(|time| time.ends_with('Z'))), "{up:#?}");

    // What is as it was wanted has been looked at, and nothing was done.
    machine.well(&["up", "./small", "--local", "--events", "events.jsonl"]);
    let again = events(&machine).split_off(up.len());
    assert_eq!(again[0]["steps"], 0, "{again:#?}");
    assert_eq!(counted(again.last().unwrap()), json!(["run_finished", 0, 0, 0]));
    let up = events(&machine);

    machine.well(&["down", "./small", "--local", "--yes", "--quiet", "--events", "events.jsonl"]);
    let down = events(&machine).split_off(up.len());
    assert_eq!(steps(&down, "step_finished"), ["delete/network"]);
    machine.well(&["local", "stop"]);
    machine.is_quiet();
}
