//! What `CreateReplicationGroup` takes, and AWS's rules about it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::groups::new_node;
use super::identifier;
use super::tags::{self, Tag};
use crate::call::Call;
use crate::services::elasticache::ElastiCache;
use crate::services::elasticache::faults::{CacheFault, Kind};
use crate::services::elasticache::state::{Group, Status};
use crate::services::elasticache::versions;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateGroup {
    replication_group_id: String,
    replication_group_description: String,
    automatic_failover_enabled: Option<bool>,
    #[serde(rename = "MultiAZEnabled")]
    multi_az_enabled: Option<bool>,
    num_cache_clusters: Option<usize>,
    #[serde(rename = "PreferredCacheClusterAZs")]
    preferred_zones: Option<Vec<String>>,
    num_node_groups: Option<i64>,
    replicas_per_node_group: Option<usize>,
    cache_node_type: Option<String>,
    engine: Option<String>,
    engine_version: Option<String>,
    cache_parameter_group_name: Option<String>,
    cache_subnet_group_name: Option<String>,
    #[serde(default)]
    security_group_ids: Vec<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    preferred_maintenance_window: Option<String>,
    port: Option<i64>,
    auto_minor_version_upgrade: Option<bool>,
    snapshot_retention_limit: Option<i64>,
    auth_token: Option<String>,
    #[serde(default)]
    transit_encryption_enabled: bool,
    transit_encryption_mode: Option<String>,
    #[serde(default)]
    at_rest_encryption_enabled: bool,
    network_type: Option<String>,
    ip_discovery: Option<String>,
    cluster_mode: Option<String>,
    data_tiering_enabled: Option<bool>,
}

impl CreateGroup {
    /// The record of the group to be, and its tags.
    pub(super) fn check(
        self,
        service: &ElastiCache,
        call: &Call,
    ) -> Result<(Group, BTreeMap<String, String>), CacheFault> {
        self.refuse_unsupported()?;
        let id = identifier("ReplicationGroupId", &self.replication_group_id, 40)?;
        let node_type = self
            .cache_node_type
            .clone()
            .ok_or_else(|| CacheFault::InvalidValue("The parameter CacheNodeType must be provided.".to_owned()))?;
        versions::memory(&node_type)
            .ok_or_else(|| CacheFault::InvalidValue(format!("Invalid cache node type: {node_type}.")))?;
        let engine = self.engine.clone().unwrap_or_else(|| "redis".to_owned());
        let asked = self.engine_version.as_deref();
        let (version, family) = versions::resolve(&engine, asked).ok_or_else(|| {
            CacheFault::InvalidValue(format!("Cannot find version {} for {engine}", asked.unwrap_or("(default)")))
        })?;
        let parameter_group = self.parameter_group(service, call, (&engine, version, family))?;
        let subnet_group = self.subnet_group(service, call)?;
        let count = self.nodes()?;
        let tokens = match &self.auth_token {
            None => Vec::new(),
            Some(_) if !self.transit_encryption_enabled => {
                return Err(CacheFault::Combination(
                    "AUTH token is only supported when transit encryption is enabled.".to_owned(),
                ));
            }
            Some(token) => vec![check_token(token)?.to_owned()],
        };
        let nodes = (0..count).map(|at| new_node(call, &id, at)).collect::<Result<Vec<_>, _>>()?;
        let group = Group {
            id,
            description: self.replication_group_description,
            status: Status::Creating,
            engine,
            engine_version: version.to_owned(),
            node_type,
            nodes,
            subnet_group,
            security_groups: self.security_group_ids,
            parameter_group,
            tls: self.transit_encryption_enabled,
            at_rest: self.at_rest_encryption_enabled,
            automatic_failover: self.automatic_failover_enabled.unwrap_or(false),
            multi_az: self.multi_az_enabled.unwrap_or(false),
            minor_upgrades: self.auto_minor_version_upgrade.unwrap_or(true),
            maintenance_window: self
                .preferred_maintenance_window
                .unwrap_or_else(|| versions::MAINTENANCE_WINDOW.to_owned()),
            tokens_changed: (!tokens.is_empty()).then(|| service.cloud.clock.now()),
            tokens,
            secret: service.cloud.ids.lower(40),
            created: service.cloud.clock.now(),
        };
        check_failover(&group)?;
        Ok((group, tags::checked(&call.scope, self.tags)?))
    }

