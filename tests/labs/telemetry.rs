//! The telemetry lab, whole: its contract, its analytics, thinned out under load, its engine killed, and down without a trace.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::strategy::{Just, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::support::clients::{Answer, Clients};
use crate::support::labctl::Labctl;
use crate::support::processes::{DATABASES, kill};

/// Rows of a roll-up that are not what the messages say. Both sides are counted, so that none is missing on either.
pub(super) const WRONG_MINUTES: &str = "
SELECT COUNT(*) AS n FROM (
    SELECT DATE_FORMAT(entry_ts, '%Y-%m-%d %H:%i:00') AS at, device_id, COUNT(*) AS n, SUM(cpu_usage) AS cs, MIN(cpu_usage) AS ci,
        MAX(cpu_usage) AS ca, SUM(memory_usage) AS ms, MIN(memory_usage) AS mi, MAX(memory_usage) AS ma, MAX(entry_ts) AS late
    FROM telemetry GROUP BY DATE_FORMAT(entry_ts, '%Y-%m-%d %H:%i:00'), device_id
) AS said
LEFT JOIN device_minute AS kept ON kept.minute = said.at AND kept.device_id = said.device_id AND data_points = n
    AND cpu_sum = cs AND cpu_min = ci AND cpu_max = ca AND memory_sum = ms AND memory_min = mi AND memory_max = ma AND latest_ts = late
WHERE kept.device_id IS NULL";
pub(super) const WRONG_TOTALS: &str = "
SELECT COUNT(*) AS n FROM (
    SELECT device_id, COUNT(*) AS n, SUM(cpu_usage) AS cs, MIN(cpu_usage) AS ci, MAX(cpu_usage) AS ca, SUM(memory_usage) AS ms,
        MIN(memory_usage) AS mi, MAX(memory_usage) AS ma, MAX(entry_ts) AS late
    FROM telemetry GROUP BY device_id
) AS said
LEFT JOIN device_total AS kept ON kept.device_id = said.device_id AND data_points = n AND cpu_sum = cs AND cpu_min = ci
    AND cpu_max = ca AND memory_sum = ms AND memory_min = mi AND memory_max = ma AND latest_ts = late
WHERE kept.device_id IS NULL";
pub(super) const MORE_MINUTES: &str = "
SELECT COUNT(*) - (SELECT COUNT(DISTINCT device_id, DATE_FORMAT(entry_ts, '%Y-%m-%d %H:%i:00')) FROM telemetry) AS n FROM device_minute";
pub(super) const MORE_TOTALS: &str =
    "SELECT COUNT(*) - (SELECT COUNT(DISTINCT device_id) FROM telemetry) AS n FROM device_total";

/// The lab, up and open to the public.
struct Telemetry {
    labctl: Labctl,
    clients: Clients,
    path: String,
}

impl Telemetry {
    fn up() -> Self {
        let labctl = Labctl::new();
        labctl.run(&["up", "telemetry", "--local", "--set", "ApiAccess=public"]);
        let outputs = labctl.json(&["outputs", "telemetry", "--local"]);
        let clients = labctl.clients();
        let url = outputs["outputs"]["ApiUrl"].as_str().unwrap().trim_end_matches('/').to_owned();
        let path = url.strip_prefix(clients.endpoint()).unwrap().to_owned();
        Telemetry { labctl, clients, path }
    }

    async fn send(&self, body: &str) -> Answer {
        self.clients.post(&format!("{}/telemetry", self.path), body).await
    }

    /// A request with any method and path; its status and its whole text.
    async fn curl(&self, method: &str, path: &str) -> (u16, String) {
        let url = format!("{}{}{path}", self.clients.endpoint(), self.path);
        self.clients.curl(&["-i", "-X", method, "--max-time", "20", &url]).await
    }

    async fn takes(&self, body: &Value) {
        let answer = self.send(&body.to_string()).await;
        let said: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, said), (200, json!({"success": true, "error": null})), "{body}");
    }

    fn rows(&self, args: &[&str]) -> Vec<Value> {
        let answer = self.labctl.json(&[&["sql", "telemetry", "--local"], args].concat());
        answer["rows"].as_array().unwrap().clone()
    }

    fn number(&self, statement: &str) -> i64 {
        let row = self.rows(&["-e", statement]).remove(0);
        row["n"].as_i64().unwrap_or_else(|| panic!("{statement}: {row}"))
    }

    #[track_caller]
    fn rollups_are_right(&self) {
        for statement in [WRONG_MINUTES, WRONG_TOTALS, MORE_MINUTES, MORE_TOTALS] {
            assert_eq!(self.number(statement), 0, "{statement}");
        }
    }
}

