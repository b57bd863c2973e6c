//! Route tables, their associations and routes.

use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::{self, Specification};
use crate::services::ec2::cidr::Cidr;
use crate::services::ec2::faults::{Kind, NetFault};
use crate::services::ec2::places;
use crate::services::ec2::state::{Association, Cx, Network, Route, RouteTable, found, found_mut};
use crate::services::ec2::views;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateRouteTable {
    vpc_id: String,
    #[serde(default)]
    client_token: Option<String>,
    #[serde(default)]
    tag_specifications: Vec<Specification>,
}

pub(in super::super) fn create_table(
    network: &mut Network,
    cx: &Cx<'_>,
    input: CreateRouteTable,
) -> Result<Value, NetFault> {
    let id = match network.made_for(input.client_token.as_ref()) {
        Some(id) => id,
        None => {
            let id = cx.ids.ec2("rtb");
            let local = Route {
                destination: found(&network.vpcs, Kind::Vpc, &input.vpc_id)?.cidr.clone(),
                target: "local".into(),
            };
            network
                .route_tables
                .insert(id.clone(), RouteTable { vpc: input.vpc_id, associations: Vec::new(), routes: vec![local] });
            tags::apply(network, cx, &id, input.tag_specifications)?;
            network.remember(input.client_token.clone(), &id);
            id
        }
    };
    Ok(json!({"RouteTable": views::route_table(network, cx, &id), "ClientToken": input.client_token}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DeleteRouteTable {
    route_table_id: String,
}

pub(in super::super) fn delete_table(
    network: &mut Network,
    _: &Cx<'_>,
    input: DeleteRouteTable,
) -> Result<Value, NetFault> {
    let id = input.route_table_id;
    let table = found(&network.route_tables, Kind::RouteTable, &id)?;
    if !table.associations.is_empty() {
        return Err(NetFault::InUse(format!("The routeTable '{id}' has dependencies and cannot be deleted.")));
    }
    network.route_tables.remove(&id);
    network.forget(&id);
    for endpoint in network.endpoints.values_mut() {
        endpoint.route_tables.retain(|table| *table != id);
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Associate {
    route_table_id: String,
    subnet_id: Option<String>,
}

pub(in super::super) fn associate(network: &mut Network, cx: &Cx<'_>, input: Associate) -> Result<Value, NetFault> {
    let subnet = input.subnet_id.ok_or(NetFault::MissingParameter("subnetId"))?;
    let subnet_vpc = &found(&network.subnets, Kind::Subnet, &subnet)?.vpc;
    let table_vpc = &found(&network.route_tables, Kind::RouteTable, &input.route_table_id)?.vpc;
    if subnet_vpc != table_vpc {
        let message = format!("Route table {} and subnet {subnet} belong to different networks", input.route_table_id);
        return Err(NetFault::Refused("InvalidParameterValue", message));
    }
    for (id, table) in &network.route_tables {
        if let Some(association) =
            table.associations.iter().find(|association| association.subnet.as_deref() == Some(&subnet))
        {
            if *id == input.route_table_id {
                return Ok(json!({"AssociationId": association.id, "AssociationState": {"State": "associated"}}));
            }
            let message = format!(
                "the specified association for route table {} conflicts with an existing association",
                input.route_table_id
            );
            return Err(NetFault::Refused("Resource.AlreadyAssociated", message));
        }
    }
    let id = cx.ids.ec2("rtbassoc");
    let table = found_mut(&mut network.route_tables, Kind::RouteTable, &input.route_table_id)?;
    table.associations.push(Association { id: id.clone(), subnet: Some(subnet) });
    Ok(json!({"AssociationId": id, "AssociationState": {"State": "associated"}}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct Disassociate {
    association_id: String,
}

pub(in super::super) fn disassociate(
    network: &mut Network,
    _: &Cx<'_>,
    input: Disassociate,
) -> Result<Value, NetFault> {
    let association = take_association(network, &input.association_id)?;
    if association.subnet.is_none() {
        let message = format!("cannot disassociate the main route table association {}", input.association_id);
        return Err(NetFault::InvalidValue(message));
    }
    Ok(json!({}))
}

fn take_association(network: &mut Network, id: &str) -> Result<Association, NetFault> {
    for table in network.route_tables.values_mut() {
        if let Some(at) = table.associations.iter().position(|association| association.id == id) {
            return Ok(table.associations.remove(at));
        }
    }
    Err(NetFault::NotFound(Kind::Association, id.to_owned()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ReplaceAssociation {
    association_id: String,
    route_table_id: String,
}

/// ReplaceRouteTableAssociation; also how the main route table of a VPC is changed.
pub(in super::super) fn replace_association(
    network: &mut Network,
    cx: &Cx<'_>,
    input: ReplaceAssociation,
) -> Result<Value, NetFault> {
    found(&network.route_tables, Kind::RouteTable, &input.route_table_id)?;
    let association = take_association(network, &input.association_id)?;
    let id = cx.ids.ec2("rtbassoc");
    let table = found_mut(&mut network.route_tables, Kind::RouteTable, &input.route_table_id)?;
    table.associations.push(Association { id: id.clone(), ..association });
    Ok(json!({"NewAssociationId": id, "AssociationState": {"State": "associated"}}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct RouteInput {
    route_table_id: String,
    #[serde(default)]
    destination_cidr_block: Option<String>,
    #[serde(default)]
    destination_prefix_list_id: Option<String>,
    #[serde(default)]
    gateway_id: Option<String>,
    #[serde(default)]
    vpc_endpoint_id: Option<String>,
    #[serde(default)]
    network_interface_id: Option<String>,
}

impl RouteInput {
    fn destination(&self, cx: &Cx<'_>) -> Result<String, NetFault> {
        match (&self.destination_cidr_block, &self.destination_prefix_list_id) {
            (Some(text), None) => Cidr::lenient(text).map(|cidr| cidr.to_string()).ok_or_else(|| {
                NetFault::InvalidValue(format!(
                    "Value ({text}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."
                ))
            }),
            (None, Some(id)) if places::prefix_lists(&cx.scope.region).iter().any(|list| list.id == *id) => {
                Ok(id.clone())
            }
            (None, Some(id)) => Err(NetFault::NotFound(Kind::PrefixList, id.clone())),
            (None, None) => Err(NetFault::MissingParameter("destinationCidrBlock")),
            (Some(_), Some(_)) => {
                Err(NetFault::Combination("The request must contain exactly one destination".to_owned()))
            }
        }
    }

    fn target(&self, network: &Network, vpc: &str) -> Result<String, NetFault> {
        let given: Vec<&String> =
            [&self.gateway_id, &self.vpc_endpoint_id, &self.network_interface_id].into_iter().flatten().collect();
        let [target] = given.as_slice() else {
            return Err(NetFault::Combination(
                "The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, vpcEndpointId"
                    .to_owned(),
            ));
        };
        let target = (*target).clone();
        if target.starts_with("eni-") {
            found(&network.interfaces, Kind::NetworkInterface, &target)?;
        } else if target.starts_with("vpce-") {
            found(&network.endpoints, Kind::Endpoint, &target)?;
        } else if found(&network.gateways, Kind::InternetGateway, &target)?.as_deref() != Some(vpc) {
            let message = format!("route table and network gateway {target} belong to different networks");
            return Err(NetFault::InvalidValue(message));
        }
        Ok(target)
    }
}

/// CreateRoute. The same route again is no error: AWS answers `true`.
pub(in super::super) fn create(network: &mut Network, cx: &Cx<'_>, input: RouteInput) -> Result<Value, NetFault> {
    let vpc = found(&network.route_tables, Kind::RouteTable, &input.route_table_id)?.vpc.clone();
    let (destination, target) = (input.destination(cx)?, input.target(network, &vpc)?);
    let routes = &mut found_mut(&mut network.route_tables, Kind::RouteTable, &input.route_table_id)?.routes;
    match routes.iter().find(|route| route.destination == destination) {
        Some(route) if route.target == target => {}
        Some(_) => {
            let message = format!("The route identified by {destination} already exists.");
            return Err(NetFault::Refused("RouteAlreadyExists", message));
        }
        None => routes.push(Route { destination, target }),
    }
    Ok(json!({"Return": true}))
}

pub(in super::super) fn replace(network: &mut Network, cx: &Cx<'_>, input: RouteInput) -> Result<Value, NetFault> {
    let vpc = found(&network.route_tables, Kind::RouteTable, &input.route_table_id)?.vpc.clone();
    let (destination, target) = (input.destination(cx)?, input.target(network, &vpc)?);
    route_mut(network, &input.route_table_id, &destination)?.target = target;
    Ok(json!({}))
}

fn route_mut<'a>(network: &'a mut Network, table: &str, destination: &str) -> Result<&'a mut Route, NetFault> {
    let routes = &mut found_mut(&mut network.route_tables, Kind::RouteTable, table)?.routes;
    let route = routes.iter_mut().find(|route| route.destination == destination);
    let missing = || {
        let message = format!("no route with destination-cidr-block {destination} in route table {table}");
        NetFault::Refused("InvalidRoute.NotFound", message)
    };
    match route {
        Some(route) if route.target == "local" => {
            Err(NetFault::InvalidValue(format!("cannot change local route {destination} in route table {table}")))
        }
        route => route.ok_or_else(missing),
    }
}

pub(in super::super) fn delete(network: &mut Network, cx: &Cx<'_>, input: RouteInput) -> Result<Value, NetFault> {
    let destination = input.destination(cx)?;
    route_mut(network, &input.route_table_id, &destination)?;
    let routes = &mut found_mut(&mut network.route_tables, Kind::RouteTable, &input.route_table_id)?.routes;
    routes.retain(|route| route.destination != destination);
    Ok(json!({}))
}
