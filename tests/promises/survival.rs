//! What was acknowledged outlives the process, however it ends: the local cloud's own, and the engines'.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_cloudformation::types::StackStatus;
use aws_sdk_s3::primitives::ByteStream;
use labctl::local::Found;
use mysql_async::prelude::Queryable;
use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::processes::{DATABASES, kill};
use crate::support::{LocalCloud, LocalProgram};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_cloud_comes_back_with_what_it_acknowledged_and_a_stopped_one_leaves_no_trace() {
    let home = tempfile::Builder::new().prefix("lc").tempdir().unwrap();
    let first = LocalProgram::start(home.path()).await;
    let iam = aws_sdk_iam::Client::new(&first.sdk());
    iam.create_role().role_name("kept").assume_role_policy_document(TRUST).send().await.unwrap();
    first.kill().await;
    assert_eq!(Found::find(home.path()).unwrap(), None);
    let second = LocalProgram::start(home.path()).await;
    let iam = aws_sdk_iam::Client::new(&second.sdk());
    assert_eq!(iam.get_role().role_name("kept").send().await.unwrap().role().unwrap().role_name(), "kept");
    assert!(second.stop().await);
    assert_eq!(Found::find(home.path()).unwrap(), None);
}

/// What clients have been told is done, and whether they go on.
#[derive(Default)]
struct Told {
    done: Mutex<BTreeSet<String>>,
    refusals: Mutex<BTreeSet<String>>,
    over: AtomicBool,
}

impl Told {
    fn done(&self, what: String) {
        self.done.lock().unwrap().insert(what);
    }