fn message(device: &str) -> Value {
    json!({"timestamp": "2023-03-08T17:04:50Z", "device_id": device, "memory_usage": 0.25, "cpu_usage": 0.5})
}

fn with(field: &str, value: Value) -> Value {
    let mut message = message("abc41");
    message[field] = value;
    message
}

/// The fields that a refusal names.
fn named(answer: &Answer) -> BTreeSet<String> {
    let said: Value = serde_json::from_str(&answer.body).unwrap();
    let entries = said["detail"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
    entries
        .iter()
        .map(|entry| {
            let loc: Vec<&str> = entry["loc"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            assert!(loc[0] == "body" && entry["msg"].is_string() && entry["type"].is_string(), "{entry}");
            loc.last().unwrap().to_string()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_comes_up_takes_messages_answers_questions_and_goes_without_a_trace() {
    let lab = Telemetry::up();
    assert_eq!(lab.number("SELECT COUNT(*) AS n FROM telemetry"), 0, "checks leave nothing behind");
    messages_are_stored_as_sent(&lab).await;
    a_row_is_a_message_whoever_inserts_it(&lab).await;
    bad_requests_get_their_answer_and_store_nothing(&lab).await;
    generated_bodies_are_stored_or_refused(&lab).await;
    questions_are_answered(&lab).await;

    let up = ["up", "telemetry", "--local", "--set", "ApiAccess=public"];
    let said = lab.labctl.run(&up);
    assert!(said.contains("nothing to do"), "{said}");
    lab.labctl.run(&["up", "telemetry", "--local", "--set", "ApiAccess=iam", "--yes"]);
    assert_eq!(lab.send(&message("abc41").to_string()).await.status, 403, "an unsigned request");
    lab.labctl.run(&["validate", "telemetry", "--local"]);
    lab.labctl.run(&["down", "telemetry", "--local", "--yes"]);
    let left = lab.labctl.json(&["ls", "--local"]);
    assert!(left["instances"].as_array().is_some_and(Vec::is_empty), "{left}");
}

async fn messages_are_stored_as_sent(lab: &Telemetry) {
    let odd = "'); DROP TABLE telemetry; -- \u{1f600} \"x\"\\";
    lab.takes(&message(odd)).await;
    lab.takes(&with("timestamp", json!("2023-03-08T23:04:50.1234569+05:30"))).await;
    lab.takes(&with("cpu_usage", json!(0.1))).await;
    lab.takes(&with("cpu_usage", json!(0.09))).await;
    let statement = "SELECT device_id, DATE_FORMAT(entry_ts, '%H.%i.%s.%f') AS moment FROM telemetry ORDER BY id";
    let rows = lab.rows(&["-e", statement]);
    assert_eq!(rows[0], json!({"device_id": odd, "moment": "17.04.50.000000"}));
    assert_eq!(rows[1]["moment"], "17.34.50.123456");
    let least = "SELECT COUNT(*) AS n FROM telemetry WHERE cpu_usage >= 0.1 AND device_id = 'abc41'";
    assert_eq!(lab.number(least), 2, "0.1 is more than 0.09");
    lab.rollups_are_right();
}

/// Also past the function. Two ids that differ in blanks are two devices.
async fn a_row_is_a_message_whoever_inserts_it(lab: &Telemetry) {
    for device in ["blank", "blank ", "blank  ", " blank"] {
        lab.takes(&message(device)).await;
    }
    let counts = "SELECT COUNT(*) AS n FROM device_total WHERE TRIM(device_id) = 'blank' AND data_points = 1";
    assert_eq!(lab.number(counts), 4);
    let before = lab.number("SELECT COUNT(*) AS n FROM telemetry");
    for data in [
        json!({}),
        json!([1]),
        with("cpu_usage", json!("0.5")),
        with("cpu_usage", json!(true)),
        with("memory_usage", json!(1.01)),
        with("device_id", json!(7)),
        with("device_id", json!("")),
        with("timestamp", json!("2023-03-08")),
        with("timestamp", json!("2023-03-08T17:04:50+0100")),
    ] {
        let insert = format!("INSERT INTO telemetry (data) VALUES ('{data}')");
        let said = lab.labctl.try_run(&["sql", "telemetry", "--local", "-e", &insert]);
        assert_eq!(said.status.code(), Some(1), "{data}: {said:?}");
    }
    assert_eq!(lab.number("SELECT COUNT(*) AS n FROM telemetry"), before);
    lab.rollups_are_right();
}

async fn bad_requests_get_their_answer_and_store_nothing(lab: &Telemetry) {
    let before = lab.number("SELECT COUNT(*) AS n FROM telemetry");
    let bodies = [
        ("".to_owned(), "body"),
        ("{".to_owned(), "body"),
        ("[]".to_owned(), "body"),
        ("{}".to_owned(), "cpu_usage device_id memory_usage timestamp"),
        (with("timestamp", json!("yesterday")).to_string(), "timestamp"),
        (with("timestamp", json!("2023-02-30T00:00:00Z")).to_string(), "timestamp"),
        (with("device_id", json!("")).to_string(), "device_id"),
        (with("device_id", json!("x".repeat(101))).to_string(), "device_id"),
        (with("memory_usage", json!("0.5")).to_string(), "memory_usage"),
        (with("cpu_usage", json!(1.01)).to_string(), "cpu_usage"),
        (with("cpu_usage", json!(null)).to_string(), "cpu_usage"),
        (with("color", json!("red")).to_string(), "color"),
    ];
    for (body, fields) in bodies {
        let answer = lab.send(&body).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
        assert_eq!(named(&answer).into_iter().collect::<Vec<_>>().join(" "), fields, "{body}");
    }
    for method in ["GET", "PUT", "DELETE"] {
        let (status, said) = lab.curl(method, "/telemetry").await;
        assert!(status == 405 && said.to_lowercase().contains("allow: post"), "{method}: {said}");
    }
    for path in ["/metrics", "/telemetry/1", "/"] {
        assert_eq!(lab.curl("POST", path).await.0, 404, "{path}");
    }
    assert_eq!(lab.number("SELECT COUNT(*) AS n FROM telemetry"), before);
}

/// A value that may be right where it stands, or wrong in one of many ways.
fn any_value() -> impl Strategy<Value = Value> {
    proptest::prop_oneof![
        4 => (0.0..=1.0_f64).prop_map(|share| json!(share)),
        3 => (1970..2100_u16, 1..13_u8, 1..31_u8, 0..24_u8).prop_map(|(year, month, day, hour)| {
            json!(format!("{year}-{month:02}-{day:02}T{hour:02}:59:59.5+01:00"))
        }),
        3 => "\\PC{0,101}".prop_map(|text| json!(text)),
        1 => proptest::arbitrary::any::<i64>().prop_map(|number| json!(number)),
        1 => Just(json!(null)),
        1 => Just(json!({"a": []})),
    ]
}

async fn generated_bodies_are_stored_or_refused(lab: &Telemetry) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let before = lab.number("SELECT COUNT(*) AS n FROM telemetry");
    let mut taken = 0;
    for case in 0..300 {
        let mut body = message(&format!("generated-{case}"));
        // Most have one field that is anything, some have several.
        for field in
            ["timestamp", "device_id", "memory_usage", "cpu_usage"].iter().cycle().skip(case % 4).take(1 + case % 7 / 5)
        {
            body[*field] = any_value().new_tree(&mut runner).unwrap().current();
        }
        let answer = lab.send(&body.to_string()).await;
        match answer.status {
            200 => taken += 1,
            422 => assert!(!named(&answer).is_empty(), "{body}"),
            _ => panic!("{body}: {answer:?}"),
        }
    }
    assert!((30..270).contains(&taken), "{taken}");
    assert_eq!(lab.number("SELECT COUNT(*) AS n FROM telemetry"), before + taken);
    lab.rollups_are_right();
}

async fn questions_are_answered(lab: &Telemetry) {
    // In batches, whose rows are counted together.
    let there = lab.number("SELECT COUNT(*) AS n FROM telemetry");
    assert!(there > 0);
    let thinned = lab.labctl.json(&["sql", "telemetry", "--local", "--query", "thin", "--param", "percent=100"]);
    assert_eq!(thinned["rows_affected"], there, "{thinned}");
    let thinned = lab.labctl.json(&["sql", "telemetry", "--local", "--query", "thin"]);
    assert_eq!(thinned["rows_affected"], 0, "of an empty table");
    for (device, count) in [("quiet", 1_u32), ("busy", 5), ("late", 3)] {
        for at in 0..count {
            let mut message = message(device);
            message["timestamp"] =
                json!(format!("2023-03-08T17:0{}:{:02}Z", if device == "late" { 6 } else { 4 }, at * 7));
            message["cpu_usage"] = json!(f64::from(at + 1) / 10.0);
            lab.takes(&message).await;
        }
    }
    let query = |name: &str, params: &[&str]| {
        let params = params.iter().flat_map(|param| ["--param", param]);
        lab.rows(&["--query", name].into_iter().chain(params).collect::<Vec<_>>())
    };
    assert_eq!(query("devices", &[]), [json!({"total_devices": 3})]);
    assert_eq!(query("requests-per-device", &["limit=1"]), [json!({"device_id": "busy", "requests": 5})]);
    let period = ["since=2023-03-08T17:04:06.5Z", "until=2023-03-08T17:06:07.5Z"];
    let row = query("cpu", &period).remove(0);
    assert_eq!(
        (&row["data_points"], &row["avg_cpu"], &row["max_cpu"]),
        (&json!(6), &json!("0.28"), &json!("0.50")),
        "{row}"
    );
    let busiest: Vec<Value> = query("busiest-devices", &period).iter().map(|row| row["device_id"].clone()).collect();
    assert_eq!(busiest, ["busy", "late"], "quiet was before the period");
    let busy = query("busiest-devices", &["since=2023-03-08T00:00:00+00:00", "limit=1"]).remove(0);
    assert_eq!(
        (&busy["min_cpu"], &busy["avg_cpu"], &busy["max_memory"]),
        (&json!("0.10"), &json!("0.30"), &json!("0.25"))
    );
    assert_eq!(query("status", &[]).len(), 3);
    assert_eq!(query("status-totals", &[])[0]["unique_devices"], 3);

    let refused = lab.labctl.try_run(&["sql", "telemetry", "--local", "--query", "cpu", "--param", "sinc=now"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("did you mean `since`?"), "{said}");
    let refused = lab.labctl.try_run(&["sql", "telemetry", "--local", "--query", "busiest"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("its queries: devices, "), "{refused:?}");
    assert!(
        lab.labctl
            .run(&["sql", "telemetry", "--queries"])
            .contains(" since=-1h until=9999-12-31T23:59:59.999999Z limit=10 ")
    );
    the_last_minute_is_one_like_others(lab, query).await;
}

/// Nothing is counted in minutes that there are not: behind the last one comes no other.
async fn the_last_minute_is_one_like_others(lab: &Telemetry, query: impl Fn(&str, &[&str]) -> Vec<Value>) {
    for (second, cpu) in [("00", 0.1), ("30", 0.9), ("59.9", 0.5)] {
        let mut message = message("last");
        message["timestamp"] = json!(format!("9999-12-31T23:59:{second}Z"));
        message["cpu_usage"] = json!(cpu);
        lab.takes(&message).await;
    }
    let late = query("cpu", &["since=9999-12-31T23:59:10Z"]).remove(0);
    assert_eq!((&late["data_points"], &late["max_cpu"]), (&json!(2), &json!("0.90")), "{late}");
    let busiest = query("busiest-devices", &["since=9999-12-31T23:58:10Z"]).remove(0);
    assert_eq!((&busiest["device_id"], &busiest["data_points"]), (&json!("last"), &json!(3)), "{busiest}");
    lab.rows(&["-e", "DELETE FROM telemetry WHERE device_id = 'last' ORDER BY id LIMIT 1"]);
    lab.rollups_are_right();
    lab.rows(&["-e", "DELETE FROM telemetry WHERE device_id = 'last'"]);
    lab.rollups_are_right();
}

/// Devices that go on sending, each message from a device of its own, and what they were told.
struct Ingest {
    lab: Arc<Telemetry>,
    tasks: tokio::task::JoinSet<()>,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    stored: Mutex<BTreeSet<String>>,
    unsure: Mutex<Vec<Answer>>,
    over: AtomicBool,
}

impl Ingest {
    fn begin(lab: &Arc<Telemetry>, name: &'static str) -> Self {
        let (told, mut tasks) = (Arc::new(Told::default()), tokio::task::JoinSet::new());
        for who in 0..8 {
            let (lab, told) = (lab.clone(), told.clone());
            tasks.spawn(async move {
                for at in 0.. {
                    if told.over.load(Ordering::Relaxed) {
                        return;
                    }
                    // Every other message is from a device that all of them share.
                    let device = if at % 2 == 0 { format!("{name}-{who}-{at}") } else { format!("{name}-shared") };
                    let answer = lab.send(&with("device_id", json!(device)).to_string()).await;
                    match answer.status {
                        200 => drop(told.stored.lock().unwrap().insert(format!("{device}#{who}-{at}"))),
                        _ => told.unsure.lock().unwrap().push(answer),
                    }
                }
            });
        }
        Ingest { lab: lab.clone(), tasks, told }
    }

    fn count(&self) -> usize {
        self.told.stored.lock().unwrap().len()
    }

    async fn more(&self, count: usize) {
        let (wanted, deadline) = (self.count() + count, Instant::now() + Duration::from_secs(60));
        while self.count() < wanted {
            assert!(Instant::now() < deadline, "nothing goes on: {:?}", self.told.unsure.lock().unwrap().last());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it; the messages that were acknowledged, and the answers that were no acknowledgement.
    async fn end(mut self) -> (BTreeSet<String>, Vec<Answer>) {
        self.told.over.store(true, Ordering::Relaxed);
        while let Some(done) = self.tasks.join_next().await {
            done.unwrap();
        }
        drop(self.lab);
        let stored = std::mem::take(&mut *self.told.stored.lock().unwrap());
        let unsure = std::mem::take(&mut *self.told.unsure.lock().unwrap());
        (stored, unsure)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thinning_and_a_killed_engine_under_ingest_lose_nothing_that_was_acknowledged() {
    let lab = Arc::new(Telemetry::up());
    let ingest = Ingest::begin(&lab, "thinned");
    for _ in 0..3 {
        ingest.more(100).await;
        let thinned = lab.clone();
        let thin =
            move || thinned.labctl.run(&["sql", "telemetry", "--local", "--query", "thin", "--param", "percent=40"]);
        tokio::task::spawn_blocking(thin).await.unwrap();
    }
    let (_, refused) = ingest.end().await;
    assert!(refused.is_empty(), "while rows are deleted, messages are taken: {refused:?}");
    lab.rollups_are_right();

    let ingest = Ingest::begin(&lab, "killed");
    for _ in 0..2 {
        ingest.more(100).await;
        kill(&lab.labctl.home().join("home"), DATABASES);
    }
    ingest.more(100).await;
    let (stored, refused) = ingest.end().await;
    for answer in &refused {
        assert!(answer.status == 503 && answer.header("retry-after").is_some(), "{answer:?}");
    }
    let count =
        |device: &str| lab.number(&format!("SELECT COUNT(*) AS n FROM telemetry WHERE device_id LIKE '{device}'"));
    let found = count("killed-%");
    let (least, most) = (stored.len() as i64, (stored.len() + refused.len()) as i64);
    assert!((least..=most).contains(&found), "{found} rows, {least} acknowledged, {} unsure", refused.len());
    let devices = lab.rows(&["-e", "SELECT device_id FROM device_total WHERE device_id LIKE 'killed-%'"]);
    let devices: BTreeSet<&str> = devices.iter().filter_map(|row| row["device_id"].as_str()).collect();
    let lost: Vec<&String> = stored.iter().filter(|told| !devices.contains(told.split('#').next().unwrap())).collect();
    assert!(lost.is_empty(), "acknowledged and not there: {lost:?}");
    lab.rollups_are_right();
    lab.labctl.run(&["down", "telemetry", "--local", "--yes"]);
}
