//! How asynchronous invocations are retried.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Nothing, Qualified};
use crate::call::Call;
use crate::clock::Timestamp;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::names::{LATEST, Target};
use crate::services::lambda::state::{EventConfig, Lambda};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Put {
    function_name: String,
    qualifier: Option<String>,
    maximum_retry_attempts: Option<u32>,
    maximum_event_age_in_seconds: Option<u32>,
    destination_config: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Shape {
    last_modified: Timestamp,
    function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_retry_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_event_age_in_seconds: Option<u32>,
}

fn key(target: &Target) -> String {
    target.qualifier.clone().unwrap_or_else(|| LATEST.into())
}

fn shape(call: &Call, target: &Target, config: &EventConfig) -> Shape {
    let target = Target { name: target.name.clone(), qualifier: Some(key(target)) };
    Shape {
        last_modified: Timestamp::from_millis(config.modified),
        function_arn: target.arn(&call.scope),
        maximum_retry_attempts: config.retries,
        maximum_event_age_in_seconds: config.age,
    }
}

async fn change(lambda: Arc<Lambda>, call: &Call, input: Put, whole: bool) -> Result<Shape, LambdaFault> {
    let target = Target::parse(&input.function_name, input.qualifier.as_deref())?;
    let sends = |config: &Value| {
        config.as_object().is_some_and(|config| config.values().any(|to| to.get("Destination").is_some()))
    };
    if input.destination_config.as_ref().is_some_and(sends) {
        return Err(LambdaFault::unsupported("the parameter DestinationConfig of asynchronous invocations"));
    }
    if input.maximum_retry_attempts.is_some_and(|retries| retries > 2) {
        return Err(LambdaFault::invalid("MaximumRetryAttempts must be between 0 and 2."));
    }
    if input.maximum_event_age_in_seconds.is_some_and(|age| !(60..=21600).contains(&age)) {
        return Err(LambdaFault::invalid("MaximumEventAgeInSeconds must be between 60 and 21600."));
    }
    let now = lambda.now();
    lambda
        .change(&call.scope, &target, |function| {
            let there = function.event_configs.get(&key(&target)).cloned();
            if there.is_none() && !whole {
                return Err(LambdaFault::NoEventConfig(target.arn(&call.scope)));
            }
            let base = if whole { EventConfig::default() } else { there.unwrap_or_default() };
            let config = EventConfig {
                retries: input.maximum_retry_attempts.or(base.retries),
                age: input.maximum_event_age_in_seconds.or(base.age),
                modified: now,
            };
            let answer = shape(call, &target, &config);
            function.event_configs.insert(key(&target), config);
            Ok(answer)
        })
        .await
}

/// PutFunctionEventInvokeConfig.
pub(crate) async fn put(lambda: Arc<Lambda>, call: &Call, input: Put) -> Result<Shape, LambdaFault> {
    change(lambda, call, input, true).await
}

/// UpdateFunctionEventInvokeConfig.
pub(crate) async fn update(lambda: Arc<Lambda>, call: &Call, input: Put) -> Result<Shape, LambdaFault> {
    change(lambda, call, input, false).await
}

/// GetFunctionEventInvokeConfig.
pub(crate) async fn get(lambda: Arc<Lambda>, call: &Call, input: Qualified) -> Result<Shape, LambdaFault> {
    let target = input.target()?;
    let function = lambda.function(&call.scope, &target)?;
    let config = function.event_configs.get(&key(&target));
    config.map(|config| shape(call, &target, config)).ok_or_else(|| LambdaFault::NoEventConfig(target.arn(&call.scope)))
}

/// DeleteFunctionEventInvokeConfig.
pub(crate) async fn delete(lambda: Arc<Lambda>, call: &Call, input: Qualified) -> Result<Nothing, LambdaFault> {
    let target = input.target()?;
    lambda
        .change(&call.scope, &target, |function| {
            let gone = function.event_configs.remove(&key(&target));
            gone.map(|_| ()).ok_or_else(|| LambdaFault::NoEventConfig(target.arn(&call.scope)))
        })
        .await?;
    Ok(Nothing {})
}
