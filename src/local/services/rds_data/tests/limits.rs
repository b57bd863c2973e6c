//! What a call may be and take, and whom it meets.

use std::sync::Arc;

use bytes::Bytes;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::Database;
use crate::call::{Call, Client};
use crate::services::rds_data::pool::{MOST, MOST_TRANSACTIONS};
use crate::services::rds_data::run::LONGEST;

/// The one field of the first row.
fn field(answer: &Value) -> &Value {
    &answer["records"][0][0]
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_finds_what_another_has_left_in_a_session() {
    let database = Database::new().await;
    database.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n INT)").await;
    for _ in 0..20 {
        database.run("SET @left = 7").await;
        assert_eq!(field(&database.run("SELECT @left").await), &json!({"isNull": true}));
        database.run("INSERT INTO t (n) VALUES (1)").await;
        assert_eq!(field(&database.run("SELECT LAST_INSERT_ID()").await), &json!({"longValue": 0}));
        database.run("SET SESSION time_zone = '+05:00'").await;
        assert_ne!(field(&database.run("SELECT @@time_zone").await), &json!({"stringValue": "+05:00"}));
        database.run("CREATE TEMPORARY TABLE own (a INT)").await;
        let other = database.call("ExecuteStatement", json!({"sql": "SELECT * FROM own", "database": "lab"})).await;
        assert!(other.unwrap_err().message.contains("1146"));
    }
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_so_many_connections_and_more_calls_wait_for_one() {
    let database = Arc::new(Database::new().await);
    let sleep = |seconds: f64| {
        let database = database.clone();
        tokio::spawn(async move {
            let sql = format!("SELECT SLEEP({seconds})");
            database.call("ExecuteStatement", json!({"sql": sql, "database": "lab"})).await
        })
    };
    let all: Vec<_> = (0..3 * MOST).map(|_| sleep(0.2)).collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    let sql = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'admin' AND ID <> CONNECTION_ID()";
    let seen = field(&database.run(sql).await)["longValue"].as_u64().unwrap();
    // The call's own is not among them.
    assert!((1..MOST as u64).contains(&seen), "{seen} connections");
    let begun: Vec<Value> = {
        let mut begun = Vec::new();
        for _ in 0..MOST_TRANSACTIONS {
            begun.push(database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap());
        }
        begun
    };
    // They hold up each other, and nothing else.
    let refused = database.refused("BeginTransaction", json!({"database": "lab"})).await;
    assert_eq!(refused.0, "StatementTimeoutException");
    assert_eq!(refused.1, "Connection is not available, request timed out");
    database.run("SELECT 1").await;
    // Who waits and goes away leaves the place that gets free to others.
    let (here, client) = Client::new();
    let input = json!({"resourceArn": database.arn, "secretArn": database.secret, "database": "lab"});
    let begin = Call {
        service: "rds-data",
        operation: "BeginTransaction".to_owned(),
        input,
        body: Bytes::new(),
        file: None,
        scope: database.world.scope.clone(),
        request_id: "gone".to_owned(),
        trace: None,
        source: None,
        client,
    };
    let waiting = {
        let cloud = database.world.cloud.clone();
        tokio::spawn(async move { cloud.dispatch(begin).await })
    };
    tokio::task::yield_now().await;
    drop(here);
    // Long before it would have been told that there is no place.
    let told = tokio::time::timeout(LONGEST / 2, waiting).await.expect("it waits on for nobody");
    assert!(told.unwrap().is_err());
    let freed = json!({"transactionId": begun.last().unwrap()["transactionId"]});
    database.call("RollbackTransaction", freed).await.unwrap();
    let again = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
    let (_, rest) = begun.split_last().unwrap();
    let begun = [rest, &[again]].concat();
    for one in begun {
        database.call("RollbackTransaction", json!({"transactionId": one["transactionId"]})).await.unwrap();
    }
    database.run("SELECT 1").await;
    Arc::into_inner(database).unwrap().world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_ends_after_three_minutes_without_a_call() {
    let database = Database::timeless().await;
    database.run("CREATE TABLE t (n INT)").await;
    let begun = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
    let insert = json!({"sql": "INSERT INTO t VALUES (1)", "transactionId": begun["transactionId"]});
    database.call("ExecuteStatement", insert.clone()).await.unwrap();
    database.world.cloud.clock.advance_millis(179_000);
    database.call("ExecuteStatement", insert.clone()).await.unwrap();
    database.world.cloud.clock.advance_millis(180_000);
    let refused = database.refused("ExecuteStatement", insert).await;
    assert_eq!(refused.0, "TransactionNotFoundException");
    assert!(refused.1.ends_with(" is not found. Transaction may be expired."), "{}", refused.1);
    assert_eq!(field(&database.run("SELECT COUNT(*) FROM t").await), &json!({"longValue": 0}));
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_call_in_a_transaction_does_not_wait_for_the_first() {
    let database = Arc::new(Database::new().await);
    let begun = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
    let within = |sql: &str| json!({"sql": sql, "transactionId": begun["transactionId"]});
    let (slow, first) = (within("SELECT SLEEP(2)"), database.clone());
    let first = tokio::spawn(async move { first.call("ExecuteStatement", slow).await });
    let sleeps = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO = 'SELECT SLEEP(2)'";
    while field(&database.run(sleeps).await) == &json!({"longValue": 0}) {
        assert!(!first.is_finished());
    }
    let refused = database.call("ExecuteStatement", within("SELECT 1")).await.unwrap_err();
    assert_eq!((&*refused.code, &*refused.message), ("DatabaseErrorException", "Transaction is still running a query"));
    first.await.unwrap().unwrap();
    database.call("ExecuteStatement", within("SELECT 1")).await.unwrap();
    let end = json!({"transactionId": begun["transactionId"]});
    database.call("CommitTransaction", end.clone()).await.unwrap();
    let refused = database.refused("CommitTransaction", end).await;
    assert!(refused.1.ends_with("One previous call resulted in a termination of your transaction."), "{}", refused.1);
    Arc::into_inner(database).unwrap().world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_as_large_as_aws_answers_and_no_larger() {
    let database = Database::new().await;
    let rows = |count: usize, length: usize| {
        format!(
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < {count}) SELECT REPEAT('x', {length}) AS x FROM r"
        )
    };
    let call = async |sql: &str, form: &str| {
        database.call("ExecuteStatement", json!({"sql": sql, "database": "lab", "formatRecordsAs": form})).await
    };
    let refused = async |sql: &str, form: &str| {
        let fault = call(sql, form).await.unwrap_err();
        assert_eq!(fault.code, "UnsupportedResultException");
        fault.message
    };
    assert_eq!(call(&rows(16, 65_536), "NONE").await.unwrap()["records"].as_array().unwrap().len(), 16);
    assert_eq!(refused(&rows(17, 65_536), "NONE").await, "The result exceeds the size limit 1 MB.");
    assert_eq!(refused(&rows(1, 65_537), "NONE").await, "The result contains a row that exceeds the size limit 64 KB.");
    assert!(call(&rows(17, 65_536), "JSON").await.unwrap()["formattedRecords"].as_str().unwrap().len() > 1 << 20);
    assert_eq!(refused(&rows(161, 65_536), "JSON").await, "The result exceeds the size limit 10 MB.");
    assert!(refused("SELECT 1 AS a, 2 AS A", "JSON").await.contains("column name A more than once"));
    call("SELECT 1 AS a, 2 AS A", "NONE").await.unwrap();
    let point = refused("SELECT ST_GeomFromText('POINT(1 2)') AS p", "NONE").await;
    assert_eq!(point, "The result contains the unsupported data type GEOMETRY.");
    // A transaction outlives an answer that was too large.
    let begun = database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap();
    for (sql, good) in [(rows(17, 65_536), false), ("SELECT 1".to_owned(), true)] {
        let more = json!({"sql": sql, "transactionId": begun["transactionId"]});
        assert_eq!(database.call("ExecuteStatement", more).await.is_ok(), good);
    }
    // But not one without an end: it is lost with its locks, and the engine works on it no longer.
    let endless = "SELECT REPEAT('x', 60000) FROM information_schema.COLUMNS a, information_schema.COLUMNS b, information_schema.COLUMNS c";
    let more = json!({"sql": endless, "transactionId": begun["transactionId"]});
    assert_eq!(database.call("ExecuteStatement", more).await.unwrap_err().code, "UnsupportedResultException");
    let end = json!({"transactionId": begun["transactionId"]});
    assert_eq!(database.call("RollbackTransaction", end).await.unwrap_err().code, "TransactionNotFoundException");
    let running = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT REPEAT%'";
    let mut left = database.run(running).await;
    for _ in 0..200 {
        if left["records"][0][0]["longValue"] == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        left = database.run(running).await;
    }
    assert_eq!(left["records"][0][0]["longValue"], 0, "{left}");
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_is_waited_for_as_long_as_a_statement_may_take() {
    let database = Database::new().await;
    let cluster = database.cluster().await;
    database.run("CREATE TABLE t (n INT)").await;
    let begin = || database.call("BeginTransaction", json!({"database": "lab"}));
    let (one, other) = (begin().await.unwrap(), begin().await.unwrap());
    let insert = json!({"sql": "INSERT INTO t VALUES (1)", "transactionId": one["transactionId"]});
    database.call("ExecuteStatement", insert.clone()).await.unwrap();
    database.world.signal_engine(&cluster, Signal::STOP);
    for (operation, input) in [
        ("ExecuteStatement", json!({"sql": "SELECT 1", "database": "lab"})),
        ("BatchExecuteStatement", json!({"sql": "INSERT INTO t VALUES (2)", "database": "lab"})),
        ("BeginTransaction", json!({"database": "lab"})),
        ("ExecuteStatement", insert),
        ("CommitTransaction", json!({"transactionId": other["transactionId"]})),
    ] {
        let told = tokio::time::timeout(3 * LONGEST, database.call(operation, input)).await;
        let told = told.unwrap_or_else(|_| panic!("{operation} waits for ever")).unwrap_err();
        // A new connection is refused as such; a statement that was sent has run out of time.
        let codes = ["StatementTimeoutException", "DatabaseUnavailableException"];
        assert!(codes.contains(&&*told.code), "{operation}: {told}");
    }
    database.world.signal_engine(&cluster, Signal::CONT);
    let lost = database.refused("CommitTransaction", json!({"transactionId": one["transactionId"]})).await;
    assert_eq!(lost.0, "TransactionNotFoundException");
    assert_eq!(field(&database.run("SELECT COUNT(*) FROM t WHERE n = 1").await), &json!({"longValue": 0}));
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_batch_are_all_stored_or_none_and_each_tells_its_key() {
    let database = Database::new().await;
    database.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n INT UNIQUE, s VARCHAR(20))").await;
    let set = |n: i64| json!([{"name": "n", "value": {"longValue": n}}, {"name": "s", "value": {"stringValue": "it's, (:n)"}}]);
    let batch = async |sql: &str, sets: Vec<Value>| {
        let more = json!({"sql": sql, "database": "lab", "parameterSets": sets});
        database.call("BatchExecuteStatement", more).await
    };
    let insert = "INSERT INTO t (n, s) VALUES (:n, :s)";
    let made = batch(insert, (100..1350).map(set).collect()).await.unwrap();
    let keys: Vec<i64> = made["updateResults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["generatedFields"][0]["longValue"].as_i64().unwrap())
        .collect();
    let read = database.run("SELECT COUNT(*), MIN(id), MAX(n - id), MIN(n - id), COUNT(DISTINCT s) FROM t").await;
    let row: Vec<i64> =
        read["records"][0].as_array().unwrap().iter().map(|f| f["longValue"].as_i64().unwrap()).collect();
    assert_eq!((keys.len(), row[0], row[4]), (1250, 1250, 1));
    for (at, key) in keys.iter().enumerate() {
        let found = if at % 300 == 0 {
            let sql = format!("SELECT n FROM t WHERE id = {key}");
            field(&database.run(&sql).await)["longValue"].as_i64().unwrap()
        } else {
            continue;
        };
        assert_eq!(found, 100 + at as i64);
    }
    // The last one is there already.
    let fault = batch(insert, vec![set(1), set(2), set(100)]).await.unwrap_err();
    assert!(fault.message.starts_with("Database error code: 1062."), "{fault}");
    assert_eq!(field(&database.run("SELECT COUNT(*) FROM t").await), &json!({"longValue": 1250}));
    // Keys that the request gives are told as they are.
    let given =
        |id: i64| json!([{"name": "id", "value": {"longValue": id}}, {"name": "n", "value": {"longValue": -id}}]);
    let made =
        batch("INSERT INTO t (id, n) VALUES (:id, :n)", vec![given(9000), given(8000), given(8500)]).await.unwrap();
    let rows = field(&database.run("SELECT COUNT(*) FROM t WHERE id = -n AND id >= 8000").await)["longValue"].clone();
    assert_eq!((rows, made["updateResults"].as_array().unwrap().len()), (json!(3), 3));
    // A key that no long holds is a text, as in a row.
    database.run("CREATE TABLE big (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY)").await;
    let made = database.run("INSERT INTO big VALUES (18446744073709551610)").await;
    assert_eq!(made["generatedFields"], json!([{"stringValue": "18446744073709551610"}]));
    let update = batch("UPDATE t SET s = :s WHERE n = :n", vec![set(100), set(101)]).await.unwrap();
    assert_eq!(update, json!({"updateResults": [{"generatedFields": []}, {"generatedFields": []}]}));
    database.world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_the_engine_gave_up_takes_no_further_statement() {
    let database = Arc::new(Database::new().await);
    database.run("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    database.run("INSERT INTO t VALUES (1, 0), (2, 0)").await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(database.call("BeginTransaction", json!({"database": "lab"})).await.unwrap()["transactionId"].clone());
    }
    let update = |who: usize, row: usize| {
        let (database, id) = (database.clone(), ids[who].clone());
        let sql = format!("UPDATE t SET n = n + 1 WHERE id = {row}");
        async move { database.call("ExecuteStatement", json!({"sql": sql, "transactionId": id})).await }
    };
    update(0, 1).await.unwrap();
    update(1, 2).await.unwrap();
    let (first, second) = tokio::join!(update(0, 2), update(1, 1));
    let loser = usize::from(first.is_ok());
    let refused = [first, second].into_iter().find_map(Result::err).unwrap();
    assert!(refused.message.starts_with("Database error code: 1213."), "{refused}");
    let refused = update(loser, 1).await.unwrap_err();
    assert_eq!(refused.code, "TransactionNotFoundException");
    assert!(refused.message.ends_with("aborted due to an error from a previous call."), "{refused}");
    database.call("CommitTransaction", json!({"transactionId": ids[1 - loser]})).await.unwrap();
    let read = database.run("SELECT SUM(n) FROM t").await;
    assert_eq!(field(&read), &json!({"stringValue": "2"}));
    Arc::into_inner(database).unwrap().world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_set_of_a_batch_is_an_execution_of_its_own() {
    let database = Database::new().await;
    let batch = async |sql: &str, sets: Value| {
        database.call("BatchExecuteStatement", json!({"sql": sql, "database": "lab", "parameterSets": sets})).await
    };
    let texts = async |sql: &str| {
        let read = database.run(sql).await;
        let rows = read["records"].as_array().unwrap().iter();
        rows.map(|row| row[0]["stringValue"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // A row that counts on the one before.
    database.run("CREATE TABLE counted (a INT, n INT)").await;
    let next = "INSERT INTO counted (a, n) VALUES (:a, (SELECT COALESCE(MAX(n), 0) + 1 FROM (SELECT n FROM counted) AS so_far))";
    let one = json!([{"name": "a", "value": {"longValue": 1}}]);
    batch(next, json!([one, one, one, one])).await.unwrap();
    assert_eq!(texts("SELECT CAST(n AS CHAR) FROM counted ORDER BY n").await, ["1", "2", "3", "4"]);
    // One set's digits are not another's.
    database.run("CREATE TABLE words (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(10))").await;
    let decimal = |text: &str| json!([{"name": "v", "value": {"stringValue": text}, "typeHint": "DECIMAL"}]);
    let sets = json!([decimal("1.5"), decimal("2.12345"), decimal("100"), decimal("7")]);
    let made = batch("INSERT INTO words (v) VALUES (:v)", sets).await.unwrap();
    assert_eq!(made["updateResults"].as_array().unwrap().len(), 4);
    assert_eq!(texts("SELECT v FROM words ORDER BY id").await, ["1.5", "2.12345", "100", "7"]);
    // An error speaks of the set's own row, wherever it stands.
    let text = |text: &str| json!([{"name": "v", "value": {"stringValue": text}}]);
    let sets: Vec<Value> = (0..40).map(|n| if n == 30 { text("far too long for it") } else { text("good") }).collect();
    let refused = batch("INSERT INTO words (v) VALUES (:v)", json!(sets)).await.unwrap_err();
    assert!(refused.message.contains("at row 1"), "{}", refused.message);
    assert_eq!(texts("SELECT v FROM words WHERE v = 'good'").await, [""; 0]);
    database.world.close().await;
}
