//! The service through the dispatcher, in memory.

use std::sync::Arc;

use serde_json::{Value, json};

use super::state::ApiGateway;
use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::scope::Scope;

struct World {
    cloud: Arc<Cloud>,
    gateway: Arc<ApiGateway>,
    api: String,
    _directory: tempfile::TempDir,
}

impl World {
    /// A cloud with one API, whose stage is called `lab`.
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cloud = Cloud::new(Parts::of_test(directory.path()));
        let gateway = Arc::new(ApiGateway::open(cloud.clone()).unwrap());
        cloud.register(vec![gateway.clone()]);
        let mut world = World { cloud, gateway, api: String::new(), _directory: directory };
        let made = world.call("CreateRestApi", json!({"name": "a"})).await.unwrap();
        world.api = made["id"].as_str().unwrap().to_owned();
        let resource = made["rootResourceId"].clone();
        let method = json!({"restApiId": world.api, "resourceId": resource, "httpMethod": "GET"});
        let with = |more: Value| {
            let mut input = method.clone();
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            input
        };
        world.call("PutMethod", with(json!({"authorizationType": "NONE"}))).await.unwrap();
        world.call("PutIntegration", with(json!({"type": "MOCK"}))).await.unwrap();
        world.call("CreateDeployment", json!({"restApiId": world.api, "stageName": "lab"})).await.unwrap();
        world
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.cloud.call(&Scope::root("us-east-1"), "apigateway", operation, input).await
    }
}

#[tokio::test]
async fn a_stage_cannot_go_while_a_plan_that_names_it_is_made() {
    let world = World::new().await;
    let plan = json!({"name": "p", "apiStages": [{"apiId": world.api, "stage": "lab"}]});
    let stage = json!({"restApiId": world.api, "stageName": "lab"});
    let (made, deleted) = tokio::join!(world.call("CreateUsagePlan", plan), world.call("DeleteStage", stage.clone()));
    let plan = made.unwrap();
    assert!(deleted.unwrap_err().message.contains(plan["id"].as_str().unwrap()));
    world.call("GetStage", stage).await.unwrap();
}

#[tokio::test]
async fn logs_cannot_be_switched_on_while_the_role_for_them_goes() {
    let world = World::new().await;
    let scope = Scope::root("us-east-1");
    let role = |role: Option<String>| {
        world.gateway.regions.change_region(&scope, |region| {
            region.cloudwatch_role = role;
            Ok::<_, Fault>(())
        })
    };
    role(Some("arn:aws:iam::000000000000:role/logs".into())).await.unwrap();
    let patch = json!([
        {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": "arn:aws:logs:us-east-1:000000000000:log-group:g"},
        {"op": "replace", "path": "/accessLogSettings/format", "value": "$context.requestId"},
    ]);
    let update = json!({"restApiId": world.api, "stageName": "lab", "patchOperations": patch});
    let (gone, updated) = tokio::join!(role(None), world.call("UpdateStage", update.clone()));
    gone.unwrap();
    assert!(updated.unwrap_err().message.contains("role ARN must be set"));
    role(Some("arn:aws:iam::000000000000:role/logs".into())).await.unwrap();
    world.call("UpdateStage", update).await.unwrap();
}