    /// What AWS has and this does not, each by its name.
    fn refuse_unsupported(&self) -> Result<(), CacheFault> {
        let is = |value: &Option<String>, only: &str| value.as_deref().is_none_or(|value| value == only);
        let refused = [
            (self.num_node_groups.is_some_and(|count| count != 1), "NumNodeGroups other than 1 (cluster mode)"),
            (!is(&self.cluster_mode, "disabled"), "ClusterMode other than disabled"),
            (
                self.snapshot_retention_limit.is_some_and(|days| days != 0),
                "SnapshotRetentionLimit other than 0: there are no snapshots",
            ),
            (!is(&self.transit_encryption_mode, "required"), "TransitEncryptionMode other than required"),
            (!is(&self.network_type, "ipv4"), "NetworkType other than ipv4"),
            (!is(&self.ip_discovery, "ipv4"), "IpDiscovery other than ipv4"),
            (self.data_tiering_enabled == Some(true), "DataTieringEnabled"),
        ];
        if let Some((_, what)) = refused.into_iter().find(|(is_refused, _)| *is_refused) {
            return Err(CacheFault::Unsupported(format!("CreateReplicationGroup.{what}")));
        }
        if self.transit_encryption_mode.is_some() && !self.transit_encryption_enabled {
            return Err(CacheFault::Combination(
                "TransitEncryptionMode can only be used with TransitEncryptionEnabled.".to_owned(),
            ));
        }
        // The port is one of this machine, and every node has its own: the endpoint says which.
        if self.port.is_some_and(|port| !(1150..=65535).contains(&port)) {
            return Err(CacheFault::InvalidValue("Port must be between 1150 and 65535.".to_owned()));
        }
        Ok(())
    }

    fn nodes(&self) -> Result<usize, CacheFault> {
        let by_replicas = self.replicas_per_node_group.map(|replicas| replicas + 1);
        let count = match (self.num_cache_clusters, by_replicas) {
            (Some(one), Some(other)) if one != other => {
                return Err(CacheFault::Combination(
                    "Use only one of NumCacheClusters and ReplicasPerNodeGroup.".to_owned(),
                ));
            }
            (Some(count), _) | (None, Some(count)) => count,
            (None, None) => self.preferred_zones.as_ref().map_or(1, Vec::len),
        };
        match count {
            1..=6 => Ok(count),
            _ => Err(CacheFault::InvalidValue(format!(
                "Invalid number of cache clusters: {count}. A replication group has 1 to 6."
            ))),
        }
    }

    fn parameter_group(
        &self,
        service: &ElastiCache,
        call: &Call,
        (engine, version, family): (&str, &str, &str),
    ) -> Result<String, CacheFault> {
        let Some(name) = &self.cache_parameter_group_name else { return Ok(format!("default.{family}")) };
        let name = name.to_ascii_lowercase();
        let caches = service.caches.get();
        let none = super::super::state::Region::default();
        let found = caches.regions.get(&call.scope.region).unwrap_or(&none).family_of(&name);
        match found {
            None => Err(CacheFault::NotFound(Kind::ParameterGroup, name)),
            Some(found) if found == family => Ok(name),
            Some(found) => Err(CacheFault::Combination(format!(
                "Expected a parameter group of family {family} but found one of family {found}: {name} with engine {engine} {version}"
            ))),
        }
    }

    fn subnet_group(&self, service: &ElastiCache, call: &Call) -> Result<Option<String>, CacheFault> {
        let Some(name) = &self.cache_subnet_group_name else { return Ok(None) };
        let name = name.to_ascii_lowercase();
        let caches = service.caches.get();
        let found =
            caches.regions.get(&call.scope.region).is_some_and(|region| region.subnet_groups.contains_key(&name));
        if found { Ok(Some(name)) } else { Err(CacheFault::NotFound(Kind::SubnetGroup, name)) }
    }
}

/// Failover needs somewhere to go.
pub(super) fn check_failover(group: &Group) -> Result<(), CacheFault> {
    if group.automatic_failover && group.nodes.len() < 2 {
        let message =
            "When using automatic failover, there must be at least 2 cache clusters in the replication group."
                .to_owned();
        return Err(CacheFault::Combination(message));
    }
    if group.multi_az && !group.automatic_failover {
        return Err(CacheFault::Combination("Multi-AZ needs automatic failover to be enabled.".to_owned()));
    }
    Ok(())
}

/// AWS's rule for tokens: 16 to 128 printable characters, of the special ones only `! & # $ ^ < > -`.
pub(super) fn check_token(token: &str) -> Result<&str, CacheFault> {
    let good = |c: char| c.is_ascii_alphanumeric() || "!&#$^<>-".contains(c);
    match (16..=128).contains(&token.len()) && token.chars().all(good) {
        true => Ok(token),
        false => Err(CacheFault::InvalidValue(
            "Invalid AuthToken provided: 16 to 128 letters, digits and the characters ! & # $ ^ < > -".to_owned(),
        )),
    }
}
