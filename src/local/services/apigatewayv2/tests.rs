//! The service through the dispatcher, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::state::{Api, HttpApis, Stage};
use crate::clock::Timestamp;
use crate::cloud::{Cloud, Parts};
use crate::fault::Fault;
use crate::scope::Scope;

/// An API that has nothing but stages.
pub(super) fn api_with_stages(names: &[&str]) -> Api {
    let now = Timestamp::from_millis(0);
    let stage = |name: &&str| {
        let stage = Stage {
            stage_name: (*name).to_owned(),
            auto_deploy: false,
            deployment_id: None,
            description: None,
            default_route_settings: Default::default(),
            route_settings: BTreeMap::new(),
            stage_variables: BTreeMap::new(),
            access_log_settings: None,
            tags: BTreeMap::new(),
            created_date: now,
            last_updated_date: now,
            last_deployment_status_message: None,
            api_gateway_managed: false,
            made_by: String::new(),
        };
        ((*name).to_owned(), stage)
    };
    Api {
        id: "a".into(),
        name: "a".into(),
        description: None,
        version: None,
        created: now,
        cors: None,
        disable_execute_api_endpoint: false,
        ip_address_type: "ipv4".into(),
        tags: BTreeMap::new(),
        integrations: BTreeMap::new(),
        routes: BTreeMap::new(),
        stages: names.iter().map(stage).collect(),
        deployments: BTreeMap::new(),
        made_by: String::new(),
    }
}

