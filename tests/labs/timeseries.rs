//! The timeseries lab, whole: up, used as the device platform uses it, opened and closed, down, nothing left.

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::support::{Machine, until};

const LAB: [&str; 2] = ["timeseries", "--local"];
/// A value as the platform sends it.
const ONE: &str = "MQ==";

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

/// The lab, up, and its address.
struct Webhook {
    machine: Machine,
    url: String,
    key: Option<String>,
}

impl Webhook {
    fn up(settings: &[&str]) -> Self {
        let machine = Machine::new();
        let set: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        machine.well(&[&["up"], &LAB[..], &set].concat());
        let webhook = Webhook { machine, url: String::new(), key: None };
        let key = (!settings.contains(&"ApiAccess=public")).then(|| webhook.output("ApiKey"));
        Webhook { url: webhook.output("ApiUrl"), key, ..webhook }
    }

    fn labctl(&self, words: &[&str]) -> Value {
        self.machine.json(&[&words[..words.len().min(2)], &LAB[..], &words[words.len().min(2)..]].concat())
    }

    fn output(&self, name: &str) -> String {
        self.machine.well(&[&["outputs"], &LAB[..], &[name]].concat()).trim().to_owned()
    }

    fn sql(&self, statement: &str) -> Vec<Value> {
        let answer = self.machine.json(&[&["sql"], &LAB[..], &["-e", statement]].concat());
        answer["rows"].as_array().cloned().unwrap_or_default()
    }

    fn stored(&self) -> i64 {
        self.sql("SELECT COUNT(*) AS n FROM events")[0]["n"].as_i64().unwrap()
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-i", "-X", method, "-H", "Content-Type: application/json", "-H", "Expect:"]);
        if let Some(key) = &self.key {
            curl.args(["-H", &format!("x-api-key: {key}")]);
        }
        curl.args(["--data-binary", "@-", &format!("{}{path}", self.url)]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut sending = curl.spawn().expect("curl: run tests/install");
        sending.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
        let text = String::from_utf8(sending.wait_with_output().unwrap().stdout).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        }
    }

    fn put(&self, body: &Value) -> Answer {
        self.send("PUT", "/webhook", &body.to_string())
    }

    fn refused(&self, body: &str, named: &str) {
        let answer = self.send("PUT", "/webhook", body);
        let message = answer.body["message"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == 400 && message.contains(named), "{named}: {} {message}", answer.status);
    }

    fn gone(self) {
        self.machine.well(&[&["down"], &LAB[..], &["--yes"]].concat());
        let left = self.machine.json(&["ls", "--local"]);
        assert!(left["instances"].as_array().is_some_and(Vec::is_empty), "{left}");
        self.machine.well(&["local", "stop"]);
        self.machine.is_quiet();
    }
}

fn notification(board: &str, payload: &str) -> Value {
    json!({"ep": board, "path": "/3200/0/5501", "ct": "text/plain", "payload": payload, "max-age": "0"})
}

