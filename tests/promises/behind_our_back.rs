//! What happens to a lab behind labctl's back: another run at the same time, resources that somebody deletes, code that somebody
//! changes, files that have mistakes.

use aws_sdk_lambda::primitives::Blob;

use crate::support::functions::{UNRULY, zip_of};
use crate::support::{Machine, small};

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_runs_other_code_gets_its_own_back_and_one_that_is_gone_is_told() {
    let machine = Machine::new();
    small::write(&machine);
    machine.well(&["up", "small", "--local", "--yes"]);
    let lambda = aws_sdk_lambda::Client::new(&machine.clients().unwrap().sdk());
    // As an interrupted watch leaves it, or somebody by hand: CloudFormation knows nothing of it.
    for command in ["deploy-lambda", "up"] {
        let other = lambda.update_function_code().function_name("small-dev-one");
        other.zip_file(Blob::new(zip_of("bootstrap", &UNRULY, 0o755))).send().await.unwrap();
        assert_eq!(machine.json(&[command, "small", "--local"])["changed"], true, "{command}");
        let called = machine.well(&["invoke", "small", "--local", "one", "{\"do\":\"answer\"}"]);
        assert!(called.contains("generation 1"), "{command}: {called}");
        assert_eq!(machine.json(&[command, "small", "--local"])["changed"], false, "{command}");
    }
    lambda.delete_function().function_name("small-dev-two").send().await.unwrap();
    let told = "Two (AWS::Lambda::Function): it is gone";
    let planned = machine.run(&["plan", "small", "--local"]).ended(0);
    assert!(planned.contains(told), "{planned}");
    assert_eq!(machine.json(&["status", "small", "--local"])["state"], "broken");
    for command in ["up", "deploy-lambda"] {
        let said = machine.run(&[command, "small", "--local"]).ended(1);
        assert!(said.contains(told) && said.contains("labctl down small --local && labctl up small --local"), "{said}");
    }
    machine.well(&["down", "small", "--local", "--yes"]);
}

#[test]
fn two_runs_at_once_end_well_and_a_lab_with_mistakes_goes_by_its_name() {
    let machine = Machine::new();
    machine.well(&["init", "superheroes", "mine"]);
    machine.write("mine/lab.yaml", "lab: mine\ndescription: d\nstacks: [network, storage]\n");
    let runs = [(); 3].map(|()| machine.start(&["up", "mine", "--local", "--yes"]));
    for run in runs {
        let (code, said) = run.wait();
        assert_eq!(code, Some(0), "{said}");
    }
    assert_eq!(machine.json(&["up", "mine", "--local"])["changed"], false);
    machine.write("mine/lab.yaml", "lab: mine # with a mistake\ndescription: [\nstacks: [network, storage]\n");
    machine.run(&["up", "mine", "--local"]).ended(2);
    assert!(machine.well(&["status", "mine", "--local"]).contains("mine (dev) on local is up"));
    let absent = machine.run(&["status", "mine", "--local", "--env", "ci"]).ended(2);
    assert!(
        absent.contains("labctl up mine --env ci --local") || absent.contains("it is there as --env dev"),
        "{absent}"
    );
    machine.well(&["down", "mine", "--local", "--yes"]);
    let absent = machine.run(&["status", "./mine", "--local", "--env", "ci"]).ended(2);
    assert!(absent.contains("labctl up ./mine --env ci --local"), "{absent}");
}
