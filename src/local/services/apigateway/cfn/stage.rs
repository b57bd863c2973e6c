//! `Deployment`, `Stage`, `Account`.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{gone_is_success, only, patch_text, patches, pick, provisioned, retag, send, tag_map, text};
use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) struct Deployment;

#[async_trait]
impl ResourceType for Deployment {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::Deployment"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let names = ["RestApiId", "Description", "StageName"];
        only(self.type_name(), properties, &names)?;
        let made = send(cx, "CreateDeployment", pick(properties, &names).into()).await?;
        Ok(provisioned(&text(&made, "id"), Some("DeploymentId")))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        let changes = patches(old, new, &["Description"]);
        if !changes.is_empty() {
            let input = json!({"restApiId": new.get("RestApiId"), "deploymentId": id, "patchOperations": changes});
            send(cx, "UpdateDeployment", input).await?;
        }
        Ok(provisioned(id, Some("DeploymentId")))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        let api = properties.get("RestApiId");
        // The stage that this very deployment made (StageName) goes with it, unless it has gone on to another deployment.
        if let Some(stage) = properties.get("StageName") {
            let place = json!({"restApiId": api, "stageName": stage});
            match send(cx, "GetStage", place.clone()).await {
                Ok(there) if there["deploymentId"] == id => gone_is_success(send(cx, "DeleteStage", place).await)?,
                other => gone_is_success(other)?,
            }
        }
        gone_is_success(send(cx, "DeleteDeployment", json!({"restApiId": api, "deploymentId": id})).await)
    }
}

pub(super) struct Stage;

const STAGE: &[&str] = &[
    "RestApiId",
    "StageName",
    "DeploymentId",
    "Description",
    "Variables",
    "TracingEnabled",
    "Tags",
    "MethodSettings",
    "AccessLogSetting",
];
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
    let path = text(setting, "ResourcePath");
    let path = if path == "/*" || path == "*" { "*".to_owned() } else { path.replace('/', "~1") };
    format!("/{path}/{}", text(setting, "HttpMethod"))
}

