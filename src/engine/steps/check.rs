//! Runs the lab's checks against its endpoint and database.

use super::{readiness, sql};
use crate::aws::{Aws, AwsError};
use crate::engine::compare;
use crate::engine::entry::Entry;
use crate::engine::http::{HttpClient, HttpError};
use crate::engine::run::{Run, expand, names_of};
use crate::engine::walk::Done;
use crate::error::{Failure, Kind};
use crate::lab::Lab;
use crate::lab::model::{Action, Check, HttpCheck, RequestBody, SqlCheck};
use crate::plan::Step;
use crate::plan::{Known, Wanted};
use crate::sql::data_api::Execute;
use crate::sql::{DataApi, ResultSet, SqlError};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How one check went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    pub check: String,
    pub passed: bool,
    /// What was not as expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    pub took_ms: f64,
}

/// Why checks could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("no stack of the lab has the output `{0}`")]
    NoOutput(&'static str),
    #[error("{0}")]
    NoRequest(String),
    #[error("the database does not count `{0}`")]
    NoCount(String),
    #[error(transparent)]
    Sql(SqlError),
    #[error("cannot clean up with `{statement}`")]
    Cleanup { statement: String, source: Box<CheckError> },
}

/// What checks are run against.
pub struct Endpoint<'a> {
    aws: &'a Aws,
    lab: &'a Lab,
    known: Known,
    names: BTreeMap<String, String>,
    http: HttpClient,
    entry: Entry,
    /// Hears why a statement waits.
    tell: Arc<dyn Fn(&str) + Send + Sync>,
}

impl<'a> Endpoint<'a> {
    pub async fn of(aws: &'a Aws, wanted: &'a Wanted, known: Known) -> Result<Endpoint<'a>, CheckError> {
        let names = names_of(wanted, &known);
        let entry = Entry::of(aws, &names).await?;
        let tell = Arc::new(|_: &str| ());
        Ok(Endpoint { aws, lab: &wanted.lab, known, names, http: HttpClient::new()?, entry, tell })
    }

    /// `tell` hears why a statement waits: for a database that resumes.
    #[must_use]
    pub fn telling(self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Endpoint { tell: Arc::new(tell), ..self }
    }

    /// Runs every check, one after the other, whatever comes of it. What they store is taken away afterwards; and before,
    /// for a run that was interrupted may have left it.
    ///
    /// # Errors
    /// There is nothing to check, or it cannot be cleaned up.
    pub async fn run_all(&self, started: impl FnMut(&Check)) -> Result<Vec<Outcome>, CheckError> {
        self.clean_up().await?;
        let outcomes = self.each(started).await;
        self.clean_up().await?;
        outcomes
    }

    async fn clean_up(&self) -> Result<(), CheckError> {
        for statement in &self.lab.manifest.cleanup {
            let done = self.query(statement).await;
            done.map_err(|error| CheckError::Cleanup { statement: statement.clone(), source: Box::new(error) })?;
        }
        Ok(())
    }

    async fn each(&self, mut started: impl FnMut(&Check)) -> Result<Vec<Outcome>, CheckError> {
        let mut outcomes = Vec::new();
        for check in &self.lab.manifest.checks {
            started(check);
            let start = Instant::now();
            let differences = match &check.action {
                Action::Http(http) => self.http(http).await?,
                Action::Sql(sql) => self.sql(sql).await?,
            };
            let passed = differences.is_empty();
            outcomes.push(Outcome {
                check: check.name.clone(),
                passed,
                differences,
                took_ms: milliseconds(start.elapsed()),
            });
        }
        Ok(outcomes)
    }

    async fn http(&self, check: &HttpCheck) -> Result<Vec<String>, CheckError> {
        for _ in 0..check.repeat.max(1) {
            let signed = self.request(check).and_then(|mut request| self.entry.sign(&mut request).map(|()| request));
            let request = match signed {
                Ok(request) => request,
                Err(problem) => return Ok(vec![problem]),
            };
            let answer = match self.http.send(request.map(Full::new)).await {
                Ok(answer) => answer,
                Err(error) => return Ok(vec![told(&error)]),
            };
            let differences = compare::http(&check.expect, answer.status().as_u16(), answer.headers(), answer.body());
            if !differences.is_empty() {
                return Ok(differences);
            }
        }
        Ok(Vec::new())
    }

    /// What lets requests into the API.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The request of a check, with its address and the API key, not signed. The error says what it lacks.
    pub fn request(&self, check: &HttpCheck) -> Result<Request<Bytes>, String> {
        let output = |name: &'static str| self.names.get(name).ok_or_else(|| CheckError::NoOutput(name).to_string());
        let base = self.aws.target().api_url(output("ApiId")?, output("ApiStage")?);
        let unknown = |name: String| format!("nothing is called `{name}`, which the check names");
        let path = expand(&check.path, &self.names).map_err(unknown)?;
        let (body, kind) = match &check.body {
            RequestBody::Empty => (Bytes::new(), None),
            RequestBody::Json(json) => (Bytes::from(json.to_string()), Some("application/json")),
            RequestBody::Text(text) => (Bytes::from(expand(text, &self.names).map_err(unknown)?), Some("text/plain")),
        };
        let mut request = Request::builder().method(check.method.as_str()).uri(format!("{base}{path}"));
        let given = |name: &str| check.headers.keys().any(|header| header.eq_ignore_ascii_case(name));
        if let Some(kind) = kind.filter(|_| !given("content-type")) {
            request = request.header("content-type", kind);
        }
        for (name, value) in &check.headers {
            request = request.header(name, value);
        }
        let mut request = request.body(body).map_err(|error| format!("the request cannot be made: {error}"))?;
        self.entry.unlock(&mut request)?;
        Ok(request)
    }

    async fn sql(&self, check: &SqlCheck) -> Result<Vec<String>, CheckError> {
        match self.query(&check.statement).await {
            Ok(result) => {
                let rows: Vec<Json> = result.objects().into_iter().map(Json::Object).collect();
                Ok(compare::rows(check, &rows))
            }
            Err(CheckError::Sql(error)) => Ok(vec![error.to_string()]),
            Err(error) => Err(error),
        }
    }

    /// One statement to the lab's database.
    ///
    /// # Errors
    /// There is no database, no answer, or the statement was refused.
    pub async fn query(&self, statement: &str) -> Result<ResultSet, CheckError> {
        let cluster = self.lab.manifest.sql.as_ref().map(|sql| sql.cluster.name.as_str()).unwrap_or_default();
        let outputs = self.known.outputs.get(cluster).cloned().unwrap_or_default();
        let address = sql::address(&outputs).map_err(CheckError::NoOutput)?;
        let tell = self.tell.clone();
        let database = DataApi::new(self.aws.rdsdata(), address).telling(move |why| tell(why));
        database.execute(statement, &[], None).await.map_err(|error| match error {
            SqlError::Aws(error) => error.into(),
            error => CheckError::Sql(error),
        })
    }
}

