//! The service through its dispatcher, in memory.

use serde_json::json;

use super::*;
use crate::clock::{Clock, Timestamp};
use crate::cloud::Parts;
use crate::resource::ResourceContext;
use crate::scope::Scope;

struct World {
    _dir: tempfile::TempDir,
    cloud: Arc<Cloud>,
    scope: Scope,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(Timestamp::from_millis(1_000_000));
        let cloud = Cloud::new(Parts { clock, ..Parts::of_test(dir.path()) });
        cloud.register(vec![open(&cloud).unwrap()]);
        World { _dir: dir, cloud, scope: Scope::root("us-east-1") }
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.cloud
            .call(&self.scope, "ec2", operation, input)
            .await
            .unwrap_or_else(|fault| panic!("{operation}: {fault}"))
    }

    async fn refused(&self, operation: &str, input: Value) -> String {
        match self.cloud.call(&self.scope, "ec2", operation, input).await {
            Ok(output) => panic!("{operation} succeeded: {output}"),
            Err(fault) => fault.code,
        }
    }

    async fn vpc(&self) -> String {
        id(&self.ok("CreateVpc", json!({"CidrBlock": "10.0.0.0/16"})).await["Vpc"]["VpcId"])
    }

    fn context(&self, token: &str) -> ResourceContext {
        ResourceContext {
            cloud: self.cloud.clone(),
            scope: self.scope.clone(),
            service: "ec2",
            stack_id: "arn".into(),
            stack_name: "lab".into(),
            logical_id: "Thing".into(),
            token: token.into(),
            stack_tags: vec![("aws:cloudformation:stack-name".into(), "lab".into())],
            old_stack_tags: Vec::new(),
            express: false,
        }
    }
}

