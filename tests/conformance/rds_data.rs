//! The Data API, by boto3 and the AWS CLI.

use serde_json::{Value, json};

use crate::support::LocalCloud;
use crate::support::database::Database;

/// What the programs share: `run` sends a statement of the master user to the cluster's first database.
const SHARED: &str = r#"
data = boto3.client('rds-data')
cluster = boto3.client('rds').describe_db_clusters()['DBClusters'][0]
who = dict(resourceArn=cluster['DBClusterArn'], secretArn=cluster['MasterUserSecret']['SecretArn'])
to = dict(database='lab', **who)
def given(**values):
    kind = {int: 'longValue', float: 'doubleValue', bool: 'booleanValue', str: 'stringValue', bytes: 'blobValue'}
    return [{'name': k, 'value': {'isNull': True} if v is None else {kind[type(v)]: v}} for k, v in values.items()]
def run(sql, more={}, **values): return data.execute_statement(sql=sql, parameters=given(**values), **{**to, **more})
"#;

pub(super) async fn with_data_api() -> LocalCloud {
    let cloud = LocalCloud::start_with_engines().await;
    Database::create(&cloud, "{'EnableHttpEndpoint': True}").await;
    cloud
}

pub(super) async fn program(cloud: &LocalCloud, program: &str) -> Value {
    cloud.boto3(&format!("{SHARED}{program}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_goes_in_as_a_parameter_and_comes_out_as_a_field_with_its_metadata() {
    let cloud = with_data_api().await;
    let seen = program(
        &cloud,
        r#"
run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, big BIGINT UNSIGNED, f DOUBLE, s VARCHAR(20), b TINYINT(1), x BLOB, d DECIMAL(10,2), day DATE, at DATETIME(3), t TIME, j JSON, n INT)")
sql = "INSERT INTO t (big, f, s, b, x, d, day, at, t, j, n) VALUES (:big, :f, :s, :b, :x, :d, :day, :at, :t, :j, :n)"
parameters = given(big=7, f=1.5, s="it's :not", b=True, x=b'\x00\xff', n=None)
for name, hint, text in [('d', 'DECIMAL', '3.50'), ('day', 'DATE', '2026-11-22'), ('at', 'TIMESTAMP', '2026-11-22 10:11:12.345'), ('t', 'TIME', '01:02:03'), ('j', 'JSON', '{"a": 1}')]:
    parameters.append({'name': name, 'typeHint': hint, 'value': {'stringValue': text}})
made = data.execute_statement(sql=sql, parameters=parameters, **to)
read = run("SELECT * FROM t WHERE s = :s", {'includeResultMetadata': True}, s="it's :not")
row = [list(field.items())[0] for field in read['records'][0]]
say({'made': [made['numberOfRecordsUpdated'], made['generatedFields']], 'row': [[k, v.hex() if isinstance(v, bytes) else v] for k, v in row],
     'types': [c['typeName'] for c in read['columnMetadata']], 'first': read['columnMetadata'][0]['isAutoIncrement'], 'table': read['columnMetadata'][3]['tableName']})
"#,
    )
    .await;
    assert_eq!(seen["made"], json!([1, [{"longValue": 1}]]));
    let row = json!([
        ["longValue", 1],
        ["longValue", 7],
        ["doubleValue", 1.5],
        ["stringValue", "it's :not"],
        ["booleanValue", true],
        ["blobValue", "00ff"],
        ["stringValue", "3.50"],
        ["stringValue", "2026-11-22"],
        ["stringValue", "2026-11-22 10:11:12.345"],
        ["stringValue", "01:02:03"],
        ["stringValue", "{\"a\": 1}"],
        ["isNull", true]
    ]);
    assert_eq!(seen["row"], row);
    let types = ["INT", "BIGINT UNSIGNED", "DOUBLE", "VARCHAR", "BIT", "BLOB", "DECIMAL", "DATE", "DATETIME", "TIME"];
    assert_eq!(seen["types"].as_array().unwrap()[..10], types);
    assert_eq!((&seen["first"], &seen["table"]), (&json!(true), &json!("t")));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_as_json_and_numbers_as_asked() {
    let cloud = with_data_api().await;
    let seen = program(
        &cloud,
        r#"
sql = "SELECT 1 AS id, CAST(2.50 AS DECIMAL(5,2)) AS price, NULL AS nothing, 'ü' AS name"
text = run(sql, {'formatRecordsAs': 'JSON'})
options = {'resultSetOptions': {'decimalReturnType': 'DOUBLE_OR_LONG', 'longReturnType': 'STRING'}}
say([json.loads(text['formattedRecords']), 'records' in text, run(sql, options)['records'][0], run("SELECT id FROM (SELECT 1 AS id) AS t WHERE id = 2", {'formatRecordsAs': 'JSON'})['formattedRecords']])
"#,
    )
    .await;
    assert_eq!(seen[0][0]["name"], "ü");
    assert_eq!((&seen[0][0]["id"], &seen[0][0]["nothing"], &seen[1]), (&json!(1), &Value::Null, &json!(false)));
    assert_eq!(seen[2].as_array().unwrap()[..2], [json!({"stringValue": "1"}), json!({"doubleValue": 2.5})]);
    assert_eq!(seen[3], "[]");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_seen_by_itself_until_it_is_committed_and_a_batch_is_one_request() {
    let cloud = with_data_api().await;
    let seen = program(
        &cloud,
        r#"
run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, n INT UNIQUE)")
def count(**more): return run("SELECT COUNT(*) FROM t", more)['records'][0][0]['longValue']
def begin(): return dict(transactionId=data.begin_transaction(**to)['transactionId'])
def insert(more, *values): return data.batch_execute_statement(sql="INSERT INTO t (n) VALUES (:n)", parameterSets=[given(n=n) for n in values], **to, **more)
one = begin()
keys = [r['generatedFields'][0]['longValue'] for r in insert(one, 1, 2, 3)['updateResults']]
inside = [count(**one), count()]
status = data.commit_transaction(**who, **one)['transactionStatus']
two = begin(); insert(two, 4); undone = data.rollback_transaction(**who, **two)['transactionStatus']
code = [refused(run, sql="SELECT 1", more=two), refused(data.commit_transaction, **who, **two)]
say({'keys': keys, 'inside': inside, 'status': [status, undone], 'after': count(), 'code': code})
"#,
    )
    .await;
    assert_eq!((&seen["keys"], &seen["inside"]), (&json!([1, 2, 3]), &json!([3, 0])));
    assert_eq!(seen["status"], json!(["Transaction Committed", "Rollback Complete"]));
    assert_eq!(seen["after"], 3);
    assert_eq!(seen["code"], json!(["TransactionNotFoundException", "TransactionNotFoundException"]));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_said_with_awss_codes() {
    let cloud = with_data_api().await;
    let seen = program(
        &cloud,
        r#"
secrets = boto3.client('secretsmanager')
wrong = secrets.create_secret(Name='wrong', SecretString='{"username": "admin", "password": "wrong-password"}')['ARN']
junk = secrets.create_secret(Name='junk', SecretString='junk')['ARN']
def code(sql="SELECT 1", **more): return refused(data.execute_statement, **{**to, 'sql': sql, **more})
seen = [code("SELEC 1"), code("SELECT * FROM missing"), code("SELECT 1; SELECT 2"), code("SELECT :a"), code("SELECT 1", resourceArn=to['resourceArn'] + 'x'),
    code("SELECT 1", secretArn=wrong), code("SELECT 1", secretArn=junk), code("SELECT 1", secretArn=wrong + 'x'), code("SELECT 1", database='missing'),
    code("SELECT :a", parameters=[{'name': 'a', 'typeHint': 'DATE', 'value': {'stringValue': 'tomorrow'}}]), code("SELECT REPEAT('x', 70000)"), code("SELECT 1", transactionId='none')]
boto3.client('rds').disable_http_endpoint(ResourceArn=to['resourceArn'])
seen.append(code())
say(seen)
"#,
    )
    .await;
    let codes = [
        "DatabaseErrorException",
        "DatabaseErrorException",
        "ValidationException",
        "ValidationException",
        "HttpEndpointNotEnabledException",
        "DatabaseErrorException",
        "InvalidSecretException",
        "SecretsErrorException",
        "DatabaseErrorException",
        "ValidationException",
        "UnsupportedResultException",
        "TransactionNotFoundException",
        "HttpEndpointNotEnabledException",
    ];
    assert_eq!(seen, json!(codes));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cli_runs_statements_and_what_ended_with_the_cloud_is_there_after_a_restart() {
    let cloud = with_data_api().await;
    let target = program(&cloud, "say([who['resourceArn'], who['secretArn']])").await;
    let target = [target[0].as_str().unwrap(), target[1].as_str().unwrap()];
    let to = ["--resource-arn", target[0], "--secret-arn", target[1], "--database", "lab"];
    let run = |sql| [&["rds-data", "execute-statement", "--sql", sql], &to[..]].concat();
    cloud.aws(&run("CREATE TABLE t (n INT)")).await;
    cloud.aws(&run("INSERT INTO t VALUES (5)")).await;
    let begun = cloud.aws(&[&["rds-data", "begin-transaction"], &to[..]].concat()).await;
    let open = begun["transactionId"].as_str().unwrap();
    cloud.aws(&[&run("DELETE FROM t")[..], &["--transaction-id", open]].concat()).await;
    let cloud = cloud.restart().await;
    let rows = cloud.aws(&run("SELECT n FROM t")).await;
    assert_eq!(rows["records"], json!([[{"longValue": 5}]]));
    let said = cloud.aws_fails(&[&run("SELECT 1")[..], &["--transaction-id", open]].concat()).await;
    assert!(said.contains("TransactionNotFoundException"), "{said}");
    cloud.stop().await;
}
