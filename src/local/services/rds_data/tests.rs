//! The Data API on a real engine.

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::services::rds::tests::World;

mod limits;
mod paused;
mod sessions;

/// A cluster with an instance, whose password RDS manages.
struct Database {
    world: World,
    arn: String,
    secret: String,
}

impl Database {
    async fn new() -> Self {
        Database::of(World::new().await).await
    }

    /// Its clock stands still.
    async fn timeless() -> Self {
        Database::of(World::timeless(tempfile::tempdir().unwrap()).await).await
    }

    async fn of(world: World) -> Self {
        world
            .call(
                "CreateDBCluster",
                json!({
                    "DBClusterIdentifier": "lab", "Engine": "aurora-mysql", "MasterUsername": "admin",
                    "ManageMasterUserPassword": true, "DatabaseName": "lab", "EnableHttpEndpoint": true,
                    "ServerlessV2ScalingConfiguration": {"MinCapacity": 0, "MaxCapacity": 1},
                }),
            )
            .await
            .unwrap();
        let instance = json!({
            "DBInstanceIdentifier": "one", "DBClusterIdentifier": "lab", "DBInstanceClass": "db.serverless", "Engine": "aurora-mysql",
        });
        world.call("CreateDBInstance", instance).await.unwrap();
        let cluster = world.until("available").await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (arn, secret) = (text(&cluster["DBClusterArn"]), text(&cluster["MasterUserSecret"]["SecretArn"]));
        Database { world, arn, secret }
    }

    async fn cluster(&self) -> Value {
        let found = self.world.call("DescribeDBClusters", json!({"DBClusterIdentifier": "lab"})).await.unwrap();
        found["DBClusters"][0].clone()
    }

    async fn call(&self, operation: &str, more: Value) -> Result<Value, Fault> {
        let mut input = json!({"resourceArn": self.arn, "secretArn": self.secret});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.world.cloud.call(&self.world.scope, "rds-data", operation, input).await
    }

    async fn run(&self, sql: &str) -> Value {
        self.call("ExecuteStatement", json!({"sql": sql, "database": "lab"})).await.unwrap()
    }

