//! Replication groups.

use serde::Deserialize;
use serde_json::{Value, json};

use super::create::CreateGroup;
use super::{Answer, Service, page, parameters};
use crate::call::Call;
use crate::process::port;
use crate::services::elasticache::ElastiCache;
use crate::services::elasticache::faults::{CacheFault, Kind};
use crate::services::elasticache::state::{Group, Node, Status};
use crate::services::elasticache::{node, versions, views};

/// CreateReplicationGroup. Answers at once with `creating`; the nodes come up behind it.
pub(in super::super) async fn create(service: Service, call: &Call, input: CreateGroup) -> Answer {
    service.cloud.engines.cache().map_err(CacheFault::NoEngine)?;
    let (mut group, tags) = input.check(&service, call)?;
    let known = service.caches.get().group(&call.scope.region, &group.id).is_some();
    if known {
        return Err(CacheFault::AlreadyExists(Kind::ReplicationGroup, group.id));
    }
    for at in 0..group.nodes.len() {
        let interface = service.take_interface(call, &group, at).await?;
        group.nodes[at].interface = interface;
    }
    let id = group.id.clone();
    let view = views::replication_group(&call.scope, &group);
    let interfaces: Vec<Option<String>> = group.nodes.iter().map(|node| node.interface.clone()).collect();
    let now = service.cloud.clock.now();
    let created = service.caches.change(|caches| {
        let region = caches.of(&call.scope.region);
        if region.groups.contains_key(&group.id) {
            return Err(CacheFault::AlreadyExists(Kind::ReplicationGroup, group.id));
        }
        region.tags.insert(views::group_arn(&call.scope, &group.id), tags);
        region.tell("replication-group", &group.id, format!("Replication group {} is being created", group.id), now);
        region.groups.insert(group.id.clone(), group);
        Ok(())
    });
    if let Err(fault) = created.await {
        for interface in interfaces {
            service.release_interface(&call.scope.region, interface.as_deref()).await;
        }
        return Err(fault);
    }
    bring_up(&service, call, &id);
    Ok(json!({"ReplicationGroup": view}))
}

fn bring_up(service: &Service, call: &Call, id: &str) {
    let (service, region, id) = (service.clone(), call.scope.region.clone(), id.to_owned());
    tokio::spawn(async move { service.bring_up(&region, &id).await });
}

impl ElastiCache {
    /// A network interface in the VPC's records, so that its subnet and security groups are in use as on AWS.
    pub(super) async fn take_interface(
        &self,
        call: &Call,
        group: &Group,
        at: usize,
    ) -> Result<Option<String>, CacheFault> {
        let Some(name) = &group.subnet_group else { return Ok(None) };
        let caches = self.caches.get();
        let subnets = caches.regions.get(&call.scope.region).and_then(|region| region.subnet_groups.get(name));
        let subnet = subnets.and_then(|found| found.subnets.get(at % found.subnets.len().max(1)));
        let Some((subnet, _)) = subnet else { return Err(CacheFault::NotFound(Kind::SubnetGroup, name.clone())) };
        let input = json!({
            "SubnetId": subnet, "Groups": group.security_groups,
            "Description": format!("ElastiCache {}", group.nodes.get(at).map(|node| node.cluster.as_str()).unwrap_or_default()),
        });
        let scope = call.scope.as_service("elasticache.amazonaws.com");
        let made = self.cloud.call(&scope, "ec2", "CreateNetworkInterface", input).await;
        let made = made.map_err(|fault| CacheFault::InvalidValue(fault.message))?;
        Ok(made["NetworkInterface"]["NetworkInterfaceId"].as_str().map(str::to_owned))
    }

