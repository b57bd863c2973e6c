//! The timeseries lab: a message of several values is stored whole or not at all.

use serde_json::{Value, json};

use super::day::{Contract, Meaning, bad_day, body};
use crate::support::Answer;

pub(super) const TIMESERIES: Contract = Contract {
    lab: "timeseries",
    request: |name| {
        let one = json!({"ep": name, "path": "/3200/0/5501", "ct": "text/plain", "payload": "MQ==", "max-age": "0"});
        // Three statements, in a transaction.
        ("PUT", "/webhook".to_owned(), json!({"notifications": vec![one; 7]}))
    },
    means,
    documented: &["503", "429"],
    rows_by_name: "SELECT board AS name, COUNT(*) AS n FROM events WHERE board LIKE 'day-%' GROUP BY board",
    rows: 7,
    loaded: "SELECT COUNT(*) DIV 3 AS n FROM events WHERE board LIKE 'load-%'",
    users: "12",
};

fn means(answer: &Answer) -> Meaning {
    let body = body(answer);
    let told = body["message"].as_str().unwrap_or_default();
    match answer.status {
        200 if body == json!({"stored": 7}) => Meaning::Stored,
        429 => Meaning::NotStored,
        503 if answer.header("Retry-After") == Some("15") => match () {
            () if told.contains("nothing is stored; try again") => Meaning::NotStored,
            // The function's, or the gateway's own: the function is gone.
            () if told.contains("may be stored or not") || told.contains("may have been stored") => Meaning::Unsure,
            () => panic!("{answer:?}"),
        },
        _ => panic!("{answer:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_of_timeseries_under_load_loses_nothing_and_stores_nothing_in_part() {
    let evening = bad_day(&TIMESERIES).await;
    let sensors = "SELECT COUNT(*) AS n FROM events WHERE board LIKE 'load-%' GROUP BY sensor";
    let sensors = evening.lab.rows(sensors);
    let same = sensors.len() == 3 && sensors.iter().all(|row: &Value| row == &sensors[0]);
    assert!(same, "each message of the load has one value of each sensor: {sensors:?} {:?}", evening.load);
    evening.lab.down();
}
