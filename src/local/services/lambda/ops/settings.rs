//! The parts of a function's configuration: read, checked against AWS's limits, applied.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::scope::Scope;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::state::{Network, Version};

/// "All environment variables together: 4 KB."
const MOST_ENVIRONMENT: usize = 4096;
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// What CreateFunction and UpdateFunctionConfiguration have in common; what is absent stays as it is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub runtime: Option<String>,
    pub role: Option<String>,
    pub handler: Option<String>,
    pub description: Option<String>,
    pub timeout: Option<u32>,
    pub memory_size: Option<u32>,
    pub environment: Option<Environment>,
    pub vpc_config: Option<VpcConfig>,
    pub tracing_config: Option<Tracing>,
    pub ephemeral_storage: Option<Ephemeral>,
    pub logging_config: Option<LoggingConfig>,
    pub layers: Option<Vec<String>>,
    pub snap_start: Option<SnapStart>,
    pub dead_letter_config: Option<DeadLetter>,
    #[serde(rename = "KMSKeyArn")]
    pub kms_key_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct VpcConfig {
    #[serde(default)]
    subnet_ids: Vec<String>,
    #[serde(default)]
    security_group_ids: Vec<String>,
    #[serde(default)]
    ipv6_allowed_for_dual_stack: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Tracing {
    mode: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Ephemeral {
    size: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct LoggingConfig {
    log_format: Option<String>,
    application_log_level: Option<String>,
    system_log_level: Option<String>,
    log_group: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct SnapStart {
    apply_on: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct DeadLetter {
    target_arn: Option<String>,
}

fn constraint(value: impl std::fmt::Display, member: &str, rule: impl std::fmt::Display) -> LambdaFault {
    LambdaFault::invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
    ))
}

fn within(value: u32, member: &str, least: u32, most: u32) -> Result<u32, LambdaFault> {
    if value < least {
        return Err(constraint(value, member, format!("Member must have value greater than or equal to {least}")));
    }
    if value > most {
        return Err(constraint(value, member, format!("Member must have value less than or equal to {most}")));
    }
    Ok(value)
}

fn one_of<'v>(value: &'v str, member: &str, values: &[&str]) -> Result<&'v str, LambdaFault> {
    match values.contains(&value) {
        true => Ok(value),
        false => Err(constraint(value, member, format!("Member must satisfy enum value set: [{}]", values.join(", ")))),
    }
}

/// The architecture that this machine, and so every function here, has.
pub(crate) fn host_architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

pub(super) fn architecture(asked: Option<&[String]>) -> Result<String, LambdaFault> {
    let asked = match asked {
        None => "x86_64",
        Some([one]) => one_of(one, "architectures", &["x86_64", "arm64"])?,
        Some(_) => return Err(LambdaFault::invalid("Architectures must name exactly one architecture.")),
    };
    match asked == host_architecture() {
        true => Ok(asked.to_owned()),
        false => Err(LambdaFault::unsupported(format!(
            "functions with Architectures [{asked}]: this machine runs {}",
            host_architecture()
        ))),
    }
}

impl Settings {
    /// Puts what is given into `version`, checked one by one.
    pub(super) fn apply(self, version: &mut Version) -> Result<(), LambdaFault> {
        self.refuse_unsupported()?;
        if let Some(runtime) = self.runtime {
            if !["provided.al2023", "provided.al2"].contains(&runtime.as_str()) {
                return Err(LambdaFault::unsupported(format!(
                    "the runtime {runtime}: functions run their own bootstrap (provided.al2023, provided.al2)"
                )));
            }
            version.runtime = runtime;
        }
        if let Some(role) = self.role {
            let name = role.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"));
            if name.is_none_or(|(account, name)| account.len() != 12 || name.is_empty()) {
                return Err(constraint(
                    role,
                    "role",
                    "Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
                ));
            }
            version.role = role;
        }
        if let Some(handler) = self.handler {
            if handler.is_empty() || handler.len() > 128 || handler.contains(char::is_whitespace) {
                return Err(constraint(handler, "handler", "Member must satisfy regular expression pattern: [^\\s]+"));
            }
            version.handler = handler;
        }
        if let Some(description) = self.description {
            if description.chars().count() > 256 {
                return Err(constraint(
                    description,
                    "description",
                    "Member must have length less than or equal to 256",
                ));
            }
            version.description = description;
        }
        if let Some(timeout) = self.timeout {
            version.timeout = within(timeout, "timeout", 1, 900)?;
        }
        if let Some(memory) = self.memory_size {
            version.memory = within(memory, "memorySize", 128, 10240)?;
        }
        if let Some(ephemeral) = self.ephemeral_storage {
            version.ephemeral = within(ephemeral.size, "ephemeralStorage.size", 512, 10240)?;
        }
        if let Some(tracing) = self.tracing_config {
            version.tracing = one_of(&tracing.mode, "tracingConfig.mode", &["Active", "PassThrough"])?.to_owned();
        }
        if let Some(environment) = self.environment {
            version.environment = environment.checked()?;
        }
        if let Some(vpc) = self.vpc_config {
            version.network = Network {
                subnets: vpc.subnet_ids,
                groups: vpc.security_group_ids,
                vpc: String::new(),
                ipv6: vpc.ipv6_allowed_for_dual_stack,
            };
        }
        if let Some(logging) = self.logging_config {
            logging.apply(version)?;
        }
        Ok(())
    }

    fn refuse_unsupported(&self) -> Result<(), LambdaFault> {
        if self.layers.as_ref().is_some_and(|layers| !layers.is_empty()) {
            return Err(LambdaFault::unsupported("the parameter Layers of functions"));
        }
        if self.snap_start.as_ref().is_some_and(|snap| snap.apply_on != "None") {
            return Err(LambdaFault::unsupported("the parameter SnapStart.ApplyOn PublishedVersions of functions"));
        }
        if self
            .dead_letter_config
            .as_ref()
            .and_then(|queue| queue.target_arn.as_deref())
            .is_some_and(|arn| !arn.is_empty())
        {
            return Err(LambdaFault::unsupported("the parameter DeadLetterConfig of functions"));
        }
        if self.kms_key_arn.as_deref().is_some_and(|arn| !arn.is_empty()) {
            return Err(LambdaFault::unsupported("the parameter KMSKeyArn of functions"));
        }
        Ok(())
    }
}

impl Environment {
    fn checked(self) -> Result<BTreeMap<String, String>, LambdaFault> {
        let reserved: Vec<&str> =
            self.variables.keys().map(String::as_str).filter(|key| RESERVED.contains(key)).collect();
        if !reserved.is_empty() {
            return Err(LambdaFault::invalid(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have \
                 provided contains reserved keys that are currently not supported for modification. \
                 Reserved keys used in this request: {}",
                reserved.join(", ")
            )));
        }
        let is_name = |key: &str| {
            key.len() > 1
                && key.starts_with(|c: char| c.is_ascii_alphabetic())
                && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if let Some(key) = self.variables.keys().find(|key| !is_name(key)) {
            let rule = "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]";
            return Err(constraint(key, "environment.variables", rule));
        }
        if let Some((key, _)) = self.variables.iter().find(|(_, value)| value.contains('\0')) {
            return Err(LambdaFault::invalid(format!(
                "The value of the environment variable {key} contains a null byte."
            )));
        }
        if json!(self.variables).to_string().len() > MOST_ENVIRONMENT {
            // The values may be secrets: AWS prints them here, we do not.
            return Err(LambdaFault::invalid(
                "Lambda was unable to configure your environment variables because the environment variables you have \
                 provided exceeded the 4KB limit.",
            ));
        }
        Ok(self.variables)
    }
}

impl LoggingConfig {
    fn apply(self, version: &mut Version) -> Result<(), LambdaFault> {
        let logging = &mut version.logging;
        if let Some(format) = self.log_format {
            logging.format = one_of(&format, "loggingConfig.logFormat", &["JSON", "Text"])?.to_owned();
        }
        if logging.format == "JSON" {
            logging.application_level =
                self.application_log_level.or(logging.application_level.take()).or(Some("INFO".into()));
            logging.system_level = self.system_log_level.or(logging.system_level.take()).or(Some("INFO".into()));
        } else if self.application_log_level.is_some() || self.system_log_level.is_some() {
            return Err(LambdaFault::invalid("The log levels can only be set with the log format JSON."));
        } else {
            (logging.application_level, logging.system_level) = (None, None);
        }
        if let Some(group) = self.log_group {
            logging.group = group;
        }
        Ok(())
    }
}

/// Looks the subnets and security groups up, as the caller, and fills in their VPC.
pub(super) async fn check_network(cloud: &Cloud, scope: &Scope, network: &mut Network) -> Result<(), LambdaFault> {
    if network.subnets.is_empty() != network.groups.is_empty() {
        return Err(LambdaFault::invalid("SubnetIds and SecurityIds must coexist or be both empty list."));
    }
    if network.subnets.is_empty() {
        network.vpc.clear();
        return Ok(());
    }
    let looked = |operation: &str, fault: Fault| {
        LambdaFault::invalid(format!(
            "Error occurred while {operation}. EC2 Error Code: {}. EC2 Error Message: {}",
            fault.code, fault.message
        ))
    };
    let subnets = cloud.call(scope, "ec2", "DescribeSubnets", json!({"SubnetIds": network.subnets})).await;
    let subnets = subnets.map_err(|fault| looked("DescribeSubnets", fault))?;
    let groups = cloud.call(scope, "ec2", "DescribeSecurityGroups", json!({"GroupIds": network.groups})).await;
    let groups = groups.map_err(|fault| looked("DescribeSecurityGroups", fault))?;
    let vpcs = |list: &Value| -> Vec<String> {
        let items = list.as_array().into_iter().flatten();
        items.filter_map(|item| item.get("VpcId")?.as_str().map(str::to_owned)).collect()
    };
    let mut found = vpcs(&subnets["Subnets"]);
    found.extend(vpcs(&groups["SecurityGroups"]));
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => network.vpc.clone_from(one),
        _ => return Err(LambdaFault::invalid("Security Groups are required to be in the same VPC as the subnets.")),
    }
    Ok(())
}
