//! `AWS::Logs::LogGroup` and `AWS::Logs::LogStream`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::local::call::Call;
use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) fn types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(LogGroup), Arc::new(LogStream)]
}

/// Sends the service a request that carries the resource's token as its id, so that a second try finds what the first made.
async fn send(cx: &ResourceContext, operation: &str, input: Value) -> Result<Value, Fault> {
    let call = Call {
        service: "logs",
        operation: operation.to_owned(),
        input,
        body: Bytes::new(),
        file: None,
        scope: cx.scope.clone(),
        request_id: cx.token.clone(),
    };
    cx.cloud.dispatch(call).await.map(|reply| reply.output)
}

fn gone_is_success(result: Result<Value, Fault>) -> Result<(), ResourceFault> {
    match result {
        Err(fault) if fault.code != "ResourceNotFoundException" => Err(fault.into()),
        _ => Ok(()),
    }
}

fn refuse(properties: &Value, type_name: &str, known: &[&str]) -> Result<(), Fault> {
    let unknown = properties.as_object().and_then(|map| map.keys().find(|key| !known.contains(&key.as_str())));
    unknown.map_or(Ok(()), |key| Err(Fault::unsupported(format!("the property {key} of {type_name}"))))
}

fn tag_map(tags: &Value) -> Map<String, Value> {
    let pairs = tags.as_array().into_iter().flatten();
    pairs.filter_map(|tag| Some((tag.get("Key")?.as_str()?.to_owned(), tag.get("Value")?.clone()))).collect()
}

struct LogGroup;

const GROUP_PROPERTIES: &[&str] =
    &["LogGroupName", "RetentionInDays", "KmsKeyId", "Tags", "LogGroupClass", "DeletionProtectionEnabled"];

impl LogGroup {
    fn provisioned(cx: &ResourceContext, name: &str) -> Provisioned {
        let arn = cx.scope.arn("logs", format!("log-group:{name}:*"));
        Provisioned {
            physical_id: name.to_owned(),
            reference: None,
            attributes: Map::from_iter([("Arn".to_owned(), Value::from(arn))]),
        }
    }

    async fn set_retention(cx: &ResourceContext, name: &str, days: Option<&Value>) -> Result<(), Fault> {
        // A template's parameter is text, even where a number stands for it.
        let number = |days: &Value| {
            days.as_str()
                .map_or_else(|| days.clone(), |text| text.parse::<u32>().map_or_else(|_| days.clone(), Value::from))
        };
        match days.map(number) {
            Some(days) => {
                send(cx, "PutRetentionPolicy", json!({"logGroupName": name, "retentionInDays": days})).await?
            }
            None => send(cx, "DeleteRetentionPolicy", json!({"logGroupName": name})).await?,
        };
        Ok(())
    }
}

#[async_trait]
impl ResourceType for LogGroup {
    fn type_name(&self) -> &'static str {
        "AWS::Logs::LogGroup"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        refuse(properties, self.type_name(), GROUP_PROPERTIES)?;
        let given = properties.get("LogGroupName").and_then(Value::as_str);
        let name = given.map_or_else(|| cx.generated_name(512), str::to_owned);
        let mut input = json!({"logGroupName": name, "tags": tag_map(&cx.tags(properties.get("Tags")))});
        let same = [
            ("KmsKeyId", "kmsKeyId"),
            ("LogGroupClass", "logGroupClass"),
            ("DeletionProtectionEnabled", "deletionProtectionEnabled"),
        ];
        for (property, member) in same {
            if let Some(value) = properties.get(property) {
                input[member] = value.clone();
            }
        }
        send(cx, "CreateLogGroup", input).await?;
        if let Some(days) = properties.get("RetentionInDays") {
            Self::set_retention(cx, &name, Some(days)).await.unfinished(&name)?;
        }
        Ok(Self::provisioned(cx, &name))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        name: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        refuse(new, self.type_name(), GROUP_PROPERTIES)?;
        if old.get("RetentionInDays") != new.get("RetentionInDays") {
            Self::set_retention(cx, name, new.get("RetentionInDays")).await?;
        }
        if old.get("KmsKeyId") != new.get("KmsKeyId") {
            match new.get("KmsKeyId") {
                Some(key) => send(cx, "AssociateKmsKey", json!({"logGroupName": name, "kmsKeyId": key})).await?,
                None => send(cx, "DisassociateKmsKey", json!({"logGroupName": name})).await?,
            };
        }
        if old.get("DeletionProtectionEnabled") != new.get("DeletionProtectionEnabled") {
            let enabled = new.get("DeletionProtectionEnabled").and_then(Value::as_bool).unwrap_or(false);
            let input = json!({"logGroupIdentifier": name, "deletionProtectionEnabled": enabled});
            send(cx, "PutLogGroupDeletionProtection", input).await?;
        }
        let arn = cx.scope.arn("logs", format!("log-group:{name}"));
        let tags = tag_map(&cx.tags(new.get("Tags")));
        let before = tag_map(old.get("Tags").unwrap_or(&Value::Null));
        let removed: Vec<&String> = before.keys().filter(|key| !tags.contains_key(*key)).collect();
        if !removed.is_empty() {
            send(cx, "UntagResource", json!({"resourceArn": arn, "tagKeys": removed})).await?;
        }
        if !tags.is_empty() {
            send(cx, "TagResource", json!({"resourceArn": arn, "tags": tags})).await?;
        }
        Ok(Self::provisioned(cx, name))
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, _properties: &Value) -> Result<(), ResourceFault> {
        gone_is_success(send(cx, "DeleteLogGroup", json!({"logGroupName": name})).await)
    }
}

struct LogStream;

#[async_trait]
impl ResourceType for LogStream {
    fn type_name(&self) -> &'static str {
        "AWS::Logs::LogStream"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        refuse(properties, self.type_name(), &["LogGroupName", "LogStreamName"])?;
        let given = properties.get("LogStreamName").and_then(Value::as_str);
        let name = given.map_or_else(|| cx.generated_name(512), str::to_owned);
        let input = json!({"logGroupName": properties.get("LogGroupName"), "logStreamName": name});
        send(cx, "CreateLogStream", input).await?;
        Ok(Provisioned { physical_id: name, ..Provisioned::default() })
    }

    async fn update(
        &self,
        _cx: &ResourceContext,
        name: &str,
        _old: &Value,
        _new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        Ok(Provisioned { physical_id: name.to_owned(), ..Provisioned::default() })
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"logGroupName": properties.get("LogGroupName"), "logStreamName": name});
        gone_is_success(send(cx, "DeleteLogStream", input).await)
    }
}
