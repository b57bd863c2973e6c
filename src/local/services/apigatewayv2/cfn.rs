//! The CloudFormation types of HTTP APIs.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::resource::{
    Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, ResourceType, TagForm, Unfinished,
};

const API: &[&str] = &[
    "Name",
    "ProtocolType",
    "Description",
    "Version",
    "CorsConfiguration",
    "DisableExecuteApiEndpoint",
    "IpAddressType",
    "RouteKey",
    "Target",
    "Tags",
];
const INTEGRATION: &[&str] = &[
    "ApiId",
    "IntegrationType",
    "IntegrationUri",
    "IntegrationMethod",
    "ConnectionType",
    "PayloadFormatVersion",
    "TimeoutInMillis",
    "Description",
];
const ROUTE: &[&str] = &["ApiId", "RouteKey", "Target", "AuthorizationType", "ApiKeyRequired", "OperationName"];
const STAGE: &[&str] = &[
    "ApiId",
    "StageName",
    "AutoDeploy",
    "DeploymentId",
    "Description",
    "DefaultRouteSettings",
    "RouteSettings",
    "StageVariables",
    "AccessLogSettings",
    "Tags",
];
const DEPLOYMENT: &[&str] = &["ApiId", "Description", "StageName"];

pub(super) fn types() -> Vec<ResourceType> {
    vec![
        ResourceType::new("AWS::ApiGatewayV2::Api", API, Api).kept(&[&["Name"], &["RouteKey"], &["Target"]]).defaults(
            |_| json!({"Description": "", "Version": "", "DisableExecuteApiEndpoint": false, "IpAddressType": "ipv4"}),
        ),
        ResourceType::new(
            "AWS::ApiGatewayV2::Integration",
            INTEGRATION,
            Part { kind: "Integration", properties: INTEGRATION },
        )
        .kept(&[&["IntegrationUri"], &["PayloadFormatVersion"]])
        .defaults(|_| {
            json!({
                "IntegrationMethod": "", "ConnectionType": "INTERNET", "TimeoutInMillis": 30_000, "Description": "",
            })
        }),
        ResourceType::new("AWS::ApiGatewayV2::Route", ROUTE, Part { kind: "Route", properties: ROUTE }).defaults(
            |_| json!({"Target": "", "AuthorizationType": "NONE", "ApiKeyRequired": false, "OperationName": ""}),
        ),
        ResourceType::new("AWS::ApiGatewayV2::Stage", STAGE, Stage).kept(&[&["DeploymentId"]]).defaults(
            |_| json!({"AutoDeploy": false, "Description": "", "DefaultRouteSettings": {}, "StageVariables": {}}),
        ),
        ResourceType::new("AWS::ApiGatewayV2::Deployment", DEPLOYMENT, Deployment)
            .fixed(&["StageName"])
            .defaults(|_| json!({"Description": ""})),
    ]
}

/// What differs of `names`, in a request for the thing that `place` names; `None`: nothing does.
fn changes(mut place: Value, old: &Value, new: &Value, names: &[&'static str]) -> Option<Value> {
    let changed = new.changed(old, names);
    for name in &changed {
        place[*name] = new[*name].clone();
    }
    (!changed.is_empty()).then_some(place)
}

async fn change(cx: &ResourceContext, operation: &str, input: Option<Value>) -> Result<(), Fault> {
    match input {
        Some(input) => cx.ask(operation, input).await.map(drop),
        None => Ok(()),
    }
}

/// The properties with `Tags` as the list that most types have; here they are a map.
fn with_tag_list(properties: &Value) -> Value {
    let tags: Vec<Value> = properties.members("Tags").map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    json!({"Tags": tags})
}

async fn retag(cx: &ResourceContext, path: &str, old: &Value, new: &Value) -> Result<(), Fault> {
    let place = json!({"ResourceArn": format!("arn:aws:apigateway:{}::{path}", cx.scope.region)});
    let (old, new) = (with_tag_list(old), with_tag_list(new));
    cx.retag(("UntagResource", "TagResource"), place, TagForm::Map, (&old, &new)).await
}

struct Api;

impl Api {
    async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
        let api = cx.ask("GetApi", json!({"ApiId": id})).await?;
        let arn = cx.scope.arn("execute-api", id);
        Ok(Provisioned::with(id, json!({"ApiId": id, "ApiEndpoint": api["ApiEndpoint"], "ExecuteApiArn": arn})))
    }
}

