//! The front door of a cluster, by clients that know nothing of it: `mysql` with passwords and with IAM tokens of boto3.

use std::time::{Duration, Instant};

use crate::support::LocalCloud;
use crate::support::clients::Key;
use crate::support::database::Database;

const DENIED: &str = "ERROR 1045 (28000)";

async fn token(cloud: &LocalCloud, database: &Database, user: &str, key: &Key) -> String {
    let port = database.port();
    let program =
        format!("import boto3; print(boto3.client('rds').generate_db_auth_token('127.0.0.1', {port}, '{user}'))");
    let (success, token, error) = cloud.run("python3", &["-c", &program], key).await;
    assert!(success, "{error}");
    token.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_logs_in_with_the_secrets_password_over_tls_that_it_verifies() {
    let cloud = LocalCloud::start_with_engines().await;
    let database = Database::create(&cloud, "{}").await;
    assert_eq!(database.says("SELECT CURRENT_USER(), DATABASE()").await, "admin@%\tlab");
    let status = database.says("status").await;
    assert!(status.contains("Cipher in use is TLS_"), "{status}");
    for (user, password) in [("admin", "wrong"), ("admin", ""), ("nobody", "x"), ("rdsadmin", ""), ("root", "")] {
        let said = database.mysql(user, password, &["-e", "SELECT 1"]).await;
        assert!(said.contains(DENIED), "{user}: {said}");
    }
    let strangers = tempfile::tempdir().unwrap();
    let home = labctl::local::home::Home::open(strangers.path()).unwrap();
    let other = labctl::local::tls::Authority::open(&home).unwrap();
    let other = format!("--ssl-ca={}", other.certificate_file().display());
    let said = database.mysql("admin", &database.password, &[&other, "-e", "SELECT 1"]).await;
    assert!(said.contains("ERROR 2026 (HY000)"), "{said}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_password_replaces_the_one_before_and_survives_a_restart() {
    let cloud = LocalCloud::start_with_engines().await;
    let before = Database::create(&cloud, "{}").await;
    let name = ["--db-cluster-identifier", "lab"];
    let rotate = [&["rds", "modify-db-cluster", "--rotate-master-user-password", "--apply-immediately"], &name[..]];
    let changed = cloud.aws(&rotate.concat()).await;
    let secret = changed["DBCluster"]["MasterUserSecret"]["SecretArn"].as_str().unwrap();
    let cloud = cloud.restart().await;
    let value = cloud.aws(&["secretsmanager", "get-secret-value", "--secret-id", secret]).await;
    let value: serde_json::Value = serde_json::from_str(value["SecretString"].as_str().unwrap()).unwrap();
    assert_eq!(value.as_object().unwrap().len(), 2, "a managed secret holds a user and a password");
    let now = Database::at(&cloud, before.port(), value["password"].as_str().unwrap());
    assert_eq!(now.says("SELECT 7").await, "7");
    assert!(before.says("SELECT 7").await.contains(DENIED));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_iam_vouches_for_logs_in_with_a_token_over_tls_and_in_no_other_way() {
    let cloud = LocalCloud::start_with_engines().await;
    let database = Database::create(&cloud, "{'EnableIAMDatabaseAuthentication': True}").await;
    let made = database
        .says("CREATE USER app IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'; ALTER USER app REQUIRE SSL; GRANT SELECT ON lab.* TO app")
        .await;
    assert_eq!(made, "");
    let who = ["-e", "SELECT CURRENT_USER()"];
    let good = token(&cloud, &database, "app", &Key::root()).await;
    assert_eq!(database.mysql("app", &good, &who).await, "app@%");
    let for_another = token(&cloud, &database, "admin", &Key::root()).await;
    let forged = token(&cloud, &database, "app", &Key { secret: "other".into(), ..Key::root() }).await;
    for bad in [&for_another, &forged, "password", ""] {
        let said = database.mysql("app", bad, &who).await;
        assert!(said.contains(DENIED), "{bad}: {said}");
    }
    let said = database.without_tls("app", &good, "SELECT 1").await;
    assert!(said.contains(DENIED), "without TLS: {said}");
    let off = ["--db-cluster-identifier", "lab", "--no-enable-iam-database-authentication"];
    cloud.aws(&[&["rds", "modify-db-cluster"], &off[..]].concat()).await;
    let said = database.mysql("app", &good, &who).await;
    assert!(said.contains(DENIED), "not enabled: {said}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_temporary_keys_of_a_role_that_may_connect_make_good_tokens_and_without_their_session_none() {
    let cloud = LocalCloud::start_with_engines().await;
    let database = Database::create(&cloud, "{'EnableIAMDatabaseAuthentication': True}").await;
    database.says("CREATE USER app IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'").await;
    let made = cloud
        .boto3(
            "
trust = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': '000000000000'}, 'Action': 'sts:AssumeRole'}]}
arn = boto3.client('iam').create_role(RoleName='app', AssumeRolePolicyDocument=json.dumps(trust))['Role']['Arn']
say(boto3.client('sts').assume_role(RoleArn=arn, RoleSessionName='session')['Credentials'])
",
        )
        .await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let role = Key { id: text("AccessKeyId"), secret: text("SecretAccessKey"), token: Some(text("SessionToken")) };
    let who = ["-e", "SELECT CURRENT_USER()"];
    let good = token(&cloud, &database, "app", &role).await;
    let said = database.mysql("app", &good, &who).await;
    assert!(said.contains(DENIED), "the role may not connect yet: {said}");
    let may = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "rds-db:connect", "Resource": "arn:aws:rds-db:us-east-1:000000000000:dbuser:*/app",
    }]});
    let (may, of) = (may.to_string(), ["--role-name", "app", "--policy-name", "may-connect", "--policy-document"]);
    cloud.aws(&[&["iam", "put-role-policy"], &of[..], &[may.as_str()]].concat()).await;
    assert_eq!(database.mysql("app", &good, &who).await, "app@%");
    for session in [None, Some("another".to_owned())] {
        let bad = token(&cloud, &database, "app", &Key { token: session, ..role.clone() }).await;
        let said = database.mysql("app", &bad, &who).await;
        assert!(said.contains(DENIED), "{said}");
    }
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_tls_are_refused_where_the_parameter_group_says_so() {
    let cloud = LocalCloud::start_with_engines().await;
    let group = ["--db-cluster-parameter-group-name", "tls"];
    let family = ["--db-parameter-group-family", "aurora-mysql8.0", "--description", "d"];
    cloud.aws(&[&["rds", "create-db-cluster-parameter-group"], &family[..], &group].concat()).await;
    let database = Database::create(&cloud, "{'DBClusterParameterGroupName': 'tls'}").await;
    // MySQL takes a password over an open connection only when it knows it already (caching_sha2_password).
    assert_eq!(database.says("SELECT 7").await, "7");
    assert_eq!(database.without_tls("admin", &database.password, "SELECT 7").await, "7");
    let set = "ParameterName=require_secure_transport,ParameterValue=ON,ApplyMethod=immediate";
    cloud.aws(&[&["rds", "modify-db-cluster-parameter-group", "--parameters", set], &group[..]].concat()).await;
    let said = database.without_tls("admin", &database.password, "SELECT 7").await;
    assert!(said.contains("ERROR 3159") && said.contains("require_secure_transport"), "{said}");
    assert_eq!(database.says("SELECT 7").await, "7");
    cloud.stop().await;
}

/// A bucket with files to load, a role that may read and write it, and a parameter group that names the role.
const S3: &str = r#"
s3 = boto3.client('s3'); iam = boto3.client('iam'); rds = boto3.client('rds')
s3.create_bucket(Bucket='heroes')
for key, text in {'one.csv': 'id,name\n1,one\n2,two\n', 'many/a.csv': '3,three\n', 'many/b.csv': '4,four\n'}.items():
    s3.put_object(Bucket='heroes', Key=key, Body=text.encode())
def policy(**statement): return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', **statement}]})
trust = policy(Principal={'Service': 'rds.amazonaws.com'}, Action='sts:AssumeRole')
arn = iam.create_role(RoleName='load', AssumeRolePolicyDocument=trust)['Role']['Arn']
iam.put_role_policy(RoleName='load', PolicyName='s3', PolicyDocument=policy(Action='s3:*', Resource=['arn:aws:s3:::heroes', 'arn:aws:s3:::heroes/*']))
name = dict(DBClusterParameterGroupName='s3')
rds.create_db_cluster_parameter_group(**name, DBParameterGroupFamily='aurora-mysql8.0', Description='d')
rds.modify_db_cluster_parameter_group(**name, Parameters=[{'ParameterName': 'aws_default_s3_role', 'ParameterValue': arn, 'ApplyMethod': 'pending-reboot'}])
say(arn)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn s3_is_loaded_and_written_with_the_clusters_role_and_not_without() {
    let cloud = LocalCloud::start_with_engines().await;
    let role = cloud.boto3(S3).await;
    let database = Database::create(&cloud, "{'DBClusterParameterGroupName': 's3'}").await;
    database.says("CREATE TABLE heroes (id INT PRIMARY KEY, name VARCHAR(20))").await;
    let load = "LOAD DATA FROM S3 's3://heroes/one.csv' INTO TABLE heroes FIELDS TERMINATED BY ',' IGNORE 1 LINES";
    let said = database.says(load).await;
    assert!(said.contains("ERROR 63985") && said.contains("Missing Credentials"), "not associated: {said}");
    let role = ["--db-cluster-identifier", "lab", "--role-arn", role.as_str().unwrap()];
    cloud.aws(&[&["rds", "add-role-to-db-cluster"], &role[..]].concat()).await;
    assert_eq!(database.says(load).await, "");
    let many = "LOAD DATA FROM S3 PREFIX 's3://heroes/many/' INTO TABLE heroes FIELDS TERMINATED BY ','; SELECT COUNT(*) FROM heroes";
    assert_eq!(database.says(many).await, "4");
    let out = "SELECT * FROM heroes ORDER BY id INTO OUTFILE S3 's3://heroes/out' FORMAT CSV HEADER";
    assert_eq!(database.says(out).await, "");
    let written = cloud.aws_says(&["s3", "cp", "s3://heroes/out.part_00000", "-"]).await;
    assert_eq!(written, "\"id\",\"name\"\n1,\"one\"\n2,\"two\"\n3,\"three\"\n4,\"four\"\n");
    assert!(database.says(out).await.contains("already exist"));
    for (what, why) in
        [("'s3://heroes/none'", "NoSuchKey"), ("'s3://nowhere/x'", "NoSuchBucket"), ("'http://heroes/x'", "URI")]
    {
        let said = database.says(&format!("LOAD DATA FROM S3 {what} INTO TABLE heroes")).await;
        assert!(said.contains("ERROR 63985") && said.contains(why), "{what}: {said}");
    }
    cloud.aws(&[&["rds", "remove-role-from-db-cluster"], &role[..]].concat()).await;
    assert!(database.says(load).await.contains("Missing Credentials"));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mysql_8_has_works_also_where_the_engine_is_mariadb() {
    let cloud = LocalCloud::start_with_engines().await;
    let database = Database::create(&cloud, "{}").await;
    let cases = [
        (
            "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, d JSON, n VARCHAR(9)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci",
            "",
        ),
        ("INSERT INTO t (d, n) VALUES ('{\"a\": {\"b\": \"x\"}}', 'É'), ('{\"a\": null}', 'e ')", ""),
        ("SELECT d->>'$.a.b', d->'$.a.b' FROM t WHERE id = 1", "x\t\"x\""),
        ("SELECT COUNT(*) FROM t WHERE d->>'$.a.b' = 'x'", "1"),
        ("SELECT COUNT(*) FROM t WHERE n = 'e'", "1"),
        ("SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci; SELECT 'É' = 'e', 'e' = 'e '", "1\t0"),
        ("PREPARE s FROM 'SELECT ? + id FROM t WHERE n = ?'; SET @a = 10, @b = 'É'; EXECUTE s USING @a, @b", "11"),
        ("WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT SUM(i) FROM n", "15"),
        ("SELECT id, ROW_NUMBER() OVER (ORDER BY id DESC) FROM t", "1\t2\n2\t1"),
    ];
    for (sql, expected) in cases {
        let said =
            database.mysql("admin", &database.password, &["--default-character-set=utf8mb4", "lab", "-e", sql]).await;
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines.join("\n"), expected, "{sql}");
    }
    let said = database.says("CREATE INDEX i ON t ((CHAR_LENGTH(n)))").await;
    assert!(said.is_empty() || said.contains("ERROR 1235"), "{said}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn big_rows_many_rows_and_dumps_pass_through_whole() {
    let cloud = LocalCloud::start_with_engines().await;
    let database = Database::create(&cloud, "{}").await;
    let big = database.says("SELECT REPEAT('x', 40 << 20)").await;
    assert!(big.len() == 40 << 20 && big.bytes().all(|byte| byte == b'x'));
    let digits = "(SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)";
    let tables: Vec<String> = (0..5).map(|at| format!("{digits} AS t{at}")).collect();
    let many = format!(
        "CREATE TABLE t AS SELECT t0.d + 10 * t1.d + 100 * t2.d + 1000 * t3.d + 10000 * t4.d AS n FROM {}",
        tables.join(", ")
    );
    assert_eq!(database.says(&many).await, "");
    let rows = database.says("SELECT n FROM t ORDER BY n").await;
    assert!(rows.lines().enumerate().all(|(at, row)| row == at.to_string()));
    assert_eq!(rows.lines().count(), 100_000);
    let file = cloud.home().join("dump.sql");
    let text: String = (0..3000).map(|at| format!("INSERT INTO t VALUES ({at});\n")).collect();
    std::fs::write(&file, format!("START TRANSACTION;\n{text}COMMIT;\n")).unwrap();
    assert_eq!(database.says(&format!("source {}", file.display())).await, "");
    assert_eq!(database.says("SELECT COUNT(*) FROM t").await, "103000");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_killed_leaves_no_session_and_no_lock() {
    let cloud = LocalCloud::start_with_engines().await;
    let database = Database::create(&cloud, "{}").await;
    database.says("CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 0)").await;
    let held = "BEGIN; UPDATE t SET n = 1 WHERE id = 1; SELECT SLEEP(60)";
    let reading = "SELECT REPEAT('x', 1000) FROM information_schema.COLUMNS a, information_schema.COLUMNS b";
    let sessions = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'admin' AND ID <> CONNECTION_ID()";
    for sql in [held, reading] {
        let mut command = database.command("admin", &database.password, &["--quick", "lab", "-e", sql]);
        let mut client = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        until(&database, sessions, "1").await;
        client.kill().await.unwrap();
        until(&database, sessions, "0").await;
    }
    assert_eq!(database.says("SET innodb_lock_wait_timeout = 1; UPDATE t SET n = n + 1; SELECT n FROM t").await, "1");
    cloud.stop().await;
}

/// A cluster with an empty table `heroes` into which the returned statement loads 20 rows, each of which waits until
/// nobody else holds the lock `gate`.
async fn gated_load(cloud: &LocalCloud) -> (Database, &'static str) {
    let role = cloud.boto3(S3).await;
    let database = Database::create(cloud, "{'DBClusterParameterGroupName': 's3'}").await;
    let role = ["--db-cluster-identifier", "lab", "--role-arn", role.as_str().unwrap()];
    cloud.aws(&[&["rds", "add-role-to-db-cluster"], &role[..]].concat()).await;
    let rows: String = (0..20).map(|at| format!("{at},x\n")).collect();
    cloud
        .boto3(&format!("boto3.client('s3').put_object(Bucket='heroes', Key='gated.csv', Body={rows:?}.encode())"))
        .await;
    let made = database
        .says("CREATE TABLE heroes (id INT PRIMARY KEY, name VARCHAR(20)); CREATE TRIGGER gated BEFORE INSERT ON heroes FOR EACH ROW SET @passed = GET_LOCK('gate', 60)")
        .await;
    assert_eq!(made, "");
    (database, "LOAD DATA FROM S3 's3://heroes/gated.csv' INTO TABLE heroes FIELDS TERMINATED BY ','")
}

/// How many statements are being run that load a file.
const LOADING: &str = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'LOAD DATA INFILE%' OR INFO LIKE '%GET_LOCK(''gate'', 60)'";

#[tokio::test(flavor = "multi_thread")]
async fn a_load_whose_client_is_killed_goes_on_to_its_end_and_gives_the_borrowed_role_back() {
    let cloud = LocalCloud::start_with_engines().await;
    let (database, load) = gated_load(&cloud).await;
    let hold = "DO GET_LOCK('gate', 60); DO SLEEP(60)";
    let mut gate = database.command("admin", &database.password, &["lab", "-e", hold]).spawn().unwrap();
    until(&database, "SELECT IS_USED_LOCK('gate') IS NOT NULL", "1").await;
    let mut client = database.command("admin", &database.password, &["lab", "-e", load]).spawn().unwrap();
    until(&database, LOADING, "1").await;
    client.kill().await.unwrap();
    gate.kill().await.unwrap();
    until(&database, LOADING, "0").await;
    until(&database, "SELECT COUNT(*) FROM heroes", "20").await;
    let grants = database.says("SHOW GRANTS").await;
    assert!(!grants.contains("rds_s3_transfer"), "{grants}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_is_restored_and_fifty_clients_work_at_once() {
    let cloud = LocalCloud::start_with_engines().await;
    let database = Database::create(&cloud, "{}").await;
    let made = database
        .says("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, d JSON, b BLOB) COLLATE utf8mb4_0900_ai_ci; INSERT INTO t (d, b) VALUES ('{\"a\": 1}', x'00ff'); \
               CREATE VIEW v AS SELECT d->>'$.a' AS a FROM t; CREATE PROCEDURE p() SELECT d->>'$.a' FROM t; CREATE DATABASE copy")
        .await;
    assert_eq!(made, "");
    let dump = database.program("mysqldump", &["--single-transaction", "--routines", "--hex-blob", "lab"]).await;
    let file = cloud.home().join("dump.sql");
    std::fs::write(&file, dump).unwrap();
    let restore = format!("source {}", file.display());
    assert_eq!(database.mysql("admin", &database.password, &["copy", "-e", &restore]).await, "");
    assert_eq!(database.says("USE copy; SELECT HEX(b) FROM t; SELECT a FROM v; CALL p()").await, "00FF\n1\n1");
    let crowd = [
        "--create-schema=lab",
        "--no-drop",
        "--concurrency=50",
        "--number-of-queries=500",
        "--query=INSERT INTO t (d) VALUES (NULL)",
    ];
    database.program("mysqlslap", &crowd).await;
    assert_eq!(database.says("SELECT COUNT(*) FROM t").await, "501");
    cloud.stop().await;
}

/// Waits until the database answers `expected` to `sql`.
async fn until(database: &Database, sql: &str, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let said = database.says(sql).await;
        if said == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{sql}: {said}");
    }
}
