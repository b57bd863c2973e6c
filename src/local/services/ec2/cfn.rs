//! EC2's resource types for CloudFormation: VPC, subnets, routes, gateways, endpoints. Security groups: [`groups`].

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

mod groups;

pub(super) fn types() -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(Vpc),
        Arc::new(Subnet),
        Arc::new(RouteTable),
        Arc::new(Route),
        Arc::new(SubnetRouteTableAssociation),
        Arc::new(InternetGateway),
        Arc::new(GatewayAttachment),
        Arc::new(Endpoint),
        Arc::new(groups::SecurityGroup),
        Arc::new(groups::Ingress),
        Arc::new(groups::Egress),
    ]
}

type Made = Result<Provisioned, ResourceFault>;

/// Sends one EC2 request, as CloudFormation does for the stack's owner.
async fn send(cx: &ResourceContext, operation: &str, input: Value) -> Result<Value, Fault> {
    let scope = cx.scope.as_service("cloudformation.amazonaws.com");
    cx.cloud.call(&scope, "ec2", operation, without_nulls(input)).await
}

/// [`send`] for a deletion: what is not there any more is deleted.
async fn send_gone(cx: &ResourceContext, operation: &str, input: Value) -> Result<(), ResourceFault> {
    match send(cx, operation, input).await {
        Ok(_) => Ok(()),
        Err(fault) if fault.code.ends_with(".NotFound") => Ok(()),
        Err(fault) => Err(fault.into()),
    }
}

