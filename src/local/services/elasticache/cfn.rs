//! ElastiCache's resource types for CloudFormation.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) fn types() -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(ReplicationGroup), Arc::new(SubnetGroup), Arc::new(ParameterGroup)]
}

type Made = Result<Provisioned, ResourceFault>;

async fn send(cx: &ResourceContext, operation: &str, input: Value) -> Result<Value, Fault> {
    let scope = cx.scope.as_service("cloudformation.amazonaws.com");
    let input = match input {
        Value::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    };
    cx.cloud.call(&scope, "elasticache", operation, input).await
}

/// How long a group may take to come or go, and how soon it is looked at again.
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(20);

fn not_stabilized(reason: String) -> ResourceFault {
    ResourceFault::new("NotStabilized", reason)
}

fn is_gone(fault: &Fault) -> bool {
    fault.code.contains("NotFound")
}

fn only(type_name: &str, properties: &Value, known: &[&str]) -> Result<(), Fault> {
    let mut names = properties.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    match names.find(|name| !known.contains(name)) {
        Some(name) => Err(Fault::unsupported(format!("the property {name} of {type_name}"))),
        None => Ok(()),
    }
}

/// Templates may write numbers and booleans as text.
fn typed(value: &Value) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(text)
            .ok()
            .filter(|value: &Value| value.is_boolean() || value.is_i64())
            .unwrap_or_else(|| value.clone()),
        other => other.clone(),
    }
}

