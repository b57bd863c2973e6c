//! UpdateFunctionCode and UpdateFunctionConfiguration. How calls go over from the old to the new: `swap.rs`.

use std::sync::Arc;

use serde::Deserialize;

use super::create::CodeSource;
use super::settings::{self, Settings};
use super::shape::FunctionConfiguration;
use crate::call::Call;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::names::Target;
use crate::services::lambda::runtime::assume;
use crate::services::lambda::state::{Function, Lambda, Version};
use crate::services::lambda::swap::Swap;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UpdateFunctionCode {
    function_name: String,
    zip_file: Option<String>,
    s3_bucket: Option<String>,
    s3_key: Option<String>,
    s3_object_version: Option<String>,
    architectures: Option<Vec<String>>,
    publish: Option<bool>,
    dry_run: Option<bool>,
    revision_id: Option<String>,
}

fn check_revision(function: &Function, asked: Option<&str>) -> Result<(), LambdaFault> {
    match asked {
        Some(revision) if revision != function.newest().revision => Err(LambdaFault::StaleRevision),
        _ => Ok(()),
    }
}

fn unqualified(name: &str) -> Result<Target, LambdaFault> {
    let target = Target::unqualified(name)?;
    match target.qualifier.as_deref() {
        None | Some("$LATEST") => Ok(Target { qualifier: None, ..target }),
        Some(_) => {
            Err(LambdaFault::invalid("This operation is permitted on Lambda functions, not on versions or aliases."))
        }
    }
}

/// UpdateFunctionCode.
pub(crate) async fn code(
    lambda: Arc<Lambda>,
    call: &Call,
    input: UpdateFunctionCode,
) -> Result<FunctionConfiguration, LambdaFault> {
    let target = unqualified(&input.function_name)?;
    let function = lambda.function(&call.scope, &target)?;
    check_revision(&function, input.revision_id.as_deref())?;
    let architecture = match &input.architectures {
        Some(asked) => settings::architecture(Some(asked))?,
        None => function.newest().architecture.clone(),
    };
    let source = CodeSource {
        zip_file: input.zip_file,
        s3_bucket: input.s3_bucket,
        s3_key: input.s3_key,
        s3_object_version: input.s3_object_version,
    };
    let _in_use = lambda.code_in_use.read().await;
    let code = source.unpack(&lambda, call).await?;
    let next = |function: &Function| Version {
        code,
        architecture,
        modified: later(&lambda, &function.latest),
        revision: lambda.cloud.ids.uuid(),
        ..Version::clone(&function.latest)
    };
    if input.dry_run == Some(true) {
        return Ok(FunctionConfiguration::own(&next(&function)));
    }
    let swapped = lambda.change(&call.scope, &target, |function| {
        function.is_settled(|| target.arn(&call.scope))?;
        check_revision(function, input.revision_id.as_deref())?;
        let swap = Swap::begin(&lambda, function, next(function));
        if input.publish == Some(true) {
            let published = super::versions::publish_in(function, &lambda, None);
            return Ok((FunctionConfiguration::own(&published), swap));
        }
        Ok((FunctionConfiguration::newest(function), swap))
    });
    let (shape, swap) = swapped.await?;
    swap.go_on(&lambda, &call.scope, target);
    Ok(shape)
}

/// The time of a change: always after that of the change before, so that of two revisions the newer is known.
fn later(lambda: &Lambda, before: &Version) -> i64 {
    lambda.now().max(before.modified + 1)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UpdateFunctionConfiguration {
    function_name: String,
    revision_id: Option<String>,
    runtime: Option<String>,
    role: Option<String>,
    handler: Option<String>,
    description: Option<String>,
    timeout: Option<u32>,
    memory_size: Option<u32>,
    environment: Option<settings::Environment>,
    vpc_config: Option<settings::VpcConfig>,
    tracing_config: Option<settings::Tracing>,
    ephemeral_storage: Option<settings::Ephemeral>,
    logging_config: Option<settings::LoggingConfig>,
    layers: Option<Vec<String>>,
    snap_start: Option<settings::SnapStart>,
    dead_letter_config: Option<settings::DeadLetter>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
}

/// UpdateFunctionConfiguration.
pub(crate) async fn configuration(
    lambda: Arc<Lambda>,
    call: &Call,
    input: UpdateFunctionConfiguration,
) -> Result<FunctionConfiguration, LambdaFault> {
    let target = unqualified(&input.function_name)?;
    let function = lambda.function(&call.scope, &target)?;
    let (role_changes, network_changes) = (input.role.is_some(), input.vpc_config.is_some());
    let settings = Settings {
        runtime: input.runtime,
        role: input.role,
        handler: input.handler,
        description: input.description,
        timeout: input.timeout,
        memory_size: input.memory_size,
        environment: input.environment,
        vpc_config: input.vpc_config,
        tracing_config: input.tracing_config,
        ephemeral_storage: input.ephemeral_storage,
        logging_config: input.logging_config,
        layers: input.layers,
        snap_start: input.snap_start,
        dead_letter_config: input.dead_letter_config,
        kms_key_arn: input.kms_key_arn,
    };
    check_revision(&function, input.revision_id.as_deref())?;
    function.is_settled(|| target.arn(&call.scope))?;
    let read = function.latest.revision.clone();
    let mut next = Version::clone(&function.latest);
    settings.apply(&mut next)?;
    if network_changes {
        settings::check_network(&lambda.cloud, &call.scope, &mut next.network).await?;
    }
    if role_changes {
        assume(&lambda.cloud, &next).await.map_err(LambdaFault::Other)?;
    }
    (next.modified, next.revision) = (later(&lambda, &function.latest), lambda.cloud.ids.uuid());
    let swapped = lambda.change(&call.scope, &target, |function| {
        function.is_settled(|| target.arn(&call.scope))?;
        // Another update was begun and ended while this one was looked at.
        if function.latest.revision != read {
            return Err(LambdaFault::in_progress(&target.arn(&call.scope)));
        }
        let swap = Swap::begin(&lambda, function, next);
        Ok((FunctionConfiguration::newest(function), swap))
    });
    let (shape, swap) = swapped.await?;
    swap.go_on(&lambda, &call.scope, target);
    Ok(shape)
}
