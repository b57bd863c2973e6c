//! A cluster of minimum capacity 0 that nobody uses.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::Database;
use crate::drill::Drill;
use crate::services::rds::tests::World;

impl Database {
    fn state(&self) -> Value {
        self.world.cloud.service("rds").unwrap().status()["lab"].clone()
    }

    async fn until(&self, state: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.state() != state {
            assert!(Instant::now() < deadline, "{} and not {state}", self.state());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Lets the time go by after which it pauses, until it has.
    async fn pause(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.state() != "paused" || !self.world.processes().is_empty() {
            assert!(Instant::now() < deadline, "{}, {:?}", self.state(), self.world.processes());
            if self.state() == "available" {
                self.world.cloud.clock.advance_millis(300_000);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What `DescribeEvents` tells of its pauses.
    async fn told(&self) -> Vec<String> {
        let input = json!({"SourceType": "db-instance", "EventCategories": ["serverless"], "Duration": 20_160});
        let events = self.world.call("DescribeEvents", input).await.unwrap();
        let messages = events["Events"].as_array().unwrap().iter();
        messages
            .map(|event| event["Message"].as_str().unwrap().trim_end_matches(" the DB instance.").to_owned())
            .collect()
    }

    /// Calls until the cluster has resumed; gives how often it had not, and the last refusal.
    async fn patiently(&self, sql: &str) -> (Value, usize, String) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let (mut refusals, mut said) = (0, String::new());
        loop {
            match self.call("ExecuteStatement", json!({"sql": sql, "database": "lab"})).await {
                Ok(answer) => return (answer["records"][0][0].clone(), refusals, said),
                Err(fault) => {
                    assert_eq!(fault.code, "DatabaseResumingException", "{fault}");
                    (refusals, said) = (refusals + 1, fault.message);
                }
            }
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_engine_ends_and_the_data_api_starts_it_again_with_all_it_held() {
    let database = Database::timeless().await;
    let cluster = database.cluster().await;
    assert_eq!(cluster["ServerlessV2ScalingConfiguration"]["SecondsUntilAutoPause"], 300);
    database.run("CREATE TABLE t (n INT)").await;
    database.run("INSERT INTO t VALUES (7)").await;
    database.pause().await;
    assert_eq!(database.cluster().await["Status"], "available", "as AWS shows it");
    let told = database.told().await;
    assert_eq!(told, ["Initiated pause for", "Successfully paused"]);
    let (found, refusals, said) = database.patiently("SELECT n FROM t").await;
    assert_eq!(found, json!({"longValue": 7}));
    assert!(refusals > 0);
    let instance = database.world.call("DescribeDBInstances", json!({})).await.unwrap();
    let instance = instance["DBInstances"][0]["DbiResourceId"].as_str().unwrap().to_owned();
    let expected = format!(
        "The Aurora DB instance {instance} is resuming after being auto-paused. Please wait a few seconds and try again."
    );
    assert_eq!(said, expected);
    let deadline = Instant::now() + Duration::from_secs(20);
    while database.told().await.len() < 4 {
        assert!(Instant::now() < deadline, "{:?}", database.told().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(database.told().await[2..], ["Initiated resume for", "Successfully resumed"]);
    // A second time, with connections in the pool that died with the engine.
    database.pause().await;
    assert_eq!(database.patiently("SELECT COUNT(*) FROM t").await.0, json!({"longValue": 1}));
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_keeps_it_awake_and_wakes_it_and_waits() {
    let database = Database::timeless().await;
    let cluster = database.cluster().await;
    let port = u16::try_from(cluster["Port"].as_u64().unwrap()).unwrap();
    let there = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // The login of a client that says nothing is given up after 10 s; until then it is one.
    let idle = tokio::time::timeout(Duration::from_secs(1), database.pause()).await;
    assert!(idle.is_err(), "it paused although somebody was there");
    drop(there);
    database.pause().await;
    database.world.cloud.drills.add(Drill::ResumeDelay { seconds: 1.0 }).unwrap();
    let begun = Instant::now();
    let login = database.world.mysql(&cluster, "admin", "wrong", &["-e", "SELECT 1"]).await;
    let said = String::from_utf8_lossy(&login.stderr).into_owned();
    // Its password is wrong, and still it wakes the cluster and waits, as on AWS.
    assert!(said.contains("1045") && begun.elapsed() >= Duration::from_secs(1), "{said}");
    database.until("available").await;
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_still_runs_cancels_the_pause() {
    let database = Database::timeless().await;
    let begun = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
    let within = |sql: &str| json!({"sql": sql, "transactionId": begun["transactionId"]});
    database.run("CREATE TABLE t (n INT)").await;
    database.call("ExecuteStatement", within("INSERT INTO t VALUES (1)")).await.unwrap();
    database.world.cloud.drills.add(Drill::PauseAfter { seconds: 0.0 }).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !database.told().await.iter().any(|told| told == "Pause was canceled for") {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    database.world.cloud.drills.clear(None);
    database.call("CommitTransaction", json!({"transactionId": begun["transactionId"]})).await.unwrap();
    assert_eq!(database.patiently("SELECT n FROM t").await.0, json!({"longValue": 1}));
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_local_cloud_leaves_it_paused_and_a_change_wakes_it() {
    let database = Database::timeless().await;
    database.run("CREATE TABLE t (n INT)").await;
    database.pause().await;
    let (arn, secret) = (database.arn.clone(), database.secret.clone());
    let world = World::timeless(database.world.close().await).await;
    let database = Database { world, arn, secret };
    assert_eq!(database.state(), "paused");
    assert_eq!(database.cluster().await["Status"], "available");
    assert_eq!(database.world.processes(), Vec::<String>::new(), "its engine stays where it was");
    let scaling = json!({"MinCapacity": 0.5, "MaxCapacity": 1});
    let input = json!({"DBClusterIdentifier": "lab", "ServerlessV2ScalingConfiguration": scaling});
    let changed = database.world.call("ModifyDBCluster", input).await.unwrap();
    assert_eq!(
        changed["DBCluster"]["ServerlessV2ScalingConfiguration"],
        json!({"MinCapacity": 0.5, "MaxCapacity": 1.0})
    );
    assert_eq!(database.patiently("SELECT COUNT(*) FROM t").await.0, json!({"longValue": 0}));
    database.world.cloud.clock.advance_millis(86_400_000);
    assert_eq!(database.state(), "available", "it is none that pauses any more");
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_paused_can_be_stopped_started_and_deleted() {
    let database = Database::timeless().await;
    database.pause().await;
    let named = json!({"DBClusterIdentifier": "lab"});
    database.world.call("StopDBCluster", named.clone()).await.unwrap();
    database.world.until("stopped").await;
    let refused = database.refused("ExecuteStatement", json!({"sql": "SELECT 1"})).await;
    assert_eq!(refused.0, "InvalidResourceStateException");
    database.world.call("StartDBCluster", named).await.unwrap();
    database.until("available").await;
    database.run("SELECT 1").await;
    database.pause().await;
    database.world.call("DeleteDBInstance", json!({"DBInstanceIdentifier": "one"})).await.unwrap();
    let refused = database.refused("ExecuteStatement", json!({"sql": "SELECT 1"})).await;
    assert_eq!(refused.0, "DatabaseNotFoundException");
    let input = json!({"DBClusterIdentifier": "lab", "SkipFinalSnapshot": true});
    database.world.call("DeleteDBCluster", input).await.unwrap();
    database.world.until_gone().await;
    database.world.close().await;
}
