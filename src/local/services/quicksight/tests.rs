//! The service through its dispatcher, in memory, with the services that it looks things up in.

use serde_json::json;

use super::*;
use crate::clock::{Clock, Timestamp};
use crate::cloud::Parts;
use crate::scope::{ACCOUNT, Scope};
use crate::services::{ec2, iam, secretsmanager};

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
        let services = [open(&cloud), ec2::open(&cloud), iam::open(&cloud), secretsmanager::open(&cloud)];
        cloud.register(services.into_iter().map(Result::unwrap).collect());
        World { _dir: dir, cloud, scope: Scope::root("us-east-1") }
    }

    async fn ask(&self, operation: &str, mut input: Value) -> Result<Value, Fault> {
        input["AwsAccountId"] = json!(ACCOUNT);
        self.cloud.call(&self.scope, "quicksight", operation, input).await
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.ask(operation, input).await.unwrap_or_else(|fault| panic!("{operation}: {fault}"))
    }

    async fn refused(&self, operation: &str, input: Value) -> (String, String) {
        match self.ask(operation, input).await {
            Ok(output) => panic!("{operation} succeeded: {output}"),
            Err(fault) => (fault.code, fault.message),
        }
    }

    /// A data source and a data set on it.
    async fn events(&self) {
        let secret = json!({"Name": "master", "SecretString": "{}"});
        let secret = self.cloud.call(&self.scope, "secretsmanager", "CreateSecret", secret).await.unwrap();
        self.ok("CreateDataSource", data_source(secret["ARN"].as_str().unwrap())).await;
        self.ok("CreateDataSet", data_set("source")).await;
    }
}

fn arn(what: &str) -> String {
    format!("arn:aws:quicksight:us-east-1:{ACCOUNT}:{what}")
}

fn data_source(secret: &str) -> Value {
    json!({
        "DataSourceId": "source", "Name": "Source", "Type": "AURORA",
        "DataSourceParameters": {"AuroraParameters": {"Host": "h", "Port": 3306, "Database": "tsdb"}},
        "Credentials": {"SecretArn": secret},
    })
}

fn data_set(source: &str) -> Value {
    let columns = json!([{"Name": "ts", "Type": "DATETIME"}, {"Name": "value", "Type": "DECIMAL"}]);
    json!({
        "DataSetId": "set", "Name": "Set", "ImportMode": "DIRECT_QUERY",
        "PhysicalTableMap": {"t": {"CustomSql": {
            "DataSourceArn": arn(&format!("datasource/{source}")), "Name": "t", "SqlQuery": "SELECT 1", "Columns": columns,
        }}},
    })
}

fn dashboard(column: &str, set: &str) -> Value {
    json!({
        "DashboardId": "board", "Name": "Board",
        "Definition": {
            "DataSetIdentifierDeclarations": [{"Identifier": "e", "DataSetArn": arn(&format!("dataset/{set}"))}],
            "Sheets": [{"SheetId": "s", "Name": "Sheet", "Visuals": [
                {"LineChartVisual": {"VisualId": "v", "Column": {"DataSetIdentifier": "e", "ColumnName": column}}},
            ]}],
        },
    })
}

#[tokio::test]
async fn an_asset_is_shown_as_it_was_made_and_secrets_are_not_kept() {
    let world = World::new();
    world.events().await;
    let source = world.ok("DescribeDataSource", json!({"DataSourceId": "source"})).await;
    let source = &source["DataSource"];
    assert_eq!(source["Status"], "CREATION_SUCCESSFUL");
    assert_eq!(source["Arn"], json!(arn("datasource/source")));
    assert_eq!(source["DataSourceParameters"]["AuroraParameters"]["Database"], "tsdb");
    assert!(source["SecretArn"].as_str().is_some() && source.get("Credentials").is_none());
    let pair = json!({"CredentialPair": {"Username": "u", "Password": "hidden"}});
    let update = json!({
        "DataSourceId": "source", "Name": "New",
        "DataSourceParameters": {"AuroraParameters": {"Host": "h", "Port": 3306, "Database": "d"}}, "Credentials": pair,
    });
    assert_eq!(world.ok("UpdateDataSource", update).await["UpdateStatus"], "UPDATE_IN_PROGRESS");
    let file = world.cloud.home.state("quicksight").join("assets.json");
    assert!(!std::fs::read_to_string(file).unwrap().contains("hidden"));
    let set = world.ok("DescribeDataSet", json!({"DataSetId": "set"})).await;
    assert_eq!(set["DataSet"]["OutputColumns"][0], json!({"Name": "ts", "Type": "DATETIME"}));
    assert_eq!(world.ok("ListDataSets", json!({})).await["DataSetSummaries"][0]["ImportMode"], "DIRECT_QUERY");
}

