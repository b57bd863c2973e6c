//! VPCs.

use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::{self, Specification};
use crate::services::ec2::cidr::Cidr;
use crate::services::ec2::faults::{Kind, NetFault};
use crate::services::ec2::state::{Cx, Network, found, found_mut};
use crate::services::ec2::views;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateVpc {
    cidr_block: Option<String>,
    #[serde(default)]
    instance_tenancy: Option<String>,
    #[serde(default)]
    tag_specifications: Vec<Specification>,
    /// CloudFormation's, not in the public model.
    #[serde(default)]
    client_token: Option<String>,
}

pub(in super::super) fn create(network: &mut Network, cx: &Cx<'_>, input: CreateVpc) -> Result<Value, NetFault> {
    if let Some(id) = network.made_for(input.client_token.as_ref()) {
        return Ok(json!({"Vpc": views::vpc(network, cx, &id)}));
    }
    let text = input.cidr_block.ok_or(NetFault::MissingParameter("cidrBlock"))?;
    let cidr = Cidr::lenient(&text).ok_or_else(|| {
        NetFault::InvalidValue(format!(
            "Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        ))
    })?;
    if !(16..=28).contains(&cidr.prefix()) {
        return Err(NetFault::Refused("InvalidVpc.Range", format!("The CIDR '{text}' is invalid.")));
    }
    let tenancy = input.instance_tenancy.unwrap_or_else(|| "default".to_owned());
    let id = network.add_vpc(cx, &cidr.to_string(), &tenancy, false);
    tags::apply(network, cx, &id, input.tag_specifications)?;
    network.remember(input.client_token, &id);
    let mut view = views::vpc(network, cx, &id);
    view["State"] = json!("pending");
    Ok(json!({"Vpc": view}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct VpcOnly {
    vpc_id: String,
}

/// DeleteVpc. What AWS made with the VPC goes with it; what the user made must be gone.
pub(in super::super) fn delete(network: &mut Network, _: &Cx<'_>, input: VpcOnly) -> Result<Value, NetFault> {
    let id = input.vpc_id;
    let acl = found(&network.vpcs, Kind::Vpc, &id)?.acl.clone();
    let default_group = network.default_group(&id);
    let main = network.main_table(&id);
    let needed = network.subnets.values().any(|subnet| subnet.vpc == id)
        || network.gateways.values().any(|vpc| vpc.as_deref() == Some(&id))
        || network.endpoints.values().any(|endpoint| endpoint.vpc == id)
        || network.interfaces.values().any(|interface| interface.vpc == id)
        || network.groups.iter().any(|(group, record)| record.vpc == id && Some(group) != default_group.as_ref())
        || network.route_tables.iter().any(|(table, record)| record.vpc == id && Some(table) != main.as_ref());
    if needed {
        return Err(NetFault::InUse(format!("The vpc '{id}' has dependencies and cannot be deleted.")));
    }
    for gone in [Some(id.clone()), Some(acl), default_group.clone(), main.clone()].into_iter().flatten() {
        network.forget(&gone);
    }
    network.vpcs.remove(&id);
    if let Some(group) = default_group {
        network.groups.remove(&group);
        network.rules.retain(|_, rule| rule.group != group);
    }
    if let Some(main) = main {
        network.route_tables.remove(&main);
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Flag {
    pub(super) value: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ModifyVpcAttribute {
    vpc_id: String,
    #[serde(default)]
    enable_dns_support: Option<Flag>,
    #[serde(default)]
    enable_dns_hostnames: Option<Flag>,
}

pub(in super::super) fn modify_attribute(
    network: &mut Network,
    _: &Cx<'_>,
    input: ModifyVpcAttribute,
) -> Result<Value, NetFault> {
    let vpc = found_mut(&mut network.vpcs, Kind::Vpc, &input.vpc_id)?;
    match (input.enable_dns_support, input.enable_dns_hostnames) {
        (Some(flag), None) => vpc.dns_support = flag.value,
        (None, Some(flag)) => vpc.dns_hostnames = flag.value,
        (None, None) => return Err(NetFault::MissingParameter("attribute")),
        (Some(_), Some(_)) => {
            return Err(NetFault::Combination(
                "Fields for multiple attribute types specified: only one attribute can be modified at a time"
                    .to_owned(),
            ));
        }
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeVpcAttribute {
    vpc_id: String,
    attribute: String,
}

pub(in super::super) fn describe_attribute(
    network: &Network,
    _: &Cx<'_>,
    input: DescribeVpcAttribute,
) -> Result<Value, NetFault> {
    let vpc = found(&network.vpcs, Kind::Vpc, &input.vpc_id)?;
    let (name, value) = match input.attribute.as_str() {
        "enableDnsSupport" => ("EnableDnsSupport", vpc.dns_support),
        "enableDnsHostnames" => ("EnableDnsHostnames", vpc.dns_hostnames),
        "enableNetworkAddressUsageMetrics" => ("EnableNetworkAddressUsageMetrics", false),
        other => {
            return Err(NetFault::InvalidValue(format!(
                "Value ({other}) for parameter attribute is invalid. Unknown attribute."
            )));
        }
    };
    Ok(json!({"VpcId": input.vpc_id, (name): {"Value": value}}))
}
