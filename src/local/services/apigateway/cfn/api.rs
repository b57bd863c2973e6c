//! `RestApi`, `Resource`, `Method`, `GatewayResponse`, `Model`, `RequestValidator`.

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::{gone_is_success, only, patch_text, patches, pick, provisioned, retag, send, tag_map, text};
use crate::local::fault::Fault;
use crate::local::resource::{Provisioned, ResourceContext, ResourceFault, ResourceType, Unfinished};

pub(super) struct RestApi;

const API: &[&str] = &[
    "Name",
    "Description",
    "EndpointConfiguration",
    "BinaryMediaTypes",
    "ApiKeySourceType",
    "DisableExecuteApiEndpoint",
    "Tags",
];

impl RestApi {
    async fn provisioned(cx: &ResourceContext, id: &str) -> Result<Provisioned, Fault> {
        let api = send(cx, "GetRestApi", json!({"restApiId": id})).await?;
        let mut made = provisioned(id, Some("RestApiId"));
        made.attributes.insert("RootResourceId".into(), api["rootResourceId"].clone());
        Ok(made)
    }
}

#[async_trait]
impl ResourceType for RestApi {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::RestApi"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        only(self.type_name(), properties, API)?;
        let mut input = pick(properties, &["Name", "Description", "BinaryMediaTypes", "DisableExecuteApiEndpoint"]);
        input.entry("name").or_insert_with(|| cx.generated_name(128).into());
        if let Some(source) = properties.get("ApiKeySourceType") {
            input.insert("apiKeySource".into(), source.clone());
        }
        if let Some(endpoints) = properties.get("EndpointConfiguration") {
            only("AWS::ApiGateway::RestApi.EndpointConfiguration", endpoints, &["Types", "IpAddressType"])?;
            input.insert("endpointConfiguration".into(), pick(endpoints, &["Types", "IpAddressType"]).into());
        }
        input.insert("tags".into(), tag_map(&cx.tags(properties.get("Tags"))).into());
        let made = send(cx, "CreateRestApi", Value::Object(input)).await?;
        let id = text(&made, "id");
        Self::provisioned(cx, &id).await.unfinished(&id)
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        only(self.type_name(), new, API)?;
        if old.get("EndpointConfiguration") != new.get("EndpointConfiguration") {
            return Err(Fault::unsupported("a change of EndpointConfiguration of AWS::ApiGateway::RestApi").into());
        }
        let mut changes = patches(old, new, &["Name", "Description", "DisableExecuteApiEndpoint"]);
        let media = |properties: &Value| {
            properties.get("BinaryMediaTypes").and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let path = |kind: &Value| format!("/binaryMediaTypes/{}", patch_text(kind).replace('/', "~1"));
        let (before, after) = (media(old), media(new));
        changes.extend(
            before.iter().filter(|kind| !after.contains(kind)).map(|kind| json!({"op": "remove", "path": path(kind)})),
        );
        changes.extend(
            after.iter().filter(|kind| !before.contains(kind)).map(|kind| json!({"op": "add", "path": path(kind)})),
        );
        if !changes.is_empty() {
            send(cx, "UpdateRestApi", json!({"restApiId": id, "patchOperations": changes})).await?;
        }
        retag(cx, &format!("/restapis/{id}"), old, new).await?;
        Ok(Self::provisioned(cx, id).await?)
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, _properties: &Value) -> Result<(), ResourceFault> {
        gone_is_success(send(cx, "DeleteRestApi", json!({"restApiId": id})).await)
    }
}

pub(super) struct Resource;

#[async_trait]
impl ResourceType for Resource {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::Resource"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let names = ["RestApiId", "ParentId", "PathPart"];
        only(self.type_name(), properties, &names)?;
        let made = send(cx, "CreateResource", pick(properties, &names).into()).await?;
        Ok(provisioned(&text(&made, "id"), Some("ResourceId")))
    }

    async fn update(
        &self,
        _cx: &ResourceContext,
        id: &str,
        _old: &Value,
        _new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        Ok(provisioned(id, Some("ResourceId")))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"restApiId": properties.get("RestApiId"), "resourceId": id});
        gone_is_success(send(cx, "DeleteResource", input).await)
    }
}

pub(super) struct Method;

