//! What the READMEs say to type, typed.

use std::path::Path;

use crate::support::Machine;
use crate::support::machine::Said;

/// The commands of a page's `console` blocks, in their order.
fn commands(page: &str) -> Vec<&str> {
    let blocks = page.split("```console\n").skip(1);
    blocks.flat_map(|rest| rest.split("```").next().unwrap_or_default().lines()).collect()
}

#[test]
fn every_command_of_the_readmes_works_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (readme, example) = (page("README.md"), page("examples/superheroes/README.md"));
    let all = commands(&readme);
    assert_eq!(all[1], "tests/run", "the second of the two commands of the quick start");
    assert!(page(".ci/run").lines().any(|line| line == all[1]), "CI runs the command that the README names");
    // The program under test is what `cargo run` builds and runs.
    let of_example = commands(&example);
    let typed = all.iter().chain(&of_example).filter(|line| **line != all[1]);
    let script: Vec<String> = typed.map(|line| line.replace("cargo run -- ", "labctl ")).collect();
    assert_eq!(script.len(), 1 + 6 + 3 + 5, "{script:#?}");

    let machine = Machine::new();
    let bin = Path::new(env!("CARGO_BIN_EXE_labctl")).parent().unwrap();
    let clients = Path::new(&std::env::var_os("HOME").unwrap()).join(".cache/labctl-venv-aws/bin");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{}:{path}", bin.display(), clients.display());
    let mut shell = machine.command_of(Path::new("bash"), &["-euo", "pipefail", "-c", &script.join("\n")]);
    let said = Said::of(shell.env("PATH", path).output().unwrap());
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    for shown in ["\"write success\"", "\"statusCode\":200", "Skylark", "\"Stacks\": []"] {
        assert!(said.out.replace(": 200", ":200").contains(shown), "{shown}\n{}{}", said.out, said.err);
    }
    machine.well(&["down", "superheroes", "--local", "--yes"]);
    machine.well(&["local", "stop"]);
    machine.is_quiet();
}
