//! ElastiCache's resource types for CloudFormation.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::versions;
use crate::fault::Fault;
use crate::resource::{
    Look, Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, TagForm, Unfinished,
    until,
};

pub(super) fn types() -> Vec<ResourceType> {
    let subnet_group = ["CacheSubnetGroupName", "Description", "SubnetIds", "Tags"];
    let parameter_group = ["CacheParameterGroupFamily", "Description", "Properties", "Tags"];
    vec![
        ResourceType::new("AWS::ElastiCache::ReplicationGroup", CREATED_WITH, ReplicationGroup)
            .and(CHANGEABLE)
            .fixed(FIXED)
            .kept(&[&["CacheNodeType"]])
            .defaults(ReplicationGroup::defaults),
        ResourceType::new("AWS::ElastiCache::SubnetGroup", &subnet_group, SubnetGroup),
        ResourceType::new("AWS::ElastiCache::ParameterGroup", &parameter_group, ParameterGroup).fixed(&["Description"]),
    ]
}

async fn tags_of(cx: &ResourceContext, arn: &str) -> Result<Value, Fault> {
    Ok(cx.ask("ListTagsForResource", json!({"ResourceName": arn})).await?["TagList"].clone())
}

async fn retag(cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let operations = ("RemoveTagsFromResource", "AddTagsToResource");
    cx.retag(operations, json!({"ResourceName": arn}), TagForm::List, (old, new)).await
}

struct ReplicationGroup;

/// Properties of `CreateReplicationGroup` alone.
const CREATED_WITH: &[&str] = &[
    "ReplicationGroupId",
    "NumCacheClusters",
    "PreferredCacheClusterAZs",
    "NumNodeGroups",
    "ReplicasPerNodeGroup",
    "CacheSubnetGroupName",
    "Tags",
    "Port",
    "AuthToken",
    "TransitEncryptionEnabled",
    "TransitEncryptionMode",
    "AtRestEncryptionEnabled",
    "NetworkType",
    "IpDiscovery",
    "ClusterMode",
    "DataTieringEnabled",
];
/// What `ModifyReplicationGroup` takes under the same name.
const CHANGEABLE: &[&str] = &[
    "ReplicationGroupDescription",
    "AutomaticFailoverEnabled",
    "MultiAZEnabled",
    "SecurityGroupIds",
    "PreferredMaintenanceWindow",
    "CacheParameterGroupName",
    "Engine",
    "EngineVersion",
    "CacheNodeType",
    "AutoMinorVersionUpgrade",
    "SnapshotRetentionLimit",
];
/// What no request changes of a group that is there.
const FIXED: &[&str] =
    &["ClusterMode", "IpDiscovery", "NumNodeGroups", "TransitEncryptionEnabled", "TransitEncryptionMode"];

impl ReplicationGroup {
    /// What CreateReplicationGroup takes for what it is not told.
    fn defaults(given: &Value) -> Value {
        let engine = given["Engine"].as_str().unwrap_or("redis");
        let default = versions::resolve(engine, None).map(|(version, _)| version);
        let family = versions::resolve(engine, given["EngineVersion"].as_str()).map(|(_, family)| family);
        let is_encrypted = given["TransitEncryptionEnabled"] == true;
        json!({
            "AutoMinorVersionUpgrade": true, "AutomaticFailoverEnabled": false,
            "CacheParameterGroupName": family.map(|family| format!("default.{family}")), "ClusterMode": "disabled",
            "Engine": "redis", "EngineVersion": default, "IpDiscovery": "ipv4", "MultiAZEnabled": false, "NumNodeGroups": 1,
            "PreferredMaintenanceWindow": versions::MAINTENANCE_WINDOW, "SecurityGroupIds": [], "SnapshotRetentionLimit": 0,
            "TransitEncryptionEnabled": false, "TransitEncryptionMode": is_encrypted.then_some("required"),
        })
    }

    async fn find(cx: &ResourceContext, id: &str) -> Result<Value, Fault> {
        let output = cx.ask("DescribeReplicationGroups", json!({"ReplicationGroupId": id})).await?;
        Ok(output["ReplicationGroups"][0].clone())
    }

