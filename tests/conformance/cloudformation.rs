//! CloudFormation, by the clients that everybody uses, on real resource types.

use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{ChangeSetType, Parameter, StackStatus};

use crate::support::LocalCloud;
use crate::support::clients::next_second;

const NETWORK: &str = "
Description: a network
Parameters:
  Cidr: { Type: String, Default: 10.1.0.0/16 }
  SubnetCidr: { Type: String, Default: 10.1.1.0/24 }
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: !Ref Cidr } }
  Subnet:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Ref SubnetCidr
      AvailabilityZone: !Select [0, !GetAZs '']
Outputs:
  VpcId: { Value: !Ref Vpc, Export: { Name: !Sub '${AWS::StackName}-vpc' } }
  SubnetId: { Value: !GetAtt Subnet.SubnetId }
";

/// Waits until the stack rests and gives its status.
async fn rest(client: &Client, name: &str) -> StackStatus {
    let wait = async {
        loop {
            let stacks = client.describe_stacks().stack_name(name).send().await.unwrap();
            let status = stacks.stacks()[0].stack_status().unwrap().clone();
            if !status.as_str().ends_with("IN_PROGRESS") {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_deploys_updates_and_deletes_a_template() {
    let cloud = LocalCloud::start().await;
    let file = cloud.home().join("network.yaml");
    std::fs::write(&file, NETWORK).unwrap();
    let file = file.to_str().unwrap();
    let deploy = ["cloudformation", "deploy", "--stack-name", "net", "--template-file", file, "--tags", "team=blue"];
    let key = crate::support::clients::Key::root();
    let (success, _, said) = cloud.run("aws", &deploy, &key).await;
    assert!(success, "{said}");

    let stacks = cloud.aws(&["cloudformation", "describe-stacks", "--stack-name", "net"]).await;
    let stack = &stacks["Stacks"][0];
    assert_eq!(
        (stack["StackStatus"].as_str(), stack["Description"].as_str()),
        (Some("CREATE_COMPLETE"), Some("a network"))
    );
    let vpc_id = stack["Outputs"][0]["OutputValue"].as_str().unwrap();
    let vpcs = cloud.aws(&["ec2", "describe-vpcs", "--vpc-ids", vpc_id]).await;
    let tags = vpcs["Vpcs"][0]["Tags"].as_array().unwrap();
    for (key, value) in
        [("team", "blue"), ("aws:cloudformation:stack-name", "net"), ("aws:cloudformation:logical-id", "Vpc")]
    {
        assert!(tags.iter().any(|tag| tag["Key"] == key && tag["Value"] == value), "{key}={value} not in {tags:?}");
    }

    next_second().await;
    let mut same = deploy.to_vec();
    same.push("--no-fail-on-empty-changeset");
    let (success, said, _) = cloud.run("aws", &same, &key).await;
    assert!(success && said.contains("No changes to deploy"), "{said}");

    next_second().await;
    let mut changed = deploy.to_vec();
    changed.extend(["--parameter-overrides", "SubnetCidr=10.1.2.0/24"]);
    let (success, _, said) = cloud.run("aws", &changed, &key).await;
    assert!(success, "{said}");
    let subnets = cloud.aws(&["ec2", "describe-subnets", "--filters", &format!("Name=vpc-id,Values={vpc_id}")]).await;
    let cidrs: Vec<&str> =
        subnets["Subnets"].as_array().unwrap().iter().filter_map(|subnet| subnet["CidrBlock"].as_str()).collect();
    assert_eq!(cidrs, ["10.1.2.0/24"]);

    cloud.aws(&["cloudformation", "delete-stack", "--stack-name", "net"]).await;
    cloud.aws(&["cloudformation", "wait", "stack-delete-complete", "--stack-name", "net"]).await;
    let gone = cloud.aws_fails(&["cloudformation", "describe-stacks", "--stack-name", "net"]).await;
    assert!(gone.contains("(ValidationError)") && gone.contains("Stack with id net does not exist"), "{gone}");
    let gone = cloud.aws_fails(&["ec2", "describe-vpcs", "--vpc-ids", vpc_id]).await;
    assert!(gone.contains("InvalidVpcID.NotFound"), "{gone}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_fails_is_rolled_back_and_the_events_say_why() {
    let cloud = LocalCloud::start().await;
    let client = Client::new(&cloud.sdk());
    let outside = Parameter::builder().parameter_key("SubnetCidr").parameter_value("192.168.0.0/24").build();
    let made =
        client.create_stack().stack_name("net").template_body(NETWORK).parameters(outside).client_request_token("mine");
    let made = made.send().await.unwrap();
    assert!(made.operation_id().is_some());
    assert_eq!(rest(&client, "net").await, StackStatus::RollbackComplete);
    let events = client.describe_stack_events().stack_name("net").send().await.unwrap();
    let failed = events
        .stack_events()
        .iter()
        .find(|event| event.logical_resource_id() == Some("Subnet") && event.resource_status_reason().is_some());
    let reason = failed.and_then(|event| event.resource_status_reason()).unwrap();
    assert!(reason.starts_with("Resource handler returned message: \""), "{reason}");
    assert!(events.stack_events().iter().all(|event| event.client_request_token() == Some("mine")));
    let failures = client
        .describe_events()
        .stack_name("net")
        .filters(aws_sdk_cloudformation::types::EventFilter::builder().failed_events(true).build());
    let failures = failures.send().await.unwrap();
    assert_eq!(failures.operation_events().len(), 1);
    let vpcs = aws_sdk_ec2::Client::new(&cloud.sdk()).describe_vpcs().send().await.unwrap();
    assert!(vpcs.vpcs().iter().all(|vpc| vpc.cidr_block() != Some("10.1.0.0/16")));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn change_sets_show_what_would_happen_and_their_stack_survives_a_restart() {
    let cloud = LocalCloud::start().await;
    let client = Client::new(&cloud.sdk());
    client.create_stack().stack_name("net").template_body(NETWORK).send().await.unwrap();
    assert_eq!(rest(&client, "net").await, StackStatus::CreateComplete);
    let twice = client.create_stack().stack_name("net").template_body(NETWORK).send().await.unwrap_err();
    assert_eq!(twice.into_service_error().code(), Some("AlreadyExistsException"));

    let smaller = Parameter::builder().parameter_key("SubnetCidr").parameter_value("10.1.3.0/24").build();
    let set =
        client.create_change_set().stack_name("net").change_set_name("smaller").change_set_type(ChangeSetType::Update);
    set.use_previous_template(true).parameters(smaller).send().await.unwrap();
    let shown = client.describe_change_set().stack_name("net").change_set_name("smaller").send().await.unwrap();
    let changes: Vec<_> = shown.changes().iter().filter_map(|change| change.resource_change()).collect();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].logical_resource_id(), Some("Subnet"));
    let cause = changes[0].details()[0].causing_entity();
    assert_eq!(cause, Some("SubnetCidr"));

    let cloud = cloud.restart().await;
    let client = Client::new(&cloud.sdk());
    client.execute_change_set().stack_name("net").change_set_name("smaller").send().await.unwrap();
    assert_eq!(rest(&client, "net").await, StackStatus::UpdateComplete);
    let exports = client.list_exports().send().await.unwrap();
    assert_eq!(exports.exports()[0].name(), Some("net-vpc"));
    let missing = client.describe_change_set().stack_name("net").change_set_name("nothing").send().await.unwrap_err();
    assert_eq!(missing.into_service_error().code(), Some("ChangeSetNotFound"));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_waits_for_stacks_and_reads_them() {
    let cloud = LocalCloud::start().await;
    let program = format!(
        "
cfn = boto3.client('cloudformation')
template = '''{NETWORK}'''
summary = cfn.get_template_summary(TemplateBody=template)
valid = cfn.validate_template(TemplateBody=template)
cfn.create_stack(StackName='net', TemplateBody=template, EnableTerminationProtection=True)
cfn.get_waiter('stack_create_complete').wait(StackName='net')
stack = boto3.resource('cloudformation').Stack('net')
try:
    cfn.delete_stack(StackName='net')
    protected = 'deleted'
except cfn.exceptions.ClientError as error:
    protected = error.response['Error']['Message']
cfn.update_termination_protection(StackName='net', EnableTerminationProtection=False)
cfn.delete_stack(StackName='net')
cfn.get_waiter('stack_delete_complete').wait(StackName='net')
statuses = [stack['StackStatus'] for stack in cfn.list_stacks()['StackSummaries']]
print(json.dumps({{
    'types': summary['ResourceTypes'],
    'parameters': [p['ParameterKey'] for p in valid['Parameters']],
    'protected': protected,
    'statuses': statuses,
}}))
"
    );
    let seen = cloud.boto3(&program).await;
    assert_eq!(seen["types"], serde_json::json!(["AWS::EC2::Subnet", "AWS::EC2::VPC"]));
    assert_eq!(seen["parameters"], serde_json::json!(["Cidr", "SubnetCidr"]));
    assert_eq!(seen["protected"], "Stack [net] cannot be deleted while TerminationProtection is enabled");
    assert_eq!(seen["statuses"], serde_json::json!(["DELETE_COMPLETE"]));
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_cannot_work_is_refused_before_anything_is_made() {
    let cloud = LocalCloud::start().await;
    let client = Client::new(&cloud.sdk());
    let cases = [
        ("Resources: { A: { Type: AWS::EC2::Vpc } }", "AWS::EC2::VPC"),
        ("Resources: { A: { Type: AWS::MediaLive::Channel } }", "AWS::MediaLive::Channel"),
        ("Resources: { A: { Type: AWS::EC2::VPC, Propertis: {} } }", "Properties"),
        ("Resources: { A: { Type: AWS::EC2::VPC, Properties: { CidrBlock: !Ref Nothing } } }", "Nothing"),
        ("Resources: [", "Template format error"),
        (
            "Resources: { A: { Type: AWS::EC2::VPC, Properties: { CidrBlok: 10.0.0.0/16 } } }",
            "unknown property `CidrBlok` (did you mean `CidrBlock`?)",
        ),
        (
            "Resources: { A: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: [7] } } }",
            "Resources.A.Properties.RetentionInDays",
        ),
        ("Resources: { A: { Type: AWS::EC2::Subnet } }", "`VpcId` is missing"),
        (
            "Parameters: { P: { Type: String, Default: x } }\nResources: { A: { Type: AWS::Logs::LogGroup, Properties: { RetentionInDays: !Ref P } } }",
            "Resources.A.Properties.RetentionInDays",
        ),
        (
            "Resources: { A: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16 } } }\nOutputs: { O: { Value: !GetAtt A.VpcIdd } }",
            "(did you mean VpcId?)",
        ),
        (
            "Resources: { A: { Type: AWS::IAM::Role, Properties: { AssumeRolePolicyDocument: {} } } }",
            "Requires capabilities : [CAPABILITY_IAM]",
        ),
    ];
    for (template, expected) in cases {
        let refused = client
            .create_stack()
            .stack_name("bad")
            .template_body(template)
            .send()
            .await
            .unwrap_err()
            .into_service_error();
        let message = refused.message().unwrap_or_default();
        assert!(message.contains(expected), "{template}\n{refused:?}");
    }
    assert!(client.list_stacks().send().await.unwrap().stack_summaries().is_empty());
    let misspelt = "Resources: { A: { Type: AWS::EC2::VPC, Properties: { CidrBlok: 10.0.0.0/16 } } }";
    let set = client.create_change_set().stack_name("bad").change_set_name("c").change_set_type(ChangeSetType::Create);
    set.template_body(misspelt).send().await.unwrap();
    let shown = client.describe_change_set().stack_name("bad").change_set_name("c").send().await.unwrap();
    assert_eq!(shown.status().map(|status| status.as_str()), Some("FAILED"));
    assert!(shown.status_reason().unwrap().contains("CidrBlok"), "{shown:?}");
    let events = client.describe_events().stack_name("bad").change_set_name("c").send().await.unwrap();
    let event = &events.operation_events()[0];
    assert_eq!(event.validation_name(), Some("PROPERTY_VALIDATION"));
    assert_eq!(event.logical_resource_id(), Some("A"));
    assert!(client.describe_stack_resources().stack_name("bad").send().await.unwrap().stack_resources().is_empty());
    let unsupported = cloud.aws_fails(&["cloudformation", "list-stack-sets"]).await;
    assert!(unsupported.contains("NotImplemented") && unsupported.contains("ListStackSets"), "{unsupported}");
    cloud.stop().await;
}