fn without_nulls(input: Value) -> Value {
    match input {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// Refuses a property that AWS knows and this implementation does not.
fn only(type_name: &str, properties: &Value, known: &[&str]) -> Result<(), Fault> {
    let unknown =
        properties.as_object().into_iter().flatten().map(|(name, _)| name).find(|name| !known.contains(&name.as_str()));
    match unknown {
        Some(name) => Err(Fault::unsupported(format!("the property {name} of {type_name}"))),
        None => Ok(()),
    }
}

/// A number that a template may also give as text.
fn number(value: &Value) -> Value {
    value.as_str().and_then(|text| text.parse::<i64>().ok()).map_or_else(|| value.clone(), Value::from)
}

/// A boolean that a template may also give as text.
fn boolean(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `TagSpecifications` with the resource's and the stack's tags.
fn tagged(cx: &ResourceContext, kind: &str, properties: &Value) -> Value {
    let tags = cx.tags(properties.get("Tags"));
    if tags.as_array().is_none_or(Vec::is_empty) { Value::Null } else { json!([{"ResourceType": kind, "Tags": tags}]) }
}

async fn retag(cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let tags = cx.tags(new.get("Tags"));
    let kept = |key: &Value| tags.as_array().into_iter().flatten().any(|tag| tag["Key"] == *key);
    let old = old["Tags"].as_array().into_iter().flatten();
    let gone: Vec<Value> = old.map(|tag| &tag["Key"]).filter(|key| !kept(key)).map(|key| json!({"Key": key})).collect();
    if !gone.is_empty() {
        send(cx, "DeleteTags", json!({"Resources": [id], "Tags": gone})).await?;
    }
    if tags.as_array().is_some_and(|tags| !tags.is_empty()) {
        send(cx, "CreateTags", json!({"Resources": [id], "Tags": tags})).await?;
    }
    Ok(())
}

fn attributes(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn made(id: &str, given: Value) -> Provisioned {
    Provisioned { physical_id: id.to_owned(), reference: None, attributes: attributes(given) }
}

struct Vpc;

impl Vpc {
    async fn settings(cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), Fault> {
        // Support first: names need it.
        for (name, default) in [("EnableDnsSupport", true), ("EnableDnsHostnames", false)] {
            let value = boolean(&properties[name]).unwrap_or(default);
            send(cx, "ModifyVpcAttribute", json!({"VpcId": id, (name): {"Value": value}})).await?;
        }
        Ok(())
    }

    async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
        let vpc = send(cx, "DescribeVpcs", json!({"VpcIds": [id]})).await?;
        let in_vpc = |more: Value| json!({"Filters": [{"Name": "vpc-id", "Values": [id]}, more]});
        let groups =
            send(cx, "DescribeSecurityGroups", in_vpc(json!({"Name": "group-name", "Values": ["default"]}))).await?;
        let acls = send(cx, "DescribeNetworkAcls", in_vpc(json!({"Name": "default", "Values": ["true"]}))).await?;
        let vpc = &vpc["Vpcs"][0];
        Ok(made(
            id,
            json!({
                "VpcId": id, "CidrBlock": vpc["CidrBlock"], "CidrBlockAssociations": [vpc["CidrBlockAssociationSet"][0]["AssociationId"]],
                "DefaultSecurityGroup": groups["SecurityGroups"][0]["GroupId"], "DefaultNetworkAcl": acls["NetworkAcls"][0]["NetworkAclId"],
                "Ipv6CidrBlocks": [],
            }),
        ))
    }
}

#[async_trait]
impl ResourceType for Vpc {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::VPC"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(
            self.type_name(),
            properties,
            &["CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"],
        )?;
        let input = json!({
            "CidrBlock": properties["CidrBlock"], "InstanceTenancy": properties["InstanceTenancy"], "ClientToken": cx.token,
            "TagSpecifications": tagged(cx, "vpc", properties),
        });
        let output = send(cx, "CreateVpc", input).await?;
        let id = text(&output["Vpc"]["VpcId"]);
        Vpc::settings(cx, id, properties).await.unfinished(id)?;
        Vpc::provisioned(cx, id).await.unfinished(id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        only(
            self.type_name(),
            new,
            &["CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"],
        )?;
        Vpc::settings(cx, id, new).await?;
        retag(cx, id, old, new).await?;
        Vpc::provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        send_gone(cx, "DeleteVpc", json!({"VpcId": id})).await
    }
}

struct Subnet;

impl Subnet {
    const KNOWN: &'static [&'static str] =
        &["VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId", "MapPublicIpOnLaunch", "Tags"];

    async fn provisioned(cx: &ResourceContext, id: &str, properties: &Value) -> Made {
        let public = boolean(&properties["MapPublicIpOnLaunch"]).unwrap_or(false);
        send(cx, "ModifySubnetAttribute", json!({"SubnetId": id, "MapPublicIpOnLaunch": {"Value": public}})).await?;
        let output = send(cx, "DescribeSubnets", json!({"SubnetIds": [id]})).await?;
        let by_subnet = json!({"Filters": [{"Name": "association.subnet-id", "Values": [id]}]});
        let acls = send(cx, "DescribeNetworkAcls", by_subnet).await?;
        let associations = acls["NetworkAcls"][0]["Associations"].as_array().into_iter().flatten();
        let own = associations.into_iter().find(|association| association["SubnetId"] == *id);
        let subnet = &output["Subnets"][0];
        Ok(made(
            id,
            json!({
                "SubnetId": id, "VpcId": subnet["VpcId"], "CidrBlock": subnet["CidrBlock"], "AvailabilityZone": subnet["AvailabilityZone"],
                "AvailabilityZoneId": subnet["AvailabilityZoneId"], "Ipv6CidrBlocks": [], "OutpostArn": "",
                "NetworkAclAssociationId": own.map(|own| own["NetworkAclAssociationId"].clone()),
            }),
        ))
    }
}

#[async_trait]
impl ResourceType for Subnet {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::Subnet"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(self.type_name(), properties, Subnet::KNOWN)?;
        let input = json!({
            "VpcId": properties["VpcId"], "CidrBlock": properties["CidrBlock"], "AvailabilityZone": properties["AvailabilityZone"],
            "AvailabilityZoneId": properties["AvailabilityZoneId"], "ClientToken": cx.token,
            "TagSpecifications": tagged(cx, "subnet", properties),
        });
        let output = send(cx, "CreateSubnet", input).await?;
        let id = text(&output["Subnet"]["SubnetId"]);
        Subnet::provisioned(cx, id, properties).await.unfinished(id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        only(self.type_name(), new, Subnet::KNOWN)?;
        retag(cx, id, old, new).await?;
        Subnet::provisioned(cx, id, new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        send_gone(cx, "DeleteSubnet", json!({"SubnetId": id})).await
    }
}

struct RouteTable;

#[async_trait]
impl ResourceType for RouteTable {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::RouteTable"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(self.type_name(), properties, &["VpcId", "Tags"])?;
        let specification = tagged(cx, "route-table", properties);
        let input = json!({"VpcId": properties["VpcId"], "ClientToken": cx.token, "TagSpecifications": specification});
        let output = send(cx, "CreateRouteTable", input).await?;
        let id = text(&output["RouteTable"]["RouteTableId"]);
        Ok(made(id, json!({"RouteTableId": id})))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        retag(cx, id, old, new).await?;
        Ok(made(id, json!({"RouteTableId": id})))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        send_gone(cx, "DeleteRouteTable", json!({"RouteTableId": id})).await
    }
}

struct Route;

impl Route {
    fn input(type_name: &str, properties: &Value) -> Result<(Value, String), Fault> {
        let known = [
            "RouteTableId",
            "DestinationCidrBlock",
            "DestinationPrefixListId",
            "GatewayId",
            "VpcEndpointId",
            "NetworkInterfaceId",
        ];
        only(type_name, properties, &known)?;
        let destination =
            ["DestinationCidrBlock", "DestinationPrefixListId"].iter().find_map(|name| properties[*name].as_str());
        Ok((properties.clone(), destination.unwrap_or_default().to_owned()))
    }

    fn provisioned(properties: &Value, destination: &str) -> Provisioned {
        let id = format!("{}|{destination}", text(&properties["RouteTableId"]));
        made(&id, json!({"CidrBlock": destination}))
    }
}

#[async_trait]
impl ResourceType for Route {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::Route"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let (input, destination) = Route::input(self.type_name(), properties)?;
        send(cx, "CreateRoute", input).await?;
        Ok(Route::provisioned(properties, &destination))
    }

    async fn update(&self, cx: &ResourceContext, _: &str, _: &Value, new: &Value) -> Made {
        let (input, destination) = Route::input(self.type_name(), new)?;
        send(cx, "ReplaceRoute", input).await?;
        Ok(Route::provisioned(new, &destination))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        let Some((table, destination)) = id.split_once('|') else { return Ok(()) };
        let member = if destination.starts_with("pl-") { "DestinationPrefixListId" } else { "DestinationCidrBlock" };
        send_gone(cx, "DeleteRoute", json!({"RouteTableId": table, (member): destination})).await
    }
}

