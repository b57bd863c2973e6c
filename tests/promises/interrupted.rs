//! `up` and `down` interrupted at many moments, in every way: run again they converge, and nothing is left.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use rustix::process::Signal;
use sha2::{Digest, Sha256};

use crate::support::machine::{Started, send};
use crate::support::{Machine, until};

/// What happens to a command in the middle of its work.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Blow {
    /// Ctrl-C.
    Interrupt,
    /// A shutdown, a container's stop.
    Terminate,
    /// `kill -9` of labctl.
    Kill,
    /// `kill -9` of the local cloud, under labctl's feet.
    KillCloud,
}

impl Blow {
    /// Strikes, and holds the command to what it says then.
    fn strike(self, machine: &Machine, command: Started) {
        match self {
            Blow::Interrupt => command.signal(Signal::INT),
            Blow::Terminate => command.signal(Signal::TERM),
            Blow::Kill => command.signal(Signal::KILL),
            Blow::KillCloud => {
                let cloud = machine.cloud().expect("the local cloud runs");
                send(cloud.pid.try_into().unwrap(), Signal::KILL);
            }
        }
        let (code, said) = command.wait();
        match (self, code) {
            // It may have been done just before.
            (_, Some(0)) => {}
            // It had not begun: even a signal's handler has to be installed first.
            (Blow::Interrupt | Blow::Terminate, None) => assert_eq!(said, ""),
            (Blow::Interrupt | Blow::Terminate, code) => {
                assert_eq!(code, Some(130), "{said}");
                assert!(
                    said.contains("error: interrupted") && said.contains("hint: run the same command again"),
                    "{said}"
                );
            }
            (Blow::Kill, code) => assert_eq!(code, None, "{said}"),
            (Blow::KillCloud, code) => {
                assert_eq!(code, Some(1), "{said}");
                assert!(said.contains("error: ") && said.contains("hint: "), "{said}");
                assert!(!said.contains("panicked"), "{said}");
            }
        }
    }
}

/// The local cloud's account, read from outside.
struct Sight {
    runtime: tokio::runtime::Runtime,
}

impl Sight {
    fn new() -> Self {
        Sight { runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap() }
    }

    /// Events of the stacks that are there. Each is a change of state of a stack or a resource, so their number tells how
    /// far a run has come.
    fn events(&self, machine: &Machine) -> usize {
        let Some(clients) = machine.clients() else { return 0 };
        self.runtime.block_on(async {
            let client = aws_sdk_cloudformation::Client::new(&clients.sdk());
            let Ok(stacks) = client.describe_stacks().send().await else { return 0 };
            let mut events = 0;
            for stack in stacks.stacks() {
                let pages = client.describe_stack_events().stack_name(stack.stack_id().unwrap()).send().await;
                events += pages.map_or(0, |page| page.stack_events().len());
            }
            events
        })
    }

    /// The stacks that are there.
    fn stacks(&self, machine: &Machine) -> Option<usize> {
        let clients = machine.clients()?;
        self.runtime.block_on(async {
            let client = aws_sdk_cloudformation::Client::new(&clients.sdk());
            Some(client.describe_stacks().send().await.ok()?.stacks().len())
        })
    }

    /// Everything that a lab makes and that is still there.
    fn left(&self, machine: &Machine) -> Vec<String> {
        let clients = machine.clients().expect("the local cloud runs");
        self.runtime.block_on(async {
            let mut left = Vec::new();
            let mut note = |kind: &str, ids: Vec<String>| left.extend(ids.into_iter().map(|id| format!("{kind} {id}")));
            let config = clients.sdk();
            let own = |id: Option<&str>| id.unwrap_or_default().to_owned();
            let stacks = aws_sdk_cloudformation::Client::new(&config).describe_stacks().send().await.unwrap();
            note("stack", stacks.stacks().iter().map(|stack| own(stack.stack_name())).collect());
            let buckets = aws_sdk_s3::Client::new(&config).list_buckets().send().await.unwrap();
            note("bucket", buckets.buckets().iter().map(|bucket| own(bucket.name())).collect());
            let roles = aws_sdk_iam::Client::new(&config).list_roles().send().await.unwrap();
            note("role", roles.roles().iter().map(|role| role.role_name().to_owned()).collect());
            let functions = aws_sdk_lambda::Client::new(&config).list_functions().send().await.unwrap();
            note("function", functions.functions().iter().map(|function| own(function.function_name())).collect());
            let clusters = aws_sdk_rds::Client::new(&config).describe_db_clusters().send().await.unwrap();
            note("cluster", clusters.db_clusters().iter().map(|one| own(one.db_cluster_identifier())).collect());
            let caches = aws_sdk_elasticache::Client::new(&config).describe_replication_groups().send().await.unwrap();
            note("cache", caches.replication_groups().iter().map(|one| own(one.replication_group_id())).collect());
            let groups = aws_sdk_cloudwatchlogs::Client::new(&config).describe_log_groups().send().await.unwrap();
            note("log group", groups.log_groups().iter().map(|group| own(group.log_group_name())).collect());
            let apis = aws_sdk_apigateway::Client::new(&config).get_rest_apis().send().await.unwrap();
            note("API", apis.items().iter().map(|api| own(api.name())).collect());
            let secrets = aws_sdk_secretsmanager::Client::new(&config).list_secrets().send().await.unwrap();
            note("secret", secrets.secret_list().iter().map(|secret| own(secret.name())).collect());
            let networks = aws_sdk_ec2::Client::new(&config).describe_vpcs().send().await.unwrap();
            let made = networks.vpcs().iter().filter(|network| network.is_default() != Some(true));
            note("VPC", made.map(|network| own(network.vpc_id())).collect());
            left
        })
    }
}

