//! Network interfaces: a user's own, and those that services hold in subnets.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::{self, Specification};
use crate::services::ec2::cidr::Cidr;
use crate::services::ec2::faults::{Kind, NetFault};
use crate::services::ec2::state::{Cx, Interface, Network, found};
use crate::services::ec2::views;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateInterface {
    subnet_id: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    private_ip_address: Option<String>,
    #[serde(default)]
    interface_type: Option<String>,
    #[serde(default)]
    client_token: Option<String>,
    #[serde(default)]
    tag_specifications: Vec<Specification>,
}

/// CreateNetworkInterface. Made by a service (a cache node, a function in a VPC), only that service may remove it.
pub(in super::super) fn create(network: &mut Network, cx: &Cx<'_>, input: CreateInterface) -> Result<Value, NetFault> {
    if let Some(kind) = input.interface_type.filter(|kind| kind != "interface") {
        return Err(NetFault::Unsupported(format!("CreateNetworkInterface.InterfaceType {kind}")));
    }
    let id = match network.made_for(input.client_token.as_ref()) {
        Some(id) => id,
        None => {
            let description = input.description.unwrap_or_default();
            let id = add(network, cx, &input.subnet_id, input.groups, (description, input.private_ip_address))?;
            tags::apply(network, cx, &id, input.tag_specifications)?;
            network.remember(input.client_token, &id);
            id
        }
    };
    Ok(json!({"NetworkInterface": views::interface(network, cx, &id)}))
}

/// Puts an interface into a subnet.
pub(super) fn add(
    network: &mut Network,
    cx: &Cx<'_>,
    subnet: &str,
    groups: Vec<String>,
    (description, address): (String, Option<String>),
) -> Result<String, NetFault> {
    let record = found(&network.subnets, Kind::Subnet, subnet)?.clone();
    let groups = if groups.is_empty() { network.default_group(&record.vpc).into_iter().collect() } else { groups };
    network.check_groups(&groups, &record.vpc)?;
    let address = match address {
        Some(address) => given_address(network, subnet, &record.cidr, address)?,
        None => network.free_address(subnet)?,
    };
    let hex = cx.ids.hex(10);
    let mac = (0..5).map(|at| hex[at * 2..at * 2 + 2].to_owned()).collect::<Vec<_>>().join(":");
    let interface = Interface {
        vpc: record.vpc,
        subnet: subnet.to_owned(),
        groups,
        description,
        address,
        mac: format!("02:{mac}"),
        requester: cx.service().map(str::to_owned),
    };
    let id = cx.ids.ec2("eni");
    network.interfaces.insert(id.clone(), interface);
    Ok(id)
}

fn given_address(network: &Network, subnet: &str, cidr: &str, address: String) -> Result<String, NetFault> {
    let inside = |address: Ipv4Addr| Cidr::exact(cidr).is_some_and(|cidr| cidr.holds(address));
    if !address.parse().is_ok_and(inside) {
        return Err(NetFault::InvalidValue(format!(
            "Address {address} does not fall within the subnet's address range"
        )));
    }
    if network.interfaces.values().any(|other| other.subnet == subnet && other.address == address) {
        return Err(NetFault::Refused(
            "InvalidIPAddress.InUse",
            format!("The specified address is already in use: {address}"),
        ));
    }
    Ok(address)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DeleteInterface {
    network_interface_id: String,
}

pub(in super::super) fn delete(network: &mut Network, cx: &Cx<'_>, input: DeleteInterface) -> Result<Value, NetFault> {
    let id = input.network_interface_id;
    let interface = found(&network.interfaces, Kind::NetworkInterface, &id)?;
    if interface.requester.as_deref().is_some_and(|requester| cx.service() != Some(requester)) {
        let message = format!("Network interface '{id}' is currently in use.");
        return Err(NetFault::Refused("InvalidParameterValue", message));
    }
    network.interfaces.remove(&id);
    network.forget(&id);
    Ok(json!({}))
}
