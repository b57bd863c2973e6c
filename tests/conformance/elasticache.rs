//! ElastiCache, by the SDK, boto3 and `redis-cli`, on the real engine of this machine.

use std::time::{Duration, Instant};

use aws_sdk_elasticache::Client;
use aws_sdk_elasticache::error::ProvideErrorMetadata;

use crate::support::LocalCloud;
use crate::support::clients::said;

async fn create(client: &Client, id: &str) {
    let request = client.create_replication_group().replication_group_id(id).replication_group_description("d");
    let request = request.engine("valkey").cache_node_type("cache.t4g.micro").num_cache_clusters(1);
    request.transit_encryption_enabled(true).send().await.unwrap();
}

async fn available(client: &Client, id: &str) -> i32 {
    let begun = Instant::now();
    loop {
        let found = client.describe_replication_groups().replication_group_id(id).send().await.unwrap();
        let group = &found.replication_groups()[0];
        if group.status() == Some("available") {
            return group.node_groups()[0].primary_endpoint().and_then(|endpoint| endpoint.port()).unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{group:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cli_connects_over_tls_that_it_verifies_and_a_restart_keeps_the_port() {
    let cloud = LocalCloud::start_with_engines().await;
    let client = Client::new(&cloud.sdk());
    create(&client, "sessions").await;
    let port = available(&client, "sessions").await;
    assert_eq!(cloud.redis_cli(&port.to_string(), &["SET", "hero", "fireman"]).await, "OK");
    assert_eq!(cloud.redis_cli(&port.to_string(), &["GET", "hero"]).await, "fireman");

    let strangers = tempfile::tempdir().unwrap();
    let home = labctl::local::home::Home::open(strangers.path()).unwrap();
    let authority = labctl::local::tls::Authority::open(&home).unwrap();
    let mut untrusting = tokio::process::Command::new("redis-cli");
    untrusting.args(["-p", &port.to_string(), "--tls", "--cacert"]).arg(authority.certificate_file()).arg("PING");
    let refused = untrusting.output().await.unwrap();
    assert!(said(&refused).contains("certificate verify failed"), "{}", said(&refused));

    let cloud = cloud.restart().await;
    let client = Client::new(&cloud.sdk());
    assert_eq!(available(&client, "sessions").await, port);
    // A node's memory is all it has, as on AWS.
    assert_eq!(cloud.redis_cli(&port.to_string(), &["EXISTS", "hero"]).await, "0");
    cloud.stop().await;
    assert!(std::net::TcpListener::bind(("127.0.0.1", u16::try_from(port).unwrap())).is_ok(), "the port is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_subnet_groups_and_tags_are_seen_and_refused_in_awss_words() {
    let cloud = LocalCloud::start_with_engines().await;
    let client = Client::new(&cloud.sdk());
    let code = client.describe_replication_groups().replication_group_id("nope").send().await.unwrap_err();
    assert_eq!(code.into_service_error().code(), Some("ReplicationGroupNotFoundFault"));
    let seen = cloud
        .boto3(
            r#"
ec2, cache = boto3.client('ec2'), boto3.client('elasticache')
vpc = ec2.create_vpc(CidrBlock='10.7.0.0/16')['Vpc']['VpcId']
subnet = ec2.create_subnet(VpcId=vpc, CidrBlock='10.7.1.0/24')['Subnet']['SubnetId']
group = ec2.create_security_group(GroupName='cache', Description='d', VpcId=vpc)['GroupId']
cache.create_cache_subnet_group(CacheSubnetGroupName='private', CacheSubnetGroupDescription='d', SubnetIds=[subnet])
cache.create_replication_group(ReplicationGroupId='lab', ReplicationGroupDescription='d', Engine='valkey', CacheNodeType='cache.t4g.micro',
    CacheSubnetGroupName='private', SecurityGroupIds=[group], Tags=[{'Key': 'lab', 'Value': 'x'}])
cache.get_waiter('replication_group_available').wait(ReplicationGroupId='lab', WaiterConfig={'Delay': 1})
until(cache.get_waiter('cache_cluster_available'), CacheClusterId='lab-001')
found = cache.describe_replication_groups(ReplicationGroupId='lab')['ReplicationGroups'][0]
cluster = cache.describe_cache_clusters(ShowCacheNodeInfo=True)['CacheClusters'][0]
seen = {
    'engine': found['Engine'], 'reader': found['NodeGroups'][0]['ReaderEndpoint'] == found['NodeGroups'][0]['PrimaryEndpoint'],
    'cluster': cluster['CacheClusterId'], 'node': cluster['CacheNodes'][0]['CacheNodeStatus'],
    'tags': cache.list_tags_for_resource(ResourceName=found['ARN'])['TagList'],
    'group_in_use': refused(ec2.delete_security_group, GroupId=group),
    'subnets_in_use': refused(cache.delete_cache_subnet_group, CacheSubnetGroupName='private'),
    'failover': refused(cache.test_failover, ReplicationGroupId='lab', NodeGroupId='0001'),
    'events': len(cache.describe_events(SourceType='replication-group')['Events']) > 1,
}
cache.delete_replication_group(ReplicationGroupId='lab')
cache.get_waiter('replication_group_deleted').wait(ReplicationGroupId='lab', WaiterConfig={'Delay': 1})
cache.delete_cache_subnet_group(CacheSubnetGroupName='private')
ec2.delete_security_group(GroupId=group)
ec2.delete_subnet(SubnetId=subnet)
ec2.delete_vpc(VpcId=vpc)
print(json.dumps(seen))
"#,
        )
        .await;
    assert_eq!(seen["engine"], "valkey");
    assert_eq!(seen["reader"], true);
    assert_eq!((seen["cluster"].as_str(), seen["node"].as_str()), (Some("lab-001"), Some("available")));
    assert_eq!(seen["tags"][0]["Value"], "x");
    let codes =
        ["group_in_use", "subnets_in_use", "failover"].map(|name| seen[name].as_str().unwrap_or_default().to_owned());
    assert_eq!(codes, ["DependencyViolation", "CacheSubnetGroupInUse", "TestFailoverNotAvailableFault"]);
    assert_eq!(seen["events"], true);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_a_group_is_refused_with_the_remedy() {
    let cloud = LocalCloud::start().await;
    let said = cloud.aws_fails(&[
        "elasticache",
        "create-replication-group",
        "--replication-group-id",
        "lab",
        "--replication-group-description",
        "d",
        "--cache-node-type",
        "cache.t4g.micro",
    ]);
    let said = said.await;
    assert!(said.contains("no Redis or Valkey server on this machine") && said.contains("--install-engines"), "{said}");
    cloud.stop().await;
}
