//! A statement is one statement, finds nothing that another has left, and its values are what the request says they are.

use serde_json::{Value, json};

use super::Database;

async fn records(database: &Database, sql: &str) -> Value {
    database.run(sql).await["records"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_session_reaches_the_next_statement() {
    let database = Database::new().await;
    for sql in ["CREATE DATABASE other", "CREATE TABLE other.t (s VARCHAR(1))", "CREATE TABLE t (s VARCHAR(1))"] {
        database.run(sql).await;
    }
    database.run("USE other").await;
    assert_eq!(records(&database, "SELECT DATABASE()").await, json!([[{"stringValue": "lab"}]]));
    let begun = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
    let id = begun["transactionId"].clone();
    database.call("ExecuteStatement", json!({"sql": "USE other", "transactionId": id})).await.unwrap();
    database.call("RollbackTransaction", json!({"transactionId": id})).await.unwrap();
    assert_eq!(records(&database, "SELECT DATABASE()").await, json!([[{"stringValue": "lab"}]]));
    let role = records(&database, "SELECT CURRENT_ROLE()").await;
    database.run("SET ROLE NONE").await;
    assert_eq!(records(&database, "SELECT CURRENT_ROLE()").await, role);
    database.run("SET @left = 1, SESSION sql_mode = 'ANSI_QUOTES'").await;
    assert_eq!(
        records(&database, "SELECT @left, \"text\"").await,
        json!([[{"isNull": true}, {"stringValue": "text"}]])
    );
    // What shares a connection leaves neither a warning nor a count.
    database.run("INSERT IGNORE INTO t (s) VALUES ('too long')").await;
    assert_eq!(records(&database, "SHOW WARNINGS").await, json!([]));
    let fresh = "SELECT LAST_INSERT_ID(), FOUND_ROWS(), ROW_COUNT()";
    database.run("CREATE TABLE k (id INT AUTO_INCREMENT PRIMARY KEY)").await;
    let new = records(&database, fresh).await;
    for sql in ["INSERT INTO k (id) VALUES (7), (8)", "SELECT id FROM k"] {
        database.run(sql).await;
        let seen = records(&database, fresh).await;
        assert_eq!((&seen[0][0], &seen[0][2]), (&new[0][0], &new[0][2]), "{sql}");
    }
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_statements_are_not_run_whatever_they_hide_behind() {
    let database = Database::new().await;
    database.run("CREATE TABLE victim (id INT)").await;
    let refused = database
        .refused(
            "ExecuteStatement",
            json!({"database": "lab",
        "sql": "CREATE PROCEDURE p() SELECT 1; DROP TABLE victim; SELECT 3 AS END"}),
        )
        .await;
    assert_eq!(refused.0, "DatabaseErrorException", "{}", refused.1);
    let begun = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
    let id = begun["transactionId"].clone();
    let mode = json!({"sql": "SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "transactionId": id});
    database.call("ExecuteStatement", mode).await.unwrap();
    let hidden = json!({"sql": "SELECT '\\'; DROP TABLE victim; -- '", "transactionId": id});
    assert_eq!(database.refused("ExecuteStatement", hidden).await.0, "DatabaseErrorException");
    let local = json!({"sql": "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE victim", "transactionId": id});
    let (code, message) = database.refused("ExecuteStatement", local).await;
    assert_eq!(code, "DatabaseErrorException", "{message}");
    // The transaction goes on.
    let after = json!({"sql": "SELECT COUNT(*) FROM victim", "transactionId": id});
    let after = database.call("ExecuteStatement", after).await.unwrap();
    assert_eq!(after["records"], json!([[{"longValue": 0}]]));
    // One that holds semicolons is one.
    database.run("CREATE PROCEDURE q() first:begin select 1; select 2; end first").await;
    assert_eq!(records(&database, "SELECT 'a;b' /* ; */").await, json!([[{"stringValue": "a;b"}]]));
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_are_numbers_to_the_engine() {
    let database = Database::new().await;
    let ask = async |sql: &str, x: &str, y: &str| {
        let decimal =
            |name: &str, value: &str| json!({"name": name, "value": {"stringValue": value}, "typeHint": "DECIMAL"});
        let more = json!({"sql": sql, "database": "lab", "parameters": [decimal("x", x), decimal("y", y)]});
        database.call("ExecuteStatement", more).await.unwrap()["records"].clone()
    };
    assert_eq!(
        ask("SELECT :x > :y, GREATEST(:x, :y)", "10", "9").await,
        json!([[{"longValue": 1}, {"stringValue": "10"}]])
    );
    assert_eq!(
        ask("SELECT :x + :y, :y * 3", "0.2", "0.1").await,
        json!([[{"stringValue": "0.3"}, {"stringValue": "0.3"}]])
    );
    let long = "12345678901234567890.1234567890";
    assert_eq!(ask("SELECT :x + :y", long, "0").await, json!([[{"stringValue": long}]]));
    assert_eq!(
        ask("SELECT :x, :y", "1.5E+3", "-25e-3").await,
        json!([[{"stringValue": "1500"}, {"stringValue": "-0.025"}]])
    );
    database.run("CREATE TABLE t (d DECIMAL(6,3))").await;
    let set = |value: &str| json!([{"name": "d", "value": {"stringValue": value}, "typeHint": "DECIMAL"}]);
    let none = json!([{"name": "d", "value": {"isNull": true}, "typeHint": "DECIMAL"}]);
    let sets = json!({"sql": "INSERT INTO t (d) VALUES (:d)", "database": "lab", "parameterSets": [set("9"), set("100.125"), none, set("-0.5")]});
    database.call("BatchExecuteStatement", sets).await.unwrap();
    let stored = records(&database, "SELECT GROUP_CONCAT(d ORDER BY d) FROM t").await;
    assert_eq!(stored, json!([[{"stringValue": "-0.500,9.000,100.125"}]]));
    let long = json!([{"name": "d", "value": {"longValue": 100}}]);
    let sets = json!({"sql": "INSERT INTO t (d) VALUES (:d)", "database": "lab", "parameterSets": [set("1.5"), long]});
    database.call("BatchExecuteStatement", sets).await.unwrap();
    let mixed = records(&database, "SELECT COUNT(*) FROM t WHERE d IN (1.5, 100)").await;
    assert_eq!(mixed, json!([[{"longValue": 2}]]));
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_keys_are_those_that_are_stored() {
    let database = Database::new().await;
    database.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    let many = database.run("INSERT INTO t (v) VALUES (1), (2), (3)").await;
    assert_eq!(many, json!({"numberOfRecordsUpdated": 3, "generatedFields": [{"longValue": 1}]}));
    let batch = async |sql: &str, keys: &[Value]| {
        let sets: Vec<Value> = keys.iter().map(|key| json!([{"name": "k", "value": key}])).collect();
        let made = database
            .call("BatchExecuteStatement", json!({"sql": sql, "database": "lab", "parameterSets": sets}))
            .await
            .unwrap();
        let results = made["updateResults"].as_array().unwrap().clone();
        results.iter().map(|result| result["generatedFields"][0]["longValue"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let long = |key: i64| json!({"longValue": key});
    let null = json!({"isNull": true});
    assert_eq!(
        batch("INSERT INTO t (id, v) VALUES (:k, 1)", &[null.clone(), long(1000), null, long(50)]).await[..3],
        [4, 1000, 1001]
    );
    assert_eq!(batch("INSERT INTO t VALUES (:k + 5, 1)", &[long(3000), long(70), long(80)]).await, [3005, 75, 85]);
    assert_eq!(batch("INSERT INTO lab.t (v) VALUES (:k)", &[long(1), long(2), long(3)]).await, [3006, 3007, 3008]);
    database.world.close().await;
}
