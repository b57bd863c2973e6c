//! The telemetry lab: messages through the API beside rows straight into the database, and questions beside the guide's.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, SslOpts};
use serde_json::Value;

use crate::client::Client;
use crate::cloud::Cloud;
use crate::{Figure, millis, p50};

const CLIENTS: usize = 32;
/// The guide's.
const ROWS: u32 = 79_151;
const DEVICES: u32 = 1_846;
const DIRECT_FOR: Duration = Duration::from_secs(20);
const INGEST_FOR: Duration = Duration::from_secs(60);
/// Undo records that are not purged yet, below which an engine has nothing left to do.
const SETTLED: u64 = 500;

/// The guide's table and query. The roles of `->>` are spelled out: MariaDB has no such operator.
const GUIDE: [&str; 2] = [
    "CREATE TABLE guide (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, data JSON NOT NULL, \
     created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
     device_id VARCHAR(100) GENERATED ALWAYS AS (JSON_UNQUOTE(JSON_EXTRACT(data, '$.device_id'))) VIRTUAL, \
     entry_ts VARCHAR(40) GENERATED ALWAYS AS (JSON_UNQUOTE(JSON_EXTRACT(data, '$.timestamp'))) VIRTUAL)",
    "SELECT device_id, COUNT(*) AS data_points, \
     FORMAT(MIN(JSON_UNQUOTE(JSON_EXTRACT(data, '$.cpu_usage'))), 2) AS min_cpu, \
     FORMAT(AVG(JSON_UNQUOTE(JSON_EXTRACT(data, '$.cpu_usage'))), 2) AS avg_cpu, \
     FORMAT(MAX(JSON_UNQUOTE(JSON_EXTRACT(data, '$.cpu_usage'))), 2) AS max_cpu, \
     FORMAT(MIN(JSON_UNQUOTE(JSON_EXTRACT(data, '$.memory_usage'))), 2) AS min_memory, \
     FORMAT(AVG(JSON_UNQUOTE(JSON_EXTRACT(data, '$.memory_usage'))), 2) AS avg_memory, \
     FORMAT(MAX(JSON_UNQUOTE(JSON_EXTRACT(data, '$.memory_usage'))), 2) AS max_memory, MAX(entry_ts) AS latest_ts \
     FROM guide WHERE entry_ts > '2023-03-08T17:04:50' GROUP BY device_id ORDER BY 2 DESC LIMIT 10",
];

/// The triggers, by the end of their names: without them, millions of rows are there in minutes.
const TRIGGERS: [&str; 6] = [
    "added_1_total",
    "added_2_minute",
    "removed_1_last_of_total",
    "removed_2_last_of_minute",
    "removed_3_minute",
    "removed_4_total",
];

/// `millions` measures the dashboard's queries over 5,000,000 rows too, which takes minutes to fill.
pub(crate) async fn measure(cloud: &Cloud, millions: bool, table: &mut Vec<Figure>) {
    cloud.run(&["up", "telemetry", "--local", "--yes", "--set", "ApiAccess=public"]);
    let database = Database::of(cloud).await;
    ingest(cloud, &database, table).await;
    questions(&database, table).await;
    if millions {
        let rows = fill_millions(&database).await;
        let what = "live status (both queries) over more than 5,000,000 rows, p50 of 20";
        let took = live_status(&database).await;
        let measured = format!("{} ({rows} rows)", millis(took));
        table.push(Figure { what, measured, target: "10 ms", ..Figure::default() });
    }
    cloud.run(&["down", "telemetry", "--local", "--yes"]);
}

/// How a client reaches the lab's database and its API.
struct Database {
    options: OptsBuilder,
    url: String,
}

impl Database {
    async fn of(cloud: &Cloud) -> Self {
        let outputs = &cloud.json(&["outputs", "telemetry", "--local", "--output", "json"])["outputs"];
        let text = |name: &str| outputs[name].as_str().unwrap().to_owned();
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "bench"))
            .endpoint_url(cloud.endpoint())
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        let secrets = aws_sdk_secretsmanager::Client::from_conf(config.build());
        let secret = secrets.get_secret_value().secret_id(text("MasterSecretArn")).send().await.unwrap();
        let secret: Value = serde_json::from_str(secret.secret_string().unwrap()).unwrap();
        let authority: PathBuf = cloud.home().join("keys/ca.pem");
        let tls = SslOpts::default().with_root_certs(vec![authority.into()]).with_disable_built_in_roots(true);
        let options = OptsBuilder::default()
            .ip_or_hostname(text("ClusterEndpoint"))
            .tcp_port(text("ClusterPort").parse().unwrap())
            .user(secret["username"].as_str())
            .pass(secret["password"].as_str())
            .db_name(Some("lab1"))
            .prefer_socket(false)
            .tcp_nodelay(true)
            .ssl_opts(tls);
        Database { options, url: text("ApiUrl") }
    }

    async fn connect(&self) -> Conn {
        Conn::new(self.options.clone()).await.unwrap()
    }
}

