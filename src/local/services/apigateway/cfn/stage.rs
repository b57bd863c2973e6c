//! `Deployment`, `Stage`, `Account`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{change, patch, patches, pick, provisioned, retag};
use crate::fault::Fault;
use crate::resource::{Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, Unfinished};

pub(super) struct Deployment;

pub(super) const DEPLOYMENT: &[&str] = &["RestApiId", "Description", "StageName"];

#[async_trait]
impl Provider for Deployment {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let made = cx.ask("CreateDeployment", pick(properties, DEPLOYMENT)).await?;
        Ok(provisioned(made.text("id"), "DeploymentId"))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let place = json!({"restApiId": new["RestApiId"], "deploymentId": id});
        change(cx, "UpdateDeployment", place, patches(old, new, &["Description"])).await?;
        Ok(provisioned(id, "DeploymentId"))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        let api = &properties["RestApiId"];
        // The stage that this very deployment made (StageName) goes with it, unless it has gone on to another deployment.
        if let Some(stage) = properties.get("StageName") {
            let place = json!({"restApiId": api, "stageName": stage});
            match cx.ask("GetStage", place.clone()).await.map_err(ResourceFault::from) {
                Ok(there) if there["deploymentId"] == id => cx.remove("DeleteStage", place).await?,
                Err(failed) if !failed.is_not_found() => return Err(failed),
                _ => {}
            }
        }
        cx.remove("DeleteDeployment", json!({"restApiId": api, "deploymentId": id})).await
    }
}

pub(super) struct Stage;

/// Method settings by property, with their patch paths.
const SETTINGS: &[(&str, &str)] = &[
    ("ThrottlingRateLimit", "throttling/rateLimit"),
    ("ThrottlingBurstLimit", "throttling/burstLimit"),
    ("MetricsEnabled", "metrics/enabled"),
    ("LoggingLevel", "logging/loglevel"),
    ("DataTraceEnabled", "logging/dataTrace"),
    ("CachingEnabled", "caching/enabled"),
    ("CacheTtlInSeconds", "caching/ttlInSeconds"),
    ("CacheDataEncrypted", "caching/dataEncrypted"),
];

/// `/*/*` or `/~1hello/GET`: where a method's settings are.
fn setting_place(setting: &Value) -> String {
    let path = setting.text("ResourcePath");
    let path = if path == "/*" || path == "*" { "*".to_owned() } else { path.replace('/', "~1") };
    format!("/{path}/{}", setting.text("HttpMethod"))
}

fn setting_patches(old: &Value, new: &Value) -> Result<Vec<Value>, Fault> {
    let (before, after) = (old.list("MethodSettings"), new.list("MethodSettings"));
    if before == after {
        return Ok(Vec::new());
    }
    let mut changes: Vec<Value> = before.iter().map(|setting| patch(&setting_place(setting), None)).collect();
    for setting in after {
        for (key, value) in setting.as_object().into_iter().flatten() {
            if key == "ResourcePath" || key == "HttpMethod" {
                continue;
            }
            let known = SETTINGS.iter().find(|(property, _)| property == key);
            let (_, path) = known.ok_or_else(|| {
                Fault::unsupported(format!("the property MethodSettings.{key} of AWS::ApiGateway::Stage"))
            })?;
            changes.push(patch(&format!("{}/{path}", setting_place(setting)), Some(value)));
        }
    }
    Ok(changes)
}

fn log_patches(old: &Value, new: &Value) -> Vec<Value> {
    match new.get("AccessLogSetting") {
        log if log == old.get("AccessLogSetting") => Vec::new(),
        None => vec![patch("/accessLogSettings", None)],
        Some(log) => [("DestinationArn", "destinationArn"), ("Format", "format")]
            .iter()
            .filter_map(|(property, member)| {
                Some(patch(&format!("/accessLogSettings/{member}"), Some(log.get(*property)?)))
            })
            .collect(),
    }
}

fn variable_patches(old: &Value, new: &Value) -> Vec<Value> {
    let (before, after) = (&old["Variables"], &new["Variables"]);
    let gone = old.members("Variables").filter(|(name, _)| after.get(name.as_str()).is_none());
    let set = new.members("Variables").filter(|(name, value)| before.get(name.as_str()) != Some(*value));
    let changed = gone.map(|(name, _)| (name, None)).chain(set.map(|(name, value)| (name, Some(value))));
    changed.map(|(name, value)| patch(&format!("/variables/{name}"), value)).collect()
}

#[async_trait]
impl Provider for Stage {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        // A stage without a name cannot be asked for by the API; CloudFormation makes one up.
        let name = cx.name(properties, "StageName", 128);
        let place = json!({"restApiId": properties["RestApiId"], "stageName": name});
        let mut input = pick(properties, &["RestApiId", "DeploymentId", "Description", "Variables", "TracingEnabled"]);
        input["stageName"] = json!(name);
        input["tags"] = json!(cx.tag_map(properties));
        match cx.ask("CreateStage", input).await {
            Err(fault) if fault.code == "ConflictException" => {
                if !cx.is_ours(&cx.ask("GetStage", place.clone()).await?["tags"]) {
                    return Err(fault.into());
                }
            }
            other => drop(other?),
        }
        let mut changes = setting_patches(&Value::Null, properties).unfinished(&name)?;
        changes.extend(log_patches(&Value::Null, properties));
        change(cx, "UpdateStage", place, changes).await.unfinished(&name)?;
        Ok(Provisioned::named(name))
    }

    async fn update(&self, cx: &ResourceContext, name: &str, old: &Value, new: &Value) -> Made {
        let mut changes = patches(old, new, &["DeploymentId", "Description", "TracingEnabled"]);
        changes.extend(variable_patches(old, new));
        changes.extend(setting_patches(old, new)?);
        changes.extend(log_patches(old, new));
        let api = &new["RestApiId"];
        change(cx, "UpdateStage", json!({"restApiId": api, "stageName": name}), changes).await?;
        retag(cx, &format!("/restapis/{}/stages/{name}", api.to_text()), old, new).await?;
        Ok(Provisioned::named(name))
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteStage", json!({"restApiId": properties["RestApiId"], "stageName": name})).await
    }
}

pub(super) struct Account;

impl Account {
    async fn set(cx: &ResourceContext, properties: &Value) -> Result<(), Fault> {
        let role = patch("/cloudwatchRoleArn", properties.get("CloudWatchRoleArn"));
        cx.ask("UpdateAccount", json!({"patchOperations": [role]})).await.map(drop)
    }
}

#[async_trait]
impl Provider for Account {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        Account::set(cx, properties).await?;
        Ok(provisioned(&cx.generated_name(64), "Id"))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, _: &Value, new: &Value) -> Made {
        Account::set(cx, new).await?;
        Ok(provisioned(id, "Id"))
    }

    /// The account keeps its role, as on AWS: other stacks may use it.
    async fn delete(&self, _: &ResourceContext, _: &str, _: &Value) -> Result<(), ResourceFault> {
        Ok(())
    }
}