    /// As it is when it has come up or changed. Express mode does not wait for that, and endpoints are known from the start.
    async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
        let group = match cx.express {
            true => ReplicationGroup::find_alive(cx, id).await?,
            false => ReplicationGroup::available(cx, id).await?,
        };
        Ok(ReplicationGroup::made(id, &group))
    }

    /// Waits until it can be asked for a change.
    async fn available(cx: &ResourceContext, id: &str) -> Result<Value, ResourceFault> {
        let look = || async {
            let group = ReplicationGroup::find_alive(cx, id).await?;
            Ok(match group.text("Status") {
                "available" => Look::Settled(group),
                status => Look::Still(status.to_owned()),
            })
        };
        until(&format!("Replication group {id}"), look).await
    }

    /// The group, which is available or is going to be.
    async fn find_alive(cx: &ResourceContext, id: &str) -> Result<Value, ResourceFault> {
        let group = ReplicationGroup::find(cx, id).await?;
        match group.text("Status") {
            "available" | "creating" | "modifying" => Ok(group),
            status => {
                let why = ReplicationGroup::last_event(cx, id).await;
                Err(ResourceFault::not_stabilized(format!("Replication group {id} is {status}: {why}")))
            }
        }
    }

    async fn last_event(cx: &ResourceContext, id: &str) -> String {
        let of_group = json!({"SourceIdentifier": id, "SourceType": "replication-group"});
        let events = cx.ask("DescribeEvents", of_group).await.unwrap_or_default();
        let last = events.list("Events").last();
        last.and_then(|event| event["Message"].as_str()).unwrap_or("no event says why").to_owned()
    }

    fn made(id: &str, group: &Value) -> Provisioned {
        let node_group = &group["NodeGroups"][0];
        let (primary, reader) = (&node_group["PrimaryEndpoint"], &node_group["ReaderEndpoint"]);
        // Lists appear in CloudFormation with brackets around strings, and as lists under two spellings: the schema's, and
        // the user guide's.
        let members = node_group.list("NodeGroupMembers");
        let of = |name: &str| members.iter().map(|member| member["ReadEndpoint"][name].to_text()).collect::<Vec<_>>();
        let (addresses, ports) = (of("Address"), of("Port"));
        let attributes = json!({
            "PrimaryEndPoint.Address": primary["Address"], "PrimaryEndPoint.Port": primary["Port"].to_text(),
            "ReaderEndPoint.Address": reader["Address"], "ReaderEndPoint.Port": reader["Port"].to_text(),
            "ReadEndPoint.Addresses": format!("[{}]", addresses.join(", ")), "ReadEndPoint.AddressesList": addresses,
            "ReadEndPoint.Addresses.List": addresses,
            "ReadEndPoint.Ports": format!("[{}]", ports.join(", ")), "ReadEndPoint.PortsList": ports,
            "ReadEndPoint.Ports.List": ports,
        });
        Provisioned::with(id, attributes)
    }

    /// How many nodes a template asks for, if it does. A number that is taken out goes back to what a create without one makes.
    fn nodes(old: &Value, new: &Value) -> Option<usize> {
        let given = |of: &Value| {
            let replicas = || of["ReplicasPerNodeGroup"].as_u64().map(|count| count + 1);
            of["NumCacheClusters"].as_u64().or_else(replicas).and_then(|count| usize::try_from(count).ok())
        };
        given(new).or_else(|| given(old).map(|_| new.list("PreferredCacheClusterAZs").len().max(1)))
    }

    async fn scale(cx: &ResourceContext, id: &str, operation: &str, nodes: usize) -> Result<(), Fault> {
        let input = json!({"ReplicationGroupId": id, "NewReplicaCount": nodes - 1, "ApplyImmediately": true});
        cx.ask(operation, input).await.map(drop)
    }
}

