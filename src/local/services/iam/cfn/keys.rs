//! `AWS::IAM::AccessKey`, `AWS::IAM::InstanceProfile`, `AWS::IAM::UserToGroupAddition`, `AWS::IAM::ServiceLinkedRole`.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::resource::{Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, Unfinished};

pub(super) struct AccessKey;

#[async_trait]
impl Provider for AccessKey {
    /// A key that an interrupted try made cannot be told from others, and its secret is shown once: a new one is made.
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let user = &properties["UserName"];
        let key = cx.ask("CreateAccessKey", json!({"UserName": user})).await?;
        let key = &key["AccessKey"];
        let id = key.text("AccessKeyId");
        if properties["Status"] == "Inactive" {
            let input = json!({"UserName": user, "AccessKeyId": id, "Status": "Inactive"});
            cx.ask("UpdateAccessKey", input).await.unfinished(id)?;
        }
        Ok(Provisioned::with(id, json!({"Id": id, "SecretAccessKey": key["SecretAccessKey"]})))
    }

    /// The secret is not told again; the engine keeps it.
    async fn update(&self, cx: &ResourceContext, id: &str, _: &Value, new: &Value) -> Made {
        let status = new["Status"].as_str().unwrap_or("Active");
        cx.ask("UpdateAccessKey", json!({"UserName": new["UserName"], "AccessKeyId": id, "Status": status})).await?;
        Ok(Provisioned::named(id))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteAccessKey", json!({"UserName": properties["UserName"], "AccessKeyId": id})).await
    }
}

pub(super) struct InstanceProfile;

async fn profile(cx: &ResourceContext, id: &str) -> Result<Value, Fault> {
    let found = cx.ask("GetInstanceProfile", json!({"InstanceProfileName": id})).await?;
    Ok(found["InstanceProfile"].clone())
}

/// Puts the one role that `properties` name into the profile, and any other out.
async fn set_role(cx: &ResourceContext, id: &str, properties: &Value) -> Made {
    let found = profile(cx, id).await?;
    let (current, wanted) = (&found["Roles"][0]["RoleName"], &properties["Roles"][0]);
    let input = |role: &Value| json!({"InstanceProfileName": id, "RoleName": role});
    if current != wanted {
        if !current.is_null() {
            cx.remove("RemoveRoleFromInstanceProfile", input(current)).await?;
        }
        if !wanted.is_null() {
            cx.ask("AddRoleToInstanceProfile", input(wanted)).await?;
        }
    }
    Ok(Provisioned::with(id, found.pick(&["Arn"])))
}

#[async_trait]
impl Provider for InstanceProfile {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.name(properties, "InstanceProfileName", 128);
        let input = json!({"InstanceProfileName": id, "Path": properties["Path"], "Tags": cx.tags(properties)});
        let tags = async { Ok(profile(cx, &id).await?["Tags"].clone()) };
        cx.make("CreateInstanceProfile", input, tags).await?;
        set_role(cx, &id, properties).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, _: &Value, new: &Value) -> Made {
        set_role(cx, id, new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        match set_role(cx, id, &Value::Null).await {
            Err(failed) if failed.is_not_found() => return Ok(()),
            emptied => drop(emptied?),
        }
        cx.remove("DeleteInstanceProfile", json!({"InstanceProfileName": id})).await
    }
}

pub(super) struct UserToGroupAddition;

async fn members(cx: &ResourceContext, old: &Value, new: &Value) -> Result<(), ResourceFault> {
    for user in new.list("Users") {
        cx.ask("AddUserToGroup", json!({"GroupName": new["GroupName"], "UserName": user})).await?;
    }
    let same = old["GroupName"] == new["GroupName"];
    for user in old.list("Users").iter().filter(|user| !same || !new.list("Users").contains(user)) {
        cx.remove("RemoveUserFromGroup", json!({"GroupName": old["GroupName"], "UserName": user})).await?;
    }
    Ok(())
}

#[async_trait]
impl Provider for UserToGroupAddition {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.generated_name(60);
        members(cx, &Value::Null, properties).await.unfinished(&id)?;
        Ok(Provisioned::with(&id, json!({"Id": id})))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        members(cx, old, new).await?;
        Ok(Provisioned::with(id, json!({"Id": id})))
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        members(cx, properties, &Value::Null).await
    }
}

pub(super) struct ServiceLinkedRole;

#[async_trait]
impl Provider for ServiceLinkedRole {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let role = cx.ask("CreateServiceLinkedRole", properties.clone()).await?;
        let role = &role["Role"];
        Ok(Provisioned::with(role.text("RoleName"), role.pick(&["RoleName"])))
    }

    async fn update(&self, _: &ResourceContext, id: &str, _: &Value, _: &Value) -> Made {
        Ok(Provisioned::named(id))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteServiceLinkedRole", json!({"RoleName": id})).await
    }
}
