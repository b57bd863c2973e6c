//! Internet gateways.

use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::{self, Specification};
use crate::services::ec2::faults::{Kind, NetFault};
use crate::services::ec2::state::{Cx, Network, found, found_mut};
use crate::services::ec2::views;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateGateway {
    #[serde(default)]
    tag_specifications: Vec<Specification>,
    /// CloudFormation's, not in the public model.
    #[serde(default)]
    client_token: Option<String>,
}

pub(in super::super) fn create(network: &mut Network, cx: &Cx<'_>, input: CreateGateway) -> Result<Value, NetFault> {
    let id = match network.made_for(input.client_token.as_ref()) {
        Some(id) => id,
        None => {
            let id = cx.ids.ec2("igw");
            network.gateways.insert(id.clone(), None);
            tags::apply(network, cx, &id, input.tag_specifications)?;
            network.remember(input.client_token, &id);
            id
        }
    };
    Ok(json!({"InternetGateway": views::internet_gateway(network, cx, &id)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct GatewayOnly {
    internet_gateway_id: String,
}

pub(in super::super) fn delete(network: &mut Network, _: &Cx<'_>, input: GatewayOnly) -> Result<Value, NetFault> {
    let id = input.internet_gateway_id;
    if found(&network.gateways, Kind::InternetGateway, &id)?.is_some() {
        return Err(NetFault::InUse(format!("The internetGateway '{id}' has dependencies and cannot be deleted.")));
    }
    network.gateways.remove(&id);
    network.forget(&id);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Attachment {
    internet_gateway_id: String,
    vpc_id: String,
}

pub(in super::super) fn attach(network: &mut Network, _: &Cx<'_>, input: Attachment) -> Result<Value, NetFault> {
    found(&network.vpcs, Kind::Vpc, &input.vpc_id)?;
    if let Some(other) =
        network.gateways.iter().find(|(_, vpc)| vpc.as_deref() == Some(&input.vpc_id)).map(|(id, _)| id)
    {
        let message = format!("Network {} already has an internet gateway attached: {other}", input.vpc_id);
        return Err(NetFault::InvalidValue(message));
    }
    let attached = found_mut(&mut network.gateways, Kind::InternetGateway, &input.internet_gateway_id)?;
    if let Some(vpc) = attached {
        let message = format!("resource {} is already attached to network {vpc}", input.internet_gateway_id);
        return Err(NetFault::Refused("Resource.AlreadyAssociated", message));
    }
    *attached = Some(input.vpc_id);
    Ok(json!({}))
}

pub(in super::super) fn detach(network: &mut Network, _: &Cx<'_>, input: Attachment) -> Result<Value, NetFault> {
    let attached = found_mut(&mut network.gateways, Kind::InternetGateway, &input.internet_gateway_id)?;
    if attached.as_deref() != Some(&input.vpc_id) {
        let message = format!("resource {} is not attached to network {}", input.internet_gateway_id, input.vpc_id);
        return Err(NetFault::Refused("Gateway.NotAttached", message));
    }
    *attached = None;
    Ok(json!({}))
}