fn settings(properties: &Value) -> Vec<Value> {
    properties.get("MethodSettings").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn setting_patches(old: &Value, new: &Value) -> Result<Vec<Value>, Fault> {
    let (before, after) = (settings(old), settings(new));
    if before == after {
        return Ok(Vec::new());
    }
    let mut changes: Vec<Value> =
        before.iter().map(|setting| json!({"op": "remove", "path": setting_place(setting)})).collect();
    for setting in &after {
        for (key, value) in setting.as_object().into_iter().flatten() {
            if key == "ResourcePath" || key == "HttpMethod" {
                continue;
            }
            let known = SETTINGS.iter().find(|(property, _)| property == key);
            let (_, path) = known.ok_or_else(|| {
                Fault::unsupported(format!("the property MethodSettings.{key} of AWS::ApiGateway::Stage"))
            })?;
            changes.push(json!({"op": "replace", "path": format!("{}/{path}", setting_place(setting)), "value": patch_text(value)}));
        }
    }
    Ok(changes)
}

fn log_patches(old: &Value, new: &Value) -> Vec<Value> {
    let (before, after) = (old.get("AccessLogSetting"), new.get("AccessLogSetting"));
    match after {
        _ if before == after => Vec::new(),
        None => vec![json!({"op": "remove", "path": "/accessLogSettings"})],
        Some(log) => [("DestinationArn", "destinationArn"), ("Format", "format")]
            .iter()
            .filter_map(|(property, member)| {
                let path = format!("/accessLogSettings/{member}");
                Some(json!({"op": "replace", "path": path, "value": patch_text(log.get(*property)?)}))
            })
            .collect(),
    }
}

fn variable_patches(old: &Value, new: &Value) -> Vec<Value> {
    let variables =
        |properties: &Value| properties.get("Variables").and_then(Value::as_object).cloned().unwrap_or_default();
    let (before, after): (Map<_, _>, Map<_, _>) = (variables(old), variables(new));
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let mut changes: Vec<Value> =
        gone.map(|name| json!({"op": "remove", "path": format!("/variables/{name}")})).collect();
    let set = after.iter().filter(|(name, value)| before.get(*name) != Some(*value));
    changes.extend(set.map(
        |(name, value)| json!({"op": "replace", "path": format!("/variables/{name}"), "value": patch_text(value)}),
    ));
    changes
}

async fn change(cx: &ResourceContext, properties: &Value, changes: Vec<Value>) -> Result<(), Fault> {
    if !changes.is_empty() {
        let mut input = pick(properties, &["RestApiId", "StageName"]);
        input.insert("patchOperations".into(), changes.into());
        send(cx, "UpdateStage", Value::Object(input)).await?;
    }
    Ok(())
}

#[async_trait]
impl ResourceType for Stage {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::Stage"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        only(self.type_name(), properties, STAGE)?;
        let mut named = properties.clone();
        // A stage without a name cannot be asked for by the API; CloudFormation makes one up.
        if named.get("StageName").is_none() {
            named["StageName"] = cx.generated_name(128).into();
        }
        let mut input =
            pick(&named, &["RestApiId", "StageName", "DeploymentId", "Description", "Variables", "TracingEnabled"]);
        input.insert("tags".into(), tag_map(&cx.tags(properties.get("Tags"))).into());
        let place = pick(&named, &["RestApiId", "StageName"]);
        match send(cx, "CreateStage", Value::Object(input)).await {
            // An earlier try of this very resource: its stage points to the same deployment and carries this stack's tags.
            Err(fault) if fault.code == "ConflictException" => {
                let there = send(cx, "GetStage", Value::Object(place)).await?;
                let ours = there["tags"]["aws:cloudformation:stack-id"] == cx.stack_id.as_str()
                    && there["tags"]["aws:cloudformation:logical-id"] == cx.logical_id.as_str();
                if !ours {
                    return Err(fault.into());
                }
            }
            other => drop(other?),
        }
        let name = text(&named, "StageName");
        let mut changes = setting_patches(&json!({}), &named).unfinished(&name)?;
        changes.extend(log_patches(&json!({}), &named));
        change(cx, &named, changes).await.unfinished(&name)?;
        Ok(provisioned(&name, None))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        name: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        only(self.type_name(), new, STAGE)?;
        let mut named = new.clone();
        named["StageName"] = name.into();
        let mut changes = patches(old, new, &["DeploymentId", "Description", "TracingEnabled"]);
        changes.extend(variable_patches(old, new));
        changes.extend(setting_patches(old, new)?);
        changes.extend(log_patches(old, new));
        change(cx, &named, changes).await?;
        retag(cx, &format!("/restapis/{}/stages/{name}", text(new, "RestApiId")), old, new).await?;
        Ok(provisioned(name, None))
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"restApiId": properties.get("RestApiId"), "stageName": name});
        gone_is_success(send(cx, "DeleteStage", input).await)
    }
}

pub(super) struct Account;

impl Account {
    async fn set(&self, cx: &ResourceContext, properties: &Value) -> Result<(), Fault> {
        only(self.type_name(), properties, &["CloudWatchRoleArn"])?;
        let path = "/cloudwatchRoleArn";
        let change = match properties.get("CloudWatchRoleArn") {
            Some(role) => json!({"op": "replace", "path": path, "value": role}),
            None => json!({"op": "remove", "path": path}),
        };
        send(cx, "UpdateAccount", json!({"patchOperations": [change]})).await.map(|_| ())
    }
}

#[async_trait]
impl ResourceType for Account {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::Account"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        self.set(cx, properties).await?;
        Ok(provisioned(&cx.generated_name(64), Some("Id")))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        id: &str,
        _old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        self.set(cx, new).await?;
        Ok(provisioned(id, Some("Id")))
    }

    /// The account keeps its role, as on AWS: other stacks may use it.
    async fn delete(&self, _cx: &ResourceContext, _id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        Ok(())
    }
}
