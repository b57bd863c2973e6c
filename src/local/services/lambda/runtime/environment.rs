//! What a function's process finds in its environment: what AWS sets, and nothing of ours.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::cloud::Cloud;
use crate::env::{AWS_DEFAULT_REGION, AWS_ENDPOINT_URL, AWS_REGION, AWS_XRAY_DAEMON_ADDRESS, SSL_CERT_FILE};
use crate::fault::Fault;
use crate::services::lambda::state::Version;

/// Temporary keys of the function's role.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::services::lambda) struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    pub expiration: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Assumed {
    credentials: Credentials,
}

/// Assumes a function's role as Lambda does.
///
/// # Errors
/// The role is not there, or does not trust Lambda: in Lambda's words.
pub(in crate::services::lambda) async fn assume(cloud: &Cloud, version: &Version) -> Result<Credentials, Fault> {
    let input = serde_json::json!({"RoleArn": version.role, "RoleSessionName": version.name});
    match cloud.call(&version.scope(), "sts", "AssumeRole", input).await {
        Ok(output) => {
            serde_json::from_value::<Assumed>(output).map(|assumed| assumed.credentials).map_err(Fault::internal)
        }
        Err(fault) if matches!(fault.code.as_str(), "AccessDenied" | "NoSuchEntity" | "ValidationError") => {
            tracing::debug!(%fault, role = version.role, "a function's role cannot be assumed");
            let message = "The role defined for the function cannot be assumed by Lambda.";
            Err(Fault::new("InvalidParameterValueException", message).status(400).member("Type", "User"))
        }
        Err(fault) => Err(fault),
    }
}

const LOG_STREAM_NAME: &str = "AWS_LAMBDA_LOG_STREAM_NAME";

/// The one variable that no other environment has with this value.
pub(super) fn log_stream_variable(log_stream: &str) -> String {
    format!("{LOG_STREAM_NAME}={log_stream}")
}

/// Where a process runs.
pub(super) struct Place<'p> {
    pub runtime_api: SocketAddr,
    pub task_root: &'p Path,
    pub scratch: &'p Path,
    pub log_stream: &'p str,
}

/// The whole environment of one process. The function's own variables come last but for what Lambda reserves.
pub(super) fn variables(
    cloud: &Cloud,
    version: &Version,
    keys: &Credentials,
    place: &Place<'_>,
) -> Vec<(OsString, OsString)> {
    let root = place.task_root.display();
    let mut all: BTreeMap<&str, OsString> = BTreeMap::new();
    let mut set = |name: &'static str, value: OsString| {
        all.insert(name, value);
    };
    set("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".into());
    set("LANG", "en_US.UTF-8".into());
    set("TZ", ":UTC".into());
    set("LD_LIBRARY_PATH", format!("{root}:{root}/lib").into());
    set("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".into());
    if let Some(daemon) = cloud.recorder().and_then(|recorder| recorder.daemon(&version.region)) {
        let (host, port) = (daemon.ip().to_string(), daemon.port().to_string());
        set(AWS_XRAY_DAEMON_ADDRESS, format!("{host}:{port}").into());
        set("_AWS_XRAY_DAEMON_ADDRESS", host.into());
        set("_AWS_XRAY_DAEMON_PORT", port.into());
    }
    // AWS gives each environment a /tmp of its own; here it is a directory, named by the variable that says so.
    set("TMPDIR", place.scratch.into());
    if let Some(endpoint) = cloud.endpoint_url() {
        set(AWS_ENDPOINT_URL, endpoint.into());
    }
    set(SSL_CERT_FILE, cloud.authority.certificate_file().into());
    let own = version.environment.iter().map(|(name, value)| (name.as_str(), OsString::from(value)));
    all.extend(own);
    let mut reserve = |name: &'static str, value: OsString| {
        all.insert(name, value);
    };
    reserve("_HANDLER", version.handler.clone().into());
    reserve(AWS_REGION, version.region.clone().into());
    reserve(AWS_DEFAULT_REGION, version.region.clone().into());
    reserve("AWS_ACCESS_KEY_ID", keys.access_key_id.clone().into());
    reserve("AWS_SECRET_ACCESS_KEY", keys.secret_access_key.clone().into());
    reserve("AWS_SESSION_TOKEN", keys.session_token.clone().into());
    reserve("AWS_LAMBDA_FUNCTION_NAME", version.name.clone().into());
    reserve("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", version.memory.to_string().into());
    reserve("AWS_LAMBDA_FUNCTION_VERSION", version.version.clone().into());
    reserve("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into());
    reserve("AWS_LAMBDA_LOG_GROUP_NAME", version.logging.group.clone().into());
    reserve(LOG_STREAM_NAME, place.log_stream.into());
    reserve("AWS_LAMBDA_RUNTIME_API", place.runtime_api.to_string().into());
    reserve("LAMBDA_TASK_ROOT", place.task_root.into());
    reserve("LAMBDA_RUNTIME_DIR", "/var/runtime".into());
    all.into_iter().map(|(name, value)| (name.into(), value)).collect()
}
