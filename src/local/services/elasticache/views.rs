//! Records in the shapes of the service model.

use serde_json::{Value, json};

use super::state::{Group, Node, Region, SubnetGroup};
use crate::scope::Scope;

fn endpoint(port: u16) -> Value {
    json!({"Address": "127.0.0.1", "Port": port})
}

const fn on_off(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

pub(super) fn group_arn(scope: &Scope, id: &str) -> String {
    scope.arn("elasticache", format!("replicationgroup:{id}"))
}

pub(super) fn replication_group(scope: &Scope, group: &Group) -> Value {
    let members = group.nodes.iter().enumerate().map(|(at, node)| {
        json!({
            "CacheClusterId": node.cluster, "CacheNodeId": "0001", "ReadEndpoint": endpoint(node.port),
            "PreferredAvailabilityZone": node.zone, "CurrentRole": if at == 0 { "primary" } else { "replica" },
        })
    });
    let members: Vec<Value> = members.collect();
    let clusters: Vec<&str> = group.nodes.iter().map(|node| node.cluster.as_str()).collect();
    let mut view = json!({
        "ReplicationGroupId": group.id, "Description": group.description, "Status": group.status.to_string(),
        "PendingModifiedValues": {}, "MemberClusters": clusters, "AutomaticFailover": on_off(group.automatic_failover),
        "MultiAZ": on_off(group.multi_az), "SnapshotRetentionLimit": 0, "ClusterEnabled": false, "CacheNodeType": group.node_type,
        "AuthTokenEnabled": !group.tokens.is_empty(), "TransitEncryptionEnabled": group.tls, "AtRestEncryptionEnabled": group.at_rest,
        "ARN": group_arn(scope, &group.id), "ReplicationGroupCreateTime": group.created, "UserGroupIds": [], "LogDeliveryConfigurations": [],
        "AutoMinorVersionUpgrade": group.minor_upgrades, "NetworkType": "ipv4", "IpDiscovery": "ipv4", "ClusterMode": "disabled",
        "DataTiering": "disabled", "Engine": group.engine,
        "NodeGroups": [{
            "NodeGroupId": "0001", "Status": group.status.to_string(), "PrimaryEndpoint": endpoint(group.primary_port()),
            "ReaderEndpoint": endpoint(group.reader_port()), "NodeGroupMembers": members,
        }],
    });
    if group.tls {
        view["TransitEncryptionMode"] = json!("required");
    }
    if let Some(changed) = group.tokens_changed {
        view["AuthTokenLastModifiedDate"] = json!(changed);
    }
    view
}

pub(super) fn cache_cluster(scope: &Scope, group: &Group, node: &Node, with_nodes: bool) -> Value {
    let status = if node.running { "available".to_owned() } else { group.status.to_string() };
    let groups = group.security_groups.iter().map(|id| json!({"SecurityGroupId": id, "Status": "active"}));
    let groups: Vec<Value> = groups.collect();
    let mut view = json!({
        "CacheClusterId": node.cluster, "CacheNodeType": group.node_type, "Engine": group.engine,
        "EngineVersion": patch_level(&group.engine_version), "CacheClusterStatus": status, "NumCacheNodes": 1,
        "PreferredAvailabilityZone": node.zone, "CacheClusterCreateTime": group.created,
        "PreferredMaintenanceWindow": group.maintenance_window, "PendingModifiedValues": {}, "CacheSecurityGroups": [],
        "CacheParameterGroup": {
            "CacheParameterGroupName": group.parameter_group, "ParameterApplyStatus": "in-sync", "CacheNodeIdsToReboot": [],
        },
        "AutoMinorVersionUpgrade": group.minor_upgrades, "SecurityGroups": groups, "ReplicationGroupId": group.id,
        "SnapshotRetentionLimit": 0, "AuthTokenEnabled": !group.tokens.is_empty(), "TransitEncryptionEnabled": group.tls,
        "AtRestEncryptionEnabled": group.at_rest, "ARN": scope.arn("elasticache", format!("cluster:{}", node.cluster)),
        "ReplicationGroupLogDeliveryEnabled": false, "LogDeliveryConfigurations": [], "NetworkType": "ipv4", "IpDiscovery": "ipv4",
    });
    if let Some(name) = &group.subnet_group {
        view["CacheSubnetGroupName"] = json!(name);
    }
    if with_nodes {
        view["CacheNodes"] = json!([{
            "CacheNodeId": "0001", "CacheNodeStatus": status, "CacheNodeCreateTime": group.created, "Endpoint": endpoint(node.port),
            "ParameterGroupStatus": "in-sync", "CustomerAvailabilityZone": node.zone,
        }]);
    }
    view
}

/// Clusters show three numbers: `8.0` is `8.0.0`.
fn patch_level(version: &str) -> String {
    if version.split('.').count() < 3 { format!("{version}.0") } else { version.to_owned() }
}

pub(super) fn subnet_group(scope: &Scope, name: &str, group: &SubnetGroup) -> Value {
    let subnets = group.subnets.iter().map(|(subnet, zone)| {
        json!({"SubnetIdentifier": subnet, "SubnetAvailabilityZone": {"Name": zone}, "SupportedNetworkTypes": ["ipv4"]})
    });
    let subnets: Vec<Value> = subnets.collect();
    json!({
        "CacheSubnetGroupName": name, "CacheSubnetGroupDescription": group.description, "VpcId": group.vpc, "Subnets": subnets,
        "ARN": scope.arn("elasticache", format!("subnetgroup:{name}")), "SupportedNetworkTypes": ["ipv4"],
    })
}

pub(super) fn parameter_group(scope: &Scope, region: &Region, name: &str) -> Value {
    let (family, description) = match region.parameter_groups.get(name) {
        Some(group) => (group.family.clone(), group.description.clone()),
        None => {
            let family = name.trim_start_matches("default.").to_owned();
            let description = format!("Default parameter group for {family}");
            (family, description)
        }
    };
    json!({
        "CacheParameterGroupName": name, "CacheParameterGroupFamily": family, "Description": description, "IsGlobal": false,
        "ARN": scope.arn("elasticache", format!("parametergroup:{name}")),
    })
}