pub async fn run(run: &Run<'_>, step: &Step) -> Result<Done, Failure> {
    const FAILED: &str = "cannot run the lab's checks";
    let failed = || run.failure(FAILED);
    let stacks = run.wanted.lab.stacks.iter().map(|stack| stack.name.as_str());
    readiness::rest(run, step, stacks).await.map_err(|error| run.failure_of_stack(FAILED, error))?;
    if run.wanted.lab.manifest.checks.is_empty() {
        return Ok(Done::did("every resource is ready"));
    }
    let endpoint = Endpoint::of(run.aws, run.wanted, run.known()).await.map_err(|error| failed().because(error))?;
    let endpoint = endpoint.telling(run.teller(step));
    let outcomes = endpoint.run_all(|check| run.waiting(step, &check.name)).await;
    let outcomes = outcomes.map_err(|error| failed().because(error))?;
    match failure(&outcomes) {
        Some(failure) => Err(failure.hint(format!("look again: {}", run.options.validate))),
        None => Ok(Done::did(match outcomes.len() {
            1 => "1 passed".to_owned(),
            count => format!("{count} passed"),
        })),
    }
}

/// The failure that failed checks make.
pub fn failure(outcomes: &[Outcome]) -> Option<Failure> {
    let failed: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.passed).collect();
    let problems = failed.iter().map(|outcome| format!("{}: {}", outcome.check, outcome.differences.join("; ")));
    let summary = format!("{} of {} checks failed", failed.len(), outcomes.len());
    (!failed.is_empty()).then(|| Failure::new(Kind::CheckFailed, summary).with_problems(problems))
}

fn told(error: &HttpError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
