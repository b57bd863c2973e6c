//! The CloudFormation types of Secrets Manager.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType};

pub(super) fn types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(Secret), Arc::new(TargetAttachment), Arc::new(ResourcePolicy)]
}

struct Secret;

struct TargetAttachment;

struct ResourcePolicy;

fn text<'v>(properties: &'v Value, name: &str) -> Option<&'v str> {
    properties.get(name).and_then(Value::as_str)
}

/// A client request token that is the same for every try of one operation.
fn request_token(cx: &ResourceContext) -> String {
    let digest = hex::encode(Sha256::digest(format!("{}/{}", cx.token, cx.logical_id)));
    format!("{}-{}-4{}-a{}-{}", &digest[0..8], &digest[8..12], &digest[13..16], &digest[17..20], &digest[20..32])
}

fn provisioned(arn: &str) -> Provisioned {
    let attributes: Map<String, Value> = [("Id".to_owned(), json!(arn))].into_iter().collect();
    Provisioned { physical_id: arn.to_owned(), reference: None, attributes }
}

async fn ask(cx: &ResourceContext, operation: &str, input: Value) -> Result<Value, Fault> {
    cx.cloud.call(&cx.scope, "secretsmanager", operation, input).await
}

/// The value that the template asks for: given, or generated into a template of its own.
async fn wanted_value(cx: &ResourceContext, properties: &Value) -> Result<Option<String>, Fault> {
    let generate = properties.get("GenerateSecretString").and_then(Value::as_object);
    let (given, generate) = match (text(properties, "SecretString"), generate) {
        (Some(_), Some(_)) => {
            return Err(Fault::new("InvalidRequest", "You can't specify both SecretString and GenerateSecretString."));
        }
        (given, None) => return Ok(given.map(str::to_owned)),
        (None, Some(generate)) => (generate.get("SecretStringTemplate"), generate),
    };
    let mut wish = generate.clone();
    wish.remove("SecretStringTemplate");
    let key = wish.remove("GenerateStringKey");
    let answer = ask(cx, "GetRandomPassword", Value::Object(wish)).await?;
    let password = answer.get("RandomPassword").cloned().unwrap_or_default();
    let invalid = |message: &str| Fault::new("InvalidRequest", message);
    match (given.and_then(Value::as_str), key.as_ref().and_then(Value::as_str)) {
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

fn check_properties(properties: &Value) -> Result<(), Fault> {
    const KNOWN: [&str; 6] = ["Name", "Description", "KmsKeyId", "SecretString", "GenerateSecretString", "Tags"];
    let unknown =
        properties.as_object().and_then(|members| members.keys().find(|name| !KNOWN.contains(&name.as_str())));
    match unknown {
        Some(name) => Err(Fault::unsupported(format!("the property {name} of AWS::SecretsManager::Secret"))),
        None => Ok(()),
    }
}

#[async_trait]
impl ResourceType for Secret {
    fn type_name(&self) -> &'static str {
        "AWS::SecretsManager::Secret"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        check_properties(properties)?;
        let name = text(properties, "Name").map_or_else(|| cx.generated_name(255), str::to_owned);
        let token = request_token(cx);
        if let Ok(held) = ask(cx, "DescribeSecret", json!({"SecretId": name})).await
            && held.pointer("/VersionIdsToStages").is_some_and(|versions| versions.get(&token).is_some())
        {
            return Ok(provisioned(text(&held, "ARN").unwrap_or_default()));
        }
        // A secret without a value is not what an interrupted create can be told from: CloudFormation gives it an empty object.
        let value = wanted_value(cx, properties).await?.unwrap_or_else(|| "{}".into());
        let mut input = json!({"Name": name, "ClientRequestToken": token, "SecretString": value, "Tags": cx.tags(properties.get("Tags"))});
        for member in ["Description", "KmsKeyId"] {
            if let Some(value) = properties.get(member) {
                input[member] = value.clone();
            }
        }
        let made = ask(cx, "CreateSecret", input).await?;
        Ok(provisioned(text(&made, "ARN").unwrap_or_default()))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        physical_id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        check_properties(new)?;
        let mut input = json!({"SecretId": physical_id});
        for member in ["Description", "KmsKeyId"] {
            if old.get(member) != new.get(member) {
                input[member] = new.get(member).cloned().unwrap_or_else(|| json!(""));
            }
        }
        let value_changed =
            ["SecretString", "GenerateSecretString"].iter().any(|member| old.get(member) != new.get(member));
        let token = request_token(cx);
        let held = ask(cx, "DescribeSecret", json!({"SecretId": physical_id})).await?;
        let made = held.pointer("/VersionIdsToStages").is_some_and(|versions| versions.get(&token).is_some());
        if value_changed
            && !made
            && let Some(value) = wanted_value(cx, new).await?
        {
            input["SecretString"] = json!(value);
            input["ClientRequestToken"] = json!(token);
        }
        ask(cx, "UpdateSecret", input).await?;
        update_tags(cx, physical_id, &held, new).await?;
        Ok(provisioned(physical_id))
    }

    async fn delete(&self, cx: &ResourceContext, physical_id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"SecretId": physical_id, "ForceDeleteWithoutRecovery": true});
        match ask(cx, "DeleteSecret", input).await {
            Err(fault) if fault.code != "ResourceNotFoundException" => Err(fault.into()),
            _ => Ok(()),
        }
    }
}