/// The n-th message: two thirds from 60 busy devices, as in the guide's data, the rest from a long tail.
fn message(number: u32) -> String {
    // Numbers that look like chance and are the same in every run.
    let mixed = u64::from(number).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let part = |shift: u32, of: u32| u32::try_from((mixed >> shift) & 0xFFFF).unwrap() % of;
    let device =
        if part(8, 3) < 2 { format!("abc{}", 100 + part(16, 60)) } else { format!("dev{}", part(24, DEVICES - 60)) };
    let (second, micro) = (part(32, 60 * 17), part(40, 1_000) * 1_000);
    format!(
        "{{\"timestamp\":\"2023-03-08T17:{:02}:{:02}.{micro:06}Z\",\"device_id\":\"{device}\",\"memory_usage\":0.{:02},\"cpu_usage\":0.{:02}}}",
        4 + second / 60,
        second % 60,
        part(28, 100),
        part(36, 100)
    )
}

async fn ingest(cloud: &Cloud, database: &Database, table: &mut Vec<Figure>) {
    let (before, direct_cost) = costed(cloud, direct(database), |count| *count).await;
    settle(database).await;
    let (mut took, cost) = costed(cloud, through_the_api(database, INGEST_FOR), Vec::len).await;
    settle(database).await;
    let direct = f64::midpoint(rate(before, DIRECT_FOR), rate(direct(database).await, DIRECT_FOR));
    let rate = rate(took.len(), INGEST_FOR);
    let median = p50(&mut took);
    let p99 = took[took.len() * 99 / 100];
    let figure = |what, measured, target| Figure { what, measured, target, ..Figure::default() };
    let what = "telemetry: rows per second that 32 clients INSERT one by one";
    table.push(Figure { what, measured: format!("{direct:.0}"), cost: direct_cost, ..Figure::default() });
    let measured = format!("{rate:.0} (p50 {}, p99 {})", millis(median), millis(p99));
    let what = "the same through the API, for 60 s";
    table.push(Figure { what, measured, target: "p99 50 ms", cost, ..Figure::default() });
    table.push(figure("the API's share of the direct rate", format!("{:.0} %", 100.0 * rate / direct), "50 %"));
}

/// What `work` gives, and the processor time of each of the requests that it `counts`.
async fn costed<T>(cloud: &Cloud, work: impl Future<Output = T>, counts: impl Fn(&T) -> usize) -> (T, String) {
    let before = crate::processes::Cost::of(cloud.pid());
    let done = work.await;
    let each = crate::processes::Cost::of(cloud.pid()).per_request(&before, counts(&done) as u64);
    (done, each)
}