fn id(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_region_starts_with_a_default_vpc_and_another_region_with_its_own() {
    let world = World::new();
    let here = world.ok("DescribeVpcs", json!({})).await;
    assert_eq!(here["Vpcs"].as_array().unwrap().len(), 1);
    assert_eq!(here["Vpcs"][0]["IsDefault"], true);
    let there = Scope::root("eu-west-1");
    let there = world.cloud.call(&there, "ec2", "DescribeSubnets", json!({})).await.unwrap();
    assert_eq!(there["Subnets"][2]["VpcId"], there["Subnets"][0]["VpcId"]);
    assert_ne!(there["Subnets"][0]["VpcId"], here["Vpcs"][0]["VpcId"]);
}

#[tokio::test]
async fn subnets_stay_inside_their_vpc_apart_from_each_other_and_in_real_zones() {
    let world = World::new();
    let vpc = world.vpc().await;
    let subnet = |cidr: &str, zone: &str| json!({"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": zone});
    let made = world.ok("CreateSubnet", subnet("10.0.1.9/24", "us-east-1b")).await;
    assert_eq!(made["Subnet"]["CidrBlock"], "10.0.1.0/24");
    assert_eq!(made["Subnet"]["AvailabilityZoneId"], "use1-az2");
    assert_eq!(made["Subnet"]["AvailableIpAddressCount"], 251);
    assert_eq!(world.refused("CreateSubnet", subnet("10.0.1.128/25", "us-east-1a")).await, "InvalidSubnet.Conflict");
    assert_eq!(world.refused("CreateSubnet", subnet("10.1.0.0/24", "us-east-1a")).await, "InvalidSubnet.Range");
    assert_eq!(world.refused("CreateSubnet", subnet("10.0.2.0/24", "us-east-1z")).await, "InvalidParameterValue");
    assert_eq!(
        world.refused("CreateSubnet", json!({"VpcId": "vpc-0", "CidrBlock": "10.0.0.0/24"})).await,
        "InvalidVpcID.NotFound"
    );
    assert_eq!(world.refused("CreateVpc", json!({"CidrBlock": "10.0.0.0/8"})).await, "InvalidVpc.Range");
}

#[tokio::test]
async fn security_group_rules_are_added_once_found_by_filter_and_revoked_by_properties_or_id() {
    let world = World::new();
    let vpc = world.vpc().await;
    let group = |name: &str| json!({"GroupName": name, "Description": "d", "VpcId": vpc});
    let app = id(&world.ok("CreateSecurityGroup", group("app")).await["GroupId"]);
    let db = id(&world.ok("CreateSecurityGroup", group("db")).await["GroupId"]);
    assert_eq!(world.refused("CreateSecurityGroup", group("db")).await, "InvalidGroup.Duplicate");

    let rule = json!({"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "UserIdGroupPairs": [{"GroupId": app}]});
    let rule = json!({"GroupId": db, "IpPermissions": [rule]});
    let made = world.ok("AuthorizeSecurityGroupIngress", rule.clone()).await;
    assert_eq!(made["SecurityGroupRules"][0]["ReferencedGroupInfo"]["GroupId"], json!(app));
    assert_eq!(world.refused("AuthorizeSecurityGroupIngress", rule.clone()).await, "InvalidPermission.Duplicate");
    assert_eq!(world.refused("DeleteSecurityGroup", json!({"GroupId": app})).await, "DependencyViolation");

    let filter = json!({"Filters": [{"Name": "ip-permission.group-id", "Values": [app]}, {"Name": "group-name", "Values": ["d*"]}]});
    let found = world.ok("DescribeSecurityGroups", filter).await;
    assert_eq!(found["SecurityGroups"][0]["GroupId"], json!(db));
    assert_eq!(found["SecurityGroups"][0]["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"], json!(app));

    world.ok("RevokeSecurityGroupIngress", rule.clone()).await;
    assert_eq!(world.refused("RevokeSecurityGroupIngress", rule).await, "InvalidPermission.NotFound");
    let rules = json!({"Filters": [{"Name": "group-id", "Values": [db]}]});
    let rules = world.ok("DescribeSecurityGroupRules", rules).await;
    let out = &rules["SecurityGroupRules"][0];
    assert_eq!((&out["IsEgress"], &out["CidrIpv4"]), (&json!(true), &json!("0.0.0.0/0")));
    let by_id = json!({"GroupId": db, "SecurityGroupRuleIds": [out["SecurityGroupRuleId"]]});
    world.ok("RevokeSecurityGroupEgress", by_id).await;
    world.ok("DeleteSecurityGroup", json!({"GroupId": app})).await;
    let bad = json!({"GroupId": db, "IpProtocol": "tcp", "FromPort": 9, "ToPort": 1, "CidrIp": "10.0.0.0/8"});
    assert_eq!(world.refused("AuthorizeSecurityGroupIngress", bad).await, "InvalidParameterValue");
    let bad = json!({"GroupId": db, "IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIp": "10.0.0.1/8"});
    assert_eq!(world.refused("AuthorizeSecurityGroupIngress", bad).await, "InvalidParameterValue");
}

#[tokio::test]
async fn a_gateway_endpoint_routes_its_prefix_list_and_holds_its_vpc() {
    let world = World::new();
    let vpc = world.vpc().await;
    let table = id(&world.ok("CreateRouteTable", json!({"VpcId": vpc})).await["RouteTable"]["RouteTableId"]);
    let service = "com.amazonaws.us-east-1.s3";
    let made =
        world.ok("CreateVpcEndpoint", json!({"VpcId": vpc, "ServiceName": service, "RouteTableIds": [table]})).await;
    let endpoint = id(&made["VpcEndpoint"]["VpcEndpointId"]);
    let shown = world.ok("DescribeRouteTables", json!({"RouteTableIds": [table]})).await;
    assert_eq!(
        shown["RouteTables"][0]["Routes"][1],
        json!({
            "DestinationPrefixListId": "pl-63a5400a", "GatewayId": endpoint, "Origin": "CreateRoute", "State": "active"
        })
    );
    assert_eq!(world.refused("DeleteVpc", json!({"VpcId": vpc})).await, "DependencyViolation");
    world.ok("DeleteVpcEndpoints", json!({"VpcEndpointIds": [endpoint]})).await;
    let shown = world.ok("DescribeRouteTables", json!({"RouteTableIds": [table]})).await;
    assert_eq!(shown["RouteTables"][0]["Routes"].as_array().unwrap().len(), 1);
    world.ok("DeleteRouteTable", json!({"RouteTableId": table})).await;
    world.ok("DeleteVpc", json!({"VpcId": vpc})).await;
    let unknown = json!({"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.nope"});
    assert_eq!(world.refused("CreateVpcEndpoint", unknown).await, "InvalidVpcID.NotFound");
    assert_eq!(world.ok("DescribeVpcs", json!({})).await["Vpcs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let world = World::new();
    assert_eq!(
        world.refused("CreateVpc", json!({"CidrBlock": "10.0.0.0/16", "DryRun": true})).await,
        "DryRunOperation"
    );
    assert_eq!(
        world.refused("CreateVpc", json!({"CidrBlock": "10.0.0.0/8", "DryRun": true})).await,
        "InvalidVpc.Range"
    );
    assert_eq!(world.ok("DescribeVpcs", json!({})).await["Vpcs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn tags_are_listed_filtered_and_reserved_names_refused() {
    let world = World::new();
    let specification = json!([{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "lab a"}]}]);
    let made = world.ok("CreateVpc", json!({"CidrBlock": "10.0.0.0/16", "TagSpecifications": specification})).await;
    let vpc = id(&made["Vpc"]["VpcId"]);
    let by_tag = |values: Value| json!({"Filters": [{"Name": "tag:Name", "Values": values}]});
    assert_eq!(world.ok("DescribeVpcs", by_tag(json!(["lab*"]))).await["Vpcs"].as_array().unwrap().len(), 1);
    assert_eq!(world.ok("DescribeVpcs", by_tag(json!(["x"]))).await["Vpcs"].as_array().unwrap().len(), 0);
    let reserved = json!({"Resources": [vpc], "Tags": [{"Key": "aws:x", "Value": "y"}]});
    assert_eq!(world.refused("CreateTags", reserved).await, "InvalidParameterValue");
    world.ok("DeleteTags", json!({"Resources": [vpc], "Tags": [{"Key": "Name"}]})).await;
    let tags = json!({"Filters": [{"Name": "resource-id", "Values": [vpc]}]});
    assert_eq!(world.ok("DescribeTags", tags).await["Tags"], json!([]));
    assert_eq!(
        world.refused("DescribeVpcs", json!({"Filters": [{"Name": "nope", "Values": ["x"]}]})).await,
        "InvalidParameterValue"
    );
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let world = World::new();
    let vpc = world.vpc().await;
    for at in 0..7 {
        world.ok("CreateSubnet", json!({"VpcId": vpc, "CidrBlock": format!("10.0.{at}.0/24")})).await;
    }
    let filter = json!([{"Name": "vpc-id", "Values": [vpc]}]);
    let first = world.ok("DescribeSubnets", json!({"Filters": filter, "MaxResults": 5})).await;
    assert_eq!(first["Subnets"].as_array().unwrap().len(), 5);
    let second =
        world.ok("DescribeSubnets", json!({"Filters": filter, "MaxResults": 5, "NextToken": first["NextToken"]})).await;
    assert_eq!(second["Subnets"].as_array().unwrap().len(), 2);
    assert!(second.get("NextToken").is_none());
}

#[tokio::test]
async fn a_network_of_templates_is_made_once_changed_and_removed() {
    let world = World::new();
    let of = |name: &str| world.cloud.resource_type(name).unwrap();
    let (vpcs, groups) = (of("AWS::EC2::VPC"), of("AWS::EC2::SecurityGroup"));
    let cx = world.context("one");
    let properties = json!({"CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": "true"});
    let vpc = vpcs.create(&cx, &properties).await.unwrap();
    assert_eq!(vpcs.create(&cx, &properties).await.unwrap(), vpc, "an interrupted create finds what it made");
    assert!(vpc.attributes["DefaultSecurityGroup"].as_str().unwrap().starts_with("sg-"));

    let cx = world.context("two");
    let rule = |port: &str| json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.0.0.0/16"});
    let old = json!({"GroupDescription": "d", "VpcId": vpc.physical_id, "SecurityGroupIngress": [rule("80")], "SecurityGroupEgress": [rule("443")]});
    let group = groups.create(&cx, &old).await.unwrap();
    let shown = world.ok("DescribeSecurityGroups", json!({"GroupIds": [group.physical_id]})).await;
    let shown = &shown["SecurityGroups"][0];
    assert!(shown["GroupName"].as_str().unwrap().starts_with("lab-Thing-"));
    assert_eq!(shown["Tags"], json!([{"Key": "aws:cloudformation:stack-name", "Value": "lab"}]));
    assert_eq!(shown["IpPermissionsEgress"].as_array().unwrap().len(), 1);
    assert_eq!(shown["IpPermissionsEgress"][0]["FromPort"], 443);

    let new =
        json!({"GroupDescription": "d", "VpcId": vpc.physical_id, "SecurityGroupIngress": [rule("80"), rule("81")]});
    groups.update(&cx, &group.physical_id, &old, &new).await.unwrap();
    let shown = world.ok("DescribeSecurityGroups", json!({"GroupIds": [group.physical_id]})).await;
    assert_eq!(shown["SecurityGroups"][0]["IpPermissions"].as_array().unwrap().len(), 2);
    assert_eq!(shown["SecurityGroups"][0]["IpPermissionsEgress"][0]["IpProtocol"], "-1");

    let unknown = groups.create(&cx, &json!({"GroupDescription": "d", "Sourcery": 1})).await.unwrap_err();
    assert!(unknown.fault.message.contains("Sourcery"), "{}", unknown.fault.message);
    for _ in 0..2 {
        groups.delete(&cx, &group.physical_id, &new).await.unwrap();
        vpcs.delete(&cx, &vpc.physical_id, &properties).await.unwrap();
    }
}
