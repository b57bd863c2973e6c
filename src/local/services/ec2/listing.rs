//! Every `Describe…` that lists: ids, filters with wildcards, pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::faults::{Kind, NetFault};
use super::places;
use super::state::{Cx, Network};
use super::views;
use crate::like::is_like_escaped;
use crate::service::asks_for_nothing;

/// One listing operation.
pub(super) struct Catalogue {
    pub(super) operation: &'static str,
    /// The output member that holds the items.
    member: &'static str,
    /// Input member with ids, the item's member it names, and the kind in the fault for one that is not there.
    ids: Option<(&'static str, &'static str, Kind)>,
    /// The same by name, where the operation has that too.
    names: Option<(&'static str, &'static str, Kind)>,
    /// Further input members that change nothing here.
    ignored: &'static [&'static str],
    /// Filter name → path in the item; lists on the way are looked into. `tag:KEY`, `tag-key` work for all.
    filters: &'static [(&'static str, &'static str)],
    items: fn(&Network, &Cx<'_>) -> Vec<Value>,
}

const NONE: Catalogue = Catalogue {
    operation: "",
    member: "",
    ids: None,
    names: None,
    ignored: &[],
    filters: &[],
    items: |_, _| Vec::new(),
};

pub(super) const CATALOGUES: &[Catalogue] = &[
    Catalogue {
        operation: "DescribeVpcs",
        member: "Vpcs",
        ids: Some(("VpcIds", "VpcId", Kind::Vpc)),
        filters: &[
            ("vpc-id", "VpcId"),
            ("cidr", "CidrBlock"),
            ("cidr-block-association.cidr-block", "CidrBlockAssociationSet.CidrBlock"),
            ("cidr-block-association.association-id", "CidrBlockAssociationSet.AssociationId"),
            ("cidr-block-association.state", "CidrBlockAssociationSet.CidrBlockState.State"),
            ("dhcp-options-id", "DhcpOptionsId"),
            ("is-default", "IsDefault"),
            ("isDefault", "IsDefault"),
            ("owner-id", "OwnerId"),
            ("state", "State"),
        ],
        items: |network, cx| network.vpcs.keys().map(|id| views::vpc(network, cx, id)).collect(),
        ..NONE
    },
    Catalogue {
        operation: "DescribeSubnets",
        member: "Subnets",
        ids: Some(("SubnetIds", "SubnetId", Kind::Subnet)),
        filters: &[
            ("subnet-id", "SubnetId"),
            ("subnet-arn", "SubnetArn"),
            ("vpc-id", "VpcId"),
            ("availability-zone", "AvailabilityZone"),
            ("availabilityZone", "AvailabilityZone"),
            ("availability-zone-id", "AvailabilityZoneId"),
            ("cidr-block", "CidrBlock"),
            ("cidr", "CidrBlock"),
            ("cidrBlock", "CidrBlock"),
            ("default-for-az", "DefaultForAz"),
            ("defaultForAz", "DefaultForAz"),
            ("map-public-ip-on-launch", "MapPublicIpOnLaunch"),
            ("owner-id", "OwnerId"),
            ("state", "State"),
            ("available-ip-address-count", "AvailableIpAddressCount"),
            ("ipv6-native", "Ipv6Native"),
        ],
        items: |network, cx| network.subnets.keys().map(|id| views::subnet(network, cx, id)).collect(),
        ..NONE
    },
    Catalogue {
        operation: "DescribeRouteTables",
        member: "RouteTables",
        ids: Some(("RouteTableIds", "RouteTableId", Kind::RouteTable)),
        filters: &[
            ("route-table-id", "RouteTableId"),
            ("vpc-id", "VpcId"),
            ("association.main", "Associations.Main"),
            ("association.subnet-id", "Associations.SubnetId"),
            ("association.route-table-id", "Associations.RouteTableId"),
            ("association.route-table-association-id", "Associations.RouteTableAssociationId"),
            ("owner-id", "OwnerId"),
            ("route.destination-cidr-block", "Routes.DestinationCidrBlock"),
            ("route.gateway-id", "Routes.GatewayId"),
            ("route.destination-prefix-list-id", "Routes.DestinationPrefixListId"),
            ("route.origin", "Routes.Origin"),
            ("route.state", "Routes.State"),
            ("route.nat-gateway-id", "Routes.NatGatewayId"),
        ],
        items: |network, cx| network.route_tables.keys().map(|id| views::route_table(network, cx, id)).collect(),
        ..NONE
    },
    Catalogue {
        operation: "DescribeInternetGateways",
        member: "InternetGateways",
        ids: Some(("InternetGatewayIds", "InternetGatewayId", Kind::InternetGateway)),
        filters: &[
            ("internet-gateway-id", "InternetGatewayId"),
            ("attachment.vpc-id", "Attachments.VpcId"),
            ("attachment.state", "Attachments.State"),
            ("owner-id", "OwnerId"),
        ],
        items: |network, cx| network.gateways.keys().map(|id| views::internet_gateway(network, cx, id)).collect(),
        ..NONE
    },
    Catalogue {
        operation: "DescribeVpcEndpoints",
        member: "VpcEndpoints",
        ids: Some(("VpcEndpointIds", "VpcEndpointId", Kind::Endpoint)),
        filters: &[
            ("vpc-endpoint-id", "VpcEndpointId"),
            ("vpc-id", "VpcId"),
            ("service-name", "ServiceName"),
            ("vpc-endpoint-state", "State"),
            ("vpc-endpoint-type", "VpcEndpointType"),
        ],
        items: |network, cx| network.endpoints.keys().map(|id| views::endpoint(network, cx, id)).collect(),
        ..NONE
    },
    Catalogue {
        operation: "DescribeSecurityGroups",
        member: "SecurityGroups",
        ids: Some(("GroupIds", "GroupId", Kind::SecurityGroup)),
        names: Some(("GroupNames", "GroupName", Kind::SecurityGroup)),
        filters: &[
            ("group-id", "GroupId"),
            ("group-name", "GroupName"),
            ("description", "Description"),
            ("vpc-id", "VpcId"),
            ("owner-id", "OwnerId"),
            ("ip-permission.cidr", "IpPermissions.IpRanges.CidrIp"),
            ("ip-permission.from-port", "IpPermissions.FromPort"),
            ("ip-permission.to-port", "IpPermissions.ToPort"),
            ("ip-permission.protocol", "IpPermissions.IpProtocol"),
            ("ip-permission.group-id", "IpPermissions.UserIdGroupPairs.GroupId"),
            ("ip-permission.ipv6-cidr", "IpPermissions.Ipv6Ranges.CidrIpv6"),
            ("ip-permission.prefix-list-id", "IpPermissions.PrefixListIds.PrefixListId"),
            ("egress.ip-permission.cidr", "IpPermissionsEgress.IpRanges.CidrIp"),
            ("egress.ip-permission.from-port", "IpPermissionsEgress.FromPort"),
            ("egress.ip-permission.to-port", "IpPermissionsEgress.ToPort"),
            ("egress.ip-permission.protocol", "IpPermissionsEgress.IpProtocol"),
            ("egress.ip-permission.group-id", "IpPermissionsEgress.UserIdGroupPairs.GroupId"),
            ("egress.ip-permission.prefix-list-id", "IpPermissionsEgress.PrefixListIds.PrefixListId"),
        ],
        items: |network, cx| network.groups.keys().map(|id| views::security_group(network, cx, id)).collect(),
        ..NONE
    },
    Catalogue {
        operation: "DescribeSecurityGroupRules",
        member: "SecurityGroupRules",
        ids: Some(("SecurityGroupRuleIds", "SecurityGroupRuleId", Kind::SecurityGroupRule)),
        filters: &[("group-id", "GroupId"), ("security-group-rule-id", "SecurityGroupRuleId")],
        items: |network, cx| network.rules.keys().map(|id| views::security_group_rule(network, cx, id)).collect(),
        ..NONE
    },
    Catalogue {
        operation: "DescribeNetworkInterfaces",
        member: "NetworkInterfaces",
        ids: Some(("NetworkInterfaceIds", "NetworkInterfaceId", Kind::NetworkInterface)),
        filters: &[
            ("network-interface-id", "NetworkInterfaceId"),
            ("vpc-id", "VpcId"),
            ("subnet-id", "SubnetId"),
            ("group-id", "Groups.GroupId"),
            ("group-name", "Groups.GroupName"),
            ("description", "Description"),
            ("status", "Status"),
            ("requester-id", "RequesterId"),
            ("requester-managed", "RequesterManaged"),
            ("interface-type", "InterfaceType"),
            ("availability-zone", "AvailabilityZone"),
            ("private-ip-address", "PrivateIpAddress"),
            ("addresses.private-ip-address", "PrivateIpAddresses.PrivateIpAddress"),
            ("mac-address", "MacAddress"),
            ("owner-id", "OwnerId"),
            ("attachment.instance-id", "Attachment.InstanceId"),
        ],
        items: |network, cx| network.interfaces.keys().map(|id| views::interface(network, cx, id)).collect(),
        ..NONE
    },
    Catalogue {
        operation: "DescribeNetworkAcls",
        member: "NetworkAcls",
        ids: Some(("NetworkAclIds", "NetworkAclId", Kind::NetworkAcl)),
        filters: &[
            ("network-acl-id", "NetworkAclId"),
            ("vpc-id", "VpcId"),
            ("default", "IsDefault"),
            ("owner-id", "OwnerId"),
            ("association.subnet-id", "Associations.SubnetId"),
            ("association.network-acl-id", "Associations.NetworkAclId"),
            ("association.association-id", "Associations.NetworkAclAssociationId"),
        ],
        items: |network, cx| network.vpcs.keys().map(|vpc| views::network_acl(network, cx, vpc)).collect(),
        ..NONE
    },
    Catalogue {
        operation: "DescribeAvailabilityZones",
        member: "AvailabilityZones",
        ids: Some(("ZoneNames", "ZoneName", Kind::Zone)),
        names: Some(("ZoneIds", "ZoneId", Kind::Zone)),
        ignored: &["AllAvailabilityZones"],
        filters: &[
            ("zone-name", "ZoneName"),
            ("zone-id", "ZoneId"),
            ("region-name", "RegionName"),
            ("state", "State"),
            ("zone-type", "ZoneType"),
            ("opt-in-status", "OptInStatus"),
            ("group-name", "GroupName"),
        ],
        items: |_, cx| {
            let zones = places::zones(&cx.scope.region).into_iter();
            let view = |(name, id)| {
                json!({
                    "ZoneName": name, "ZoneId": id, "RegionName": cx.scope.region, "State": "available", "ZoneType": "availability-zone",
                    "OptInStatus": "opt-in-not-required", "GroupName": format!("{}-zg-1", cx.scope.region),
                    "NetworkBorderGroup": cx.scope.region, "Messages": [],
                })
            };
            zones.map(view).collect()
        },
    },
    Catalogue {
        operation: "DescribeRegions",
        member: "Regions",
        ids: Some(("RegionNames", "RegionName", Kind::Region)),
        ignored: &["AllRegions"],
        filters: &[("region-name", "RegionName"), ("endpoint", "Endpoint"), ("opt-in-status", "OptInStatus")],
        items: |_, _| {
            let view = |name: &str| json!({"RegionName": name, "Endpoint": format!("ec2.{name}.amazonaws.com"), "OptInStatus": "opt-in-not-required"});
            places::regions().map(view).collect()
        },
        ..NONE
    },
    Catalogue {
        operation: "DescribeTags",
        member: "Tags",
        filters: &[
            ("key", "Key"),
            ("value", "Value"),
            ("resource-id", "ResourceId"),
            ("resource-type", "ResourceType"),
        ],
        items: |network, _| {
            let of = |(id, tags): (&String, &std::collections::BTreeMap<String, String>)| {
                let kind = network.kind_of(id).unwrap_or_default();
                let id = id.clone();
                tags.clone().into_iter().map(
                    move |(key, value)| json!({"Key": key, "Value": value, "ResourceId": id, "ResourceType": kind}),
                )
            };
            network.tags.iter().flat_map(of).collect()
        },
        ..NONE
    },
    Catalogue {
        operation: "DescribeManagedPrefixLists",
        member: "PrefixLists",
        ids: Some(("PrefixListIds", "PrefixListId", Kind::PrefixList)),
        filters: &[("prefix-list-id", "PrefixListId"), ("prefix-list-name", "PrefixListName"), ("owner-id", "OwnerId")],
        items: |_, cx| {
            let lists = places::prefix_lists(&cx.scope.region).into_iter();
            let view = |list: places::PrefixList| {
                json!({
                    "PrefixListId": list.id, "PrefixListName": list.name, "AddressFamily": "IPv4", "State": "create-complete",
                    "OwnerId": "AWS", "PrefixListArn": format!("arn:aws:ec2:{}:aws:prefix-list/{}", cx.scope.region, list.id), "Tags": [],
                })
            };
            lists.map(view).collect()
        },
        ..NONE
    },
    Catalogue {
        operation: "DescribePrefixLists",
        member: "PrefixLists",
        ids: Some(("PrefixListIds", "PrefixListId", Kind::PrefixList)),
        filters: &[("prefix-list-id", "PrefixListId"), ("prefix-list-name", "PrefixListName")],
        items: |_, cx| {
            let lists = places::prefix_lists(&cx.scope.region).into_iter();
            lists
                .map(|list| json!({"PrefixListId": list.id, "PrefixListName": list.name, "Cidrs": list.cidrs}))
                .collect()
        },
        ..NONE
    },
    // There are no instances here, and everyone may see that.
    Catalogue {
        operation: "DescribeInstances",
        member: "Reservations",
        ids: Some(("InstanceIds", "InstanceId", Kind::Instance)),
        ignored: &["IncludeManagedResources"],
        filters: &[
            ("instance-state-name", "-"),
            ("instance-id", "-"),
            ("vpc-id", "-"),
            ("subnet-id", "-"),
            ("instance-type", "-"),
            ("private-ip-address", "-"),
            ("network-interface.group-id", "-"),
            ("instance.group-id", "-"),
            ("image-id", "-"),
        ],
        ..NONE
    },
];

