//! What every resource type promises, and what the engine makes of it with the real services.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::resource::{Provisioned, ResourceContext, ResourceType};
use crate::scope::Scope;
use crate::services;

/// Types whose resources need an engine or a function's code; their own services' tests and `tests/` make them.
const NEED_MORE: &[&str] = &[
    "AWS::CloudFormation::Stack",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::SecretsManager::SecretTargetAttachment",
];

/// Every service, none of its engines.
struct World {
    cloud: Arc<Cloud>,
    scope: Scope,
    _directory: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cloud = Cloud::new(Parts::of_test(directory.path()));
        cloud.register(services::all(&cloud).unwrap());
        cloud.service("cloudformation").unwrap().start().await.unwrap();
        World { cloud, scope: Scope::root("us-east-1"), _directory: directory }
    }

    fn context(&self, kind: &ResourceType, name: &str) -> ResourceContext {
        let tag = |key: &str, value: &str| (format!("aws:cloudformation:{key}"), value.to_owned());
        ResourceContext {
            cloud: self.cloud.clone(),
            scope: self.scope.clone(),
            service: kind.service(),
            stack_id: "arn:of:stack".into(),
            stack_name: "lab".into(),
            logical_id: name.into(),
            token: format!("{name}0token0of0this0resource"),
            stack_tags: vec![tag("stack-name", "lab"), tag("stack-id", "arn:of:stack"), tag("logical-id", name)],
            old_stack_tags: Vec::new(),
            express: false,
        }
    }

    async fn call(&self, service: &'static str, operation: &str, input: Value) -> Result<Value, Fault> {
        self.cloud.call(&self.scope, service, operation, input).await
    }

    async fn deploy(&self, operation: &str, template: &Value) -> String {
        self.deploy_tagged(operation, template, json!([])).await
    }

    async fn deploy_tagged(&self, operation: &str, template: &Value, tags: Value) -> String {
        let input = json!({
            "StackName": "s", "TemplateBody": template.to_string(), "Capabilities": ["CAPABILITY_NAMED_IAM"],
            "Tags": tags,
        });
        self.call("cloudformation", operation, input).await.unwrap();
        let begun = std::time::Instant::now();
        loop {
            let stack = self.call("cloudformation", "DescribeStacks", json!({"StackName": "s"})).await.unwrap();
            let status = stack["Stacks"][0]["StackStatus"].as_str().unwrap().to_owned();
            if !status.ends_with("_IN_PROGRESS") {
                return status;
            }
            assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{stack}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

fn document(action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
}

/// One resource of each type, after those that it needs. `$Name` is the id of a resource before, `$Name.X` an attribute.
fn samples() -> Vec<(&'static str, &'static str, Value)> {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
    }]});
    let policy = document("s3:GetObject");
    let method = json!({"RestApiId": "$Api", "ResourceId": "$Path", "HttpMethod": "GET", "AuthorizationType": "NONE",
        "Integration": {"Type": "MOCK"}, "MethodResponses": [{"StatusCode": "200"}]});
    let bucket_policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::a-bucket/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }]});
    let secret_policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "secretsmanager:DeleteSecret", "Resource": "*",
    }]});
    vec![
        ("Wait", "AWS::CloudFormation::WaitConditionHandle", json!({})),
        ("Kit", "AWS::CDK::Metadata", json!({"Analytics": "v2:deflate64:x"})),
        ("Role", "AWS::IAM::Role", json!({"RoleName": "r", "AssumeRolePolicyDocument": trust})),
        ("User", "AWS::IAM::User", json!({})),
        ("Group", "AWS::IAM::Group", json!({})),
        ("Policy", "AWS::IAM::Policy", json!({"PolicyName": "p", "PolicyDocument": policy, "Roles": ["$Role"]})),
        ("OfRole", "AWS::IAM::RolePolicy", json!({"PolicyName": "q", "PolicyDocument": policy, "RoleName": "$Role"})),
        ("OfUser", "AWS::IAM::UserPolicy", json!({"PolicyName": "q", "PolicyDocument": policy, "UserName": "$User"})),
        (
            "OfGroup",
            "AWS::IAM::GroupPolicy",
            json!({"PolicyName": "q", "PolicyDocument": policy, "GroupName": "$Group"}),
        ),
        ("Managed", "AWS::IAM::ManagedPolicy", json!({"PolicyDocument": policy, "Roles": ["$Role"]})),
        ("Profile", "AWS::IAM::InstanceProfile", json!({"Roles": ["$Role"]})),
        ("Members", "AWS::IAM::UserToGroupAddition", json!({"GroupName": "$Group", "Users": ["$User"]})),
        ("Logs", "AWS::Logs::LogGroup", json!({"LogGroupName": "g", "RetentionInDays": 7})),
        ("Stream", "AWS::Logs::LogStream", json!({"LogGroupName": "$Logs", "LogStreamName": "named"})),
        ("Traces", "AWS::XRay::Group", json!({"GroupName": "t", "FilterExpression": "fault"})),
        (
            "Sampling",
            "AWS::XRay::SamplingRule",
            json!({"SamplingRule": {"ResourceARN": "*", "Priority": 7, "FixedRate": 0.5, "ReservoirSize": 1, "ServiceName": "*",
                "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*"}}),
        ),
        ("Bucket", "AWS::S3::Bucket", json!({"BucketName": "a-bucket"})),
        ("BucketPolicy", "AWS::S3::BucketPolicy", json!({"Bucket": "$Bucket", "PolicyDocument": bucket_policy})),
        ("Secret", "AWS::SecretsManager::Secret", json!({"Name": "s", "SecretString": "one"})),
        (
            "SecretPolicy",
            "AWS::SecretsManager::ResourcePolicy",
            json!({"SecretId": "$Secret", "ResourcePolicy": secret_policy}),
        ),
        ("Vpc", "AWS::EC2::VPC", json!({"CidrBlock": "10.0.0.0/16", "EnableDnsHostnames": true})),
        (
            "One",
            "AWS::EC2::Subnet",
            json!({"VpcId": "$Vpc", "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1a"}),
        ),
        (
            "Two",
            "AWS::EC2::Subnet",
            json!({"VpcId": "$Vpc", "CidrBlock": "10.0.2.0/24", "AvailabilityZone": "us-east-1b"}),
        ),
        ("Table", "AWS::EC2::RouteTable", json!({"VpcId": "$Vpc"})),
        ("Routed", "AWS::EC2::SubnetRouteTableAssociation", json!({"SubnetId": "$One", "RouteTableId": "$Table"})),
        ("Internet", "AWS::EC2::InternetGateway", json!({})),
        ("Attached", "AWS::EC2::VPCGatewayAttachment", json!({"VpcId": "$Vpc", "InternetGatewayId": "$Internet"})),
        (
            "Route",
            "AWS::EC2::Route",
            json!({"RouteTableId": "$Table", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "$Internet"}),
        ),
        (
            "Ways",
            "AWS::EC2::SecurityGroup",
            json!({"GroupName": "w", "GroupDescription": "d", "VpcId": "$Vpc",
            "SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "10.0.0.0/16"}]}),
        ),
        (
            "In",
            "AWS::EC2::SecurityGroupIngress",
            json!({"GroupId": "$Ways", "IpProtocol": "tcp", "FromPort": 81, "ToPort": 81, "CidrIp": "10.0.0.0/16"}),
        ),
        (
            "Out",
            "AWS::EC2::SecurityGroupEgress",
            json!({"GroupId": "$Ways", "IpProtocol": "tcp", "FromPort": 82, "ToPort": 82, "CidrIp": "10.0.0.0/16"}),
        ),
        (
            "Endpoint",
            "AWS::EC2::VPCEndpoint",
            json!({"VpcId": "$Vpc", "ServiceName": "com.amazonaws.us-east-1.s3", "RouteTableIds": ["$Table"]}),
        ),
        (
            "Way",
            "AWS::QuickSight::VPCConnection",
            json!({"VPCConnectionId": "w", "Name": "n", "SubnetIds": ["$One", "$Two"], "SecurityGroupIds": ["$Ways"],
            "RoleArn": "$Role.Arn"}),
        ),
        (
            "Source",
            "AWS::QuickSight::DataSource",
            json!({"DataSourceId": "s", "Name": "n", "Type": "AURORA", "Credentials": {"SecretArn": "$Secret"},
            "DataSourceParameters": {"AuroraParameters": {"Host": "h", "Port": 3306, "Database": "d"}},
            "VpcConnectionProperties": {"VpcConnectionArn": "$Way.Arn"}}),
        ),
        (
            "Set",
            "AWS::QuickSight::DataSet",
            json!({"DataSetId": "e", "Name": "n", "ImportMode": "DIRECT_QUERY", "PhysicalTableMap": {"t": {"CustomSql": {
            "DataSourceArn": "$Source.Arn", "Name": "t", "SqlQuery": "SELECT 1", "Columns": [{"Name": "c", "Type": "INTEGER"}]}}}}),
        ),
        (
            "Board",
            "AWS::QuickSight::Dashboard",
            json!({"DashboardId": "b", "Name": "n", "Definition": {
            "DataSetIdentifierDeclarations": [{"Identifier": "e", "DataSetArn": "$Set.Arn"}]}}),
        ),
        (
            "Subnets",
            "AWS::RDS::DBSubnetGroup",
            json!({"DBSubnetGroupName": "sg", "DBSubnetGroupDescription": "d", "SubnetIds": ["$One", "$Two"]}),
        ),
        (
            "Parameters",
            "AWS::RDS::DBClusterParameterGroup",
            json!({"DBClusterParameterGroupName": "pg", "Description": "d", "Family": "aurora-mysql8.0", "Parameters": {"time_zone": "UTC"}}),
        ),
        (
            "OfInstance",
            "AWS::RDS::DBParameterGroup",
            json!({"DBParameterGroupName": "ig", "Description": "d", "Family": "aurora-mysql8.0"}),
        ),
        (
            "CacheSubnets",
            "AWS::ElastiCache::SubnetGroup",
            json!({"CacheSubnetGroupName": "cs", "Description": "d", "SubnetIds": ["$One", "$Two"]}),
        ),
        (
            "CacheParameters",
            "AWS::ElastiCache::ParameterGroup",
            json!({"CacheParameterGroupFamily": "valkey8", "Description": "d", "Properties": {"maxmemory-policy": "allkeys-lru"}}),
        ),
        ("Api", "AWS::ApiGateway::RestApi", json!({"Name": "api"})),
        (
            "Path",
            "AWS::ApiGateway::Resource",
            json!({"RestApiId": "$Api", "ParentId": "$Api.RootResourceId", "PathPart": "hello"}),
        ),
        ("Get", "AWS::ApiGateway::Method", method),
        ("Refusal", "AWS::ApiGateway::GatewayResponse", json!({"RestApiId": "$Api", "ResponseType": "DEFAULT_4XX"})),
        ("Model", "AWS::ApiGateway::Model", json!({"RestApiId": "$Api", "Name": "Hero", "Schema": {"type": "object"}})),
        (
            "Validator",
            "AWS::ApiGateway::RequestValidator",
            json!({"RestApiId": "$Api", "Name": "v", "ValidateRequestParameters": true}),
        ),
        ("Deployment", "AWS::ApiGateway::Deployment", json!({"RestApiId": "$Api"})),
        (
            "Stage",
            "AWS::ApiGateway::Stage",
            json!({"RestApiId": "$Api", "StageName": "v1", "DeploymentId": "$Deployment", "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 5}]}),
        ),
        ("Key", "AWS::ApiGateway::ApiKey", json!({"Name": "k", "Enabled": true})),
        ("Plan", "AWS::ApiGateway::UsagePlan", json!({"ApiStages": [{"ApiId": "$Api", "Stage": "$Stage"}]})),
        (
            "InPlan",
            "AWS::ApiGateway::UsagePlanKey",
            json!({"KeyId": "$Key", "KeyType": "API_KEY", "UsagePlanId": "$Plan"}),
        ),
        ("HttpApi", "AWS::ApiGatewayV2::Api", json!({"Name": "h", "ProtocolType": "HTTP", "Tags": {"a": "b"}})),
        (
            "HttpIntegration",
            "AWS::ApiGatewayV2::Integration",
            json!({
                "ApiId": "$HttpApi", "IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0",
                "IntegrationUri": "arn:aws:lambda:us-east-1:000000000000:function:f",
            }),
        ),
        ("HttpRoute", "AWS::ApiGatewayV2::Route", json!({"ApiId": "$HttpApi", "RouteKey": "POST /a"})),
        ("HttpDeployment", "AWS::ApiGatewayV2::Deployment", json!({"ApiId": "$HttpApi"})),
        (
            "HttpStage",
            "AWS::ApiGatewayV2::Stage",
            json!({"ApiId": "$HttpApi", "StageName": "live", "DeploymentId": "$HttpDeployment"}),
        ),
    ]
}

/// Types for which "the same token finds what it made" cannot hold, each with why.
const ONCE: &[(&str, &str)] = &[
    ("AWS::IAM::AccessKey", "the secret is told once, and nothing in IAM ties a key to the request that made it"),
    ("AWS::IAM::ServiceLinkedRole", "the role has no tags and no token: one that is there may be anybody's"),
    ("AWS::ApiGateway::Account", "there is one account"),
];

fn filled(properties: &Value, made: &BTreeMap<&str, Provisioned>) -> Value {
    match properties {
        Value::String(text) => match text.strip_prefix('$').map(|name| name.split_once('.').unwrap_or((name, ""))) {
            Some((name, "")) => json!(made[name].physical_id),
            Some((name, attribute)) => made[name].attributes[attribute].clone(),
            None => properties.clone(),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, made)).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), filled(value, made))).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn every_type_refuses_what_it_does_not_know_finds_what_its_token_made_and_deletes_what_is_gone() {
    let world = World::new().await;
    let mut made = BTreeMap::new();
    let mut done = Vec::new();
    for (name, kind, properties) in samples() {
        let provider = world.cloud.resource_type(kind).unwrap_or_else(|| panic!("nobody provides {kind}"));
        let (cx, properties) = (world.context(provider, name), filled(&properties, &made));
        let mut unknown = properties.clone();
        unknown["Sourcery"] = json!(1);
        let refused = provider.create(&cx, &unknown).await.unwrap_err().fault.message;
        assert_eq!(refused, format!("The local cloud does not support the property Sourcery of {kind}."));
        let first = provider.create(&cx, &properties).await.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        let again = provider.create(&cx, &properties).await.unwrap_or_else(|error| panic!("{kind} again: {error:?}"));
        assert_eq!(first, again, "{kind}: the same token made another");
        made.insert(name, first);
        done.push((name, kind, properties));
    }
    for (name, kind, properties) in done.iter().rev() {
        let provider = world.cloud.resource_type(kind).unwrap();
        for time in ["once", "twice"] {
            let deleted = provider.delete(&world.context(provider, name), &made[name].physical_id, properties).await;
            deleted.unwrap_or_else(|error| panic!("{kind}, deleted {time}: {error:?}"));
        }
    }
}

#[tokio::test]
async fn every_type_has_a_sample_or_a_reason() {
    let world = World::new().await;
    let samples = samples();
    for service in world.cloud.services() {
        for provider in service.resource_types() {
            let kind = provider.name();
            let known = samples.iter().any(|(_, of, _)| *of == kind)
                || NEED_MORE.contains(&kind)
                || ONCE.iter().any(|(of, _)| *of == kind);
            assert!(known, "{kind} has no sample in this test");
        }
    }
}

#[tokio::test]
async fn a_secret_whose_value_changes_in_the_template_has_the_new_value_and_a_failed_update_brings_the_old_one_back() {
    let world = World::new().await;
    let template = |value: &str| {
        json!({"Resources": {
            "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "s", "SecretString": value}},
        }})
    };
    let value = async || {
        world.call("secretsmanager", "GetSecretValue", json!({"SecretId": "s"})).await.unwrap()["SecretString"].clone()
    };
    assert_eq!(world.deploy("CreateStack", &template("one")).await, "CREATE_COMPLETE");
    assert_eq!(world.deploy("UpdateStack", &template("two")).await, "UPDATE_COMPLETE");
    assert_eq!(value().await, "two");
    let mut fails = template("three");
    fails["Resources"]["Never"] = json!({
        "Type": "AWS::IAM::Group", "DependsOn": "Secret", "Properties": {"ManagedPolicyArns": ["arn:aws:iam::000000000000:policy/no"]},
    });
    assert_eq!(world.deploy("UpdateStack", &fails).await, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(value().await, "two");
}

#[tokio::test]
async fn tags_that_a_stack_no_longer_has_are_taken_from_its_resources() {
    let world = World::new().await;
    let template = json!({"Resources": {
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "g", "Tags": [{"Key": "own", "Value": "1"}]}},
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "s"}},
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
    }});
    let tags = |key: &str| json!([{"Key": key, "Value": "x"}]);
    assert_eq!(world.deploy_tagged("CreateStack", &template, tags("before")).await, "CREATE_COMPLETE");
    assert_eq!(world.deploy_tagged("UpdateStack", &template, tags("after")).await, "UPDATE_COMPLETE");
    let group = json!({"resourceArn": world.scope.arn("logs", "log-group:g")});
    let group = world.call("logs", "ListTagsForResource", group).await.unwrap();
    let mut keys: Vec<&str> = group["tags"].as_object().unwrap().keys().map(String::as_str).collect();
    keys.retain(|key| !key.starts_with("aws:"));
    assert_eq!(keys, ["after", "own"]);
    let own = |tags: &Value| -> Vec<String> {
        let keys = tags.as_array().unwrap().iter().map(|tag| tag["Key"].as_str().unwrap().to_owned());
        keys.filter(|key| !key.starts_with("aws:")).collect()
    };
    let secret = world.call("secretsmanager", "DescribeSecret", json!({"SecretId": "s"})).await.unwrap();
    assert_eq!(own(&secret["Tags"]), ["after"]);
    let ours = json!({"Filters": [{"Name": "tag:aws:cloudformation:logical-id", "Values": ["Vpc"]}]});
    let vpcs = world.call("ec2", "DescribeVpcs", ours).await.unwrap();
    assert_eq!(own(&vpcs["Vpcs"][0]["Tags"]), ["after"]);
}

