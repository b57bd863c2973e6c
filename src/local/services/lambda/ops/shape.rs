//! `FunctionConfiguration`, the shape that most operations answer with.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::services::lambda::state::{Function, Logging, Version};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FunctionConfiguration {
    pub function_name: String,
    pub function_arn: String,
    runtime: String,
    role: String,
    handler: String,
    code_size: u64,
    description: String,
    timeout: u32,
    memory_size: u32,
    last_modified: String,
    code_sha256: String,
    pub version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_config: Option<VpcConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Environment>,
    tracing_config: Mode,
    revision_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status_reason_code: Option<&'static str>,
    package_type: &'static str,
    architectures: [String; 1],
    ephemeral_storage: Size,
    snap_start: SnapStart,
    logging_config: LoggingConfig,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VpcConfig {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
    vpc_id: String,
    ipv6_allowed_for_dual_stack: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    variables: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Mode {
    mode: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    size: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SnapStart {
    apply_on: &'static str,
    optimization_status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingConfig {
    log_format: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_log_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_log_level: Option<String>,
    log_group: String,
}

impl LoggingConfig {
    fn of(logging: &Logging) -> Self {
        LoggingConfig {
            log_format: logging.format.clone(),
            application_log_level: logging.application_level.clone(),
            system_log_level: logging.system_level.clone(),
            log_group: logging.group.clone(),
        }
    }
}

/// Lambda's form of a time: `2026-11-21T23:20:07.123+0000`.
pub(super) fn last_modified(millis: i64) -> String {
    Timestamp::from_millis(millis).iso8601().replace('Z', "+0000")
}

impl FunctionConfiguration {
    /// A function's or a version's shape, its ARN qualified or not as `arn` has it.
    pub(crate) fn of(version: &Version, arn: String) -> Self {
        let network = &version.network;
        FunctionConfiguration {
            function_name: version.name.clone(),
            function_arn: arn,
            runtime: version.runtime.clone(),
            role: version.role.clone(),
            handler: version.handler.clone(),
            code_size: version.code.size,
            description: version.description.clone(),
            timeout: version.timeout,
            memory_size: version.memory,
            last_modified: last_modified(version.modified),
            code_sha256: version.code.sha256.clone(),
            version: version.version.clone(),
            vpc_config: (!network.subnets.is_empty()).then(|| VpcConfig {
                subnet_ids: network.subnets.clone(),
                security_group_ids: network.groups.clone(),
                vpc_id: network.vpc.clone(),
                ipv6_allowed_for_dual_stack: network.ipv6,
            }),
            environment: (!version.environment.is_empty())
                .then(|| Environment { variables: version.environment.clone() }),
            tracing_config: Mode { mode: version.tracing.clone() },
            revision_id: version.revision.clone(),
            // Its code lies unpacked and its role was assumed before it was recorded: it can be invoked.
            state: Some("Active"),
            last_update_status: Some("Successful"),
            last_update_status_reason: None,
            last_update_status_reason_code: None,
            package_type: "Zip",
            architectures: [version.architecture.clone()],
            ephemeral_storage: Size { size: version.ephemeral },
            snap_start: SnapStart { apply_on: "None", optimization_status: "Off" },
            logging_config: LoggingConfig::of(&version.logging),
        }
    }

    /// The shape under the version's own ARN.
    pub(crate) fn own(version: &Version) -> Self {
        FunctionConfiguration::of(version, version.arn())
    }

    /// `$LATEST` as it was last changed.
    pub(crate) fn newest(function: &Function) -> Self {
        FunctionConfiguration::own(function.newest()).in_progress(function.next.is_some())
    }

    /// With an update in progress calls still go to what the function was before. The reason is AWS's own, for updates too.
    pub(crate) fn in_progress(mut self, in_progress: bool) -> Self {
        if in_progress {
            self.last_update_status = Some("InProgress");
            self.last_update_status_reason = Some("The function is being created.");
            self.last_update_status_reason_code = Some("Creating");
        }
        self
    }

    /// Lists leave the states out.
    pub(crate) fn for_list(mut self) -> Self {
        (self.state, self.last_update_status) = (None, None);
        self
    }
}
