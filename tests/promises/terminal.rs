//! What a terminal is sent: colours and progress where it has some, and lines alone where it says that it has none.

use crate::support::{Machine, Said};

/// A command in a terminal (script(1)) of a kind, with everything that the terminal was sent.
fn on_terminal(machine: &Machine, term: &str, command: &str) -> String {
    let whole = format!("'{}' {command}", env!("CARGO_BIN_EXE_labctl"));
    let mut script = machine.command_of("script".as_ref(), &["-qec", &whole, "/dev/null"]);
    let said = Said::of(script.env("TERM", term).output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    said.out
}

#[test]
fn a_dumb_terminal_is_sent_lines_alone() {
    let machine = Machine::new();
    machine.well(&["init", "superheroes", "small"]);
    machine.write("small/lab.yaml", "lab: small\ndescription: d\nstacks: [network]\n");
    let steers = |text: &str| text.replace("\r\n", "\n").contains(|sign: char| sign.is_control() && sign != '\n');
    for command in ["up ./small --local --yes", "status ./small --local", "down ./small --local --yes"] {
        let said = on_terminal(&machine, "dumb", command);
        assert!(!said.is_empty() && !steers(&said), "{command}: {said:?}");
    }
    for command in ["up ./small --local --yes", "status ./small --local"] {
        let said = on_terminal(&machine, "xterm", command);
        assert!(said.contains("\u{1b}["), "{command}: {said:?}");
        let piped = machine.run(&command.split(' ').collect::<Vec<_>>());
        assert!(piped.code == Some(0) && !steers(&piped.out) && !steers(&piped.err), "{command}: {piped:?}");
    }
    machine.well(&["down", "./small", "--local", "--yes"]);
}
