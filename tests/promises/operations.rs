//! `invoke` and `logs`: a function is called, timed and read as people do it, and what cannot be is told before anything is sent.

use std::io::Write;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Machine, Said, small, until};

fn lines(said: &str) -> Vec<Value> {
    said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn messages(document: &Value) -> Vec<&str> {
    document["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect()
}

#[test]
fn a_function_is_called_with_what_is_typed_read_or_piped() {
    let machine = Machine::new();
    small::write(&machine);
    machine.well(&["up", "small", "--local", "--yes"]);
    let cold = machine.run(&["invoke", "small", "--local", "{\"do\":\"wait\"}"]);
    assert!(
        cold.out.starts_with("{\"statusCode\":200,\"body\":\"generation 1 process ") && !cold.out.ends_with('\n'),
        "{cold:?}"
    );
    assert!(cold.err.starts_with("200 in ") && cold.err.contains(", cold start "), "{cold:?}");
    let document = machine.json(&["invoke", "small", "two", "--local", "[1, 2]"]);
    assert_eq!((&document["function"], &document["status"]), (&json!("two"), &json!(200)));
    assert!(
        document["payload"]["body"].as_str().unwrap().starts_with("generation 1") && document["request_id"].is_string()
    );

    machine.write("event.json", "{\"do\":\"error\"}");
    let failed = machine.run(&["invoke", "small", "one", "--local", "--file", "event.json"]);
    assert_eq!((failed.code, failed.out.as_str()), (Some(1), ""));
    assert!(failed.err.contains("error: function `one` failed: Unruly.Refused\ncaused by: no\n"), "{failed:?}");
    let failed = machine.run(&["invoke", "small", "--local", "--file", "event.json", "--output", "json"]);
    assert_eq!((failed.code, &failed.json()["error"]), (Some(1), &json!({"type": "Unruly.Refused", "message": "no"})));

    let mut piped = machine.command(&["invoke", "small", "--local", "-"]);
    let mut piped = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(b"{\"do\":\"exit\"}").unwrap();
    let died = Said::of(piped.wait_with_output().unwrap());
    assert!(died.ended(1).contains("failed: Runtime.ExitError"));

    a_pipe_that_nobody_writes_to_can_be_left(&machine);

    let bad: [(&[&str], &str); 6] = [
        (&["invoke", "small", "--local", "{oops"], "error: the payload is not JSON"),
        (&["invoke", "small", "one", "--local", "nul"], "error: the payload is not JSON"),
        (
            &["invoke", "small", "--local", "--file", "nothing.json"],
            "error: cannot read the payload from `nothing.json`",
        ),
        (&["invoke", "small", "tow", "--local"], "no function is called `tow` (did you mean `two`?)"),
        (&["invoke", "small", "--local", "{}", "--file", "event.json"], "given twice"),
        (&["logs", "small", "--local", "--filter", "{ $.a = }"], "error: CloudWatch refuses what is asked for"),
    ];
    for (args, told) in bad {
        let said = machine.run(args).ended(2);
        assert!(said.contains(told), "{args:?}: {said}");
    }
    let none = machine.run(&["invoke", "small", "--local", "--qualifier", "live"]).ended(1);
    assert!(none.contains("ResourceNotFoundException"), "{none}");
    machine.well(&["down", "small", "--local", "--yes"]);
}

/// A payload that never comes, from either place, ends with Ctrl-C.
fn a_pipe_that_nobody_writes_to_can_be_left(machine: &Machine) {
    let pipe = machine.work().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let waiting = machine.start(&["invoke", "small", "--local", "--file", "pipe"]);
    let status = format!("/proc/{}/status", waiting.pid());
    until("Ctrl-C is listened for", || catches_interruptions(&std::fs::read_to_string(&status).unwrap()));
    waiting.signal(Signal::INT);
    assert_eq!(waiting.wait().0, Some(130));
}

/// Whether a process has a handler of its own for SIGINT (proc(5)).
fn catches_interruptions(status: &str) -> bool {
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0
}

#[test]
fn a_call_shows_its_own_lines_and_many_calls_their_times() {
    let machine = Machine::new();
    small::write(&machine);
    machine.well(&["up", "small", "--local", "--yes"]);
    let short = machine.run(&["invoke", "small", "--local", "--tail", "{\"do\":\"wait\"}"]);
    let begin = |word: &str| short.err.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!(
        (begin("START RequestId: "), begin("told to wait"), begin("REPORT RequestId: ")),
        (1, 1, 1),
        "{short:?}"
    );
    // Longer than the 4 KB that come with the answer.
    let long = machine.json(&["invoke", "small", "--local", "--tail", "{\"do\":\"chatty\"}"]);
    let log: Vec<&str> = long["log"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(log[0].starts_with("START ") && log[log.len() - 1].starts_with("REPORT "), "{log:?}");
    let of_it = log.iter().filter(|line| line.ends_with(" of a call that has much to say")).count();
    assert_eq!((of_it, log.len()), (300, 304));

    let many = ["invoke", "small", "--local", "{\"do\":\"wait\"}", "--repeat", "30", "--concurrency", "3"];
    let measured = machine.json(&many);
    assert_eq!(
        (&measured["requests"], &measured["errors"], &measured["concurrency"]),
        (&json!(30), &json!({}), &json!(3))
    );
    assert!(
        (1..=3).contains(&measured["cold_starts"].as_u64().unwrap()),
        "one was warm, two or three had to start: {measured}"
    );
    assert!(measured["latency_ms"]["p50"].as_f64().unwrap() >= 20.0, "{measured}");
    let table = machine.well(&many);
    for row in ["calls", "cold starts", "p50", "p99.9", "max"] {
        assert!(table.lines().any(|line| line.starts_with(row)), "{row} is not in\n{table}");
    }
    let failing =
        machine.run(&["invoke", "small", "--local", "{\"do\":\"error\"}", "--repeat", "4", "--output", "json"]);
    assert_eq!((failing.code, &failing.json()["errors"]), (Some(1), &json!({"Unruly.Refused": 4})));

    let many = ["invoke", "small", "--local", "{\"do\":\"wait\"}", "--repeat", "100000", "--output", "json"];
    let ended = machine.start(&many);
    until("the calls have begun", || ended.said().contains("100000 times"));
    ended.signal(Signal::INT);
    let (code, said) = ended.wait();
    assert!(code == Some(130) && said.contains("\"interrupted\": true") && said.contains("\"p99\""), "{said}");
    assert!(!said.contains("goes on from what is there"), "calls that were made are made: {said}");

    let taken = machine.run(&["invoke", "small", "--local", "--async", "{\"do\":\"wait\"}"]);
    assert_eq!((taken.code, taken.out.as_str()), (Some(0), ""));
    assert!(taken.err.starts_with("202 accepted, request "), "{taken:?}");
    let id = taken.err.trim().rsplit(' ').next().unwrap().to_owned();
    let pattern = format!("\"START RequestId: {id}\"");
    until("the event is in the log", || {
        machine.json(&["logs", "small", "--local", "--filter", &pattern])["events"].as_array().unwrap().len() == 1
    });
    machine.well(&["down", "small", "--local", "--yes"]);
}

#[test]
fn logs_of_all_functions_are_shown_by_time_filtered_cut_and_followed() {
    let machine = Machine::new();
    small::write(&machine);
    machine.well(&["up", "small", "--local", "--yes"]);
    let call = |function: &str| machine.well(&["invoke", "small", function, "--local", "{\"do\":\"wait\"}"]);
    for function in ["one", "two", "one"] {
        call(function);
    }
    let mut all = Value::Null;
    until("all three calls are in the log", || {
        all = machine.json(&["logs", "small", "--local", "--filter", "REPORT"]);
        messages(&all).len() == 3
    });
    let functions: Vec<&str> =
        all["events"].as_array().unwrap().iter().filter_map(|event| event["function"].as_str()).collect();
    assert_eq!(functions, ["one", "two", "one"]);
    let all = machine.json(&["logs", "small", "--local"]);
    let events = all["events"].as_array().unwrap();
    assert!(events.is_sorted_by_key(|event| event["time"].as_str().unwrap()));
    let last = machine.json(&["logs", "small", "two", "--local", "-n", "1"]);
    assert_eq!(messages(&last).len(), 1);
    assert!(messages(&last)[0].starts_with("REPORT ") && last["events"][0]["function"] == "two", "{last}");
    // What lies between two moments, both included.
    let moment = last["events"][0]["time"].as_str().unwrap();
    let there = machine.json(&["logs", "small", "two", "--local", "--since", moment, "--until", moment]);
    assert!(messages(&there).contains(&messages(&last)[0]), "{there}");
    let human = machine.well(&["logs", "small", "--local", "--filter", "\"told to\""]);
    let told: Vec<&str> = human.lines().filter_map(|line| line.split_once("Z  ")).map(|(_, rest)| rest).collect();
    assert_eq!(told, ["one  told to wait", "two  told to wait", "one  told to wait"]);
    let empty = machine.run(&["logs", "small", "--local", "--filter", "NobodySaidThis"]);
    assert!(empty.code == Some(0) && empty.out.is_empty() && empty.err.contains("no events since"), "{empty:?}");
    machine.run(&["logs", "small", "--local", "--since", "1m", "--until", "5m"]).ended(2);

    let follow = machine.start(&["logs", "small", "--local", "--follow", "--output", "json", "--filter", "REPORT"]);
    until("what is there is told", || lines(&follow.said()).len() == 3);
    for _ in 0..5 {
        call("two");
    }
    until("what comes is told", || lines(&follow.said()).len() == 8);
    follow.signal(Signal::INT);
    let (code, said) = follow.wait();
    assert_eq!((code, lines(&said).len()), (Some(130), 8), "{said}");
    assert!(!said.contains("error"), "to interrupt it is the way to end it: {said}");
    machine.well(&["down", "small", "--local", "--yes"]);
}
