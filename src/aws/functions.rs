//! Lambda in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;
use aws_sdk_lambda::types::{LastUpdateStatus, State};

/// How far a function is. <https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionState {
    /// It can be invoked with what it was last given.
    Ready,
    /// It is being set up or updated: what it waits for.
    Pending(String),
    /// It runs what it was given before; the last update failed. The next one may not.
    UpdateFailed(String),
    /// It could not be set up and cannot be invoked.
    Failed(String),
}

impl Aws {
    /// `None`: there is no such function.
    pub async fn function(&self, name: &str) -> Result<Option<FunctionState>, AwsError> {
        let sent = self.lambda().get_function_configuration().function_name(name).send().await;
        let answer = match sent.map_err(AwsError::of("lambda:GetFunctionConfiguration")) {
            Err(error) if error.is("ResourceNotFoundException") => return Ok(None),
            answer => answer?,
        };
        let reason = |reason: Option<&str>| reason.unwrap_or("AWS gives no reason").to_owned();
        let waits =
            |reason: Option<&str>| reason.map_or_else(|| format!("function {name} is being set up"), str::to_owned);
        let (state, update) = (answer.state(), answer.last_update_status());
        Ok(Some(match (state, update) {
            (Some(State::Failed), _) => FunctionState::Failed(reason(answer.state_reason())),
            (Some(State::Pending), _) => FunctionState::Pending(waits(answer.state_reason())),
            (_, Some(LastUpdateStatus::InProgress)) => {
                FunctionState::Pending(waits(answer.last_update_status_reason()))
            }
            (_, Some(LastUpdateStatus::Failed)) => {
                FunctionState::UpdateFailed(reason(answer.last_update_status_reason()))
            }
            _ => FunctionState::Ready,
        }))
    }

    /// Calls a function and waits. The inner error is what the function itself failed with.
    pub async fn invoke(&self, name: &str, event: &serde_json::Value) -> Result<Result<String, String>, AwsError> {
        let payload = aws_smithy_types::Blob::new(event.to_string());
        let sent = self.lambda().invoke().function_name(name).payload(payload).send().await;
        let answer = sent.map_err(AwsError::of("lambda:Invoke"))?;
        let text = answer.payload().map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
        let text = text.unwrap_or_default();
        Ok(if answer.function_error().is_some() { Err(text) } else { Ok(text) })
    }

    /// Functions whose names begin with `prefix`.
    pub async fn functions(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self.lambda().list_functions().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(AwsError::of("lambda:ListFunctions"))?;
            let names = page.functions().iter().filter_map(|function| function.function_name());
            found.extend(names.filter(|name| name.starts_with(prefix)).map(str::to_owned));
        }
        Ok(found)
    }
}
