//! A stack of everything that there is, from a template of the tests' own, by the AWS CLI: deployed, used, updated,
//! rolled back, deleted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::LocalCloud;
use crate::support::clients::next_second;
use crate::support::database::Database;

/// The template, its function packaged and uploaded by the CLI.
struct Shop {
    cloud: LocalCloud,
    template: String,
}

impl Shop {
    async fn package(cloud: LocalCloud) -> Self {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/shop/template.yaml");
        let template = cloud.home().join("packaged.yaml").display().to_string();
        cloud.aws_says(&["s3", "mb", "s3://code"]).await;
        let to = ["--s3-bucket", "code", "--output-template-file", &template];
        cloud.aws_says(&[&["cloudformation", "package", "--template-file", source], &to[..]].concat()).await;
        Shop { cloud, template }
    }

    /// `aws cloudformation deploy` with these parameters.
    fn command<'a>(&'a self, parameters: &[&'a str]) -> Vec<&'a str> {
        let architecture = if cfg!(target_arch = "aarch64") { "Architecture=arm64" } else { "Architecture=x86_64" };
        let what = ["cloudformation", "deploy", "--stack-name", "shop", "--template-file", &self.template];
        let more = ["--capabilities", "CAPABILITY_IAM", "--parameter-overrides", architecture];
        [&what[..], &more[..], parameters].concat()
    }

    /// Deploys, and gives the stack when it rests. The CLI looks every 30 seconds whether its own change set is through;
    /// so it only makes that, and boto3 executes it.
    async fn deploy(&self, parameters: &[&str]) -> Value {
        next_second().await;
        let mut command = self.command(parameters);
        command.push("--no-execute-changeset");
        let said = self.cloud.aws_says(&command).await;
        let set = said.split_whitespace().find(|word| word.starts_with("arn:")).unwrap();
        let program = format!(
            "cfn = boto3.client('cloudformation')\n\
             def stack(): return cfn.describe_stacks(StackName='shop')['Stacks'][0]\n\
             cfn.execute_change_set(ChangeSetName='{set}')\n\
             wait(lambda: not stack()['StackStatus'].endswith('IN_PROGRESS'), 120)\n\
             say(stack())"
        );
        let mut stack = self.cloud.boto3(&program).await;
        let pairs = stack["Outputs"].take();
        let pairs = pairs.as_array().into_iter().flatten();
        let named = pairs.map(|pair| (pair["OutputKey"].as_str().unwrap().to_owned(), pair["OutputValue"].clone()));
        stack["Outputs"] = named.collect::<serde_json::Map<_, _>>().into();
        stack
    }

    /// Physical ids by logical ones.
    async fn resources(&self) -> BTreeMap<String, String> {
        let listed = self.cloud.aws(&["cloudformation", "list-stack-resources", "--stack-name", "shop"]).await;
        let text = |resource: &Value, name: &str| resource[name].as_str().unwrap_or_default().to_owned();
        let each = listed["StackResourceSummaries"].as_array().unwrap().iter();
        each.map(|resource| (text(resource, "LogicalResourceId"), text(resource, "PhysicalResourceId"))).collect()
    }

    /// `Function UPDATE_COMPLETE`, and so on, oldest first.
    async fn events(&self) -> Vec<String> {
        let told = self.cloud.aws(&["cloudformation", "describe-stack-events", "--stack-name", "shop"]).await;
        let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let each = told["StackEvents"].as_array().unwrap().iter().rev();
        each.map(|event| format!("{} {}", text(event, "LogicalResourceId"), text(event, "ResourceStatus"))).collect()
    }

    /// What the shop's function says through the gateway, to a caller with the API's key.
    async fn greeting(&self, outputs: &Value) -> (u16, Value) {
        let text = |name: &str| outputs[name].as_str().unwrap();
        let key = self.cloud.aws(&["apigateway", "get-api-key", "--include-value", "--api-key", text("KeyId")]).await;
        let header = format!("x-api-key: {}", key["value"].as_str().unwrap());
        let url = format!("{}/_aws/execute-api/{}/open/till", self.cloud.endpoint(), text("ApiId"));
        let (status, body) = self.cloud.curl(&["-H", &header, &url]).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn delete(&self) {
        self.cloud.aws(&["cloudformation", "delete-stack", "--stack-name", "shop"]).await;
        self.cloud
            .boto3("until(boto3.client('cloudformation').get_waiter('stack_delete_complete'), StackName='shop')")
            .await;
    }

    /// What there is of the shop, by asking each service for all that it has.
    async fn traces(&self) -> Value {
        self.cloud
            .boto3(
                r#"
def c(service): return boto3.client(service)
say([c('rds').describe_db_clusters()['DBClusters'], c('rds').describe_db_instances()['DBInstances'], c('rds').describe_db_subnet_groups()['DBSubnetGroups'],
    [g['DBClusterParameterGroupName'] for g in c('rds').describe_db_cluster_parameter_groups()['DBClusterParameterGroups'] if not g['DBClusterParameterGroupName'].startswith('default.')],
    c('elasticache').describe_replication_groups()['ReplicationGroups'], c('elasticache').describe_cache_subnet_groups()['CacheSubnetGroups'],
    c('lambda').list_functions()['Functions'], c('apigateway').get_rest_apis()['items'], c('apigateway').get_api_keys()['items'], c('apigateway').get_usage_plans()['items'],
    [b['Name'] for b in c('s3').list_buckets()['Buckets'] if b['Name'] != 'code'], c('iam').list_roles(PathPrefix='/')['Roles'], c('secretsmanager').list_secrets()['SecretList'],
    c('logs').describe_log_groups()['logGroups'], c('ec2').describe_vpcs(Filters=[{'Name': 'is-default', 'Values': ['false']}])['Vpcs'], c('cloudformation').list_exports()['Exports']])
"#,
            )
            .await
    }

    async fn assert_nothing_is_left(&self) {
        let left = self.traces().await;
        let left: Vec<&Value> = left.as_array().unwrap().iter().filter(|kind| **kind != json!([])).collect();
        assert_eq!(left, Vec::<&Value>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_deployed_used_and_deleted_without_a_trace() {
    let shop = Shop::package(LocalCloud::start_with_engines().await).await;
    let stack = shop.deploy(&["Engines=yes"]).await;
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{:#?}", shop.events().await);
    let outputs = &stack["Outputs"];
    let text = |name: &str| outputs[name].as_str().unwrap();
    assert!(shop.resources().await.values().all(|id| !id.is_empty()));

    let secret = shop.cloud.aws(&["secretsmanager", "get-secret-value", "--secret-id", text("MasterSecret")]).await;
    let secret: Value = serde_json::from_str(secret["SecretString"].as_str().unwrap()).unwrap();
    let database = Database::at(&shop.cloud, text("ClusterPort"), secret["password"].as_str().unwrap());
    let said =
        database.mysql("admin", &database.password, &["shop", "-e", "SELECT @@max_connections, DATABASE()"]).await;
    assert_eq!(said, "66\tshop");
    assert_eq!(shop.cloud.redis_cli(text("CachePort"), &["SET", "a", "b"]).await, "OK");
    assert_eq!(shop.cloud.redis_cli(text("CachePort"), &["GET", "a"]).await, "b");

    let (status, said) = shop.greeting(outputs).await;
    assert_eq!((status, said), (201, json!({"greeting": "hello", "to": {"customer": "till"}})));
    let url = format!("{}/_aws/execute-api/{}/open/till", shop.cloud.endpoint(), text("ApiId"));
    assert_eq!(shop.cloud.curl(&[&url]).await, (403, "{\"message\":\"Forbidden\"}".to_owned()));
    let answer = shop.cloud.home().join("answer").display().to_string();
    let invoke = ["lambda", "invoke", "--function-name", text("FunctionName"), "--payload", "[1]", &answer];
    assert_eq!(shop.cloud.aws(&invoke).await["StatusCode"], 200);
    let said: Value = serde_json::from_slice(&std::fs::read(&answer).unwrap()).unwrap();
    assert_eq!(said, json!({"greeting": "hello", "to": [1]}));
    let logged = "wait(lambda: boto3.client('logs').filter_log_events(logGroupName='/shop/first', filterPattern='greeted')['events'][1:])";
    shop.cloud.boto3(logged).await;

    shop.delete().await;
    shop.assert_nothing_is_left().await;
    shop.cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_keeps_what_can_change_and_replaces_what_cannot() {
    let shop = Shop::package(LocalCloud::start().await).await;
    shop.deploy(&[]).await;
    let before = shop.resources().await;
    let stack = shop.deploy(&["Greeting=good day", "Retention=14", "LogName=second"]).await;
    assert_eq!(stack["StackStatus"], "UPDATE_COMPLETE", "{:#?}", shop.events().await);
    let after = shop.resources().await;
    let replaced: Vec<&str> = before.keys().filter(|id| before[*id] != after[*id]).map(String::as_str).collect();
    assert_eq!(replaced, ["Logs"]);
    let groups = shop.cloud.aws(&["logs", "describe-log-groups"]).await;
    assert_eq!(groups["logGroups"].as_array().unwrap().len(), 1, "the old one is removed: {groups}");
    assert_eq!(
        (&groups["logGroups"][0]["logGroupName"], &groups["logGroups"][0]["retentionInDays"]),
        (&json!("/shop/second"), &json!(14))
    );
    let (_, said) = shop.greeting(&stack["Outputs"]).await;
    assert_eq!(said["greeting"], "good day");
    let events = shop.events().await;
    let place =
        |event: &str| events.iter().position(|seen| seen == event).unwrap_or_else(|| panic!("{event}: {events:#?}"));
    assert!(place("Function UPDATE_COMPLETE") < place("shop UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"));
    assert!(place("shop UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") < place("Logs DELETE_COMPLETE"));
    assert!(!events.contains(&"Api UPDATE_COMPLETE".to_owned()), "what did not change is not touched: {events:#?}");
    next_second().await;
    let again = [&shop.command(&[])[..], &["--no-fail-on-empty-changeset"]].concat();
    assert!(shop.cloud.aws_says(&again).await.contains("No changes to deploy. Stack shop is up to date"));
    shop.delete().await;
    shop.assert_nothing_is_left().await;
    shop.cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_fails_takes_back_all_that_it_made() {
    let shop = Shop::package(LocalCloud::start().await).await;
    let said = shop.cloud.aws_fails(&shop.command(&["Broken=yes"])).await;
    assert!(said.contains("Failed to create/update the stack") && said.contains("--stack-name shop"), "{said}");
    let stacks = shop.cloud.aws(&["cloudformation", "describe-stacks", "--stack-name", "shop"]).await;
    assert_eq!(stacks["Stacks"][0]["StackStatus"], "ROLLBACK_COMPLETE");
    let events = shop.events().await;
    for event in
        ["Misfit CREATE_FAILED", "shop ROLLBACK_IN_PROGRESS", "Function DELETE_COMPLETE", "Vpc DELETE_COMPLETE"]
    {
        assert!(events.contains(&event.to_owned()), "{event}: {events:#?}");
    }
    let failures = shop
        .cloud
        .boto3("say(boto3.client('cloudformation').describe_events(StackName='shop', Filters={'FailedEvents': True})['OperationEvents'])")
        .await;
    // What was under way at that moment is cancelled.
    let own = |event: &&Value| event["ResourceStatusReason"] != "Resource creation cancelled";
    let own: Vec<&Value> = failures.as_array().unwrap().iter().filter(own).collect();
    assert_eq!((own.len(), &own[0]["LogicalResourceId"]), (1, &json!("Misfit")), "{failures:#}");
    shop.assert_nothing_is_left().await;
    next_second().await;
    let said = shop.cloud.aws_fails(&shop.command(&[])).await;
    assert!(said.contains("ROLLBACK_COMPLETE state and can not be updated"), "{said}");
    shop.delete().await;
    let stack = shop.deploy(&[]).await;
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE");
    shop.cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_fails_puts_everything_back_as_it_was() {
    let shop = Shop::package(LocalCloud::start().await).await;
    let outputs = shop.deploy(&[]).await["Outputs"].clone();
    let before = shop.resources().await;
    let stack = shop.deploy(&["Greeting=oops", "Retention=14", "LogName=second", "Broken=yes"]).await;
    assert_eq!(stack["StackStatus"], "UPDATE_ROLLBACK_COMPLETE", "{:#?}", shop.events().await);
    assert_eq!(stack["Outputs"], outputs);
    assert_eq!(shop.resources().await, before);
    let (_, said) = shop.greeting(&outputs).await;
    assert_eq!(said["greeting"], "hello");
    let groups = shop.cloud.aws(&["logs", "describe-log-groups"]).await;
    assert_eq!(groups["logGroups"].as_array().unwrap().len(), 1, "the new one is removed: {groups}");
    assert_eq!(
        (&groups["logGroups"][0]["logGroupName"], &groups["logGroups"][0]["retentionInDays"]),
        (&json!("/shop/first"), &json!(7))
    );
    let subnets = shop
        .cloud
        .aws(&["ec2", "describe-subnets", "--filters", &format!("Name=vpc-id,Values={}", before["Vpc"])])
        .await;
    assert_eq!(subnets["Subnets"].as_array().unwrap().len(), 2);
    let stack = shop.deploy(&["Greeting=good day", "Broken=no", "LogName=first"]).await;
    assert_eq!(stack["StackStatus"], "UPDATE_COMPLETE");
    shop.cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_scaled_in_place_and_replaced_where_it_must_be() {
    let shop = Shop::package(LocalCloud::start_with_engines().await).await;
    shop.deploy(&["Engines=yes"]).await;
    let before = shop.resources().await;
    let scaled = shop.deploy(&["Engines=yes", "Capacity=4"]).await;
    assert_eq!(scaled["StackStatus"], "UPDATE_COMPLETE", "{:#?}", shop.events().await);
    assert_eq!(shop.resources().await, before);
    let query = "DBClusters[].[DatabaseName,ServerlessV2ScalingConfiguration.MaxCapacity]";
    assert_eq!(shop.cloud.aws(&["rds", "describe-db-clusters", "--query", query]).await, json!([["shop", 4.0]]));
    let other = shop.deploy(&["Engines=yes", "Capacity=4", "Database=other"]).await;
    assert_eq!(other["StackStatus"], "UPDATE_COMPLETE", "{:#?}", shop.events().await);
    let after = shop.resources().await;
    let replaced: Vec<&str> = before.keys().filter(|id| before[*id] != after[*id]).map(String::as_str).collect();
    assert_eq!(replaced, ["Cluster", "Writer"]);
    assert_ne!(other["Outputs"]["MasterSecret"], scaled["Outputs"]["MasterSecret"]);
    assert_eq!(shop.cloud.aws(&["rds", "describe-db-clusters", "--query", query]).await, json!([["other", 4.0]]));
    shop.deploy(&["Engines=no"]).await;
    assert_eq!(shop.cloud.aws(&["rds", "describe-db-clusters", "--query", query]).await, json!([]));
    shop.cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_another_stack_imports_stays() {
    let shop = Shop::package(LocalCloud::start().await).await;
    shop.deploy(&[]).await;
    let template = "Resources: { Group: { Type: AWS::EC2::SecurityGroup, Properties: { GroupDescription: d, VpcId: !ImportValue shop-vpc } } }";
    shop.cloud.aws(&["cloudformation", "create-stack", "--stack-name", "guest", "--template-body", template]).await;
    let wait = |what: &str, name: &str| {
        format!("until(boto3.client('cloudformation').get_waiter('{what}'), StackName='{name}')")
    };
    shop.cloud.boto3(&wait("stack_create_complete", "guest")).await;
    let imports = shop.cloud.aws(&["cloudformation", "list-imports", "--export-name", "shop-vpc"]).await;
    assert_eq!(imports["Imports"], json!(["guest"]));
    shop.cloud.aws(&["cloudformation", "delete-stack", "--stack-name", "shop"]).await;
    let query = ["--query", "Stacks[0].[StackStatus,StackStatusReason]"];
    let kept =
        shop.cloud.aws(&[&["cloudformation", "describe-stacks", "--stack-name", "shop"], &query[..]].concat()).await;
    assert_eq!(kept, json!(["CREATE_COMPLETE", "Export shop-vpc cannot be deleted as it is in use by guest"]));
    shop.cloud.aws(&["cloudformation", "delete-stack", "--stack-name", "guest"]).await;
    shop.cloud.boto3(&wait("stack_delete_complete", "guest")).await;
    shop.delete().await;
    assert_eq!(shop.cloud.aws(&["cloudformation", "list-exports"]).await["Exports"], json!([]));
    shop.cloud.stop().await;
}
