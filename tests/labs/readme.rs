//! What the READMEs say to type, typed.

use std::path::Path;

use crate::support::Machine;
use crate::support::machine::Said;

/// Every lab, and what its page shows when its five commands are typed. Spaces do not count.
const LABS: &[(&str, &[&str])] = &[
    ("inventory", &["\"new_record\"", "\"record_found\":true", "\"package_version\":\"v2\"", "/ec2/"]),
    ("superheroes", &["\"writesuccess\"", "\"statusCode\":200", "\"name\":\"Plumbline\""]),
    ("telemetry", &["{\"success\":true,\"error\":null}", "abc4110.500.500.500.25", "1rowaffected"]),
    ("timeseries", &["{\"stored\":1}", "events-per-hour", "port3306isopento127.0.0.1/32"]),
];

/// The commands of a page's `console` blocks, in their order.
fn commands(page: &str) -> Vec<&str> {
    let blocks = page.split("```console\n").skip(1);
    blocks.flat_map(|rest| rest.split("```").next().unwrap_or_default().lines()).collect()
}

fn page(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Types the commands into one shell that stops at the first failure; gives what they said, without spaces.
fn typed(machine: &Machine, commands: &[String]) -> String {
    let bin = Path::new(env!("CARGO_BIN_EXE_labctl")).parent().unwrap();
    let clients = Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/labctl-venv-aws/bin");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{path}", bin.display(), clients.display());
    let mut shell = machine.command_of(Path::new("bash"), &["-euo", "pipefail", "-c", &commands.join("\n")]);
    let said = Said::of(shell.env("PATH", path).output().unwrap());
    assert_eq!(said.code, Some(0), "{commands:#?}\n{}{}", said.out, said.err);
    said.out.replace(' ', "")
}

fn shows(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

/// Takes a lab away, and looks that nothing is left.
fn leave(machine: &Machine, labs: &[&str]) {
    for lab in labs {
        machine.well(&["down", lab, "--local", "--yes"]);
    }
    machine.well(&["local", "stop"]);
    machine.is_quiet();
}

#[test]
fn every_command_of_the_readme_works_as_written() {
    let readme = page("README.md");
    let all = commands(&readme);
    assert_eq!(all[1], "tests/run", "the second of the two commands of the quick start");
    assert!(page(".ci/run").lines().any(|line| line == all[1]), "CI runs the command that the README names");
    // The program under test is what `cargo run` builds and runs.
    let script = all.iter().filter(|line| **line != all[1]).map(|line| line.replace("cargo run -- ", "labctl "));
    let script: Vec<String> = script.collect();
    assert_eq!(script.len(), 1 + 6 + 3, "{script:#?}");
    let machine = Machine::new();
    shows(&typed(&machine, &script), &["Skylark", "\"Stacks\":[]"]);
    leave(&machine, &[]);
}

#[test]
fn every_lab_has_a_page_with_five_commands() {
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    let mut labs: Vec<String> =
        folders.map(|folder| folder.unwrap().file_name().to_string_lossy().into_owned()).collect();
    labs.sort_unstable();
    assert_eq!(labs, LABS.iter().map(|(lab, _)| *lab).collect::<Vec<_>>());
    let readme = page("README.md");
    for lab in labs {
        assert_eq!(commands(&page(&format!("examples/{lab}/README.md"))).len(), 5, "{lab}");
        assert!(
            readme.contains(&format!("[{lab}](examples/{lab}/README.md)")),
            "the README's list of labs lacks {lab}"
        );
    }
}

#[test]
fn the_commands_of_every_lab_s_page_work_as_written() {
    let follow = |lab: &str, shown: &[&str]| {
        let machine = Machine::new();
        let page = page(&format!("examples/{lab}/README.md"));
        let script: Vec<String> = commands(&page).into_iter().map(str::to_owned).collect();
        shows(&typed(&machine, &script), shown);
        leave(&machine, &[lab]);
    };
    std::thread::scope(|scope| {
        for (lab, shown) in LABS {
            scope.spawn(move || follow(lab, shown));
        }
    });
}
