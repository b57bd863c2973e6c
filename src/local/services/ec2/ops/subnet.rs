//! Subnets.

use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::{self, Specification};
use super::vpc::Flag;
use crate::services::ec2::cidr::Cidr;
use crate::services::ec2::faults::{Kind, NetFault};
use crate::services::ec2::places;
use crate::services::ec2::state::{Cx, Network, Subnet, found, found_mut};
use crate::services::ec2::views;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateSubnet {
    vpc_id: String,
    cidr_block: Option<String>,
    #[serde(default)]
    availability_zone: Option<String>,
    #[serde(default)]
    availability_zone_id: Option<String>,
    #[serde(default)]
    tag_specifications: Vec<Specification>,
    /// CloudFormation's, not in the public model.
    #[serde(default)]
    client_token: Option<String>,
}

pub(in super::super) fn create(network: &mut Network, cx: &Cx<'_>, input: CreateSubnet) -> Result<Value, NetFault> {
    if let Some(id) = network.made_for(input.client_token.as_ref()) {
        return Ok(json!({"Subnet": views::subnet(network, cx, &id)}));
    }
    let text = input.cidr_block.ok_or(NetFault::MissingParameter("cidrBlock"))?;
    let cidr = Cidr::lenient(&text).ok_or_else(|| {
        NetFault::InvalidValue(format!(
            "Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        ))
    })?;
    let outer = &found(&network.vpcs, Kind::Vpc, &input.vpc_id)?.cidr;
    if !(16..=28).contains(&cidr.prefix()) || !Cidr::exact(outer).is_some_and(|outer| outer.contains(cidr)) {
        return Err(NetFault::Refused("InvalidSubnet.Range", format!("The CIDR '{text}' is invalid.")));
    }
    let neighbours = network.subnets.values().filter(|subnet| subnet.vpc == input.vpc_id);
    if neighbours.filter_map(|subnet| Cidr::exact(&subnet.cidr)).any(|other| other.overlaps(cidr)) {
        return Err(NetFault::Refused(
            "InvalidSubnet.Conflict",
            format!("The CIDR '{text}' conflicts with another subnet"),
        ));
    }
    let subnet = Subnet {
        vpc: input.vpc_id,
        cidr: cidr.to_string(),
        zone: zone(cx, input.availability_zone, input.availability_zone_id)?,
        map_public_ip: false,
        is_default: false,
        acl_association: cx.ids.ec2("aclassoc"),
    };
    let id = cx.ids.ec2("subnet");
    network.subnets.insert(id.clone(), subnet);
    tags::apply(network, cx, &id, input.tag_specifications)?;
    network.remember(input.client_token, &id);
    Ok(json!({"Subnet": views::subnet(network, cx, &id)}))
}

fn zone(cx: &Cx<'_>, name: Option<String>, id: Option<String>) -> Result<String, NetFault> {
    let mut zones = places::zones(&cx.scope.region).into_iter();
    let valid: Vec<String> = zones.clone().map(|(name, _)| name).collect();
    let wanted = name.clone().or(id.clone()).unwrap_or_default();
    let found = match (&name, &id) {
        (Some(name), _) => zones.find(|(known, _)| known == name),
        (None, Some(id)) => zones.find(|(_, known)| known == id),
        (None, None) => zones.next(),
    };
    found.map(|(zone, _)| zone).ok_or_else(|| {
        NetFault::InvalidValue(format!(
            "Value ({wanted}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {}.",
            valid.join(", ")
        ))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DeleteSubnet {
    subnet_id: String,
}

pub(in super::super) fn delete(network: &mut Network, _: &Cx<'_>, input: DeleteSubnet) -> Result<Value, NetFault> {
    let id = input.subnet_id;
    found(&network.subnets, Kind::Subnet, &id)?;
    if network.interfaces.values().any(|interface| interface.subnet == id) {
        return Err(NetFault::InUse(format!("The subnet '{id}' has dependencies and cannot be deleted.")));
    }
    network.subnets.remove(&id);
    network.forget(&id);
    for table in network.route_tables.values_mut() {
        table.associations.retain(|association| association.subnet.as_deref() != Some(&id));
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ModifySubnetAttribute {
    subnet_id: String,
    #[serde(default)]
    map_public_ip_on_launch: Option<Flag>,
}

pub(in super::super) fn modify_attribute(
    network: &mut Network,
    _: &Cx<'_>,
    input: ModifySubnetAttribute,
) -> Result<Value, NetFault> {
    let subnet = found_mut(&mut network.subnets, Kind::Subnet, &input.subnet_id)?;
    subnet.map_public_ip = input.map_public_ip_on_launch.ok_or(NetFault::MissingParameter("attribute"))?.value;
    Ok(json!({}))
}
