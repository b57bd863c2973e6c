//! EC2's resource types for CloudFormation: VPC, subnets, routes, gateways, endpoints. Security groups: [`groups`].

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::resource::{
    Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, TagForm, Unfinished,
    compared,
};

mod groups;

pub(super) fn types() -> Vec<ResourceType> {
    let vpc = ["CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"];
    let subnet = ["VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId", "MapPublicIpOnLaunch", "Tags"];
    let target = ["GatewayId", "VpcEndpointId", "NetworkInterfaceId"];
    let endpoint = ["VpcId", "ServiceName", "VpcEndpointType", "PolicyDocument", "PrivateDnsEnabled", "Tags"];
    vec![
        ResourceType::new("AWS::EC2::VPC", &vpc, Vpc)
            .fixed(&["InstanceTenancy"])
            .defaults(|_| json!({"InstanceTenancy": "default"})),
        ResourceType::new("AWS::EC2::Subnet", &subnet, Subnet),
        ResourceType::new("AWS::EC2::RouteTable", &["VpcId", "Tags"], RouteTable),
        ResourceType::new("AWS::EC2::Route", &["RouteTableId"], Route).and(&DESTINATIONS).and(&target),
        ResourceType::new(
            "AWS::EC2::SubnetRouteTableAssociation",
            &["SubnetId", "RouteTableId"],
            SubnetRouteTableAssociation,
        ),
        ResourceType::new("AWS::EC2::InternetGateway", &["Tags"], InternetGateway),
        ResourceType::new("AWS::EC2::VPCGatewayAttachment", &["VpcId", "InternetGatewayId"], GatewayAttachment),
        ResourceType::new("AWS::EC2::VPCEndpoint", &endpoint, Endpoint)
            .and(&ATTACHED)
            .defaults(|given| json!({"PrivateDnsEnabled": given["VpcEndpointType"] == "Interface"})),
        groups::security_group(),
        groups::rule("AWS::EC2::SecurityGroupIngress", groups::Way::In),
        groups::rule("AWS::EC2::SecurityGroupEgress", groups::Way::Out),
    ]
}

/// `TagSpecifications` with the resource's and the stack's tags.
fn tagged(cx: &ResourceContext, kind: &str, properties: &Value) -> Value {
    json!([{"ResourceType": kind, "Tags": cx.tags(properties)}])
}

async fn retag(cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    cx.retag(("DeleteTags", "CreateTags"), json!({"Resources": [id]}), TagForm::Ec2, (old, new)).await
}

struct Vpc;

impl Vpc {
    async fn settings(cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), Fault> {
        // Support first: names need it.
        for (name, default) in [("EnableDnsSupport", true), ("EnableDnsHostnames", false)] {
            let value = properties[name].as_bool().unwrap_or(default);
            cx.ask("ModifyVpcAttribute", json!({"VpcId": id, (name): {"Value": value}})).await?;
        }
        Ok(())
    }

    async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
        let vpc = cx.ask("DescribeVpcs", json!({"VpcIds": [id]})).await?;
        let in_vpc = |more: Value| json!({"Filters": [{"Name": "vpc-id", "Values": [id]}, more]});
        let default_group = in_vpc(json!({"Name": "group-name", "Values": ["default"]}));
        let groups = cx.ask("DescribeSecurityGroups", default_group).await?;
        let default_acl = in_vpc(json!({"Name": "default", "Values": ["true"]}));
        let acls = cx.ask("DescribeNetworkAcls", default_acl).await?;
        let vpc = &vpc["Vpcs"][0];
        let attributes = json!({
            "VpcId": id, "CidrBlock": vpc["CidrBlock"], "CidrBlockAssociations": [vpc["CidrBlockAssociationSet"][0]["AssociationId"]],
            "DefaultSecurityGroup": groups["SecurityGroups"][0]["GroupId"], "DefaultNetworkAcl": acls["NetworkAcls"][0]["NetworkAclId"],
            "Ipv6CidrBlocks": [],
        });
        Ok(Provisioned::with(id, attributes))
    }
}

#[async_trait]
impl Provider for Vpc {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let input = json!({
            "CidrBlock": properties["CidrBlock"], "InstanceTenancy": properties["InstanceTenancy"], "ClientToken": cx.token,
            "TagSpecifications": tagged(cx, "vpc", properties),
        });
        let output = cx.ask("CreateVpc", input).await?;
        let id = output["Vpc"].text("VpcId");
        Vpc::settings(cx, id, properties).await.unfinished(id)?;
        Vpc::provisioned(cx, id).await.unfinished(id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        Vpc::settings(cx, id, new).await?;
        retag(cx, id, old, new).await?;
        Vpc::provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteVpc", json!({"VpcId": id})).await
    }
}