    pub(in super::super) async fn release_interface(&self, region: &str, interface: Option<&str>) {
        let Some(interface) = interface else { return };
        let scope = crate::scope::Scope::root(region).as_service("elasticache.amazonaws.com");
        let released =
            self.cloud.call(&scope, "ec2", "DeleteNetworkInterface", json!({"NetworkInterfaceId": interface})).await;
        if let Err(fault) = released.as_ref()
            && !fault.code.ends_with(".NotFound")
        {
            tracing::warn!(interface, %fault, "cannot release a cache node's network interface");
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeGroups {
    replication_group_id: Option<String>,
    max_records: Option<usize>,
    marker: Option<String>,
}

pub(in super::super) async fn describe(service: Service, call: &Call, input: DescribeGroups) -> Answer {
    let caches = service.caches.get();
    let groups = caches.regions.get(&call.scope.region).into_iter().flat_map(|region| region.groups.values());
    let id = input.replication_group_id.map(|id| id.to_ascii_lowercase());
    let shown = groups.filter(|group| id.as_ref().is_none_or(|id| *id == group.id));
    let shown: Vec<Value> = shown.map(|group| views::replication_group(&call.scope, group)).collect();
    match id {
        Some(id) if shown.is_empty() => Err(CacheFault::NotFound(Kind::ReplicationGroup, id)),
        _ => page("ReplicationGroups", shown, input.max_records, input.marker.as_deref()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ModifyGroup {
    replication_group_id: String,
    replication_group_description: Option<String>,
    automatic_failover_enabled: Option<bool>,
    #[serde(rename = "MultiAZEnabled")]
    multi_az_enabled: Option<bool>,
    security_group_ids: Option<Vec<String>>,
    preferred_maintenance_window: Option<String>,
    cache_parameter_group_name: Option<String>,
    engine: Option<String>,
    engine_version: Option<String>,
    cache_node_type: Option<String>,
    auto_minor_version_upgrade: Option<bool>,
    snapshot_retention_limit: Option<i64>,
    auth_token: Option<String>,
    auth_token_update_strategy: Option<String>,
    /// Changes are always made at once here.
    #[serde(default, rename = "ApplyImmediately")]
    _apply_immediately: bool,
}

/// ModifyReplicationGroup. The nodes go on running: memory, parameters and tokens change in place.
pub(in super::super) async fn modify(service: Service, call: &Call, input: ModifyGroup) -> Answer {
    let id = input.replication_group_id.to_ascii_lowercase();
    let now = service.cloud.clock.now();
    if input.snapshot_retention_limit.is_some_and(|days| days != 0) {
        return Err(CacheFault::Unsupported(
            "ModifyReplicationGroup.SnapshotRetentionLimit other than 0: there are no snapshots".to_owned(),
        ));
    }
    let changed = service.caches.change(|caches| {
        let region = caches.of(&call.scope.region);
        let parameter_group = input.cache_parameter_group_name.as_ref().map(|name| name.to_ascii_lowercase());
        let family = parameter_group
            .as_ref()
            .map(|name| region.family_of(name).ok_or_else(|| CacheFault::NotFound(Kind::ParameterGroup, name.clone())));
        let family = family.transpose()?;
        let group = region.group_mut(&id)?;
        group.must_be_available()?;
        change(group, &input)?;
        if let Some(name) = parameter_group {
            let (_, own) = versions::resolve(&group.engine, Some(&group.engine_version)).unwrap_or_default();
            if family.as_deref() != Some(own) {
                let message = format!(
                    "The parameter group {name} with DBParameterGroupFamily {} can't be used with engine {} {}",
                    family.unwrap_or_default(),
                    group.engine,
                    group.engine_version
                );
                return Err(CacheFault::Combination(message));
            }
            group.parameter_group = name;
        }
        if input.auth_token.is_some() || input.auth_token_update_strategy.is_some() {
            group.tokens = tokens(group, &input)?;
            group.tokens_changed = Some(now);
        }
        let group = group.clone();
        let values = region.values(&group.parameter_group);
        Ok((group, values))
    });
    let (group, values) = changed.await?;
    parameters::apply(&service, &group, &values).await?;
    if group.tokens_changed == Some(now) {
        let mut words = vec!["ACL".to_owned(), "SETUSER".to_owned(), "default".to_owned(), "resetpass".to_owned()];
        words.extend(node::user_passwords(&group.tokens).split(' ').map(str::to_owned));
        service.tell_nodes(&group, &[words]).await?;
    }
    Ok(json!({"ReplicationGroup": views::replication_group(&call.scope, &group)}))
}

fn change(group: &mut Group, input: &ModifyGroup) -> Result<(), CacheFault> {
    if let Some(description) = &input.replication_group_description {
        group.description.clone_from(description);
    }
    group.automatic_failover = input.automatic_failover_enabled.unwrap_or(group.automatic_failover);
    group.multi_az = input.multi_az_enabled.unwrap_or(group.multi_az);
    super::create::check_failover(group)?;
    if let Some(groups) = &input.security_group_ids {
        group.security_groups.clone_from(groups);
    }
    if let Some(window) = &input.preferred_maintenance_window {
        group.maintenance_window.clone_from(window);
    }
    group.minor_upgrades = input.auto_minor_version_upgrade.unwrap_or(group.minor_upgrades);
    if let Some(node_type) = &input.cache_node_type {
        versions::memory(node_type)
            .ok_or_else(|| CacheFault::InvalidValue(format!("Invalid cache node type: {node_type}.")))?;
        group.node_type.clone_from(node_type);
    }
    if input.engine.is_some() || input.engine_version.is_some() {
        let engine = input.engine.clone().unwrap_or_else(|| group.engine.clone());
        if group.engine == "valkey" && engine == "redis" {
            return Err(CacheFault::Combination(
                "A Valkey replication group cannot be changed to Redis OSS.".to_owned(),
            ));
        }
        let asked = input.engine_version.as_deref();
        let found = versions::resolve(&engine, asked);
        let (version, family) = found.ok_or_else(|| {
            CacheFault::InvalidValue(format!("Cannot find version {} for {engine}.", asked.unwrap_or_default()))
        })?;
        if group.parameter_group.starts_with("default.") {
            group.parameter_group = format!("default.{family}");
        }
        (group.engine, group.engine_version) = (engine, version.to_owned());
    }
    Ok(())
}

fn tokens(group: &Group, input: &ModifyGroup) -> Result<Vec<String>, CacheFault> {
    if !group.tls {
        return Err(CacheFault::Combination("AUTH token can only be used with transit encryption enabled.".to_owned()));
    }
    let given = match &input.auth_token {
        Some(token) => Some(super::create::check_token(token)?.to_owned()),
        None => None,
    };
    match (input.auth_token_update_strategy.as_deref().unwrap_or("ROTATE"), given) {
        // Both work until the new one is set.
        ("ROTATE", Some(token)) => Ok(group.tokens.iter().last().cloned().into_iter().chain([token]).collect()),
        ("SET", Some(token)) => Ok(vec![token]),
        ("DELETE", None) => Ok(Vec::new()),
        (strategy, _) => Err(CacheFault::Combination(format!(
            "AuthTokenUpdateStrategy {strategy} does not go with what was given as AuthToken."
        ))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DeleteGroup {
    replication_group_id: String,
    #[serde(default)]
    retain_primary_cluster: bool,
    final_snapshot_identifier: Option<String>,
}

/// DeleteReplicationGroup. Answers at once with `deleting`; the processes end behind it.
pub(in super::super) async fn delete(service: Service, call: &Call, input: DeleteGroup) -> Answer {
    if input.retain_primary_cluster {
        return Err(CacheFault::Unsupported("DeleteReplicationGroup.RetainPrimaryCluster".to_owned()));
    }
    if input.final_snapshot_identifier.is_some() {
        return Err(CacheFault::Unsupported(
            "DeleteReplicationGroup.FinalSnapshotIdentifier: there are no snapshots".to_owned(),
        ));
    }
    let id = input.replication_group_id.to_ascii_lowercase();
    let marked = service.caches.change(|caches| {
        let group = caches.of(&call.scope.region).group_mut(&id)?;
        if matches!(group.status, Status::Creating | Status::Deleting) {
            return Err(CacheFault::InvalidState { group: id.clone(), status: group.status.to_string() });
        }
        group.status = Status::Deleting;
        Ok(views::replication_group(&call.scope, group))
    });
    let view = marked.await?;
    let region = call.scope.region.clone();
    tokio::spawn(async move { service.remove(&region, &id).await });
    Ok(json!({"ReplicationGroup": view}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ReplicaCount {
    replication_group_id: String,
    new_replica_count: Option<usize>,
    #[serde(rename = "ApplyImmediately")]
    apply_immediately: bool,
}

impl ReplicaCount {
    fn nodes(&self) -> Result<usize, CacheFault> {
        if !self.apply_immediately {
            return Err(CacheFault::InvalidValue("ApplyImmediately must be true.".to_owned()));
        }
        let replicas = self
            .new_replica_count
            .ok_or_else(|| CacheFault::InvalidValue("NewReplicaCount must be given.".to_owned()))?;
        match replicas {
            0..=5 => Ok(replicas + 1),
            _ => Err(CacheFault::InvalidValue("NewReplicaCount must be between 0 and 5.".to_owned())),
        }
    }
}

/// IncreaseReplicaCount: real replicas, in step with the primary before the group is available again.
pub(in super::super) async fn increase(service: Service, call: &Call, input: ReplicaCount) -> Answer {
    let (id, wanted) = (input.replication_group_id.to_ascii_lowercase(), input.nodes()?);
    let caches = service.caches.get();
    let group = caches.group(&call.scope.region, &id).cloned();
    let mut group = group.ok_or_else(|| CacheFault::NotFound(Kind::ReplicationGroup, id.clone()))?;
    group.must_be_available()?;
    if wanted <= group.nodes.len() {
        return Err(CacheFault::InvalidValue(format!(
            "NewReplicaCount must be more than the {} replicas there are.",
            group.nodes.len() - 1
        )));
    }
    for at in group.nodes.len()..wanted {
        group.nodes.push(new_node(call, &group.id, at)?);
        let interface = service.take_interface(call, &group, at).await?;
        if let Some(node) = group.nodes.last_mut() {
            node.interface = interface;
        }
    }
    let changed = service.caches.change(|caches| {
        let known = caches.of(&call.scope.region).group_mut(&id)?;
        known.must_be_available()?;
        known.nodes = group.nodes;
        known.status = Status::Modifying;
        Ok::<_, CacheFault>(views::replication_group(&call.scope, known))
    });
    let view = changed.await?;
    bring_up(&service, call, &id);
    Ok(json!({"ReplicationGroup": view}))
}

/// A node to be, with a port of its own.
pub(super) fn new_node(call: &Call, group: &str, at: usize) -> Result<Node, CacheFault> {
    let port = port::free().map_err(|error| CacheFault::Other(crate::fault::Fault::internal(error)))?;
    let letters = ["a", "b", "c"];
    let zone = format!("{}{}", call.scope.region, letters[at % letters.len()]);
    Ok(Node { cluster: format!("{group}-{:03}", at + 1), port, zone, interface: None, running: false })
}

/// DecreaseReplicaCount: the last replicas go.
pub(in super::super) async fn decrease(service: Service, call: &Call, input: ReplicaCount) -> Answer {
    let (id, wanted) = (input.replication_group_id.to_ascii_lowercase(), input.nodes()?);
    let changed = service.caches.change(|caches| {
        let group = caches.of(&call.scope.region).group_mut(&id)?;
        group.must_be_available()?;
        if wanted >= group.nodes.len() {
            return Err(CacheFault::InvalidValue(format!(
                "NewReplicaCount must be less than the {} replicas there are.",
                group.nodes.len() - 1
            )));
        }
        let gone = group.nodes.split_off(wanted);
        super::create::check_failover(group)?;
        Ok((gone, views::replication_group(&call.scope, group)))
    });
    let (gone, view) = changed.await?;
    for node in gone {
        service.stop_node(&call.scope.region, &node.cluster).await;
        service.release_interface(&call.scope.region, node.interface.as_deref()).await;
    }
    Ok(json!({"ReplicationGroup": view}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct TestFailover {
    replication_group_id: String,
    #[serde(rename = "NodeGroupId")]
    _node_group_id: String,
}

/// TestFailover, always refused: nothing here promotes a replica.
pub(in super::super) async fn test_failover(service: Service, call: &Call, input: TestFailover) -> Answer {
    let id = input.replication_group_id.to_ascii_lowercase();
    match service.caches.get().group(&call.scope.region, &id) {
        Some(_) => Err(CacheFault::NoFailover),
        None => Err(CacheFault::NotFound(Kind::ReplicationGroup, id)),
    }
}
