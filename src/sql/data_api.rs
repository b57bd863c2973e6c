//! Statements over the RDS Data API. A paused or restarting database is waited for. A change whose answer was lost is not sent
//! again: it may have been made.

use std::time::Duration;

use aws_sdk_rdsdata::config::retry::RetryConfig;
use aws_sdk_rdsdata::types::{
    ColumnMetadata, DecimalReturnType, Field, LongReturnType, ResultSetOptions, SqlParameter, TypeHint,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::result::{Column, ResultSet};
use crate::aws::AwsError;

/// Which database to talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub cluster_arn: String,
    pub secret_arn: String,
    /// The default schema; none for statements that name theirs.
    pub database: Option<String>,
}

/// A statement did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The database refused it; its own words.
    #[error("{message}")]
    Refused { message: String },
    /// The Data API does not run this kind of statement.
    #[error("the Data API does not run this statement: {message}")]
    NotRunHere { message: String },
    #[error("the database did not become available within {} s", within.as_secs())]
    Unavailable { within: Duration, source: AwsError },
    #[error("no clear answer came: it may have been done or not")]
    Lost { source: AwsError },
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// A value for a statement's `:name`, of the type that the database is to see.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    Text(String),
    Integer(i64),
    Number(f64),
    /// `YYYY-MM-DD hh:mm:ss.ffffff`.
    Timestamp(String),
}

impl Parameter {
    fn of(&self, name: &str) -> SqlParameter {
        let parameter = SqlParameter::builder().name(name);
        let parameter = match self {
            Parameter::Text(text) => parameter.value(Field::StringValue(text.clone())),
            Parameter::Integer(number) => parameter.value(Field::LongValue(*number)),
            Parameter::Number(number) => parameter.value(Field::DoubleValue(*number)),
            // The hint takes milliseconds and no more (SqlParameter in the API reference); without it the database compares the
            // text with a DATETIME as the moment that it says.
            Parameter::Timestamp(text) => match text.strip_suffix("000") {
                Some(short) => parameter.value(Field::StringValue(short.to_owned())).type_hint(TypeHint::Timestamp),
                None => parameter.value(Field::StringValue(text.clone())),
            },
        };
        parameter.build()
    }
}

/// Runs statements; what the ledger needs, so that it can be tested without a database.
#[async_trait::async_trait]
pub trait Execute: Send + Sync {
    async fn execute(
        &self,
        statement: &str,
        parameters: &[(&str, &str)],
        transaction: Option<&str>,
    ) -> Result<ResultSet, SqlError>;
    async fn begin(&self) -> Result<String, SqlError>;
    async fn commit(&self, transaction: &str) -> Result<(), SqlError>;
    async fn rollback(&self, transaction: &str) -> Result<(), SqlError>;
}

/// The Data API of one cluster.
pub struct DataApi {
    client: aws_sdk_rdsdata::Client,
    address: Address,
    /// Told once, when the database makes us wait.
    waiting: Box<dyn Fn(&str) + Send + Sync>,
}

/// A cluster that was paused for more than a day needs about 30 s to resume (Aurora Serverless v2 user guide).
const RESUME_WITHIN: Duration = Duration::from_secs(120);
/// How often what changes nothing is sent again when no clear answer comes.
const READ_AGAIN: usize = 5;

impl DataApi {
    pub fn new(client: &aws_sdk_rdsdata::Client, address: Address) -> Self {
        // The SDK cannot tell what may be sent twice.
        let once = client.config().to_builder().retry_config(RetryConfig::disabled()).build();
        DataApi { client: aws_sdk_rdsdata::Client::from_conf(once), address, waiting: Box::new(|_| ()) }
    }

    /// `tell` hears why a statement is waiting.
    #[must_use]
    pub fn telling(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.waiting = Box::new(tell);
        self
    }

    /// Runs one statement with values of other types than text.
    ///
    /// # Errors
    /// See [`SqlError`].
    pub async fn query(&self, statement: &str, parameters: &[(String, Parameter)]) -> Result<ResultSet, SqlError> {
        let parameters: Vec<SqlParameter> = parameters.iter().map(|(name, value)| value.of(name)).collect();
        self.patiently(is_read(statement), || self.send(statement, parameters.clone(), None)).await
    }

