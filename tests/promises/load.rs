//! `labctl load`: bad options are refused by name, the document is the one that was promised, Ctrl-C ends a load and not its report.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Machine, until};

const PERCENTILES: [&str; 11] = ["p50", "p66", "p75", "p80", "p90", "p95", "p98", "p99", "p99_9", "p99_99", "max"];

#[test]
fn options_that_make_no_load_are_refused_by_name_and_nothing_is_touched() {
    let machine = Machine::new();
    let cases: &[(&[&str], &str)] = &[
        (&["--users", "0"], "--users"),
        (&["--users", "many"], "--users"),
        (&["--spawn-rate", "-5"], "-5"),
        (&["--spawn-rate", "0"], "--spawn-rate"),
        (&["--duration", "5"], "--duration"),
        (&["--duration", "213503982334601d"], "--duration"),
        (&["--spawn-rate", "1e-300"], "--spawn-rate"),
        (&["--rate", "fast"], "--rate"),
        (&["--rate", "1e-20"], "--rate"),
        (&["--rate", "5", "--spawn-rate", "5"], "--spawn-rate"),
        (&["--requests", "0"], "--requests"),
        (&["--spwan-rate", "5"], "'--spawn-rate'"),
        (&["--svg"], "--svg"),
    ];
    for (options, named) in cases {
        let said = machine.run(&[&["load", "superheroes", "--local"], *options].concat()).ended(2);
        assert!(said.contains(named), "{options:?}: {said}");
        machine.is_untouched();
    }
}

#[test]
fn a_load_section_is_refused_with_every_mistake_in_its_place() {
    let machine = Machine::new();
    let text = "lab: demo\ndescription: d\nstacks: [shop]\nload:\n  user: 5\n  variants:\n    - { name: a, http: { json: { id: { $zpif: [1, 2] } } }, expect: { status: 200 } }\n";
    machine.write("lab.yaml", text);
    machine.write("templates/shop.yaml", "Resources:\n  Shop: {Type: AWS::S3::Bucket}\n");
    let said = machine.run(&["load", ".", "--local"]).ended(2);
    for told in [
        "lab.yaml:5:3: load: unknown key of `load` `user` (did you mean `users`?)",
        "load.variants.0.http.json.id: unknown value `$zpif` (did you mean `$zipf`?)",
    ] {
        assert!(said.contains(told), "not told: {told}\n{said}");
    }
    machine.is_untouched();
}

/// The figures of some requests, as `design.md` has them.
#[track_caller]
fn has_figures(figures: &Value, requests: u64) {
    assert_eq!((&figures["requests"], &figures["errors"]), (&json!(requests), &json!({})), "{figures}");
    let latency = figures["latency_ms"].as_object().unwrap();
    assert_eq!(latency.keys().collect::<Vec<_>>(), PERCENTILES);
    let times: Vec<f64> = latency.values().map(|time| time.as_f64().unwrap()).collect();
    assert!(times.is_sorted() && times[0] > 0.0, "{latency:?}");
    assert!(figures["rps"].as_f64().unwrap() > 0.0 && figures["bytes"]["received"].as_u64().unwrap() > 0, "{figures}");
}

fn load<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["load", "superheroes", "--local"], more].concat()
}