    fn refused(&self, why: String) {
        self.refusals.lock().unwrap().insert(why);
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn count(&self) -> usize {
        self.done.lock().unwrap().len()
    }

    /// Waits until so many more things are done.
    async fn more(&self, count: usize) {
        let (wanted, deadline) = (self.count() + count, Instant::now() + Duration::from_secs(60));
        while self.count() < wanted {
            assert!(Instant::now() < deadline, "nothing goes on: {:?}", self.refusals.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Inserts names over the front door until told to stop, over new connections when the old one is gone.
async fn insert_by_driver(cluster: Arc<Cluster>, told: Arc<Told>, who: usize) {
    let mut conn = None;
    for at in 0.. {
        if !told.goes_on() {
            return;
        }
        let name = format!("driver-{who}-{at}");
        let open = match conn.take() {
            Some(open) => Ok(open),
            None => cluster.connect().await,
        };
        let inserted = match open {
            Ok(mut open) => open.exec_drop("INSERT INTO t (name) VALUES (?)", (&name,)).await.map(|()| open),
            Err(error) => Err(error),
        };
        match inserted {
            Ok(open) => {
                told.done(name);
                conn = Some(open);
            }
            Err(mysql_async::Error::Server(error)) => told.refused(format!("server {}", error.code)),
            Err(_) => told.refused("connection lost".into()),
        }
    }
}

/// The same over the Data API.
async fn insert_by_data_api(cluster: Arc<Cluster>, client: aws_sdk_rdsdata::Client, told: Arc<Told>, who: usize) {
    for at in 0.. {
        if !told.goes_on() {
            return;
        }
        let name = format!("data-{who}-{at}");
        let statement =
            client.execute_statement().resource_arn(&cluster.arn).secret_arn(&cluster.secret).database("lab");
        let sent = statement.sql(format!("INSERT INTO t (name) VALUES ('{name}')")).send().await;
        match sent {
            Ok(_) => told.done(name),
            Err(error) => {
                let status = error.raw_response().map_or(0, |answer| answer.status().as_u16());
                let error = error.into_service_error();
                told.refused(format!("data {status} {}", error.meta().code().unwrap_or_default()));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_engine_killed_under_load_comes_back_with_every_acknowledged_row() {
    let cloud = LocalCloud::start_with_engines().await;
    let cluster = Arc::new(Cluster::create(&cloud).await);
    let mut conn = cluster.connect().await.unwrap();
    conn.query_drop("CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40) UNIQUE)").await.unwrap();
    let told = Arc::new(Told::default());
    let client = aws_sdk_rdsdata::Client::new(&cloud.sdk());
    let mut clients = tokio::task::JoinSet::new();
    for who in 0..3 {
        clients.spawn(insert_by_driver(cluster.clone(), told.clone(), who));
        clients.spawn(insert_by_data_api(cluster.clone(), client.clone(), told.clone(), who));
    }
    for _ in 0..3 {
        told.more(60).await;
        kill(cloud.home(), DATABASES);
    }
    told.more(60).await;
    told.stop();
    clients.join_all().await;
    let mut conn = cluster.connect().await.unwrap();
    let rows: BTreeSet<String> = conn.query("SELECT name FROM t").await.unwrap().into_iter().collect();
    let done = told.done.lock().unwrap().clone();
    let lost: Vec<_> = done.difference(&rows).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged rows are lost: {lost:?}", lost.len(), done.len());
    // What was refused was refused in documented words: 2013's kin on a connection, 1053 at a login, 504 of the Data API.
    for refusal in told.refusals.lock().unwrap().iter() {
        let known = ["connection lost", "server 1053", "server 1927", "data 504 DatabaseUnavailableException"];
        assert!(known.contains(&refusal.as_str()), "{refusal}");
    }
    cloud.stop().await;
}

/// What the object `key` holds: its name, over and over, of a length that differs from key to key.
fn content(key: &str) -> Vec<u8> {
    let number: usize = key.rsplit('-').next().unwrap().parse().unwrap();
    let length = if number.is_multiple_of(7) { 1_500_000 } else { 100 + number * 331 % 20_000 };
    key.bytes().cycle().take(length).collect()
}

async fn put_objects(s3: aws_sdk_s3::Client, told: Arc<Told>, who: usize) {
    for at in 0.. {
        let key = format!("object-{who}-{at}");
        match s3.put_object().bucket("load").key(&key).body(ByteStream::from(content(&key))).send().await {
            Ok(_) => told.done(key),
            Err(_) => return,
        }
    }
}

async fn put_records(cloud: aws_config::SdkConfig, told: Arc<Told>) {
    let (iam, secrets) = (aws_sdk_iam::Client::new(&cloud), aws_sdk_secretsmanager::Client::new(&cloud));
    for at in 0.. {
        let (role, secret) = (format!("role-{at}"), format!("secret-{at}"));
        if iam.create_role().role_name(&role).assume_role_policy_document(TRUST).send().await.is_err() {
            return;
        }
        told.done(role);
        if secrets.create_secret().name(&secret).secret_string(&secret).send().await.is_err() {
            return;
        }
        told.done(secret);
    }
}

async fn put_stacks(cloud: aws_config::SdkConfig, told: Arc<Told>) {
    let stacks = aws_sdk_cloudformation::Client::new(&cloud);
    let template =
        json!({"Resources": {"B": {"Type": "AWS::S3::Bucket"}, "C": {"Type": "AWS::S3::Bucket", "DependsOn": "B"}}});
    for at in 0..12 {
        let stack = format!("stack-{at}");
        if stacks.create_stack().stack_name(&stack).template_body(template.to_string()).send().await.is_err() {
            return;
        }
        told.done(stack);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_killed_under_load_has_every_acknowledged_object_secret_role_and_stack() {
    let home = tempfile::Builder::new().prefix("lc").tempdir().unwrap();
    let mut cloud = LocalProgram::start(home.path()).await;
    aws_sdk_s3::Client::new(&cloud.sdk()).create_bucket().bucket("load").send().await.unwrap();
    let told = Arc::new(Told::default());
    let mut seen = 0;
    for round in 0..3 {
        let mut clients = tokio::task::JoinSet::new();
        for who in 0..3 {
            clients.spawn(put_objects(aws_sdk_s3::Client::new(&cloud.sdk()), told.clone(), round * 3 + who));
        }
        if round == 0 {
            clients.spawn(put_records(cloud.sdk(), told.clone()));
            clients.spawn(put_stacks(cloud.sdk(), told.clone()));
        }
        told.more(80).await;
        cloud.kill().await;
        clients.join_all().await;
        cloud = LocalProgram::start(home.path()).await;
        seen = survived(&cloud, &told).await;
    }
    assert!(seen >= 240, "{seen}");
    cloud.is_calm();
    assert!(cloud.stop().await);
}

/// Looks at everything that was acknowledged, and that nothing is there by halves; gives how much it was.
async fn survived(cloud: &LocalProgram, told: &Told) -> usize {
    let s3 = aws_sdk_s3::Client::new(&cloud.sdk());
    let (iam, secrets) = (aws_sdk_iam::Client::new(&cloud.sdk()), aws_sdk_secretsmanager::Client::new(&cloud.sdk()));
    let stacks = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    let done = told.done.lock().unwrap().clone();
    let mut listed = BTreeSet::new();
    let mut pages = s3.list_objects_v2().bucket("load").into_paginator().send();
    while let Some(page) = pages.next().await {
        listed.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    for name in &done {
        match name.split('-').next().unwrap() {
            "object" => assert!(listed.contains(name), "{name} is lost"),
            "role" => assert!(iam.get_role().role_name(name).send().await.is_ok(), "{name} is lost"),
            "secret" => {
                let secret = secrets.get_secret_value().secret_id(name).send().await.unwrap();
                assert_eq!(secret.secret_string(), Some(name.as_str()));
            }
            _ => settled(&stacks, name).await,
        }
    }
    for key in &listed {
        let object = s3.get_object().bucket("load").key(key).send().await.unwrap().body.collect().await.unwrap();
        assert!(object.into_bytes() == content(key), "{key} is not what was put there");
    }
    done.len()
}

/// Waits until a stack is what it was meant to be.
async fn settled(stacks: &aws_sdk_cloudformation::Client, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = stacks.describe_stacks().stack_name(name).send().await.unwrap();
        match found.stacks()[0].stack_status() {
            Some(StackStatus::CreateComplete) => return,
            Some(StackStatus::CreateInProgress) => assert!(Instant::now() < deadline, "{name} never ends"),
            other => panic!("{name} is {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