async fn update_tags(cx: &ResourceContext, id: &str, held: &Value, new: &Value) -> Result<(), Fault> {
    let wanted = cx.tags(new.get("Tags"));
    let keys = |tags: Option<&Value>| -> Vec<String> {
        let list = tags.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|tag| text(tag, "Key")).map(str::to_owned).collect()
    };
    let wanted_keys = keys(Some(&wanted));
    let gone: Vec<String> = keys(held.get("Tags")).into_iter().filter(|key| !wanted_keys.contains(key)).collect();
    if !gone.is_empty() {
        ask(cx, "UntagResource", json!({"SecretId": id, "TagKeys": gone})).await?;
    }
    if !wanted_keys.is_empty() {
        ask(cx, "TagResource", json!({"SecretId": id, "Tags": wanted})).await?;
    }
    Ok(())
}

#[async_trait]
impl ResourceType for TargetAttachment {
    fn type_name(&self) -> &'static str {
        "AWS::SecretsManager::SecretTargetAttachment"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let (id, members) = (text(properties, "SecretId").unwrap_or_default(), target(cx, properties).await?);
        let arn = change_value(cx, id, |value| value.extend(members)).await?;
        Ok(provisioned(&arn))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        _physical_id: &str,
        _old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, physical_id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        const ATTACHED: [&str; 6] = ["engine", "host", "port", "dbname", "dbClusterIdentifier", "dbInstanceIdentifier"];
        let detach = |value: &mut Map<String, Value>| value.retain(|name, _| !ATTACHED.contains(&name.as_str()));
        match change_value(cx, physical_id, detach).await {
            Err(fault) if fault.code != "ResourceNotFoundException" => Err(fault.into()),
            _ => Ok(()),
        }
    }
}

/// What an attachment writes into the secret: how to reach the database.
async fn target(cx: &ResourceContext, properties: &Value) -> Result<Map<String, Value>, Fault> {
    let id = text(properties, "TargetId").unwrap_or_default();
    let (operation, member, list, own) = match text(properties, "TargetType").unwrap_or_default() {
        "AWS::RDS::DBCluster" => ("DescribeDBClusters", "DBClusterIdentifier", "DBClusters", "dbClusterIdentifier"),
        "AWS::RDS::DBInstance" => {
            ("DescribeDBInstances", "DBInstanceIdentifier", "DBInstances", "dbInstanceIdentifier")
        }
        other => {
            return Err(Fault::unsupported(format!(
                "the target type {other} of AWS::SecretsManager::SecretTargetAttachment"
            )));
        }
    };
    let answer = cx.cloud.call(&cx.scope, "rds", operation, json!({member: id})).await?;
    let found = answer.get(list).and_then(|list| list.get(0)).cloned().unwrap_or_default();
    let engine = text(&found, "Engine").unwrap_or_default().trim_start_matches("aurora-").to_owned();
    let endpoint = found.get("Endpoint").cloned().unwrap_or_default();
    let host =
        endpoint.as_str().map_or_else(|| endpoint.get("Address").cloned().unwrap_or_default(), |host| json!(host));
    let port = found.get("Port").or(endpoint.get("Port")).cloned().unwrap_or_default();
    let name = found.get("DatabaseName").or(found.get("DBName")).cloned();
    let members = [
        ("engine", Some(json!(engine))),
        ("host", Some(host)),
        ("port", Some(port)),
        ("dbname", name),
        (own, Some(json!(id))),
    ];
    Ok(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

/// Changes the JSON object that is the secret's current value; gives the secret's ARN.
async fn change_value(
    cx: &ResourceContext,
    id: &str,
    change: impl FnOnce(&mut Map<String, Value>),
) -> Result<String, Fault> {
    let held = ask(cx, "GetSecretValue", json!({"SecretId": id})).await?;
    let arn = text(&held, "ARN").unwrap_or_default().to_owned();
    let before = text(&held, "SecretString").unwrap_or_default();
    let mut value: Map<String, Value> = serde_json::from_str(before)
        .map_err(|_| Fault::new("InvalidRequest", "The secret's value is not a JSON object."))?;
    change(&mut value);
    let after = Value::Object(value).to_string();
    if after != before {
        ask(cx, "PutSecretValue", json!({"SecretId": arn, "SecretString": after})).await?;
    }
    Ok(arn)
}

#[async_trait]
impl ResourceType for ResourcePolicy {
    fn type_name(&self) -> &'static str {
        "AWS::SecretsManager::ResourcePolicy"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let policy = properties.get("ResourcePolicy").cloned().unwrap_or_default();
        let policy = policy.as_str().map_or_else(|| policy.to_string(), str::to_owned);
        let mut input = json!({"SecretId": text(properties, "SecretId"), "ResourcePolicy": policy});
        if let Some(block) = properties.get("BlockPublicPolicy") {
            input["BlockPublicPolicy"] = block.clone();
        }
        let put = ask(cx, "PutResourcePolicy", input).await?;
        Ok(provisioned(text(&put, "ARN").unwrap_or_default()))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        _physical_id: &str,
        _old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, physical_id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        match ask(cx, "DeleteResourcePolicy", json!({"SecretId": physical_id})).await {
            Err(fault) if fault.code != "ResourceNotFoundException" => Err(fault.into()),
            _ => Ok(()),
        }
    }
}
