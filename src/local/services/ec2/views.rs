//! Records in the shapes of the service model.

use serde_json::{Map, Value, json};

use super::cidr::Cidr;
use super::places;
use super::state::{Cx, Network, Peer, Rule};

/// A resource's tags as a list of `Key` and `Value`.
pub(super) fn tags(network: &Network, id: &str) -> Value {
    let tags = network.tags.get(id).into_iter().flatten();
    tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

pub(super) fn vpc(network: &Network, cx: &Cx<'_>, id: &str) -> Value {
    let Some(vpc) = network.vpcs.get(id) else { return Value::Null };
    json!({
        "VpcId": id, "OwnerId": cx.scope.account, "CidrBlock": vpc.cidr, "State": "available", "DhcpOptionsId": "default",
        "InstanceTenancy": vpc.tenancy, "IsDefault": vpc.is_default, "Tags": tags(network, id),
        "CidrBlockAssociationSet": [{"AssociationId": vpc.association, "CidrBlock": vpc.cidr, "CidrBlockState": {"State": "associated"}}],
    })
}

pub(super) fn subnet(network: &Network, cx: &Cx<'_>, id: &str) -> Value {
    let Some(subnet) = network.subnets.get(id) else { return Value::Null };
    let taken = network.interfaces.values().filter(|interface| interface.subnet == id).count();
    let room = Cidr::exact(&subnet.cidr).map_or(0, Cidr::usable_count);
    json!({
        "SubnetId": id, "SubnetArn": cx.scope.arn("ec2", format!("subnet/{id}")), "OwnerId": cx.scope.account, "VpcId": subnet.vpc,
        "CidrBlock": subnet.cidr, "AvailabilityZone": subnet.zone, "AvailabilityZoneId": places::zone_id(&subnet.zone),
        "State": "available", "AvailableIpAddressCount": room.saturating_sub(taken), "DefaultForAz": subnet.is_default,
        "MapPublicIpOnLaunch": subnet.map_public_ip, "AssignIpv6AddressOnCreation": false, "Ipv6CidrBlockAssociationSet": [],
        "MapCustomerOwnedIpOnLaunch": false, "EnableDns64": false, "Ipv6Native": false, "Tags": tags(network, id),
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name", "EnableResourceNameDnsARecord": false, "EnableResourceNameDnsAAAARecord": false
        },
    })
}

pub(super) fn route_table(network: &Network, cx: &Cx<'_>, id: &str) -> Value {
    let Some(table) = network.route_tables.get(id) else { return Value::Null };
    let associations = table.associations.iter().map(|association| {
        let mut view = json!({
            "Main": association.subnet.is_none(), "RouteTableAssociationId": association.id, "RouteTableId": id,
            "AssociationState": {"State": "associated"},
        });
        if let Some(subnet) = &association.subnet {
            view["SubnetId"] = json!(subnet);
        }
        view
    });
    let associations: Vec<Value> = associations.collect();
    let routes = table.routes.iter().map(|route| {
        let destination =
            if route.destination.starts_with("pl-") { "DestinationPrefixListId" } else { "DestinationCidrBlock" };
        let target = if route.target.starts_with("eni-") { "NetworkInterfaceId" } else { "GatewayId" };
        let origin = if route.target == "local" { "CreateRouteTable" } else { "CreateRoute" };
        let gone = route.target.starts_with("igw-") && network.gateways.get(&route.target).is_none_or(Option::is_none);
        json!({
            (destination): route.destination, (target): route.target, "Origin": origin,
            "State": if gone { "blackhole" } else { "active" },
        })
    });
    let routes: Vec<Value> = routes.collect();
    json!({
        "RouteTableId": id, "VpcId": table.vpc, "OwnerId": cx.scope.account, "PropagatingVgws": [],
        "Associations": associations, "Routes": routes, "Tags": tags(network, id),
    })
}

