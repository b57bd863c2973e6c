//! The inventory lab: the Data API throttled and a cluster that pauses; its transactions have many statements.

use serde_json::{Value, json};

use super::day::{Contract, Meaning, bad_day, body};
use crate::labs::inventory::{instance, package};
use crate::support::Answer;

pub(super) const INVENTORY: Contract = Contract {
    lab: "inventory",
    request: |name| {
        let packages: Vec<Value> = (0..20).map(|at| package(&format!("day-{at}"), "v1")).collect();
        ("POST", format!("/ec2/{name}"), instance(&packages))
    },
    means,
    documented: &["503"],
    rows_by_name: "SELECT e.aws_instance_id AS name, COUNT(p.package_name) AS n FROM ec2 AS e \
                   LEFT JOIN ec2_package AS p ON p.aws_instance_id = e.aws_instance_id \
                   WHERE e.aws_instance_id LIKE 'day-%' GROUP BY e.aws_instance_id",
    rows: 20,
    loaded: "SELECT COUNT(*) AS n FROM ec2 WHERE aws_instance_id LIKE 'load-%'",
    users: "12",
};

fn means(answer: &Answer) -> Meaning {
    let told = body(answer)["error_message"].as_str().unwrap_or_default().to_owned();
    match answer.status {
        200 => Meaning::Stored,
        400 if told.contains("Duplicate entry") => Meaning::Known,
        503 if answer.header("Retry-After") == Some("5") => match () {
            () if told.contains("nothing was stored; try again") => Meaning::NotStored,
            () if told.contains("sending it again does no harm") => Meaning::Perhaps,
            // The gateway's own: the function is gone, and its transaction keeps the id for three minutes.
            () if told.contains("the request may have been stored, GET tells") => Meaning::Unsure,
            () => panic!("{answer:?}"),
        },
        _ => panic!("{answer:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_day_of_the_inventory_under_load_loses_nothing_and_stores_nothing_in_part() {
    let evening = bad_day(&INVENTORY).await;
    let counts = evening.lab.rows(
        "SELECT COUNT(*) AS n FROM ec2 AS e WHERE aws_instance_id LIKE 'load-%' AND \
         (SELECT COUNT(*) FROM ec2_package AS p WHERE p.aws_instance_id = e.aws_instance_id) <> 10",
    );
    assert_eq!(counts, [json!({"n": 0})], "instances of the load are whole: {:?}", evening.load);
    evening.lab.down();
}
