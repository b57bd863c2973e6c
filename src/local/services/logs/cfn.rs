//! `AWS::Logs::LogGroup` and `AWS::Logs::LogStream`.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::resource::{Made, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, TagForm, Unfinished};

pub(super) fn types() -> Vec<ResourceType> {
    let group = ["LogGroupName", "RetentionInDays", "KmsKeyId", "Tags", "LogGroupClass", "DeletionProtectionEnabled"];
    vec![
        ResourceType::new("AWS::Logs::LogGroup", &group, LogGroup)
            .fixed(&["LogGroupClass"])
            .defaults(|_| json!({"LogGroupClass": "STANDARD"})),
        ResourceType::new("AWS::Logs::LogStream", &["LogGroupName", "LogStreamName"], LogStream),
    ]
}

struct LogGroup;

impl LogGroup {
    fn provisioned(cx: &ResourceContext, name: &str) -> Provisioned {
        Provisioned::with(name, json!({"Arn": cx.scope.arn("logs", format!("log-group:{name}:*"))}))
    }

    async fn set_retention(cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), Fault> {
        let answer = match properties.get("RetentionInDays") {
            Some(days) => cx.ask("PutRetentionPolicy", json!({"logGroupName": name, "retentionInDays": days})).await,
            None => cx.ask("DeleteRetentionPolicy", json!({"logGroupName": name})).await,
        };
        answer.map(drop)
    }
}

#[async_trait]
impl Provider for LogGroup {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let name = cx.name(properties, "LogGroupName", 512);
        let input = json!({
            "logGroupName": name, "tags": cx.tag_map(properties), "kmsKeyId": properties["KmsKeyId"],
            "logGroupClass": properties["LogGroupClass"],
            "deletionProtectionEnabled": properties["DeletionProtectionEnabled"],
        });
        cx.ask("CreateLogGroup", input).await?;
        if properties.get("RetentionInDays").is_some() {
            LogGroup::set_retention(cx, &name, properties).await.unfinished(&name)?;
        }
        Ok(LogGroup::provisioned(cx, &name))
    }

    async fn update(&self, cx: &ResourceContext, name: &str, old: &Value, new: &Value) -> Made {
        if old["RetentionInDays"] != new["RetentionInDays"] {
            LogGroup::set_retention(cx, name, new).await?;
        }
        if old["KmsKeyId"] != new["KmsKeyId"] {
            match new.get("KmsKeyId") {
                Some(key) => cx.ask("AssociateKmsKey", json!({"logGroupName": name, "kmsKeyId": key})).await?,
                None => cx.ask("DisassociateKmsKey", json!({"logGroupName": name})).await?,
            };
        }
        if old["DeletionProtectionEnabled"] != new["DeletionProtectionEnabled"] {
            let enabled = new["DeletionProtectionEnabled"].as_bool().unwrap_or(false);
            let input = json!({"logGroupIdentifier": name, "deletionProtectionEnabled": enabled});
            cx.ask("PutLogGroupDeletionProtection", input).await?;
        }
        let place = json!({"resourceArn": cx.scope.arn("logs", format!("log-group:{name}"))});
        cx.retag(("UntagResource", "TagResource"), place, TagForm::LowerMap, (old, new)).await?;
        Ok(LogGroup::provisioned(cx, name))
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteLogGroup", json!({"logGroupName": name})).await
    }
}

struct LogStream;

#[async_trait]
impl Provider for LogStream {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let name = cx.name(properties, "LogStreamName", 512);
        let input = json!({"logGroupName": properties["LogGroupName"], "logStreamName": name});
        cx.ask("CreateLogStream", input).await?;
        Ok(Provisioned::named(name))
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"logGroupName": properties["LogGroupName"], "logStreamName": name});
        cx.remove("DeleteLogStream", input).await
    }
}
