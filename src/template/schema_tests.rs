use serde_json::json;

use super::{
    Known, Replacement, attributes, changed, check, check_values, identifier, known, replacement, source, tag_property,
    with_table,
};
use crate::intrinsics::UNKNOWN;
use crate::{Template, check as whole, yaml};

fn problems(kind: &str, properties: &str) -> Vec<String> {
    let node = yaml::parse(properties).unwrap();
    check(kind, &node, "P").iter().map(ToString::to_string).collect()
}

#[test]
fn every_embedded_table_can_be_unpacked() {
    assert!(source().starts_with("cfn-lint 1."));
    assert!(with_table().count() > 150);
    for kind in with_table() {
        assert_eq!(known(kind), Known::Table, "{kind}");
        assert!(
            attributes(kind).is_some() && identifier(kind).is_some_and(|identifier| !identifier.is_empty()),
            "{kind}"
        );
    }
}

#[test]
fn type_names_are_told_apart() {
    assert_eq!(known("AWS::S3::Bucket"), Known::Table);
    assert_eq!(known("AWS::SageMaker::Model"), Known::NameOnly);
    assert_eq!(known("Custom::Thing"), Known::Custom);
    assert_eq!(known("Org::Service::Thing"), Known::NameOnly);
    assert_eq!(known("AWS::S3::Buckt"), Known::Unknown { near: Some("AWS::S3::Bucket".into()) });
    assert_eq!(known("AWS::Nobody::Nothing"), Known::Unknown { near: None });
}

#[test]
fn what_is_misspelt_unknown_missing_or_wrong_is_found_in_one_go() {
    let text = "
EnginMode: provisioned
Engine: aurora-mysql
BackupRetentionPeriod: 99
StorageEncrypted: yes
VpcSecurityGroupIds: sg-1
ServerlessV2ScalingConfiguration: { MinCapcity: 0, MaxCapacity: 4 }
EnableHttpEndpoint: 'true'
AssociatedRoles: [{ FeatureName: s3 }]
DBClusterArn: arn
";
    let expected = [
        "2:1: P: unknown property `EnginMode` (did you mean `EngineMode`?)",
        "5:19: P.StorageEncrypted: must be a boolean, not a string (write true or false)",
        "6:22: P.VpcSecurityGroupIds: must be a list, not a string",
        "7:37: P.ServerlessV2ScalingConfiguration: unknown property `MinCapcity` (did you mean `MinCapacity`?)",
        "9:19: P.AssociatedRoles.0: `RoleArn` is missing",
        "10:1: P: `DBClusterArn` is an attribute that AWS sets, and cannot be given",
    ];
    let mut found = problems("AWS::RDS::DBCluster", text);
    found.retain(|problem| !problem.contains("BackupRetentionPeriod"));
    assert_eq!(found, expected);
    assert_eq!(problems("AWS::Lambda::Function", "{}"), ["1:1: P: `Code` is missing", "1:1: P: `Role` is missing"]);
    let runtime = problems(
        "AWS::Lambda::Function",
        "{Code: {ZipFile: x}, Role: r, Architectures: [x86_65], Timeout: 901, MemorySize: '128'}",
    );
    assert!(
        runtime.iter().any(|problem| problem.contains("`x86_65` is none of x86_64, arm64 (did you mean `x86_64`?)")),
        "{runtime:?}"
    );
}

#[test]
fn functions_count_as_values_that_are_not_known_and_their_branches_are_checked() {
    let text = "
BucketName: !Sub '${AWS::StackName}-x'
Tags: !If [C, [{Key: a, Value: b}], !Ref AWS::NoValue]
VersioningConfiguration: { Status: !If [C, Enabled, Suspendd] }
PublicAccessBlockConfiguration: !Join ['', [a]]
BucketEncryption: { ServerSideEncryptionConfiguration: !Sub 'x' }
";
    let expected = [
        "4:53: P.VersioningConfiguration.Status.Fn::If.2: `Suspendd` is none of Enabled, Suspended (did you mean `Suspended`?)",
        "6:56: P.BucketEncryption.ServerSideEncryptionConfiguration: must be a list, and `Fn::Sub` gives a string",
    ];
    assert_eq!(problems("AWS::S3::Bucket", text), expected);
}

#[test]
fn evaluated_values_that_wait_for_a_resource_are_taken() {
    let waits = json!({"VpcSecurityGroupIds": UNKNOWN, "Engine": UNKNOWN, "Tags": [UNKNOWN], "Port": UNKNOWN});
    assert_eq!(check_values("AWS::RDS::DBCluster", &waits, "P"), []);
}