struct Subnet;

impl Subnet {
    async fn provisioned(cx: &ResourceContext, id: &str, properties: &Value) -> Made {
        let public = properties["MapPublicIpOnLaunch"].as_bool().unwrap_or(false);
        cx.ask("ModifySubnetAttribute", json!({"SubnetId": id, "MapPublicIpOnLaunch": {"Value": public}})).await?;
        let output = cx.ask("DescribeSubnets", json!({"SubnetIds": [id]})).await?;
        let by_subnet = json!({"Filters": [{"Name": "association.subnet-id", "Values": [id]}]});
        let acls = cx.ask("DescribeNetworkAcls", by_subnet).await?;
        let own = acls["NetworkAcls"][0].list("Associations").iter().find(|association| association["SubnetId"] == *id);
        let subnet = &output["Subnets"][0];
        let attributes = json!({
            "SubnetId": id, "VpcId": subnet["VpcId"], "CidrBlock": subnet["CidrBlock"], "AvailabilityZone": subnet["AvailabilityZone"],
            "AvailabilityZoneId": subnet["AvailabilityZoneId"], "Ipv6CidrBlocks": [], "OutpostArn": "",
            "NetworkAclAssociationId": own.map(|own| &own["NetworkAclAssociationId"]),
        });
        Ok(Provisioned::with(id, attributes))
    }
}

#[async_trait]
impl Provider for Subnet {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let mut input = properties.pick(&["VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId"]);
        input["ClientToken"] = json!(cx.token);
        input["TagSpecifications"] = tagged(cx, "subnet", properties);
        let output = cx.ask("CreateSubnet", input).await?;
        let id = output["Subnet"].text("SubnetId");
        Subnet::provisioned(cx, id, properties).await.unfinished(id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        retag(cx, id, old, new).await?;
        Subnet::provisioned(cx, id, new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteSubnet", json!({"SubnetId": id})).await
    }
}

struct RouteTable;

#[async_trait]
impl Provider for RouteTable {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let specification = tagged(cx, "route-table", properties);
        let input = json!({"VpcId": properties["VpcId"], "ClientToken": cx.token, "TagSpecifications": specification});
        let output = cx.ask("CreateRouteTable", input).await?;
        let id = output["RouteTable"].text("RouteTableId");
        Ok(Provisioned::with(id, json!({"RouteTableId": id})))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        retag(cx, id, old, new).await?;
        Ok(Provisioned::with(id, json!({"RouteTableId": id})))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteRouteTable", json!({"RouteTableId": id})).await
    }
}

struct Route;

/// The properties that say where a route leads to.
const DESTINATIONS: [&str; 2] = ["DestinationCidrBlock", "DestinationPrefixListId"];

impl Route {
    async fn put(cx: &ResourceContext, operation: &str, properties: &Value) -> Made {
        cx.ask(operation, properties.clone()).await?;
        let destination = DESTINATIONS.iter().find_map(|name| properties[*name].as_str()).unwrap_or_default();
        let id = format!("{}|{destination}", properties.text("RouteTableId"));
        Ok(Provisioned::with(id, json!({"CidrBlock": destination})))
    }
}

#[async_trait]
impl Provider for Route {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        Route::put(cx, "CreateRoute", properties).await
    }

    async fn update(&self, cx: &ResourceContext, _: &str, _: &Value, new: &Value) -> Made {
        Route::put(cx, "ReplaceRoute", new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        let Some((table, destination)) = id.split_once('|') else { return Ok(()) };
        let member = if destination.starts_with("pl-") { "DestinationPrefixListId" } else { "DestinationCidrBlock" };
        cx.remove("DeleteRoute", json!({"RouteTableId": table, (member): destination})).await
    }
}

struct SubnetRouteTableAssociation;

#[async_trait]
impl Provider for SubnetRouteTableAssociation {
    /// A subnet that has an explicit table already gets the new one in its place: that is how a replacement works, where the
    /// new association is made before the old one goes.
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let id = match cx.ask("AssociateRouteTable", properties.clone()).await {
            Ok(output) => output.text("AssociationId").to_owned(),
            Err(fault) if fault.code == "Resource.AlreadyAssociated" => {
                let subnet = &properties["SubnetId"];
                let filter = json!({"Filters": [{"Name": "association.subnet-id", "Values": [subnet]}]});
                let tables = cx.ask("DescribeRouteTables", filter).await?;
                let mut associations = tables["RouteTables"][0].list("Associations").iter();
                let current = associations.find(|association| association["SubnetId"] == *subnet);
                let current = current.map(|association| &association["RouteTableAssociationId"]);
                let input = json!({"AssociationId": current, "RouteTableId": properties["RouteTableId"]});
                cx.ask("ReplaceRouteTableAssociation", input).await?.text("NewAssociationId").to_owned()
            }
            Err(fault) => return Err(fault.into()),
        };
        Ok(Provisioned::with(&id, json!({"Id": id})))
    }

    async fn update(&self, cx: &ResourceContext, _: &str, _: &Value, new: &Value) -> Made {
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DisassociateRouteTable", json!({"AssociationId": id})).await
    }
}

