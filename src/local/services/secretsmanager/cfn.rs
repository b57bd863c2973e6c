//! The CloudFormation types of Secrets Manager.

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::fault::Fault;
use crate::resource::{Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, TagForm};

pub(super) fn types() -> Vec<ResourceType> {
    let secret = ["Name", "Description", "KmsKeyId", "SecretString", "GenerateSecretString", "Tags"];
    let attachment = ["SecretId", "TargetId", "TargetType"];
    let policy = ["SecretId", "ResourcePolicy", "BlockPublicPolicy"];
    vec![
        ResourceType::new("AWS::SecretsManager::Secret", &secret, Secret)
            .kept(&[&["SecretString", "GenerateSecretString"]]),
        ResourceType::new("AWS::SecretsManager::SecretTargetAttachment", &attachment, TargetAttachment),
        ResourceType::new("AWS::SecretsManager::ResourcePolicy", &policy, ResourcePolicy),
    ]
}

struct Secret;

struct TargetAttachment;

struct ResourcePolicy;

/// A client request token that is the same for every try of one operation.
fn request_token(cx: &ResourceContext) -> String {
    let digest = hex::encode(Sha256::digest(format!("{}/{}", cx.token, cx.logical_id)));
    format!("{}-{}-4{}-a{}-{}", &digest[0..8], &digest[8..12], &digest[13..16], &digest[17..20], &digest[20..32])
}

fn provisioned(arn: &str) -> Provisioned {
    Provisioned::with(arn, json!({"Id": arn}))
}

/// The value that the template asks for: given, or generated into a template of its own.
async fn wanted_value(cx: &ResourceContext, properties: &Value) -> Result<Option<String>, Fault> {
    let invalid = |message: &str| Fault::new("InvalidRequest", message);
    let generate = match (properties["SecretString"].as_str(), properties.get("GenerateSecretString")) {
        (Some(_), Some(_)) => {
            return Err(invalid("You can't specify both SecretString and GenerateSecretString."));
        }
        (given, None) => return Ok(given.map(str::to_owned)),
        (None, Some(generate)) => generate,
    };
    let (template, key) = (generate["SecretStringTemplate"].as_str(), generate["GenerateStringKey"].as_str());
    let mut wish = generate.clone();
    wish["SecretStringTemplate"] = Value::Null;
    wish["GenerateStringKey"] = Value::Null;
    let answer = cx.ask("GetRandomPassword", wish).await?;
    let password = answer["RandomPassword"].clone();
    match (template, key) {
        (None, None) => Ok(password.as_str().map(str::to_owned)),
        (Some(template), Some(key)) => {
            let mut template: Map<String, Value> =
                serde_json::from_str(template).map_err(|_| invalid("Could not parse SecretStringTemplate JSON."))?;
            template.insert(key.to_owned(), password);
            Ok(Some(Value::Object(template).to_string()))
        }
        _ => Err(invalid("SecretStringTemplate and GenerateStringKey must be specified together.")),
    }
}

#[async_trait]
impl Provider for Secret {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let name = cx.name(properties, "Name", 255);
        let token = request_token(cx);
        if let Ok(held) = cx.ask("DescribeSecret", json!({"SecretId": name})).await
            && held["VersionIdsToStages"].get(&token).is_some()
        {
            return Ok(provisioned(held.text("ARN")));
        }
        let mut input = properties.pick(&["Description", "KmsKeyId"]);
        input["Name"] = json!(name);
        input["ClientRequestToken"] = json!(token);
        // A secret without a value is not what an interrupted create can be told from: CloudFormation gives it an empty object.
        input["SecretString"] = json!(wanted_value(cx, properties).await?.unwrap_or_else(|| "{}".into()));
        input["Tags"] = cx.tags(properties);
        let made = cx.ask("CreateSecret", input).await?;
        Ok(provisioned(made.text("ARN")))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let mut input = json!({"SecretId": id});
        for member in new.changed(old, &["Description", "KmsKeyId"]) {
            input[member] = json!(new.text(member));
        }
        let token = request_token(cx);
        let held = cx.ask("DescribeSecret", json!({"SecretId": id})).await?;
        let made = held["VersionIdsToStages"].get(&token).is_some();
        let value_changed = !new.changed(old, &["SecretString", "GenerateSecretString"]).is_empty();
        if value_changed
            && !made
            && let Some(value) = wanted_value(cx, new).await?
        {
            input["SecretString"] = json!(value);
            input["ClientRequestToken"] = json!(token);
        }
        cx.ask("UpdateSecret", input).await?;
        let operations = ("UntagResource", "TagResource");
        cx.retag(operations, json!({"SecretId": id}), TagForm::List, (old, new)).await?;
        Ok(provisioned(id))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteSecret", json!({"SecretId": id, "ForceDeleteWithoutRecovery": true})).await
    }
}

