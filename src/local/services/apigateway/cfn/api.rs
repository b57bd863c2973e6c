//! `RestApi`, `Resource`, `Method`, `GatewayResponse`, `Model`, `RequestValidator`.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{change, patches, pick, provisioned, retag};
use crate::fault::Fault;
use crate::resource::{Made, Properties, Provider, Provisioned, ResourceContext, ResourceFault, Unfinished, compared};

pub(super) struct RestApi;

impl RestApi {
    async fn provisioned(cx: &ResourceContext, id: &str) -> Made {
        let api = cx.ask("GetRestApi", json!({"restApiId": id})).await?;
        Ok(Provisioned::with(id, json!({"RestApiId": id, "RootResourceId": api["rootResourceId"]})))
    }
}

#[async_trait]
impl Provider for RestApi {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let mut input = pick(properties, &["Description", "BinaryMediaTypes", "DisableExecuteApiEndpoint"]);
        input["name"] = json!(cx.name(properties, "Name", 128));
        input["apiKeySource"] = properties["ApiKeySourceType"].clone();
        if let Some(endpoints) = properties.get("EndpointConfiguration") {
            let known = ["Types", "IpAddressType"];
            endpoints.only("AWS::ApiGateway::RestApi.EndpointConfiguration", &known)?;
            input["endpointConfiguration"] = pick(endpoints, &known);
        }
        input["tags"] = json!(cx.tag_map(properties));
        let made = cx.ask("CreateRestApi", input).await?;
        let id = made.text("id");
        RestApi::provisioned(cx, id).await.unfinished(id)
    }

    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        let mut changes = patches(old, new, &["Name", "Description", "DisableExecuteApiEndpoint"]);
        let (gone, added) = compared(old.list("BinaryMediaTypes"), new.list("BinaryMediaTypes"));
        for (op, kinds) in [("remove", gone), ("add", added)] {
            let path = |kind: &Value| format!("/binaryMediaTypes/{}", kind.to_text().replace('/', "~1"));
            changes.extend(kinds.into_iter().map(|kind| json!({"op": op, "path": path(kind)})));
        }
        change(cx, "UpdateRestApi", json!({"restApiId": id}), changes).await?;
        retag(cx, &format!("/restapis/{id}"), old, new).await?;
        RestApi::provisioned(cx, id).await
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteRestApi", json!({"restApiId": id})).await
    }
}

pub(super) struct Resource;

pub(super) const RESOURCE: &[&str] = &["RestApiId", "ParentId", "PathPart"];

#[async_trait]
impl Provider for Resource {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let made = cx.ask("CreateResource", pick(properties, RESOURCE)).await?;
        Ok(provisioned(made.text("id"), "ResourceId"))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteResource", json!({"restApiId": properties["RestApiId"], "resourceId": id})).await
    }
}

pub(super) struct Method;

/// The three properties that name a method.
const PLACE: &[&str] = &["RestApiId", "ResourceId", "HttpMethod"];
pub(super) const METHOD: &[&str] = &[
    "RestApiId",
    "ResourceId",
    "HttpMethod",
    "AuthorizationType",
    "ApiKeyRequired",
    "OperationName",
    "RequestParameters",
    "RequestModels",
    "RequestValidatorId",
];
const METHOD_RESPONSE: &[&str] = &["StatusCode", "ResponseParameters", "ResponseModels"];
const INTEGRATION: &[&str] = &[
    "Type",
    "IntegrationHttpMethod",
    "Uri",
    "Credentials",
    "RequestParameters",
    "RequestTemplates",
    "PassthroughBehavior",
    "CacheNamespace",
    "CacheKeyParameters",
    "TimeoutInMillis",
    "ConnectionType",
];
const INTEGRATION_RESPONSE: &[&str] = &["StatusCode", "SelectionPattern", "ResponseParameters", "ResponseTemplates"];

impl Method {
    async fn put(cx: &ResourceContext, properties: &Value) -> Made {
        let mut input = pick(properties, METHOD);
        input["authorizationType"] = json!(properties["AuthorizationType"].as_str().unwrap_or("NONE"));
        cx.ask("PutMethod", input).await?;
        let id: Vec<&str> = PLACE.iter().map(|name| properties.text(name)).collect();
        let id = id.join("|");
        Method::put_parts(cx, properties).await.unfinished(&id)?;
        Ok(Provisioned::named(id))
    }

