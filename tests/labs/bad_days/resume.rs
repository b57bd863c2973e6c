//! A paused cluster is waited for, with one line in the function's log; past the gateway's time the client hears when to come again,
//! and whether its message may be stored.

use std::time::{Duration, Instant};

use serde_json::json;

use futures_util::future::join_all;

use super::day::{Contract, Meaning};
use super::telemetry::TELEMETRY;
use super::timeseries::TIMESERIES;
use crate::labs::inventory::{get, instance, package, post};
use crate::support::Said;
use crate::support::lab::Lab;

/// What the functions say when they wait for a cluster's port.
const WAITS: &str = "waiting for it to let us in";
const COMES: &str = "let us in after";

/// A lab with one function of its name, which has so many seconds on AWS. The gateway waits a second longer.
async fn is_waited_for(contract: &'static Contract, seconds: i32, table: &str) {
    let lab = Lab::up(contract.lab);
    let ask = async |name: &str| {
        let (method, path, body) = (contract.request)(name);
        let begun = Instant::now();
        let answer = lab.send(method, &path, Some(&body.to_string())).await;
        ((contract.means)(&answer), begun.elapsed(), answer)
    };
    lab.pause(4).await;
    let (meaning, took, answer) = ask("day-first").await;
    assert!(meaning == Meaning::Stored && took > Duration::from_secs(4), "{took:?} {answer:?}");
    lab.has_said(contract.lab, COMES, 1).await;
    lab.has_said(contract.lab, WAITS, 1).await;

    // One that takes longer than the function has: of its 28 or 29 s here it has 6, the rest of the cluster's time is the same.
    let lambda = aws_sdk_lambda::Client::new(&lab.clients.sdk());
    let name = format!("{}-dev-{}", contract.lab, contract.lab);
    let known = lambda.get_function_configuration().function_name(&name).send().await.unwrap();
    assert_eq!(known.timeout(), Some(seconds), "less than the gateway's, and enough for 20 s of Aurora's resume");
    lambda.update_function_configuration().function_name(&name).timeout(6).send().await.unwrap();
    lab.pause(8).await;
    let (meaning, took, answer) = ask("day-second").await;
    assert!(meaning == Meaning::NotStored && took < Duration::from_secs(6), "{took:?} {answer:?}");
    lab.has_said(contract.lab, WAITS, 2).await;
    // The answer asks for a retry and says that it is safe.
    let (mut asked, deadline) = (1, Instant::now() + Duration::from_secs(60));
    while ask("day-second").await.0 != Meaning::Stored {
        asked += 1;
        assert!(Instant::now() < deadline, "the cluster does not come back");
    }
    assert!(lab.said(contract.lab, WAITS).await <= 2 + asked, "a line for each wait, and no more");
    let rows = lab.rows(contract.rows_by_name);
    assert_eq!(rows, ["day-first", "day-second"].map(|name| json!({"name": name, "n": contract.rows})));

    // A statement that has no answer in time: what is said of it is true.
    let held = Held::of(&lab, table).await;
    let (meaning, took, answer) = ask("day-third").await;
    let said = [Meaning::NotStored, Meaning::Unsure].contains(&meaning);
    assert!(said && took < Duration::from_secs(6), "{took:?} {answer:?}");
    held.let_go().await;
    assert_eq!(ask("day-fourth").await.0, Meaning::Stored);
    let rows = lab.rows(contract.rows_by_name);
    assert!(rows.len() >= 3 && rows.iter().all(|row| row["n"] == contract.rows), "{rows:?}");
    assert!(meaning == Meaning::Unsure || rows.iter().all(|row| row["name"] != "day-third"), "{answer:?} {rows:?}");

    // labctl's own checks wait too, and say so once.
    lab.no_faults().await;
    lab.pause(2).await;
    let said = Said::of(lab.labctl.try_run(&["validate", contract.lab, "--local"]));
    assert!(said.code == Some(0) && said.err.matches("is resuming after being auto-paused").count() == 1, "{said:?}");
    lab.no_faults().await;
    lab.down();
}

