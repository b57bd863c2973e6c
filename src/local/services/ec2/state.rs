//! A region's network and its rules of existence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cidr::Cidr;
use super::faults::{Kind, NetFault};
use super::places;
use crate::clock::Timestamp;
use crate::ids::Ids;
use crate::scope::{Caller, Scope};

/// Who asks, where, and when.
pub(super) struct Cx<'a> {
    pub(super) scope: &'a Scope,
    pub(super) ids: &'a Ids,
    pub(super) now: Timestamp,
}

impl Cx<'_> {
    /// The AWS service that asks for itself, if one does.
    pub(super) fn service(&self) -> Option<&str> {
        match &self.scope.caller {
            Caller::Service { principal } => Some(principal),
            _ => None,
        }
    }
}

/// One network per region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Networks {
    regions: BTreeMap<String, Network>,
}

impl Networks {
    pub(super) fn find(&self, region: &str) -> Option<&Network> {
        self.regions.get(region)
    }

    /// The region's network, with the default VPC that a new account has.
    pub(super) fn of(&mut self, cx: &Cx<'_>) -> &mut Network {
        self.regions.entry(cx.scope.region.clone()).or_insert_with(|| Network::new(cx))
    }
}

type Shelves<T> = BTreeMap<String, T>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Network {
    pub(super) vpcs: Shelves<Vpc>,
    pub(super) subnets: Shelves<Subnet>,
    pub(super) route_tables: Shelves<RouteTable>,
    /// Internet gateway → the VPC it is attached to.
    pub(super) gateways: Shelves<Option<String>>,
    pub(super) endpoints: Shelves<Endpoint>,
    pub(super) groups: Shelves<Group>,
    pub(super) rules: Shelves<Rule>,
    pub(super) interfaces: Shelves<Interface>,
    pub(super) tags: Shelves<BTreeMap<String, String>>,
    /// Client token → what was made for it.
    pub(super) tokens: Shelves<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Vpc {
    pub(super) cidr: String,
    pub(super) tenancy: String,
    pub(super) dns_support: bool,
    pub(super) dns_hostnames: bool,
    pub(super) is_default: bool,
    pub(super) association: String,
    pub(super) acl: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Subnet {
    pub(super) vpc: String,
    pub(super) cidr: String,
    pub(super) zone: String,
    pub(super) map_public_ip: bool,
    pub(super) is_default: bool,
    pub(super) acl_association: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RouteTable {
    pub(super) vpc: String,
    pub(super) associations: Vec<Association>,
    pub(super) routes: Vec<Route>,
}

/// With a subnet; without one it is the VPC's main association.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Association {
    pub(super) id: String,
    pub(super) subnet: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Route {
    /// An IPv4 block or a prefix list's id.
    pub(super) destination: String,
    /// `local`, or the id of a gateway, endpoint or interface.
    pub(super) target: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Endpoint {
    pub(super) vpc: String,
    pub(super) service: String,
    pub(super) is_gateway: bool,
    pub(super) policy: String,
    pub(super) route_tables: Vec<String>,
    pub(super) subnets: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) interfaces: Vec<String>,
    pub(super) private_dns: bool,
    pub(super) created: Timestamp,
    pub(super) requester_managed: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) vpc: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) group: String,
    pub(super) egress: bool,
    pub(super) protocol: String,
    /// -1 where the protocol has no ports.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) peer: Peer,
    pub(super) description: Option<String>,
}

/// Who is let in or out to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Peer {
    Ipv4(String),
    Ipv6(String),
    PrefixList(String),
    Group(String),
}

