//! `ApiKey`, `UsagePlan`, `UsagePlanKey`.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{gone_is_success, number, only, patch_text, patches, pick, provisioned, retag, send, tag_map, text};
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType};

pub(super) struct ApiKey;

const KEY: &[&str] = &["Name", "Description", "Enabled", "CustomerId", "GenerateDistinctId", "Value", "Tags"];

#[async_trait]
impl ResourceType for ApiKey {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::ApiKey"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        only(self.type_name(), properties, KEY)?;
        let mut input =
            pick(properties, &["Name", "Description", "Enabled", "CustomerId", "GenerateDistinctId", "Value"]);
        input.entry("name").or_insert_with(|| cx.generated_name(128).into());
        input.insert("tags".into(), tag_map(&cx.tags(properties.get("Tags"))).into());
        let made = send(cx, "CreateApiKey", Value::Object(input)).await?;
        Ok(provisioned(&text(&made, "id"), Some("APIKeyId")))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        only(self.type_name(), new, KEY)?;
        let changes = patches(old, new, &["Description", "Enabled", "CustomerId"]);
        if !changes.is_empty() {
            send(cx, "UpdateApiKey", json!({"apiKey": id, "patchOperations": changes})).await?;
        }
        retag(cx, &format!("/apikeys/{id}"), old, new).await?;
        Ok(provisioned(id, Some("APIKeyId")))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        gone_is_success(send(cx, "DeleteApiKey", json!({"apiKey": id})).await)
    }
}

pub(super) struct UsagePlan;

const PLAN: &[&str] = &["UsagePlanName", "Description", "ApiStages", "Throttle", "Quota", "Tags"];

