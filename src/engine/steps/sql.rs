//! Applies the lab's SQL files to its cluster.

use super::readiness;
use crate::aws::Aws;
use crate::aws::functions::FunctionCall;
use crate::engine::run::Run;
use crate::engine::walk::Done;
use crate::error::Failure;
use crate::lab::Lab;
use crate::plan::Step;
use crate::plan::names::LOADER_OUTPUT;
use crate::sql::{self, Address, DataApi, Job, Loader, SqlFile};
use std::collections::BTreeMap;

/// The cluster that a stack's outputs name. The error is the output that is missing.
pub fn address(outputs: &BTreeMap<String, String>) -> Result<Address, &'static str> {
    let output = |name: &'static str| outputs.get(name).cloned().ok_or(name);
    Ok(Address {
        cluster_arn: output("ClusterArn")?,
        secret_arn: output("MasterSecretArn")?,
        database: outputs.get("ClusterDatabase").cloned(),
    })
}

/// The lab's SQL files as text. The error names the file that is none.
pub fn files(lab: &Lab) -> Result<Vec<SqlFile>, String> {
    let text = |file: &crate::lab::model::File| match String::from_utf8(file.bytes.clone()) {
        Ok(text) => Ok(SqlFile { name: file.name.clone(), text }),
        Err(_) => Err(format!("`{}` is not UTF-8 text", file.name)),
    };
    lab.sql.iter().map(text).collect()
}

/// The function that loads from inside the VPC, for statements that the Data API does not run.
pub struct FunctionLoader<'a> {
    aws: &'a Aws,
    function: &'a str,
}

#[async_trait::async_trait]
impl Loader for FunctionLoader<'_> {
    async fn load(&self, statement: &str) -> Result<(), String> {
        let event = serde_json::json!({"statement": statement});
        let call = FunctionCall {
            function: self.function.to_owned(),
            qualifier: None,
            payload: event.to_string().into_bytes(),
            wait: true,
            tail: false,
        };
        let called = self.aws.call_function(&call).await.map_err(|error| match error.is_unclear() {
            true => format!("{error}: what it was to load may be loaded or not"),
            false => error.to_string(),
        })?;
        match called.error {
            None => Ok(()),
            Some(_) => Err(format!("function {}: {}", self.function, String::from_utf8_lossy(&called.payload))),
        }
    }
}

/// The lab's loader, if one of its stacks has one.
pub fn loader<'a>(aws: &'a Aws, names: &'a BTreeMap<String, String>) -> Option<FunctionLoader<'a>> {
    names.get(LOADER_OUTPUT).map(|function| FunctionLoader { aws, function })
}

pub async fn load(run: &Run<'_>, step: &Step) -> Result<Done, Failure> {
    const FAILED: &str = "cannot apply the lab's SQL";
    let failed = || run.failure(FAILED);
    let files = files(&run.wanted.lab).map_err(|problem| failed().because(problem))?;
    let known = run.known();
    let stacks = run.wanted.lab.manifest.sql.iter().map(|sql| sql.cluster.name.as_str());
    readiness::rest(run, step, stacks).await.map_err(|error| run.failure_of_stack(FAILED, error))?;
    let cluster = run.wanted.lab.manifest.sql.as_ref().map(|sql| sql.cluster.name.as_str()).unwrap_or_default();
    let outputs = known.outputs.get(cluster).cloned().unwrap_or_default();
    let missing = |output| failed().because(format!("stack `{cluster}` has no output `{output}`"));
    let address = address(&outputs).map_err(missing)?;
    let tell = run.teller(step);
    let database = DataApi::new(run.aws.rdsdata(), address).telling(tell.clone());
    let names = run.names();
    let loader = loader(run.aws, &names);
    let loader = loader.as_ref().map(|loader| loader as &dyn Loader);
    let job = Job { database: &database, values: &names, loader, progress: &tell };
    let applied = sql::apply(&files, &job).await.map_err(|error| failed().because(error))?;
    Ok(match applied.statements {
        0 => Done { did: "applied before".to_owned(), unchanged: true },
        1 => Done::did("1 statement applied"),
        count => Done::did(format!("{count} statements applied")),
    })
}