#[test]
fn the_webhook_stores_a_whole_message_or_nothing() {
    let webhook = Webhook::up(&["ApiAccess=public"]);
    assert_eq!(webhook.stored(), 0, "checks leave nothing");
    assert_eq!(webhook.send("GET", "/webhook", "").status, 200);
    for probe in ["", "{}"] {
        let answer = webhook.send("PUT", "/webhook", probe);
        assert_eq!((answer.status, answer.body), (200, json!({"stored": 0})), "{probe:?}");
    }

    // The guide's own message, and one of the whole channel.
    let guide = r#"{"notifications":[{"ep":"board-1","path":"/3200/0/5501","ct":"text/plain","payload":"MjUuMw==","max-age":"0"}]}"#;
    let before = webhook.sql("SELECT UTC_TIMESTAMP() AS now")[0]["now"].as_str().unwrap().to_owned();
    let answer = webhook.send("PUT", "/webhook", guide);
    assert_eq!((answer.status, answer.body), (200, json!({"stored": 1})));
    let rows = webhook.sql("SELECT ts, value, board, sensor FROM events");
    assert_eq!(
        (&rows[0]["value"], &rows[0]["board"], &rows[0]["sensor"]),
        (&json!(25.3), &json!("board-1"), &json!("/3200/0/5501"))
    );
    assert!(rows[0]["ts"].as_str().unwrap() >= before.as_str(), "{rows:?} before {before}");
    let whole = include_str!("../../lambdas/timeseries/events/channel.json");
    assert_eq!(webhook.send("PUT", "/webhook", whole).body, json!({"stored": 2}));

    let sql = "'); DROP TABLE events; --";
    assert_eq!(webhook.put(&json!({"notifications": [notification(sql, ONE)]})).status, 200);
    assert_eq!(webhook.sql("SELECT board FROM events ORDER BY id DESC LIMIT 1")[0]["board"], sql);

    // One bad field, and nothing of the message is stored, however much of it was good.
    let stored = webhook.stored();
    let mut batch = vec![notification("batch", ONE); 3_000];
    batch.push(notification("batch", "%"));
    webhook.refused(&json!({"notifications": batch}).to_string(), "notifications[3000].payload");
    for (body, named) in [
        ("{", "the body is not JSON"),
        ("[]", "the body must be"),
        (r#"{"notification":[]}"#, "notification "),
        (r#"{"notifications":[{"ep":"b","path":"/1"}]}"#, "notifications[0].payload"),
        (r#"{"notifications":[{"ep":7,"path":"/1","payload":"MQ=="}]}"#, "notifications[0].ep"),
        (r#"{"notifications":[{"ep":"b","path":"/1","payload":"TmFO"}]}"#, "notifications[0].payload"),
        (r#"{"registrations":[1]}"#, "registrations[0]"),
        (
            r#"{"notifications":[{"ep":"b","path":"/1","payload":"MQ=="}],"notifications":[]}"#,
            "notifications is there more than once",
        ),
    ] {
        webhook.refused(body, named);
    }
    assert_eq!(webhook.stored(), stored);

    // More than one statement's worth, in one transaction.
    batch.pop();
    assert_eq!(webhook.put(&json!({"notifications": batch})).body, json!({"stored": 3_000}));
    assert_eq!(webhook.stored(), stored + 3_000);
    let times = webhook.sql("SELECT COUNT(DISTINCT ts) AS n FROM events WHERE board = 'batch'");
    assert_eq!(times[0]["n"], 1, "a message arrives at one time");

    per_hour(&webhook);
    the_largest_numbers_have_an_average(&webhook);

    // A few hundred generated messages through the gateway: a documented status, and what was acknowledged is there.
    let stored = webhook.stored();
    let acknowledged = generated(&webhook, 200);
    assert_eq!(webhook.stored(), stored + acknowledged);

    without_its_database(&webhook);
    webhook.machine.well(&["validate", "timeseries", "--local"]);
    let again = webhook.machine.well(&["up", "timeseries", "--local", "--set", "ApiAccess=public"]);
    assert!(again.contains("nothing to do"), "{again}");
    webhook.gone();
}

/// The named query, of all and of one board, in the terminal and as a file.
fn per_hour(webhook: &Webhook) {
    let query =
        |more: &[&str]| webhook.machine.run(&[&["sql"], &LAB[..], &["--query", "events-per-hour"], more].concat());
    let rows =
        |more: &[&str]| query(&[more, &["--output", "json"]].concat()).json()["rows"].as_array().unwrap().clone();
    let whole = rows(&[]);
    assert_eq!(whole.iter().map(|row| row["events"].as_i64().unwrap()).sum::<i64>(), webhook.stored());
    let batch = rows(&["--param", "board=batch", "--param", "sensor=/3200/0/5501"]);
    let (events, average) =
        (batch.iter().map(|row| row["events"].as_i64().unwrap()).sum::<i64>(), &batch[0]["average"]);
    assert_eq!((events, average.as_f64()), (3_000, Some(1.0)), "{batch:?}");
    assert!(batch[0]["hour"].as_str().unwrap().ends_with(":00:00"), "{batch:?}");
    assert_eq!(rows(&["--param", "sensor=/none"]), Vec::<Value>::new());
    for other in ["Batch", "bätch", "batch "] {
        assert!(rows(&["--param", &format!("board={other}")]).is_empty(), "{other} is another board");
    }

    let drawn = query(&["--chart", "--svg", "chart.svg"]);
    assert!(drawn.code == Some(0) && drawn.out.contains("batch") && drawn.out.contains("UTC"), "{drawn:?}");
    let picture = std::fs::read_to_string(webhook.machine.work().join("chart.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("batch"), "{picture}");
    let statement = include_str!("../../sql/timeseries/queries/events-per-hour.sql");
    let statement = statement.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join(" ");
    let statement = statement.replace(":since", "'2020-01-01'").replace(":board", "''").replace(":sensor", "''");
    let plan = webhook.sql(&format!("EXPLAIN {statement}"));
    // MariaDB's word in a table, and MySQL's in a tree. By an "index condition" the table's rows would be read.
    let text = plan[0].to_string().replace("Using index condition", "");
    let by_index = text.contains("Using index") || text.contains("Covering index");
    assert!(by_index, "the summary reads no row of the table: {plan:?}");
}

/// The sum of two of them is larger than any double: one board's values must not take the answer from all the others.
fn the_largest_numbers_have_an_average(webhook: &Webhook) {
    let (one, minus_one) = ("MS43ZTMwOA==", "LTEuN2UzMDg=");
    let values = [one, one, one, minus_one].map(|payload| notification("huge", payload));
    assert_eq!(webhook.put(&json!({"notifications": values})).status, 200);
    let query = [&["sql"], &LAB[..], &["--query", "events-per-hour", "--param", "board=huge"]].concat();
    let row = webhook.machine.json(&query)["rows"][0].clone();
    let average = row["average"].as_f64().unwrap();
    assert!((average / 0.85e308 - 1.0).abs() < 1e-9, "{row}");
    assert_eq!((row["least"].as_f64(), row["most"].as_f64()), (Some(-1.7e308), Some(1.7e308)));
}

/// 503 and when to come again while the database is away, and nothing of it stored; as before when it is back.
fn without_its_database(webhook: &Webhook) {
    let stored = webhook.stored();
    let clients = webhook.machine.clients().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let arn = webhook.output("ClusterArn");
    let cluster = ["--db-cluster-identifier", arn.rsplit(':').next().unwrap()];
    let ask = |operation: &str| runtime.block_on(clients.aws(&[&["rds", operation], &cluster[..]].concat()));
    let settled = |status: &str| {
        until(status, || ask("describe-db-clusters")["DBClusters"][0]["Status"] == status);
    };
    ask("stop-db-cluster");
    settled("stopped");
    let lost = json!({"notifications": [notification("lost", ONE)]});
    let answer = webhook.put(&lost);
    assert_eq!(
        (answer.status, answer.head.contains("retry-after: 15")),
        (503, true),
        "{} {}",
        answer.head,
        answer.body
    );
    ask("start-db-cluster");
    settled("available");
    assert_eq!(webhook.stored(), stored);
    assert_eq!(webhook.put(&lost).status, 200);
    assert_eq!(webhook.stored(), stored + 1);
}

/// Sends generated messages; gives how many notifications were acknowledged as stored.
fn generated(webhook: &Webhook, count: usize) -> i64 {
    let config = Config { failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let fields = proptest::sample::select(vec!["ep", "path", "payload", "ct", "max-age", "more"]);
    let value = proptest::prop_oneof![
        any::<i64>().prop_map(Value::from),
        ".{0,60}".prop_map(Value::from),
        proptest::strategy::Just(Value::Null),
    ];
    let changes = proptest::collection::vec((fields, value), 0..2);
    let mut stored = 0;
    for _ in 0..count {
        let mut bad = notification("generated", ONE);
        for (field, value) in changes.new_tree(&mut runner).unwrap().current() {
            bad[field] = value;
        }
        let answer = webhook.put(&json!({"notifications": [notification("generated", ONE), bad]}));
        match answer.status {
            200 => stored += answer.body["stored"].as_i64().unwrap(),
            400 => {
                assert!(answer.body["message"].as_str().unwrap().starts_with("notifications[1]."), "{}", answer.body)
            }
            other => panic!("{other} {} of {bad}", answer.body),
        }
    }
    stored
}

#[test]
fn the_key_is_asked_for_and_shown_to_whoever_asks_and_the_dashboard_is_made_for_whoever_is_named() {
    let webhook = Webhook::up(&["QuickSightUser=ada"]);
    let open = Webhook { machine: Machine::new(), url: webhook.url.clone(), key: None };
    for (method, path) in [("GET", "/webhook"), ("PUT", "/webhook"), ("GET", "/address")] {
        assert_eq!(open.send(method, path, "{}").status, 403, "{method} {path} without a key");
        assert_eq!(webhook.send(method, path, "{}").status, 200, "{method} {path}");
    }

    // The guide's two commands, as they are shown, with a shell function in the place of curl.
    let shown = webhook.machine.well(&["outputs", "timeseries", "--local"]);
    let key = webhook.key.clone().unwrap();
    assert!(!shown.contains(&key), "the key is not shown among other things");
    let commands = shown.split("\n\n").skip(1).map(|shown| shown.split_once('\n').unwrap().1);
    let commands: String = commands.map(|command| format!("{command}\n")).collect();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_labctl")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let script = format!("curl() {{ printf '<%s>' \"$@\"; echo; }}\n{commands}");
    let mut shell = webhook.machine.command_of("bash".as_ref(), &["-eu", "-c", &script]);
    let said = shell.env("PATH", path).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let callback = json!({"url": format!("{}/webhook", webhook.url), "headers": {"x-api-key": key}});
    let data =
        said.split("<--data><").nth(1).and_then(|rest| rest.split('>').next()).unwrap_or_else(|| panic!("{said}"));
    assert_eq!(serde_json::from_str::<Value>(data).unwrap(), callback);
    for part in [
        "<Authorization: Bearer yourmbedaccesskey>",
        "<-X><PUT><https://api.connector.mbed.com/v2/notification/callback>",
        "<-X><PUT><https://api.connector.mbed.com/v2/subscriptions/yourendpointid/3200/0/5501/>",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }

    // A private database is opened to nobody.
    let refused = webhook.machine.run(&["access", "grant", "timeseries", "--local"]).ended(2);
    assert!(refused.contains("DatabaseAccess") && refused.contains("--set DatabaseAccess=public"), "{refused}");

    let clients = webhook.machine.clients().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let account = ["--aws-account-id", "000000000000", "--dashboard-id", "timeseries-dev"];
    let describe = [&["quicksight", "describe-dashboard"], &account[..]].concat();
    let dashboard = runtime.block_on(clients.aws(&describe));
    assert_eq!(dashboard["Dashboard"]["Version"]["Status"], "CREATION_SUCCESSFUL", "{dashboard}");
    // Named no more, it goes, and the rest stays.
    webhook.machine.well(&["up", "timeseries", "--local", "--yes"]);
    let gone = runtime.block_on(clients.aws_fails(&describe));
    assert!(gone.contains("ResourceNotFoundException"), "{gone}");
    assert_eq!(webhook.put(&json!({"notifications": [notification("b", ONE)]})).status, 200);
    webhook.gone();
}

#[test]
fn access_is_granted_to_one_address_listed_replaced_and_revoked() {
    let webhook = Webhook::up(&["ApiAccess=public", "DatabaseAccess=public"]);
    let access = |words: &[&str]| webhook.labctl(&[&["access"], words].concat());
    assert_eq!(access(&["ls"])["access"], json!([]));
    let granted = access(&["grant"]);
    assert_eq!((&granted["cidr"], &granted["was_open"]), (&json!("127.0.0.1/32"), &json!(false)));
    assert_eq!(access(&["grant"])["was_open"], true, "a second time changes nothing");

    // Who may come in now does: mysql, over TLS that it verifies.
    let clients = webhook.machine.clients().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let secret = ["secretsmanager", "get-secret-value", "--secret-id", &webhook.output("MasterSecretArn")];
    let secret = runtime.block_on(clients.aws(&secret));
    let secret: Value = serde_json::from_str(secret["SecretString"].as_str().unwrap()).unwrap();
    webhook.put(&json!({"notifications": [notification("b", "MjUuMw==")]}));
    let mut mysql = webhook
        .machine
        .command_of("mysql".as_ref(), &["--protocol=tcp", "-N", "-e", "SELECT board, value FROM events"]);
    mysql.args(["-h", &webhook.output("ClusterEndpoint"), "-P", &webhook.output("ClusterPort")]);
    mysql.arg(format!("--ssl-ca={}", webhook.machine.home().join("keys/ca.pem").display()));
    mysql
        .args(["-u", secret["username"].as_str().unwrap(), "tsdb"])
        .env("MYSQL_PWD", secret["password"].as_str().unwrap());
    let said = mysql.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "b\t25.3\n", "{}", String::from_utf8_lossy(&said.stderr));

    // From another address the old one is closed; rules of others stay.
    let group = webhook.output("DatabaseSecurityGroupId");
    let other =
        ["ec2", "authorize-security-group-ingress", "--group-id", &group, "--protocol", "tcp", "--port", "3306"];
    runtime.block_on(clients.aws(&[&other[..], &["--cidr", "192.0.2.1/32"]].concat()));
    let moved = access(&["grant", "--cidr", "203.0.113.7"]);
    assert_eq!((&moved["cidr"], &moved["closed"][0]["cidr"]), (&json!("203.0.113.7/32"), &json!("127.0.0.1/32")));
    let listed = access(&["ls"]);
    assert_eq!(listed["access"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!((&listed["access"][0]["cidr"], &listed["public"]), (&json!("203.0.113.7/32"), &json!(true)));
    let wide = webhook.machine.run(&["access", "grant", "timeseries", "--local", "--cidr", "0.0.0.0/0"]).ended(2);
    assert!(wide.contains("strangers"), "{wide}");
    assert_eq!(access(&["revoke"])["closed"][0]["cidr"], "203.0.113.7/32");
    assert_eq!(access(&["revoke"])["closed"], json!([]));
    let theirs = access(&["grant", "--cidr", "192.0.2.1"]);
    assert_eq!((&theirs["was_open"], &theirs["by_another"]), (&json!(true), &json!("somebody")));
    let filter = format!("Name=group-id,Values={group}");
    let rules = runtime.block_on(clients.aws(&["ec2", "describe-security-group-rules", "--filters", &filter]));
    let left = rules["SecurityGroupRules"].as_array().unwrap().iter().filter(|rule| rule["CidrIpv4"] == "192.0.2.1/32");
    assert_eq!(left.count(), 1, "{rules}");

    // Private again, and public once more, the cluster and what is in it stay. `down` does not stumble over a rule.
    access(&["grant"]);
    for settings in
        [["--set", "ApiAccess=public"].as_slice(), &["--set", "ApiAccess=public", "--set", "DatabaseAccess=public"]]
    {
        webhook.machine.well(&[&["up", "timeseries", "--local", "--yes"], settings].concat());
        assert_eq!(webhook.stored(), 1);
    }
    webhook.gone();
}
