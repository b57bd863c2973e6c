//! `ApiKey`, `UsagePlan`, `UsagePlanKey`.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{change, patch, patches, pick, provisioned, retag};
use crate::resource::{Made, Properties, Provider, ResourceContext, ResourceFault, compared};

pub(super) struct ApiKey;

#[async_trait]
impl Provider for ApiKey {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let mut input = pick(properties, &["Description", "Enabled", "CustomerId", "GenerateDistinctId", "Value"]);
        input["name"] = json!(cx.name(properties, "Name", 128));
        input["tags"] = json!(cx.tag_map(properties));
        let made = cx.ask("CreateApiKey", input).await?;
        Ok(provisioned(made.text("id"), "APIKeyId"))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let changes = patches(old, new, &["Description", "Enabled", "CustomerId"]);
        change(cx, "UpdateApiKey", json!({"apiKey": id}), changes).await?;
        retag(cx, &format!("/apikeys/{id}"), old, new).await?;
        Ok(provisioned(id, "APIKeyId"))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteApiKey", json!({"apiKey": id})).await
    }
}

pub(super) struct UsagePlan;

fn limits(throttle: &Value) -> Value {
    pick(throttle, &["RateLimit", "BurstLimit"])
}

fn quota(quota: &Value) -> Value {
    let mut members = pick(quota, &["Limit", "Offset"]);
    members["period"] = json!(quota["Period"].as_str().unwrap_or("DAY"));
    members
}

fn stages(properties: &Value) -> Vec<Value> {
    let shape = |stage: &Value| {
        let throttle: Map<String, Value> =
            stage.members("Throttle").map(|(method, limit)| (method.clone(), limits(limit))).collect();
        json!({"apiId": stage["ApiId"], "stage": stage["Stage"], "throttle": throttle})
    };
    properties.list("ApiStages").iter().map(shape).collect()
}

/// How patch operations name a stage.
fn stage_name(stage: &Value) -> String {
    format!("{}:{}", stage.text("apiId"), stage.text("stage"))
}

fn stage_patches(old: &Value, new: &Value) -> Vec<Value> {
    let (before, after) = (stages(old), stages(new));
    let (gone, added) = compared(&before, &after);
    let mut changes: Vec<Value> = gone.into_iter().map(remove_stage).collect();
    for stage in added {
        let name = stage_name(stage);
        changes.push(json!({"op": "add", "path": "/apiStages", "value": name}));
        for (method, limit) in stage.members("throttle") {
            let (path, verb) = method.rsplit_once('/').unwrap_or((method, ""));
            let path = format!("/apiStages/{name}/throttle/{}/{verb}", path.replace('/', "~1"));
            let members = limit.as_object().into_iter().flatten();
            changes.extend(members.map(|(member, value)| patch(&format!("{path}/{member}"), Some(value))));
        }
    }
    changes
}

fn remove_stage(stage: &Value) -> Value {
    json!({"op": "remove", "path": "/apiStages", "value": stage_name(stage)})
}

/// Patch operations for `/throttle` or `/quota` as a whole.
fn group_patches(path: &str, old: Option<Value>, new: Option<Value>) -> Vec<Value> {
    match new {
        new if old == new => Vec::new(),
        None => vec![patch(path, None)],
        Some(new) => {
            let members = new.as_object().into_iter().flatten();
            members.map(|(member, value)| patch(&format!("{path}/{member}"), Some(value))).collect()
        }
    }
}

#[async_trait]
impl Provider for UsagePlan {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let input = json!({
            "name": cx.name(properties, "UsagePlanName", 128), "description": properties["Description"],
            "apiStages": stages(properties), "throttle": properties.get("Throttle").map(limits),
            "quota": properties.get("Quota").map(quota), "tags": cx.tag_map(properties),
        });
        let made = cx.ask("CreateUsagePlan", input).await?;
        Ok(provisioned(made.text("id"), "Id"))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let mut changes = patches(old, new, &["Description"]);
        if old["UsagePlanName"] != new["UsagePlanName"]
            && let Some(name) = new.get("UsagePlanName")
        {
            changes.push(patch("/name", Some(name)));
        }
        changes.extend(stage_patches(old, new));
        changes.extend(group_patches("/throttle", old.get("Throttle").map(limits), new.get("Throttle").map(limits)));
        changes.extend(group_patches("/quota", old.get("Quota").map(quota), new.get("Quota").map(quota)));
        change(cx, "UpdateUsagePlan", json!({"usagePlanId": id}), changes).await?;
        retag(cx, &format!("/usageplans/{id}"), old, new).await?;
        Ok(provisioned(id, "Id"))
    }

    /// Takes the stages out first: a plan with stages cannot be deleted.
    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        let place = json!({"usagePlanId": id});
        let there = match cx.ask("GetUsagePlan", place.clone()).await.map_err(ResourceFault::from) {
            Err(failed) if failed.is_not_found() => return Ok(()),
            other => other?,
        };
        let changes = there.list("apiStages").iter().map(remove_stage).collect();
        change(cx, "UpdateUsagePlan", place.clone(), changes).await?;
        cx.remove("DeleteUsagePlan", place).await
    }
}

pub(super) struct UsagePlanKey;

pub(super) const IN_PLAN: &[&str] = &["KeyId", "KeyType", "UsagePlanId"];

#[async_trait]
impl Provider for UsagePlanKey {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        match cx.ask("CreateUsagePlanKey", pick(properties, IN_PLAN)).await {
            // A key is in a plan or not: that it is there is what was asked for.
            Err(fault) if fault.code == "ConflictException" => {}
            other => drop(other?),
        }
        Ok(provisioned(&format!("{}:{}", properties.text("KeyId"), properties.text("UsagePlanId")), "Id"))
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteUsagePlanKey", pick(properties, &["UsagePlanId", "KeyId"])).await
    }
}
