//! No secret is ever shown: not in output, logs, events, command lines, or files that others could read.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::Machine;
use crate::support::clients::{Clients, Key};

/// Everything that could tell a secret, by where it was found.
type Told = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        match () {
            () if kind.is_dir() => files(&entry.path(), found),
            () if kind.is_file() => found.push(entry.path()),
            () => {}
        }
    }
}

async fn text(clients: &Clients, args: &[&str]) -> String {
    let (good, out, err) = clients.run("aws", args, &Key::root()).await;
    assert!(good, "{args:?}: {err}");
    out
}

/// The secrets of the lab, by what they are.
async fn secrets(machine: &Machine, clients: &Clients) -> BTreeMap<&'static str, String> {
    let arn =
        machine.json(&["outputs", "superheroes", "--local"])["outputs"]["MasterSecretArn"].as_str().unwrap().to_owned();
    let master = clients.aws(&["secretsmanager", "get-secret-value", "--secret-id", &arn]).await;
    let master: serde_json::Value = serde_json::from_str(master["SecretString"].as_str().unwrap()).unwrap();
    let keys = clients.aws(&["apigateway", "get-api-keys", "--include-values"]).await;
    let own = |name: &str| {
        let line = format!("{name}=");
        let environments =
            machine.processes().into_iter().filter_map(|(pid, _)| std::fs::read(format!("/proc/{pid}/environ")).ok());
        let mut values = environments.filter_map(|all| {
            let all = String::from_utf8_lossy(&all).into_owned();
            all.contains("AWS_LAMBDA_RUNTIME_API=")
                .then(|| all.split('\0').find_map(|pair| pair.strip_prefix(&line).map(str::to_owned)))?
        });
        values.next_back().unwrap_or_else(|| panic!("no function process has {name}"))
    };
    BTreeMap::from([
        ("the master password", master["password"].as_str().unwrap().to_owned()),
        ("the API key", keys["items"][0]["value"].as_str().unwrap().to_owned()),
        ("the function's secret key", own("AWS_SECRET_ACCESS_KEY")),
        ("the function's session token", own("AWS_SESSION_TOKEN")),
        ("an IAM token", "X-Amz-Credential=".to_owned()),
        ("a private key", "PRIVATE KEY-----".to_owned()),
    ])
}

/// What the AWS API tells without being asked for a secret.
async fn api(clients: &Clients, told: &mut Told) {
    let stacks = clients.aws(&["cloudformation", "describe-stacks"]).await;
    told.insert("describe-stacks".to_owned(), stacks.to_string().into_bytes());
    for stack in stacks["Stacks"].as_array().unwrap() {
        let name = stack["StackName"].as_str().unwrap();
        for what in ["describe-stack-events", "describe-stack-resources"] {
            let answer = text(clients, &["cloudformation", what, "--stack-name", name]).await;
            told.insert(format!("{what} of {name}"), answer.into_bytes());
        }
    }
    let groups = clients.aws(&["logs", "describe-log-groups"]).await;
    for group in groups["logGroups"].as_array().unwrap() {
        let name = group["logGroupName"].as_str().unwrap();
        let events = text(clients, &["logs", "filter-log-events", "--log-group-name", name]).await;
        told.insert(format!("log events of {name}"), events.into_bytes());
    }
    let databases = "print(json.dumps(boto3.client('rds').describe_db_clusters(), default=str))";
    told.insert("rds describe-db-clusters".to_owned(), clients.boto3(databases).await.to_string().into_bytes());
    for (service, what) in [
        ("lambda", "list-functions"),
        ("elasticache", "describe-replication-groups"),
        ("secretsmanager", "list-secrets"),
        ("apigateway", "get-api-keys"),
        ("iam", "list-roles"),
    ] {
        told.insert(format!("{service} {what}"), text(clients, &[service, what]).await.into_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_output_log_event_command_line_or_open_file() {
    let machine = Machine::new();
    let mut told = Told::new();
    let mut run = |args: &[&str]| {
        let said = machine.run(args);
        assert_eq!(said.code, Some(0), "{args:?}\n{}{}", said.out, said.err);
        told.insert(format!("stdout and stderr of {args:?}"), (said.out + &said.err).into_bytes());
    };
    let lab = |command: &'static str| [command, "superheroes", "--local"];
    run(&lab("plan"));
    run(&lab("up"));
    for command in ["validate", "outputs", "status", "plan", "up"] {
        run(&lab(command));
        run(&[&lab(command)[..], &["--output", "json"]].concat());
    }
    run(&["sql", "superheroes", "--local", "-e", "SELECT * FROM heroes LIMIT 1"]);
    run(&["sql", "superheroes", "--local", "-e", "SELECT user, host FROM mysql.user"]);
    run(&["doctor", "--local"]);
    run(&["local", "status", "--output", "json"]);
    run(&["local", "env"]);
    run(&["ls", "--local"]);
    let failed = machine.run(&["sql", "superheroes", "--local", "-e", "SELEC 1"]);
    told.insert("a failed statement".to_owned(), (failed.out + &failed.err).into_bytes());

    let clients = machine.clients().unwrap();
    api(&clients, &mut told).await;
    let secrets = secrets(&machine, &clients).await;
    for (pid, line) in machine.processes() {
        told.insert(format!("command line of {pid}"), line.into_bytes());
    }
    let mut paths = Vec::new();
    files(&machine.home(), &mut paths);
    let mut open = Vec::new();
    for path in &paths {
        let (Ok(bytes), Ok(about)) = (std::fs::read(path), path.metadata()) else { continue };
        let name = path.strip_prefix(machine.home()).unwrap().display().to_string();
        if about.permissions().mode() & 0o077 != 0 {
            open.push(name.clone());
        }
        if name.starts_with("logs/") || about.permissions().mode() & 0o077 != 0 {
            told.insert(format!("file {name}"), bytes);
        }
    }
    let mut shown = Vec::new();
    for (what, secret) in &secrets {
        assert!(secret.len() >= 12, "{what} is no secret: {secret}");
        for (place, text) in &told {
            if text.windows(secret.len()).any(|part| part == secret.as_bytes()) {
                shown.push(format!("{what} in {place}"));
            }
        }
    }
    assert_eq!(shown, Vec::<String>::new());
    assert_eq!(machine.home().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    // A database's files and a function's program have their own modes, below a home that only its owner can enter.
    let own = |name: &&String| name.starts_with("state/rds/") || name.starts_with("state/lambda/code/");
    let strangers: Vec<&String> = open.iter().filter(|name| !own(name)).collect();
    assert_eq!(strangers, Vec::<&String>::new(), "files that are not their owner's alone");

    machine.well(&["down", "superheroes", "--local", "--yes"]);
    machine.well(&["local", "stop"]);
    machine.is_quiet();
}
