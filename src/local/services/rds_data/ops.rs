//! ExecuteStatement, BatchExecuteStatement and the transactions.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{Conn, Params, QueryResult};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::OwnedMutexGuard;

use super::RdsData;
use super::faults::DataFault;
use super::parameters::{Parameter, positional, values};
use super::results::{Form, Rows, metadata};
use super::sessions::Login;
use crate::call::Call;
use crate::fault::Fault;
use crate::services::rds::door_socket;
use crate::services::rds::rewrite::is_several;

/// How long a statement may take; the tests do not wait for AWS's.
const LONGEST: Duration = if cfg!(test) { Duration::from_secs(5) } else { Duration::from_secs(45) };
/// The longest statement that the service model allows, and the most parameter sets that labs send.
const LONGEST_SQL: usize = 65_536;

/// What every request names.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Target {
    resource_arn: String,
    secret_arn: String,
    database: Option<String>,
    schema: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResultSetOptions {
    decimal_return_type: Option<String>,
    long_return_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Execute {
    resource_arn: String,
    secret_arn: String,
    database: Option<String>,
    schema: Option<String>,
    sql: String,
    #[serde(default)]
    parameters: Vec<Parameter>,
    transaction_id: Option<String>,
    #[serde(default)]
    include_result_metadata: bool,
    #[serde(default)]
    continue_after_timeout: bool,
    result_set_options: Option<ResultSetOptions>,
    format_records_as: Option<String>,
}

/// A statement that is ready to be sent.
struct Statement {
    sql: String,
    values: Vec<mysql_async::Value>,
    form: Form,
    metadata: bool,
}

/// ExecuteStatement.
pub(crate) async fn execute(data: Arc<RdsData>, call: &Call, input: Execute) -> Result<Value, DataFault> {
    check(&input.sql)?;
    let (sql, names) = positional(&input.sql);
    let options = input.result_set_options.as_ref();
    let is = |option: Option<&String>, value: &str| option.is_some_and(|option| option == value);
    let form = Form {
        json: is(input.format_records_as.as_ref(), "JSON"),
        decimals_as_numbers: is(options.and_then(|options| options.decimal_return_type.as_ref()), "DOUBLE_OR_LONG"),
        longs_as_text: is(options.and_then(|options| options.long_return_type.as_ref()), "STRING"),
    };
    let values = values(&names, &input.parameters)?;
    let statement = Statement { sql, values, form, metadata: input.include_result_metadata };
    let target = Target {
        resource_arn: input.resource_arn,
        secret_arn: input.secret_arn,
        database: input.database,
        schema: input.schema,
    };
    let (login, conn) = connection(&data, call, &target, input.transaction_id.as_deref()).await?;
    timed(&data, login, conn, input.continue_after_timeout, Work::One(statement)).await
}

fn check(sql: &str) -> Result<(), DataFault> {
    if sql.trim().is_empty() {
        return Err(DataFault::BadRequest("The SQL statement is empty.".into()));
    }
    if sql.len() > LONGEST_SQL {
        return Err(DataFault::BadRequest(format!("The SQL statement is longer than {LONGEST_SQL} characters.")));
    }
    if is_several(sql.as_bytes()) {
        return Err(DataFault::BadRequest("Multistatements aren't supported.".into()));
    }
    Ok(())
}

/// A connection, and where it goes when its work is done: back to its transaction, or to the pool. It is out of its
/// transaction while it works, so that one that is dropped in the middle of an answer is not used again.
struct Held {
    conn: Conn,
    transaction: Option<OwnedMutexGuard<Option<Conn>>>,
}

async fn connection(
    data: &RdsData,
    call: &Call,
    target: &Target,
    transaction: Option<&str>,
) -> Result<(Login, Held), DataFault> {
    let login = login(data, call, target).await?;
    let Some(id) = transaction else {
        let conn = data.sessions.take(&login).await?;
        return Ok((login, Held { conn, transaction: None }));
    };
    let transaction = data.sessions.transaction(id)?;
    if transaction.resource_id != login.resource_id {
        return Err(DataFault::TransactionNotFound(id.to_owned()));
    }
    if login.database.is_some() && login.database != transaction.database {
        return Err(DataFault::BadRequest("Database name is not the same as transaction database".into()));
    }
    let mut guard = transaction.conn.clone().lock_owned().await;
    let conn = guard.take().ok_or_else(|| DataFault::TransactionNotFound(id.to_owned()))?;
    Ok((login, Held { conn, transaction: Some(guard) }))
}

/// Runs `work` on the connection for as long as AWS would wait. What takes longer is ended, or, if the request says so,
/// goes on by itself.
async fn timed(data: &RdsData, login: Login, held: Held, go_on: bool, work: Work) -> Result<Value, DataFault> {
    let Held { mut conn, transaction } = held;
    let connection = conn.id();
    let sessions = data.sessions.clone();
    let owner = login.clone();
    let mut task = tokio::spawn(async move {
        let done = perform(&mut conn, work).await;
        if !matches!(done, Err(DataFault::Unavailable(_) | DataFault::Unsupported(_))) {
            match transaction {
                Some(mut guard) => *guard = Some(conn),
                None => sessions.keep(&owner, conn),
            }
        }
        done
    });
    match tokio::time::timeout(LONGEST, &mut task).await {
        Ok(Ok(done)) => done,
        Ok(Err(failed)) => Err(Fault::internal(failed).into()),
        Err(_) => {
            if !go_on {
                task.abort();
                if let Ok(mut killer) = login.connect().await {
                    let _ = killer.query_drop(format!("KILL QUERY {connection}")).await;
                }
            }
            Err(DataFault::Timeout { connection })
        }
    }
}

/// What a request does on its connection.
enum Work {
    One(Statement),
    Batch { sql: String, sets: Vec<Vec<mysql_async::Value>> },
}

async fn perform(conn: &mut Conn, work: Work) -> Result<Value, DataFault> {
    match work {
        Work::One(statement) => run(conn, statement).await.map(Value::Object),
        Work::Batch { sql, sets } => {
            let several = counts_keys(&sql);
            let mut results = Vec::with_capacity(sets.len());
            for set in sets {
                let parameters = if set.is_empty() { Params::Empty } else { Params::Positional(set) };
                conn.exec_drop(&sql, parameters).await?;
                let first = conn.last_insert_id().filter(|id| *id != 0);
                let count = if several { conn.affected_rows() } else { 1 };
                results.push(json!({"generatedFields": keys(first, count)}));
            }
            Ok(json!({"updateResults": results}))
        }
    }
}

/// One statement: rows or counts.
async fn run(conn: &mut Conn, statement: Statement) -> Result<Map<String, Value>, DataFault> {
    let Statement { sql, values, form, metadata } = statement;
    let several = counts_keys(&sql);
    if values.is_empty() {
        // Statements that cannot be prepared, such as LOAD DATA FROM S3, go as they are.
        answer(conn.query_iter(sql).await?, form, metadata, several).await
    } else {
        answer(conn.exec_iter(sql, Params::Positional(values)).await?, form, metadata, several).await
    }
}

/// Whether an INSERT's generated keys are as many as its rows: the engine tells the first.
fn counts_keys(sql: &str) -> bool {
    let upper = sql.trim_start().get(..6).unwrap_or_default().to_ascii_uppercase();
    upper == "INSERT" && !sql.to_ascii_uppercase().contains("ON DUPLICATE KEY")
}

async fn answer<P: Protocol>(
    mut result: QueryResult<'_, '_, P>,
    form: Form,
    with_metadata: bool,
    several: bool,
) -> Result<Map<String, Value>, DataFault> {
    let mut answer = Map::new();
    let columns = result.columns().filter(|columns| !columns.is_empty());
    let (affected, first) = (result.affected_rows(), result.last_insert_id().filter(|id| *id != 0));
    match columns {
        Some(columns) => {
            let mut rows = Rows::new(form);
            while let Some(row) = result.next().await? {
                rows.add(row)?;
            }
            if with_metadata {
                answer.insert("columnMetadata".into(), columns.iter().map(metadata).collect());
            }
            answer.insert("numberOfRecordsUpdated".into(), 0.into());
            rows.answer(&mut answer);
        }
        None => {
            answer.insert("numberOfRecordsUpdated".into(), affected.into());
            answer.insert("generatedFields".into(), keys(first, if several { affected } else { 1 }));
        }
    }
    // A procedure's further results are not answered with.
    result.drop_result().await?;
    Ok(answer)
}

fn keys(first: Option<u64>, count: u64) -> Value {
    match first {
        Some(first) => (first..first + count.max(1)).map(|key| json!({"longValue": key})).collect(),
        None => json!([]),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Batch {
    resource_arn: String,
    secret_arn: String,
    database: Option<String>,
    schema: Option<String>,
    sql: String,
    #[serde(default)]
    parameter_sets: Vec<Vec<Parameter>>,
    transaction_id: Option<String>,
}

/// BatchExecuteStatement: the statement once for each set, prepared once.
pub(crate) async fn batch(data: Arc<RdsData>, call: &Call, input: Batch) -> Result<Value, DataFault> {
    check(&input.sql)?;
    let (sql, names) = positional(&input.sql);
    let sets: Vec<Vec<mysql_async::Value>> = match input.parameter_sets.is_empty() {
        true => vec![values(&names, &[])?],
        false => input.parameter_sets.iter().map(|set| values(&names, set)).collect::<Result<_, _>>()?,
    };
    let target = Target {
        resource_arn: input.resource_arn,
        secret_arn: input.secret_arn,
        database: input.database,
        schema: input.schema,
    };
    let (login, conn) = connection(&data, call, &target, input.transaction_id.as_deref()).await?;
    timed(&data, login, conn, false, Work::Batch { sql, sets }).await
}

/// BeginTransaction.
pub(crate) async fn begin(data: Arc<RdsData>, call: &Call, input: Target) -> Result<Value, DataFault> {
    let login = login(&data, call, &input).await?;
    let mut conn = data.sessions.take(&login).await?;
    conn.query_drop("START TRANSACTION").await?;
    let id = format!("{}{}", data.cloud.ids.hex(32), data.cloud.ids.hex(32));
    data.sessions.begin(id.clone(), &login, conn);
    Ok(json!({"transactionId": id}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct End {
    resource_arn: String,
    secret_arn: String,
    transaction_id: String,
}

/// CommitTransaction.
pub(crate) async fn commit(data: Arc<RdsData>, call: &Call, input: End) -> Result<Value, DataFault> {
    end(&data, call, input, "COMMIT").await?;
    Ok(json!({"transactionStatus": "Transaction Committed"}))
}

/// RollbackTransaction.
pub(crate) async fn rollback(data: Arc<RdsData>, call: &Call, input: End) -> Result<Value, DataFault> {
    end(&data, call, input, "ROLLBACK").await?;
    Ok(json!({"transactionStatus": "Rollback Complete"}))
}

async fn end(data: &RdsData, call: &Call, input: End, statement: &str) -> Result<(), DataFault> {
    let End { resource_arn, secret_arn, transaction_id } = input;
    let login = login(data, call, &Target { resource_arn, secret_arn, database: None, schema: None }).await?;
    let transaction = data.sessions.transaction(&transaction_id)?;
    if transaction.resource_id != login.resource_id {
        return Err(DataFault::TransactionNotFound(transaction_id));
    }
    let mut guard = transaction.conn.lock().await;
    data.sessions.end(&transaction_id)?;
    let Some(mut conn) = guard.take() else { return Err(DataFault::TransactionNotFound(transaction_id)) };
    conn.query_drop(statement).await?;
    data.sessions.keep(&Login { database: transaction.database.clone(), ..login }, conn);
    Ok(())
}

/// ExecuteSql is of Aurora Serverless v1, which AWS has ended.
pub(crate) async fn execute_sql(_data: Arc<RdsData>, _call: &Call, _input: Value) -> Result<Value, DataFault> {
    Err(DataFault::BadRequest("ExecuteSql is not supported for this cluster; use ExecuteStatement.".into()))
}

/// Who logs in to which cluster: RDS is asked for the cluster, Secrets Manager for the secret, as the caller.
async fn login(data: &RdsData, call: &Call, target: &Target) -> Result<Login, DataFault> {
    if target.schema.is_some() {
        return Err(DataFault::BadRequest("The schema parameter isn't supported.".into()));
    }
    let arn = &target.resource_arn;
    if !arn.starts_with("arn:") || !arn.contains(":cluster:") {
        return Err(DataFault::BadRequest(format!("Invalid cluster arn: {arn}")));
    }
    let found = data.cloud.call(&call.scope, "rds", "DescribeDBClusters", json!({"DBClusterIdentifier": arn})).await;
    let found = found.map_err(|fault| match fault.code.as_str() {
        "DBClusterNotFoundFault" => DataFault::DatabaseNotFound(arn.clone()),
        _ => fault.into(),
    })?;
    let cluster = found.pointer("/DBClusters/0").ok_or_else(|| DataFault::DatabaseNotFound(arn.clone()))?;
    let text = |name: &str| cluster.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("DBClusterArn") != arn {
        return Err(DataFault::DatabaseNotFound(arn.clone()));
    }
    if cluster.get("HttpEndpointEnabled") != Some(&Value::Bool(true)) {
        return Err(DataFault::NotEnabled(arn.clone()));
    }
    if cluster.pointer("/DBClusterMembers/0").is_none() {
        return Err(DataFault::State(format!("The cluster {} has no DB instance.", text("DBClusterIdentifier"))));
    }
    match text("Status") {
        // An engine that is coming back is waited for at login.
        "available" | "starting" | "modifying" => {}
        "creating" => return Err(DataFault::Unavailable("The cluster is being created.".into())),
        status => return Err(DataFault::State(format!("The cluster {} is {status}.", text("DBClusterIdentifier")))),
    }
    let (user, password) = secret(data, call, &target.secret_arn).await?;
    let resource_id = text("DbClusterResourceId").to_owned();
    let socket = door_socket(&data.cloud, &resource_id).map_err(Fault::internal)?;
    let database = target.database.clone().filter(|name| !name.is_empty());
    Ok(Login { resource_id, socket, user, password, database })
}

async fn secret(data: &RdsData, call: &Call, arn: &str) -> Result<(String, String), DataFault> {
    let asked = data.cloud.call(&call.scope, "secretsmanager", "GetSecretValue", json!({"SecretId": arn})).await;
    let asked = asked.map_err(|fault| match fault.code.as_str() {
        "AccessDeniedException" => fault.into(),
        _ => DataFault::Secrets(format!("Error fetching secret {arn} : {}", fault.message)),
    })?;
    let bad = || DataFault::InvalidSecret("The secret must be JSON with a username and a password.".into());
    let text = asked.get("SecretString").and_then(Value::as_str).ok_or_else(bad)?;
    let secret: Value = serde_json::from_str(text).map_err(|_| bad())?;
    let part = |name: &str| secret.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(bad);
    Ok((part("username")?, part("password")?))
}