#[test]
fn rules_between_properties_hold() {
    let both = problems(
        "AWS::EC2::SecurityGroupIngress",
        "{IpProtocol: tcp, GroupId: g, CidrIp: 10.0.0.0/8, SourceSecurityGroupId: sg}",
    );
    assert!(
        both.iter().any(|problem| problem.contains("only one of CidrIp, SourceSecurityGroupId may be given")),
        "{both:?}"
    );
    assert_eq!(problems("AWS::EC2::VPC", "{}"), ["1:1: P: one of CidrBlock, Ipv4IpamPoolId is needed"]);
    let policy = "{PolicyName: p, PolicyDocument: {}}";
    assert_eq!(problems("AWS::IAM::Policy", policy), ["1:1: P: needs Users, or Groups, or Roles"]);
    assert!(problems("Custom::Thing", "{ServiceToken: x, Anything: {a: [1]}}").is_empty());
    assert_eq!(problems("Custom::Thing", "{}"), ["1:1: P: `ServiceToken` is missing"]);
}

#[test]
fn the_schemas_know_which_changes_replace_a_resource() {
    let cluster = "AWS::RDS::DBCluster";
    let old = json!({"DBClusterIdentifier": "a", "Engine": "aurora-mysql", "BackupRetentionPeriod": 1, "StorageEncrypted": "true"});
    let with = |name: &str, value: serde_json::Value| {
        let mut new = old.clone();
        new[name] = value;
        new
    };
    assert_eq!(replacement(cluster, &old, &with("BackupRetentionPeriod", json!(2))), Replacement::Never);
    assert_eq!(replacement(cluster, &old, &with("StorageEncrypted", json!(true))), Replacement::Never);
    assert_eq!(
        replacement(cluster, &old, &with("DatabaseName", json!("x"))),
        Replacement::Always(vec!["DatabaseName".into()])
    );
    assert_eq!(
        replacement(cluster, &old, &with("Engine", json!("x"))),
        Replacement::Conditional(vec!["Engine".into()])
    );
    let waits = with("DBClusterIdentifier", json!(UNKNOWN));
    assert_eq!(replacement(cluster, &old, &waits), Replacement::Conditional(vec!["DBClusterIdentifier".into()]));
    assert_eq!(changed(&old, &with("Port", json!(1))), ["Port"]);
    assert!(changed(&old, &with("BackupRetentionPeriod", json!("1"))).is_empty());
}

#[test]
fn attributes_and_tags_are_those_of_the_schema() {
    let cluster = attributes("AWS::RDS::DBCluster").unwrap();
    for name in ["Endpoint.Address", "Endpoint.Port", "MasterUserSecret.SecretArn", "DBClusterArn"] {
        assert!(cluster.iter().any(|known| known == name), "{name}: {cluster:?}");
    }
    assert_eq!(attributes("AWS::SageMaker::Model"), None);
    assert_eq!(tag_property("AWS::S3::Bucket").as_deref(), Some("Tags"));
    assert_eq!(tag_property("AWS::ApiGateway::Method"), None);
}

#[test]
fn a_whole_template_is_checked_at_once() {
    let text = "
Resources:
  Bucket: { Type: AWS::S3::Bucket, Properties: { BucketNam: x } }
  Other: { Type: AWS::S3::Buckett }
Outputs:
  Arn: { Value: !GetAtt Bucket.Arm }
  Name: { Value: !Ref Buckt }
  Bad: { Value: { 'Fn::Subb': x } }
";
    let template = Template::parse(text).unwrap();
    let found: Vec<String> = whole::template(&template).iter().map(ToString::to_string).collect();
    let expected = [
        "3:50: Resources.Bucket.Properties: unknown property `BucketNam` (did you mean `BucketName`?)",
        "4:18: Resources.Other.Type: unknown resource type `AWS::S3::Buckett` (did you mean `AWS::S3::Bucket`?)",
        "6:17: Outputs.Arn.Value.Fn::GetAtt: `AWS::S3::Bucket` has no attribute `Arm` (did you mean `Arn`?)",
        "7:18: Outputs.Name.Value.Ref: `Buckt` is no parameter, resource or pseudo parameter (did you mean `Bucket`?)",
        "8:19: Outputs.Bad.Value: unknown function `Fn::Subb` (did you mean `Fn::Sub`?)",
    ];
    assert_eq!(found, expected);
}