fn limits(throttle: &Value) -> Value {
    let limit = |name: &str| number(throttle.get(name));
    let pairs = [("rateLimit", limit("RateLimit")), ("burstLimit", limit("BurstLimit"))];
    Value::Object(pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn quota(quota: &Value) -> Value {
    let mut members =
        Map::from_iter([("period".to_owned(), quota.get("Period").cloned().unwrap_or_else(|| "DAY".into()))]);
    for (property, member) in [("Limit", "limit"), ("Offset", "offset")] {
        if let Some(value) = number(quota.get(property)) {
            members.insert(member.to_owned(), value);
        }
    }
    Value::Object(members)
}

fn stages(properties: &Value) -> Vec<Value> {
    let stages = properties.get("ApiStages").and_then(Value::as_array).into_iter().flatten();
    let shapes = stages.map(|stage| {
        let throttle = stage.get("Throttle").and_then(Value::as_object).into_iter().flatten();
        let throttle: Map<String, Value> = throttle.map(|(method, limit)| (method.clone(), limits(limit))).collect();
        json!({"apiId": stage.get("ApiId"), "stage": stage.get("Stage"), "throttle": throttle})
    });
    shapes.collect()
}

fn stage_patches(old: &Value, new: &Value) -> Vec<Value> {
    let (before, after) = (stages(old), stages(new));
    let name = |stage: &Value| format!("{}:{}", text(stage, "apiId"), text(stage, "stage"));
    let removed = before.iter().filter(|stage| !after.contains(stage));
    let mut changes: Vec<Value> =
        removed.map(|stage| json!({"op": "remove", "path": "/apiStages", "value": name(stage)})).collect();
    for stage in after.iter().filter(|stage| !before.contains(stage)) {
        changes.push(json!({"op": "add", "path": "/apiStages", "value": name(stage)}));
        for (method, limit) in stage["throttle"].as_object().into_iter().flatten() {
            let (path, verb) = method.rsplit_once('/').unwrap_or((method, ""));
            for (member, value) in limit.as_object().into_iter().flatten() {
                let path = format!("/apiStages/{}/throttle/{}/{verb}/{member}", name(stage), path.replace('/', "~1"));
                changes.push(json!({"op": "replace", "path": path, "value": patch_text(value)}));
            }
        }
    }
    changes
}

/// Patch operations for `/throttle` or `/quota` as a whole.
fn group_patches(name: &str, old: Option<Value>, new: Option<Value>) -> Vec<Value> {
    match new {
        new if old == new => Vec::new(),
        None => vec![json!({"op": "remove", "path": format!("/{name}")})],
        Some(new) => {
            let members = new.as_object().cloned().unwrap_or_default();
            members.iter().map(|(member, value)| json!({"op": "replace", "path": format!("/{name}/{member}"), "value": patch_text(value)})).collect()
        }
    }
}

#[async_trait]
impl ResourceType for UsagePlan {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::UsagePlan"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        only(self.type_name(), properties, PLAN)?;
        let mut input = pick(properties, &["Description"]);
        let name = properties.get("UsagePlanName").cloned().unwrap_or_else(|| cx.generated_name(128).into());
        input.insert("name".into(), name);
        input.insert("apiStages".into(), stages(properties).into());
        input.extend(properties.get("Throttle").map(|throttle| ("throttle".to_owned(), limits(throttle))));
        input.extend(properties.get("Quota").map(|plan| ("quota".to_owned(), quota(plan))));
        input.insert("tags".into(), tag_map(&cx.tags(properties.get("Tags"))).into());
        let made = send(cx, "CreateUsagePlan", Value::Object(input)).await?;
        Ok(provisioned(&text(&made, "id"), Some("Id")))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        only(self.type_name(), new, PLAN)?;
        let mut changes = patches(old, new, &["Description"]);
        if old.get("UsagePlanName") != new.get("UsagePlanName")
            && let Some(name) = new.get("UsagePlanName")
        {
            changes.push(json!({"op": "replace", "path": "/name", "value": name}));
        }
        changes.extend(stage_patches(old, new));
        changes.extend(group_patches("throttle", old.get("Throttle").map(limits), new.get("Throttle").map(limits)));
        changes.extend(group_patches("quota", old.get("Quota").map(quota), new.get("Quota").map(quota)));
        if !changes.is_empty() {
            send(cx, "UpdateUsagePlan", json!({"usagePlanId": id, "patchOperations": changes})).await?;
        }
        retag(cx, &format!("/usageplans/{id}"), old, new).await?;
        Ok(provisioned(id, Some("Id")))
    }

    /// Takes the stages out first: a plan with stages cannot be deleted.
    async fn delete(&self, cx: &ResourceContext, id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        let there = match send(cx, "GetUsagePlan", json!({"usagePlanId": id})).await {
            Err(fault) if fault.code == "NotFoundException" => return Ok(()),
            other => other?,
        };
        let stages = there["apiStages"].as_array().into_iter().flatten();
        let changes: Vec<Value> = stages
            .map(|stage| json!({"op": "remove", "path": "/apiStages", "value": format!("{}:{}", text(stage, "apiId"), text(stage, "stage"))}))
            .collect();
        if !changes.is_empty() {
            send(cx, "UpdateUsagePlan", json!({"usagePlanId": id, "patchOperations": changes})).await?;
        }
        gone_is_success(send(cx, "DeleteUsagePlan", json!({"usagePlanId": id})).await)
    }
}

pub(super) struct UsagePlanKey;

#[async_trait]
impl ResourceType for UsagePlanKey {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::UsagePlanKey"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let names = ["KeyId", "KeyType", "UsagePlanId"];
        only(self.type_name(), properties, &names)?;
        match send(cx, "CreateUsagePlanKey", pick(properties, &names).into()).await {
            // A key is in a plan or not: that it is there is what was asked for.
            Err(fault) if fault.code == "ConflictException" => {}
            other => drop(other?),
        }
        Ok(provisioned(&format!("{}:{}", text(properties, "KeyId"), text(properties, "UsagePlanId")), Some("Id")))
    }

    async fn update(
        &self,
        _cx: &ResourceContext,
        id: &str,
        _old: &Value,
        _new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        Ok(provisioned(id, Some("Id")))
    }

    async fn delete(&self, cx: &ResourceContext, _id: &str, properties: &Value) -> Result<(), ResourceFault> {
        gone_is_success(send(cx, "DeleteUsagePlanKey", pick(properties, &["UsagePlanId", "KeyId"]).into()).await)
    }
}
