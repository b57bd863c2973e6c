//! VPC endpoints: gateways in route tables, and interfaces in subnets.

use serde::Deserialize;
use serde_json::{Value, json};

use super::interface;
use super::tags::{self, Specification};
use crate::services::ec2::faults::{Kind, NetFault};
use crate::services::ec2::places;
use crate::services::ec2::state::{Cx, Endpoint, Network, Route, found};
use crate::services::ec2::views;

/// AWS's default: everything through the endpoint is allowed.
const OPEN_POLICY: &str =
    r#"{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct CreateEndpoint {
    vpc_id: String,
    #[serde(default)]
    service_name: Option<String>,
    #[serde(default)]
    vpc_endpoint_type: Option<String>,
    #[serde(default)]
    policy_document: Option<String>,
    #[serde(default)]
    route_table_ids: Vec<String>,
    #[serde(default)]
    subnet_ids: Vec<String>,
    #[serde(default)]
    security_group_ids: Vec<String>,
    #[serde(default)]
    private_dns_enabled: Option<bool>,
    #[serde(default)]
    client_token: Option<String>,
    #[serde(default)]
    tag_specifications: Vec<Specification>,
}

pub(in super::super) fn create(network: &mut Network, cx: &Cx<'_>, input: CreateEndpoint) -> Result<Value, NetFault> {
    if let Some(id) = network.made_for(input.client_token.as_ref()) {
        return Ok(json!({"VpcEndpoint": views::endpoint(network, cx, &id), "ClientToken": input.client_token}));
    }
    found(&network.vpcs, Kind::Vpc, &input.vpc_id)?;
    let service = input.service_name.ok_or(NetFault::MissingParameter("ServiceName"))?;
    let known = service.strip_prefix(&format!("com.amazonaws.{}.", cx.scope.region));
    let known = known.filter(|name| places::ENDPOINT_SERVICES.contains(name)).ok_or_else(|| {
        NetFault::Refused("InvalidServiceName", format!("The Vpc Endpoint Service '{service}' does not exist"))
    })?;
    let is_gateway = match input.vpc_endpoint_type.as_deref() {
        None | Some("Gateway") => true,
        Some("Interface") => false,
        Some(other) => return Err(NetFault::Unsupported(format!("CreateVpcEndpoint.VpcEndpointType {other}"))),
    };
    if is_gateway && !matches!(known, "s3" | "dynamodb") {
        let message =
            format!("Endpoint type (Gateway) does not match available service types ([Interface]) of {service}.");
        return Err(NetFault::Refused("InvalidParameter", message));
    }
    let policy = input.policy_document.unwrap_or_else(|| OPEN_POLICY.to_owned());
    check_policy(&policy)?;
    let endpoint = Endpoint {
        vpc: input.vpc_id,
        service,
        is_gateway,
        policy,
        route_tables: Vec::new(),
        subnets: Vec::new(),
        groups: input.security_group_ids,
        interfaces: Vec::new(),
        private_dns: input.private_dns_enabled.unwrap_or(!is_gateway),
        created: cx.now,
        requester_managed: false,
    };
    let id = add(network, cx, endpoint, input.route_table_ids, input.subnet_ids)?;
    tags::apply(network, cx, &id, input.tag_specifications)?;
    network.remember(input.client_token.clone(), &id);
    Ok(json!({"VpcEndpoint": views::endpoint(network, cx, &id), "ClientToken": input.client_token}))
}

fn check_policy(policy: &str) -> Result<(), NetFault> {
    match serde_json::from_str::<Value>(policy) {
        Ok(Value::Object(members)) if members.contains_key("Statement") => Ok(()),
        _ => Err(NetFault::Refused(
            "InvalidPolicyDocument",
            "The policy document is not valid JSON with a Statement".to_owned(),
        )),
    }
}

