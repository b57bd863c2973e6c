//! The Data API's types: every client reads the same of every kind of column, on every engine.

use aws_sdk_rdsdata::types::{Field, SqlParameter, TypeHint};
use serde_json::{Value, json};

use super::rds_data::{program, with_data_api};

/// A column of each type, a value for it, the field that the value comes back as, and the names of the type and its
/// `java.sql.Types`.
const COLUMNS: &[(&str, &str, &str, &str, i32)] = &[
    ("TINYINT(1)", "1", r#"{"booleanValue": true}"#, "BIT", -7),
    ("TINYINT", "-5", r#"{"longValue": -5}"#, "TINYINT", -6),
    ("TINYINT UNSIGNED", "255", r#"{"longValue": 255}"#, "TINYINT UNSIGNED", -6),
    ("SMALLINT", "-32768", r#"{"longValue": -32768}"#, "SMALLINT", 5),
    ("MEDIUMINT", "8388607", r#"{"longValue": 8388607}"#, "MEDIUMINT", 4),
    ("INT UNSIGNED", "4294967295", r#"{"longValue": 4294967295}"#, "INT UNSIGNED", 4),
    ("BIGINT", "-9223372036854775808", r#"{"longValue": -9223372036854775808}"#, "BIGINT", -5),
    ("BIGINT UNSIGNED", "18446744073709551615", r#"{"stringValue": "18446744073709551615"}"#, "BIGINT UNSIGNED", -5),
    ("FLOAT", "0.1", r#"{"doubleValue": 0.1}"#, "FLOAT", 7),
    ("FLOAT", "16777217", r#"{"doubleValue": 16777200.0}"#, "FLOAT", 7),
    ("DOUBLE", "1e300", r#"{"doubleValue": 1e300}"#, "DOUBLE", 8),
    ("DECIMAL(20,4)", "1234567890123456.7890", r#"{"stringValue": "1234567890123456.7890"}"#, "DECIMAL", 3),
    ("DECIMAL(10,0)", "12", r#"{"stringValue": "12"}"#, "DECIMAL", 3),
    ("BIT(1)", "b'1'", r#"{"booleanValue": true}"#, "BIT", -7),
    ("BIT(12)", "b'101000000001'", r#"{"blobValue": "CgE="}"#, "BIT", -3),
    ("YEAR", "2026", r#"{"stringValue": "2026"}"#, "YEAR", 91),
    ("DATE", "'2026-11-22'", r#"{"stringValue": "2026-11-22"}"#, "DATE", 91),
    ("TIME", "'-120:30:00'", r#"{"stringValue": "-120:30:00"}"#, "TIME", 92),
    ("TIME(2)", "'10:11:12.25'", r#"{"stringValue": "10:11:12.25"}"#, "TIME", 92),
    ("DATETIME", "'2026-11-22 10:11:12'", r#"{"stringValue": "2026-11-22 10:11:12"}"#, "DATETIME", 93),
    ("DATETIME(6)", "'2026-11-22 10:11:12.000001'", r#"{"stringValue": "2026-11-22 10:11:12.000001"}"#, "DATETIME", 93),
    ("TIMESTAMP NULL", "'2026-11-22 10:11:12'", r#"{"stringValue": "2026-11-22 10:11:12"}"#, "TIMESTAMP", 93),
    ("CHAR(4)", "'ab'", r#"{"stringValue": "ab"}"#, "CHAR", 1),
    ("VARCHAR(40)", "'ü, \"😀\"'", r#"{"stringValue": "ü, \"😀\""}"#, "VARCHAR", 12),
    ("TEXT", "'text'", r#"{"stringValue": "text"}"#, "TEXT", -1),
    ("LONGTEXT", "'long'", r#"{"stringValue": "long"}"#, "LONGTEXT", -1),
    ("BINARY(3)", "x'00ff01'", r#"{"blobValue": "AP8B"}"#, "BINARY", -2),
    ("VARBINARY(9)", "x'00ff'", r#"{"blobValue": "AP8="}"#, "VARBINARY", -3),
    ("TINYBLOB", "x'01'", r#"{"blobValue": "AQ=="}"#, "TINYBLOB", -3),
    ("BLOB", "x'00ff'", r#"{"blobValue": "AP8="}"#, "BLOB", -4),
    ("LONGBLOB", "''", r#"{"blobValue": ""}"#, "LONGBLOB", -4),
    ("ENUM('a', 'b')", "'b'", r#"{"stringValue": "b"}"#, "ENUM", 1),
    ("SET('a', 'b')", "'a,b'", r#"{"stringValue": "a,b"}"#, "SET", 1),
    ("INT", "NULL", r#"{"isNull": true}"#, "INT", 4),
];

/// Digits or letters, as AWS's driver counts them.
const PRECISIONS: &[(&str, i32)] = &[
    ("INT UNSIGNED", 10),
    ("DECIMAL(20,4)", 20),
    ("DECIMAL(10,0)", 10),
    ("DATE", 10),
    ("DATETIME(6)", 26),
    ("TIMESTAMP NULL", 19),
    ("VARCHAR(40)", 40),
];

/// A statement of the Rust SDK's, to the cluster of the test; the fields as JSON, as boto3 gives them.
async fn by_the_sdk(cloud: &crate::support::LocalCloud, sql: &str, parameters: Vec<SqlParameter>) -> Value {
    let who = program(cloud, "say([who['resourceArn'], who['secretArn']])").await;
    let (arn, secret) = (who[0].as_str().unwrap(), who[1].as_str().unwrap());
    let client = aws_sdk_rdsdata::Client::new(&cloud.sdk());
    let call = client.execute_statement().resource_arn(arn).secret_arn(secret).database("lab").sql(sql);
    let answer = call.set_parameters(Some(parameters)).send().await.unwrap();
    let field = |field: &Field| match field {
        Field::IsNull(is) => json!({"isNull": is}),
        Field::BooleanValue(value) => json!({"booleanValue": value}),
        Field::LongValue(value) => json!({"longValue": value}),
        Field::DoubleValue(value) => json!({"doubleValue": value}),
        Field::StringValue(value) => json!({"stringValue": value}),
        Field::BlobValue(blob) => {
            json!({"blobValue": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, blob)})
        }
        other => panic!("{other:?}"),
    };
    answer.records().iter().map(|row| row.iter().map(field).collect::<Value>()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_the_cli_and_the_sdk_read_the_same_of_every_type() {
    let cloud = with_data_api().await;
    let columns: Vec<String> = COLUMNS.iter().enumerate().map(|(at, (kind, ..))| format!("c{at} {kind}")).collect();
    let values: Vec<&str> = COLUMNS.iter().map(|(_, value, ..)| *value).collect();
    let create = format!("CREATE TABLE t (id INT PRIMARY KEY, {})", columns.join(", "));
    let insert = format!("INSERT INTO t VALUES (1, {})", values.join(", "));
    let names: Vec<String> = (0..COLUMNS.len()).map(|at| format!("c{at}")).collect();
    let select = format!("SELECT {} FROM t", names.join(", "));
    let seen = program(
        &cloud,
        &format!(
            "create, insert, select = {}, {}, {}\n{}",
            json!(create),
            json!(insert),
            json!(select),
            r#"
run(create); run(insert)
def plain(field): return {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in field.items()}
text = run(select, {'includeResultMetadata': True})
prepared = run(select + " WHERE id = :id", id=1)
say([[[plain(f) for f in a['records'][0]] for a in (text, prepared)], text['columnMetadata'], [who['resourceArn'], who['secretArn']]])
"#
        ),
    )
    .await;
    let fields: Vec<Value> = COLUMNS.iter().map(|(.., field, _, _)| serde_json::from_str(field).unwrap()).collect();
    for (at, (column, field)) in COLUMNS.iter().zip(&fields).enumerate() {
        assert_eq!(&seen[0][0][at], field, "{} as text, on {}", column.0, cloud.sql_engine());
        assert_eq!(&seen[0][1][at], field, "{} prepared, on {}", column.0, cloud.sql_engine());
        let metadata = &seen[1][at];
        let found = (metadata["typeName"].as_str().unwrap(), metadata["type"].as_i64().unwrap());
        assert_eq!(found, (column.3, column.4.into()), "{} on {}", column.0, cloud.sql_engine());
        assert_eq!(
            (&metadata["name"], &metadata["tableName"], &metadata["schemaName"]),
            (&json!(format!("c{at}")), &json!("t"), &json!(""))
        );
        let signed = matches!(column.4, -6 | 5 | 4 | -5 | 7 | 8 | 3) && !column.0.contains("UNSIGNED");
        assert_eq!(metadata["isSigned"], signed, "{}", column.0);
        assert_eq!(metadata.as_object().unwrap().len(), 14, "every member: {metadata}");
        if let Some((_, precision)) = PRECISIONS.iter().find(|(kind, _)| *kind == column.0) {
            assert_eq!(metadata["precision"], *precision, "{}", column.0);
        }
    }
    assert_eq!(by_the_sdk(&cloud, &select, Vec::new()).await, json!([fields]));
    let (arn, secret) = (seen[2][0].as_str().unwrap(), seen[2][1].as_str().unwrap());
    let to = ["--resource-arn", arn, "--secret-arn", secret, "--database", "lab"];
    let cli = cloud.aws(&[&["rds-data", "execute-statement", "--sql", &select], &to[..]].concat()).await;
    assert_eq!(cli["records"], json!([fields]));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_with_hints_are_stored_as_what_they_say_and_others_refused() {
    let cloud = with_data_api().await;
    let seen = program(
        &cloud,
        r#"
run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, d DECIMAL(20,10), day DATE, at DATETIME(3), t TIME(3), j JSON, u CHAR(36), ok BOOL, x BLOB, big BIGINT UNSIGNED)")
def hinted(name, hint, text): return {'name': name, 'typeHint': hint, 'value': {'stringValue': text}}
sql = "INSERT INTO t (d, day, at, t, j, u, ok, x, big) VALUES (:d, :day, :at, :t, :j, :u, :ok, :x, :big)"
good = [hinted('d', 'DECIMAL', '0.1234567891'), hinted('day', 'DATE', '2024-02-29'), hinted('at', 'TIMESTAMP', '2026-11-22 10:11:12.125'), hinted('t', 'TIME', '23:59:59.5'),
    hinted('j', 'JSON', '{"name": "O\'Neill :d"}'), hinted('u', 'UUID', '123e4567-e89b-12d3-a456-426614174000')] + given(ok=False, x=bytes(range(256)), big=None)
made = data.execute_statement(sql=sql, parameters=good, **to)
row = run("SELECT d, day, at, t, j, u, ok, HEX(x), big FROM t")['records'][0]
def wrong(name, hint, text):
    return refused(data.execute_statement, sql="SELECT :" + name, parameters=[hinted(name, hint, text)], **to)
bad = [wrong('a', *pair) for pair in [('DECIMAL', '1,5'), ('DATE', '2025-02-29'), ('TIMESTAMP', '2026-11-22T10:11:12'), ('TIME', '24:00:00'), ('JSON', '{'), ('UUID', '123')]]
array = refused(data.execute_statement, sql="SELECT :a", parameters=[{'name': 'a', 'value': {'arrayValue': {'longValues': [1]}}}], **to)
number = run("SELECT :n + 1", n=41)['records'][0][0]
say({'made': made['generatedFields'], 'row': [list(f.items())[0] for f in row], 'bad': bad, 'array': array, 'number': number})
"#,
    )
    .await;
    let row = json!([
        ["stringValue", "0.1234567891"],
        ["stringValue", "2024-02-29"],
        ["stringValue", "2026-11-22 10:11:12.125"],
        ["stringValue", "23:59:59.500"],
        ["stringValue", "{\"name\": \"O'Neill :d\"}"],
        ["stringValue", "123e4567-e89b-12d3-a456-426614174000"],
        ["booleanValue", false],
        ["stringValue", (0..=255u8).map(|byte| format!("{byte:02X}")).collect::<String>()],
        ["isNull", true]
    ]);
    assert_eq!(seen["row"], row, "on {}", cloud.sql_engine());
    assert_eq!((&seen["made"], &seen["number"]), (&json!([{"longValue": 1}]), &json!({"longValue": 42})));
    assert_eq!(seen["bad"], json!(vec!["ValidationException"; 6]));
    assert_eq!(seen["array"], "ValidationException");
    let hinted = SqlParameter::builder().name("j").type_hint(TypeHint::Json);
    let hinted = hinted.value(Field::StringValue("[1, 2]".into())).build();
    assert_eq!(by_the_sdk(&cloud, "SELECT :j", vec![hinted]).await, json!([[{"stringValue": "[1, 2]"}]]));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_come_as_the_options_say_also_in_json() {
    let cloud = with_data_api().await;
    let seen = program(
        &cloud,
        r#"
run("CREATE TABLE t (big BIGINT, whole DECIMAL(10,0), part DECIMAL(10,2), f FLOAT, ok BOOL, x BLOB, day DATE, n INT)")
run("INSERT INTO t VALUES (9007199254740993, 12, 12.00, 10, 1, x'ff', '2026-11-22', NULL)")
options = [{}, {'resultSetOptions': {'decimalReturnType': 'DOUBLE_OR_LONG', 'longReturnType': 'STRING'}}]
fields = [[list(f.items())[0] for f in run("SELECT big, whole, part FROM t", o)['records'][0]] for o in options]
texts = [run("SELECT * FROM t", {'formatRecordsAs': 'JSON', 'includeResultMetadata': True, **o}) for o in options]
say([fields, [t['formattedRecords'] for t in texts], 'records' in texts[0] or 'columnMetadata' in texts[0],
    run("UPDATE t SET n = 1", {'formatRecordsAs': 'JSON'}).get('numberOfRecordsUpdated')])
"#,
    )
    .await;
    let plain = json!([["longValue", 9_007_199_254_740_993_i64], ["stringValue", "12"], ["stringValue", "12.00"]]);
    let numbers = json!([["stringValue", "9007199254740993"], ["longValue", 12], ["doubleValue", 12.0]]);
    assert_eq!(seen[0], json!([plain, numbers]));
    let plain = r#"[{"big":9007199254740993,"whole":"12","part":"12.00","f":10.0,"ok":true,"x":"/w==","day":"2026-11-22","n":null}]"#;
    let numbers = r#"[{"big":"9007199254740993","whole":12,"part":12.0,"f":10.0,"ok":true,"x":"/w==","day":"2026-11-22","n":null}]"#;
    assert_eq!(seen[1], json!([plain, numbers]));
    assert_eq!((&seen[2], &seen[3]), (&json!(false), &json!(1)));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_columns_are_text_whatever_the_engine_calls_them() {
    let cloud = with_data_api().await;
    let seen = program(
        &cloud,
        r#"
run("CREATE TABLE t (j JSON)")
run("INSERT INTO t VALUES (:j)", j='{"a": [1, {"b": "x"}]}')
read = run("SELECT j, j->>'$.a[1].b' AS b FROM t", {'includeResultMetadata': True})
say([read['records'][0], read['columnMetadata'][0]['typeName']])
"#,
    )
    .await;
    let fields = json!([{"stringValue": "{\"a\": [1, {\"b\": \"x\"}]}"}, {"stringValue": "x"}]);
    assert_eq!(seen[0], fields);
    // MariaDB has no type of its own for JSON.
    let engine = cloud.sql_engine();
    assert_eq!(seen[1], if engine.starts_with("MariaDB") { "LONGTEXT" } else { "JSON" }, "on {engine}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_four_mebibytes_and_a_role_what_its_policies_allow() {
    let cloud = with_data_api().await;
    let seen = program(
        &cloud,
        r#"
run("CREATE TABLE t (s LONGTEXT)")
sizes = [refused(run, sql="INSERT INTO t VALUES (:s)", s='x' * size) for size in (4 * 1024 * 1024 - 4096, 4 * 1024 * 1024)]
iam, sts = boto3.client('iam'), boto3.client('sts')
trust = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'AWS': '*'}, 'Action': 'sts:AssumeRole'}]}
role = iam.create_role(RoleName='reader', AssumeRolePolicyDocument=json.dumps(trust))['Role']['Arn']
def allow(*statements): iam.put_role_policy(RoleName='reader', PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17',
    'Statement': [{'Effect': 'Allow', 'Action': action, 'Resource': resource} for action, resource in statements]}))
def asked():
    key = sts.assume_role(RoleArn=role, RoleSessionName='one')['Credentials']
    session = boto3.client('rds-data', aws_access_key_id=key['AccessKeyId'], aws_secret_access_key=key['SecretAccessKey'], aws_session_token=key['SessionToken'])
    try: return session.execute_statement(sql='SELECT 1', **to)['records'][0][0]['longValue']
    except Exception as error: return [error.response['Error']['Code'], error.response['Error']['Message'], error.response['ResponseMetadata']['HTTPStatusCode']]
answers = [asked()]
allow(('rds-data:ExecuteStatement', to['resourceArn'])); answers.append(asked())
allow(('rds-data:*', to['resourceArn']), ('secretsmanager:GetSecretValue', to['secretArn'])); answers.append(asked())
say([sizes, answers])
"#,
    )
    .await;
    assert_eq!(seen[0], json!([null, "RequestEntityTooLargeException"]));
    let denied = |at: usize, action: &str| {
        let [code, message, status] = [0, 1, 2].map(|part| &seen[1][at][part]);
        assert_eq!((code, status), (&json!("AccessDeniedException"), &json!(403)));
        let message = message.as_str().unwrap();
        assert!(
            message
                .contains(&format!("assumed-role/reader/one is not authorized to perform: {action} on resource: arn:")),
            "{message}"
        );
    };
    denied(0, "rds-data:ExecuteStatement");
    denied(1, "secretsmanager:GetSecretValue");
    assert_eq!(seen[1][2], 1);
    cloud.stop().await;
}