#[async_trait]
impl Provider for Api {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let mut input = properties.pick(API);
        input["Name"] = json!(cx.name(properties, "Name", 128));
        input["Tags"] = json!(cx.tag_map(&with_tag_list(properties)));
        let made = cx.ask("CreateApi", input).await?;
        let id = made.text("ApiId");
        Api::provisioned(cx, id).await.unfinished(id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let place = || json!({"ApiId": id});
        if old.get("CorsConfiguration").is_some() && new.get("CorsConfiguration").is_none() {
            cx.ask("DeleteCorsConfiguration", place()).await?;
        }
        let names = &[
            "Name",
            "Description",
            "Version",
            "CorsConfiguration",
            "DisableExecuteApiEndpoint",
            "IpAddressType",
            "RouteKey",
            "Target",
        ];
        change(cx, "UpdateApi", changes(place(), old, new, names)).await?;
        retag(cx, &format!("/apis/{id}"), old, new).await?;
        Api::provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteApi", json!({"ApiId": id})).await
    }
}

/// An integration or a route: a thing within an API that has an id of its own.
struct Part {
    kind: &'static str,
    properties: &'static [&'static str],
}

impl Part {
    fn id(&self) -> String {
        format!("{}Id", self.kind)
    }

    fn place(&self, properties: &Value, id: &str) -> Value {
        json!({"ApiId": properties["ApiId"], self.id(): id})
    }

    fn provisioned(&self, id: &str) -> Provisioned {
        Provisioned::with(id, json!({self.id(): id}))
    }
}

#[async_trait]
impl Provider for Part {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let made = cx.ask(&format!("Create{}", self.kind), properties.pick(self.properties)).await?;
        Ok(self.provisioned(made.text(&self.id())))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let input = changes(self.place(new, id), old, new, self.properties);
        change(cx, &format!("Update{}", self.kind), input).await?;
        Ok(self.provisioned(id))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove(&format!("Delete{}", self.kind), self.place(properties, id)).await
    }
}

struct Stage;

#[async_trait]
impl Provider for Stage {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let mut input = properties.pick(STAGE);
        input["Tags"] = json!(cx.tag_map(&with_tag_list(properties)));
        let name = properties.text("StageName");
        cx.ask("CreateStage", input).await?;
        Ok(Provisioned::named(name))
    }

    async fn update(&self, cx: &ResourceContext, name: &str, old: &Value, new: &Value) -> Made {
        let place = || json!({"ApiId": new["ApiId"], "StageName": name});
        if old.get("AccessLogSettings").is_some() && new.get("AccessLogSettings").is_none() {
            cx.ask("DeleteAccessLogSettings", place()).await?;
        }
        for (key, _) in old.members("RouteSettings") {
            if new["RouteSettings"].get(key).is_none() {
                let mut of_route = place();
                of_route["RouteKey"] = json!(key);
                cx.remove("DeleteRouteSettings", of_route).await?;
            }
        }
        let names = &[
            "AutoDeploy",
            "DeploymentId",
            "Description",
            "DefaultRouteSettings",
            "RouteSettings",
            "StageVariables",
            "AccessLogSettings",
        ];
        let mut input = changes(place(), old, new, names);
        if let Some(variables) = input.as_mut().and_then(|input| input.get_mut("StageVariables")) {
            let gone = old.members("StageVariables").filter(|(name, _)| new["StageVariables"].get(name).is_none());
            gone.for_each(|(name, _)| variables[name.as_str()] = json!(""));
        }
        change(cx, "UpdateStage", input).await?;
        retag(cx, &format!("/apis/{}/stages/{name}", new.text("ApiId")), old, new).await?;
        Ok(Provisioned::named(name))
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteStage", json!({"ApiId": properties["ApiId"], "StageName": name})).await
    }
}

struct Deployment;

#[async_trait]
impl Provider for Deployment {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let made = cx.ask("CreateDeployment", properties.pick(DEPLOYMENT)).await?;
        let id = made.text("DeploymentId");
        Ok(Provisioned::with(id, json!({"DeploymentId": id})))
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let place = json!({"ApiId": new["ApiId"], "DeploymentId": id});
        change(cx, "UpdateDeployment", changes(place, old, new, &["Description"])).await?;
        Ok(Provisioned::with(id, json!({"DeploymentId": id})))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteDeployment", json!({"ApiId": properties["ApiId"], "DeploymentId": id})).await
    }
}
