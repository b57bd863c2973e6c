//! The inventory lab on bad days: engines and functions killed, the Data API throttled, the cluster paused.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use super::inventory::{get, instance, package, post};
use crate::support::lab::Lab;
use crate::support::processes::{DATABASES, children, kill, send};

/// The processes of the lab's functions.
fn functions(lab: &Lab) -> Vec<Pid> {
    let home = lab.labctl.home().canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ours = processes.filter(|process| {
        let program = std::fs::read_link(process.path().join("exe")).unwrap_or_default();
        program.starts_with(&home) && program.file_name().is_some_and(|name| name == "bootstrap")
    });
    ours.filter_map(|process| process.file_name().to_str()?.parse().ok().and_then(Pid::from_raw)).collect()
}

/// A day on which things go wrong.
#[derive(Default)]
struct Day {
    over: AtomicBool,
    /// Functions are killed: the Data API keeps the transaction of one for three minutes, and its id is locked.
    leave_ids: AtomicBool,
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Day {
    fn is(flag: &AtomicBool) -> bool {
        flag.load(Ordering::Relaxed)
    }

    /// Waits for more posts to be acknowledged.
    async fn more(&self) {
        let count = || self.acknowledged.lock().unwrap().len();
        let (wanted, deadline) = (count() + 20, Instant::now() + Duration::from_secs(90));
        while count() < wanted {
            assert!(Instant::now() < deadline, "posts do not go on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Posts until the day is over.
    async fn post(&self, lab: &Lab, client: usize) {
        for at in 0.. {
            let id = format!("w{client}-{at}");
            let mut unsure = false;
            while !Self::is(&self.over) {
                let answer = post(lab, &id, &instance(&day_packages())).await;
                match answer.status {
                    200 => {}
                    // One whose answer was lost may be there.
                    400 if unsure && answer.body.contains("Duplicate entry") => {}
                    503 => {
                        unsure = true;
                        let told = answer.header("Retry-After").is_some() && answer.body.contains("error_message");
                        assert!(told, "{answer:?}");
                        if Self::is(&self.leave_ids) {
                            break;
                        }
                        continue;
                    }
                    _ => panic!("{answer:?}"),
                }
                self.acknowledged.lock().unwrap().insert(id);
                break;
            }
            if Self::is(&self.over) {
                return;
            }
        }
    }
}

fn day_packages() -> Vec<Value> {
    (0..20).map(|at| package(&format!("day-{at}"), "v1")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_and_functions_killed_under_load_lose_nothing_and_store_nothing_in_part() {
    let (lab, day) = (Lab::up("inventory"), Day::default());
    assert_eq!(post(&lab, "first", &instance(&day_packages())).await.status, 200);
    let killer = async {
        for _ in 0..2 {
            day.more().await;
            kill(lab.clients.home(), DATABASES);
        }
        day.more().await;
        day.leave_ids.store(true, Ordering::Relaxed);
        for _ in 0..2 {
            day.more().await;
            let functions = functions(&lab);
            assert!(!functions.is_empty());
            send(Signal::KILL, &functions);
        }
        day.more().await;
        day.over.store(true, Ordering::Relaxed);
    };
    tokio::join!(killer, join_all((0..4).map(|client| day.post(&lab, client))));

    let rows = lab.rows(
        "SELECT e.aws_instance_id AS id, COUNT(p.package_name) AS packages FROM ec2 AS e \
         LEFT JOIN ec2_package AS p ON p.aws_instance_id = e.aws_instance_id GROUP BY e.aws_instance_id",
    );
    let whole = rows.iter().filter(|row| row["packages"] == 20);
    let kept: BTreeSet<String> = whole.map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kept.len(), rows.len(), "nothing is stored in part: {rows:?}");
    let done = day.acknowledged.lock().unwrap().clone();
    let lost: Vec<_> = done.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged are lost: {lost:?}", lost.len(), done.len());
    lab.down();
}

/// Pauses the cluster, and makes it take so long to come back.
async fn pause(lab: &Lab, resume_takes: u32) {
    lab.fault(&json!({"fault": "pause-after", "seconds": 0.2})).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !children(lab.clients.home(), DATABASES).is_empty() {
        assert!(Instant::now() < deadline, "the cluster does not pause");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lab.no_faults().await;
    lab.fault(&json!({"fault": "resume-delay", "seconds": resume_takes})).await;
}

/// How often the function that adds has said something.
async fn said(lab: &Lab, part: &str) -> usize {
    let logs = aws_sdk_cloudwatchlogs::Client::new(&lab.clients.sdk());
    let events = logs.filter_log_events().log_group_name("/aws/lambda/inventory-dev-add").send().await.unwrap();
    events.events().iter().filter(|event| event.message().is_some_and(|line| line.contains(part))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_cluster_is_waited_for_and_past_the_gateways_time_a_retry_is_safe() {
    let lab = Lab::up("inventory");
    let (packages, line) = ([package("p", "v1")], "resuming after a pause; waiting for");
    pause(&lab, 5).await;
    let begun = Instant::now();
    assert_eq!(post(&lab, "first", &instance(&packages)).await.status, 200);
    assert!(begun.elapsed() > Duration::from_secs(4), "it was paused");
    let deadline = Instant::now() + Duration::from_secs(20);
    while said(&lab, line).await == 0 {
        assert!(Instant::now() < deadline, "no log line");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(said(&lab, line).await, 1, "one line for one wait");

    // One that takes longer than the gateway waits.
    pause(&lab, 35).await;
    let begun = Instant::now();
    let answer = post(&lab, "second", &instance(&packages)).await;
    assert!(answer.status == 503 && begun.elapsed() < Duration::from_secs(29), "{:?} {answer:?}", begun.elapsed());
    assert_eq!(answer.header("Retry-After"), Some("5"));
    assert!(answer.body.contains("resuming after a pause; nothing was stored"), "{answer:?}");
    assert_eq!(post(&lab, "second", &instance(&packages)).await.status, 200, "the second waits for the rest");
    assert_eq!(get(&lab, "second").await["record"]["packages"], json!(packages));
    lab.no_faults().await;

    // Every third call is refused: nobody notices.
    lab.fault(&json!({"fault": "throttle", "service": "rds-data", "rate": 0.3})).await;
    let posts = (0..12).map(async |at| post(&lab, &format!("throttled-{at}"), &instance(&packages)).await.status);
    assert_eq!(join_all(posts).await, [200; 12]);
    lab.no_faults().await;
    lab.down();
}
