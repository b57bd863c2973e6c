//! Which cluster, as which user: what every request names.

use serde::Deserialize;
use serde_json::{Value, json};

use super::RdsData;
use super::faults::DataFault;
use super::permission::demand;
use super::pool::Login;
use crate::call::Call;
use crate::fault::Fault;
use crate::services::rds::data_api::{ROUTE, Route};
use crate::services::rds::door_socket;

/// What every request names.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Target {
    pub(super) resource_arn: String,
    pub(super) secret_arn: String,
    pub(super) database: Option<String>,
    pub(super) schema: Option<String>,
}

/// What a request is going to do there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A paused cluster is woken, and refuses until it is awake.
    Begin,
    /// A paused cluster has no open transaction.
    Continue,
}

/// Who logs in to which cluster: RDS is asked for the cluster, Secrets Manager for the secret, as the caller.
pub(super) async fn login(data: &RdsData, call: &Call, target: &Target, purpose: Purpose) -> Result<Login, DataFault> {
    if target.schema.is_some() {
        return Err(DataFault::Invalid("The schema parameter isn't supported".into()));
    }
    let arn = &target.resource_arn;
    if !arn.starts_with("arn:") || !arn.contains(":cluster:") {
        return Err(DataFault::Invalid(format!("Invalid cluster arn: {arn}")));
    }
    demand(data, call, &format!("rds-data:{}", call.operation), arn).await?;
    let route = route(data, call, arn, false).await?;
    if !route.http_endpoint {
        return Err(DataFault::NotEnabled(arn.clone()));
    }
    let Some(instance) = route.instance else { return Err(DataFault::NoInstance(arn.clone())) };
    match route.status.as_str() {
        // Whether an engine that is coming back is there already, its login finds out.
        "available" | "starting" | "modifying" | "rebooting" => {}
        "creating" => return Err(DataFault::Unavailable("The cluster is being created.".into())),
        status => return Err(DataFault::State(format!("The DB cluster {arn} is {status}."))),
    }
    let (user, password) = secret(data, call, &target.secret_arn).await?;
    if route.paused && purpose == Purpose::Begin {
        self::route(data, call, arn, true).await?;
        return Err(DataFault::Resuming(instance));
    }
    let socket = door_socket(&data.cloud, &route.resource_id).map_err(Fault::internal)?;
    let database = target.database.clone().filter(|name| !name.is_empty());
    Ok(Login { resource_id: route.resource_id, era: route.era, socket, user, password, database })
}

async fn route(data: &RdsData, call: &Call, arn: &str, wake: bool) -> Result<Route, DataFault> {
    let found = data.cloud.call(&call.scope, "rds", ROUTE, json!({"arn": arn, "wake": wake})).await?;
    let route: Option<Route> = serde_json::from_value(found).map_err(Fault::internal)?;
    // AWS looks for the endpoint, not for the cluster.
    route.ok_or_else(|| DataFault::NotEnabled(arn.to_owned()))
}

async fn secret(data: &RdsData, call: &Call, arn: &str) -> Result<(String, String), DataFault> {
    let asked = data.cloud.call(&call.scope, "secretsmanager", "GetSecretValue", json!({"SecretId": arn})).await;
    let asked = asked.map_err(|fault| match fault.code.as_str() {
        "AccessDeniedException" => fault.into(),
        _ => DataFault::Secrets(format!("Error fetching secret {arn} : {}", fault.message)),
    })?;
    // A secret may be named; what a policy names is its ARN.
    demand(data, call, "secretsmanager:GetSecretValue", asked["ARN"].as_str().unwrap_or(arn)).await?;
    let bad = || DataFault::InvalidSecret("The secret must be JSON with a username and a password.".into());
    let text = asked.get("SecretString").and_then(Value::as_str).ok_or_else(bad)?;
    let secret: Value = serde_json::from_str(text).map_err(|_| bad())?;
    let part = |name: &str| secret.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(bad);
    Ok((part("username")?, part("password")?))
}
