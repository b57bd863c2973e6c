//! Calls to the Data API, inside the invocation's time, each with its X-Ray subsegment.
//!
//! The SDK sends nothing again by itself. An INSERT whose answer was lost and that is sent twice would meet its own row
//! and be called a duplicate; what may be repeated, and from where, is known to `store.rs`. Only a call that was throttled
//! is sent again here: it was not looked at, and its transaction, with its locks, waits for it.

use std::fmt;
use std::time::Duration;

use aws_sdk_rdsdata::Client;
use aws_sdk_rdsdata::config::retry::RetryConfig;
use aws_sdk_rdsdata::config::{BehaviorVersion, Region};
use aws_sdk_rdsdata::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rdsdata::operation::RequestId;
use aws_sdk_rdsdata::types::{Field, SqlParameter};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::time::{Instant, sleep, timeout_at};

use crate::settings::DatabaseSettings;
use crate::xray::{Call, Ended, Trace};

/// What a rollback may take: it is sent when the client's answer is known already.
const ROLLBACK_WITHIN: Duration = Duration::from_secs(1);
/// How long a statement waits for a lock at most, as the cluster's `innodb_lock_wait_timeout` says. A transaction whose statement
/// still waits cannot be rolled back, and would keep its own locks for three minutes.
const LOCK_WAIT: Duration = Duration::from_secs(3);
/// Between two attempts of a call that is throttled.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Why a call failed, as far as it matters to what is done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// MySQL's 1062: the primary key is taken.
    Duplicate,
    /// The cluster was paused and is being started by this very call.
    Resuming,
    /// The Data API has too much to do, and has not looked at the call.
    Throttled(String),
    /// Another transaction was in the way: again at once, from the beginning.
    Contended(String),
    /// The database does not answer.
    Away(String),
    /// Waiting would change nothing.
    Broken(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Duplicate => f.write_str("duplicate key"),
            Fault::Resuming => f.write_str("the database is resuming after a pause"),
            Fault::Throttled(why) | Fault::Contended(why) | Fault::Away(why) | Fault::Broken(why) => f.write_str(why),
        }
    }
}

/// The lab's database behind the Data API.
pub struct DataApi {
    client: Client,
    cluster_arn: String,
    secret_arn: String,
    database: String,
}

impl DataApi {
    pub fn new(settings: DatabaseSettings) -> Self {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut config = aws_sdk_rdsdata::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region))
            .credentials_provider(settings.credentials)
            .retry_config(RetryConfig::disabled())
            .http_client(http);
        config.set_endpoint_url(settings.endpoint);
        DataApi {
            client: Client::from_conf(config.build()),
            cluster_arn: settings.cluster_arn,
            secret_arn: settings.secret_arn,
            database: settings.database,
        }
    }
}

/// The Data API for one invocation.
pub struct Session<'a> {
    pub api: &'a DataApi,
    pub trace: &'a Trace<'a>,
    /// No call lasts longer.
    pub until: Instant,
}

