//! AddRoleToDBCluster and RemoveRoleFromDBCluster, EnableHttpEndpoint and DisableHttpEndpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::check::Nothing;
use crate::call::Call;
use crate::services::rds::faults::RdsFault;
use crate::services::rds::lifecycle;
use crate::services::rds::state::{Rds, Role};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct RoleOfCluster {
    #[serde(rename = "DBClusterIdentifier")]
    identifier: String,
    role_arn: String,
    feature_name: Option<String>,
}

/// AddRoleToDBCluster.
pub(crate) async fn add(rds: Arc<Rds>, call: &Call, input: RoleOfCluster) -> Result<Nothing, RdsFault> {
    let name = rds
        .change(&call.scope, |region| {
            let cluster = region.cluster_mut(&input.identifier)?;
            if cluster.roles.iter().any(|role| role.role_arn == input.role_arn) {
                return Err(RdsFault::RoleExists(input.role_arn.clone()));
            }
            cluster.roles.push(Role { role_arn: input.role_arn.clone(), feature_name: input.feature_name });
            Ok(cluster.identifier.clone())
        })
        .await?;
    lifecycle::refresh(&rds, &call.scope, &name, &BTreeMap::new()).await?;
    Ok(Nothing {})
}

/// RemoveRoleFromDBCluster.
pub(crate) async fn remove(rds: Arc<Rds>, call: &Call, input: RoleOfCluster) -> Result<Nothing, RdsFault> {
    let name = rds
        .change(&call.scope, |region| {
            let cluster = region.cluster_mut(&input.identifier)?;
            let before = cluster.roles.len();
            cluster.roles.retain(|role| role.role_arn != input.role_arn);
            if cluster.roles.len() == before {
                return Err(RdsFault::RoleNotFound(input.role_arn.clone()));
            }
            Ok(cluster.identifier.clone())
        })
        .await?;
    lifecycle::refresh(&rds, &call.scope, &name, &BTreeMap::new()).await?;
    Ok(Nothing {})
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Endpoint {
    resource_arn: String,
}

/// EnableHttpEndpoint: the Data API.
pub(crate) async fn enable_http(rds: Arc<Rds>, call: &Call, input: Endpoint) -> Result<Value, RdsFault> {
    turn(&rds, call, input, true).await
}

/// DisableHttpEndpoint.
pub(crate) async fn disable_http(rds: Arc<Rds>, call: &Call, input: Endpoint) -> Result<Value, RdsFault> {
    turn(&rds, call, input, false).await
}

async fn turn(rds: &Rds, call: &Call, input: Endpoint, on: bool) -> Result<Value, RdsFault> {
    rds.change(&call.scope, |region| {
        region.cluster_mut(&input.resource_arn)?.http_endpoint = on;
        Ok(())
    })
    .await?;
    Ok(json!({"ResourceArn": input.resource_arn, "HttpEndpointEnabled": on}))
}