fn made(id: &str, attributes: Value) -> Provisioned {
    let attributes = match attributes {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    Provisioned { physical_id: id.to_owned(), reference: None, attributes }
}

/// Tags that mark what one create made, so that the same create, tried again, finds it.
async fn is_ours(cx: &ResourceContext, arn: &str) -> Result<bool, Fault> {
    let tags = send(cx, "ListTagsForResource", json!({"ResourceName": arn})).await?;
    let wanted = [
        ("aws:cloudformation:stack-id", cx.stack_id.as_str()),
        ("aws:cloudformation:logical-id", cx.logical_id.as_str()),
    ];
    let has = |key: &str, value: &str| {
        tags["TagList"].as_array().into_iter().flatten().any(|tag| tag["Key"] == key && tag["Value"] == value)
    };
    Ok(wanted.iter().all(|(key, value)| has(key, value)))
}

async fn retag(cx: &ResourceContext, arn: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let tags = cx.tags(new.get("Tags"));
    let kept = |key: &Value| tags.as_array().into_iter().flatten().any(|tag| tag["Key"] == *key);
    let gone: Vec<Value> =
        old["Tags"].as_array().into_iter().flatten().map(|tag| tag["Key"].clone()).filter(|key| !kept(key)).collect();
    if !gone.is_empty() {
        send(cx, "RemoveTagsFromResource", json!({"ResourceName": arn, "TagKeys": gone})).await?;
    }
    if tags.as_array().is_some_and(|tags| !tags.is_empty()) {
        send(cx, "AddTagsToResource", json!({"ResourceName": arn, "Tags": tags})).await?;
    }
    Ok(())
}

struct ReplicationGroup;

impl ReplicationGroup {
    const KNOWN: &'static [&'static str] = &[
        "ReplicationGroupId",
        "ReplicationGroupDescription",
        "AutomaticFailoverEnabled",
        "MultiAZEnabled",
        "NumCacheClusters",
        "PreferredCacheClusterAZs",
        "NumNodeGroups",
        "ReplicasPerNodeGroup",
        "CacheNodeType",
        "Engine",
        "EngineVersion",
        "CacheParameterGroupName",
        "CacheSubnetGroupName",
        "SecurityGroupIds",
        "Tags",
        "PreferredMaintenanceWindow",
        "Port",
        "AutoMinorVersionUpgrade",
        "SnapshotRetentionLimit",
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
    const CHANGEABLE: &'static [&'static str] = &[
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

    async fn find(cx: &ResourceContext, id: &str) -> Result<Value, Fault> {
        let output = send(cx, "DescribeReplicationGroups", json!({"ReplicationGroupId": id})).await?;
        Ok(output["ReplicationGroups"][0].clone())
    }

    /// Waits for `available`. Express mode does not wait, but endpoints are known from the start.
    async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let group = ReplicationGroup::find(cx, id).await?;
            match group["Status"].as_str().unwrap_or_default() {
                "available" => return Ok(ReplicationGroup::made(id, &group)),
                "creating" | "modifying" if cx.express => return Ok(ReplicationGroup::made(id, &group)),
                "creating" | "modifying" if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                status => {
                    let why = ReplicationGroup::last_event(cx, id).await;
                    return Err(not_stabilized(format!("Replication group {id} is {status}: {why}")));
                }
            }
        }
    }

    async fn last_event(cx: &ResourceContext, id: &str) -> String {
        let events =
            send(cx, "DescribeEvents", json!({"SourceIdentifier": id, "SourceType": "replication-group"})).await;
        let events = events.unwrap_or_default();
        let last = events["Events"].as_array().and_then(|events| events.last());
        last.and_then(|event| event["Message"].as_str()).unwrap_or("no event says why").to_owned()
    }

    fn made(id: &str, group: &Value) -> Provisioned {
        let node_group = &group["NodeGroups"][0];
        // Lists appear in CloudFormation with brackets around strings.
        let members = node_group["NodeGroupMembers"].as_array().cloned().unwrap_or_default();
        let of = |name: &str| members.iter().map(|member| text_of(&member["ReadEndpoint"][name])).collect::<Vec<_>>();
        let (addresses, ports) = (of("Address"), of("Port"));
        made(
            id,
            json!({
                "PrimaryEndPoint.Address": node_group["PrimaryEndpoint"]["Address"],
                "PrimaryEndPoint.Port": text_of(&node_group["PrimaryEndpoint"]["Port"]),
                "ReaderEndPoint.Address": node_group["ReaderEndpoint"]["Address"],
                "ReaderEndPoint.Port": text_of(&node_group["ReaderEndpoint"]["Port"]),
                "ReadEndPoint.Addresses": format!("[{}]", addresses.join(", ")), "ReadEndPoint.Addresses.List": addresses,
                "ReadEndPoint.Ports": format!("[{}]", ports.join(", ")), "ReadEndPoint.Ports.List": ports,
            }),
        )
    }

    async fn change_replicas(cx: &ResourceContext, id: &str, new: &Value) -> Result<(), Fault> {
        let wanted = typed(&new["NumCacheClusters"])
            .as_u64()
            .or_else(|| typed(&new["ReplicasPerNodeGroup"]).as_u64().map(|count| count + 1));
        let now = ReplicationGroup::find(cx, id).await?["MemberClusters"].as_array().map_or(1, Vec::len) as u64;
        let operation = match wanted {
            Some(wanted) if wanted > now => "IncreaseReplicaCount",
            Some(wanted) if wanted < now && wanted > 0 => "DecreaseReplicaCount",
            _ => return Ok(()),
        };
        let count = wanted.unwrap_or(now) - 1;
        send(cx, operation, json!({"ReplicationGroupId": id, "NewReplicaCount": count, "ApplyImmediately": true}))
            .await
            .map(|_| ())
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[async_trait]
impl ResourceType for ReplicationGroup {
    fn type_name(&self) -> &'static str {
        "AWS::ElastiCache::ReplicationGroup"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(self.type_name(), properties, ReplicationGroup::KNOWN)?;
        let id = properties["ReplicationGroupId"].as_str().map_or_else(|| cx.generated_name(40), str::to_owned);
        let id = id.replace("--", "-").to_ascii_lowercase();
        let members = properties.as_object().into_iter().flatten();
        let mut input: Map<String, Value> = members
            .map(|(name, value)| {
                (name.clone(), if KEPT_TEXT.contains(&name.as_str()) { value.clone() } else { typed(value) })
            })
            .collect();
        input.insert("ReplicationGroupId".to_owned(), json!(id));
        input.insert("Tags".to_owned(), cx.tags(properties.get("Tags")));
        match send(cx, "CreateReplicationGroup", Value::Object(input)).await {
            Err(fault) if fault.code == "ReplicationGroupAlreadyExists" => {
                let arn = ReplicationGroup::find(cx, &id).await?["ARN"].clone();
                if !is_ours(cx, arn.as_str().unwrap_or_default()).await? {
                    return Err(fault.into());
                }
            }
            Err(fault) => return Err(fault.into()),
            Ok(_) => {}
        }
        ReplicationGroup::provisioned(cx, &id).await.unfinished(&id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        only(self.type_name(), new, ReplicationGroup::KNOWN)?;
        ReplicationGroup::provisioned(cx, id).await?;
        // Replicas first: automatic failover needs one.
        ReplicationGroup::change_replicas(cx, id, new).await?;
        ReplicationGroup::provisioned(cx, id).await?;
        let mut input = json!({"ReplicationGroupId": id, "ApplyImmediately": true});
        for name in ReplicationGroup::CHANGEABLE.iter().filter(|name| old[**name] != new[**name]) {
            input[*name] = if KEPT_TEXT.contains(name) { new[*name].clone() } else { typed(&new[*name]) };
        }
        if old["AuthToken"] != new["AuthToken"] {
            input["AuthToken"] = new["AuthToken"].clone();
            input["AuthTokenUpdateStrategy"] = json!(if new["AuthToken"].is_null() { "DELETE" } else { "SET" });
        }
        let output = send(cx, "ModifyReplicationGroup", input).await?;
        retag(cx, output["ReplicationGroup"]["ARN"].as_str().unwrap_or_default(), old, new).await?;
        ReplicationGroup::provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match send(cx, "DeleteReplicationGroup", json!({"ReplicationGroupId": id})).await {
                Err(fault) if is_gone(&fault) => return Ok(()),
                // Still being made, or on its way out: either ends.
                Err(fault) if fault.code != "InvalidReplicationGroupState" => return Err(fault.into()),
                _ if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                _ => return Err(not_stabilized(format!("Replication group {id} is still being deleted"))),
            }
        }
    }
}

