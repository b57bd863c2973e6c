//! HTTP APIs as they are kept on disk; the records have the shapes that clients see.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plane::Plane;
use crate::clock::Timestamp;
use crate::cloud::Cloud;
use crate::execute_api::fault::GatewayFault;
use crate::scope::Scope;
use crate::store::{Shared, Shelf, StoreError};

const LAYOUT: u32 = 1;

pub(super) type Texts = BTreeMap<String, String>;

/// `CorsConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Cors {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_credentials: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_headers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_methods: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_origins: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expose_headers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Integration {
    pub integration_id: String,
    pub integration_type: String,
    pub integration_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_method: Option<String>,
    pub connection_type: String,
    pub payload_format_version: String,
    pub timeout_in_millis: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Made by a quick create.
    pub api_gateway_managed: bool,
    #[serde(default)]
    pub made_by: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Route {
    pub route_id: String,
    pub route_key: String,
    /// `integrations/ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    pub authorization_type: String,
    pub api_key_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    pub api_gateway_managed: bool,
    #[serde(default)]
    pub made_by: String,
}

impl Route {
    /// The id of the integration behind it.
    pub(super) fn integration(&self) -> Option<&str> {
        self.target.as_deref()?.strip_prefix("integrations/")
    }
}

/// What a deployment froze: later edits of the API do not show until the next one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub routes: BTreeMap<String, Route>,
    pub integrations: BTreeMap<String, Integration>,
    pub cors: Option<Cors>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Deployment {
    pub id: String,
    pub description: Option<String>,
    pub created: Timestamp,
    /// By a stage that deploys by itself.
    pub auto_deployed: bool,
    pub snapshot: Snapshot,
    pub made_by: String,
}

/// `DefaultRouteSettings`, and each of `RouteSettings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct RouteSettings {
    #[serde(default)]
    pub detailed_metrics_enabled: bool,
    #[serde(default, skip_serializing)]
    pub data_trace_enabled: bool,
    #[serde(default, skip_serializing)]
    pub logging_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling_burst_limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttling_rate_limit: Option<f64>,
}

/// `AccessLogSettings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct AccessLogSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Stage {
    pub stage_name: String,
    pub auto_deploy: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub default_route_settings: RouteSettings,
    #[serde(default)]
    pub route_settings: BTreeMap<String, RouteSettings>,
    #[serde(default)]
    pub stage_variables: Texts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_settings: Option<AccessLogSettings>,
    #[serde(default)]
    pub tags: Texts,
    pub created_date: Timestamp,
    pub last_updated_date: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_deployment_status_message: Option<String>,
    pub api_gateway_managed: bool,
    #[serde(default)]
    pub made_by: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Api {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub version: Option<String>,
    pub created: Timestamp,
    pub cors: Option<Cors>,
    pub disable_execute_api_endpoint: bool,
    pub ip_address_type: String,
    pub tags: Texts,
    pub integrations: BTreeMap<String, Integration>,
    pub routes: BTreeMap<String, Route>,
    pub stages: BTreeMap<String, Stage>,
    pub deployments: BTreeMap<String, Deployment>,
    pub made_by: String,
}

/// What a deployment by itself needs.
pub(super) struct Fresh {
    pub id: String,
    pub now: Timestamp,
}

impl Api {
    pub(super) fn stage_mut(&mut self, name: &str) -> Result<&mut Stage, GatewayFault> {
        self.stages.get_mut(name).ok_or_else(|| GatewayFault::missing("stage"))
    }

    /// What a deployment takes of the API.
    ///
    /// # Errors
    /// There is nothing to deploy.
    pub(super) fn freeze(&self) -> Result<Snapshot, GatewayFault> {
        if self.routes.is_empty() {
            return Err(GatewayFault::invalid("Unable to deploy API because no routes exist in this API"));
        }
        Ok(Snapshot { routes: self.routes.clone(), integrations: self.integrations.clone(), cors: self.cors.clone() })
    }