pub(super) fn internet_gateway(network: &Network, cx: &Cx<'_>, id: &str) -> Value {
    let attached = network.gateways.get(id).cloned().flatten();
    let attachments: Vec<Value> = attached.iter().map(|vpc| json!({"State": "available", "VpcId": vpc})).collect();
    json!({"InternetGatewayId": id, "OwnerId": cx.scope.account, "Attachments": attachments, "Tags": tags(network, id)})
}

pub(super) fn endpoint(network: &Network, cx: &Cx<'_>, id: &str) -> Value {
    let Some(endpoint) = network.endpoints.get(id) else { return Value::Null };
    let groups = endpoint.groups.iter().map(|group| named_group(network, group)).collect::<Vec<_>>();
    let host = endpoint.service.rsplit('.').next().unwrap_or_default();
    let names: Vec<Value> = match endpoint.is_gateway {
        true => Vec::new(),
        false => vec![
            json!({"DnsName": format!("{id}-{}.{host}.{}.vpce.amazonaws.com", &id[5..13.min(id.len())], cx.scope.region)}),
        ],
    };
    json!({
        "VpcEndpointId": id, "VpcEndpointType": if endpoint.is_gateway { "Gateway" } else { "Interface" }, "VpcId": endpoint.vpc,
        "ServiceName": endpoint.service, "State": "available", "PolicyDocument": endpoint.policy, "RouteTableIds": endpoint.route_tables,
        "SubnetIds": endpoint.subnets, "Groups": groups, "PrivateDnsEnabled": endpoint.private_dns,
        "RequesterManaged": endpoint.requester_managed, "NetworkInterfaceIds": endpoint.interfaces, "DnsEntries": names,
        "CreationTimestamp": endpoint.created, "Tags": tags(network, id), "OwnerId": cx.scope.account,
    })
}

fn named_group(network: &Network, id: &str) -> Value {
    json!({"GroupId": id, "GroupName": network.groups.get(id).map(|group| group.name.as_str()).unwrap_or_default()})
}

pub(super) fn security_group(network: &Network, cx: &Cx<'_>, id: &str) -> Value {
    let Some(group) = network.groups.get(id) else { return Value::Null };
    let rules =
        |egress| permissions(cx, network.rules.values().filter(|rule| rule.group == id && rule.egress == egress));
    json!({
        "GroupId": id, "GroupName": group.name, "Description": group.description, "VpcId": group.vpc, "OwnerId": cx.scope.account,
        "SecurityGroupArn": cx.scope.arn("ec2", format!("security-group/{id}")),
        "IpPermissions": rules(false), "IpPermissionsEgress": rules(true), "Tags": tags(network, id),
    })
}

/// Rules gathered by protocol and ports, as `DescribeSecurityGroups` shows them.
pub(super) fn permissions<'a>(cx: &Cx<'_>, rules: impl Iterator<Item = &'a Rule>) -> Value {
    let mut gathered: Vec<(&Rule, Map<String, Value>)> = Vec::new();
    for rule in rules {
        let same =
            |(first, _): &(&Rule, _)| (&first.protocol, first.from, first.to) == (&rule.protocol, rule.from, rule.to);
        let at = gathered.iter().position(same).unwrap_or_else(|| {
            let mut view = Map::new();
            view.insert("IpProtocol".into(), json!(rule.protocol));
            if rule.protocol != "-1" {
                view.insert("FromPort".into(), json!(rule.from));
                view.insert("ToPort".into(), json!(rule.to));
            }
            for list in ["IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"] {
                view.insert(list.into(), json!([]));
            }
            gathered.push((rule, view));
            gathered.len() - 1
        });
        let (list, mut entry) = match &rule.peer {
            Peer::Ipv4(cidr) => ("IpRanges", json!({"CidrIp": cidr})),
            Peer::Ipv6(cidr) => ("Ipv6Ranges", json!({"CidrIpv6": cidr})),
            Peer::PrefixList(id) => ("PrefixListIds", json!({"PrefixListId": id})),
            Peer::Group(id) => ("UserIdGroupPairs", json!({"GroupId": id, "UserId": cx.scope.account})),
        };
        if let Some(description) = &rule.description {
            entry["Description"] = json!(description);
        }
        if let Some(Value::Array(entries)) = gathered[at].1.get_mut(list) {
            entries.push(entry);
        }
    }
    gathered.into_iter().map(|(_, view)| Value::Object(view)).collect()
}

