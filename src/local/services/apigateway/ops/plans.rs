//! Usage plans and the keys in them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Patches, nothing, page};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigateway::patch::{self, Kind};
use crate::services::apigateway::state::{
    ApiGateway, ApiKey, ApiStage, Quota, Region, Texts, Throttle, UsagePlan, shown,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateUsagePlan {
    name: String,
    description: Option<String>,
    #[serde(default)]
    api_stages: Vec<ApiStage>,
    throttle: Option<Throttle>,
    quota: Option<Quota>,
    #[serde(default)]
    tags: Texts,
}

fn missing() -> GatewayFault {
    GatewayFault::NotFound("Invalid Usage Plan ID specified".into())
}

fn shape(plan: &UsagePlan) -> Answer {
    let mut value = shown(plan)?;
    if let Some(map) = value.as_object_mut() {
        map.remove("keys");
    }
    Ok(value)
}

fn check(region: &Region, plan: &UsagePlan) -> Result<(), GatewayFault> {
    for stage in &plan.api_stages {
        let api = region.apis.get(&stage.api_id);
        if api.is_none_or(|api| !api.stages.contains_key(&stage.stage)) {
            return Err(GatewayFault::NotFound(format!("API Stage not found: {}:{}", stage.api_id, stage.stage)));
        }
    }
    if let Some(quota) = &plan.quota
        && !["DAY", "WEEK", "MONTH"].contains(&quota.period.as_str())
    {
        return Err(GatewayFault::invalid("Quota period must be DAY, WEEK or MONTH"));
    }
    let throttles = plan.throttle.iter().chain(plan.api_stages.iter().flat_map(|stage| stage.throttle.values()));
    if throttles.clone().any(|throttle| throttle.rate_limit < 0.0 || throttle.burst_limit < 0) {
        return Err(GatewayFault::invalid("Usage Plan throttle rate and burst limits must not be negative"));
    }
    Ok(())
}

/// CreateUsagePlan.
pub(crate) async fn create(gateway: Arc<ApiGateway>, call: &Call, input: CreateUsagePlan) -> Answer {
    let plan = UsagePlan {
        id: gateway.cloud.ids.lower(6),
        name: input.name,
        description: input.description,
        api_stages: input.api_stages,
        throttle: input.throttle,
        quota: input.quota,
        tags: input.tags,
        keys: Vec::new(),
        made_by: call.request_id.clone(),
    };
    gateway
        .regions
        .change_region(&call.scope, |region| {
            if let Some(there) = region.plans.values().find(|there| there.made_by == call.request_id) {
                return shape(there);
            }
            check(region, &plan)?;
            let answer = shape(&plan);
            region.plans.insert(plan.id.clone(), plan);
            answer
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Named {
    usage_plan_id: String,
}

/// GetUsagePlan.
pub(crate) async fn get(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    shape(gateway.regions.region(&call.scope).plans.get(&input.usage_plan_id).ok_or_else(missing)?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct List {
    position: Option<String>,
    key_id: Option<String>,
    limit: Option<usize>,
}

/// GetUsagePlans.
pub(crate) async fn list(gateway: Arc<ApiGateway>, call: &Call, input: List) -> Answer {
    let region = gateway.regions.region(&call.scope);
    let wanted = |plan: &&UsagePlan| input.key_id.as_ref().is_none_or(|key| plan.keys.contains(key));
    let items = region.plans.values().filter(wanted).map(shape).collect::<Result<_, _>>()?;
    page(items, input.position.as_deref(), input.limit)
}

/// DeleteUsagePlan.
pub(crate) async fn delete(gateway: Arc<ApiGateway>, call: &Call, input: Named) -> Answer {
    gateway
        .regions
        .change_region(&call.scope, |region| {
            let plan = region.plans.get(&input.usage_plan_id).ok_or_else(missing)?;
            if !plan.api_stages.is_empty() {
                let message = format!("Cannot delete Usage Plan {} because it is associated with API Stages", plan.id);
                return Err(GatewayFault::invalid(message));
            }
            region.plans.remove(&input.usage_plan_id);
            Ok(())
        })
        .await?;
    gateway.plane.forget_plan(&input.usage_plan_id);
    nothing()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Update {
    usage_plan_id: String,
    #[serde(default)]
    patch_operations: Patches,
}

/// `apiId:stage`, as patch operations name a stage.
fn api_stage(text: &str) -> Result<(String, String), GatewayFault> {
    let parts = text.split_once(':').map(|(api, stage)| (api.to_owned(), stage.to_owned()));
    parts.ok_or_else(|| GatewayFault::invalid(format!("Invalid API stage specified: {text}")))
}

/// `/apiStages/<api:stage>/throttle/<path>/<method>/rateLimit`.
fn set_stage_throttle(
    plan: &mut UsagePlan,
    path: &[String],
    operation: &patch::Operation,
) -> Result<bool, GatewayFault> {
    let [first, named, throttle, rest @ ..] = path else { return Ok(false) };
    if first != "apiStages" || throttle != "throttle" {
        return Ok(false);
    }
    let (api, name) = api_stage(named)?;
    let stage = plan.api_stages.iter_mut().find(|stage| stage.api_id == api && stage.stage == name);
    let stage = stage.ok_or_else(|| GatewayFault::missing("stage"))?;
    match rest {
        [] if operation.removes() => stage.throttle.clear(),
        [resource, verb] if operation.removes() => {
            stage.throttle.remove(&format!("{resource}/{verb}"));
        }
        [resource, verb, limit] => {
            let setting = stage.throttle.entry(format!("{resource}/{verb}")).or_default();
            let value = operation.typed(Kind::Number)?;
            match limit.as_str() {
                "rateLimit" => setting.rate_limit = value.as_f64().unwrap_or(0.0),
                "burstLimit" => setting.burst_limit = value.as_i64().unwrap_or(0),
                _ => return Ok(false),
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// UpdateUsagePlan.
pub(crate) async fn update(gateway: Arc<ApiGateway>, call: &Call, input: Update) -> Answer {
    let allowed = [
        ("/name", Kind::Text),
        ("/description", Kind::Text),
        ("/throttle/rateLimit", Kind::Number),
        ("/throttle/burstLimit", Kind::Number),
        ("/quota/limit", Kind::Number),
        ("/quota/offset", Kind::Number),
        ("/quota/period", Kind::Text),
    ];
    gateway
        .regions
        .change_region(&call.scope, |region| {
            let mut plan = region.plans.get(&input.usage_plan_id).ok_or_else(missing)?.clone();
            let mut rest = Vec::new();
            for operation in input.patch_operations {
                let path = patch::parts(&operation.path);
                match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                    ["apiStages"] => {
                        let (api, stage) = api_stage(operation.value()?)?;
                        plan.api_stages.retain(|there| there.api_id != api || there.stage != stage);
                        if !operation.removes() {
                            plan.api_stages.push(ApiStage { api_id: api, stage, throttle: Default::default() });
                        }
                    }
                    ["throttle"] if operation.removes() => plan.throttle = None,
                    ["quota"] if operation.removes() => plan.quota = None,
                    _ if set_stage_throttle(&mut plan, &path, &operation)? => {}
                    _ => rest.push(operation),
                }
            }
            patch::apply(&mut plan, &rest, &allowed)?;
            check(region, &plan)?;
            let answer = shape(&plan);
            region.plans.insert(plan.id.clone(), plan);
            answer
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateKey {
    usage_plan_id: String,
    key_id: String,
    key_type: String,
}

fn key_shape(key: &ApiKey) -> Value {
    let mut value = json!({"id": key.id, "type": "API_KEY", "value": key.value});
    if let Some(name) = &key.name {
        value["name"] = json!(name);
    }
    value
}

/// CreateUsagePlanKey.
pub(crate) async fn create_key(gateway: Arc<ApiGateway>, call: &Call, input: CreateKey) -> Answer {
    if input.key_type != "API_KEY" {
        return Err(GatewayFault::invalid("Key type must be API_KEY"));
    }
    gateway
        .regions
        .change_region(&call.scope, |region| {
            let key = region.keys.get(&input.key_id).ok_or_else(super::keys::missing)?;
            let answer = key_shape(key);
            let plan = region.plans.get_mut(&input.usage_plan_id).ok_or_else(missing)?;
            if plan.keys.contains(&input.key_id) {
                return Err(GatewayFault::Conflict("Usage Plan Key already exists".into()));
            }
            plan.keys.push(input.key_id);
            Ok(answer)
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NamedKey {
    usage_plan_id: String,
    key_id: String,
}

fn missing_key() -> GatewayFault {
    GatewayFault::NotFound("Invalid Usage Plan Key identifier specified".into())
}

/// GetUsagePlanKey.
pub(crate) async fn get_key(gateway: Arc<ApiGateway>, call: &Call, input: NamedKey) -> Answer {
    let region = gateway.regions.region(&call.scope);
    let plan = region.plans.get(&input.usage_plan_id).ok_or_else(missing)?;
    let key = plan.keys.iter().find(|key| **key == input.key_id).and_then(|key| region.keys.get(key));
    key.map(key_shape).ok_or_else(missing_key)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ListKeys {
    usage_plan_id: String,
    position: Option<String>,
    limit: Option<usize>,
    name_query: Option<String>,
}

/// GetUsagePlanKeys.
pub(crate) async fn list_keys(gateway: Arc<ApiGateway>, call: &Call, input: ListKeys) -> Answer {
    let region = gateway.regions.region(&call.scope);
    let plan = region.plans.get(&input.usage_plan_id).ok_or_else(missing)?;
    let named = |key: &&ApiKey| {
        input.name_query.as_ref().is_none_or(|start| key.name.as_ref().is_some_and(|name| name.starts_with(start)))
    };
    let items = plan.keys.iter().filter_map(|id| region.keys.get(id)).filter(named).map(key_shape).collect();
    page(items, input.position.as_deref(), input.limit)
}

/// DeleteUsagePlanKey.
pub(crate) async fn delete_key(gateway: Arc<ApiGateway>, call: &Call, input: NamedKey) -> Answer {
    gateway
        .regions
        .change_region(&call.scope, |region| {
            let plan = region.plans.get_mut(&input.usage_plan_id).ok_or_else(missing)?;
            let before = plan.keys.len();
            plan.keys.retain(|key| *key != input.key_id);
            if plan.keys.len() == before { Err(missing_key()) } else { nothing() }
        })
        .await
}