struct SubnetRouteTableAssociation;

#[async_trait]
impl ResourceType for SubnetRouteTableAssociation {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::SubnetRouteTableAssociation"
    }

    /// A subnet that has an explicit table already gets the new one in its place: that is how a replacement works, where the
    /// new association is made before the old one goes.
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(self.type_name(), properties, &["SubnetId", "RouteTableId"])?;
        let id = match send(cx, "AssociateRouteTable", properties.clone()).await {
            Ok(output) => text(&output["AssociationId"]).to_owned(),
            Err(fault) if fault.code == "Resource.AlreadyAssociated" => {
                let subnet = &properties["SubnetId"];
                let filter = json!({"Filters": [{"Name": "association.subnet-id", "Values": [subnet]}]});
                let tables = send(cx, "DescribeRouteTables", filter).await?;
                let associations = tables["RouteTables"][0]["Associations"].as_array().into_iter().flatten();
                let current = associations.into_iter().find(|association| association["SubnetId"] == *subnet);
                let current = current.map(|association| association["RouteTableAssociationId"].clone());
                let input = json!({"AssociationId": current, "RouteTableId": properties["RouteTableId"]});
                text(&send(cx, "ReplaceRouteTableAssociation", input).await?["NewAssociationId"]).to_owned()
            }
            Err(fault) => return Err(fault.into()),
        };
        Ok(made(&id, json!({"Id": id})))
    }

    async fn update(&self, cx: &ResourceContext, _: &str, _: &Value, new: &Value) -> Made {
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        send_gone(cx, "DisassociateRouteTable", json!({"AssociationId": id})).await
    }
}

struct InternetGateway;

#[async_trait]
impl ResourceType for InternetGateway {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::InternetGateway"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(self.type_name(), properties, &["Tags"])?;
        let input = json!({"ClientToken": cx.token, "TagSpecifications": tagged(cx, "internet-gateway", properties)});
        let output = send(cx, "CreateInternetGateway", input).await?;
        let id = text(&output["InternetGateway"]["InternetGatewayId"]);
        Ok(made(id, json!({"InternetGatewayId": id})))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        retag(cx, id, old, new).await?;
        Ok(made(id, json!({"InternetGatewayId": id})))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        send_gone(cx, "DeleteInternetGateway", json!({"InternetGatewayId": id})).await
    }
}

struct GatewayAttachment;