fn add(
    network: &mut Network,
    cx: &Cx<'_>,
    mut endpoint: Endpoint,
    tables: Vec<String>,
    subnets: Vec<String>,
) -> Result<String, NetFault> {
    let wrong = |member: &str, kind: &str| {
        NetFault::Refused("InvalidParameter", format!("{member} can't be set for {kind} endpoints."))
    };
    if endpoint.is_gateway && !(subnets.is_empty() && endpoint.groups.is_empty()) {
        return Err(wrong("SubnetIds and SecurityGroupIds", "Gateway"));
    }
    if !endpoint.is_gateway && !tables.is_empty() {
        return Err(wrong("RouteTableIds", "Interface"));
    }
    if !endpoint.is_gateway && endpoint.groups.is_empty() {
        endpoint.groups.extend(network.default_group(&endpoint.vpc));
    }
    network.check_groups(&endpoint.groups, &endpoint.vpc)?;
    if endpoint.private_dns && !endpoint.is_gateway {
        let vpc = found(&network.vpcs, Kind::Vpc, &endpoint.vpc)?;
        if !(vpc.dns_support && vpc.dns_hostnames) {
            let message =
                "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true"
                    .to_owned();
            return Err(NetFault::Refused("InvalidParameter", format!("{message} for {}", endpoint.vpc)));
        }
    }
    let id = cx.ids.ec2("vpce");
    network.endpoints.insert(id.clone(), endpoint);
    for table in tables {
        add_table(network, cx, &id, &table)?;
    }
    for subnet in subnets {
        add_subnet(network, cx, &id, &subnet)?;
    }
    Ok(id)
}

fn add_table(network: &mut Network, cx: &Cx<'_>, id: &str, table: &str) -> Result<(), NetFault> {
    let (vpc, service) =
        network.endpoints.get(id).map(|endpoint| (endpoint.vpc.clone(), endpoint.service.clone())).unwrap_or_default();
    let list = places::prefix_lists(&cx.scope.region).into_iter().find(|list| list.name == service);
    let destination = list.map(|list| list.id).unwrap_or_default();
    let record = network.route_tables.get_mut(table).filter(|record| record.vpc == vpc);
    let record = record.ok_or_else(|| {
        NetFault::Refused("InvalidRouteTableId.NotFound", format!("The routeTable ID '{table}' does not exist"))
    })?;
    if record.routes.iter().any(|route| route.destination == destination && route.target != id) {
        let message = format!("route table {table} already has a route with destination-prefix-list-id {destination}");
        return Err(NetFault::Refused("RouteAlreadyExists", message));
    }
    record.routes.retain(|route| route.target != id);
    record.routes.push(Route { destination, target: id.to_owned() });
    if let Some(endpoint) =
        network.endpoints.get_mut(id).filter(|endpoint| !endpoint.route_tables.iter().any(|known| known == table))
    {
        endpoint.route_tables.push(table.to_owned());
    }
    Ok(())
}

fn remove_table(network: &mut Network, id: &str, table: &str) {
    if let Some(record) = network.route_tables.get_mut(table) {
        record.routes.retain(|route| route.target != id);
    }
    if let Some(endpoint) = network.endpoints.get_mut(id) {
        endpoint.route_tables.retain(|known| known != table);
    }
}

fn add_subnet(network: &mut Network, cx: &Cx<'_>, id: &str, subnet: &str) -> Result<(), NetFault> {
    let endpoint = found(&network.endpoints, Kind::Endpoint, id)?.clone();
    if endpoint.subnets.iter().any(|known| known == subnet) {
        return Ok(());
    }
    let zone = found(&network.subnets, Kind::Subnet, subnet)?.zone.clone();
    let same_zone = |other: &String| network.subnets.get(other).is_some_and(|other| other.zone == zone);
    if endpoint.subnets.iter().any(same_zone) {
        let message = format!("Found another VPC endpoint subnet in the availability zone of {subnet}: {zone}");
        return Err(NetFault::Refused("DuplicateSubnetsInSameZone", message));
    }
    let interface =
        interface::add(network, cx, subnet, endpoint.groups, (format!("VPC Endpoint Interface {id}"), None))?;
    if let Some(record) = network.interfaces.get_mut(&interface) {
        record.requester = Some("vpce.amazonaws.com".to_owned());
    }
    if let Some(endpoint) = network.endpoints.get_mut(id) {
        endpoint.subnets.push(subnet.to_owned());
        endpoint.interfaces.push(interface);
    }
    Ok(())
}