#[async_trait]
impl Provider for TargetAttachment {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let members = target(cx, properties).await?;
        let arn = change_value(cx, properties.text("SecretId"), |value| value.extend(members)).await?;
        Ok(provisioned(&arn))
    }

    async fn update(&self, cx: &ResourceContext, _: &str, _: &Value, new: &Value) -> Made {
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        const ATTACHED: [&str; 6] = ["engine", "host", "port", "dbname", "dbClusterIdentifier", "dbInstanceIdentifier"];
        let detach = |value: &mut Map<String, Value>| value.retain(|name, _| !ATTACHED.contains(&name.as_str()));
        match change_value(cx, id, detach).await.map_err(ResourceFault::from) {
            Err(failed) if !failed.is_not_found() => Err(failed),
            _ => Ok(()),
        }
    }
}

/// What an attachment writes into the secret: how to reach the database.
async fn target(cx: &ResourceContext, properties: &Value) -> Result<Map<String, Value>, Fault> {
    let (operation, member, list, own) = match properties.text("TargetType") {
        "AWS::RDS::DBCluster" => ("DescribeDBClusters", "DBClusterIdentifier", "DBClusters", "dbClusterIdentifier"),
        "AWS::RDS::DBInstance" => {
            ("DescribeDBInstances", "DBInstanceIdentifier", "DBInstances", "dbInstanceIdentifier")
        }
        other => {
            return Err(Fault::unsupported(format!(
                "the TargetType {other} of AWS::SecretsManager::SecretTargetAttachment"
            )));
        }
    };
    let id = &properties["TargetId"];
    let answer = cx.cloud.call(&cx.scope, "rds", operation, json!({member: id})).await?;
    let found = &answer[list][0];
    // A cluster's endpoint is a host, an instance's has a host and a port.
    let endpoint = &found["Endpoint"];
    let engine = json!(found.text("Engine").trim_start_matches("aurora-"));
    let members = [
        ("engine", Some(&engine)),
        ("host", endpoint.get("Address").or(Some(endpoint))),
        ("port", found.get("Port").or(endpoint.get("Port"))),
        ("dbname", found.get("DatabaseName").or(found.get("DBName"))),
        (own, Some(id)),
    ];
    Ok(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clone()))).collect())
}

/// Changes the JSON object that is the secret's current value; gives the secret's ARN.
async fn change_value(
    cx: &ResourceContext,
    id: &str,
    change: impl FnOnce(&mut Map<String, Value>),
) -> Result<String, Fault> {
    let held = cx.ask("GetSecretValue", json!({"SecretId": id})).await?;
    let before = held.text("SecretString");
    let mut value: Map<String, Value> = serde_json::from_str(before)
        .map_err(|_| Fault::new("InvalidRequest", "The secret's value is not a JSON object."))?;
    change(&mut value);
    let after = Value::Object(value).to_string();
    if after != before {
        cx.ask("PutSecretValue", json!({"SecretId": held["ARN"], "SecretString": after})).await?;
    }
    Ok(held.text("ARN").to_owned())
}

#[async_trait]
impl Provider for ResourcePolicy {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let mut input = properties.clone();
        input["ResourcePolicy"] = json!(properties["ResourcePolicy"].to_text());
        let put = cx.ask("PutResourcePolicy", input).await?;
        Ok(provisioned(put.text("ARN")))
    }

    async fn update(&self, cx: &ResourceContext, _: &str, _: &Value, new: &Value) -> Made {
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteResourcePolicy", json!({"SecretId": id})).await
    }
}