    async fn refused(&self, operation: &str, more: Value) -> (String, String) {
        let fault = self.call(operation, more).await.unwrap_err();
        (fault.code, fault.message)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_back_as_the_types_they_have() {
    let database = Database::new().await;
    database.run("CREATE TABLE t (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, d DECIMAL(10,2), f DOUBLE, b BLOB, j JSON, ts DATETIME(3), s VARCHAR(20), ok BOOL)").await;
    let parameters = json!([
        {"name": "d", "value": {"stringValue": "12.50"}, "typeHint": "DECIMAL"},
        {"name": "f", "value": {"doubleValue": 0.25}},
        {"name": "b", "value": {"blobValue": "AP8="}},
        {"name": "j", "value": {"stringValue": "{\"a\": \"x\"}"}, "typeHint": "JSON"},
        {"name": "ts", "value": {"stringValue": "2026-11-21 10:00:00.125"}, "typeHint": "TIMESTAMP"},
        {"name": "s", "value": {"isNull": true}},
        {"name": "ok", "value": {"booleanValue": true}},
    ]);
    let sql = "INSERT INTO t (d, f, b, j, ts, s, ok) VALUES (:d, :f, :b, :j, :ts, :s, :ok)";
    let made = database
        .call("ExecuteStatement", json!({"sql": sql, "database": "lab", "parameters": parameters}))
        .await
        .unwrap();
    assert_eq!(made, json!({"numberOfRecordsUpdated": 1, "generatedFields": [{"longValue": 1}]}));
    let row = json!([
        {"longValue": 1}, {"stringValue": "12.50"}, {"doubleValue": 0.25}, {"blobValue": "AP8="}, {"stringValue": "x"},
        {"stringValue": "2026-11-21 10:00:00.125"}, {"isNull": true}, {"booleanValue": true},
    ]);
    let select = "SELECT id, d, f, b, j->>'$.a' AS a, ts, s, ok FROM t";
    let text = database.run(select).await;
    assert_eq!(text, json!({"numberOfRecordsUpdated": 0, "records": [row]}));
    let more = json!({
        "sql": format!("{select} WHERE id = :id"), "database": "lab", "includeResultMetadata": true,
        "parameters": [{"name": "id", "value": {"longValue": 1}}],
    });
    let prepared = database.call("ExecuteStatement", more).await.unwrap();
    assert_eq!(prepared["records"], json!([row]), "both protocols give the same");
    let columns: Vec<&str> = prepared["columnMetadata"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["typeName"].as_str().unwrap())
        .collect();
    assert_eq!(columns[..3], ["INT UNSIGNED", "DECIMAL", "DOUBLE"]);
    let more = json!({"sql": "SELECT id, d, s FROM t", "database": "lab", "formatRecordsAs": "JSON"});
    let formatted = database.call("ExecuteStatement", more).await.unwrap();
    assert_eq!(formatted["formattedRecords"], r#"[{"id":1,"d":"12.50","s":null}]"#);
    let sql = "SELECT :b, (SELECT COUNT(*) FROM t WHERE b = :b), HEX(:b)";
    let bytes = json!([{"name": "b", "value": {"blobValue": "AP8="}}]);
    let seen =
        database.call("ExecuteStatement", json!({"sql": sql, "database": "lab", "parameters": bytes})).await.unwrap();
    assert_eq!(seen["records"], json!([[{"blobValue": "AP8="}, {"longValue": 1}, {"stringValue": "00FF"}]]));
    let sql = "INSERT INTO t (b, s) VALUES (:b, :s)";
    let set = json!([{"name": "b", "value": {"blobValue": "gP8="}}, {"name": "s", "value": {"stringValue": "x"}}]);
    let sets = json!({"sql": sql, "database": "lab", "parameterSets": [set, set, set]});
    database.call("BatchExecuteStatement", sets).await.unwrap();
    let stored = database.run("SELECT COUNT(*) FROM t WHERE HEX(b) = '80FF'").await;
    assert_eq!(stored["records"], json!([[{"longValue": 3}]]));
    let program = "CREATE PROCEDURE two() BEGIN SELECT 1; SELECT 2; END";
    database.run(program).await;
    assert_eq!(database.run("CALL two()").await["records"], json!([[{"longValue": 1}]]));
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_and_transactions_do_what_they_say() {
    let database = Database::new().await;
    database.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n INT UNIQUE)").await;
    let set = |n: i64| json!([{"name": "n", "value": {"longValue": n}}]);
    let batch = json!({"sql": "INSERT INTO t (n) VALUES (:n)", "database": "lab", "parameterSets": [set(10), set(11)]});
    let made = database.call("BatchExecuteStatement", batch).await.unwrap();
    let key = |id: i64| json!({"generatedFields": [{"longValue": id}]});
    assert_eq!(made, json!({"updateResults": [key(1), key(2)]}));

    for (end, rows) in [("RollbackTransaction", 2), ("CommitTransaction", 3)] {
        let begun = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
        let id = begun["transactionId"].clone();
        let insert = json!({"sql": "INSERT INTO t (n) VALUES (12)", "transactionId": id});
        database.call("ExecuteStatement", insert.clone()).await.unwrap();
        let twice = database.refused("ExecuteStatement", insert).await;
        assert_eq!(twice.0, "DatabaseErrorException");
        assert!(twice.1.starts_with("Database error code: 1062. Message: Duplicate entry"), "{}", twice.1);
        assert_eq!(
            database.run("SELECT COUNT(*) FROM t").await["records"],
            json!([[{"longValue": 2}]]),
            "not seen from outside"
        );
        database.call(end, json!({"transactionId": id})).await.unwrap();
        assert_eq!(database.run("SELECT COUNT(*) FROM t").await["records"], json!([[{"longValue": rows}]]));
        let again = database.refused(end, json!({"transactionId": id})).await;
        assert_eq!(again.0, "TransactionNotFoundException");
    }
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_finds_nothing_of_the_last_one_but_what_is_prepared() {
    let database = Database::new().await;
    database.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n INT)").await;
    let one = |sql: &str, transaction: &Value| {
        let input = json!({"sql": sql, "transactionId": transaction});
        let asked = database.call("ExecuteStatement", input);
        async { asked.await.unwrap()["records"][0].clone() }
    };
    for _ in 0..3 {
        let begun = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
        let id = begun["transactionId"].clone();
        let insert = json!({
            "sql": "INSERT INTO t (n) VALUES (:n)", "parameters": [{"name": "n", "value": {"longValue": 1}}], "transactionId": id,
        });
        database.call("ExecuteStatement", insert).await.unwrap();
        database.call("CommitTransaction", json!({"transactionId": id})).await.unwrap();
    }
    let begun = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
    let id = begun["transactionId"].clone();
    // Not with FOUND_ROWS(), of which MySQL 9 warns as soon as it reads it.
    let seen = one("SELECT LAST_INSERT_ID(), @@warning_count", &id).await;
    assert_eq!(seen, json!([{"longValue": 0}, {"longValue": 0}]));
    let prepared = one("SHOW SESSION STATUS LIKE 'Com_stmt_prepare'", &id).await;
    assert_eq!(prepared[1], json!({"stringValue": "1"}), "three transactions, one session, one statement");
    database.call("RollbackTransaction", json!({"transactionId": id})).await.unwrap();
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_is_refused_in_its_words() {
    let database = Database::new().await;
    let refused = async |more: Value| database.refused("ExecuteStatement", more).await;
    assert!(refused(json!({"sql": "SELECT * FROM lab.none"})).await.1.starts_with("Database error code: 1146."));
    let several = ("ValidationException".to_owned(), "Multistatements aren't supported.".to_owned());
    assert_eq!(refused(json!({"sql": "SELECT 1; SELECT 2"})).await, several);
    let schema = refused(json!({"sql": "SELECT 1", "schema": "lab"})).await;
    assert_eq!(schema, ("ValidationException".into(), "The schema parameter isn't supported".into()));
    assert_eq!(refused(json!({"sql": "SELECT :a"})).await.1, "Cannot find parameter: a");
    assert_eq!(refused(json!({"sql": "SELECT 1", "secretArn": "none"})).await.0, "SecretsErrorException");
    let other = database.arn.replace(":lab", ":other");
    assert_eq!(refused(json!({"sql": "SELECT 1", "resourceArn": other})).await.0, "HttpEndpointNotEnabledException");
    let world = &database.world;
    let secrets = [
        ("plain", "no JSON", "InvalidSecretException"),
        ("wrong", r#"{"username": "admin", "password": "wrong"}"#, "DatabaseErrorException"),
    ];
    for (name, text, code) in secrets {
        let input = json!({"Name": name, "SecretString": text});
        world.cloud.call(&world.scope, "secretsmanager", "CreateSecret", input).await.unwrap();
        assert_eq!(refused(json!({"sql": "SELECT 1", "secretArn": name})).await.0, code);
    }
    world.call("DisableHttpEndpoint", json!({"ResourceArn": database.arn})).await.unwrap();
    assert_eq!(refused(json!({"sql": "SELECT 1"})).await.0, "HttpEndpointNotEnabledException");
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_lost_with_the_statement_that_took_too_long() {
    let database = Database::new().await;
    let begun = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
    let slow = json!({"sql": "SELECT SLEEP(60)", "transactionId": begun["transactionId"]});
    assert_eq!(database.refused("ExecuteStatement", slow).await.0, "StatementTimeoutException");
    let next = json!({"sql": "SELECT 1", "transactionId": begun["transactionId"]});
    let refused = database.refused("ExecuteStatement", next).await;
    assert_eq!(refused.0, "TransactionNotFoundException");
    assert!(refused.1.ends_with("Transaction has been aborted due to an error from a previous call."), "{}", refused.1);
    assert_eq!(database.run("SELECT 2").await["records"][0][0]["longValue"], 2);
    database.world.close().await;
}