struct InternetGateway;

#[async_trait]
impl Provider for InternetGateway {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let input = json!({"ClientToken": cx.token, "TagSpecifications": tagged(cx, "internet-gateway", properties)});
        let output = cx.ask("CreateInternetGateway", input).await?;
        let id = output["InternetGateway"].text("InternetGatewayId");
        Ok(Provisioned::with(id, json!({"InternetGatewayId": id})))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        retag(cx, id, old, new).await?;
        Ok(Provisioned::with(id, json!({"InternetGatewayId": id})))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteInternetGateway", json!({"InternetGatewayId": id})).await
    }
}

struct GatewayAttachment;

#[async_trait]
impl Provider for GatewayAttachment {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let (vpc, gateway) = (&properties["VpcId"], &properties["InternetGatewayId"]);
        let gateways = cx.ask("DescribeInternetGateways", json!({"InternetGatewayIds": [gateway]})).await?;
        if gateways["InternetGateways"][0]["Attachments"][0]["VpcId"] != *vpc {
            cx.ask("AttachInternetGateway", json!({"VpcId": vpc, "InternetGatewayId": gateway})).await?;
        }
        Ok(Provisioned::with(format!("IGW|{}", properties.text("VpcId")), json!({"AttachmentType": "IGW"})))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        if old != new {
            self.delete(cx, id, old).await?;
        }
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        match cx.remove("DetachInternetGateway", properties.pick(&["VpcId", "InternetGatewayId"])).await {
            Err(failed) if failed.fault.code == "Gateway.NotAttached" => Ok(()),
            done => done,
        }
    }
}

struct Endpoint;

/// What an endpoint is attached to.
const ATTACHED: [&str; 3] = ["RouteTableIds", "SubnetIds", "SecurityGroupIds"];

impl Endpoint {
    /// The API takes the policy as text.
    fn policy(properties: &Value) -> Option<String> {
        properties.get("PolicyDocument").map(Value::to_text)
    }

    async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
        let output = cx.ask("DescribeVpcEndpoints", json!({"VpcEndpointIds": [id]})).await?;
        let endpoint = &output["VpcEndpoints"][0];
        let names = endpoint.list("DnsEntries").iter();
        let names: Vec<String> = names.map(|entry| format!("Z7HUB22UULQXV:{}", entry.text("DnsName"))).collect();
        let attributes = json!({
            "Id": id, "CreationTimestamp": endpoint.time("CreationTimestamp"), "DnsEntries": names,
            "NetworkInterfaceIds": endpoint["NetworkInterfaceIds"],
        });
        Ok(Provisioned::with(id, attributes))
    }
}

#[async_trait]
impl Provider for Endpoint {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let mut input = properties.clone();
        input["Tags"] = Value::Null;
        input["PolicyDocument"] = json!(Endpoint::policy(properties));
        input["ClientToken"] = json!(cx.token);
        input["TagSpecifications"] = tagged(cx, "vpc-endpoint", properties);
        let output = cx.ask("CreateVpcEndpoint", input).await?;
        let id = output["VpcEndpoint"].text("VpcEndpointId");
        Endpoint::provisioned(cx, id).await.unfinished(id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let mut input = json!({"VpcEndpointId": id, "PrivateDnsEnabled": new["PrivateDnsEnabled"]});
        for name in ATTACHED {
            let (gone, added) = compared(old.list(name), new.list(name));
            input[format!("Add{name}")] = json!(added);
            input[format!("Remove{name}")] = json!(gone);
        }
        match Endpoint::policy(new) {
            Some(policy) => input["PolicyDocument"] = json!(policy),
            None => input["ResetPolicy"] = json!(true),
        }
        cx.ask("ModifyVpcEndpoint", input).await?;
        retag(cx, id, old, new).await?;
        Endpoint::provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        // One that is gone is reported in `Unsuccessful`, which is success here.
        cx.remove("DeleteVpcEndpoints", json!({"VpcEndpointIds": [id]})).await
    }
}