    /// Responses and integration of a method that is there.
    async fn put_parts(cx: &ResourceContext, properties: &Value) -> Result<(), Fault> {
        let input = |part: &Value, names: &[&str]| {
            let mut input = pick(part, names);
            for name in PLACE {
                input[super::lower_first(name)] = properties[*name].clone();
            }
            input
        };
        for response in properties.list("MethodResponses") {
            response.only("AWS::ApiGateway::Method.MethodResponse", METHOD_RESPONSE)?;
            cx.ask("PutMethodResponse", input(response, METHOD_RESPONSE)).await?;
        }
        if let Some(integration) = properties.get("Integration") {
            let known = [INTEGRATION, &["IntegrationResponses"]].concat();
            integration.only("AWS::ApiGateway::Method.Integration", &known)?;
            cx.ask("PutIntegration", input(integration, INTEGRATION)).await?;
            for response in integration.list("IntegrationResponses") {
                response.only("AWS::ApiGateway::Method.IntegrationResponse", INTEGRATION_RESPONSE)?;
                cx.ask("PutIntegrationResponse", input(response, INTEGRATION_RESPONSE)).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Provider for Method {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        Method::put(cx, properties).await
    }

    /// Put anew: what is deployed is a copy and does not notice.
    async fn update(&self, cx: &ResourceContext, id: &str, old: &Value, new: &Value) -> Made {
        self.delete(cx, id, old).await?;
        Method::put(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteMethod", pick(properties, PLACE)).await
    }
}

pub(super) struct GatewayResponse;

pub(super) const GATEWAY_RESPONSE: &[&str] =
    &["RestApiId", "ResponseType", "StatusCode", "ResponseParameters", "ResponseTemplates"];

#[async_trait]
impl Provider for GatewayResponse {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        cx.ask("PutGatewayResponse", pick(properties, GATEWAY_RESPONSE)).await?;
        let id = format!("{}|{}", properties.text("RestApiId"), properties.text("ResponseType"));
        Ok(provisioned(&id, "Id"))
    }

    async fn update(&self, cx: &ResourceContext, _: &str, _: &Value, new: &Value) -> Made {
        self.create(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, _: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteGatewayResponse", pick(properties, &["RestApiId", "ResponseType"])).await
    }
}

pub(super) struct Model;

pub(super) const MODEL: &[&str] = &["RestApiId", "Name", "Description", "ContentType", "Schema"];

#[async_trait]
impl Provider for Model {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let generated = || cx.generated_name(100).chars().filter(char::is_ascii_alphanumeric).collect();
        let name = properties["Name"].as_str().map_or_else(generated, str::to_owned);
        let mut input = pick(properties, MODEL);
        input["name"] = json!(name);
        input["contentType"] = json!(properties["ContentType"].as_str().unwrap_or("application/json"));
        // A template writes the schema as a document, the API takes text.
        input["schema"] = json!(properties.get("Schema").map(Value::to_text));
        cx.ask("CreateModel", input).await?;
        Ok(Provisioned::named(name))
    }

    async fn update(&self, cx: &ResourceContext, name: &str, old: &Value, new: &Value) -> Made {
        self.delete(cx, name, old).await?;
        let mut named = new.clone();
        named["Name"] = json!(name);
        self.create(cx, &named).await
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), ResourceFault> {
        cx.remove("DeleteModel", json!({"restApiId": properties["RestApiId"], "modelName": name})).await
    }
}

pub(super) struct RequestValidator;

pub(super) const VALIDATOR: &[&str] = &["RestApiId", "Name", "ValidateRequestBody", "ValidateRequestParameters"];

#[async_trait]
impl Provider for RequestValidator {
    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Made {
        let made = cx.ask("CreateRequestValidator", pick(properties, VALIDATOR)).await?;
        Ok(provisioned(made.text("id"), "RequestValidatorId"))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"restApiId": properties["RestApiId"], "requestValidatorId": id});
        cx.remove("DeleteRequestValidator", input).await
    }
}
