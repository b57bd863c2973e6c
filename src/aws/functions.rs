//! Lambda in labctl's words.

use super::clients::Aws;
use super::fault::AwsError;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{InvocationType, LastUpdateStatus, LogType, State, TracingMode};

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

/// One call of a function, as somebody at a terminal makes it.
#[derive(Clone, Debug)]
pub struct FunctionCall {
    pub function: String,
    /// A version or an alias.
    pub qualifier: Option<String>,
    /// JSON text.
    pub payload: Vec<u8>,
    /// Wait for the answer; else it is only accepted.
    pub wait: bool,
    /// Give back the end of the log.
    pub tail: bool,
}

/// What a call of a function came to.
#[derive(Clone, Debug, Default)]
pub struct Called {
    pub status: i32,
    pub payload: Vec<u8>,
    /// The function failed, and the payload says how: AWS's own word for it.
    pub error: Option<String>,
    /// The end of the log of this call.
    pub log: Option<String>,
    pub version: Option<String>,
    pub request_id: Option<String>,
}

/// CloudFormation's type of a function.
pub const FUNCTION: &str = "AWS::Lambda::Function";

impl Aws {
    /// Calls a function once: a call that was lost is not sent again, since nobody knows what it has done.
    pub async fn call_function(&self, call: &FunctionCall) -> Result<Called, AwsError> {
        let once = aws_sdk_lambda::config::Builder::new().retry_config(RetryConfig::disabled());
        let request = self
            .lambda()
            .invoke()
            .function_name(&call.function)
            .set_qualifier(call.qualifier.clone())
            .invocation_type(if call.wait { InvocationType::RequestResponse } else { InvocationType::Event })
            .set_log_type(call.tail.then_some(LogType::Tail))
            .payload(aws_smithy_types::Blob::new(call.payload.clone()));
        let sent = request.customize().config_override(once).send().await;
        let answer = sent.map_err(AwsError::of("lambda:Invoke"))?;
        let log = answer.log_result().and_then(|log| aws_smithy_types::base64::decode(log).ok());
        Ok(Called {
            status: answer.status_code(),
            request_id: answer.request_id().map(str::to_owned),
            error: answer.function_error().map(str::to_owned),
            log: log.map(|log| String::from_utf8_lossy(&log).into_owned()),
            version: answer.executed_version().map(str::to_owned),
            payload: answer.payload.map(aws_smithy_types::Blob::into_inner).unwrap_or_default(),
        })
    }

    async fn configuration(&self, name: &str) -> Result<GetFunctionConfigurationOutput, AwsError> {
        let sent = self.lambda().get_function_configuration().function_name(name).send().await;
        sent.map_err(AwsError::of("lambda:GetFunctionConfiguration"))
    }

    /// `None`: there is no such function.
    async fn configuration_if_there(&self, name: &str) -> Result<Option<GetFunctionConfigurationOutput>, AwsError> {
        match self.configuration(name).await {
            Err(error) if error.is("ResourceNotFoundException") => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Where a function's log goes.
    pub async fn function_log_group(&self, name: &str) -> Result<String, AwsError> {
        let answer = self.configuration(name).await?;
        let group = answer.logging_config().and_then(|logging| logging.log_group());
        Ok(group.map_or_else(|| format!("/aws/lambda/{name}"), str::to_owned))
    }

    /// Gives a function a package that lies in a bucket. Calls go there once the function is ready again.
    pub async fn update_function_code(&self, name: &str, bucket: &str, key: &str) -> Result<(), AwsError> {
        let request = self.lambda().update_function_code().function_name(name).s3_bucket(bucket).s3_key(key);
        request.send().await.map(drop).map_err(AwsError::of("lambda:UpdateFunctionCode"))
    }

    /// `None`: there is no such function.
    pub async fn function(&self, name: &str) -> Result<Option<FunctionState>, AwsError> {
        let Some(answer) = self.configuration_if_there(name).await? else { return Ok(None) };
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

    /// SHA-256 of the package that a function runs, in hexadecimal. `None`: there is no such function.
    pub async fn function_code(&self, name: &str) -> Result<Option<String>, AwsError> {
        let Some(answer) = self.configuration_if_there(name).await? else { return Ok(None) };
        let digest = answer.code_sha256().and_then(|digest| aws_smithy_types::base64::decode(digest).ok());
        Ok(digest.map(hex::encode))
    }

    /// Whether a function is traced by itself, and not only when its caller is.
    pub async fn traces_actively(&self, name: &str) -> Result<bool, AwsError> {
        let answer = self.configuration(name).await?;
        Ok(answer.tracing_config().and_then(|tracing| tracing.mode()) == Some(&TracingMode::Active))
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
