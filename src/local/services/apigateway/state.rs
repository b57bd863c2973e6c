//! REST APIs, keys and usage plans as they are kept on disk; the records have the shapes that clients see.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plane::Plane;
use crate::clock::Timestamp;
use crate::cloud::Cloud;
use crate::credentials::Secret;
use crate::execute_api::fault::GatewayFault;
use crate::scope::Scope;
use crate::store::{Shared, Shelf, StoreError};

const LAYOUT: u32 = 1;

pub(super) type Texts = BTreeMap<String, String>;
pub(super) type Flags = BTreeMap<String, bool>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Integration {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub request_parameters: Texts,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub request_templates: Texts,
    pub passthrough_behavior: String,
    pub timeout_in_millis: u32,
    pub cache_namespace: String,
    #[serde(default)]
    pub cache_key_parameters: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub integration_responses: BTreeMap<String, IntegrationResponse>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IntegrationResponse {
    pub status_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selection_pattern: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub response_parameters: Texts,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub response_templates: Texts,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MethodResponse {
    pub status_code: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub response_parameters: Flags,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub response_models: Texts,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Method {
    pub http_method: String,
    pub authorization_type: String,
    pub api_key_required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_validator_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_name: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub request_parameters: Flags,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub request_models: Texts,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub method_responses: BTreeMap<String, MethodResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method_integration: Option<Integration>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_part: Option<String>,
    pub path: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resource_methods: BTreeMap<String, Method>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GatewayResponse {
    pub response_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<String>,
    #[serde(default)]
    pub response_parameters: Texts,
    #[serde(default)]
    pub response_templates: Texts,
    pub default_response: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Validator {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub validate_request_body: bool,
    pub validate_request_parameters: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Model {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    pub content_type: String,
}

/// What a deployment froze: later edits of the API do not show until the next one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub resources: BTreeMap<String, Resource>,
    pub gateway_responses: BTreeMap<String, GatewayResponse>,
    pub validators: BTreeMap<String, Validator>,
    pub binary_media_types: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Deployment {
    pub id: String,
    pub description: Option<String>,
    pub created: Timestamp,
    pub snapshot: Snapshot,
    pub made_by: String,
}

/// `accessLogSettings`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AccessLog {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_arn: Option<String>,
}

/// One entry of a stage's `methodSettings`, under `*/*` or `<path>/<method>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MethodSetting {
    pub metrics_enabled: bool,
    pub logging_level: String,
    pub data_trace_enabled: bool,
    pub throttling_burst_limit: i64,
    pub throttling_rate_limit: f64,
    pub caching_enabled: bool,
    pub cache_ttl_in_seconds: u32,
    pub cache_data_encrypted: bool,
    pub require_authorization_for_cache_control: bool,
    pub unauthorized_cache_control_header_strategy: String,
}

impl Default for MethodSetting {
    fn default() -> Self {
        MethodSetting {
            metrics_enabled: false,
            logging_level: "OFF".into(),
            data_trace_enabled: false,
            throttling_burst_limit: 5000,
            throttling_rate_limit: 10_000.0,
            caching_enabled: false,
            cache_ttl_in_seconds: 300,
            cache_data_encrypted: false,
            require_authorization_for_cache_control: true,
            unauthorized_cache_control_header_strategy: "SUCCEED_WITH_RESPONSE_HEADER".into(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stage {
    pub deployment_id: String,
    pub stage_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub cache_cluster_enabled: bool,
    pub cache_cluster_status: String,
    #[serde(default)]
    pub method_settings: BTreeMap<String, MethodSetting>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: Texts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_settings: Option<AccessLog>,
    pub tracing_enabled: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Texts,
    pub created_date: Timestamp,
    pub last_updated_date: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Api {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub created: Timestamp,
    pub version: Option<String>,
    pub binary_media_types: Vec<String>,
    pub endpoint_types: Vec<String>,
    pub ip_address_type: Option<String>,
    pub disable_execute_api_endpoint: bool,
    pub tags: Texts,
    pub root: String,
    pub resources: BTreeMap<String, Resource>,
    pub deployments: BTreeMap<String, Deployment>,
    pub stages: BTreeMap<String, Stage>,
    pub gateway_responses: BTreeMap<String, GatewayResponse>,
    pub models: BTreeMap<String, Model>,
    pub validators: BTreeMap<String, Validator>,
    pub made_by: String,
    /// The requests that put its methods, by [`Api::place`]: the same request once more finds what it put.
    #[serde(default)]
    pub methods_put_by: BTreeMap<String, String>,
}

impl Api {
    /// Where a method is.
    pub(super) fn place(resource: &str, method: &str) -> String {
        format!("{resource}|{method}")
    }

    pub(super) fn resource(&self, id: &str) -> Result<&Resource, GatewayFault> {
        self.resources.get(id).ok_or_else(|| GatewayFault::missing("Resource"))
    }

    pub(super) fn resource_mut(&mut self, id: &str) -> Result<&mut Resource, GatewayFault> {
        self.resources.get_mut(id).ok_or_else(|| GatewayFault::missing("Resource"))
    }

    pub(super) fn method(&self, resource: &str, method: &str) -> Result<&Method, GatewayFault> {
        self.resource(resource)?.resource_methods.get(method).ok_or_else(|| GatewayFault::missing("Method"))
    }

    pub(super) fn method_mut(&mut self, resource: &str, method: &str) -> Result<&mut Method, GatewayFault> {
        self.resource_mut(resource)?.resource_methods.get_mut(method).ok_or_else(|| GatewayFault::missing("Method"))
    }

    pub(super) fn integration_mut(&mut self, resource: &str, method: &str) -> Result<&mut Integration, GatewayFault> {
        self.method_mut(resource, method)?
            .method_integration
            .as_mut()
            .ok_or_else(|| GatewayFault::missing("Integration"))
    }

    pub(super) fn stage(&self, name: &str) -> Result<&Stage, GatewayFault> {
        self.stages.get(name).ok_or_else(|| GatewayFault::missing("stage"))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiKey {
    pub id: String,
    pub value: Secret,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub enabled: bool,
    pub created_date: Timestamp,
    pub last_updated_date: Timestamp,
    pub stage_keys: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Texts,
    #[serde(default)]
    pub made_by: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Throttle {
    #[serde(default)]
    pub burst_limit: i64,
    #[serde(default)]
    pub rate_limit: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Quota {
    #[serde(default)]
    pub limit: u64,
    #[serde(default)]
    pub offset: u64,
    pub period: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ApiStage {
    pub api_id: String,
    pub stage: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub throttle: BTreeMap<String, Throttle>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UsagePlan {
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub api_stages: Vec<ApiStage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<Throttle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: Texts,
    /// Ids of the keys that belong to it.
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub made_by: String,
}

/// Everything of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Region {
    pub apis: BTreeMap<String, Shared<Api>>,
    pub keys: BTreeMap<String, ApiKey>,
    pub plans: BTreeMap<String, UsagePlan>,
    pub cloudwatch_role: Option<String>,
}

impl Region {
    pub(super) fn api_mut(&mut self, scope: &Scope, id: &str) -> Result<&mut Api, GatewayFault> {
        let found = self.apis.get_mut(id).ok_or_else(|| GatewayFault::no_api(scope, id))?;
        Ok(found.own())
    }
}

pub(super) type Regions = BTreeMap<String, Region>;

/// The service's state and what it needs of the cloud.
pub struct ApiGateway {
    pub(super) cloud: Arc<Cloud>,
    pub(super) regions: Shelf<Regions>,
    pub(super) plane: Plane,
}

impl ApiGateway {
    pub(super) fn open(cloud: Arc<Cloud>) -> Result<Self, StoreError> {
        let regions = Shelf::open(cloud.home.state("apigateway").join("apis.json"), LAYOUT)?;
        Ok(ApiGateway { plane: Plane::default(), regions, cloud })
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
        self.regions.change_region(scope, |region| change(region.api_mut(scope, id)?)).await
    }
}

/// A record as clients see it, without what only we need.
pub(super) fn shown<T: Serialize>(record: &T) -> Result<Value, GatewayFault> {
    let mut value = serde_json::to_value(record).map_err(|error| GatewayFault::Internal(error.to_string()))?;
    if let Some(map) = value.as_object_mut() {
        map.remove("made_by");
        map.remove("madeBy");
    }
    Ok(value)
}
