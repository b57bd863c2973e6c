//! The telemetry lab: one row per request, and roll-ups that must not drift from the rows.

use serde_json::json;

use super::day::{Contract, Meaning, bad_day, body};
use crate::labs::telemetry::{MORE_MINUTES, MORE_TOTALS, WRONG_MINUTES, WRONG_TOTALS};
use crate::support::Answer;

pub(super) const TELEMETRY: Contract = Contract {
    lab: "telemetry",
    request: |name| {
        let message =
            json!({"timestamp": "2023-03-08T17:04:50Z", "device_id": name, "memory_usage": 0.25, "cpu_usage": 0.5});
        ("POST", "/telemetry".to_owned(), message)
    },
    means,
    documented: &["503", "500"],
    rows_by_name: "SELECT device_id AS name, COUNT(*) AS n FROM telemetry WHERE device_id LIKE 'day-%' GROUP BY device_id",
    rows: 1,
    loaded: "SELECT COUNT(*) AS n FROM telemetry WHERE device_id LIKE 'abc%'",
    users: "16",
};

fn means(answer: &Answer) -> Meaning {
    let body = body(answer);
    let told = body["error"].as_str().unwrap_or_default();
    match answer.status {
        200 if body == json!({"success": true, "error": null}) => Meaning::Stored,
        503 if answer.header("Retry-After") == Some("2") => match () {
            () if told.contains("nothing was stored, try again") => Meaning::NotStored,
            () if told.contains("may be stored or not") => Meaning::Unsure,
            () => panic!("{answer:?}"),
        },
        // The gateway's own: the function is gone.
        500 if body == json!({"message": "Internal Server Error"}) => Meaning::Unsure,
        _ => panic!("{answer:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_of_telemetry_under_load_loses_nothing_and_its_roll_ups_stay_right() {
    let evening = bad_day(&TELEMETRY).await;
    for statement in [WRONG_MINUTES, WRONG_TOTALS, MORE_MINUTES, MORE_TOTALS] {
        assert_eq!(evening.lab.rows(statement), [json!({"n": 0})], "{statement}");
    }
    evening.lab.down();
}
