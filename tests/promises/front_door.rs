//! A cluster's port and clients that are no clients: noise, silence, too many, gone half-way; and S3 objects that hold nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use mysql_async::prelude::Queryable;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::support::LocalCloud;
use crate::support::clients::Clients;
use crate::support::cluster::Cluster;

/// A connection that has read the greeting.
fn greeted(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    let mut greeting = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8];
    stream.read_exact(&mut greeting).unwrap();
    assert_eq!(greeting[0], 10, "a greeting of protocol 10");
    stream
}

/// Sends `bytes` after the greeting; all that comes back until the connection is closed.
fn say(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = greeted(port);
    // It may be refused before all of it is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

async fn works(cluster: &Cluster) {
    let mut conn = cluster.connect().await.unwrap();
    assert_eq!(conn.query_first::<u8, _>("SELECT 7").await.unwrap(), Some(7));
    conn.disconnect().await.unwrap();
}

/// How many connections of clients the engine has; the asking one is left out.
async fn connections(conn: &mut mysql_async::Conn) -> u64 {
    let count = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER NOT IN ('rdsadmin', 'event_scheduler', 'system user')";
    conn.query_first(count).await.unwrap().unwrap()
}

async fn until_alone(conn: &mut mysql_async::Conn) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while connections(conn).await > 0 {
        assert!(Instant::now() < deadline, "{} connections are left in the engine", connections(conn).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_and_half_a_login_are_answered_as_mysql_does_and_cost_nobody_anything() {
    let cloud = LocalCloud::start_with_engines().await;
    let cluster = Cluster::create(&cloud).await;
    let port = cluster.port;
    let bad = |bytes: Vec<u8>| tokio::task::spawn_blocking(move || say(port, &bytes));
    let login = [&[0x85, 0xa6, 0xff, 0x01][..], &[0; 28]].concat();
    for noise in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 4096],
        // A packet of 16 MB that never comes.
        vec![0xff, 0xff, 0xff, 0x01],
        // Empty, cut short, of the protocol before 4.1, and one that promises more than it holds.
        vec![0, 0, 0, 1],
        vec![4, 0, 0, 1, 0x85, 0xa6, 0xff, 0x01],
        vec![5, 0, 0, 1, 0x05, 0, 0, 0, b'x'],
        [&[36, 0, 0, 1][..], &login, b"adm\xfe"].concat(),
    ] {
        let answer = bad(noise.clone()).await.unwrap();
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(text.contains("#08S01Bad handshake") || text.contains("#28000Access denied"), "{noise:?}: {text:?}");
    }
    // TLS that is none.
    let ask_for_tls = [&[32, 0, 0, 1, 0x85, 0xae, 0xff, 0x01][..], &[0; 28], b"no hello at all"].concat();
    bad(ask_for_tls).await.unwrap();
    works(&cluster).await;
    let mut conn = cluster.connect().await.unwrap();
    until_alone(&mut conn).await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_silent_connections_starve_nobody_and_are_closed() {
    let cloud = LocalCloud::start_with_engines().await;
    let cluster = Cluster::create(&cloud).await;
    let port = cluster.port;
    let silent =
        tokio::task::spawn_blocking(move || (0..500).map(|_| greeted(port)).collect::<Vec<_>>()).await.unwrap();
    works(&cluster).await;
    let rds_data = aws_sdk_rdsdata::Client::new(&cloud.sdk());
    let statement = rds_data.execute_statement().resource_arn(&cluster.arn).secret_arn(&cluster.secret).sql("SELECT 1");
    statement.send().await.unwrap();
    // A login may take ten seconds, as MySQL's `connect_timeout` has it.
    let closed = tokio::task::spawn_blocking(move || {
        for mut stream in silent {
            let mut rest = Vec::new();
            assert!(stream.read_to_end(&mut rest).is_ok(), "a silent connection is still open");
        }
    });
    closed.await.unwrap();
    let mut conn = cluster.connect().await.unwrap();
    until_alone(&mut conn).await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_half_way_through_a_result_leaves_no_connection() {
    let cloud = LocalCloud::start_with_engines().await;
    let cluster = Cluster::create(&cloud).await;
    for _ in 0..10 {
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)";
        let endless = format!("{numbers} SELECT REPEAT('x', 10000) FROM n a, n b");
        let mut client = cluster.mysql(&endless).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut rows = [0; 100_000];
        client.stdout.as_mut().unwrap().read_exact(&mut rows).await.unwrap();
        client.kill().await.unwrap();
    }
    let mut conn = cluster.connect().await.unwrap();
    until_alone(&mut conn).await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_gets_mysqls_own_error() {
    let cloud = LocalCloud::start_with_engines().await;
    let cluster = Cluster::with_parameters(&cloud, &[("max_connections", "40")]).await;
    let mut held = vec![cluster.connect().await.unwrap()];
    let most: usize = held[0].query_first("SELECT @@max_connections").await.unwrap().unwrap();
    let refused = loop {
        match cluster.connect().await {
            Ok(conn) => held.push(conn),
            Err(mysql_async::Error::Server(error)) => break error,
            Err(error) => panic!("{error}"),
        }
        assert!(held.len() <= most, "more than {most} connections");
    };
    assert_eq!((refused.code, refused.message.as_str()), (1040, "Too many connections"));
    let rds_data = aws_sdk_rdsdata::Client::new(&cloud.sdk());
    let statement = rds_data.execute_statement().resource_arn(&cluster.arn).secret_arn(&cluster.secret).sql("SELECT 1");
    let refused = statement.clone().send().await.unwrap_err().into_service_error();
    assert!(refused.is_database_error_exception(), "{refused:?}");
    assert_eq!(refused.meta().message(), Some("Database error code: 1040. Message: Too many connections"));
    drop(held.split_off(1));
    until_alone(&mut held[0]).await;
    works(&cluster).await;
    statement.send().await.unwrap();
    cloud.stop().await;
}

const LOAD_ROLE: &str = "arn:aws:iam::000000000000:role/load";

/// A cluster that may read the bucket `data`.
async fn with_bucket(cloud: &Clients) -> Cluster {
    let cluster = Cluster::with_parameters(cloud, &[("aws_default_s3_role", LOAD_ROLE)]).await;
    let iam = aws_sdk_iam::Client::new(&cloud.sdk());
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "rds.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    iam.create_role().role_name("load").assume_role_policy_document(trust.to_string()).send().await.unwrap();
    let rds = aws_sdk_rds::Client::new(&cloud.sdk());
    rds.add_role_to_db_cluster().db_cluster_identifier("c").role_arn(LOAD_ROLE).send().await.unwrap();
    let s3 = aws_sdk_s3::Client::new(&cloud.sdk());
    s3.create_bucket().bucket("data").send().await.unwrap();
    s3.put_object().bucket("data").key("empty").body(ByteStream::from_static(b"")).send().await.unwrap();
    s3.put_object().bucket("data").key("two").body(ByteStream::from_static(b"1,a\n2,b\n")).send().await.unwrap();
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn load_data_of_nothing_loads_nothing_and_of_no_object_says_so() {
    let cloud = LocalCloud::start_with_engines().await;
    let cluster = with_bucket(&cloud).await;
    let mut conn = cluster.connect().await.unwrap();
    conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(9))").await.unwrap();
    let load = |object: &str| format!("LOAD DATA FROM S3 's3://data/{object}' INTO TABLE t FIELDS TERMINATED BY ','");
    for (object, named) in [("missing", "NoSuchKey"), ("../two", "NoSuchKey"), ("", "")] {
        let refused = conn.query_drop(load(object)).await.unwrap_err();
        let mysql_async::Error::Server(refused) = refused else { panic!("{object}: {refused}") };
        assert!(refused.message.contains(named), "{object}: {refused:?}");
    }
    let missing = conn.query_drop(load("two").replace("s3://data/", "s3://nobucket/")).await.unwrap_err();
    assert!(missing.to_string().contains("NoSuchBucket"), "{missing}");
    conn.query_drop(load("empty")).await.unwrap();
    assert_eq!(conn.affected_rows(), 0);
    conn.query_drop(load("two")).await.unwrap();
    assert_eq!(conn.affected_rows(), 2);
    // Twice the same keys: MySQL's own error, and nothing of the second file.
    let twice = conn.query_drop(load("two")).await.unwrap_err();
    assert!(matches!(&twice, mysql_async::Error::Server(error) if error.code == 1062), "{twice}");
    assert_eq!(conn.query_first::<u8, _>("SELECT COUNT(*) FROM t").await.unwrap(), Some(2));
    conn.disconnect().await.unwrap();
    cloud.stop().await;
}