/// A transaction that lets nobody insert into a table, until it is over.
struct Held {
    data: aws_sdk_rdsdata::Client,
    arns: [String; 2],
    transaction: String,
}

impl Held {
    async fn of(lab: &Lab, table: &str) -> Self {
        let data = aws_sdk_rdsdata::Client::new(&lab.clients.sdk());
        let outputs = lab.labctl.json(&["outputs", lab.name, "--local"])["outputs"].take();
        let output = |name: &str| outputs[name].as_str().unwrap().to_owned();
        let arns = ["ClusterArn", "MasterSecretArn"].map(output);
        let begin = data.begin_transaction().database(output("ClusterDatabase"));
        let begun = begin.resource_arn(&arns[0]).secret_arn(&arns[1]).send().await.unwrap();
        let transaction = begun.transaction_id.unwrap();
        let all = data.execute_statement().sql(format!("SELECT COUNT(*) FROM {table} FOR UPDATE"));
        let all = all.resource_arn(&arns[0]).secret_arn(&arns[1]).transaction_id(&transaction);
        all.send().await.unwrap();
        Held { data, arns, transaction }
    }

    async fn let_go(self) {
        let Held { data, arns: [cluster, secret], transaction } = self;
        let rollback = data.rollback_transaction().resource_arn(cluster).secret_arn(secret);
        rollback.transaction_id(transaction).send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_waits_for_a_paused_cluster_and_past_its_time_says_what_is_safe() {
    is_waited_for(&TELEMETRY, 29, "telemetry").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timeseries_waits_for_a_paused_cluster_and_past_its_time_says_what_is_safe() {
    is_waited_for(&TIMESERIES, 28, "events").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inventory_waits_for_a_paused_cluster_and_past_the_gateways_time_a_retry_is_safe() {
    let lab = Lab::up("inventory");
    let (packages, line) = ([package("p", "v1")], "resuming after a pause; waiting for");
    lab.pause(5).await;
    let begun = Instant::now();
    assert_eq!(post(&lab, "first", &instance(&packages)).await.status, 200);
    assert!(begun.elapsed() > Duration::from_secs(4), "it was paused");
    lab.has_said("add", line, 1).await;

    // One that takes longer than the gateway waits. labctl waits for the whole of it, and says so once.
    lab.pause(35).await;
    let begun = Instant::now();
    let mut sql = lab.labctl.command(&["sql", "inventory", "--local", "-e", "SELECT COUNT(*) AS n FROM ec2"]);
    let sql = std::thread::spawn(move || sql.output().unwrap());
    let answer = post(&lab, "second", &instance(&packages)).await;
    assert!(answer.status == 503 && begun.elapsed() < Duration::from_secs(29), "{:?} {answer:?}", begun.elapsed());
    assert_eq!(answer.header("Retry-After"), Some("5"));
    assert!(answer.body.contains("resuming after a pause; nothing was stored"), "{answer:?}");
    assert_eq!(post(&lab, "second", &instance(&packages)).await.status, 200, "the second waits for the rest");
    assert_eq!(get(&lab, "second").await["record"]["packages"], json!(packages));
    lab.has_said("add", line, 3).await;
    let said = Said::of(sql.join().unwrap());
    assert!(said.code == Some(0) && begun.elapsed() > Duration::from_secs(35), "{said:?}");
    assert_eq!(said.err.matches("is resuming after being auto-paused").count(), 1, "{said:?}");
    lab.no_faults().await;

    // Every third call is refused: nobody notices.
    lab.fault(&json!({"fault": "throttle", "service": "rds-data", "rate": 0.3})).await;
    let posts = (0..12).map(async |at| post(&lab, &format!("throttled-{at}"), &instance(&packages)).await.status);
    assert_eq!(join_all(posts).await, [200; 12]);
    lab.no_faults().await;
    lab.down();
}