impl Session<'_> {
    pub async fn begin(&self) -> Result<String, Fault> {
        let DataApi { client, cluster_arn, secret_arn, database } = self.api;
        let request = client.begin_transaction().resource_arn(cluster_arn).secret_arn(secret_arn).database(database);
        let begun = self.traced(|| Call::begin("BeginTransaction"), || request.clone().send()).await?;
        begun.transaction_id.ok_or_else(|| Fault::Broken("a transaction was begun without an id".into()))
    }

    /// A statement, in a transaction or by itself; its rows.
    pub async fn execute(
        &self,
        transaction: Option<&str>,
        sql: &str,
        values: Vec<SqlParameter>,
    ) -> Result<Vec<Vec<Field>>, Fault> {
        if transaction.is_some() {
            self.may_wait()?;
        }
        let DataApi { client, cluster_arn, secret_arn, database } = self.api;
        let request = client
            .execute_statement()
            .resource_arn(cluster_arn)
            .secret_arn(secret_arn)
            .database(database)
            .set_transaction_id(transaction.map(str::to_owned))
            .sql(sql)
            .set_parameters(Some(values));
        let call = || Call::begin("ExecuteStatement").statement(sql);
        let done = self.traced(call, || request.clone().send()).await?;
        Ok(done.records.unwrap_or_default())
    }

    /// One statement for many sets of values.
    pub async fn batch(&self, transaction: &str, sql: &str, sets: Vec<Vec<SqlParameter>>) -> Result<(), Fault> {
        self.may_wait()?;
        let DataApi { client, cluster_arn, secret_arn, database } = self.api;
        let count = sets.len();
        let request = client
            .batch_execute_statement()
            .resource_arn(cluster_arn)
            .secret_arn(secret_arn)
            .database(database)
            .transaction_id(transaction)
            .sql(sql)
            .set_parameter_sets(Some(sets));
        let call = || Call::begin("BatchExecuteStatement").statement(sql).sets(count);
        self.traced(call, || request.clone().send()).await.map(drop)
    }

    /// Whether there is time for a statement that others hold up.
    fn may_wait(&self) -> Result<(), Fault> {
        match Instant::now() + LOCK_WAIT < self.until {
            true => Ok(()),
            false => Err(Fault::Broken("no time is left for a statement that may wait for a lock".into())),
        }
    }

    pub async fn commit(&self, transaction: &str) -> Result<(), Fault> {
        let DataApi { client, cluster_arn, secret_arn, .. } = self.api;
        let request =
            client.commit_transaction().resource_arn(cluster_arn).secret_arn(secret_arn).transaction_id(transaction);
        self.traced(|| Call::begin("CommitTransaction"), || request.clone().send()).await.map(drop)
    }

    /// Ends a transaction at once whose locks others would wait for until the Data API forgets it, three minutes later.
    pub async fn rollback(&self, transaction: &str) {
        let DataApi { client, cluster_arn, secret_arn, .. } = self.api;
        let request =
            client.rollback_transaction().resource_arn(cluster_arn).secret_arn(secret_arn).transaction_id(transaction);
        let last = Session { until: Instant::now() + ROLLBACK_WITHIN, ..*self };
        // One that fails leaves the transaction to those three minutes; there is nobody to tell.
        let _ = last.traced(|| Call::begin("RollbackTransaction"), || request.clone().send()).await;
    }

    /// Makes a call; again, after a pause, while it is throttled and there is time.
    async fn traced<T: RequestId, E: ProvideErrorMetadata + RequestId, S: Future<Output = Result<T, SdkError<E>>>>(
        &self,
        call: impl Fn() -> Call,
        send: impl Fn() -> S,
    ) -> Result<T, Fault> {
        let mut pause = SHORTEST_PAUSE;
        loop {
            let call = call();
            let done = match timeout_at(self.until, send()).await {
                Ok(answer) => self.ended(&call, answer),
                Err(_) => {
                    self.trace.sent(&call, &Ended { error: Some("no answer in time"), ..Ended::default() });
                    Err(Fault::Away("the Data API does not answer in time".into()))
                }
            };
            let again = matches!(done, Err(Fault::Throttled(_))) && Instant::now() + pause < self.until;
            if !again {
                return done;
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn ended<T: RequestId, E: ProvideErrorMetadata + RequestId>(
        &self,
        call: &Call,
        answer: Result<T, SdkError<E>>,
    ) -> Result<T, Fault> {
        match answer {
            Ok(answer) => {
                self.trace.sent(call, &Ended { request_id: answer.request_id(), status: Some(200), error: None });
                Ok(answer)
            }
            Err(error) => {
                let status = error.raw_response().map(|response| response.status().as_u16());
                let code = code_of(&error);
                self.trace.sent(call, &Ended { request_id: error.request_id(), status, error: Some(&code) });
                Err(fault(&error))
            }
        }
    }
}

/// What X-Ray is told of an error: its code, and MySQL's number.
fn code_of<E: ProvideErrorMetadata>(error: &SdkError<E>) -> String {
    let Some(service) = error.as_service_error() else { return "no answer".into() };
    let code = service.code().unwrap_or("error without a code");
    match mysql_code(service.message().unwrap_or_default()) {
        Some(number) => format!("{code} {number}"),
        None => code.to_owned(),
    }
}

fn fault<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Fault {
    match error.as_service_error() {
        Some(service) => refused(service.code().unwrap_or_default(), service.message().unwrap_or_default()),
        None => Fault::Away("the Data API cannot be reached".into()),
    }
}

/// What an error of the Data API means (RDS Data API reference, common errors of all operations).
fn refused(code: &str, message: &str) -> Fault {
    let told = format!("{code}: {message}");
    match code {
        "DatabaseErrorException" => match mysql_code(message) {
            Some(1062) => Fault::Duplicate,
            // Lock wait timeout, deadlock; too many connections, of all users and of this one.
            Some(1205 | 1213 | 1040 | 1203) => Fault::Contended(told),
            // Shutting down, read-only during a failover, killed, gone.
            Some(1053 | 1290 | 1836 | 1927 | 2006 | 2013) => Fault::Away(told),
            _ => Fault::Broken(told),
        },
        "DatabaseResumingException" => Fault::Resuming,
        "ThrottlingException" | "TooManyRequestsException" => Fault::Throttled(told),
        "TransactionNotFoundException" => Fault::Contended(told),
        "DatabaseUnavailableException"
        | "InternalServerErrorException"
        | "InvalidResourceStateException"
        | "SecretsErrorException"
        | "ServiceUnavailableError"
        | "StatementTimeoutException" => Fault::Away(told),
        _ => Fault::Broken(told),
    }
}

/// The number of `Database error code: 1062. Message: …`. The Data API has no other place for it.
fn mysql_code(message: &str) -> Option<u16> {
    let (_, rest) = message.split_once("Database error code: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

pub fn text(name: impl Into<String>, value: &str) -> SqlParameter {
    SqlParameter::builder().name(name).value(Field::StringValue(value.to_owned())).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_mean_what_is_done_about_them() {
        let database = |number| format!("Database error code: {number}. Message: some words, 1062 among them");
        let sure = |code: &str, message: &str| match refused(code, message) {
            Fault::Duplicate => "duplicate",
            Fault::Resuming => "resuming",
            Fault::Throttled(_) => "throttled",
            Fault::Contended(_) => "contended",
            Fault::Away(_) => "away",
            Fault::Broken(_) => "broken",
        };
        for (number, meaning) in
            [(1062, "duplicate"), (1213, "contended"), (1205, "contended"), (1053, "away"), (1146, "broken")]
        {
            assert_eq!(sure("DatabaseErrorException", &database(number)), meaning, "{number}");
        }
        let codes = [
            ("DatabaseResumingException", "resuming"),
            ("TransactionNotFoundException", "contended"),
            ("ThrottlingException", "throttled"),
            ("DatabaseUnavailableException", "away"),
            ("ServiceUnavailableError", "away"),
            ("AccessDeniedException", "broken"),
            ("HttpEndpointNotEnabledException", "broken"),
        ];
        for (code, meaning) in codes {
            assert_eq!(sure(code, "some words"), meaning, "{code}");
        }
    }
}