#[tokio::test]
async fn creations_that_fail_half_way_leave_nothing() {
    let world = World::new().await;
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
    }]});
    let missing = ["arn:aws:iam::000000000000:policy/no"];
    let template = json!({"Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": "half", "AssumeRolePolicyDocument": trust, "ManagedPolicyArns": missing,
        }},
    }});
    assert_eq!(world.deploy("CreateStack", &template).await, "ROLLBACK_COMPLETE");
    let gone = world.call("iam", "GetRole", json!({"RoleName": "half"})).await.unwrap_err();
    assert_eq!(gone.code, "NoSuchEntity");
}

#[tokio::test]
async fn a_replacement_does_not_take_over_the_name_that_the_template_gives_what_it_replaces() {
    let world = World::new().await;
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
    }]});
    let template = |path: &str| {
        let properties = json!({"RoleName": "named", "Path": path, "AssumeRolePolicyDocument": trust});
        json!({"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}}})
    };
    assert_eq!(world.deploy("CreateStack", &template("/a/")).await, "CREATE_COMPLETE");
    assert_eq!(world.deploy("UpdateStack", &template("/b/")).await, "UPDATE_ROLLBACK_COMPLETE");
    let role = world.call("iam", "GetRole", json!({"RoleName": "named"})).await.unwrap();
    assert_eq!(role["Role"]["Path"], "/a/");
    let events = world.call("cloudformation", "DescribeStackEvents", json!({"StackName": "s"})).await.unwrap();
    let reasons: Vec<&str> = events["StackEvents"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["ResourceStatusReason"].as_str())
        .collect();
    let wanted = "CloudFormation cannot update a stack when a custom-named resource requires replacing. \
                  Rename named and update the stack again.";
    assert!(reasons.contains(&wanted), "{reasons:?}");
}

#[tokio::test]
async fn an_access_key_keeps_its_secret_over_an_update() {
    let world = World::new().await;
    let template = |status: &str| {
        json!({
            "Resources": {
                "User": {"Type": "AWS::IAM::User"},
                "Key": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "User"}, "Status": status}},
            },
            "Outputs": {"Secret": {"Value": {"Fn::GetAtt": ["Key", "SecretAccessKey"]}}},
        })
    };
    let secret = async || {
        let stack = world.call("cloudformation", "DescribeStacks", json!({"StackName": "s"})).await.unwrap();
        stack["Stacks"][0]["Outputs"][0]["OutputValue"].clone()
    };
    assert_eq!(world.deploy("CreateStack", &template("Active")).await, "CREATE_COMPLETE");
    let before = secret().await;
    assert_eq!(world.deploy("UpdateStack", &template("Inactive")).await, "UPDATE_COMPLETE");
    assert!(before.is_string());
    assert_eq!(secret().await, before);
}

