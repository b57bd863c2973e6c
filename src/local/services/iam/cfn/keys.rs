//! `AWS::IAM::AccessKey`, `AWS::IAM::InstanceProfile`, `AWS::IAM::UserToGroupAddition`, `AWS::IAM::ServiceLinkedRole`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Made, is_ours, made, name, send, send_gone, text, texts};
use crate::local::fault::Fault;
use crate::local::resource::{ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) struct AccessKey;

#[async_trait]
impl ResourceType for AccessKey {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::AccessKey"
    }

    /// A key that an interrupted try made cannot be told from others, and its secret is shown once: a new one is made.
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let user = &properties["UserName"];
        let key = send(cx, "CreateAccessKey", json!({"UserName": user})).await?;
        let key = &key["AccessKey"];
        let id = text(&key["AccessKeyId"]);
        if properties["Status"] == "Inactive" {
            let input = json!({"UserName": user, "AccessKeyId": id, "Status": "Inactive"});
            send(cx, "UpdateAccessKey", input).await.unfinished(id)?;
        }
        Ok(made(id, &[("SecretAccessKey", &key["SecretAccessKey"])]))
    }

    /// The secret is not told again; the engine keeps it.
    async fn update(&self, cx: &ResourceContext, id: &str, _: &Value, new: &Value) -> Made {
        let status = new["Status"].as_str().unwrap_or("Active");
        send(cx, "UpdateAccessKey", json!({"UserName": new["UserName"], "AccessKeyId": id, "Status": status})).await?;
        Ok(made(id, &[]))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        Ok(send_gone(cx, "DeleteAccessKey", json!({"UserName": properties["UserName"], "AccessKeyId": id})).await?)
    }
}

pub(super) struct InstanceProfile;

async fn profile(cx: &ResourceContext, id: &str) -> Result<Value, Fault> {
    let found = send(cx, "GetInstanceProfile", json!({"InstanceProfileName": id})).await?;
    Ok(found["InstanceProfile"].clone())
}

/// Puts the one role that `properties` name into the profile, and any other out.
async fn set_role(cx: &ResourceContext, id: &str, properties: &Value) -> Made {
    let wanted = texts(&properties["Roles"]).first().copied().unwrap_or_default();
    let found = profile(cx, id).await?;
    let current = text(&found["Roles"][0]["RoleName"]);
    if current != wanted {
        if !current.is_empty() {
            send_gone(cx, "RemoveRoleFromInstanceProfile", json!({"InstanceProfileName": id, "RoleName": current}))
                .await?;
        }
        if !wanted.is_empty() {
            send(cx, "AddRoleToInstanceProfile", json!({"InstanceProfileName": id, "RoleName": wanted})).await?;
        }
    }
    Ok(made(id, &[("Arn", &found["Arn"])]))
}

#[async_trait]
impl ResourceType for InstanceProfile {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::InstanceProfile"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = name(cx, &properties["InstanceProfileName"], 128);
        let input = json!({"InstanceProfileName": id, "Path": properties["Path"], "Tags": cx.tags(None)});
        match send(cx, "CreateInstanceProfile", input).await {
            Err(fault) if fault.code == "EntityAlreadyExists" => {
                if !is_ours(cx, &profile(cx, &id).await?["Tags"]) {
                    return Err(fault.into());
                }
            }
            made => drop(made?),
        }
        set_role(cx, &id, properties).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, _: &Value, new: &Value) -> Made {
        set_role(cx, id, new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        match set_role(cx, id, &Value::Null).await {
            Err(failed) if failed.fault.code == "NoSuchEntity" => return Ok(()),
            emptied => drop(emptied?),
        }
        Ok(send_gone(cx, "DeleteInstanceProfile", json!({"InstanceProfileName": id})).await?)
    }
}

pub(super) struct UserToGroupAddition;

async fn members(cx: &ResourceContext, old: &Value, new: &Value) -> Result<(), Fault> {
    let same = old["GroupName"] == new["GroupName"];
    let (before, after) = (texts(&old["Users"]), texts(&new["Users"]));
    for user in &after {
        send(cx, "AddUserToGroup", json!({"GroupName": new["GroupName"], "UserName": user})).await?;
    }
    for user in before.iter().filter(|user| !same || !after.contains(user)) {
        send_gone(cx, "RemoveUserFromGroup", json!({"GroupName": old["GroupName"], "UserName": user})).await?;
    }
    Ok(())
}

#[async_trait]
impl ResourceType for UserToGroupAddition {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::UserToGroupAddition"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.generated_name(60);
        members(cx, &Value::Null, properties).await.unfinished(&id)?;
        Ok(made(&id, &[("Id", &json!(id))]))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        members(cx, old, new).await?;
        Ok(made(id, &[("Id", &json!(id))]))
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        Ok(members(cx, properties, &Value::Null).await?)
    }
}

pub(super) struct ServiceLinkedRole;

#[async_trait]
impl ResourceType for ServiceLinkedRole {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::ServiceLinkedRole"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let input = json!({
            "AWSServiceName": properties["AWSServiceName"], "Description": properties["Description"],
            "CustomSuffix": properties["CustomSuffix"],
        });
        let role = send(cx, "CreateServiceLinkedRole", input).await?;
        let name = &role["Role"]["RoleName"];
        Ok(made(text(name), &[("RoleName", name)]))
    }

    async fn update(&self, _: &ResourceContext, id: &str, _: &Value, _: &Value) -> Made {
        Err(Fault::unsupported(format!("an update of the service-linked role {id}")).into())
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        Ok(send_gone(cx, "DeleteServiceLinkedRole", json!({"RoleName": id})).await?)
    }
}
