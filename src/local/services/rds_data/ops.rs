//! ExecuteStatement, BatchExecuteStatement and the transactions.

use std::sync::Arc;
use std::time::Instant;

use mysql_async::prelude::Queryable;
use serde::Deserialize;
use serde_json::{Value, json};

use super::RdsData;
use super::faults::DataFault;
use super::parameters::{Parameter, alike, casts, values};
use super::pool::{self, Left, Lent, Login, silent};
use super::results::Form;
use super::run::{Held, LONGEST, SetsOf, Work, timed};
use super::statement::Statement;
use super::target::{Purpose, Target, login};
use crate::call::Call;

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

/// ExecuteStatement.
pub(crate) async fn execute(data: Arc<RdsData>, call: &Call, input: Execute) -> Result<Value, DataFault> {
    let begun = Instant::now();
    let statement = Statement::read(&input.sql, &casts(&input.parameters))?;
    let options = input.result_set_options.as_ref();
    let is = |option: Option<&String>, value: &str| option.is_some_and(|option| option == value);
    let form = Form {
        json: is(input.format_records_as.as_ref(), "JSON"),
        decimals_as_numbers: is(options.and_then(|options| options.decimal_return_type.as_ref()), "DOUBLE_OR_LONG"),
        longs_as_text: is(options.and_then(|options| options.long_return_type.as_ref()), "STRING"),
    };
    let values = values(&statement.names, &input.parameters)?;
    let work = Work::One { statement, values, form, metadata: input.include_result_metadata };
    let target = Target {
        resource_arn: input.resource_arn,
        secret_arn: input.secret_arn,
        database: input.database,
        schema: input.schema,
    };
    let (login, held) = held(&data, call, &target, input.transaction_id.as_deref(), work.left()).await?;
    timed((&login, begun), held, input.continue_after_timeout, work).await
}

/// A connection for a statement: the transaction's, or one of the pool's.
async fn held(
    data: &RdsData,
    call: &Call,
    target: &Target,
    transaction: Option<&str>,
    left: Left,
) -> Result<(Login, Held), DataFault> {
    // Clients that have no transaction may send an empty id for it.
    let transaction = transaction.filter(|id| !id.is_empty());
    let purpose = if transaction.is_some() { Purpose::Continue } else { Purpose::Begin };
    let login = login(data, call, target, purpose).await?;
    let held = match transaction {
        Some(id) => {
            let (lent, place) = data.transactions.take(id, &login, data.cloud.clock.now())?;
            Held { lent, transaction: Some(place) }
        }
        None => {
            let lent = lent(data, call, &login, pool::Purpose::Statement(left)).await?;
            Held { lent, transaction: None }
        }
    };
    Ok((login, held))
}

/// A connection of the pool, for a client that is still there: one that is gone must not take the place of another.
async fn lent(data: &RdsData, call: &Call, login: &Login, purpose: pool::Purpose) -> Result<Lent, DataFault> {
    tokio::select! {
        lent = data.pool.take(login, purpose, LONGEST) => lent,
        () = call.client.gone() => Err(DataFault::NoConnection),
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

/// BatchExecuteStatement: the statement once for each set.
pub(crate) async fn batch(data: Arc<RdsData>, call: &Call, input: Batch) -> Result<Value, DataFault> {
    let begun = Instant::now();
    let given = if input.parameter_sets.is_empty() { &[Vec::new()][..] } else { &input.parameter_sets };
    let run = |sets: &[Vec<Parameter>]| {
        let statement = Statement::read(&input.sql, &casts(sets.iter().flatten()))?;
        let sets = sets.iter().map(|set| values(&statement.names, set)).collect::<Result<_, _>>()?;
        Ok::<_, DataFault>(SetsOf { statement, sets })
    };
    let runs = alike(given).into_iter().map(run).collect::<Result<Vec<_>, _>>()?;
    let left = runs.iter().map(|run| run.statement.left).max().unwrap_or(Left::Nothing);
    let target = Target {
        resource_arn: input.resource_arn,
        secret_arn: input.secret_arn,
        database: input.database,
        schema: input.schema,
    };
    let (login, held) = held(&data, call, &target, input.transaction_id.as_deref(), left).await?;
    let work = Work::Batch { runs, alone: held.transaction.is_none() };
    timed((&login, begun), held, false, work).await
}

/// BeginTransaction.
pub(crate) async fn begin(data: Arc<RdsData>, call: &Call, input: Target) -> Result<Value, DataFault> {
    let login = login(&data, call, &input, Purpose::Begin).await?;
    let mut lent = lent(&data, call, &login, pool::Purpose::Transaction).await?;
    answered(lent.conn.query_drop("START TRANSACTION")).await?;
    if call.client.is_gone() {
        // Nobody would ever name it.
        return Err(DataFault::NoConnection);
    }
    let id = format!("{}{}", data.cloud.ids.hex(32), data.cloud.ids.hex(32));
    data.transactions.begin(id.clone(), &login, lent, data.cloud.clock.now());
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
    let target = Target { resource_arn, secret_arn, database: None, schema: None };
    let login = login(data, call, &target, Purpose::Continue).await?;
    let (mut lent, _place) = data.transactions.take(&transaction_id, &login, data.cloud.clock.now())?;
    data.transactions.end(&transaction_id);
    answered(lent.conn.query_drop(statement)).await?;
    lent.give_back();
    Ok(())
}

/// What an engine that hangs does not answer is given up, as a statement is.
async fn answered(asked: impl Future<Output = mysql_async::Result<()>>) -> Result<(), DataFault> {
    Ok(tokio::time::timeout(LONGEST, asked).await.map_err(|_| silent())??)
}

/// ExecuteSql is of Aurora Serverless v1, which AWS has ended.
pub(crate) async fn execute_sql(_data: Arc<RdsData>, _call: &Call, _input: Value) -> Result<Value, DataFault> {
    Err(DataFault::BadRequest(
        "The ExecuteSql operation isn't supported for this cluster; use ExecuteStatement.".into(),
    ))
}