#[tokio::test]
async fn a_dashboard_has_versions_of_which_one_is_published() {
    let world = World::new();
    world.events().await;
    world.ok("CreateDashboard", dashboard("value", "set")).await;
    let made = world.ok("UpdateDashboard", dashboard("ts", "set")).await;
    assert_eq!(made["VersionArn"], json!(arn("dashboard/board/version/2")));
    let shown = |answer: Value| answer["Dashboard"]["Version"]["VersionNumber"].clone();
    assert_eq!(shown(world.ok("DescribeDashboard", json!({"DashboardId": "board"})).await), 1);
    world.ok("UpdateDashboardPublishedVersion", json!({"DashboardId": "board", "VersionNumber": 2})).await;
    let answer = world.ok("DescribeDashboard", json!({"DashboardId": "board"})).await;
    assert_eq!(answer["Dashboard"]["Version"]["Sheets"], json!([{"SheetId": "s", "Name": "Sheet"}]));
    assert_eq!(shown(answer), 2);
    let versions = world.ok("ListDashboardVersions", json!({"DashboardId": "board", "MaxResults": 1})).await;
    assert_eq!(versions["NextToken"], "1");
    let gone = json!({"DashboardId": "board", "VersionNumber": 2});
    assert_eq!(world.refused("DeleteDashboard", gone).await.0, "ConflictException");
    world.ok("DeleteDashboard", json!({"DashboardId": "board"})).await;
    let missing = world.refused("DescribeDashboard", json!({"DashboardId": "board"})).await;
    assert_eq!(missing.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused_or_told_in_the_errors_of_a_version() {
    let world = World::new();
    world.events().await;
    let no_source = world.refused("CreateDataSet", data_set("other")).await;
    assert_eq!(no_source.0, "ResourceNotFoundException");
    assert_eq!(world.refused("CreateDataSet", data_set("source")).await.0, "ResourceExistsException");
    let column = world.refused("CreateDashboard", dashboard("valeu", "set")).await;
    assert!(column.0 == "InvalidParameterValueException" && column.1.contains("valeu"), "{column:?}");
    world.ok("CreateDashboard", dashboard("value", "none")).await;
    let answer = world.ok("DescribeDashboard", json!({"DashboardId": "board"})).await;
    assert_eq!(answer["Dashboard"]["Version"]["Errors"][0]["Type"], "DATA_SET_NOT_FOUND");
    let mut spice = data_set("source");
    spice["ImportMode"] = json!("SPICE");
    assert!(world.refused("UpdateDataSet", spice).await.1.contains("SPICE"));
    let mut folders = data_set("source");
    folders["FolderArns"] = json!(["arn:aws:quicksight:us-east-1:000000000000:folder/f"]);
    assert!(world.refused("CreateDataSet", folders).await.1.contains("FolderArns"));
    let mut secret = data_source("arn:aws:secretsmanager:us-east-1:000000000000:secret:none");
    secret["DataSourceId"] = json!("second");
    assert_eq!(world.refused("CreateDataSource", secret).await.0, "InvalidParameterValueException");
}

#[tokio::test]
async fn permissions_and_tags_come_and_go() {
    let world = World::new();
    world.events().await;
    let ada = json!({"Principal": arn("user/default/ada"), "Actions": ["quicksight:DescribeDataSet", "quicksight:PassDataSet"]});
    let grant = json!({"DataSetId": "set", "GrantPermissions": [ada]});
    world.ok("UpdateDataSetPermissions", grant).await;
    let less = json!({"Principal": arn("user/default/ada"), "Actions": ["quicksight:PassDataSet"]});
    let left = world.ok("UpdateDataSetPermissions", json!({"DataSetId": "set", "RevokePermissions": [less]})).await;
    assert_eq!(left["Permissions"][0]["Actions"], json!(["quicksight:DescribeDataSet"]));
    let stranger = json!({"Principal": "ada", "Actions": ["quicksight:PassDataSet"]});
    let refused =
        world.refused("UpdateDataSetPermissions", json!({"DataSetId": "set", "GrantPermissions": [stranger]})).await;
    assert_eq!(refused.0, "InvalidParameterValueException");

    let resource = json!(arn("dataset/set"));
    let call = async |operation: &str, input: Value| {
        world.cloud.call(&world.scope, "quicksight", operation, input).await.unwrap()
    };
    call(
        "TagResource",
        json!({"ResourceArn": resource, "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}),
    )
    .await;
    call("UntagResource", json!({"ResourceArn": resource, "TagKeys": ["a"]})).await;
    let tags = call("ListTagsForResource", json!({"ResourceArn": resource})).await;
    assert_eq!(tags["Tags"], json!([{"Key": "b", "Value": "2"}]));
}

#[tokio::test]
async fn a_vpc_connection_needs_two_zones_and_its_parts() {
    let world = World::new();
    let subnets = world.cloud.call(&world.scope, "ec2", "DescribeSubnets", json!({})).await.unwrap();
    let ids: Vec<&Value> = subnets["Subnets"].as_array().unwrap().iter().map(|subnet| &subnet["SubnetId"]).collect();
    let groups = world.cloud.call(&world.scope, "ec2", "DescribeSecurityGroups", json!({})).await.unwrap();
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "quicksight.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ]});
    let role = json!({"RoleName": "quick", "AssumeRolePolicyDocument": trust.to_string()});
    let role = world.cloud.call(&world.scope, "iam", "CreateRole", role).await.unwrap();
    let connection = |subnets: &[&Value]| {
        json!({
            "VPCConnectionId": "way", "Name": "Way", "SubnetIds": subnets, "RoleArn": role["Role"]["Arn"],
            "SecurityGroupIds": [groups["SecurityGroups"][0]["GroupId"]],
        })
    };
    for subnets in [&ids[..1], &[ids[0], &json!("subnet-none")]] {
        assert_eq!(world.refused("CreateVPCConnection", connection(subnets)).await.0, "InvalidParameterValueException");
    }
    world.ok("CreateVPCConnection", connection(&ids[..2])).await;
    let shown = world.ok("DescribeVPCConnection", json!({"VPCConnectionId": "way"})).await;
    assert_eq!(shown["VPCConnection"]["VPCId"], subnets["Subnets"][0]["VpcId"]);
    assert_eq!(shown["VPCConnection"]["AvailabilityStatus"], "AVAILABLE");
}
