//! `AWS::RDS::DBSubnetGroup`, `AWS::RDS::DBClusterParameterGroup` and `AWS::RDS::DBParameterGroup`.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{gone, is_ours, name, refuse_others, retag, send, tags_of};
use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) struct SubnetGroup;

const SUBNET_GROUP: &str = "AWS::RDS::DBSubnetGroup";

fn named(id: &str) -> Provisioned {
    Provisioned { physical_id: id.to_owned(), reference: None, attributes: Map::new() }
}

/// Success, also if an earlier try at this resource made it.
async fn made(cx: &ResourceContext, result: Result<Value, Fault>, arn: &str) -> Result<(), ResourceFault> {
    match result {
        Ok(_) => Ok(()),
        Err(fault) if fault.code.ends_with("AlreadyExists") && is_ours(cx, Some(&tags_of(cx, arn).await?)) => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

#[async_trait]
impl ResourceType for SubnetGroup {
    fn type_name(&self) -> &'static str {
        SUBNET_GROUP
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let id = name(cx, properties, "DBSubnetGroupName");
        let input = json!({
            "DBSubnetGroupName": id,
            "DBSubnetGroupDescription": properties.get("DBSubnetGroupDescription"),
            "SubnetIds": properties.get("SubnetIds"),
            "Tags": cx.tags(properties.get("Tags")),
        });
        let arn = cx.scope.arn("rds", format!("subgrp:{id}"));
        made(cx, send(cx, "CreateDBSubnetGroup", input).await, &arn).await?;
        Ok(named(&id))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        let input = json!({
            "DBSubnetGroupName": id,
            "DBSubnetGroupDescription": new.get("DBSubnetGroupDescription"),
            "SubnetIds": new.get("SubnetIds"),
        });
        send(cx, "ModifyDBSubnetGroup", input).await?;
        retag(cx, &cx.scope.arn("rds", format!("subgrp:{id}")), old, new).await?;
        Ok(named(id))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        gone(send(cx, "DeleteDBSubnetGroup", json!({"DBSubnetGroupName": id})).await)
    }
}

/// The two kinds of parameter groups differ in their words.
pub(super) struct ParameterGroup {
    type_name: &'static str,
    /// `DBCluster` or `DB`, before `ParameterGroup…`.
    prefix: &'static str,
    arn_kind: &'static str,
}

impl ParameterGroup {
    pub(super) const CLUSTER: Self =
        ParameterGroup { type_name: "AWS::RDS::DBClusterParameterGroup", prefix: "DBCluster", arn_kind: "cluster-pg" };
    pub(super) const INSTANCE: Self =
        ParameterGroup { type_name: "AWS::RDS::DBParameterGroup", prefix: "DB", arn_kind: "pg" };

    fn name_member(&self) -> String {
        format!("{}ParameterGroupName", self.prefix)
    }

    fn operation(&self, verb: &str) -> String {
        format!("{verb}{}ParameterGroup", self.prefix)
    }

    /// Sets every parameter of the template, twenty at a time.
    async fn set(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), Fault> {
        let settings: Vec<Value> = properties
            .get("Parameters")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                json!({"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"})
            })
            .collect();
        for settings in settings.chunks(20) {
            let input = json!({self.name_member(): id, "Parameters": settings});
            send(cx, &self.operation("Modify"), input).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ResourceType for ParameterGroup {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let name_member = self.name_member();
        refuse_others(properties, self.type_name, &[&["Description", "Family", "Parameters", "Tags", &name_member]])?;
        let id = name(cx, properties, &name_member);
        let input = json!({
            name_member: id,
            "DBParameterGroupFamily": properties.get("Family"),
            "Description": properties.get("Description"),
            "Tags": cx.tags(properties.get("Tags")),
        });
        let arn = cx.scope.arn("rds", format!("{}:{id}", self.arn_kind));
        made(cx, send(cx, &self.operation("Create"), input).await, &arn).await?;
        self.set(cx, &id, properties).await.unfinished(&id)?;
        Ok(named(&id))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        let parameters =
            |properties: &Value| properties.get("Parameters").and_then(Value::as_object).cloned().unwrap_or_default();
        let kept = parameters(new);
        let dropped: Vec<Value> = parameters(old)
            .keys()
            .filter(|name| !kept.contains_key(*name))
            .map(|name| json!({"ParameterName": name, "ApplyMethod": "pending-reboot"}))
            .collect();
        if !dropped.is_empty() {
            send(cx, &self.operation("Reset"), json!({self.name_member(): id, "Parameters": dropped})).await?;
        }
        self.set(cx, id, new).await?;
        retag(cx, &cx.scope.arn("rds", format!("{}:{id}", self.arn_kind)), old, new).await?;
        Ok(named(id))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        gone(send(cx, &self.operation("Delete"), json!({self.name_member(): id})).await)
    }
}