#[test]
fn a_load_is_sent_at_the_pace_of_users_or_of_a_clock_and_reported() {
    let machine = Machine::new();
    // With the key of its closed API.
    machine.well(&["up", "superheroes", "--local"]);

    let answer = machine.json(&load(&["--users", "4", "--requests", "200", "--svg", "load.svg"]));
    assert_eq!(
        (&answer["lab"], &answer["users"], &answer["interrupted"]),
        (&json!("superheroes"), &json!(4), &json!(false))
    );
    has_figures(&answer, 400);
    let variants = answer["variants"].as_array().unwrap();
    assert_eq!(variants.iter().map(|variant| &variant["name"]).collect::<Vec<_>>(), ["cache on", "cache off"]);
    for variant in variants {
        has_figures(variant, 200);
        let moments = variant["over_time"].as_array().unwrap();
        assert_eq!(moments.iter().map(|moment| moment["requests"].as_u64().unwrap()).sum::<u64>(), 200);
    }
    // Both sent the same reads; only those without the cache all reached the database.
    let reads = |variant: &Value| variant["counter"][1].as_i64().unwrap();
    assert!(reads(&variants[0]) < 200 && reads(&variants[1]) >= 200, "{answer}");
    let drawing = std::fs::read_to_string(machine.work().join("load.svg")).unwrap();
    assert!(drawing.contains("<svg") && drawing.contains("cache off p99"), "{drawing}");

    let answer = machine.json(&load(&["--rate", "50", "--duration", "2s"]));
    assert_eq!((&answer["rate"], answer["users"].is_null()), (&json!(50.0), true));
    has_figures(&answer["variants"][0], 100);
    assert_eq!(answer["variants"][1]["late"]["unsent"], 0);
    // The clock was asked for 50, and no machine makes more of it.
    assert!(answer["variants"][0]["rps"].as_f64().unwrap() <= 50.0, "{answer}");

    let answer = machine.json(&load(&["--users", "5", "--spawn-rate", "4", "--duration", "2s"]));
    let ramp_up = &answer["variants"][0]["ramp_up"];
    assert!(ramp_up["seconds"] == 1.0 && ramp_up["requests"].as_u64().unwrap() > 0, "{answer}");

    let table = machine.well(&load(&["--requests", "20", "--chart"]));
    for shown in ["cache on", "cache off", "p99.99 ms", "database reads", "since the start (s)"] {
        assert!(table.contains(shown), "{shown}\n{table}");
    }

    for (options, told) in [
        (vec!["--users", "50", "--spawn-rate", "1", "--duration", "10s"], "the last user begins after 49 s"),
        (vec!["--svg", "nowhere/load.svg"], "cannot write `nowhere/load.svg`"),
    ] {
        let said = machine.run(&load(&options)).ended(2);
        assert!(said.contains(told), "{said}");
    }

    is_ended_by_ctrl_c(&machine);
    machine.well(&["down", "superheroes", "--local", "--yes"]);
}

fn is_ended_by_ctrl_c(machine: &Machine) {
    let drawing = machine.work().join("ended.svg");
    let run = machine.start(&["load", "superheroes", "--local", "--duration", "10m", "--svg", "ended.svg", "--quiet"]);
    // It is opened right before the load begins, with the signals already heard.
    until("the load begins", || drawing.exists());
    run.signal(Signal::INT);
    let (code, said) = run.wait();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("p99.99 ms") && said.contains("error: interrupted: the load was ended early"), "{said}");
    assert!(!said.contains("cache off"), "the second variant was not begun:\n{said}");
    assert!(std::fs::read_to_string(drawing).unwrap().contains("<svg"));
}

#[test]
fn answers_that_are_not_as_expected_are_counted_by_kind_and_fail_the_command() {
    let machine = Machine::new();
    machine.well(&["up", "superheroes", "--local", "--set", "ApiAccess=public"]);
    machine.well(&["init", "superheroes", "mine"]);
    let manifest = machine.work().join("mine/lab.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let (before, load) = text.split_once("\nload:").unwrap();
    let load = load.replacen("contains: { statusCode: 200 }", "contains: { statusCode: 201 }", 1);
    let load = load.replacen("status: 200, contains: { statusCode: 200 }", "status: 202", 1);
    std::fs::write(&manifest, format!("{before}\nload:{load}")).unwrap();
    let said = machine.run(&["load", "./mine", "--local", "--requests", "30", "--output", "json"]);
    let answer = said.json();
    assert_eq!(answer["variants"][0]["errors"], json!({"body.statusCode is 200, not 201": 30}));
    assert_eq!(answer["variants"][1]["errors"], json!({"200": 30}));
    assert!(said.ended(1).contains("60 requests were not answered as expected"));
    machine.well(&["down", "superheroes", "--local", "--yes"]);
}

#[test]
fn messages_of_the_telemetry_lab_are_signed_and_each_that_was_acknowledged_is_stored_once() {
    let machine = Machine::new();
    machine.well(&["up", "telemetry", "--local"]);
    let options = ["--users", "10", "--spawn-rate", "10", "--duration", "4s"];
    let answer = machine.json(&[&["load", "telemetry", "--local"], &options[..]].concat());
    let variant = &answer["variants"][0];
    has_figures(&answer, variant["requests"].as_u64().unwrap());
    assert_eq!(variant["ramp_up"]["errors"], json!({}), "{variant}");
    let sent = variant["requests"].as_u64().unwrap() + variant["ramp_up"]["requests"].as_u64().unwrap();
    let count = "SELECT COUNT(*) AS messages, COUNT(DISTINCT device_id) AS devices FROM telemetry";
    let rows = machine.json(&["sql", "telemetry", "--local", "-e", count])["rows"].clone();
    assert_eq!(rows[0]["messages"], sent, "{variant}");
    // Few devices send most, and still there are many.
    assert!((5..sent).contains(&rows[0]["devices"].as_u64().unwrap()), "{rows}");
    machine.well(&["down", "telemetry", "--local", "--yes"]);
}
