//! `AWS::IAM::Role`, `AWS::IAM::User`, `AWS::IAM::Group`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{GROUP, ROLE, USER, retag, sync_policies};
use crate::resource::{Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, Unfinished, compared};

pub(super) struct Role;

async fn role(cx: &ResourceContext, id: &str) -> Made {
    let role = cx.ask("GetRole", json!({"RoleName": id})).await?;
    Ok(Provisioned::with(id, role["Role"].pick(&["Arn", "RoleId"])))
}

#[async_trait]
impl Provider for Role {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.name(properties, "RoleName", 64);
        let mut input = properties.pick(&["Path", "Description", "MaxSessionDuration", "PermissionsBoundary"]);
        input["RoleName"] = json!(id);
        input["AssumeRolePolicyDocument"] = json!(properties["AssumeRolePolicyDocument"].to_text());
        input["Tags"] = cx.tags(properties);
        let tags = async { Ok(cx.ask("GetRole", json!({"RoleName": id})).await?["Role"]["Tags"].clone()) };
        cx.make("CreateRole", input, tags).await?;
        sync_policies(cx, ROLE, &id, &Value::Null, properties).await.unfinished(&id)?;
        role(cx, &id).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        if old["AssumeRolePolicyDocument"] != new["AssumeRolePolicyDocument"] {
            let document = new["AssumeRolePolicyDocument"].to_text();
            cx.ask("UpdateAssumeRolePolicy", json!({"RoleName": id, "PolicyDocument": document})).await?;
        }
        if !new.changed(old, &["Description", "MaxSessionDuration"]).is_empty() {
            let session = new["MaxSessionDuration"].as_u64().unwrap_or(3600);
            let input = json!({"RoleName": id, "Description": new.text("Description"), "MaxSessionDuration": session});
            cx.ask("UpdateRole", input).await?;
        }
        boundary(cx, ("Role", "RoleName", id), old, new).await?;
        sync_policies(cx, ROLE, id, old, new).await?;
        retag(cx, ("Role", "RoleName", id), old, new).await?;
        role(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        sync_policies(cx, ROLE, id, properties, &Value::Null).await?;
        cx.remove("DeleteRole", json!({"RoleName": id})).await
    }
}

async fn boundary(
    cx: &ResourceContext,
    (kind, member, id): (&str, &str, &str),
    old: &Value,
    new: &Value,
) -> Result<(), ResourceFault> {
    let operation = |verb: &str| format!("{verb}{kind}PermissionsBoundary");
    match (&old["PermissionsBoundary"], &new["PermissionsBoundary"]) {
        (old, new) if old == new => {}
        (_, Value::Null) => cx.remove(&operation("Delete"), json!({member: id})).await?,
        (_, arn) => drop(cx.ask(&operation("Put"), json!({member: id, "PermissionsBoundary": arn})).await?),
    }
    Ok(())
}

pub(super) struct User;

async fn user(cx: &ResourceContext, id: &str) -> Made {
    let user = cx.ask("GetUser", json!({"UserName": id})).await?;
    Ok(Provisioned::with(id, user["User"].pick(&["Arn"])))
}

/// Brings a user's groups from what `old` says to what `new` says.
async fn groups(cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Result<(), ResourceFault> {
    let (gone, added) = compared(old.list("Groups"), new.list("Groups"));
    for group in added {
        cx.ask("AddUserToGroup", json!({"UserName": id, "GroupName": group})).await?;
    }
    for group in gone {
        cx.remove("RemoveUserFromGroup", json!({"UserName": id, "GroupName": group})).await?;
    }
    Ok(())
}

#[async_trait]
impl Provider for User {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.name(properties, "UserName", 64);
        let mut input = properties.pick(&["Path", "PermissionsBoundary"]);
        input["UserName"] = json!(id);
        input["Tags"] = cx.tags(properties);
        let tags = async { Ok(cx.ask("GetUser", json!({"UserName": id})).await?["User"]["Tags"].clone()) };
        cx.make("CreateUser", input, tags).await?;
        sync_policies(cx, USER, &id, &Value::Null, properties).await.unfinished(&id)?;
        groups(cx, &id, &Value::Null, properties).await.unfinished(&id)?;
        user(cx, &id).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        if old["Path"] != new["Path"] {
            let path = new["Path"].as_str().unwrap_or("/");
            cx.ask("UpdateUser", json!({"UserName": id, "NewPath": path})).await?;
        }
        boundary(cx, ("User", "UserName", id), old, new).await?;
        sync_policies(cx, USER, id, old, new).await?;
        groups(cx, id, old, new).await?;
        retag(cx, ("User", "UserName", id), old, new).await?;
        user(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        sync_policies(cx, USER, id, properties, &Value::Null).await?;
        groups(cx, id, properties, &Value::Null).await?;
        cx.remove("DeleteUser", json!({"UserName": id})).await
    }
}

pub(super) struct Group;

async fn group(cx: &ResourceContext, id: &str) -> Made {
    let group = cx.ask("GetGroup", json!({"GroupName": id})).await?;
    Ok(Provisioned::with(id, group["Group"].pick(&["Arn"])))
}

#[async_trait]
impl Provider for Group {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.name(properties, "GroupName", 128);
        match cx.ask("CreateGroup", json!({"GroupName": id, "Path": properties["Path"]})).await {
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
            cx.ask("UpdateGroup", json!({"GroupName": id, "NewPath": path})).await?;
        }
        sync_policies(cx, GROUP, id, old, new).await?;
        group(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        sync_policies(cx, GROUP, id, properties, &Value::Null).await?;
        cx.remove("DeleteGroup", json!({"GroupName": id})).await
    }
}