#[async_trait]
impl Provider for ReplicationGroup {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = cx.hyphenated_name(properties, "ReplicationGroupId", 40);
        let mut input = properties.clone();
        input["ReplicationGroupId"] = json!(id);
        input["Tags"] = cx.tags(properties);
        let tags = async { tags_of(cx, ReplicationGroup::find(cx, &id).await?.text("ARN")).await };
        cx.make("CreateReplicationGroup", input, tags).await?;
        ReplicationGroup::provisioned(cx, &id).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let group = ReplicationGroup::available(cx, id).await?;
        let now = group.list("MemberClusters").len().max(1);
        let nodes = ReplicationGroup::nodes(old, new).unwrap_or(now).max(1);
        // Automatic failover needs a replica: more come before it is turned on, fewer after it is turned off.
        if nodes > now {
            ReplicationGroup::scale(cx, id, "IncreaseReplicaCount", nodes).await?;
        }
        let mut input = new.pick(&new.changed(old, CHANGEABLE));
        if old["AuthToken"] != new["AuthToken"] {
            input["AuthToken"] = new["AuthToken"].clone();
            input["AuthTokenUpdateStrategy"] = json!(if new["AuthToken"].is_null() { "DELETE" } else { "SET" });
        }
        if input != json!({}) {
            // Express mode has no wait of its own, and what has just got its replicas takes no other change yet.
            ReplicationGroup::available(cx, id).await?;
            input["ReplicationGroupId"] = json!(id);
            input["ApplyImmediately"] = json!(true);
            cx.ask("ModifyReplicationGroup", input).await?;
        }
        if nodes < now {
            ReplicationGroup::scale(cx, id, "DecreaseReplicaCount", nodes).await?;
        }
        retag(cx, group.text("ARN"), old, new).await?;
        ReplicationGroup::provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        let what = format!("Replication group {id}");
        let look = || async {
            let answer = cx.ask("DeleteReplicationGroup", json!({"ReplicationGroupId": id})).await;
            match answer.map_err(ResourceFault::from) {
                Err(failed) if failed.is_not_found() => Ok(Look::Settled(())),
                // Still being made, or on its way out: either ends.
                Err(failed) if failed.fault.code != "InvalidReplicationGroupState" => Err(failed),
                _ => Ok(Look::Still("being deleted".to_owned())),
            }
        };
        until(&what, look).await
    }
}

struct SubnetGroup;

impl SubnetGroup {
    fn arn(cx: &ResourceContext, name: &str) -> String {
        cx.scope.arn("elasticache", format!("subnetgroup:{name}"))
    }

    /// What making and changing one says.
    fn input(name: &str, properties: &Value) -> Value {
        json!({
            "CacheSubnetGroupName": name, "CacheSubnetGroupDescription": properties["Description"],
            "SubnetIds": properties["SubnetIds"],
        })
    }
}

#[async_trait]
impl Provider for SubnetGroup {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let name = cx.hyphenated_name(properties, "CacheSubnetGroupName", 255);
        let mut input = SubnetGroup::input(&name, properties);
        input["Tags"] = cx.tags(properties);
        cx.make("CreateCacheSubnetGroup", input, tags_of(cx, &SubnetGroup::arn(cx, &name))).await?;
        Ok(Provisioned::named(name))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        cx.ask("ModifyCacheSubnetGroup", SubnetGroup::input(id, new)).await?;
        retag(cx, &SubnetGroup::arn(cx, id), old, new).await?;
        Ok(Provisioned::named(id))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteCacheSubnetGroup", json!({"CacheSubnetGroupName": id})).await
    }
}

struct ParameterGroup;

impl ParameterGroup {
    fn arn(cx: &ResourceContext, name: &str) -> String {
        cx.scope.arn("elasticache", format!("parametergroup:{name}"))
    }

    async fn set(cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), Fault> {
        let pairs = properties.members("Properties");
        let values: Vec<Value> =
            pairs.map(|(name, value)| json!({"ParameterName": name, "ParameterValue": value.to_text()})).collect();
        if values.is_empty() {
            return Ok(());
        }
        let input = json!({"CacheParameterGroupName": name, "ParameterNameValues": values});
        cx.ask("ModifyCacheParameterGroup", input).await.map(drop)
    }
}

#[async_trait]
impl Provider for ParameterGroup {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        // Nobody names it: to CloudFormation the name is an attribute.
        let name = cx.hyphenated_name(&Value::Null, "CacheParameterGroupName", 255);
        let mut input = properties.pick(&["CacheParameterGroupFamily", "Description"]);
        input["CacheParameterGroupName"] = json!(name);
        input["Tags"] = cx.tags(properties);
        cx.make("CreateCacheParameterGroup", input, tags_of(cx, &ParameterGroup::arn(cx, &name))).await?;
        ParameterGroup::set(cx, &name, properties).await.unfinished(&name)?;
        Ok(Provisioned::with(&name, json!({"CacheParameterGroupName": name})))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let gone = old.members("Properties").filter(|(name, _)| new["Properties"].get(name.as_str()).is_none());
        let gone: Vec<Value> = gone.map(|(name, _)| json!({"ParameterName": name})).collect();
        if !gone.is_empty() {
            let input = json!({"CacheParameterGroupName": id, "ParameterNameValues": gone});
            cx.ask("ResetCacheParameterGroup", input).await?;
        }
        ParameterGroup::set(cx, id, new).await?;
        retag(cx, &ParameterGroup::arn(cx, id), old, new).await?;
        Ok(Provisioned::with(id, json!({"CacheParameterGroupName": id})))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteCacheParameterGroup", json!({"CacheParameterGroupName": id})).await
    }
}
