//! `AWS::IAM::Role`, `AWS::IAM::User`, `AWS::IAM::Group`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    GROUP, Made, ROLE, USER, document, is_ours, made, name, number, retag, send, send_gone, sync_policies, text, texts,
};
use crate::local::fault::Fault;
use crate::local::resource::{ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) struct Role;

async fn role(cx: &ResourceContext, id: &str) -> Made {
    let role = send(cx, "GetRole", json!({"RoleName": id})).await?;
    Ok(made(id, &[("Arn", &role["Role"]["Arn"]), ("RoleId", &role["Role"]["RoleId"])]))
}

#[async_trait]
impl ResourceType for Role {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::Role"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = name(cx, &properties["RoleName"], 64);
        let input = json!({
            "RoleName": id, "Path": properties["Path"], "Description": properties["Description"],
            "AssumeRolePolicyDocument": document(&properties["AssumeRolePolicyDocument"]),
            "MaxSessionDuration": number(&properties["MaxSessionDuration"]),
            "PermissionsBoundary": properties["PermissionsBoundary"], "Tags": cx.tags(properties.get("Tags")),
        });
        match send(cx, "CreateRole", input).await {
            Err(fault) if fault.code == "EntityAlreadyExists" => {
                let found = send(cx, "GetRole", json!({"RoleName": id})).await?;
                if !is_ours(cx, &found["Role"]["Tags"]) {
                    return Err(fault.into());
                }
            }
            made => drop(made?),
        }
        sync_policies(cx, ROLE, &id, &Value::Null, properties).await.unfinished(&id)?;
        role(cx, &id).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        if old["AssumeRolePolicyDocument"] != new["AssumeRolePolicyDocument"] {
            let document = document(&new["AssumeRolePolicyDocument"]);
            send(cx, "UpdateAssumeRolePolicy", json!({"RoleName": id, "PolicyDocument": document})).await?;
        }
        if old["Description"] != new["Description"] || old["MaxSessionDuration"] != new["MaxSessionDuration"] {
            let session =
                if new["MaxSessionDuration"].is_null() { json!(3600) } else { number(&new["MaxSessionDuration"]) };
            let description = text(&new["Description"]);
            send(cx, "UpdateRole", json!({"RoleName": id, "Description": description, "MaxSessionDuration": session}))
                .await?;
        }
        boundary(cx, ("Role", "RoleName", id), old, new).await?;
        sync_policies(cx, ROLE, id, old, new).await?;
        retag(cx, ("Role", "RoleName", id), old, new).await?;
        role(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        match sync_policies(cx, ROLE, id, properties, &Value::Null).await {
            Err(fault) if fault.code != "NoSuchEntity" => return Err(fault.into()),
            _ => {}
        }
        Ok(send_gone(cx, "DeleteRole", json!({"RoleName": id})).await?)
    }
}

async fn boundary(
    cx: &ResourceContext,
    (kind, member, id): (&str, &str, &str),
    old: &Value,
    new: &Value,
) -> Result<(), Fault> {
    match (&old["PermissionsBoundary"], &new["PermissionsBoundary"]) {
        (old, new) if old == new => Ok(()),
        (_, Value::Null) => send_gone(cx, &format!("Delete{kind}PermissionsBoundary"), json!({member: id})).await,
        (_, arn) => send(cx, &format!("Put{kind}PermissionsBoundary"), json!({member: id, "PermissionsBoundary": arn}))
            .await
            .map(drop),
    }
}

pub(super) struct User;

async fn user(cx: &ResourceContext, id: &str) -> Made {
    let user = send(cx, "GetUser", json!({"UserName": id})).await?;
    Ok(made(id, &[("Arn", &user["User"]["Arn"])]))
}

/// Brings a user's groups from what `old` says to what `new` says.
async fn groups(cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let (before, after) = (texts(&old["Groups"]), texts(&new["Groups"]));
    for group in after.iter().filter(|group| !before.contains(group)) {
        send(cx, "AddUserToGroup", json!({"UserName": id, "GroupName": group})).await?;
    }
    for group in before.iter().filter(|group| !after.contains(group)) {
        send_gone(cx, "RemoveUserFromGroup", json!({"UserName": id, "GroupName": group})).await?;
    }
    Ok(())
}

fn refuse_login(properties: &Value) -> Result<(), Fault> {
    match properties.get("LoginProfile") {
        Some(_) => {
            Err(Fault::unsupported("the property LoginProfile of AWS::IAM::User: there is no console to log in to"))
        }
        None => Ok(()),
    }
}

#[async_trait]
impl ResourceType for User {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::User"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        refuse_login(properties)?;
        let id = name(cx, &properties["UserName"], 64);
        let input = json!({
            "UserName": id, "Path": properties["Path"], "PermissionsBoundary": properties["PermissionsBoundary"],
            "Tags": cx.tags(properties.get("Tags")),
        });
        match send(cx, "CreateUser", input).await {
            Err(fault) if fault.code == "EntityAlreadyExists" => {
                let found = send(cx, "GetUser", json!({"UserName": id})).await?;
                if !is_ours(cx, &found["User"]["Tags"]) {
                    return Err(fault.into());
                }
            }
            made => drop(made?),
        }
        sync_policies(cx, USER, &id, &Value::Null, properties).await.unfinished(&id)?;
        groups(cx, &id, &Value::Null, properties).await.unfinished(&id)?;
        user(cx, &id).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        refuse_login(new)?;
        if old["Path"] != new["Path"] {
            let path = new["Path"].as_str().unwrap_or("/");
            send(cx, "UpdateUser", json!({"UserName": id, "NewPath": path})).await?;
        }
        boundary(cx, ("User", "UserName", id), old, new).await?;
        sync_policies(cx, USER, id, old, new).await?;
        groups(cx, id, old, new).await?;
        retag(cx, ("User", "UserName", id), old, new).await?;
        user(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        match sync_policies(cx, USER, id, properties, &Value::Null).await {
            Err(fault) if fault.code != "NoSuchEntity" => return Err(fault.into()),
            _ => groups(cx, id, properties, &Value::Null).await?,
        }
        Ok(send_gone(cx, "DeleteUser", json!({"UserName": id})).await?)
    }
}

pub(super) struct Group;

async fn group(cx: &ResourceContext, id: &str) -> Made {
    let group = send(cx, "GetGroup", json!({"GroupName": id})).await?;
    Ok(made(id, &[("Arn", &group["Group"]["Arn"])]))
}

#[async_trait]
impl ResourceType for Group {
    fn type_name(&self) -> &'static str {
        "AWS::IAM::Group"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = name(cx, &properties["GroupName"], 128);
        match send(cx, "CreateGroup", json!({"GroupName": id, "Path": properties["Path"]})).await {
            // Groups have no tags; a generated name that is there already is this resource's own.
            Err(fault) if fault.code == "EntityAlreadyExists" && properties["GroupName"].is_null() => {}
            made => drop(made?),
        }
        sync_policies(cx, GROUP, &id, &Value::Null, properties).await.unfinished(&id)?;
        group(cx, &id).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        if old["Path"] != new["Path"] {
            let path = new["Path"].as_str().unwrap_or("/");
            send(cx, "UpdateGroup", json!({"GroupName": id, "NewPath": path})).await?;
        }
        sync_policies(cx, GROUP, id, old, new).await?;
        group(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        match sync_policies(cx, GROUP, id, properties, &Value::Null).await {
            Err(fault) if fault.code != "NoSuchEntity" => return Err(fault.into()),
            _ => {}
        }
        Ok(send_gone(cx, "DeleteGroup", json!({"GroupName": id})).await?)
    }
}