/// Answers a listing operation.
pub(super) fn list(catalogue: &Catalogue, network: &Network, cx: &Cx<'_>, input: &Value) -> Result<Value, NetFault> {
    let mut items = (catalogue.items)(network, cx);
    let (mut size, mut start, mut by_id) = (usize::MAX, 0, false);
    for (name, value) in input.as_object().into_iter().flatten() {
        let chosen = [catalogue.ids, catalogue.names].into_iter().flatten().find(|(member, ..)| member == name);
        if let Some((_, member, kind)) = chosen {
            by_id |= only(&mut items, member, kind, value)?;
            continue;
        }
        match name.as_str() {
            "Filters" => filter(&mut items, catalogue, value)?,
            "MaxResults" => size = page_size(value)?,
            "NextToken" => start = page_start(value)?,
            other if catalogue.ignored.contains(&other) || asks_for_nothing(value) => {}
            other => return Err(NetFault::Unsupported(format!("the parameter {other} of {}", catalogue.operation))),
        }
    }
    if by_id && size != usize::MAX {
        let message = "The parameter MaxResults cannot be used with a list of ids".to_owned();
        return Err(NetFault::Combination(message));
    }
    let more = items.len() > start.saturating_add(size);
    let page: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let mut output = json!({(catalogue.member): page});
    if more {
        output["NextToken"] = json!(URL_SAFE_NO_PAD.encode((start + size).to_string()));
    }
    Ok(output)
}

