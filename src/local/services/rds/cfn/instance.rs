//! `AWS::RDS::DBInstance`, as a member of a cluster.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{LONGEST_NAME, retag, until_available};
use crate::fault::Fault;
use crate::resource::{
    Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished,
};

pub(super) fn resource_type() -> ResourceType {
    ResourceType::new("AWS::RDS::DBInstance", CREATED_WITH, Instance)
        .and(ELSEWHERE)
        .fixed(FIXED)
        // The group and the window depend on the cluster.
        .kept(&[&["DBInstanceClass"], &["DBParameterGroupName"], &["PreferredMaintenanceWindow"]])
        .defaults(|_| {
            json!({
                "AutoMinorVersionUpgrade": true, "CopyTagsToSnapshot": false, "EnablePerformanceInsights": false,
                "MonitoringInterval": 0, "PromotionTier": 1, "PubliclyAccessible": false,
            })
        })
}

struct Instance;

const CREATED_WITH: &[&str] = &[
    "AutoMinorVersionUpgrade",
    "AvailabilityZone",
    "CopyTagsToSnapshot",
    "DBClusterIdentifier",
    "DBInstanceClass",
    "DBParameterGroupName",
    "DBSubnetGroupName",
    "EnablePerformanceInsights",
    "Engine",
    "EngineVersion",
    "MonitoringInterval",
    "PreferredMaintenanceWindow",
    "PromotionTier",
    "PubliclyAccessible",
];
const ELSEWHERE: &[&str] = &["DBInstanceIdentifier", "Tags", "DeleteAutomatedBackups"];
const MODIFIED_WITH: &[&str] = &[
    "AutoMinorVersionUpgrade",
    "CopyTagsToSnapshot",
    "DBInstanceClass",
    "DBParameterGroupName",
    "EnablePerformanceInsights",
    "PreferredMaintenanceWindow",
    "PromotionTier",
    "PubliclyAccessible",
];

/// Properties that ModifyDBInstance does not take here.
const FIXED: &[&str] = &["AvailabilityZone", "Engine", "EngineVersion", "MonitoringInterval"];

async fn describe(cx: &ResourceContext, id: &str) -> Result<Value, Fault> {
    let found = cx.ask("DescribeDBInstances", json!({"DBInstanceIdentifier": id})).await?;
    Ok(found["DBInstances"][0].clone())
}

async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
    let instance = describe(cx, id).await?;
    let mut attributes = instance.pick(&["DBInstanceArn", "DBInstanceStatus", "DbiResourceId"]);
    attributes["InstanceCreateTime"] = json!(instance.time("InstanceCreateTime"));
    // An instance that is being made has no endpoint yet.
    for (name, value) in instance.members("Endpoint") {
        let value = if name == "Port" { json!(value.to_text()) } else { value.clone() };
        attributes[format!("Endpoint.{name}")] = value;
    }
    Ok(Provisioned::with(id, attributes))
}

#[async_trait]
impl Provider for Instance {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.hyphenated_name(properties, "DBInstanceIdentifier", LONGEST_NAME);
        let mut input = properties.pick(CREATED_WITH);
        input["DBInstanceIdentifier"] = json!(id);
        input["Tags"] = cx.tags(properties);
        if let Err(fault) = cx.ask("CreateDBInstance", input).await {
            // The second try of an interrupted create: the cluster's one instance is this very one.
            if !describe(cx, &id).await.is_ok_and(|found| cx.is_ours(&found["TagList"])) {
                return Err(fault.into());
            }
        }
        if !cx.express {
            let ask = ("DescribeDBInstances", json!({"DBInstanceIdentifier": id}), "/DBInstances/0/DBInstanceStatus");
            until_available(cx, &format!("The instance {id}"), ask).await.unfinished(&id)?;
        }
        provisioned(cx, &id).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let changed = new.changed(old, MODIFIED_WITH);
        if !changed.is_empty() {
            let mut input = new.pick(&changed);
            input["DBInstanceIdentifier"] = json!(id);
            input["ApplyImmediately"] = json!(true);
            cx.ask("ModifyDBInstance", input).await?;
        }
        retag(cx, &cx.scope.arn("rds", format!("db:{id}")), old, new).await?;
        provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteDBInstance", json!({"DBInstanceIdentifier": id, "SkipFinalSnapshot": true})).await
    }
}