/// Processes that serve a lab: engines and functions. The local cloud itself is none.
fn children(machine: &Machine) -> Vec<String> {
    let all = machine.processes().into_iter().map(|(_, line)| line);
    all.filter(|line| !line.contains("local serve")).collect()
}

/// Files of clusters, caches, functions and objects.
fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => files(&entry.path(), found),
            false => found.push(entry.path().display().to_string()),
        }
    }
}

/// Where the engines' sockets are, as the program without `XDG_RUNTIME_DIR` chooses it.
fn sockets(machine: &Machine) -> String {
    let root = machine.home().canonicalize().unwrap();
    let digest = hex::encode(&Sha256::digest(root.to_str().unwrap())[..6]);
    format!("/tmp/labctl-{}-{digest}", rustix::process::geteuid().as_raw())
}

/// Brings `lab` up and down again under `blow`, struck at each number of events and then at each number of stacks left.
fn survives(blow: Blow, events: &[usize], stacks: &[usize]) {
    let (machine, sight) = (Machine::new(), Sight::new());
    let up = ["up", "superheroes", "--local", "--set", "ApiAccess=public"];
    for moment in events {
        let mut run = machine.start(&up);
        until("the run comes that far", || sight.events(&machine) >= *moment || run.has_ended());
        blow.strike(&machine, run);
    }
    machine.well(&up);
    assert!(machine.well(&up).contains("nothing to do"));
    machine.well(&["validate", "superheroes", "--local"]);
    let outputs = machine.json(&["outputs", "superheroes", "--local"])["outputs"].clone();
    let port = |name: &str| outputs[name].as_str().unwrap().parse::<u16>().unwrap();
    let ports = [port("ClusterPort"), port("CachePort")];

    let down = ["down", "superheroes", "--local", "--yes"];
    for moment in stacks {
        let mut run = machine.start(&down);
        until("so many stacks are left", || {
            sight.stacks(&machine).is_some_and(|there| there <= *moment) || run.has_ended()
        });
        blow.strike(&machine, run);
    }
    machine.well(&down);
    assert_eq!(sight.left(&machine), Vec::<String>::new());
    assert_eq!(children(&machine), Vec::<String>::new());
    for port in ports {
        assert!(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_err(), "port {port} is still served");
    }
    let mut left = Vec::new();
    for folder in ["rds/clusters", "elasticache/nodes", "lambda/code", "s3/objects", "s3/buckets"] {
        files(&machine.home().join("state").join(folder), &mut left);
    }
    assert_eq!(left, Vec::<String>::new());
    let (cloud, sockets) = (machine.cloud().unwrap(), sockets(&machine));
    machine.well(&["local", "stop"]);
    machine.is_quiet();
    assert!(TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], cloud.port))).is_err());
    assert!(!Path::new(&sockets).exists(), "{sockets}");
}

#[test]
fn interrupted_by_ctrl_c_at_any_moment_it_converges_and_leaves_nothing() {
    survives(Blow::Interrupt, &[1, 30, 60, 90, 120], &[6, 4, 2]);
}

#[test]
fn interrupted_by_a_shutdown_at_any_moment_it_converges_and_leaves_nothing() {
    survives(Blow::Terminate, &[10, 50, 100], &[5, 3, 1]);
}

#[test]
fn killed_at_any_moment_it_converges_and_leaves_nothing() {
    survives(Blow::Kill, &[0, 1, 20, 40, 70, 110], &[6, 5, 3, 1]);
}

#[test]
fn with_the_local_cloud_killed_at_any_moment_it_converges_and_leaves_nothing() {
    survives(Blow::KillCloud, &[1, 15, 35, 55, 80, 110], &[5, 3, 1]);
}

#[test]
fn a_build_that_is_interrupted_leaves_no_compiler_and_goes_on() {
    let machine = Machine::new();
    machine.write("lab.yaml", "lab: tiny\ndescription: d\nstacks: [tiny]\nfunctions: {tiny: {}}\n");
    machine.write("templates/tiny.yaml", "Resources:\n  Topic: {Type: AWS::Logs::LogGroup}\n");
    machine.write(
        "lambdas/tiny/Cargo.toml",
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
    );
    machine.write("lambdas/tiny/src/main.rs", "fn main() {}\n");
    // A build that is at work for as long as we look at it.
    let hold = machine.root().join("hold");
    let wait = format!(
        "while std::path::Path::new({hold:?}).exists() {{ std::thread::sleep(std::time::Duration::from_millis(5)); }}"
    );
    machine.write(
        "lambdas/tiny/build.rs",
        format!("fn main() {{ std::fs::write({:?}, \"\").unwrap(); {wait} }}\n", machine.root().join("begun")),
    );
    let cache = machine.root().join("cache");
    let compilers = || -> Vec<String> {
        let all = machine.processes().into_iter().map(|(_, line)| line);
        all.filter(|line| !line.contains("local serve")).collect()
    };
    for blow in [Blow::Interrupt, Blow::Terminate, Blow::Kill] {
        std::fs::write(&hold, "").unwrap();
        let _ = std::fs::remove_file(machine.root().join("begun"));
        let run = machine.start_with(&["up", ".", "--local"], &[("LABCTL_CACHE", &cache)]);
        until("the build is at work", || machine.root().join("begun").exists());
        blow.strike(&machine, run);
        until(&format!("no compiler is left after {blow:?}"), || compilers().is_empty());
    }
    std::fs::remove_file(&hold).unwrap();
    let run = machine.start_with(&["up", ".", "--local"], &[("LABCTL_CACHE", &cache)]);
    let (code, said) = run.wait();
    assert_eq!(code, Some(0), "{said}");
    machine.well(&["down", ".", "--local", "--yes"]);
    machine.well(&["local", "stop"]);
    machine.is_quiet();
}
