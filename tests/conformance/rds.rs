//! The control plane of RDS, by the AWS CLI and boto3.

use serde_json::{Value, json};

use crate::support::LocalCloud;
use crate::support::database::Database;

const CREATE: &[&str] = &[
    "rds",
    "create-db-cluster",
    "--db-cluster-identifier",
    "lab",
    "--master-username",
    "admin",
    "--master-user-password",
    "correct-horse-9",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_is_refused_with_its_codes() {
    let cloud = LocalCloud::start_with_engines().await;
    let cases: &[(&[&str], &str)] = &[
        (&["--engine", "aurora-postgresql"], "aurora-postgresql"),
        (&["--engine", "aurora-mysql", "--engine-version", "8.0.mysql_aurora.9.9.9"], "InvalidParameterCombination"),
        (
            &["--engine", "aurora-mysql", "--serverless-v2-scaling-configuration", "MinCapacity=0.3,MaxCapacity=1"],
            "multiple of 0.5",
        ),
        (&["--engine", "aurora-mysql", "--db-subnet-group-name", "none"], "DBSubnetGroupNotFoundFault"),
        (&["--engine", "aurora-mysql", "--db-cluster-parameter-group-name", "none"], "DBParameterGroupNotFound"),
        (&["--engine", "aurora-mysql", "--backtrack-window", "60"], "BacktrackWindow"),
        (&["--engine", "aurora-mysql", "--database-name", "mysql"], "InvalidParameterValue"),
        (&["--engine", "aurora-mysql", "--manage-master-user-password"], "InvalidParameterCombination"),
    ];
    for (more, expected) in cases {
        let said = cloud.aws_fails(&[CREATE, more].concat()).await;
        assert!(said.contains(expected), "{more:?}: {said}");
    }
    let said = cloud.aws_fails(&["rds", "describe-db-clusters", "--db-cluster-identifier", "none"]).await;
    assert!(said.contains("DBClusterNotFoundFault") && said.contains("DBCluster none not found."), "{said}");
    let snapshot = ["rds", "create-db-cluster-snapshot", "--db-cluster-identifier", "lab"];
    let said = cloud.aws_fails(&[&snapshot[..], &["--db-cluster-snapshot-identifier", "s"]].concat()).await;
    assert!(said.contains("NotImplemented") && said.contains("CreateDBClusterSnapshot"), "{said}");
    assert_eq!(cloud.aws(&["rds", "describe-db-clusters"]).await["DBClusters"], json!([]));
    let snapshots = ["rds", "describe-db-cluster-snapshots", "--snapshot-type"];
    assert_eq!(cloud.aws(&[&snapshots[..], &["manual"]].concat()).await["DBClusterSnapshots"], json!([]));
    let said = cloud.aws_fails(&[&snapshots[..], &["handmade"]].concat()).await;
    assert!(said.contains("InvalidParameterValue") && said.contains("handmade"), "{said}");
    let said = cloud.aws_fails(&[&snapshots[..2], &["--db-cluster-snapshot-identifier", "s"]].concat()).await;
    assert!(said.contains("DBClusterSnapshotNotFoundFault"), "{said}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_lives_its_life_by_the_cli_and_its_waiters() {
    let cloud = LocalCloud::start_with_engines().await;
    let scaling = ["--serverless-v2-scaling-configuration", "MinCapacity=0,MaxCapacity=2,SecondsUntilAutoPause=300"];
    cloud.aws(&[CREATE, &["--engine", "aurora-mysql", "--tags", "Key=a,Value=b"], &scaling].concat()).await;
    let said = cloud.aws_fails(&[CREATE, &["--engine", "aurora-mysql"]].concat()).await;
    assert!(said.contains("DBClusterAlreadyExistsFault"), "{said}");
    let class = ["--db-instance-class", "db.serverless", "--engine", "aurora-mysql", "--db-cluster-identifier", "lab"];
    let instance = |name| [&["rds", "create-db-instance", "--db-instance-identifier", name], &class[..]].concat();
    cloud.aws(&instance("one")).await;
    let said = cloud.aws_fails(&instance("two")).await;
    assert!(said.contains("a second instance in the cluster lab"), "{said}");
    let waited = cloud
        .boto3(
            "rds = boto3.client('rds')\n\
             until(rds.get_waiter('db_cluster_available'), DBClusterIdentifier='lab')\n\
             until(rds.get_waiter('db_instance_available'), DBInstanceIdentifier='one')\n\
             say(rds.describe_db_instances()['DBInstances'][0])",
        )
        .await;
    cloud.aws(&["rds", "wait", "db-instance-available", "--db-instance-identifier", "one"]).await;
    let cluster = &cloud.aws(&["rds", "describe-db-clusters"]).await["DBClusters"][0];
    assert_eq!((&cluster["Status"], &cluster["Endpoint"]), (&json!("available"), &json!("127.0.0.1")));
    assert_eq!(cluster["Port"], waited["Endpoint"]["Port"]);
    assert_eq!(cluster["DBClusterMembers"][0]["DBInstanceIdentifier"], "one");
    assert_eq!(cluster["ServerlessV2ScalingConfiguration"]["SecondsUntilAutoPause"], 300);
    assert_eq!(cluster["TagList"][0]["Value"], "b");
    let delete = ["rds", "delete-db-cluster", "--db-cluster-identifier", "lab", "--skip-final-snapshot"];
    let said = cloud.aws_fails(&delete).await;
    assert!(said.contains("InvalidDBClusterStateFault"), "{said}");
    cloud.aws(&["rds", "delete-db-instance", "--db-instance-identifier", "one"]).await;
    cloud.aws(&["rds", "wait", "db-instance-deleted", "--db-instance-identifier", "one"]).await;
    cloud.aws(&delete).await;
    let left = cloud
        .boto3(
            "rds = boto3.client('rds')\n\
             until(rds.get_waiter('db_cluster_deleted'), DBClusterIdentifier='lab')\n\
             say(rds.describe_db_clusters()['DBClusters'])",
        )
        .await;
    assert_eq!(left, json!([]));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_modifies_protects_stops_and_starts_a_cluster() {
    let cloud = LocalCloud::start_with_engines().await;
    let database = Database::create(&cloud, "{'EnableHttpEndpoint': True, 'DeletionProtection': True}").await;
    database.says("CREATE TABLE t (id INT); INSERT INTO t VALUES (5)").await;
    let seen = cloud
        .boto3(
            r#"
rds = boto3.client('rds'); lab = dict(DBClusterIdentifier='lab'); one = dict(DBInstanceIdentifier='lab-1')
def cluster(): return rds.describe_db_clusters(**lab)['DBClusters'][0]
secret = cluster()['MasterUserSecret']['SecretArn']
code = [refused(rds.delete_db_cluster, **lab, SkipFinalSnapshot=True)]
rds.delete_db_instance(**one)
code += [refused(rds.delete_db_cluster, **lab, SkipFinalSnapshot=True), refused(rds.modify_db_cluster, **lab, MasterUserPassword='another-one'),
    refused(rds.modify_db_cluster, **lab, ServerlessV2ScalingConfiguration={'MinCapacity': 4, 'MaxCapacity': 1})]
rds.create_db_instance(**one, **lab, Engine='aurora-mysql', DBInstanceClass='db.serverless')
until(rds.get_waiter('db_instance_available'), **one)
rds.modify_db_cluster(**lab, DeletionProtection=False, BackupRetentionPeriod=3, ServerlessV2ScalingConfiguration={'MinCapacity': 1, 'MaxCapacity': 4}, ApplyImmediately=True)
rds.modify_db_instance(**one, PromotionTier=0)
arn = cluster()['DBClusterArn']
rds.add_tags_to_resource(ResourceName=arn, Tags=[{'Key': 'a', 'Value': '1'}, {'Key': 'b', 'Value': '2'}])
rds.remove_tags_from_resource(ResourceName=arn, TagKeys=['a'])
now = cluster()
rds.stop_db_cluster(**lab)
code.append(refused(rds.modify_db_cluster, **lab, BackupRetentionPeriod=4))
wait(lambda: cluster()['Status'] == 'stopped', 60)
code.append(refused(rds.stop_db_cluster, **lab))
rds.start_db_cluster(**lab)
until(rds.get_waiter('db_cluster_available'), **lab)
rds.reboot_db_instance(**one)
until(rds.get_waiter('db_instance_available'), **one)
say({'code': code, 'secret': secret, 'retention': now['BackupRetentionPeriod'], 'most': now['ServerlessV2ScalingConfiguration']['MaxCapacity'],
     'tags': rds.list_tags_for_resource(ResourceName=arn)['TagList'], 'tier': rds.describe_db_instances(**one)['DBInstances'][0]['PromotionTier'],
     'events': [e['Message'] for e in rds.describe_events(SourceType='db-cluster', SourceIdentifier='lab')['Events']],
     'filtered': [c['DBClusterIdentifier'] for c in rds.describe_db_clusters(Filters=[{'Name': 'db-cluster-id', 'Values': [arn]}])['DBClusters']]})
"#,
        )
        .await;
    let codes = [
        "InvalidDBClusterStateFault",
        "InvalidParameterCombination",
        "InvalidParameterCombination",
        "InvalidParameterCombination",
        "InvalidDBClusterStateFault",
        "InvalidDBClusterStateFault",
    ];
    assert_eq!(seen["code"], json!(codes));
    assert_eq!((&seen["retention"], seen["most"].as_f64(), &seen["tier"]), (&json!(3), Some(4.0), &json!(0)));
    assert_eq!(seen["tags"], json!([{"Key": "b", "Value": "2"}]));
    assert_eq!(seen["filtered"], json!(["lab"]));
    let events = seen["events"].as_array().unwrap();
    assert!(
        events.contains(&json!("DB cluster created")) && events.contains(&json!("DB cluster stopped")),
        "{events:?}"
    );
    assert_eq!(
        database.says("SELECT id FROM lab.t").await,
        "5",
        "what was written is there after stop, start and reboot"
    );

    cloud.aws(&["rds", "delete-db-instance", "--db-instance-identifier", "lab-1"]).await;
    cloud.aws(&["rds", "delete-db-cluster", "--db-cluster-identifier", "lab", "--skip-final-snapshot"]).await;
    cloud.boto3("until(boto3.client('rds').get_waiter('db_cluster_deleted'), DBClusterIdentifier='lab')").await;
    let secret = seen["secret"].as_str().unwrap();
    let said = cloud.aws_fails(&["secretsmanager", "get-secret-value", "--secret-id", secret]).await;
    assert!(said.contains("ResourceNotFoundException"), "{said}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameter_groups_are_made_changed_reset_and_kept_while_in_use() {
    let cloud = LocalCloud::start_with_engines().await;
    let name = "{'DBClusterParameterGroupName': 'mine'}";
    let made = cloud
        .boto3(&format!(
            r#"
rds = boto3.client('rds'); mine = {name}
def put(name, value, method='immediate'): return dict(Parameters=[{{'ParameterName': name, 'ParameterValue': value, 'ApplyMethod': method}}])
rds.create_db_cluster_parameter_group(**mine, DBParameterGroupFamily='aurora-mysql8.0', Description='d', Tags=[{{'Key': 'a', 'Value': 'b'}}])
code = [refused(rds.create_db_cluster_parameter_group, **mine, DBParameterGroupFamily='aurora-mysql8.0', Description='d'),
    refused(rds.create_db_cluster_parameter_group, DBClusterParameterGroupName='x', DBParameterGroupFamily='mysql5.1', Description='d'),
    refused(rds.modify_db_cluster_parameter_group, **mine, **put('no_such_thing', '1')),
    refused(rds.modify_db_cluster_parameter_group, **mine, **put('max_connections', '5')),
    refused(rds.modify_db_cluster_parameter_group, DBClusterParameterGroupName='none', **put('max_connections', '50')),
    refused(rds.modify_db_cluster_parameter_group, DBClusterParameterGroupName='default.aurora-mysql8.0', **put('max_connections', '50')),
    refused(rds.delete_db_cluster_parameter_group, DBClusterParameterGroupName='default.aurora-mysql8.0'),
    refused(rds.modify_db_cluster_parameter_group, **mine, **put('lower_case_table_names', '1'))]
rds.modify_db_cluster_parameter_group(**mine, **put('max_connections', '77'))
pages = rds.get_paginator('describe_db_cluster_parameters').paginate(**mine, PaginationConfig={{'PageSize': 20}})
every = [p for page in pages for p in page['Parameters']]
say([code, {{p['ParameterName']: p['ParameterValue'] for p in every if p['Source'] == 'user'}}, len(every) == len({{p['ParameterName'] for p in every}})])
"#
        ))
        .await;
    let codes = [
        "DBParameterGroupAlreadyExists",
        "InvalidParameterValue",
        "InvalidParameterValue",
        "InvalidParameterValue",
        "DBParameterGroupNotFound",
        "InvalidParameterValue",
        "InvalidDBParameterGroupState",
        "InvalidParameterCombination",
    ];
    assert_eq!(made, json!([codes, {"max_connections": "77"}, true]));

    let database = Database::create(&cloud, name).await;
    assert_eq!(database.says("SELECT @@max_connections").await, "77");
    let group = ["--db-cluster-parameter-group-name", "mine"];
    let set = "ParameterName=max_connections,ParameterValue=88,ApplyMethod=immediate";
    cloud.aws(&[&["rds", "modify-db-cluster-parameter-group", "--parameters", set], &group[..]].concat()).await;
    assert_eq!(database.says("SELECT @@max_connections").await, "88");
    let said = cloud.aws_fails(&[&["rds", "delete-db-cluster-parameter-group"], &group[..]].concat()).await;
    assert!(said.contains("InvalidDBParameterGroupState"), "{said}");
    cloud.aws(&[&["rds", "reset-db-cluster-parameter-group", "--reset-all-parameters"], &group[..]].concat()).await;
    let own = cloud.aws(&[&["rds", "describe-db-cluster-parameters", "--source", "user"], &group[..]].concat()).await;
    assert_eq!(own["Parameters"], json!([]));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subnet_groups_take_subnets_of_two_zones_and_are_kept_while_in_use() {
    let cloud = LocalCloud::start_with_engines().await;
    let seen = cloud
        .boto3(
            r#"
rds = boto3.client('rds'); ec2 = boto3.client('ec2')
vpc = ec2.create_vpc(CidrBlock='10.7.0.0/16')['Vpc']['VpcId']
def subnet(at, zone): return ec2.create_subnet(VpcId=vpc, CidrBlock='10.7.%d.0/24' % at, AvailabilityZone='us-east-1' + zone)['Subnet']['SubnetId']
a, b, c = subnet(1, 'a'), subnet(2, 'b'), subnet(3, 'a')
group = ec2.create_security_group(GroupName='db', Description='d', VpcId=vpc)['GroupId']
def make(name, *subnets): return dict(DBSubnetGroupName=name, DBSubnetGroupDescription='d', SubnetIds=subnets)
code = [refused(rds.create_db_subnet_group, **make('One', a, c)), refused(rds.create_db_subnet_group, **make('one', a, 'subnet-0123456789abcdef0')),
    refused(rds.create_db_subnet_group, **make('default', a, b))]
made = rds.create_db_subnet_group(**make('One', a, b))['DBSubnetGroup']
code.append(refused(rds.create_db_subnet_group, **make('one', a, b)))
try: rds.describe_db_subnet_groups(DBSubnetGroupName='none')
except rds.exceptions.DBSubnetGroupNotFoundFault as fault: code.append(fault.response['Error']['Code'])
rds.create_db_cluster(DBClusterIdentifier='lab', Engine='aurora-mysql', MasterUsername='admin', MasterUserPassword='correct-horse-9', DBSubnetGroupName='one', VpcSecurityGroupIds=[group])
code.append(refused(rds.delete_db_subnet_group, DBSubnetGroupName='one'))
until(rds.get_waiter('db_cluster_available'), DBClusterIdentifier='lab')
cluster = rds.describe_db_clusters()['DBClusters'][0]
rds.delete_db_cluster(DBClusterIdentifier='lab', SkipFinalSnapshot=True)
until(rds.get_waiter('db_cluster_deleted'), DBClusterIdentifier='lab')
rds.modify_db_subnet_group(DBSubnetGroupName='one', SubnetIds=[a, b, c])
now = rds.describe_db_subnet_groups(DBSubnetGroupName='ONE')['DBSubnetGroups'][0]
rds.delete_db_subnet_group(DBSubnetGroupName='one')
say({'code': code, 'name': made['DBSubnetGroupName'], 'vpc': made['VpcId'] == vpc, 'zones': cluster['AvailabilityZones'],
     'group': cluster['DBSubnetGroup'], 'security': cluster['VpcSecurityGroups'][0]['VpcSecurityGroupId'] == group, 'subnets': len(now['Subnets'])})
"#,
        )
        .await;
    let codes = [
        "DBSubnetGroupDoesNotCoverEnoughAZs",
        "InvalidSubnet",
        "InvalidParameterValue",
        "DBSubnetGroupAlreadyExists",
        "DBSubnetGroupNotFoundFault",
        "InvalidDBSubnetGroupStateFault",
    ];
    assert_eq!(seen["code"], json!(codes));
    assert_eq!((&seen["name"], &seen["group"], &seen["subnets"]), (&json!("one"), &json!("one"), &json!(3)));
    assert_eq!((&seen["vpc"], &seen["security"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!(seen["zones"], json!(["us-east-1a", "us-east-1b"]));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_versions_and_classes_on_offer_tell_which_can_pause() {
    let cloud = LocalCloud::start().await;
    let versions = cloud.aws(&["rds", "describe-db-engine-versions", "--engine", "aurora-mysql"]).await;
    let least = |at: usize| versions["DBEngineVersions"][at]["ServerlessV2FeaturesSupport"]["MinCapacity"].as_f64();
    assert_eq!((least(0), least(6)), (Some(0.5), Some(0.0)));
    let default = cloud
        .aws(&[
            "rds",
            "describe-db-engine-versions",
            "--engine",
            "aurora-mysql",
            "--default-only",
            "--query",
            "DBEngineVersions[].DBParameterGroupFamily",
        ])
        .await;
    assert_eq!(default, json!(["aurora-mysql8.0"]));
    let orderable = ["rds", "describe-orderable-db-instance-options", "--engine", "aurora-mysql"];
    let offered = cloud.aws(&[&orderable[..], &["--db-instance-class", "db.serverless"]].concat()).await;
    assert!(!offered["OrderableDBInstanceOptions"].as_array().unwrap().is_empty());
    cloud.stop().await;
}