/// How long the engine may take to clean up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until the engine has cleaned up behind what was written: it puts that off under load, and who is measured next would pay.
async fn settle(database: &Database) {
    let mut connection = database.connect().await;
    let end = Instant::now() + PATIENCE;
    loop {
        let status: Option<(String, String, String)> =
            connection.query_first("SHOW ENGINE INNODB STATUS").await.unwrap();
        let status = status.unwrap().2;
        let (_, rest) = status.split_once("History list length ").unwrap();
        let left = rest.split_whitespace().next().unwrap().parse::<u64>().unwrap();
        if left < SETTLED {
            return;
        }
        assert!(Instant::now() < end, "the engine still has the old versions of {left} transactions");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn rate(count: usize, within: Duration) -> f64 {
    count as f64 / within.as_secs_f64()
}

/// Rows that clients insert straight into the table.
async fn direct(database: &Database) -> usize {
    let mut clients = tokio::task::JoinSet::new();
    let until = Instant::now() + DIRECT_FOR;
    for client in 0..CLIENTS {
        let mut connection = database.connect().await;
        clients.spawn(async move {
            let mut count = 0;
            while Instant::now() < until {
                let data = message(u32::try_from(client * 1_000_000 + count).unwrap());
                connection.exec_drop("INSERT INTO telemetry (data) VALUES (?)", (data,)).await.unwrap();
                count += 1;
            }
            connection.disconnect().await.unwrap();
            count
        });
    }
    clients.join_all().await.into_iter().sum()
}

/// How long each message took, sent over as many kept connections as there are clients.
async fn through_the_api(database: &Database, within: Duration) -> Vec<Duration> {
    let mut clients = tokio::task::JoinSet::new();
    let until = Instant::now() + within;
    for client in 0..CLIENTS {
        let mut connection = Client::connect(&database.url).await;
        clients.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < until {
                let body = message(u32::try_from(client * 1_000_000 + took.len()).unwrap());
                took.push(connection.post("/telemetry", &body).await);
            }
            took
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

/// The guide's question to the guide's table and to ours, in turns; then the dashboard's.
async fn questions(database: &Database, table: &mut Vec<Figure>) {
    let mut connection = database.connect().await;
    for statement in ["DROP TABLE IF EXISTS guide", GUIDE[0]] {
        connection.query_drop(statement).await.unwrap();
    }
    empty(&mut connection).await;
    for first in (0..ROWS).step_by(500) {
        let rows: Vec<String> =
            (first..ROWS.min(first + 500)).map(|number| format!("('{}')", message(number))).collect();
        for name in ["telemetry", "guide"] {
            connection.query_drop(format!("INSERT INTO {name} (data) VALUES {}", rows.join(","))).await.unwrap();
        }
    }
    let ours = question("busiest-devices");
    let (mut guides_took, mut ours_took) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        guides_took.push(timed(&mut connection, GUIDE[1]).await);
        ours_took.push(timed(&mut connection, &ours).await);
    }
    let (guides, ours) = (p50(&mut guides_took), p50(&mut ours_took));
    let figure = |what, measured, target| Figure { what, measured, target, ..Figure::default() };
    let measured =
        format!("{} / {}: {:.0} times faster", millis(guides), millis(ours), guides.as_secs_f64() / ours.as_secs_f64());
    table.push(figure("busiest devices over 79,151 rows: the guide's / ours, p50 of 5", measured, "4 times"));
    let took = live_status(database).await;
    table.push(figure("live status (both queries) over 79,151 rows, p50 of 20", millis(took), "10 ms"));
}

async fn empty(connection: &mut Conn) {
    for name in ["telemetry", "device_minute", "device_total"] {
        connection.query_drop(format!("TRUNCATE TABLE {name}")).await.unwrap();
    }
}

/// A named query of the lab with the values that the guide's has.
fn question(name: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("sql/telemetry/queries/{name}.sql"));
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .filter(|line| !line.starts_with("--"))
        .collect::<Vec<_>>()
        .join("\n")
        .replace(":since", "'2023-03-08 17:04:50.000000'")
        .replace(":until", "'9999-12-31 23:59:59.000000'")
        .replace(":limit", "10")
}

async fn timed(connection: &mut Conn, statement: &str) -> Duration {
    let begun = Instant::now();
    let rows: Vec<mysql_async::Row> = connection.query(statement).await.unwrap();
    let took = begun.elapsed();
    assert!(!rows.is_empty(), "{statement}");
    took
}

async fn live_status(database: &Database) -> Duration {
    let mut connection = database.connect().await;
    let (totals, devices) = (question("status-totals"), question("status"));
    let mut took = Vec::new();
    for _ in 0..20 {
        took.push(timed(&mut connection, &totals).await + timed(&mut connection, &devices).await);
    }
    p50(&mut took)
}

/// Doubles the rows until there are more than 5,000,000, and sums up the roll-ups; gives their number.
async fn fill_millions(database: &Database) -> u64 {
    let mut connection = database.connect().await;
    for trigger in TRIGGERS {
        connection.query_drop(format!("DROP TRIGGER telemetry_{trigger}")).await.unwrap();
    }
    let mut minutes = 17;
    loop {
        let rows: Option<u64> = connection.query_first("SELECT COUNT(*) FROM telemetry").await.unwrap();
        if rows.is_some_and(|rows| rows > 5_000_000) {
            break;
        }
        let double = format!(
            "INSERT INTO telemetry (data) SELECT JSON_REPLACE(data, '$.timestamp', \
             DATE_FORMAT(entry_ts + INTERVAL {minutes} MINUTE, '%Y-%m-%dT%H:%i:%s.%fZ')) FROM telemetry"
        );
        connection.query_drop(double).await.unwrap();
        minutes *= 2;
    }
    for statement in [
        "TRUNCATE TABLE device_minute",
        "TRUNCATE TABLE device_total",
        "INSERT INTO device_minute SELECT DATE_FORMAT(entry_ts, '%Y-%m-%d %H:%i:00'), device_id, COUNT(*), SUM(cpu_usage), \
         MIN(cpu_usage), MAX(cpu_usage), SUM(memory_usage), MIN(memory_usage), MAX(memory_usage), MAX(entry_ts) \
         FROM telemetry GROUP BY 1, 2",
        "INSERT INTO device_total SELECT device_id, SUM(data_points), SUM(cpu_sum), MIN(cpu_min), MAX(cpu_max), SUM(memory_sum), \
         MIN(memory_min), MAX(memory_max), MAX(latest_ts) FROM device_minute GROUP BY 1",
    ] {
        connection.query_drop(statement).await.unwrap();
    }
    connection.query_first("SELECT SUM(data_points) FROM device_total").await.unwrap().unwrap()
}
