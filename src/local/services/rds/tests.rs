//! The service on a real engine, with real clients.

mod world;

use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use serde_json::{Value, json};

use super::cluster::Health;
use super::*;
use crate::process::engines::EngineKind;
use crate::resource::ResourceContext;
use crate::scope::Scope;

pub(crate) use world::World;
use world::{PASSWORD, Speechless};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).trim().to_owned()
}

const ROLE: &str = "arn:aws:iam::000000000000:role/load";

fn message(error: mysql_async::Error) -> (u16, String) {
    match error {
        mysql_async::Error::Server(error) => (error.code, error.message),
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_available_when_clients_can_log_in_and_gone_when_deleted() {
    let world = World::new().await;
    let cluster = world.make(json!({})).await;
    let said = world
        .mysql(&cluster, "admin", PASSWORD, &["lab", "-e", "SELECT CURRENT_USER(), DATABASE(); SHOW STATUS LIKE 'x'"])
        .await;
    assert_eq!(text(&said), "admin@%\tlab");
    let said = world.mysql(&cluster, "admin", "wrong", &["-e", "SELECT 1"]).await;
    assert!(text(&said).contains("ERROR 1045 (28000)"), "{}", text(&said));
    let said = world.mysql(&cluster, "rdsadmin", "", &["-e", "SELECT 1"]).await;
    assert!(text(&said).contains("ERROR 1045 (28000)"), "{}", text(&said));

    let refused = world.call("DeleteDBCluster", json!({"DBClusterIdentifier": "lab"})).await.unwrap_err();
    assert_eq!(refused.code, "InvalidParameterCombination");
    let socket = world.cloud.home.sockets().unwrap();
    let files = world.files(&cluster);
    world.call("DeleteDBCluster", json!({"DBClusterIdentifier": "lab", "SkipFinalSnapshot": true})).await.unwrap();
    world.until_gone().await;
    assert!(!files.exists());
    assert_eq!(std::fs::read_dir(socket).unwrap().count(), 0);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_row_is_there_after_the_engine_was_killed() {
    let world = World::new().await;
    let cluster = world.make(json!({})).await;
    let mut conn = world.connect(&cluster, "admin").await;
    conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await.unwrap();
    let pid = world.files(&cluster).join("engine.pid");
    let mut acknowledged = 0;
    for round in 0..3 {
        let killer = {
            let engine: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(200)).await;
                rustix::process::kill_process(
                    rustix::process::Pid::from_raw(engine).unwrap(),
                    rustix::process::Signal::KILL,
                )
                .unwrap();
            })
        };
        while conn.query_drop(format!("INSERT INTO t VALUES ({acknowledged})")).await.is_ok() {
            acknowledged += 1;
        }
        killer.await.unwrap();
        // A new connection waits for the engine to come back.
        conn = world.connect(&cluster, "admin").await;
        let count: u32 = conn.query_first("SELECT COUNT(*) FROM t").await.unwrap().unwrap();
        // The one that was under way may have been kept.
        assert!(count == acknowledged || count == acknowledged + 1, "round {round}: {count} of {acknowledged}");
        acknowledged = count;
    }
    assert!(acknowledged > 0);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_s3_are_loaded_and_written_as_aurora_does() {
    let world = World::new().await;
    world.call("CreateDBClusterParameterGroup", json!({"DBClusterParameterGroupName": "s3", "DBParameterGroupFamily": "aurora-mysql8.0", "Description": "d"})).await.unwrap();
    let parameters =
        json!([{"ParameterName": "aws_default_s3_role", "ParameterValue": ROLE, "ApplyMethod": "immediate"}]);
    world
        .call("ModifyDBClusterParameterGroup", json!({"DBClusterParameterGroupName": "s3", "Parameters": parameters}))
        .await
        .unwrap();
    let cluster = world.make(json!({"DBClusterParameterGroupName": "s3"})).await;
    let mut admin = world.connect(&cluster, "admin").await;
    admin.query_drop("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(5))").await.unwrap();
    world.put("one.csv", "a,b\n1,x\n2,y\n").await;
    world.put("p/1.csv", "a,b\n3,x\n4,y\n").await;
    world.put("p/2.csv", "5,z\n").await;
    world.put("bad/1.csv", "6,x\n").await;
    world.put("bad/2.csv", "7,toolong\n").await;
    let load =
        |what: &str| format!("LOAD DATA FROM S3 {what} INTO TABLE t FIELDS TERMINATED BY ',' IGNORE 1 LINES (a, b)");

    let error = message(admin.query_drop(load("'s3://b/one.csv'")).await.unwrap_err());
    assert_eq!(error.0, 63_985, "the role is not associated: {}", error.1);
    world.call("AddRoleToDBCluster", json!({"DBClusterIdentifier": "lab", "RoleArn": ROLE})).await.unwrap();
    admin.query_drop(load("'s3://b/one.csv'")).await.unwrap();
    assert_eq!(
        (admin.affected_rows(), admin.info().into_owned()),
        (2, "Records: 2  Deleted: 0  Skipped: 0  Warnings: 0".into())
    );
    admin.query_drop(load("PREFIX 's3://b/p/'")).await.unwrap();
    assert_eq!(
        (admin.affected_rows(), admin.info().into_owned()),
        (3, "Records: 3  Deleted: 0  Skipped: 0  Warnings: 0".into())
    );
    let error = message(
        admin
            .query_drop("LOAD DATA FROM S3 PREFIX 's3://b/bad/' INTO TABLE t FIELDS TERMINATED BY ','")
            .await
            .unwrap_err(),
    );
    assert_eq!(error.0, 1406, "{}", error.1);
    let rows: Vec<u32> = admin.query("SELECT a FROM t ORDER BY a").await.unwrap();
    assert_eq!(rows, [1, 2, 3, 4, 5], "all files of a statement or none");
    let error = message(admin.query_drop(load("'s3://b/none.csv'")).await.unwrap_err());
    assert!(error.0 == 63_985 && error.1.contains("The specified key does not exist"), "{}", error.1);

    admin
        .query_drop("SELECT a, b FROM t WHERE a < 3 INTO OUTFILE S3 's3://b/out' FORMAT CSV HEADER MANIFEST ON")
        .await
        .unwrap();
    assert_eq!(admin.affected_rows(), 2);
    assert_eq!(world.object("out.part_00000").await, "\"a\",\"b\"\n1,\"x\"\n2,\"y\"\n");
    assert_eq!(world.object("out.manifest").await, r#"{"entries":[{"url":"s3-us-east-1://b/out.part_00000"}]}"#);
    assert_eq!(message(admin.query_drop("SELECT 1 INTO OUTFILE S3 's3://b/out'").await.unwrap_err()).0, 63_985);
    admin.query_drop("SELECT 1 INTO OUTFILE S3 's3://b/out' OVERWRITE ON").await.unwrap();
    assert_eq!(world.object("out.part_00000").await, "1\n");
    admin.query_drop("DELETE FROM t").await.unwrap();
    admin.query_drop("LOAD DATA FROM S3 MANIFEST 's3://b/out.manifest' INTO TABLE t (a)").await.unwrap();
    let history: Vec<String> =
        admin.query("SELECT file_name FROM mysql.aurora_s3_load_history ORDER BY 1").await.unwrap();
    assert_eq!(history, ["one.csv", "out.part_00000", "p/1.csv", "p/2.csv"]);

    // Nobody has FILE: the engine itself refuses what Aurora does not have.
    let path = world.cloud.home.state("s3").join("objects/object-0");
    let plain = format!("LOAD DATA INFILE '{}' INTO TABLE t", path.display());
    assert_eq!(message(admin.query_drop(plain).await.unwrap_err()).0, 1045);
    // Another user needs the role, and it must be active.
    admin.query_drop(format!("CREATE USER u IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON lab.* TO u")).await.unwrap();
    let mut user = world.connect(&cluster, "u").await;
    let error = message(user.query_drop(load("'s3://b/one.csv'")).await.unwrap_err());
    assert_eq!(error.0, 1227, "{}", error.1);
    admin.query_drop("GRANT AWS_LOAD_S3_ACCESS TO u").await.unwrap();
    assert_eq!(message(user.query_drop(load("'s3://b/one.csv'")).await.unwrap_err()).0, 1227);
    user.query_drop("SET ROLE ALL").await.unwrap();
    user.query_drop("DELETE FROM t").await.unwrap();
    user.query_drop(load("'s3://b/one.csv'")).await.unwrap();
    assert_eq!(user.affected_rows(), 2);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_any_size_and_prepared_ones_pass_and_json_paths_are_bridged() {
    let world = World::new().await;
    let cluster = world.make(json!({})).await;
    let mut conn = world.connect(&cluster, "admin").await;
    conn.query_drop("CREATE TABLE t (id INT, d JSON, big LONGTEXT) COLLATE utf8mb4_0900_ai_ci").await.unwrap();
    conn.exec_drop("INSERT INTO t VALUES (?, ?, ?)", (1, r#"{"a": "x"}"#, "y".repeat(20 << 20))).await.unwrap();
    conn.query_drop(format!("INSERT INTO t VALUES (2, '{{\"a\": \"z\"}}', '{}')", "w".repeat(17 << 20))).await.unwrap();
    let rows: Vec<(u32, String, usize)> =
        conn.query("SELECT id, d->>'$.a', LENGTH(big) FROM t ORDER BY id").await.unwrap();
    assert_eq!(rows, [(1, "x".into(), 20 << 20), (2, "z".into(), 17 << 20)]);
    let big: String = conn.exec_first("SELECT big FROM t WHERE d->'$.a' = ?", ("x",)).await.unwrap().unwrap();
    assert_eq!(big.len(), 20 << 20);
    let index = conn.query_drop("CREATE INDEX i ON t ((id + 1))").await;
    if world.cloud.engines.sql().unwrap().kind == EngineKind::MySql {
        index.unwrap();
    } else {
        let error = message(index.unwrap_err());
        assert!(error.0 == 1235 && error.1.contains("functional index"), "{}", error.1);
    }
    // Refused in the middle, the connection goes on.
    assert_eq!(conn.query_first::<u32, _>("SELECT 7").await.unwrap(), Some(7));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_brings_clusters_back_on_their_ports_and_a_stop_ends_the_engine() {
    let world = World::new().await;
    let cluster = world.make(json!({})).await;
    let mut conn = world.connect(&cluster, "admin").await;
    conn.query_drop("CREATE TABLE t (id INT); INSERT INTO t VALUES (5)").await.unwrap();
    let directory = world.close().await;
    let port = u16::try_from(cluster["Port"].as_u64().unwrap()).unwrap();
    let somebody = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let world = World::open(directory).await;
    world.until("failed").await;
    drop(somebody);
    let directory = world.close().await;
    let world = World::open(directory).await;
    let again = world.until("available").await;
    assert_eq!(again["Port"], cluster["Port"]);
    let mut conn = world.connect(&again, "admin").await;
    assert_eq!(conn.query_first::<u32, _>("SELECT id FROM t").await.unwrap(), Some(5));
    world.call("StopDBCluster", json!({"DBClusterIdentifier": "lab"})).await.unwrap();
    world.until("stopped").await;
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
    world.call("StartDBCluster", json!({"DBClusterIdentifier": "lab"})).await.unwrap();
    let again = world.until("available").await;
    let mut conn = world.connect(&again, "admin").await;
    assert_eq!(conn.query_first::<u32, _>("SELECT id FROM t").await.unwrap(), Some(5));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_gives_the_engine_and_the_secret_the_same_password() {
    let world = World::new().await;
    let managed = json!({
        "DBClusterIdentifier": "lab", "Engine": "aurora-mysql", "MasterUsername": "admin", "ManageMasterUserPassword": true,
    });
    world.call("CreateDBCluster", managed).await.unwrap();
    let cluster = world.until("available").await;
    let id = json!({"SecretId": cluster["MasterUserSecret"]["SecretArn"]});
    let secret = async || world.cloud.call(&world.scope, "secretsmanager", "GetSecretValue", id.clone()).await.unwrap();
    let before = secret().await;
    let rotate = json!({"DBClusterIdentifier": "lab", "RotateMasterUserPassword": true, "ApplyImmediately": true});
    world.call("ModifyDBCluster", rotate).await.unwrap();
    let after = secret().await;
    assert_ne!(before["VersionId"], after["VersionId"]);
    assert_eq!(after["VersionStages"], json!(["AWSCURRENT"]));
    let password = |secret: &Value| {
        let value: Value = serde_json::from_str(secret["SecretString"].as_str().unwrap()).unwrap();
        value["password"].as_str().unwrap().to_owned()
    };
    let said = world.mysql(&cluster, "admin", &password(&after), &["-e", "SELECT 1"]).await;
    assert_eq!(text(&said), "1");
    let said = world.mysql(&cluster, "admin", &password(&before), &["-e", "SELECT 1"]).await;
    assert!(text(&said).contains("ERROR 1045 (28000)"), "{}", text(&said));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_fails_leaves_neither_record_nor_secret() {
    let world = World::new().await;
    let blocked = world.cloud.home.state("rds").join("clusters");
    std::fs::create_dir_all(blocked.parent().unwrap()).unwrap();
    std::fs::write(&blocked, "not a directory").unwrap();
    let managed = json!({
        "DBClusterIdentifier": "lab", "Engine": "aurora-mysql", "MasterUsername": "admin", "ManageMasterUserPassword": true,
    });
    assert_eq!(world.call("CreateDBCluster", managed).await.unwrap_err().code, "InternalFailure");
    let clusters = world.call("DescribeDBClusters", json!({})).await.unwrap();
    assert_eq!(clusters["DBClusters"], json!([]));
    let secrets = world.cloud.call(&world.scope, "secretsmanager", "ListSecrets", json!({})).await.unwrap();
    assert_eq!(secrets["SecretList"], json!([]));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_deleted_while_its_engine_starts_leaves_no_process_and_no_file() {
    let world = World::new().await;
    let managed = json!({
        "DBClusterIdentifier": "lab", "Engine": "aurora-mysql", "MasterUsername": "admin", "ManageMasterUserPassword": true,
    });
    let delete = async || {
        world.call("DeleteDBCluster", json!({"DBClusterIdentifier": "lab", "SkipFinalSnapshot": true})).await.unwrap();
        world.until_gone().await;
        assert_eq!(world.processes(), [""; 0]);
        let left = std::fs::read_dir(world.cloud.home.state("rds").join("clusters")).unwrap().flatten();
        assert_eq!(left.map(|entry| entry.path()).collect::<Vec<_>>(), [""; 0].map(PathBuf::from));
    };
    let begin_and_delete = async |once_there_is_a_process: bool| {
        world.call("CreateDBCluster", managed.clone()).await.unwrap();
        while once_there_is_a_process && world.processes().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        delete().await;
    };
    // The first data directory is still being set up; later ones are copied, and the process is the engine itself.
    for set_up in [false, true] {
        if set_up {
            world.make(json!({})).await;
            delete().await;
        }
        for _ in 0..3 {
            begin_and_delete(false).await;
            begin_and_delete(true).await;
        }
    }
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_for_a_cluster_that_was_never_recorded_goes_at_the_next_start() {
    let world = World::new().await;
    world.make(json!({})).await;
    let (rds, secrets) = (world.scope.as_service("rds.amazonaws.com"), "secretsmanager");
    let make = |name: &str| json!({"Name": name, "SecretString": "{}"});
    world.cloud.call(&rds, secrets, "CreateSecret", make("rds!cluster-stray")).await.unwrap();
    world.cloud.call(&world.scope, secrets, "CreateSecret", make("mine")).await.unwrap();
    let clusters = world.cloud.home.state("rds").join("clusters");
    std::fs::create_dir_all(clusters.join("cluster-STRAY/tls")).unwrap();
    let world = World::open(world.close().await).await;
    world.until("available").await;
    assert_eq!(std::fs::read_dir(clusters).unwrap().count(), 1);
    assert_eq!(world.secrets(&world.scope).await, ["mine"]);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_regions_first_cluster_goes_too_if_the_local_cloud_was_killed_just_then() {
    let world =
        World::with(tempfile::tempdir().unwrap(), lifecycle::PATIENCE, |secrets| Arc::new(Speechless(secrets))).await;
    let scope = Scope::root("eu-west-1");
    let create = {
        let (cloud, scope) = (world.cloud.clone(), scope.clone());
        let managed = json!({
            "DBClusterIdentifier": "lab", "Engine": "aurora-mysql", "MasterUsername": "admin", "ManageMasterUserPassword": true,
        });
        tokio::spawn(async move { cloud.call(&scope, "rds", "CreateDBCluster", managed).await })
    };
    while world.secrets(&scope).await.is_empty() {
        assert!(!create.is_finished());
        tokio::task::yield_now().await;
    }
    create.abort();
    let world = World::open(world.close().await).await;
    assert_eq!(world.secrets(&scope).await, [""; 0]);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_engine_does_not_come_back_is_starting_then_failed_and_available_when_it_does() {
    // Long enough to be seen starting.
    let world = World::with(tempfile::tempdir().unwrap(), Duration::from_secs(10), |secrets| secrets).await;
    let cluster = world.make(json!({})).await;
    // Every start writes this file.
    let blocked = world.files(&cluster).join("init.sql");
    std::fs::remove_file(&blocked).unwrap();
    std::fs::create_dir(&blocked).unwrap();
    world.signal_engine(&cluster, rustix::process::Signal::KILL);
    let running = world.rds.running(cluster["DbClusterResourceId"].as_str().unwrap()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !matches!(running.health(), Health::Failing(_)) {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.until("starting").await;
    assert!(matches!(running.health(), Health::Failing(_)));
    world.until("failed").await;
    let events = world.call("DescribeEvents", json!({})).await.unwrap();
    let last = events["Events"].as_array().unwrap().last().unwrap()["Message"].as_str().unwrap();
    assert!(
        last.starts_with("The cluster is not available: the engine did not come up: ") && last.contains("init.sql"),
        "{last}"
    );
    std::fs::remove_dir(&blocked).unwrap();
    world.until("available").await;
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parameters_of_one_request_are_changed_all_or_none() {
    let world = World::new().await;
    let group =
        json!({"DBClusterParameterGroupName": "g", "DBParameterGroupFamily": "aurora-mysql8.0", "Description": "d"});
    world.call("CreateDBClusterParameterGroup", group).await.unwrap();
    let setting = |name: &str, value: &str| json!({"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"});
    let settings = [setting("max_connections", "123"), setting("require_secure_transport", "perhaps")];
    let input = json!({"DBClusterParameterGroupName": "g", "Parameters": settings});
    assert_eq!(world.call("ModifyDBClusterParameterGroup", input).await.unwrap_err().code, "InvalidParameterValue");
    let own = json!({"DBClusterParameterGroupName": "g", "Source": "user"});
    let own = world.call("DescribeDBClusterParameters", own).await.unwrap();
    assert_eq!(own["Parameters"], json!([]));
    world.close().await;
}

/// What `generate_db_auth_token` of an SDK gives, with the home's own key.
fn token(cluster: &Value, user: &str, secret: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};
    let now = time::OffsetDateTime::now_utc();
    let form = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let date = now.format(form).unwrap();
    let day = &date[..8];
    let host = format!("127.0.0.1:{}", cluster["Port"]);
    let query = format!(
        "Action=connect&DBUser={user}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=test%2F{day}%2Fus-east-1%2Frds-db%2Faws4_request&X-Amz-Date={date}&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
    );
    let hash = |text: &str| hex::encode(Sha256::digest(text.as_bytes()));
    let request = format!("GET\n/\n{query}\nhost:{host}\n\nhost\n{}", hash(""));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{day}/us-east-1/rds-db/aws4_request\n{}", hash(&request));
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [day, "us-east-1", "rds-db", "aws4_request", &to_sign] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    format!("{host}/?{query}&X-Amz-Signature={}", hex::encode(key))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_iam_vouches_for_logs_in_with_a_token_over_tls_and_in_no_other_way() {
    let world = World::new().await;
    let cluster = world.make(json!({"EnableIAMDatabaseAuthentication": true})).await;
    let sql = "CREATE USER app IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'; ALTER USER app REQUIRE SSL; GRANT SELECT ON lab.* TO app";
    let made = world.mysql(&cluster, "admin", PASSWORD, &["-e", sql]).await;
    assert!(made.status.success(), "{}", text(&made));
    let ask = ["-e", "SELECT CURRENT_USER()"];
    let good = token(&cluster, "app", "test");
    assert_eq!(text(&world.mysql(&cluster, "app", &good, &ask).await), "app@%");
    for bad in [&token(&cluster, "admin", "test"), &token(&cluster, "app", "other"), "password", ""] {
        let said = world.mysql(&cluster, "app", bad, &ask).await;
        assert!(text(&said).contains("ERROR 1045 (28000)"), "{bad}: {}", text(&said));
    }
    let said = world.mysql(&cluster, "app", &good, &["--skip-ssl", "-e", "SELECT 1"]).await;
    assert!(!said.status.success() && !text(&said).contains("app@"), "without TLS: {}", text(&said));
    let off = json!({"DBClusterIdentifier": "lab", "EnableIAMDatabaseAuthentication": false});
    world.call("ModifyDBCluster", off).await.unwrap();
    let said = world.mysql(&cluster, "app", &good, &ask).await;
    assert!(text(&said).contains("ERROR 1045 (28000)"), "not enabled: {}", text(&said));
    world.close().await;
}

#[tokio::test]
async fn a_cluster_is_after_properties_were_taken_out_of_its_template_as_it_was_without_them() {
    let world = World::new().await;
    let without = world.make(json!({})).await;
    let cx = ResourceContext {
        cloud: world.cloud.clone(),
        scope: world.scope.clone(),
        service: "rds",
        stack_id: "s".into(),
        stack_name: "s".into(),
        logical_id: "Cluster".into(),
        token: "t".into(),
        stack_tags: Vec::new(),
        old_stack_tags: Vec::new(),
        express: true,
    };
    let of = world.cloud.resource_type("AWS::RDS::DBCluster").unwrap();
    let plain = json!({"Engine": "aurora-mysql", "MasterUserPassword": PASSWORD});
    let more = json!({
        "BackupRetentionPeriod": 7, "CopyTagsToSnapshot": true, "DeletionProtection": true, "EnableHttpEndpoint": true,
        "EnableIAMDatabaseAuthentication": true, "EngineVersion": "8.0", "PreferredBackupWindow": "01:00-01:30",
        "PreferredMaintenanceWindow": "mon:02:00-mon:02:30", "VpcSecurityGroupIds": ["sg-1"],
    });
    let mut all = plain.clone();
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    of.update(&cx, "lab", &plain, &all).await.unwrap();
    let with = world.until("available").await;
    for name in more.as_object().unwrap().keys().filter(|name| with.get(name.as_str()).is_some()) {
        assert!(name == "EngineVersion" || with[name] != without[name], "{name}: {}", with[name]);
    }
    of.update(&cx, "lab", &all, &plain).await.unwrap();
    assert_eq!(world.until("available").await, without);
    world.close().await;
}
