//! API keys.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Patches, nothing, page};
use crate::call::Call;
use crate::credentials::Secret;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::patch::{self, Kind};
use crate::services::apigateway::state::{ApiGateway, ApiKey, Texts, shown};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateApiKey {
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    enabled: bool,
    generate_distinct_id: Option<bool>,
    value: Option<String>,
    customer_id: Option<String>,
    #[serde(default)]
    tags: Texts,
}

pub(super) fn missing() -> GatewayFault {
    GatewayFault::NotFound("Invalid API Key identifier specified".into())
}

fn shape(key: &ApiKey, with_value: bool) -> Answer {
    let mut value = shown(key)?;
    if let Some(map) = value.as_object_mut()
        && !with_value
    {
        map.remove("value");
    }
    Ok(value)
}

/// CreateApiKey.
pub(crate) async fn create(gateway: Arc<ApiGateway>, call: &Call, input: CreateApiKey) -> Answer {
    // An empty value is none: one is made.
    let value = input.value.filter(|value| !value.is_empty());
    match value.as_ref().map(String::len) {
        Some(..20) => return Err(GatewayFault::invalid("API Key value should be at least 20 characters")),
        Some(129..) => return Err(GatewayFault::invalid("API Key value should be at most 128 characters")),
        _ => {}
    }
    let (id, now) = (gateway.cloud.ids.lower(10), gateway.cloud.clock.now());
    let key = ApiKey {
        id: if input.generate_distinct_id == Some(false) { value.clone().unwrap_or_else(|| id.clone()) } else { id },
        value: Secret::new(value.unwrap_or_else(|| gateway.cloud.ids.lower(40))),
        name: input.name,
        customer_id: input.customer_id,
        description: input.description,
        enabled: input.enabled,
        created_date: now,
        last_updated_date: now,
        stage_keys: Vec::new(),
        tags: input.tags,
        made_by: call.request_id.clone(),
    };
    gateway
        .regions
        .change_region(&call.scope, |region| {
            if let Some(there) = region.keys.values().find(|there| there.made_by == call.request_id) {
                return shape(there, true);
            }
            if region.keys.values().any(|there| there.value == key.value) {
                return Err(GatewayFault::Conflict("API Key already exists".into()));
            }
            let answer = shape(&key, true);
            region.keys.insert(key.id.clone(), key);
            answer
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Get {
    api_key: String,
    include_value: Option<bool>,
}

/// GetApiKey.
pub(crate) async fn get(gateway: Arc<ApiGateway>, call: &Call, input: Get) -> Answer {
    let region = gateway.regions.region(&call.scope);
    shape(region.keys.get(&input.api_key).ok_or_else(missing)?, input.include_value.unwrap_or(false))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct List {
    position: Option<String>,
    limit: Option<usize>,
    name_query: Option<String>,
    customer_id: Option<String>,
    include_values: Option<bool>,
}

/// GetApiKeys.
pub(crate) async fn list(gateway: Arc<ApiGateway>, call: &Call, input: List) -> Answer {
    let region = gateway.regions.region(&call.scope);
    let named = |key: &&ApiKey| {
        input.name_query.as_ref().is_none_or(|start| key.name.as_ref().is_some_and(|name| name.starts_with(start)))
            && input.customer_id.as_ref().is_none_or(|id| key.customer_id.as_ref() == Some(id))
    };
    let with_values = input.include_values.unwrap_or(false);
    let items: Vec<Value> =
        region.keys.values().filter(named).map(|key| shape(key, with_values)).collect::<Result<_, _>>()?;
    page(items, input.position.as_deref(), input.limit)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Update {
    api_key: String,
    #[serde(default)]
    patch_operations: Patches,
}

/// UpdateApiKey.
pub(crate) async fn update(gateway: Arc<ApiGateway>, call: &Call, input: Update) -> Answer {
    let allowed =
        [("/name", Kind::Text), ("/description", Kind::Text), ("/enabled", Kind::Bool), ("/customerId", Kind::Text)];
    let now = gateway.cloud.clock.now();
    gateway
        .regions
        .change_region(&call.scope, |region| {
            let key = region.keys.get_mut(&input.api_key).ok_or_else(missing)?;
            patch::apply(key, &input.patch_operations, &allowed)?;
            key.last_updated_date = now;
            shape(key, false)
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    api_key: String,
}

/// DeleteApiKey.
pub(crate) async fn delete(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    gateway
        .regions
        .change_region(&call.scope, |region| {
            region.plans.values_mut().for_each(|plan| plan.keys.retain(|key| *key != input.api_key));
            region.keys.remove(&input.api_key).map(|_| ()).ok_or_else(missing)
        })
        .await?;
    nothing()
}