#[async_trait]
impl ResourceType for GatewayAttachment {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::VPCGatewayAttachment"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(self.type_name(), properties, &["VpcId", "InternetGatewayId"])?;
        let (vpc, gateway) = (&properties["VpcId"], &properties["InternetGatewayId"]);
        let gateways = send(cx, "DescribeInternetGateways", json!({"InternetGatewayIds": [gateway]})).await?;
        if gateways["InternetGateways"][0]["Attachments"][0]["VpcId"] != *vpc {
            send(cx, "AttachInternetGateway", json!({"VpcId": vpc, "InternetGatewayId": gateway})).await?;
        }
        Ok(made(&format!("IGW|{}", text(vpc)), json!({"AttachmentType": "IGW"})))
    }

    async fn update(&self, cx: &ResourceContext, _: &str, old: &Value, new: &Value) -> Made {
        if old != new {
            let detached = json!({"VpcId": old["VpcId"], "InternetGatewayId": old["InternetGatewayId"]});
            send_gone(cx, "DetachInternetGateway", detached).await?;
        }
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"VpcId": properties["VpcId"], "InternetGatewayId": properties["InternetGatewayId"]});
        match send(cx, "DetachInternetGateway", input).await {
            Err(fault) if fault.code == "Gateway.NotAttached" || fault.code.ends_with(".NotFound") => Ok(()),
            Err(fault) => Err(fault.into()),
            Ok(_) => Ok(()),
        }
    }
}

struct Endpoint;

impl Endpoint {
    const KNOWN: &'static [&'static str] = &[
        "VpcId",
        "ServiceName",
        "VpcEndpointType",
        "PolicyDocument",
        "RouteTableIds",
        "SubnetIds",
        "SecurityGroupIds",
        "PrivateDnsEnabled",
        "Tags",
    ];

    fn policy(properties: &Value) -> Value {
        match &properties["PolicyDocument"] {
            Value::Object(document) => Value::String(Value::Object(document.clone()).to_string()),
            other => other.clone(),
        }
    }

    async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
        let output = send(cx, "DescribeVpcEndpoints", json!({"VpcEndpointIds": [id]})).await?;
        let endpoint = &output["VpcEndpoints"][0];
        let created = endpoint["CreationTimestamp"].as_f64().unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "a time of our own making")]
        let created = crate::local::clock::Timestamp::from_millis((created * 1000.0).round() as i64).iso8601();
        let names = endpoint["DnsEntries"].as_array().into_iter().flatten();
        let names: Vec<Value> =
            names.map(|entry| json!(format!("Z7HUB22UULQXV:{}", text(&entry["DnsName"])))).collect();
        Ok(made(
            id,
            json!({
                "Id": id, "CreationTimestamp": created, "DnsEntries": names, "NetworkInterfaceIds": endpoint["NetworkInterfaceIds"],
            }),
        ))
    }
}

#[async_trait]
impl ResourceType for Endpoint {
    fn type_name(&self) -> &'static str {
        "AWS::EC2::VPCEndpoint"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        only(self.type_name(), properties, Endpoint::KNOWN)?;
        let input = json!({
            "VpcId": properties["VpcId"], "ServiceName": properties["ServiceName"], "VpcEndpointType": properties["VpcEndpointType"],
            "PolicyDocument": Endpoint::policy(properties), "RouteTableIds": properties["RouteTableIds"],
            "SubnetIds": properties["SubnetIds"], "SecurityGroupIds": properties["SecurityGroupIds"],
            "PrivateDnsEnabled": boolean(&properties["PrivateDnsEnabled"]), "ClientToken": cx.token,
            "TagSpecifications": tagged(cx, "vpc-endpoint", properties),
        });
        let output = send(cx, "CreateVpcEndpoint", input).await?;
        let id = text(&output["VpcEndpoint"]["VpcEndpointId"]);
        Endpoint::provisioned(cx, id).await.unfinished(id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        only(self.type_name(), new, Endpoint::KNOWN)?;
        let list = |properties: &Value, name: &str| properties[name].as_array().cloned().unwrap_or_default();
        let mut input = json!({"VpcEndpointId": id, "PrivateDnsEnabled": boolean(&new["PrivateDnsEnabled"])});
        for (name, stem) in
            [("RouteTableIds", "RouteTableIds"), ("SubnetIds", "SubnetIds"), ("SecurityGroupIds", "SecurityGroupIds")]
        {
            let (before, after) = (list(old, name), list(new, name));
            input[format!("Add{stem}")] = after.iter().filter(|item| !before.contains(item)).cloned().collect();
            input[format!("Remove{stem}")] = before.iter().filter(|item| !after.contains(item)).cloned().collect();
        }
        match Endpoint::policy(new) {
            Value::Null => input["ResetPolicy"] = json!(true),
            policy => input["PolicyDocument"] = policy,
        }
        send(cx, "ModifyVpcEndpoint", input).await?;
        retag(cx, id, old, new).await?;
        Endpoint::provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        // One that is gone is reported in `Unsuccessful`, which is success here.
        send_gone(cx, "DeleteVpcEndpoints", json!({"VpcEndpointIds": [id]})).await
    }
}