struct World {
    cloud: Arc<Cloud>,
    _directory: tempfile::TempDir,
}

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cloud = Cloud::new(Parts::of_test(directory.path()));
        cloud.register(vec![Arc::new(HttpApis::open(cloud.clone()).unwrap())]);
        World { cloud, _directory: directory }
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.cloud.call(&Scope::root("us-east-1"), "apigatewayv2", operation, input).await
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.unwrap_or_else(|fault| panic!("{operation}: {fault}"))
    }

    async fn code(&self, operation: &str, input: Value) -> String {
        self.call(operation, input).await.unwrap_err().code
    }

    /// An API with a route `POST /a` to the function.
    async fn api(&self) -> (String, String) {
        let api = self.ok("CreateApi", json!({"Name": "a", "ProtocolType": "HTTP"})).await["ApiId"].clone();
        let integration = json!({
            "ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION, "PayloadFormatVersion": "2.0",
        });
        let integration = self.ok("CreateIntegration", integration).await["IntegrationId"].clone();
        let target = format!("integrations/{}", integration.as_str().unwrap());
        let route = json!({"ApiId": api, "RouteKey": "POST /a", "Target": target});
        let route = self.ok("CreateRoute", route).await["RouteId"].clone();
        (api.as_str().unwrap().to_owned(), route.as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn a_stage_that_deploys_by_itself_follows_every_change_and_another_stays() {
    let world = World::new();
    let (api, route) = world.api().await;
    let auto = json!({"ApiId": api, "StageName": "$default", "AutoDeploy": true});
    let first = world.ok("CreateStage", auto).await;
    assert!(first["LastDeploymentStatusMessage"].as_str().unwrap().starts_with("Successfully deployed"));
    let deployed = world.ok("CreateDeployment", json!({"ApiId": api})).await["DeploymentId"].clone();
    world.ok("CreateStage", json!({"ApiId": api, "StageName": "live", "DeploymentId": deployed})).await;
    world.ok("UpdateRoute", json!({"ApiId": api, "RouteId": route, "AuthorizationType": "AWS_IAM"})).await;
    let stage = |name: &str| world.ok("GetStage", json!({"ApiId": api, "StageName": name}));
    assert_ne!(stage("$default").await["DeploymentId"], first["DeploymentId"]);
    assert_eq!(stage("live").await["DeploymentId"], deployed);
    // What no stage uses of the deployments that nobody asked for is gone.
    let all = world.ok("GetDeployments", json!({"ApiId": api})).await;
    assert_eq!(all["Items"].as_array().unwrap().len(), 2);
    assert_eq!(
        world.code("DeleteDeployment", json!({"ApiId": api, "DeploymentId": deployed})).await,
        "BadRequestException"
    );
    let both = json!({"ApiId": api, "StageName": "$default", "DeploymentId": deployed});
    assert_eq!(world.code("UpdateStage", both).await, "BadRequestException");
}

#[tokio::test]
async fn an_update_of_a_stage_changes_the_variables_that_it_names_and_drops_the_empty_ones() {
    let world = World::new();
    let (api, _) = world.api().await;
    let with = |variables: Value| json!({"ApiId": api, "StageName": "s", "StageVariables": variables});
    let made = world.ok("CreateStage", with(json!({"a": "1", "b": "2", "none": ""}))).await;
    assert_eq!(made["StageVariables"], json!({"a": "1", "b": "2"}));
    let changed = world.ok("UpdateStage", with(json!({"b": "", "c": "3"}))).await;
    assert_eq!(changed["StageVariables"], json!({"a": "1", "c": "3"}));
    for (name, value) in [("a b", "1"), ("", "1"), ("a", "1 2"), ("a", "é")] {
        assert_eq!(
            world.code("UpdateStage", with(json!({name: value}))).await,
            "BadRequestException",
            "{name} {value}"
        );
    }
}

#[tokio::test]
async fn no_two_routes_get_one_key_and_what_a_stage_says_of_a_route_follows_its_key() {
    let world = World::new();
    let made = json!({"Name": "a", "ProtocolType": "HTTP", "Target": FUNCTION, "RouteKey": "GET /quick"});
    let api = world.ok("CreateApi", made).await["ApiId"].clone();
    world.ok("CreateRoute", json!({"ApiId": api, "RouteKey": "GET /a/{x}"})).await;
    let settings = json!({"GET /quick": {"ThrottlingBurstLimit": 7}});
    world.ok("UpdateStage", json!({"ApiId": api, "StageName": "$default", "RouteSettings": settings})).await;
    let rekey = |key: &str| json!({"ApiId": api, "RouteKey": key});
    assert_eq!(world.code("UpdateApi", rekey("GET /a/{y}")).await, "ConflictException");
    world.ok("UpdateApi", rekey("GET /quick")).await;
    world.ok("UpdateApi", rekey("GET /b")).await;
    let stage = world.ok("GetStage", json!({"ApiId": api, "StageName": "$default"})).await;
    assert_eq!(stage["RouteSettings"]["GET /b"]["ThrottlingBurstLimit"], 7);
    assert_eq!(stage["RouteSettings"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn an_api_without_routes_is_not_deployed_and_its_stage_says_why() {
    let world = World::new();
    let api = world.ok("CreateApi", json!({"Name": "a", "ProtocolType": "HTTP"})).await["ApiId"].clone();
    assert_eq!(world.code("CreateDeployment", json!({"ApiId": api})).await, "BadRequestException");
    let stage = world.ok("CreateStage", json!({"ApiId": api, "StageName": "$default", "AutoDeploy": true})).await;
    assert_eq!(
        stage["LastDeploymentStatusMessage"],
        "Deployment attempt failed: Unable to deploy API because no routes exist in this API"
    );
    assert!(stage.get("DeploymentId").is_none());
}

#[tokio::test]
async fn what_is_not_there_and_what_is_there_already_have_awss_errors() {
    let world = World::new();
    let (api, _) = world.api().await;
    for (operation, input) in [
        ("GetApi", json!({"ApiId": "none"})),
        ("GetRoute", json!({"ApiId": api, "RouteId": "none"})),
        ("GetIntegration", json!({"ApiId": api, "IntegrationId": "none"})),
        ("GetStage", json!({"ApiId": api, "StageName": "none"})),
        ("GetDeployment", json!({"ApiId": api, "DeploymentId": "none"})),
        ("GetTags", json!({"ResourceArn": "arn:aws:apigateway:us-east-1::/apis/none"})),
        ("DeleteStage", json!({"ApiId": api, "StageName": "none"})),
    ] {
        assert_eq!(world.code(operation, input).await, "NotFoundException", "{operation}");
    }
    let integration = world.ok("GetIntegrations", json!({"ApiId": api})).await["Items"][0]["IntegrationId"].clone();
    let again = json!({"ApiId": api, "RouteKey": "POST /a"});
    assert_eq!(world.code("CreateRoute", again).await, "ConflictException");
    let used = json!({"ApiId": api, "IntegrationId": integration});
    assert_eq!(world.code("DeleteIntegration", used).await, "ConflictException");
}

#[tokio::test]
async fn what_is_not_done_here_is_refused_by_name_and_what_is_wrong_as_wrong() {
    let world = World::new();
    let (api, route) = world.api().await;
    let integration = |more: Value| {
        let mut input = json!({
            "ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION, "PayloadFormatVersion": "2.0",
        });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let named = [
        ("CreateApi", json!({"Name": "a", "ProtocolType": "WEBSOCKET"}), "WEBSOCKET"),
        ("CreateApi", json!({"Name": "a", "ProtocolType": "HTTP", "Target": "https://a.example"}), "HTTP_PROXY"),
        ("CreateIntegration", integration(json!({"IntegrationType": "HTTP_PROXY"})), "HTTP_PROXY"),
        ("CreateIntegration", integration(json!({"IntegrationSubtype": "SQS-SendMessage"})), "IntegrationSubtype"),
        ("CreateIntegration", integration(json!({"ConnectionType": "VPC_LINK"})), "VPC_LINK"),
        ("CreateIntegration", integration(json!({"RequestParameters": {"append:header.a": "b"}})), "RequestParameters"),
        ("UpdateRoute", json!({"ApiId": api, "RouteId": route, "AuthorizationType": "JWT"}), "JWT"),
        ("CreateAuthorizer", json!({}), "CreateAuthorizer"),
        ("ImportApi", json!({}), "ImportApi"),
    ];
    for (operation, input, name) in named {
        let fault = world.call(operation, input).await.unwrap_err();
        assert!(fault.code == "NotImplemented" && fault.message.contains(name), "{operation}: {fault}");
    }
    let wrong = [
        ("CreateApi", json!({"Name": "", "ProtocolType": "HTTP"})),
        ("CreateApi", json!({"Name": "a", "ProtocolType": "HTTP", "RouteKey": "GET /"})),
        ("CreateApi", json!({"Name": "a", "ProtocolType": "HTTP", "CorsConfiguration": {"AllowOrigins": ["nowhere"]}})),
        ("CreateIntegration", integration(json!({"IntegrationUri": "arn:aws:s3:::b"}))),
        ("CreateIntegration", integration(json!({"PayloadFormatVersion": "3.0"}))),
        ("CreateIntegration", integration(json!({"TimeoutInMillis": 30_001}))),
        ("CreateIntegration", json!({"ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION})),
        ("CreateRoute", json!({"ApiId": api, "RouteKey": "post /a"})),
        ("CreateRoute", json!({"ApiId": api, "RouteKey": "GET /b", "Target": "integrations/none"})),
        ("CreateRoute", json!({"ApiId": api, "RouteKey": "GET /b", "ApiKeyRequired": true})),
        ("CreateStage", json!({"ApiId": api, "StageName": "a b"})),
        ("CreateStage", json!({"ApiId": api, "StageName": "a", "DefaultRouteSettings": {"LoggingLevel": "INFO"}})),
        ("CreateStage", json!({"ApiId": api, "StageName": "a", "AccessLogSettings": {"Format": "x"}})),
        ("GetApis", json!({"MaxResults": "none"})),
    ];
    for (operation, input) in wrong {
        let shown = input.to_string();
        assert_eq!(world.code(operation, input).await, "BadRequestException", "{operation} {shown}");
    }
    let settings = json!({"ApiId": api, "StageName": "a", "RouteSettings": {"GET /none": {}}});
    assert_eq!(world.code("CreateStage", settings).await, "NotFoundException");
}

/// As Terraform sends it.
#[tokio::test]
async fn what_asks_for_nothing_or_for_the_default_is_taken() {
    let world = World::new();
    let input = json!({
        "Name": "a", "ProtocolType": "HTTP", "ApiKeySelectionExpression": "$request.header.x-api-key",
        "RouteSelectionExpression": "$request.method $request.path", "CredentialsArn": "", "FailOnWarnings": false,
    });
    let api = world.ok("CreateApi", input.clone()).await;
    assert_eq!(api["RouteSelectionExpression"], input["RouteSelectionExpression"]);
    let asking = |name: &str, value: Value| {
        let mut asking = input.clone();
        asking[name] = value;
        asking
    };
    for (name, value) in
        [("CredentialsArn", json!("arn:aws:iam::000000000000:role/r")), ("DisableSchemaValidation", json!(true))]
    {
        let fault = world.call("CreateApi", asking(name, value)).await.unwrap_err();
        assert!(fault.code == "NotImplemented" && fault.message.contains(name), "{fault}");
    }
    let other = asking("RouteSelectionExpression", json!("$request.body.action"));
    assert_eq!(world.code("CreateApi", other).await, "BadRequestException");
}

#[tokio::test]
async fn a_quick_create_makes_all_that_serves_requests() {
    let world = World::new();
    let api = world.ok("CreateApi", json!({"Name": "q", "ProtocolType": "HTTP", "Target": FUNCTION})).await;
    let all = |operation: &'static str| world.ok(operation, json!({"ApiId": api["ApiId"]}));
    let route = all("GetRoutes").await["Items"][0].clone();
    let integration = all("GetIntegrations").await["Items"][0].clone();
    let stage = all("GetStages").await["Items"][0].clone();
    assert_eq!((&route["RouteKey"], &route["ApiGatewayManaged"]), (&json!("$default"), &json!(true)));
    assert_eq!(
        (&integration["IntegrationUri"], &integration["PayloadFormatVersion"]),
        (&json!(FUNCTION), &json!("2.0"))
    );
    assert_eq!((&stage["StageName"], &stage["AutoDeploy"]), (&json!("$default"), &json!(true)));
    assert!(stage["DeploymentId"].is_string());
    world.ok("UpdateApi", json!({"ApiId": api["ApiId"], "Target": format!("{FUNCTION}:live")})).await;
    assert_eq!(all("GetIntegrations").await["Items"][0]["IntegrationUri"], format!("{FUNCTION}:live"));
}

#[tokio::test]
async fn an_update_changes_what_it_says_and_an_empty_text_takes_away() {
    let world = World::new();
    let (api, route) = world.api().await;
    let cors = json!({"AllowOrigins": ["https://a.example"], "MaxAge": 5});
    let update =
        json!({"ApiId": api, "Description": "d", "CorsConfiguration": cors, "DisableExecuteApiEndpoint": true});
    let updated = world.ok("UpdateApi", update).await;
    assert_eq!(
        (&updated["Description"], &updated["CorsConfiguration"], &updated["Name"]),
        (&json!("d"), &cors, &json!("a"))
    );
    let updated = world.ok("UpdateApi", json!({"ApiId": api, "Description": ""})).await;
    assert!(updated.get("Description").is_none() && updated["CorsConfiguration"] == cors);
    world.ok("DeleteCorsConfiguration", json!({"ApiId": api})).await;
    assert!(world.ok("GetApi", json!({"ApiId": api})).await.get("CorsConfiguration").is_none());
    let settings = json!({"POST /a": {"ThrottlingRateLimit": 5.0, "ThrottlingBurstLimit": 2}});
    let stage = json!({"ApiId": api, "StageName": "s", "RouteSettings": settings, "StageVariables": {"a": "b"}});
    world.ok("CreateStage", stage).await;
    world.ok("UpdateRoute", json!({"ApiId": api, "RouteId": route, "RouteKey": "POST /b"})).await;
    let stage = world.ok("GetStage", json!({"ApiId": api, "StageName": "s"})).await;
    assert_eq!(stage["RouteSettings"]["POST /b"]["ThrottlingBurstLimit"], 2, "{stage}");
    let of_route = json!({"ApiId": api, "StageName": "s", "RouteKey": "POST /b"});
    world.ok("DeleteRouteSettings", of_route.clone()).await;
    assert_eq!(world.code("DeleteRouteSettings", of_route).await, "NotFoundException");
    let arn = format!("arn:aws:apigateway:us-east-1::/apis/{api}/stages/s");
    world.ok("TagResource", json!({"ResourceArn": arn, "Tags": {"a": "1", "b": "2"}})).await;
    world.ok("UntagResource", json!({"ResourceArn": arn, "TagKeys": ["a"]})).await;
    assert_eq!(world.ok("GetTags", json!({"ResourceArn": arn})).await["Tags"], json!({"b": "2"}));
}

#[tokio::test]
async fn lists_have_pages() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.ok("CreateApi", json!({"Name": name, "ProtocolType": "HTTP"})).await;
    }
    let first = world.ok("GetApis", json!({"MaxResults": "2"})).await;
    let rest = world.ok("GetApis", json!({"MaxResults": "2", "NextToken": first["NextToken"]})).await;
    let count = |page: &Value| page["Items"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&rest)), (2, 1));
    assert!(rest.get("NextToken").is_none());
}