const METHOD: &[&str] = &[
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

impl Method {
    /// The three members that name a method.
    fn place(properties: &Value) -> Map<String, Value> {
        pick(properties, &["RestApiId", "ResourceId", "HttpMethod"])
    }

    async fn put(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let mut known = METHOD.to_vec();
        known.extend(["Integration", "MethodResponses"]);
        only(self.type_name(), properties, &known)?;
        let place = Self::place(properties);
        let mut input = pick(properties, METHOD);
        input.entry("authorizationType").or_insert_with(|| "NONE".into());
        // What an interrupted try has put is put again.
        let _ = send(cx, "DeleteMethod", Value::Object(place.clone())).await;
        send(cx, "PutMethod", Value::Object(input)).await?;
        let id = ["RestApiId", "ResourceId", "HttpMethod"].map(|name| text(properties, name)).join("|");
        Self::put_parts(cx, &place, properties).await.unfinished(&id)?;
        Ok(provisioned(&id, None))
    }

    /// Responses and integration of a method that is there.
    async fn put_parts(cx: &ResourceContext, place: &Map<String, Value>, properties: &Value) -> Result<(), Fault> {
        let with_place = |mut input: Map<String, Value>| {
            input.extend(place.clone());
            Value::Object(input)
        };
        let list = |of: &Value, key: &str| of.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        for response in list(properties, "MethodResponses") {
            let names = ["StatusCode", "ResponseParameters", "ResponseModels"];
            only("AWS::ApiGateway::Method.MethodResponse", &response, &names)?;
            send(cx, "PutMethodResponse", with_place(status_text(pick(&response, &names)))).await?;
        }
        if let Some(integration) = properties.get("Integration") {
            let mut known = INTEGRATION.to_vec();
            known.push("IntegrationResponses");
            only("AWS::ApiGateway::Method.Integration", integration, &known)?;
            let mut input = pick(integration, INTEGRATION);
            if let Some(timeout) = super::number(integration.get("TimeoutInMillis")) {
                input.insert("timeoutInMillis".into(), timeout);
            }
            send(cx, "PutIntegration", with_place(input)).await?;
            for response in list(integration, "IntegrationResponses") {
                let names = ["StatusCode", "SelectionPattern", "ResponseParameters", "ResponseTemplates"];
                only("AWS::ApiGateway::Method.IntegrationResponse", &response, &names)?;
                send(cx, "PutIntegrationResponse", with_place(status_text(pick(&response, &names)))).await?;
            }
        }
        Ok(())
    }
}

/// A status code may stand as a number in a template.
fn status_text(mut input: Map<String, Value>) -> Map<String, Value> {
    if let Some(status) = input.get_mut("statusCode") {
        *status = patch_text(status).into();
    }
    input
}

#[async_trait]
impl ResourceType for Method {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::Method"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        self.put(cx, properties).await
    }

    /// Put anew: what is deployed is a copy and does not notice.
    async fn update(
        &self,
        cx: &ResourceContext,
        _id: &str,
        _old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        self.put(cx, new).await
    }

    async fn delete(&self, cx: &ResourceContext, _id: &str, properties: &Value) -> Result<(), ResourceFault> {
        gone_is_success(send(cx, "DeleteMethod", Value::Object(Self::place(properties))).await)
    }
}

pub(super) struct GatewayResponse;

impl GatewayResponse {
    async fn put(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, Fault> {
        let names = ["RestApiId", "ResponseType", "StatusCode", "ResponseParameters", "ResponseTemplates"];
        only(self.type_name(), properties, &names)?;
        send(cx, "PutGatewayResponse", Value::Object(status_text(pick(properties, &names)))).await?;
        let id = format!("{}|{}", text(properties, "RestApiId"), text(properties, "ResponseType"));
        Ok(provisioned(&id, Some("Id")))
    }
}

#[async_trait]
impl ResourceType for GatewayResponse {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::GatewayResponse"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        Ok(self.put(cx, properties).await?)
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        _id: &str,
        _old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        Ok(self.put(cx, new).await?)
    }

    async fn delete(&self, cx: &ResourceContext, _id: &str, properties: &Value) -> Result<(), ResourceFault> {
        gone_is_success(
            send(cx, "DeleteGatewayResponse", pick(properties, &["RestApiId", "ResponseType"]).into()).await,
        )
    }
}

pub(super) struct Model;

#[async_trait]
impl ResourceType for Model {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::Model"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let names = ["RestApiId", "Name", "Description", "ContentType", "Schema"];
        only(self.type_name(), properties, &names)?;
        let mut input = pick(properties, &names);
        // A template writes the schema as a document, the API takes text.
        if let Some(schema) = input.get_mut("schema") {
            *schema = patch_text(schema).into();
        }
        let generated: String = cx.generated_name(100).chars().filter(char::is_ascii_alphanumeric).collect();
        let name = input.entry("name").or_insert_with(|| generated.into()).clone();
        input.entry("contentType").or_insert_with(|| "application/json".into());
        send(cx, "CreateModel", Value::Object(input)).await?;
        Ok(provisioned(&patch_text(&name), None))
    }

    async fn update(
        &self,
        cx: &ResourceContext,
        name: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        self.delete(cx, name, old).await?;
        let mut named = new.clone();
        named["Name"] = name.into();
        self.create(cx, &named).await
    }

    async fn delete(&self, cx: &ResourceContext, name: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"restApiId": properties.get("RestApiId"), "modelName": name});
        gone_is_success(send(cx, "DeleteModel", input).await)
    }
}

pub(super) struct RequestValidator;

#[async_trait]
impl ResourceType for RequestValidator {
    fn type_name(&self) -> &'static str {
        "AWS::ApiGateway::RequestValidator"
    }

    async fn create(&self, cx: &ResourceContext, properties: &Value) -> Result<Provisioned, ResourceFault> {
        let names = ["RestApiId", "Name", "ValidateRequestBody", "ValidateRequestParameters"];
        only(self.type_name(), properties, &names)?;
        let made = send(cx, "CreateRequestValidator", pick(properties, &names).into()).await?;
        Ok(provisioned(&text(&made, "id"), Some("RequestValidatorId")))
    }

    async fn update(
        &self,
        _cx: &ResourceContext,
        id: &str,
        old: &Value,
        new: &Value,
    ) -> Result<Provisioned, ResourceFault> {
        if old != new {
            return Err(Fault::unsupported("a change of AWS::ApiGateway::RequestValidator").into());
        }
        Ok(provisioned(id, Some("RequestValidatorId")))
    }

    async fn delete(&self, cx: &ResourceContext, id: &str, properties: &Value) -> Result<(), ResourceFault> {
        let input = json!({"restApiId": properties.get("RestApiId"), "requestValidatorId": id});
        gone_is_success(send(cx, "DeleteRequestValidator", input).await)
    }
}
