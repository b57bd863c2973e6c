//! `AWS::RDS::DBCluster`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{LONGEST_NAME, retag, until_available, until_gone};
use crate::fault::Fault;
use crate::resource::{
    Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished, compared,
};
use crate::services::rds::versions::{BACKUP_WINDOW, DEFAULT, MAINTENANCE_WINDOW, Version};

pub(super) fn resource_type() -> ResourceType {
    ResourceType::new("AWS::RDS::DBCluster", CREATED_WITH, Cluster)
        .and(ELSEWHERE)
        .fixed(FIXED)
        .kept(&[&["MasterUserPassword", "ManageMasterUserPassword"], &["ServerlessV2ScalingConfiguration"]])
        .defaults(defaults)
}

struct Cluster;

/// What CreateDBCluster takes for what it is not told.
fn defaults(given: &Value) -> Value {
    let version = Version::find(given["EngineVersion"].as_str().unwrap_or(DEFAULT));
    json!({
        "BackupRetentionPeriod": 1, "CopyTagsToSnapshot": false,
        "DBClusterParameterGroupName": version.map(Version::default_group), "DeletionProtection": false,
        "EnableCloudwatchLogsExports": [], "EnableHttpEndpoint": false, "EnableIAMDatabaseAuthentication": false,
        "EngineLifecycleSupport": "open-source-rds-extended-support", "EngineVersion": DEFAULT,
        "ManageMasterUserPassword": false, "NetworkType": "IPV4", "Port": 3306, "PreferredBackupWindow": BACKUP_WINDOW,
        "PreferredMaintenanceWindow": MAINTENANCE_WINDOW, "StorageType": "aurora", "VpcSecurityGroupIds": [],
    })
}

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

/// Properties that ModifyDBCluster does not take here.
const FIXED: &[&str] = &[
    "AvailabilityZones",
    "EnableCloudwatchLogsExports",
    "Engine",
    "EngineLifecycleSupport",
    "MasterUserSecret",
    "MasterUsername",
    "NetworkType",
    "Port",
    "StorageType",
];

async fn describe(cx: &ResourceContext, id: &str) -> Result<Value, Fault> {
    let found = cx.ask("DescribeDBClusters", json!({"DBClusterIdentifier": id})).await?;
    Ok(found["DBClusters"][0].clone())
}

async fn available(cx: &ResourceContext, id: &str) -> Result<(), ResourceFault> {
    let ask = ("DescribeDBClusters", json!({"DBClusterIdentifier": id}), "/DBClusters/0/Status");
    until_available(cx, &format!("The cluster {id}"), ask).await
}

async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
    let cluster = describe(cx, id).await?;
    let port = cluster["Port"].to_text();
    let mut attributes = json!({
        "DBClusterArn": cluster["DBClusterArn"], "DBClusterResourceId": cluster["DbClusterResourceId"],
        "Endpoint": {"Address": cluster["Endpoint"], "Port": port}, "Endpoint.Address": cluster["Endpoint"],
        "Endpoint.Port": port, "ReadEndpoint": {"Address": cluster["ReaderEndpoint"]},
        "ReadEndpoint.Address": cluster["ReaderEndpoint"],
    });
    if let Some(arn) = cluster.pointer("/MasterUserSecret/SecretArn") {
        attributes["MasterUserSecret.SecretArn"] = arn.clone();
    }
    Ok(Provisioned::with(id, attributes))
}

#[async_trait]
impl Provider for Cluster {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.hyphenated_name(properties, "DBClusterIdentifier", LONGEST_NAME);
        let mut input = properties.pick(CREATED_WITH);
        input["DBClusterIdentifier"] = json!(id);
        input["Tags"] = cx.tags(properties);
        input["EnableIAMDatabaseAuthentication"] = properties["EnableIAMDatabaseAuthentication"].clone();
        input["MasterUserSecretKmsKeyId"] = properties["MasterUserSecret"]["KmsKeyId"].clone();
        let tags = async { Ok(describe(cx, &id).await?["TagList"].clone()) };
        cx.make("CreateDBCluster", input, tags).await?;
        if !cx.express {
            available(cx, &id).await.unfinished(&id)?;
        }
        provisioned(cx, &id).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        available(cx, id).await?;
        let changed = new.changed(old, MODIFIED_WITH);
        if !changed.is_empty() {
            let mut input = new.pick(&changed);
            input["DBClusterIdentifier"] = json!(id);
            input["ApplyImmediately"] = json!(true);
            cx.ask("ModifyDBCluster", input).await?;
        }
        change_roles(cx, id, old, new).await?;
        retag(cx, &cx.scope.arn("rds", format!("cluster:{id}")), old, new).await?;
        provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        let described = json!({"DBClusterIdentifier": id});
        let deleting = describe(cx, id).await.is_ok_and(|cluster| cluster["Status"] == "deleting");
        if !deleting {
            cx.remove("DeleteDBCluster", json!({"DBClusterIdentifier": id, "SkipFinalSnapshot": true})).await?;
        }
        until_gone(cx, &format!("The cluster {id}"), ("DescribeDBClusters", described)).await
    }
}

async fn change_roles(cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let (gone, added) = compared(old.list("AssociatedRoles"), new.list("AssociatedRoles"));
    for (operation, roles) in [("RemoveRoleFromDBCluster", gone), ("AddRoleToDBCluster", added)] {
        for role in roles {
            let mut input = role.clone();
            input["DBClusterIdentifier"] = json!(id);
            cx.ask(operation, input).await?;
        }
    }
    Ok(())
}
