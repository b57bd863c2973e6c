//! CreateFunction.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::settings::{self, Settings};
use super::shape::FunctionConfiguration;
use crate::call::Call;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::names::{LATEST, Target};
use crate::services::lambda::runtime::assume;
use crate::services::lambda::state::{Code, Function, Lambda, Logging, Network, Version};
use crate::store::Shared;

/// Where the zip comes from.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(crate) struct CodeSource {
    pub zip_file: Option<String>,
    pub s3_bucket: Option<String>,
    pub s3_key: Option<String>,
    pub s3_object_version: Option<String>,
}

impl CodeSource {
    /// Fetches and unpacks the zip. The caller holds `code_in_use` until the function is recorded.
    pub(super) async fn unpack(&self, lambda: &Arc<Lambda>, call: &Call) -> Result<Code, LambdaFault> {
        let (zip, direct) = match (&self.zip_file, &self.s3_bucket, &self.s3_key) {
            (Some(text), None, None) => {
                let zip = STANDARD.decode(text).map_err(|_| LambdaFault::invalid("ZipFile is not base64."))?;
                (zip, true)
            }
            (None, Some(bucket), Some(key)) => (self.fetch(lambda, call, bucket, key).await?, false),
            (None, None, None) => {
                return Err(LambdaFault::invalid("Please provide a source for function code."));
            }
            _ => {
                return Err(LambdaFault::invalid(
                    "Please do not provide other FunctionCode parameters when providing a ZipFile.",
                ));
            }
        };
        let lambda = lambda.clone();
        let unpacked = tokio::task::spawn_blocking(move || lambda.code.put(&zip, direct)).await;
        unpacked.map_err(|error| LambdaFault::Internal(error.to_string()))?
    }

    async fn fetch(&self, lambda: &Lambda, call: &Call, bucket: &str, key: &str) -> Result<Vec<u8>, LambdaFault> {
        let mut input = json!({"Bucket": bucket, "Key": key});
        if let Some(version) = &self.s3_object_version {
            input["VersionId"] = version.clone().into();
        }
        let reply = lambda.cloud.call_with_body(&call.scope, ("s3", "GetObject"), input, bytes::Bytes::new()).await;
        let reply = reply.map_err(|fault| {
            LambdaFault::invalid(format!(
                "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
                fault.code, fault.message
            ))
        })?;
        match reply.file {
            Some(file) => Ok(tokio::fs::read(file).await?),
            None => Ok(reply.body.to_vec()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreateFunction {
    function_name: String,
    code: CodeSource,
    package_type: Option<String>,
    architectures: Option<Vec<String>>,
    publish: Option<bool>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
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

impl CreateFunction {
    fn settings(&mut self) -> Settings {
        Settings {
            runtime: self.runtime.take(),
            role: self.role.take(),
            handler: self.handler.take(),
            description: self.description.take(),
            timeout: self.timeout.take(),
            memory_size: self.memory_size.take(),
            environment: self.environment.take(),
            vpc_config: self.vpc_config.take(),
            tracing_config: self.tracing_config.take(),
            ephemeral_storage: self.ephemeral_storage.take(),
            logging_config: self.logging_config.take(),
            layers: self.layers.take(),
            snap_start: self.snap_start.take(),
            dead_letter_config: self.dead_letter_config.take(),
            kms_key_arn: self.kms_key_arn.take(),
        }
    }
}

fn blank(lambda: &Lambda, call: &Call, target: &Target) -> Version {
    Version {
        version: LATEST.into(),
        name: target.name.clone(),
        region: call.scope.region.clone(),
        account: call.scope.account.clone(),
        runtime: String::new(),
        role: String::new(),
        handler: String::new(),
        description: String::new(),
        timeout: 3,
        memory: 128,
        environment: BTreeMap::new(),
        network: Network::default(),
        tracing: "PassThrough".into(),
        ephemeral: 512,
        logging: Logging {
            format: "Text".into(),
            application_level: None,
            system_level: None,
            group: format!("/aws/lambda/{}", target.name),
        },
        architecture: String::new(),
        code: Code::default(),
        modified: lambda.now(),
        revision: lambda.cloud.ids.uuid(),
    }
}

/// CreateFunction. The function can be invoked when this returns: its state is `Active` at once.
pub(crate) async fn create(
    lambda: Arc<Lambda>,
    call: &Call,
    mut input: CreateFunction,
) -> Result<FunctionConfiguration, LambdaFault> {
    let target = Target::unqualified(&input.function_name)?;
    if input.package_type.as_deref().is_some_and(|kind| kind != "Zip") {
        return Err(LambdaFault::unsupported("the parameter PackageType Image of functions"));
    }
    let exists = || LambdaFault::Exists(format!("Function already exist: {}", target.name));
    if let Ok(there) = lambda.function(&call.scope, &target) {
        return match there.made_by == call.request_id {
            true => Ok(FunctionConfiguration::newest(&there)),
            false => Err(exists()),
        };
    }
    if input.runtime.is_none() || input.handler.is_none() {
        return Err(LambdaFault::invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    super::tags::check(&input.tags)?;
    let mut version = blank(&lambda, call, &target);
    version.architecture = settings::architecture(input.architectures.as_deref())?;
    input.settings().apply(&mut version)?;
    settings::check_network(&lambda.cloud, &call.scope, &mut version.network).await?;
    assume(&lambda.cloud, &version).await.map_err(LambdaFault::Other)?;
    let _in_use = lambda.code_in_use.read().await;
    version.code = input.code.unpack(&lambda, call).await?;
    let mut function = Function {
        latest: Shared::new(version),
        next: None,
        versions: BTreeMap::new(),
        next_version: 1,
        aliases: BTreeMap::new(),
        policies: BTreeMap::new(),
        reserved: None,
        tags: input.tags,
        event_configs: BTreeMap::new(),
        made_by: call.request_id.clone(),
    };
    let published = input.publish.unwrap_or(false).then(|| super::versions::publish_in(&mut function, &lambda, None));
    let shape = FunctionConfiguration::own(published.as_deref().unwrap_or(&function.latest));
    lambda
        .functions
        .change(|functions| {
            let here = functions.entry(call.scope.region.clone()).or_default();
            if here.contains_key(&target.name) {
                return Err(exists());
            }
            here.insert(target.name.clone(), Shared::new(function));
            Ok(())
        })
        .await?;
    Ok(shape)
}
