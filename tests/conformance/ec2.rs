//! EC2 networking, by the clients that everybody uses.

use crate::support::LocalCloud;

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_made_seen_by_filters_and_removed() {
    let cloud = LocalCloud::start().await;
    let network = cloud
        .boto3(
            r#"
ec2 = boto3.client('ec2')
tags = [{'ResourceType': 'vpc', 'Tags': [{'Key': 'lab', 'Value': 'x'}]}]
vpc = ec2.create_vpc(CidrBlock='10.7.0.0/16', TagSpecifications=tags)['Vpc']['VpcId']
ec2.get_waiter('vpc_available').wait(VpcIds=[vpc])
ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={'Value': True})
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock='10.7.1.0/24', AvailabilityZone='us-east-1b')['Subnet']['SubnetId']
gateway = ec2.create_internet_gateway()['InternetGateway']['InternetGatewayId']
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
table = ec2.create_route_table(VpcId=vpc)['RouteTable']['RouteTableId']
ec2.create_route(RouteTableId=table, DestinationCidrBlock='0.0.0.0/0', GatewayId=gateway)
association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)['AssociationId']
group = ec2.create_security_group(GroupName='db', Description='d', VpcId=vpc)['GroupId']
rule = [{'IpProtocol': 'tcp', 'FromPort': 3306, 'ToPort': 3306, 'IpRanges': [{'CidrIp': '10.7.0.0/16', 'Description': 'mysql'}]}]
ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
found = ec2.describe_security_groups(Filters=[{'Name': 'vpc-id', 'Values': [vpc]}, {'Name': 'group-name', 'Values': ['d?']}])
seen = {
    'dns': ec2.describe_vpc_attribute(VpcId=vpc, Attribute='enableDnsHostnames')['EnableDnsHostnames']['Value'],
    'by_tag': [v['VpcId'] for v in ec2.describe_vpcs(Filters=[{'Name': 'tag:lab', 'Values': ['*']}])['Vpcs']] == [vpc],
    'routes': ec2.describe_route_tables(RouteTableIds=[table])['RouteTables'][0]['Routes'],
    'rule': found['SecurityGroups'][0]['IpPermissions'],
    'zone': ec2.describe_subnets(SubnetIds=[subnet])['Subnets'][0]['AvailabilityZoneId'],
}
seen['in_use'] = refused(ec2.delete_vpc, VpcId=vpc)
seen['twice'] = refused(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=rule)
seen['dry'] = refused(ec2.delete_subnet, SubnetId=subnet, DryRun=True)
ec2.disassociate_route_table(AssociationId=association)
ec2.delete_route_table(RouteTableId=table)
ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
ec2.delete_internet_gateway(InternetGatewayId=gateway)
ec2.delete_security_group(GroupId=group)
ec2.delete_subnet(SubnetId=subnet)
ec2.delete_vpc(VpcId=vpc)
seen['gone'] = refused(ec2.describe_vpcs, VpcIds=[vpc])
print(json.dumps(seen))
"#,
        )
        .await;
    assert_eq!(network["dns"], true);
    assert_eq!(network["by_tag"], true);
    assert_eq!(network["zone"], "use1-az2");
    assert_eq!(network["routes"][0]["GatewayId"], "local");
    assert_eq!(network["routes"][1]["DestinationCidrBlock"], "0.0.0.0/0");
    assert_eq!(network["rule"][0]["IpRanges"][0]["Description"], "mysql");
    let codes = ["in_use", "twice", "dry", "gone"].map(|name| network[name].as_str().unwrap_or_default().to_owned());
    let expected = ["DependencyViolation", "InvalidPermission.Duplicate", "DryRunOperation", "InvalidVpcID.NotFound"];
    assert_eq!(codes, expected);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cli_sees_zones_prefix_lists_and_endpoints() {
    let cloud = LocalCloud::start().await;
    let zones = cloud.aws(&["ec2", "describe-availability-zones"]).await;
    assert_eq!(zones["AvailabilityZones"].as_array().unwrap().len(), 6);
    let name = "Name=prefix-list-name,Values=com.amazonaws.us-east-1.s3";
    let lists = cloud.aws(&["ec2", "describe-managed-prefix-lists", "--filters", name]).await;
    assert_eq!(lists["PrefixLists"][0]["PrefixListId"], "pl-63a5400a");
    let vpc = cloud.aws(&["ec2", "create-vpc", "--cidr-block", "10.1.0.0/16"]).await;
    let vpc = vpc["Vpc"]["VpcId"].as_str().unwrap();
    let service = ["--service-name", "com.amazonaws.us-east-1.s3"];
    let endpoint = cloud.aws(&[&["ec2", "create-vpc-endpoint", "--vpc-id", vpc], &service[..]].concat()).await;
    assert_eq!(endpoint["VpcEndpoint"]["State"], "available");
    let said = cloud.aws_fails(&["ec2", "run-instances", "--image-id", "ami-1"]).await;
    assert!(said.contains("RunInstances"), "{said}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_finds_the_network_again_after_a_restart() {
    let cloud = LocalCloud::start().await;
    let made = aws_sdk_ec2::Client::new(&cloud.sdk()).create_vpc().cidr_block("10.2.0.0/16").send().await.unwrap();
    let id = made.vpc().and_then(|vpc| vpc.vpc_id()).unwrap().to_owned();
    let cloud = cloud.restart().await;
    let seen = aws_sdk_ec2::Client::new(&cloud.sdk()).describe_vpcs().vpc_ids(&id).send().await.unwrap();
    assert_eq!(seen.vpcs()[0].cidr_block(), Some("10.2.0.0/16"));
    cloud.stop().await;
}
