//! What `labctl load` itself can do: requests per second on one core, against a server on another that does nothing but answer.
//!
//! Both halves are this program again, each held to a core by `taskset` (util-linux).

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method};
use labctl::engine::load::{Body, Judge, Mix, Pace, Request, Shape, Users, Watch, drive};
use labctl::lab::model::{Clock, Sample};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Figure;

/// Says which half this process is, and to what address it sends.
const HALF: &str = "LABCTL_BENCH_HALF";
const USERS: u32 = 64;
const MEASURED: Duration = Duration::from_secs(10);
const ANSWER: &str = "{\"success\": true, \"error\": null}";

/// Is one of the halves, if the environment says so.
pub(crate) fn is_half() -> bool {
    let Ok(half) = std::env::var(HALF) else { return false };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match half.as_str() {
        "server" => runtime.block_on(serve()),
        url => runtime.block_on(send(url)),
    }
    true
}

pub(crate) fn figure() -> Figure {
    let what = "`labctl load` at a no-op route, driver on one core, requests per second of 64 users";
    let (mut server, address) = half(1, "server");
    let (mut driver, report) = half(0, &format!("http://{address}/"));
    driver.wait().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["errors"], json!({}), "{report}");
    let (rps, latency) = (&report["rps"], &report["latency_ms"]);
    let measured = format!("{:.0} (p50 {} ms, p99 {} ms)", rps.as_f64().unwrap(), latency["p50"], latency["p99"]);
    Figure { what, measured, target: "15,000", ..Figure::default() }
}

/// Starts a half on a core, and gives the line that it says.
fn half(core: usize, half: &str) -> (Child, String) {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]).arg(std::env::current_exe().unwrap());
    let mut child = command.env(HALF, half).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().to_owned())
}

/// Requests as the telemetry lab gets them.
async fn send(url: &str) {
    let share = || Sample::Decimal { least: 0, most: 100, digits: 2 };
    let device = vec![Sample::Constant(json!("abc")), Sample::Zipf { from: 1, to: 1000, exponent: 1.0 }];
    let members = BTreeMap::from([
        ("timestamp", Sample::Now(Clock::Rfc3339)),
        ("device_id", Sample::Text(device)),
        ("memory_usage", share()),
        ("cpu_usage", share()),
    ]);
    let body = Sample::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    let headers = HeaderMap::from_iter([
        (http::header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (
            http::HeaderName::from_static("x-api-key"),
            HeaderValue::from_static("0123456789012345678901234567890123456789"),
        ),
    ]);
    let judge: Judge = Arc::new(|status, body| match (status, body == ANSWER) {
        (200, true) => Ok(()),
        _ => Err(status.to_string()),
    });
    let uri = url.parse().unwrap();
    let (method, body) = (Method::POST, Some(Body::of(&body)));
    let mix =
        Mix::new(vec![Request { weight: 1, method, uri, path: None, headers, body, judge, signer: None }]).unwrap();
    let shape = Shape { pace: Pace::Users(Users::eager(USERS)), requests: None, within: MEASURED };
    let run = drive(mix, &shape, Watch::nobody()).await.unwrap();
    println!("{}", serde_json::to_string(&run.report()).unwrap());
}

/// Says its address, and answers every request alike: what is measured is the other half.
async fn serve() {
    let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", ANSWER.len());
    let answer: Arc<str> = format!("{head}{ANSWER}").into();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let answer = answer.clone();
        tokio::spawn(async move {
            let (mut read, mut filled) = (vec![0; 16 * 1024], 0);
            while let Ok(more @ 1..) = stream.read(&mut read[filled..]).await {
                filled += more;
                if whole(&read[..filled]) {
                    filled = 0;
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
    }
}

/// Whether a request has come to its end. The driver sends one at a time.
fn whole(read: &[u8]) -> bool {
    let Some(end) = read.windows(4).position(|part| part == b"\r\n\r\n") else { return false };
    let head = std::str::from_utf8(&read[..end]).unwrap();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    read.len() >= end + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap())
}
