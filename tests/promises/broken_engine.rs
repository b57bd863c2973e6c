//! An engine that says its version and then does not run: the lab's resource fails, and is never taken for made.

use std::os::unix::fs::PermissionsExt;

use crate::support::Machine;
use crate::support::machine::Said;

/// A lab that is two stacks and nothing to check.
fn lab(machine: &Machine) {
    machine.well(&["init", "superheroes", "broken"]);
    machine.write("broken/lab.yaml", "lab: broken\ndescription: d\nstacks: [network, cache]\n");
}

#[test]
fn a_cache_that_cannot_start_is_named_by_every_up_until_it_is_taken_away() {
    let machine = Machine::new();
    lab(&machine);
    let wrapper = machine.root().join("redis-server");
    std::fs::write(
        &wrapper,
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'Redis server v=7.0.15 sha=0 malloc=libc bits=64 build=0'; else exit 7; fi\n",
    )
    .unwrap();
    std::fs::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).unwrap();
    let up = ["up", "./broken", "--local"];
    for again in [false, true] {
        let said = Said::of(machine.command(&up).env("LABCTL_REDIS", &wrapper).output().unwrap()).ended(1);
        for word in
            ["(AWS::ElastiCache::ReplicationGroup): it is create-failed: ", "exit status: 7", "labctl down broken"]
        {
            assert!(said.contains(word), "again: {again}, {word}\n{said}");
        }
    }
    let refused = machine.run(&["down", "./broken", "--local"]).ended(2);
    assert!(refused.contains("hint: labctl down ./broken --local --yes"), "{refused}");
    machine.well(&["down", "./broken", "--local", "--yes"]);
    machine.well(&["local", "stop"]);
    machine.well(&up);
    let again = machine.run(&up);
    assert!(format!("{}{}", again.out, again.err).contains("nothing to do"), "{again:?}");
    machine.well(&["down", "./broken", "--local", "--yes"]);
    machine.well(&["local", "stop"]);
    machine.is_quiet();
}