#[tokio::test]
async fn a_deployment_that_goes_leaves_the_stage_that_serves_a_newer_one() {
    let world = World::new().await;
    let template = |deployment: &str| {
        json!({"Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}},
            "Get": {"Type": "AWS::ApiGateway::Method", "Properties": {
                "RestApiId": {"Ref": "Api"}, "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "HttpMethod": "GET",
                "AuthorizationType": "NONE", "Integration": {"Type": "MOCK"},
            }},
            (deployment): {"Type": "AWS::ApiGateway::Deployment", "DependsOn": "Get", "Properties": {
                "RestApiId": {"Ref": "Api"}, "StageName": "live",
            }},
        }})
    };
    assert_eq!(world.deploy("CreateStack", &template("First")).await, "CREATE_COMPLETE");
    assert_eq!(world.deploy("UpdateStack", &template("Second")).await, "UPDATE_COMPLETE");
    let apis = world.call("apigateway", "GetRestApis", json!({})).await.unwrap();
    let place = json!({"restApiId": apis["items"][0]["id"], "stageName": "live"});
    world.call("apigateway", "GetStage", place).await.unwrap();
}

#[tokio::test]
async fn two_method_resources_of_one_place_are_a_conflict_that_leaves_the_first_as_it_is() {
    let world = World::new().await;
    let template = |methods: &[&str]| {
        let mut resources = json!({"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}}});
        for name in methods {
            resources[*name] = json!({"Type": "AWS::ApiGateway::Method", "Properties": {
                "RestApiId": {"Ref": "Api"}, "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "HttpMethod": "GET",
                "AuthorizationType": "NONE", "Integration": {"Type": "MOCK"}, "MethodResponses": [{"StatusCode": "200"}],
            }});
        }
        json!({"Resources": resources})
    };
    assert_eq!(world.deploy("CreateStack", &template(&["One"])).await, "CREATE_COMPLETE");
    assert_eq!(world.deploy("UpdateStack", &template(&["One", "Two"])).await, "UPDATE_ROLLBACK_COMPLETE");
    let events = world.call("cloudformation", "DescribeStackEvents", json!({"StackName": "s"})).await.unwrap();
    assert!(events.to_string().contains("Method already exists for this resource"), "{events}");
    let api = world.call("apigateway", "GetRestApis", json!({})).await.unwrap()["items"][0].clone();
    let place = json!({"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"});
    let method = world.call("apigateway", "GetMethod", place).await.unwrap();
    assert_eq!(
        (&method["methodIntegration"]["type"], &method["methodResponses"]["200"]["statusCode"]),
        (&json!("MOCK"), &json!("200"))
    );
}