fn remove_subnet(network: &mut Network, id: &str, subnet: &str) {
    let Some(endpoint) = network.endpoints.get_mut(id) else { return };
    endpoint.subnets.retain(|known| known != subnet);
    let interfaces = &network.interfaces;
    let (gone, kept) = endpoint
        .interfaces
        .drain(..)
        .partition(|interface| interfaces.get(interface).is_some_and(|record| record.subnet == subnet));
    endpoint.interfaces = kept;
    let gone: Vec<String> = gone;
    for interface in gone {
        network.interfaces.remove(&interface);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct ModifyEndpoint {
    vpc_endpoint_id: String,
    #[serde(default)]
    reset_policy: bool,
    #[serde(default)]
    policy_document: Option<String>,
    #[serde(default)]
    add_route_table_ids: Vec<String>,
    #[serde(default)]
    remove_route_table_ids: Vec<String>,
    #[serde(default)]
    add_subnet_ids: Vec<String>,
    #[serde(default)]
    remove_subnet_ids: Vec<String>,
    #[serde(default)]
    add_security_group_ids: Vec<String>,
    #[serde(default)]
    remove_security_group_ids: Vec<String>,
    #[serde(default)]
    private_dns_enabled: Option<bool>,
}

pub(in super::super) fn modify(network: &mut Network, cx: &Cx<'_>, input: ModifyEndpoint) -> Result<Value, NetFault> {
    let id = input.vpc_endpoint_id;
    let mut endpoint = found(&network.endpoints, Kind::Endpoint, &id)?.clone();
    if input.reset_policy {
        endpoint.policy = OPEN_POLICY.to_owned();
    }
    if let Some(policy) = input.policy_document {
        check_policy(&policy)?;
        endpoint.policy = policy;
    }
    network.check_groups(&input.add_security_group_ids, &endpoint.vpc)?;
    endpoint.groups.retain(|group| !input.remove_security_group_ids.contains(group));
    endpoint.groups.extend(input.add_security_group_ids);
    endpoint.groups.dedup();
    endpoint.private_dns = input.private_dns_enabled.unwrap_or(endpoint.private_dns);
    for interface in &endpoint.interfaces {
        if let Some(record) = network.interfaces.get_mut(interface) {
            record.groups.clone_from(&endpoint.groups);
        }
    }
    network.endpoints.insert(id.clone(), endpoint);
    input.remove_route_table_ids.iter().for_each(|table| remove_table(network, &id, table));
    input.remove_subnet_ids.iter().for_each(|subnet| remove_subnet(network, &id, subnet));
    for table in &input.add_route_table_ids {
        add_table(network, cx, &id, table)?;
    }
    for subnet in &input.add_subnet_ids {
        add_subnet(network, cx, &id, subnet)?;
    }
    Ok(json!({"Return": true}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DeleteEndpoints {
    vpc_endpoint_ids: Vec<String>,
}

pub(in super::super) fn delete(network: &mut Network, _: &Cx<'_>, input: DeleteEndpoints) -> Result<Value, NetFault> {
    let mut unsuccessful = Vec::new();
    for id in input.vpc_endpoint_ids {
        let Some(endpoint) = network.endpoints.get(&id).cloned() else {
            let message = format!("The Vpc Endpoint Id '{id}' does not exist");
            unsuccessful
                .push(json!({"ResourceId": id, "Error": {"Code": "InvalidVpcEndpoint.NotFound", "Message": message}}));
            continue;
        };
        endpoint.route_tables.iter().for_each(|table| remove_table(network, &id, table));
        endpoint.subnets.iter().for_each(|subnet| remove_subnet(network, &id, subnet));
        network.endpoints.remove(&id);
        network.forget(&id);
    }
    Ok(json!({"Unsuccessful": unsuccessful}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(in super::super) struct DescribeServices {
    #[serde(default)]
    service_names: Vec<String>,
}

pub(in super::super) fn services(_: &Network, cx: &Cx<'_>, input: DescribeServices) -> Result<Value, NetFault> {
    let full = |name: &&str| format!("com.amazonaws.{}.{name}", cx.scope.region);
    let all: Vec<String> = places::ENDPOINT_SERVICES.iter().map(full).collect();
    if let Some(unknown) = input.service_names.iter().find(|name| !all.contains(name)) {
        return Err(NetFault::Refused(
            "InvalidServiceName",
            format!("The Vpc Endpoint Service '{unknown}' does not exist"),
        ));
    }
    let names: Vec<&String> =
        all.iter().filter(|name| input.service_names.is_empty() || input.service_names.contains(name)).collect();
    let zones: Vec<String> = places::zones(&cx.scope.region).into_iter().map(|(name, _)| name).collect();
    let detail = |name: &&String| {
        let gateway = name.ends_with(".s3") || name.ends_with(".dynamodb");
        let kinds = if gateway {
            json!([{"ServiceType": "Gateway"}, {"ServiceType": "Interface"}])
        } else {
            json!([{"ServiceType": "Interface"}])
        };
        json!({
            "ServiceName": name, "ServiceType": kinds, "AvailabilityZones": zones, "Owner": "amazon", "VpcEndpointPolicySupported": true,
            "AcceptanceRequired": false, "ManagesVpcEndpoints": false,
        })
    };
    let details: Vec<Value> = names.iter().map(detail).collect();
    Ok(json!({"ServiceNames": names, "ServiceDetails": details}))
}