pub(super) fn security_group_rule(network: &Network, cx: &Cx<'_>, id: &str) -> Value {
    let Some(rule) = network.rules.get(id) else { return Value::Null };
    let mut view = json!({
        "SecurityGroupRuleId": id, "GroupId": rule.group, "GroupOwnerId": cx.scope.account, "IsEgress": rule.egress,
        "IpProtocol": rule.protocol, "FromPort": rule.from, "ToPort": rule.to, "Tags": tags(network, id),
        "SecurityGroupRuleArn": cx.scope.arn("ec2", format!("security-group-rule/{id}")),
    });
    match &rule.peer {
        Peer::Ipv4(cidr) => view["CidrIpv4"] = json!(cidr),
        Peer::Ipv6(cidr) => view["CidrIpv6"] = json!(cidr),
        Peer::PrefixList(list) => view["PrefixListId"] = json!(list),
        Peer::Group(group) => {
            let vpc = network.groups.get(group).map(|group| group.vpc.as_str());
            view["ReferencedGroupInfo"] = json!({"GroupId": group, "UserId": cx.scope.account, "VpcId": vpc});
        }
    }
    if let Some(description) = &rule.description {
        view["Description"] = json!(description);
    }
    view
}

pub(super) fn interface(network: &Network, cx: &Cx<'_>, id: &str) -> Value {
    let Some(interface) = network.interfaces.get(id) else { return Value::Null };
    let zone = network.subnets.get(&interface.subnet).map(|subnet| subnet.zone.as_str()).unwrap_or_default();
    let groups: Vec<Value> = interface.groups.iter().map(|group| named_group(network, group)).collect();
    let mut view = json!({
        "NetworkInterfaceId": id, "SubnetId": interface.subnet, "VpcId": interface.vpc, "AvailabilityZone": zone,
        "AvailabilityZoneId": places::zone_id(zone), "Description": interface.description, "Groups": groups,
        "InterfaceType": "interface", "Ipv6Addresses": [], "MacAddress": interface.mac, "OwnerId": cx.scope.account,
        "PrivateIpAddress": interface.address, "PrivateIpAddresses": [{"Primary": true, "PrivateIpAddress": interface.address}],
        "RequesterManaged": interface.requester.is_some(), "SourceDestCheck": true,
        "Status": if interface.requester.is_some() { "in-use" } else { "available" }, "TagSet": tags(network, id),
    });
    if let Some(requester) = &interface.requester {
        view["RequesterId"] = json!(requester);
    }
    view
}

/// A VPC's default network ACL: everything in and out.
pub(super) fn network_acl(network: &Network, cx: &Cx<'_>, vpc: &str) -> Value {
    let Some(acl) = network.vpcs.get(vpc).map(|vpc| &vpc.acl) else { return Value::Null };
    let subnets = network.subnets.iter().filter(|(_, subnet)| subnet.vpc == vpc);
    let associations = subnets.map(
        |(id, subnet)| json!({"NetworkAclAssociationId": subnet.acl_association, "NetworkAclId": acl, "SubnetId": id}),
    );
    let associations: Vec<Value> = associations.collect();
    let entry = |egress: bool, number: u32, action: &str| json!({"CidrBlock": "0.0.0.0/0", "Egress": egress, "Protocol": "-1", "RuleAction": action, "RuleNumber": number});
    json!({
        "NetworkAclId": acl, "VpcId": vpc, "OwnerId": cx.scope.account, "IsDefault": true, "Associations": associations,
        "Entries": [entry(true, 100, "allow"), entry(true, 32767, "deny"), entry(false, 100, "allow"), entry(false, 32767, "deny")],
        "Tags": tags(network, acl),
    })
}