impl Rule {
    /// The same traffic; descriptions do not count.
    pub(super) fn same(&self, other: &Rule) -> bool {
        (&self.group, self.egress, &self.protocol, self.from, self.to, &self.peer)
            == (&other.group, other.egress, &other.protocol, other.from, other.to, &other.peer)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Interface {
    pub(super) vpc: String,
    pub(super) subnet: String,
    pub(super) groups: Vec<String>,
    pub(super) description: String,
    pub(super) address: String,
    pub(super) mac: String,
    /// The service that made it and alone may remove it.
    pub(super) requester: Option<String>,
}

impl Network {
    fn new(cx: &Cx<'_>) -> Self {
        let mut network = Network::default();
        let vpc = network.add_vpc(cx, "172.31.0.0/16", "default", true);
        let gateway = cx.ids.ec2("igw");
        network.gateways.insert(gateway.clone(), Some(vpc.clone()));
        if let Some(table) = network.main_table(&vpc).and_then(|id| network.route_tables.get_mut(&id)) {
            table.routes.push(Route { destination: "0.0.0.0/0".into(), target: gateway });
        }
        for (at, (zone, _)) in places::zones(&cx.scope.region).into_iter().enumerate() {
            let subnet = Subnet {
                vpc: vpc.clone(),
                cidr: format!("172.31.{}.0/20", at * 16),
                zone,
                map_public_ip: true,
                is_default: true,
                acl_association: cx.ids.ec2("aclassoc"),
            };
            network.subnets.insert(cx.ids.ec2("subnet"), subnet);
        }
        network
    }

    /// A VPC with what AWS gives each: main route table, default security group, default network ACL.
    pub(super) fn add_vpc(&mut self, cx: &Cx<'_>, cidr: &str, tenancy: &str, is_default: bool) -> String {
        let id = cx.ids.ec2("vpc");
        let vpc = Vpc {
            cidr: cidr.to_owned(),
            tenancy: tenancy.to_owned(),
            dns_support: true,
            dns_hostnames: is_default,
            is_default,
            association: cx.ids.ec2("vpc-cidr-assoc"),
            acl: cx.ids.ec2("acl"),
        };
        self.vpcs.insert(id.clone(), vpc);
        let main = Association { id: cx.ids.ec2("rtbassoc"), subnet: None };
        let local = Route { destination: cidr.to_owned(), target: "local".into() };
        let table = RouteTable { vpc: id.clone(), associations: vec![main], routes: vec![local] };
        self.route_tables.insert(cx.ids.ec2("rtb"), table);
        let group = self.add_group(cx, "default", "default VPC security group", &id);
        let from_itself = Rule {
            group: group.clone(),
            egress: false,
            protocol: "-1".into(),
            from: -1,
            to: -1,
            peer: Peer::Group(group),
            description: None,
        };
        self.rules.insert(cx.ids.ec2("sgr"), from_itself);
        id
    }

    /// A security group that lets everything out, as AWS makes them.
    pub(super) fn add_group(&mut self, cx: &Cx<'_>, name: &str, description: &str, vpc: &str) -> String {
        let id = cx.ids.ec2("sg");
        self.groups.insert(id.clone(), Group { name: name.into(), description: description.into(), vpc: vpc.into() });
        let out = Rule {
            group: id.clone(),
            egress: true,
            protocol: "-1".into(),
            from: -1,
            to: -1,
            peer: Peer::Ipv4("0.0.0.0/0".into()),
            description: None,
        };
        self.rules.insert(cx.ids.ec2("sgr"), out);
        id
    }

    pub(super) fn main_table(&self, vpc: &str) -> Option<String> {
        let main = |table: &RouteTable| {
            table.vpc == vpc && table.associations.iter().any(|association| association.subnet.is_none())
        };
        self.route_tables.iter().find(|(_, table)| main(table)).map(|(id, _)| id.clone())
    }

    pub(super) fn default_vpc(&self) -> Result<String, NetFault> {
        self.vpcs.iter().find(|(_, vpc)| vpc.is_default).map(|(id, _)| id.clone()).ok_or(NetFault::NoDefaultVpc)
    }

    pub(super) fn default_group(&self, vpc: &str) -> Option<String> {
        self.groups.iter().find(|(_, group)| group.vpc == vpc && group.name == "default").map(|(id, _)| id.clone())
    }

    /// Checks that every security group is there and in `vpc`.
    pub(super) fn check_groups(&self, groups: &[String], vpc: &str) -> Result<(), NetFault> {
        for id in groups {
            let group = found(&self.groups, Kind::SecurityGroup, id)?;
            if group.vpc != vpc {
                let message = format!(
                    "You have specified two resources that belong to different networks: {id} is not in {vpc}."
                );
                return Err(NetFault::Refused("InvalidParameter", message));
            }
        }
        Ok(())
    }

    /// An address of the subnet that no interface has.
    pub(super) fn free_address(&self, subnet: &str) -> Result<String, NetFault> {
        let cidr = found(&self.subnets, Kind::Subnet, subnet)?.cidr.clone();
        let taken =
            |address: &str| self.interfaces.values().any(|other| other.subnet == subnet && other.address == address);
        let cidr = Cidr::exact(&cidr).ok_or_else(|| NetFault::InvalidValue(cidr.clone()))?;
        cidr.usable().map(|address| address.to_string()).find(|address| !taken(address)).ok_or_else(|| {
            let message =
                format!("The specified subnet {subnet} does not have enough free addresses to satisfy the request.");
            NetFault::Refused("InsufficientFreeAddressesInSubnet", message)
        })
    }

    /// What was made for `token` before, if it still exists.
    pub(super) fn made_for(&self, token: Option<&String>) -> Option<String> {
        self.tokens.get(token?).filter(|id| self.kind_of(id).is_some()).cloned()
    }

    pub(super) fn remember(&mut self, token: Option<String>, id: &str) {
        if let Some(token) = token {
            self.tokens.insert(token, id.to_owned());
        }
    }

    /// The taggable resource that `id` names, by its type's name in tag specifications.
    pub(super) fn kind_of(&self, id: &str) -> Option<&'static str> {
        let kinds: [(&'static str, bool); 9] = [
            ("vpc", self.vpcs.contains_key(id)),
            ("subnet", self.subnets.contains_key(id)),
            ("route-table", self.route_tables.contains_key(id)),
            ("internet-gateway", self.gateways.contains_key(id)),
            ("vpc-endpoint", self.endpoints.contains_key(id)),
            ("security-group", self.groups.contains_key(id)),
            ("security-group-rule", self.rules.contains_key(id)),
            ("network-interface", self.interfaces.contains_key(id)),
            ("network-acl", self.vpcs.values().any(|vpc| vpc.acl == id)),
        ];
        kinds.into_iter().find(|(_, there)| *there).map(|(kind, _)| kind)
    }

    /// Forgets what is kept about an id beside the record itself.
    pub(super) fn forget(&mut self, id: &str) {
        self.tags.remove(id);
        self.tokens.retain(|_, made| made != id);
    }
}

/// The record of `id`, or AWS's fault for its kind.
pub(super) fn found<'a, T>(shelves: &'a Shelves<T>, kind: Kind, id: &str) -> Result<&'a T, NetFault> {
    shelves.get(id).ok_or_else(|| NetFault::NotFound(kind, id.to_owned()))
}

/// As [`found`], to change it.
pub(super) fn found_mut<'a, T>(shelves: &'a mut Shelves<T>, kind: Kind, id: &str) -> Result<&'a mut T, NetFault> {
    shelves.get_mut(id).ok_or_else(|| NetFault::NotFound(kind, id.to_owned()))
}