fn only(items: &mut Vec<Value>, member: &str, kind: Kind, wanted: &Value) -> Result<bool, NetFault> {
    let wanted: Vec<&str> = wanted.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if wanted.is_empty() {
        return Ok(false);
    }
    if let Some(missing) = wanted.iter().find(|id| !items.iter().any(|item| item[member] == **id)) {
        return Err(NetFault::NotFound(kind, (*missing).to_owned()));
    }
    items.retain(|item| wanted.iter().any(|id| item[member] == **id));
    Ok(true)
}

fn page_size(value: &Value) -> Result<usize, NetFault> {
    let size = value.as_u64().and_then(|size| usize::try_from(size).ok()).filter(|size| (5..=1000).contains(size));
    size.ok_or_else(|| {
        NetFault::InvalidValue(format!(
            "Value ( {value} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000."
        ))
    })
}

fn page_start(value: &Value) -> Result<usize, NetFault> {
    let text = value
        .as_str()
        .and_then(|token| URL_SAFE_NO_PAD.decode(token).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let invalid = || NetFault::Refused("InvalidNextToken", "The specified token is invalid".to_owned());
    text.and_then(|text| text.parse().ok()).ok_or_else(invalid)
}

fn filter(items: &mut Vec<Value>, catalogue: &Catalogue, filters: &Value) -> Result<(), NetFault> {
    for filter in filters.as_array().into_iter().flatten() {
        let name = filter["Name"].as_str().ok_or(NetFault::MissingParameter("Filter.Name"))?;
        let values: Vec<&str> = filter["Values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if values.is_empty() {
            return Err(NetFault::InvalidValue(format!("The filter '{name}' has no values")));
        }
        let known = catalogue.filters.iter().find(|(known, _)| *known == name).map(|(_, path)| *path);
        let tags = if catalogue.operation == "DescribeNetworkInterfaces" { "TagSet" } else { "Tags" };
        let matches: Box<dyn Fn(&Value) -> bool> = match (known, name.strip_prefix("tag:")) {
            (Some(path), _) => Box::new(move |item| any(item, path, &values)),
            (None, Some(key)) => Box::new(move |item| {
                let tags = item[tags].as_array().into_iter().flatten();
                tags.into_iter().any(|tag| tag["Key"] == key && any(tag, "Value", &values))
            }),
            (None, None) if name == "tag-key" => Box::new(move |item| any(&item[tags], "Key", &values)),
            (None, None) => return Err(NetFault::InvalidValue(format!("The filter '{name}' is invalid"))),
        };
        items.retain(|item| matches(item));
    }
    Ok(())
}

/// Does anything at `path` match one of the patterns?
fn any(item: &Value, path: &str, patterns: &[&str]) -> bool {
    if let Value::Array(entries) = item {
        return entries.iter().any(|entry| any(entry, path, patterns));
    }
    if path.is_empty() {
        let text = match item {
            Value::String(text) => text.clone(),
            Value::Null => return false,
            other => other.to_string(),
        };
        return patterns.iter().any(|pattern| is_like_escaped(pattern, &text));
    }
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    any(&item[head], rest, patterns)
}
