//! The superheroes lab, whole: up, used, up again, down, nothing left.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::labctl::Labctl;

fn post(url: &str, body: &Value) -> (u16, Value) {
    let output = Command::new("curl")
        .args(["-s", "-w", "\n%{http_code}", "-d", &body.to_string(), &format!("{url}/")])
        .output()
        .expect("curl: run tests/install");
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap())
}

fn read(url: &str, cache: &str, ids: &[i64]) -> Value {
    let (status, answer) = post(url, &json!({"USE_CACHE": cache, "REQUEST": "read", "SQLS": ids}));
    assert_eq!((status, &answer["statusCode"]), (200, &json!(200)), "{answer}");
    answer["body"].clone()
}

/// Pids of running programs whose command line names `home`.
fn processes_of(home: &Path) -> Vec<String> {
    let home = home.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let named = entries.filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(home)
    });
    named.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn superheroes_comes_up_answers_as_the_guide_says_and_goes_without_a_trace() {
    let labctl = Labctl::new();
    let up = ["up", "superheroes", "--local", "--set", "ApiAccess=public"];
    labctl.run(&up);
    let outputs = labctl.json(&["outputs", "superheroes", "--local"]);
    let url = outputs["outputs"]["ApiUrl"].as_str().unwrap();

    for cache in ["True", "False", "True"] {
        let names: Vec<Value> = read(url, cache, &[3, 1, 2, 4_000_000, 3])
            .as_array()
            .unwrap()
            .iter()
            .map(|hero| hero["id"].clone())
            .collect();
        assert_eq!(names, [3, 1, 2, 3], "cache {cache}");
    }
    let hero = json!({"hero": "yes", "name": "fireman", "power": "fire", "color": "red", "xp": "10"});
    let write = json!({"USE_CACHE": "True", "REQUEST": "write", "SQLS": [hero, hero]});
    assert_eq!(post(url, &write), (200, json!({"statusCode": 200, "body": "write success"})));
    for cache in ["True", "False"] {
        let rows = read(url, cache, &[29, 30]);
        assert_eq!((rows[0]["name"].as_str(), rows[1]["xp"].as_i64()), (Some("fireman"), Some(10)), "cache {cache}");
    }

    let long = json!({"hero": "yes", "name": "x".repeat(21), "power": "fire", "color": "red", "xp": 1});
    let (_, refused) = post(url, &json!({"USE_CACHE": "True", "REQUEST": "write", "SQLS": [hero, long]}));
    assert_eq!(refused["statusCode"], 400);
    assert!(refused["body"].as_str().unwrap().contains("SQLS[1].name"), "{refused}");
    let count = labctl.json(&["sql", "superheroes", "--local", "-e", "SELECT COUNT(*) AS n FROM heroes"]);
    assert_eq!(count["rows"][0]["n"], 30, "nothing of a refused request is written");

    let said = labctl.run(&up);
    assert!(said.contains("nothing to do"), "{said}");
    labctl.run(&["validate", "superheroes", "--local"]);

    labctl.run(&["down", "superheroes", "--local", "--yes"]);
    labctl.run(&["down", "superheroes", "--local", "--yes"]);
    let left = labctl.json(&["ls", "--local"]);
    assert!(left["instances"].as_array().is_some_and(Vec::is_empty), "{left}");
    labctl.run(&["local", "stop"]);
    assert_eq!(processes_of(labctl.home()), Vec::<String>::new());
}