    async fn send(
        &self,
        statement: &str,
        parameters: Vec<SqlParameter>,
        transaction: Option<&str>,
    ) -> Result<ResultSet, AwsError> {
        let options = ResultSetOptions::builder()
            .decimal_return_type(DecimalReturnType::String)
            .long_return_type(LongReturnType::Long)
            .build();
        let output = self
            .client
            .execute_statement()
            .resource_arn(&self.address.cluster_arn)
            .secret_arn(&self.address.secret_arn)
            .set_database(self.address.database.clone())
            .sql(statement)
            .set_parameters(Some(parameters))
            .set_transaction_id(transaction.map(str::to_owned))
            .include_result_metadata(true)
            .continue_after_timeout(transaction.is_none())
            .result_set_options(options)
            .send()
            .await
            .map_err(AwsError::of("ExecuteStatement"))?;
        let columns = output.column_metadata().iter().map(column).collect();
        let rows = output.records().iter().map(|row| row.iter().map(value).collect()).collect();
        Ok(ResultSet { columns, rows, rows_affected: output.number_of_records_updated() })
    }

    /// Tries again while the database is resuming or restarting, which have not run the statement; what may be done twice also when
    /// nobody knows.
    async fn patiently<T, F>(&self, may_be_done_twice: bool, mut attempt: impl FnMut() -> F) -> Result<T, SqlError>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        let deadline = Instant::now() + RESUME_WITHIN;
        let (mut told, mut unclear) = (false, 0);
        loop {
            let error = match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            match Fate::of(&error) {
                Fate::NotRun => {}
                Fate::Refused => return Err(refusal(&error)),
                Fate::Failed => return Err(error.into()),
                Fate::Unclear if !may_be_done_twice => return Err(SqlError::Lost { source: error }),
                Fate::Unclear if unclear == READ_AGAIN => return Err(error.into()),
                Fate::Unclear => unclear += 1,
            }
            if Instant::now() >= deadline {
                return Err(SqlError::Unavailable { within: RESUME_WITHIN, source: error });
            }
            if !std::mem::replace(&mut told, true) {
                (self.waiting)(error.message().unwrap_or("the database is not available yet"));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

#[async_trait::async_trait]
impl Execute for DataApi {
    async fn execute(
        &self,
        statement: &str,
        parameters: &[(&str, &str)],
        transaction: Option<&str>,
    ) -> Result<ResultSet, SqlError> {
        let parameters: Vec<SqlParameter> = parameters
            .iter()
            .map(|(name, value)| {
                SqlParameter::builder().name(*name).value(Field::StringValue((*value).to_owned())).build()
            })
            .collect();
        self.patiently(is_read(statement), || self.send(statement, parameters.clone(), transaction)).await
    }

    async fn begin(&self) -> Result<String, SqlError> {
        let Address { cluster_arn, secret_arn, database } = &self.address;
        let output = self
            // A transaction that nobody knows of holds nothing, and ends by itself.
            .patiently(true, || async {
                let begin = self.client.begin_transaction().resource_arn(cluster_arn).secret_arn(secret_arn);
                begin.set_database(database.clone()).send().await.map_err(AwsError::of("BeginTransaction"))
            })
            .await?;
        let missing = AwsError::Incomplete { operation: "BeginTransaction", missing: "transactionId" };
        output.transaction_id.ok_or_else(|| missing.into())
    }

    async fn commit(&self, transaction: &str) -> Result<(), SqlError> {
        let Address { cluster_arn, secret_arn, .. } = &self.address;
        self.patiently(false, || async {
            let commit = self.client.commit_transaction().resource_arn(cluster_arn).secret_arn(secret_arn);
            commit.transaction_id(transaction).send().await.map_err(AwsError::of("CommitTransaction")).map(drop)
        })
        .await
    }

    async fn rollback(&self, transaction: &str) -> Result<(), SqlError> {
        let Address { cluster_arn, secret_arn, .. } = &self.address;
        let rollback = self.client.rollback_transaction().resource_arn(cluster_arn).secret_arn(secret_arn);
        rollback.transaction_id(transaction).send().await.map_err(AwsError::of("RollbackTransaction"))?;
        Ok(())
    }
}

/// What became of a request that did not succeed.
#[derive(Debug, PartialEq)]
enum Fate {
    /// The database was not asked.
    NotRun,
    /// The database looked at it and does not take it.
    Refused,
    /// It cannot be, or was ended.
    Failed,
    /// It may have run, or not.
    Unclear,
}

impl Fate {
    fn of(error: &AwsError) -> Self {
        // The connection of the Data API broke while the statement was on its way.
        let broke = error.message().is_some_and(|message| message.starts_with("Communications link failure"));
        match error.code() {
            Some("DatabaseResumingException") => Fate::NotRun,
            _ if error.is_throttled() => Fate::NotRun,
            _ if error.is_unclear() || broke => Fate::Unclear,
            Some("DatabaseUnavailableException") => Fate::NotRun,
            Some(
                "DatabaseErrorException" | "BadRequestException" | "ValidationException" | "UnsupportedResultException",
            ) => Fate::Refused,
            _ => Fate::Failed,
        }
    }
}

/// Whether a statement only reads, so that it may be run twice.
fn is_read(statement: &str) -> bool {
    let first = statement.trim_start().split(|sign: char| !sign.is_ascii_alphabetic()).next().unwrap_or_default();
    ["SELECT", "SHOW", "DESCRIBE", "DESC", "EXPLAIN"].iter().any(|read| first.eq_ignore_ascii_case(read))
}

fn refusal(error: &AwsError) -> SqlError {
    let message = error.message().unwrap_or_default().to_owned();
    let unsupported = ["not supported", "not allowed", "isn't supported", "unsupported"];
    let lower = message.to_lowercase();
    if unsupported.iter().any(|words| lower.contains(words)) {
        SqlError::NotRunHere { message }
    } else {
        SqlError::Refused { message }
    }
}

fn column(meta: &ColumnMetadata) -> Column {
    let name = meta.label().filter(|label| !label.is_empty()).or(meta.name()).unwrap_or_default();
    Column { name: name.to_owned(), kind: meta.type_name().unwrap_or_default().to_owned() }
}

fn value(field: &Field) -> Value {
    match field {
        Field::BooleanValue(on) => json!(on),
        Field::LongValue(number) => json!(number),
        Field::DoubleValue(number) => json!(number),
        Field::StringValue(text) => json!(text),
        Field::BlobValue(bytes) => json!(aws_smithy_types::base64::encode(bytes.as_ref())),
        // isNull; arrays exist for Aurora PostgreSQL only.
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_run_is_told_from_what_has_not() {
        let fault = |code: &str, message: &str| AwsError::Fault {
            operation: "ExecuteStatement",
            code: code.to_owned(),
            message: message.to_owned(),
            request_id: None,
        };
        for (code, message, fate) in [
            ("DatabaseResumingException", "The database is resuming.", Fate::NotRun),
            ("DatabaseUnavailableException", "The database does not answer.", Fate::NotRun),
            ("ThrottlingException", "Rate exceeded", Fate::NotRun),
            ("DatabaseUnavailableException", "Communications link failure: it was closed", Fate::Unclear),
            ("BadRequestException", "Communications link failure", Fate::Unclear),
            ("InternalServerErrorException", "", Fate::Unclear),
            ("HTTP 502", "", Fate::Unclear),
            ("DatabaseErrorException", "Database error code: 1062.", Fate::Refused),
            ("StatementTimeoutException", "", Fate::Failed),
            ("TransactionNotFoundException", "", Fate::Failed),
        ] {
            assert_eq!(Fate::of(&fault(code, message)), fate, "{code} {message}");
        }
        let lost = AwsError::NoAnswer { operation: "ExecuteStatement", source: "reset by peer".into() };
        assert_eq!(Fate::of(&lost), Fate::Unclear);
    }

    #[test]
    fn only_what_reads_may_be_run_twice() {
        for read in ["SELECT 1", " select(1)", "SHOW TABLES", "EXPLAIN DELETE FROM t", "DESC t"] {
            assert!(is_read(read), "{read}");
        }
        for change in ["INSERT INTO t VALUES (1)", "WITH a AS (SELECT 1) DELETE FROM t", "CALL p()", "", "SELECTED"] {
            assert!(!is_read(change), "{change}");
        }
    }
}
