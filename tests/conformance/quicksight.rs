//! QuickSight, driven by the AWS CLI, boto3 and CloudFormation.

use serde_json::json;

use crate::support::LocalCloud;

/// A data source, a data set on it and a dashboard of it, as a template of AWS's documentation has them.
const TEMPLATE: &str = r#"
Parameters:
  Title: { Type: String, Default: Events }
Resources:
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties: { SecretString: '{"username":"u","password":"p"}' }
  Source:
    Type: AWS::QuickSight::DataSource
    Properties:
      AwsAccountId: !Ref AWS::AccountId
      DataSourceId: source
      Name: Source
      Type: AURORA
      DataSourceParameters: { AuroraParameters: { Host: db.example, Port: 3306, Database: tsdb } }
      Credentials: { SecretArn: !Ref Secret }
  Set:
    Type: AWS::QuickSight::DataSet
    Properties:
      AwsAccountId: !Ref AWS::AccountId
      DataSetId: events
      Name: Events
      ImportMode: DIRECT_QUERY
      PhysicalTableMap:
        t:
          CustomSql:
            DataSourceArn: !GetAtt Source.Arn
            Name: events
            SqlQuery: SELECT ts, value FROM events
            Columns: [{ Name: ts, Type: DATETIME }, { Name: value, Type: DECIMAL }]
  Board:
    Type: AWS::QuickSight::Dashboard
    Properties:
      AwsAccountId: !Ref AWS::AccountId
      DashboardId: board
      Name: !Ref Title
      Permissions:
        - Principal: !Sub "arn:aws:quicksight:${AWS::Region}:${AWS::AccountId}:user/default/ada"
          Actions: ["quicksight:DescribeDashboard", "quicksight:QueryDashboard"]
      Definition:
        DataSetIdentifierDeclarations: [{ Identifier: e, DataSetArn: !GetAtt Set.Arn }]
        Sheets:
          - SheetId: one
            Visuals:
              - LineChartVisual:
                  VisualId: line
                  ChartConfiguration:
                    FieldWells:
                      LineChartAggregatedFieldWells:
                        Values:
                          - NumericalMeasureField:
                              FieldId: v
                              Column: { DataSetIdentifier: e, ColumnName: value }
                              AggregationFunction: { SimpleNumericalAggregation: COUNT }
Outputs:
  Board: { Value: !Ref Board }
  Arn: { Value: !GetAtt Board.Arn }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_makes_changes_and_removes_a_dashboard() {
    let cloud = LocalCloud::start().await;
    let program = format!(
        r#"
cfn = boto3.client('cloudformation'); qs = boto3.client('quicksight'); account = dict(AwsAccountId='000000000000')
template = '''{TEMPLATE}'''
cfn.create_stack(StackName='q', TemplateBody=template)
cfn.get_waiter('stack_create_complete').wait(StackName='q', WaiterConfig=dict(Delay=1))
outputs = {{o['OutputKey']: o['OutputValue'] for o in cfn.describe_stacks(StackName='q')['Stacks'][0]['Outputs']}}
assert outputs['Board'] == '000000000000|board', outputs
board = qs.describe_dashboard(**account, DashboardId='board')
assert board['Status'] == 200 and board['RequestId']
board = board['Dashboard']
assert board['Arn'] == outputs['Arn'] and board['Version']['Status'] == 'CREATION_SUCCESSFUL', board
assert board['Version']['DataSetArns'] == [qs.describe_data_set(**account, DataSetId='events')['DataSet']['Arn']]
tags = qs.list_tags_for_resource(ResourceArn=board['Arn'])['Tags']
assert dict(Key='aws:cloudformation:stack-name', Value='q') in tags, tags
cfn.update_stack(StackName='q', UsePreviousTemplate=True, Parameters=[dict(ParameterKey='Title', ParameterValue='Per hour')])
cfn.get_waiter('stack_update_complete').wait(StackName='q', WaiterConfig=dict(Delay=1))
board = qs.describe_dashboard(**account, DashboardId='board')['Dashboard']
assert (board['Name'], board['Version']['VersionNumber']) == ('Per hour', 2), board
permissions = qs.describe_dashboard_permissions(**account, DashboardId='board')['Permissions']
assert len(permissions) == 1 and len(permissions[0]['Actions']) == 2, permissions
cfn.delete_stack(StackName='q')
cfn.get_waiter('stack_delete_complete').wait(StackName='q', WaiterConfig=dict(Delay=1))
assert qs.list_dashboards(**account)['DashboardSummaryList'] == [] and qs.list_data_sources(**account)['DataSources'] == []
"#
    );
    cloud.boto3(&program).await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cli_keeps_a_data_source_over_a_restart_and_sees_awss_errors() {
    let cloud = LocalCloud::start().await;
    let account = ["--aws-account-id", "000000000000"];
    let parameters = json!({"MySqlParameters": {"Host": "db.example", "Port": 3306, "Database": "tsdb"}}).to_string();
    let pair = json!({"CredentialPair": {"Username": "u", "Password": "never told"}}).to_string();
    let create = ["quicksight", "create-data-source", "--data-source-id", "s", "--name", "S", "--type", "MYSQL"];
    let create = [&create[..], &account, &["--data-source-parameters", &parameters, "--credentials", &pair]].concat();
    let made = cloud.aws(&create).await;
    assert_eq!((&made["Status"], &made["CreationStatus"]), (&json!(202), &json!("CREATION_IN_PROGRESS")));
    assert!(cloud.aws_fails(&create).await.contains("ResourceExistsException"));
    let cloud = cloud.restart().await;
    let describe = [&["quicksight", "describe-data-source", "--data-source-id", "s"], &account[..]].concat();
    let shown = cloud.aws(&describe).await;
    assert_eq!(shown["DataSource"]["Status"], "CREATION_SUCCESSFUL");
    assert!(!shown.to_string().contains("never told"), "{shown}");
    let subscription = cloud.aws(&[&["quicksight", "describe-account-subscription"], &account[..]].concat()).await;
    assert_eq!(subscription["AccountInfo"]["Edition"], "ENTERPRISE");
    let other = ["quicksight", "list-data-sources", "--aws-account-id", "123456789012"];
    assert!(cloud.aws_fails(&other).await.contains("AccessDeniedException"));
    // What would have to draw says by its name that it does not.
    let embed = ["quicksight", "get-dashboard-embed-url", "--dashboard-id", "b", "--identity-type", "IAM"];
    let refused = cloud.aws_fails(&[&embed[..], &account].concat()).await;
    assert!(refused.contains("GetDashboardEmbedUrl"), "{refused}");
    cloud.aws(&[&["quicksight", "delete-data-source", "--data-source-id", "s"], &account[..]].concat()).await;
    assert!(cloud.aws_fails(&describe).await.contains("ResourceNotFoundException"));
    cloud.stop().await;
}
