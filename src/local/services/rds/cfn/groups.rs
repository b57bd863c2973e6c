//! `AWS::RDS::DBSubnetGroup`, `AWS::RDS::DBClusterParameterGroup` and `AWS::RDS::DBParameterGroup`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{LONGEST_NAME, retag, tags_of};
use crate::fault::Fault;
use crate::resource::{
    Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished,
};

pub(super) fn types() -> [ResourceType; 3] {
    let known = ["Description", "Family", "Parameters", "Tags"];
    let of_cluster = ParameterGroup { prefix: "DBCluster", arn_kind: "cluster-pg" };
    let of_instance = ParameterGroup { prefix: "DB", arn_kind: "pg" };
    [
        ResourceType::new("AWS::RDS::DBSubnetGroup", SUBNET_GROUP, SubnetGroup).and(&["Tags"]),
        ResourceType::new("AWS::RDS::DBClusterParameterGroup", &known, of_cluster)
            .and(&["DBClusterParameterGroupName"]),
        ResourceType::new("AWS::RDS::DBParameterGroup", &known, of_instance).and(&["DBParameterGroupName"]),
    ]
}

struct SubnetGroup;

/// What making and changing one takes.
const SUBNET_GROUP: &[&str] = &["DBSubnetGroupName", "DBSubnetGroupDescription", "SubnetIds"];

impl SubnetGroup {
    fn arn(cx: &ResourceContext, id: &str) -> String {
        cx.scope.arn("rds", format!("subgrp:{id}"))
    }

    fn provisioned(cx: &ResourceContext, id: &str) -> Provisioned {
        Provisioned::with(id, json!({"DBSubnetGroupArn": SubnetGroup::arn(cx, id)}))
    }
}

#[async_trait]
impl Provider for SubnetGroup {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.hyphenated_name(properties, "DBSubnetGroupName", LONGEST_NAME);
        let mut input = properties.pick(SUBNET_GROUP);
        input["DBSubnetGroupName"] = json!(id);
        input["Tags"] = cx.tags(properties);
        cx.make("CreateDBSubnetGroup", input, tags_of(cx, &SubnetGroup::arn(cx, &id))).await?;
        Ok(SubnetGroup::provisioned(cx, &id))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let mut input = new.pick(SUBNET_GROUP);
        input["DBSubnetGroupName"] = json!(id);
        cx.ask("ModifyDBSubnetGroup", input).await?;
        retag(cx, &SubnetGroup::arn(cx, id), old, new).await?;
        Ok(SubnetGroup::provisioned(cx, id))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteDBSubnetGroup", json!({"DBSubnetGroupName": id})).await
    }
}

/// The two kinds of parameter groups differ in their words.
struct ParameterGroup {
    /// `DBCluster` or `DB`, before `ParameterGroup…`.
    prefix: &'static str,
    arn_kind: &'static str,
}

impl ParameterGroup {
    fn name_member(&self) -> String {
        format!("{}ParameterGroupName", self.prefix)
    }

    fn operation(&self, verb: &str) -> String {
        format!("{verb}{}ParameterGroup", self.prefix)
    }

    fn arn(&self, cx: &ResourceContext, id: &str) -> String {
        cx.scope.arn("rds", format!("{}:{id}", self.arn_kind))
    }

    fn provisioned(&self, cx: &ResourceContext, id: &str) -> Provisioned {
        Provisioned::with(id, json!({(format!("{}ParameterGroupArn", self.prefix)): self.arn(cx, id)}))
    }

    /// Sets every parameter of the template, twenty at a time.
    async fn set(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), Fault> {
        let setting = |(name, value): (&String, &Value)| json!({"ParameterName": name, "ParameterValue": value.to_text(), "ApplyMethod": "pending-reboot"});
        let settings: Vec<Value> = properties.members("Parameters").map(setting).collect();
        for settings in settings.chunks(20) {
            cx.ask(&self.operation("Modify"), json!({self.name_member(): id, "Parameters": settings})).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Provider for ParameterGroup {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.hyphenated_name(properties, &self.name_member(), LONGEST_NAME);
        let input = json!({
            self.name_member(): id, "DBParameterGroupFamily": properties["Family"],
            "Description": properties["Description"], "Tags": cx.tags(properties),
        });
        cx.make(&self.operation("Create"), input, tags_of(cx, &self.arn(cx, &id))).await?;
        self.set(cx, &id, properties).await.unfinished(&id)?;
        Ok(self.provisioned(cx, &id))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let gone = old.members("Parameters").filter(|(name, _)| new["Parameters"].get(name.as_str()).is_none());
        let gone: Vec<Value> =
            gone.map(|(name, _)| json!({"ParameterName": name, "ApplyMethod": "pending-reboot"})).collect();
        if !gone.is_empty() {
            cx.ask(&self.operation("Reset"), json!({self.name_member(): id, "Parameters": gone})).await?;
        }
        self.set(cx, id, new).await?;
        retag(cx, &self.arn(cx, id), old, new).await?;
        Ok(self.provisioned(cx, id))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove(&self.operation("Delete"), json!({self.name_member(): id})).await
    }
}