    /// Brings the stages that deploy by themselves up to date. What no stage uses of earlier such deployments goes.
    pub(super) fn deploy_itself(&mut self, fresh: Fresh) {
        if !self.stages.values().any(|stage| stage.auto_deploy) {
            return;
        }
        let frozen = self.freeze();
        let message = match &frozen {
            Ok(_) => format!("Successfully deployed stage with deployment ID '{}'", fresh.id),
            Err(GatewayFault::Invalid(why)) => format!("Deployment attempt failed: {why}"),
            Err(_) => "Deployment attempt failed".to_owned(),
        };
        for stage in self.stages.values_mut().filter(|stage| stage.auto_deploy) {
            stage.last_deployment_status_message = Some(message.clone());
            if frozen.is_ok() {
                stage.deployment_id = Some(fresh.id.clone());
                stage.last_updated_date = fresh.now;
            }
        }
        if let Ok(snapshot) = frozen {
            let deployment = Deployment {
                id: fresh.id.clone(),
                description: Some("Automatic deployment triggered by changes to the Api configuration".into()),
                created: fresh.now,
                auto_deployed: true,
                snapshot,
                made_by: String::new(),
            };
            self.deployments.insert(fresh.id, deployment);
        }
        let used: Vec<String> = self.stages.values().filter_map(|stage| stage.deployment_id.clone()).collect();
        self.deployments.retain(|id, deployment| !deployment.auto_deployed || used.contains(id));
    }
}

/// Everything of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Region {
    pub apis: BTreeMap<String, Shared<Api>>,
}

pub(super) type Regions = BTreeMap<String, Region>;

/// The service's state and what it needs of the cloud.
pub struct HttpApis {
    pub(super) cloud: Arc<Cloud>,
    pub(super) regions: Shelf<Regions>,
    pub(super) plane: Plane,
}

impl HttpApis {
    pub(super) fn open(cloud: Arc<Cloud>) -> Result<Self, StoreError> {
        let regions = Shelf::open(cloud.home.state("apigatewayv2").join("apis.json"), LAYOUT)?;
        Ok(HttpApis { plane: Plane::default(), regions, cloud })
    }

    pub(super) fn api(&self, scope: &Scope, id: &str) -> Result<Shared<Api>, GatewayFault> {
        let regions = self.regions.get();
        let found = regions.get(&scope.region).and_then(|region| region.apis.get(id));
        found.cloned().ok_or_else(|| GatewayFault::no_api(scope, id))
    }

    pub(super) async fn change_api<R>(
        &self,
        scope: &Scope,
        id: &str,
        change: impl FnOnce(&mut Api) -> Result<R, GatewayFault>,
    ) -> Result<R, GatewayFault> {
        let changed = self.regions.change_region(scope, |region| {
            let found = region.apis.get_mut(id).ok_or_else(|| GatewayFault::no_api(scope, id))?;
            change(found.own())
        });
        let changed = changed.await;
        self.plane.forget(id);
        changed
    }

    /// [`HttpApis::change_api`] of what deployments freeze: stages that deploy by themselves follow.
    pub(super) async fn change_routes<R>(
        &self,
        scope: &Scope,
        id: &str,
        change: impl FnOnce(&mut Api) -> Result<R, GatewayFault>,
    ) -> Result<R, GatewayFault> {
        self.change_api(scope, id, |api| {
            let answer = change(api)?;
            api.deploy_itself(self.fresh());
            Ok(answer)
        })
        .await
    }

    pub(super) fn fresh(&self) -> Fresh {
        Fresh { id: self.cloud.ids.lower(6), now: self.cloud.clock.now() }
    }
}

/// A record as clients see it, without what only we need.
pub(super) fn shown<T: Serialize>(record: &T) -> Result<Value, GatewayFault> {
    let mut value = serde_json::to_value(record).map_err(|error| GatewayFault::Internal(error.to_string()))?;
    if let Some(map) = value.as_object_mut() {
        map.remove("MadeBy");
    }
    Ok(value)
}

/// A text of an update: what is not said stays, and an empty one takes it away.
pub(super) fn set_text(own: &mut Option<String>, given: Option<String>) {
    if let Some(given) = given {
        *own = Some(given).filter(|text| !text.is_empty());
    }
}
