//! Replication groups, subnet groups and parameter groups as records.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::faults::{CacheFault, Kind};
use crate::clock::Timestamp;

/// Everything, by region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Caches {
    pub(super) regions: BTreeMap<String, Region>,
}

impl Caches {
    pub(super) fn of(&mut self, region: &str) -> &mut Region {
        self.regions.entry(region.to_owned()).or_default()
    }

    pub(super) fn group(&self, region: &str, id: &str) -> Option<&Group> {
        self.regions.get(region)?.groups.get(id)
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Region {
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) subnet_groups: BTreeMap<String, SubnetGroup>,
    pub(super) parameter_groups: BTreeMap<String, ParameterGroup>,
    /// By ARN.
    pub(super) tags: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) events: VecDeque<Event>,
}

/// Where a group is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Status {
    Creating,
    Available,
    /// Also while a node that ended is brought back.
    Modifying,
    Deleting,
    CreateFailed,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Creating => "creating",
            Status::Available => "available",
            Status::Modifying => "modifying",
            Status::Deleting => "deleting",
            Status::CreateFailed => "create-failed",
        })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) description: String,
    pub(super) status: Status,
    /// As the user asked for it.
    pub(super) engine: String,
    pub(super) engine_version: String,
    pub(super) node_type: String,
    /// The first is the primary.
    pub(super) nodes: Vec<Node>,
    pub(super) subnet_group: Option<String>,
    pub(super) security_groups: Vec<String>,
    pub(super) parameter_group: String,
    pub(super) tls: bool,
    /// Asked for; nothing rests here, as nodes write no file.
    pub(super) at_rest: bool,
    pub(super) automatic_failover: bool,
    pub(super) multi_az: bool,
    pub(super) minor_upgrades: bool,
    pub(super) maintenance_window: String,
    /// What clients authenticate with; several while one is rotated. Never shown.
    pub(super) tokens: Vec<String>,
    pub(super) tokens_changed: Option<Timestamp>,
    /// How the local cloud itself talks to the nodes, and replicas to their primary. Never shown.
    pub(super) secret: String,
    pub(super) created: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) cluster: String,
    pub(super) port: u16,
    pub(super) zone: String,
    /// Its network interface in the VPC's records.
    pub(super) interface: Option<String>,
    pub(super) running: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SubnetGroup {
    pub(super) description: String,
    pub(super) vpc: String,
    /// Subnet and its zone.
    pub(super) subnets: Vec<(String, String)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ParameterGroup {
    pub(super) family: String,
    pub(super) description: String,
    pub(super) values: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) source: String,
    /// `replication-group`, `cache-cluster`, …
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) at: Timestamp,
}

impl Region {
    /// AWS keeps 14 days of events; this keeps the last few hundred.
    const EVENTS: usize = 300;

    pub(super) fn tell(&mut self, kind: &str, source: &str, message: impl Into<String>, at: Timestamp) {
        if self.events.len() >= Region::EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event { source: source.into(), kind: kind.into(), message: message.into(), at });
    }

    pub(super) fn group_mut(&mut self, id: &str) -> Result<&mut Group, CacheFault> {
        self.groups.get_mut(id).ok_or_else(|| CacheFault::NotFound(Kind::ReplicationGroup, id.to_owned()))
    }

    /// Is it a group of the user's or one of AWS's defaults?
    pub(super) fn family_of(&self, parameter_group: &str) -> Option<String> {
        match parameter_group.strip_prefix("default.") {
            Some(family) => super::versions::FAMILIES.contains(&family).then(|| family.to_owned()),
            None => self.parameter_groups.get(parameter_group).map(|group| group.family.clone()),
        }
    }

    /// The values that differ from the family's defaults.
    pub(super) fn values(&self, parameter_group: &str) -> BTreeMap<String, String> {
        self.parameter_groups.get(parameter_group).map(|group| group.values.clone()).unwrap_or_default()
    }
}

impl Group {
    pub(super) fn primary_port(&self) -> u16 {
        self.nodes.first().map(|node| node.port).unwrap_or_default()
    }

    /// A replica's port, or the primary's where there is none.
    pub(super) fn reader_port(&self) -> u16 {
        self.nodes.get(1).map_or_else(|| self.primary_port(), |node| node.port)
    }

    pub(super) fn must_be_available(&self) -> Result<(), CacheFault> {
        match self.status {
            Status::Available => Ok(()),
            status => Err(CacheFault::InvalidState { group: self.id.clone(), status: status.to_string() }),
        }
    }
}
