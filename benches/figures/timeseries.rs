//! The timeseries lab: 10,000 notifications in one call of its webhook.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use labctl::engine::http::HttpClient;
use serde_json::json;

use super::cloud::Cloud;
use super::{Figure, millis, p50, processes::Cost};

const NOTIFICATIONS: usize = 10_000;
const CALLS: usize = 20;

/// Brings the lab up, sends the same message again and again, looks that all of it was stored, and takes the lab down.
pub(crate) async fn measure(cloud: &Cloud, table: &mut Vec<Figure>) {
    cloud.run(&["up", "timeseries", "--local", "--yes", "--set", "ApiAccess=public"]);
    let outputs = cloud.json(&["outputs", "timeseries", "--local", "--output", "json"]);
    let url = format!("{}/webhook", outputs["outputs"]["ApiUrl"].as_str().unwrap());
    let (client, body) = (HttpClient::new().unwrap(), message());
    let pid = cloud.pid();
    let send = async || {
        let request = Request::put(&url).header("content-type", "application/json");
        let begun = Instant::now();
        let answer = client.send(request.body(Full::new(body.clone())).unwrap()).await.unwrap();
        assert_eq!(answer.body().as_ref(), format!("{{\"stored\":{NOTIFICATIONS}}}").as_bytes());
        begun.elapsed()
    };
    send().await;
    let before = Cost::of(pid);
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..CALLS {
        took.push(send().await);
    }
    let cost = Cost::of(pid).per_request(&before, CALLS as u64);
    let count = ["sql", "timeseries", "--local", "--output", "json", "-e", "SELECT COUNT(*) AS n FROM events"];
    assert_eq!(cloud.json(&count)["rows"][0]["n"], (CALLS + 1) * NOTIFICATIONS);
    let slowest = took.iter().max().copied().unwrap_or_default();
    table.push(Figure {
        what: "10,000 notifications in one `PUT /webhook`, p50 of 20",
        measured: format!("{} (slowest {})", millis(p50(&mut took)), millis(slowest)),
        target: "500 ms",
        cost,
        ..Figure::default()
    });
    cloud.run(&["down", "timeseries", "--local", "--yes"]);
}

fn message() -> Bytes {
    let notification = |number: usize| {
        json!({
            "ep": format!("board-{:03}", number % 100), "path": format!("/3200/{}/5501", number % 7), "ct": "text/plain",
            "payload": STANDARD.encode(format!("{:.3}", number as f64 / 8.0)), "max-age": "0",
        })
    };
    json!({"notifications": (0..NOTIFICATIONS).map(notification).collect::<Vec<_>>()}).to_string().into()
}
