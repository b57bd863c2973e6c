//! `AWS::RDS::DBInstance`, as a member of a cluster.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{gone, is_ours, name, pick, refuse_changes, refuse_others, retag, send, until};
use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) struct Instance;

const TYPE: &str = "AWS::RDS::DBInstance";
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

async fn describe(cx: &ResourceContext, id: &str) -> Result<Value, Fault> {
    let found = send(cx, "DescribeDBInstances", json!({"DBInstanceIdentifier": id})).await?;
    Ok(found.pointer("/DBInstances/0").cloned().unwrap_or_default())
}

async fn provisioned(cx: &ResourceContext, id: &str) -> Result<Provisioned, ResourceFault> {
    let instance = describe(cx, id).await?;
    let of = |pointer: &str| instance.pointer(pointer).cloned();
    let port = of("/Endpoint/Port").map(|port| Value::from(port.to_string()));
    let found = [
        ("DBInstanceArn", of("/DBInstanceArn")),
        ("DbiResourceId", of("/DbiResourceId")),
        ("Endpoint.Address", of("/Endpoint/Address")),
        ("Endpoint.Port", port),
        ("Endpoint.HostedZoneId", of("/Endpoint/HostedZoneId")),
    ];
    let attributes: Map<String, Value> =
        found.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    Ok(Provisioned { physical_id: id.to_owned(), reference: None, attributes })
}

#[async_trait]
impl ResourceType for Instance {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        refuse_others(properties, TYPE, &[CREATED_WITH, ELSEWHERE])?;
        let id = name(cx, properties, "DBInstanceIdentifier");
        let mut input = pick(properties, CREATED_WITH);
        input.insert("DBInstanceIdentifier".into(), id.clone().into());
        input.insert("Tags".into(), cx.tags(properties.get("Tags")));
        match send(cx, "CreateDBInstance", Value::Object(input)).await {
            Ok(_) => {}
            Err(fault) => {
                // The second try of an interrupted create: the cluster's one instance is this very one.
                let found = describe(cx, &id).await;
                if !found.is_ok_and(|found| is_ours(cx, found.get("TagList"))) {
                    return Err(fault.into());
                }
            }
        }
        if !cx.express {
            let ask = ("DescribeDBInstances", json!({"DBInstanceIdentifier": id}), "/DBInstances/0/DBInstanceStatus");
            until(cx, &format!("The instance {id}"), ask).await.unfinished(&id)?;
        }
        provisioned(cx, &id).await.unfinished(&id)
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        refuse_others(new, TYPE, &[CREATED_WITH, ELSEWHERE])?;
        refuse_changes(old, new, TYPE, &[MODIFIED_WITH, &["DeleteAutomatedBackups", "Tags"]])?;
        let changed: Vec<&str> = MODIFIED_WITH.iter().copied().filter(|name| old.get(name) != new.get(name)).collect();
        if !changed.is_empty() {
            let mut input = pick(new, &changed);
            input.insert("DBInstanceIdentifier".into(), id.into());
            input.insert("ApplyImmediately".into(), true.into());
            send(cx, "ModifyDBInstance", Value::Object(input)).await?;
        }
        let found = provisioned(cx, id).await?;
        if let Some(arn) = found.attributes.get("DBInstanceArn").and_then(Value::as_str) {
            retag(cx, arn, old, new).await?;
        }
        Ok(found)
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        gone(send(cx, "DeleteDBInstance", json!({"DBInstanceIdentifier": id, "SkipFinalSnapshot": true})).await)
    }
}
