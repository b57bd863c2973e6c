//! `AWS::RDS::DBCluster`.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{gone, is_ours, name, pick, refuse_changes, refuse_others, retag, send, text, until, until_gone};
use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) struct Cluster;

const TYPE: &str = "AWS::RDS::DBCluster";
/// Properties of CreateDBCluster.
const CREATED_WITH: &[&str] = &[
    "AssociatedRoles",
    "AvailabilityZones",
    "BackupRetentionPeriod",
    "CopyTagsToSnapshot",
    "DatabaseName",
    "DBClusterParameterGroupName",
    "DBSubnetGroupName",
    "DeletionProtection",
    "EnableCloudwatchLogsExports",
    "EnableHttpEndpoint",
    "Engine",
    "EngineLifecycleSupport",
    "EngineMode",
    "EngineVersion",
    "KmsKeyId",
    "ManageMasterUserPassword",
    "MasterUsername",
    "MasterUserPassword",
    "NetworkType",
    "Port",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "ServerlessV2ScalingConfiguration",
    "StorageEncrypted",
    "StorageType",
    "VpcSecurityGroupIds",
];
/// Those that CloudFormation names otherwise or that are not a parameter.
const ELSEWHERE: &[&str] = &["DBClusterIdentifier", "EnableIAMDatabaseAuthentication", "MasterUserSecret", "Tags"];
/// Properties that ModifyDBCluster takes as they are.
const MODIFIED_WITH: &[&str] = &[
    "BackupRetentionPeriod",
    "CopyTagsToSnapshot",
    "DBClusterParameterGroupName",
    "DeletionProtection",
    "EnableHttpEndpoint",
    "EnableIAMDatabaseAuthentication",
    "EngineVersion",
    "ManageMasterUserPassword",
    "MasterUserPassword",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "ServerlessV2ScalingConfiguration",
    "VpcSecurityGroupIds",
];

async fn describe(cx: &ResourceContext, id: &str) -> Result<Value, Fault> {
    let found = send(cx, "DescribeDBClusters", json!({"DBClusterIdentifier": id})).await?;
    Ok(found.pointer("/DBClusters/0").cloned().unwrap_or_default())
}

async fn provisioned(cx: &ResourceContext, id: &str) -> Result<Provisioned, ResourceFault> {
    let cluster = describe(cx, id).await?;
    let of = |name: &str| cluster.get(name).cloned().unwrap_or_default();
    let port = cluster.get("Port").and_then(Value::as_u64).unwrap_or_default().to_string();
    let mut attributes = Map::from_iter([
        ("DBClusterArn".to_owned(), of("DBClusterArn")),
        ("DBClusterResourceId".to_owned(), of("DbClusterResourceId")),
        ("Endpoint.Address".to_owned(), of("Endpoint")),
        ("Endpoint.Port".to_owned(), port.clone().into()),
        ("Endpoint".to_owned(), json!({"Address": of("Endpoint"), "Port": port})),
        ("ReadEndpoint.Address".to_owned(), of("ReaderEndpoint")),
    ]);
    if let Some(arn) = cluster.pointer("/MasterUserSecret/SecretArn") {
        attributes.insert("MasterUserSecret.SecretArn".into(), arn.clone());
    }
    Ok(Provisioned { physical_id: id.to_owned(), reference: None, attributes })
}

#[async_trait]
impl ResourceType for Cluster {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        refuse_others(properties, TYPE, &[CREATED_WITH, ELSEWHERE])?;
        let id = name(cx, properties, "DBClusterIdentifier");
        let mut input = pick(properties, CREATED_WITH);
        input.insert("DBClusterIdentifier".into(), id.clone().into());
        input.insert("Tags".into(), cx.tags(properties.get("Tags")));
        let renamed = [
            ("EnableIAMDatabaseAuthentication", properties.get("EnableIAMDatabaseAuthentication")),
            ("MasterUserSecretKmsKeyId", properties.pointer("/MasterUserSecret/KmsKeyId")),
        ];
        for (name, value) in renamed {
            if let Some(value) = value {
                input.insert(name.into(), value.clone());
            }
        }
        match send(cx, "CreateDBCluster", Value::Object(input)).await {
            Ok(_) => {}
            Err(fault) if fault.code == "DBClusterAlreadyExistsFault" => {
                if !is_ours(cx, describe(cx, &id).await?.get("TagList")) {
                    return Err(fault.into());
                }
            }
            Err(fault) => return Err(fault.into()),
        }
        if !cx.express {
            let ask = ("DescribeDBClusters", json!({"DBClusterIdentifier": id}), "/DBClusters/0/Status");
            until(cx, &format!("The cluster {id}"), ask).await.unfinished(&id)?;
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
        refuse_changes(old, new, TYPE, &[MODIFIED_WITH, &["AssociatedRoles", "Tags"]])?;
        let ask = ("DescribeDBClusters", json!({"DBClusterIdentifier": id}), "/DBClusters/0/Status");
        until(cx, &format!("The cluster {id}"), ask).await?;
        let changed: Vec<&str> = MODIFIED_WITH.iter().copied().filter(|name| old.get(name) != new.get(name)).collect();
        if !changed.is_empty() {
            let mut input = pick(new, &changed);
            input.insert("DBClusterIdentifier".into(), id.into());
            input.insert("ApplyImmediately".into(), true.into());
            send(cx, "ModifyDBCluster", Value::Object(input)).await?;
        }
        change_roles(cx, id, old, new).await?;
        let found = provisioned(cx, id).await?;
        if let Some(arn) = found.attributes.get("DBClusterArn").and_then(Value::as_str) {
            retag(cx, arn, old, new).await?;
        }
        Ok(found)
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        let described = json!({"DBClusterIdentifier": id});
        let deleting = describe(cx, id).await.is_ok_and(|cluster| text(&cluster, "Status") == Some("deleting"));
        if !deleting {
            let input = json!({"DBClusterIdentifier": id, "SkipFinalSnapshot": true});
            gone(send(cx, "DeleteDBCluster", input).await)?;
        }
        until_gone(cx, "DescribeDBClusters", described).await
    }
}

async fn change_roles(cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let roles =
        |properties: &Value| properties.get("AssociatedRoles").and_then(Value::as_array).cloned().unwrap_or_default();
    let (old, new) = (roles(old), roles(new));
    let steps = [("RemoveRoleFromDBCluster", &old, &new), ("AddRoleToDBCluster", &new, &old)];
    for (operation, these, others) in steps {
        for role in these.iter().filter(|role| !others.contains(role)) {
            let mut input = role.as_object().cloned().unwrap_or_default();
            input.insert("DBClusterIdentifier".into(), id.into());
            send(cx, operation, Value::Object(input)).await?;
        }
    }
    Ok(())
}