/// Properties whose digits are text: a version `8.0` is no number.
const KEPT_TEXT: &[&str] = &["EngineVersion", "AuthToken", "ReplicationGroupDescription", "ReplicationGroupId", "Tags"];

struct SubnetGroup;

impl SubnetGroup {
    fn arn(cx: &ResourceContext, name: &str) -> String {
        cx.scope.arn("elasticache", format!("subnetgroup:{name}"))
    }
}

#[async_trait]
impl ResourceType for SubnetGroup {
    fn type_name(&self) -> &'static str {
        "AWS::ElastiCache::SubnetGroup"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(self.type_name(), properties, &["CacheSubnetGroupName", "Description", "SubnetIds", "Tags"])?;
        let name = properties["CacheSubnetGroupName"].as_str().map_or_else(|| cx.generated_name(255), str::to_owned);
        let name = name.replace("--", "-").to_ascii_lowercase();
        let input = json!({
            "CacheSubnetGroupName": name, "CacheSubnetGroupDescription": properties["Description"],
            "SubnetIds": properties["SubnetIds"], "Tags": cx.tags(properties.get("Tags")),
        });
        match send(cx, "CreateCacheSubnetGroup", input).await {
            Err(fault)
                if fault.code == "CacheSubnetGroupAlreadyExists"
                    && is_ours(cx, &SubnetGroup::arn(cx, &name)).await? => {}
            Err(fault) => return Err(fault.into()),
            Ok(_) => {}
        }
        Ok(made(&name, Value::Null))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let input = json!({
            "CacheSubnetGroupName": id, "CacheSubnetGroupDescription": new["Description"], "SubnetIds": new["SubnetIds"],
        });
        send(cx, "ModifyCacheSubnetGroup", input).await?;
        retag(cx, &SubnetGroup::arn(cx, id), old, new).await?;
        Ok(made(id, Value::Null))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        match send(cx, "DeleteCacheSubnetGroup", json!({"CacheSubnetGroupName": id})).await {
            Err(fault) if !is_gone(&fault) => Err(fault.into()),
            _ => Ok(()),
        }
    }
}

struct ParameterGroup;

impl ParameterGroup {
    fn values(properties: &Value) -> Vec<Value> {
        let pairs = properties["Properties"].as_object().into_iter().flatten();
        pairs.map(|(name, value)| json!({"ParameterName": name, "ParameterValue": text_of(value)})).collect()
    }

    async fn set(cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), Fault> {
        let values = ParameterGroup::values(properties);
        if values.is_empty() {
            return Ok(());
        }
        let input = json!({"CacheParameterGroupName": name, "ParameterNameValues": values});
        send(cx, "ModifyCacheParameterGroup", input).await.map(|_| ())
    }

    fn arn(cx: &ResourceContext, name: &str) -> String {
        cx.scope.arn("elasticache", format!("parametergroup:{name}"))
    }
}

#[async_trait]
impl ResourceType for ParameterGroup {
    fn type_name(&self) -> &'static str {
        "AWS::ElastiCache::ParameterGroup"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(
            self.type_name(),
            properties,
            &["CacheParameterGroupFamily", "Description", "Properties", "Tags", "CacheParameterGroupName"],
        )?;
        let name = properties["CacheParameterGroupName"].as_str().map_or_else(|| cx.generated_name(255), str::to_owned);
        let name = name.replace("--", "-").to_ascii_lowercase();
        let input = json!({
            "CacheParameterGroupName": name, "CacheParameterGroupFamily": properties["CacheParameterGroupFamily"],
            "Description": properties["Description"], "Tags": cx.tags(properties.get("Tags")),
        });
        match send(cx, "CreateCacheParameterGroup", input).await {
            Err(fault)
                if fault.code == "CacheParameterGroupAlreadyExists"
                    && is_ours(cx, &ParameterGroup::arn(cx, &name)).await? => {}
            Err(fault) => return Err(fault.into()),
            Ok(_) => {}
        }
        ParameterGroup::set(cx, &name, properties).await.unfinished(&name)?;
        Ok(made(&name, json!({"CacheParameterGroupName": name})))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let gone = old["Properties"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| new["Properties"].get(name.as_str()).is_none());
        let gone: Vec<Value> = gone.map(|(name, _)| json!({"ParameterName": name})).collect();
        if !gone.is_empty() {
            send(cx, "ResetCacheParameterGroup", json!({"CacheParameterGroupName": id, "ParameterNameValues": gone}))
                .await?;
        }
        ParameterGroup::set(cx, id, new).await?;
        retag(cx, &ParameterGroup::arn(cx, id), old, new).await?;
        Ok(made(id, json!({"CacheParameterGroupName": id})))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        match send(cx, "DeleteCacheParameterGroup", json!({"CacheParameterGroupName": id})).await {
            Err(fault) if !is_gone(&fault) => Err(fault.into()),
            _ => Ok(()),
        }
    }
}
