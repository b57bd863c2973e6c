//! APIs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::integrations::{self, lambda_uri};
use super::stages::{NewStage, new_stage};
use super::{Answer, nothing, page, routes};
use crate::call::Call;
use crate::execute_api::address::PREFIX;
use crate::execute_api::fault::GatewayFault;
use crate::scope::Scope;
use crate::services::apigatewayv2::route_key::DEFAULT;
use crate::services::apigatewayv2::state::{Api, Cors, HttpApis, Texts, set_text};
use crate::store::Shared;

/// How the route of a request is told: the one way that HTTP APIs have, as AWS answers it and in the other form that it takes.
const SELECTION: &str = "$request.method $request.path";
const SELECTION_IN_BRACES: &str = "${request.method} ${request.path}";
/// What WebSocket APIs can change and HTTP APIs have all the same.
const KEY_SELECTION: &str = "$request.header.x-api-key";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct CreateApi {
    name: String,
    protocol_type: String,
    description: Option<String>,
    version: Option<String>,
    cors_configuration: Option<Cors>,
    #[serde(default)]
    disable_execute_api_endpoint: bool,
    ip_address_type: Option<String>,
    route_selection_expression: Option<String>,
    api_key_selection_expression: Option<String>,
    route_key: Option<String>,
    target: Option<String>,
    #[serde(default)]
    tags: Texts,
}

pub(super) fn shape(apis: &HttpApis, scope: &Scope, api: &Api) -> Value {
    let mut value = json!({
        "ApiId": api.id, "Name": api.name, "ProtocolType": "HTTP", "CreatedDate": api.created, "Tags": api.tags,
        "ApiEndpoint": endpoint(apis, scope, &api.id), "RouteSelectionExpression": SELECTION,
        "ApiKeySelectionExpression": KEY_SELECTION, "IpAddressType": api.ip_address_type,
        "DisableExecuteApiEndpoint": api.disable_execute_api_endpoint,
    });
    if let Some(description) = &api.description {
        value["Description"] = json!(description);
    }
    if let Some(version) = &api.version {
        value["Version"] = json!(version);
    }
    if let Some(cors) = &api.cors {
        value["CorsConfiguration"] = json!(cors);
    }
    value
}

/// Where the API answers: here, as every endpoint of the local cloud.
fn endpoint(apis: &HttpApis, scope: &Scope, id: &str) -> String {
    match apis.cloud.endpoint_url() {
        Some(url) => format!("{url}{PREFIX}{id}"),
        None => format!("https://{id}.execute-api.{}.amazonaws.com", scope.region),
    }
}

fn checked_name(name: &str) -> Result<(), GatewayFault> {
    match name.is_empty() || name.chars().count() > 128 {
        true => Err(GatewayFault::invalid("API name must have 1 to 128 characters")),
        false => Ok(()),
    }
}

fn checked_cors(cors: &Cors) -> Result<(), GatewayFault> {
    let all = cors.allow_origins.iter().any(|origin| origin == "*");
    if all && cors.allow_credentials == Some(true) {
        return Err(GatewayFault::invalid("allowCredentials cannot be true if allowOrigins includes *"));
    }
    let good = |origin: &str| {
        origin == "*"
            || ["http://", "https://"].iter().any(|scheme| origin.len() > scheme.len() && origin.starts_with(scheme))
    };
    match cors.allow_origins.iter().find(|origin| !good(origin)) {
        Some(origin) => Err(GatewayFault::invalid(format!("Invalid format for origin {origin}"))),
        None => Ok(()),
    }
}

fn checked_selection(route: Option<&str>, key: Option<&str>) -> Result<(), GatewayFault> {
    if route.is_some_and(|expression| ![SELECTION, SELECTION_IN_BRACES].contains(&expression)) {
        let message = format!("routeSelectionExpression of HTTP APIs must be {SELECTION_IN_BRACES}");
        return Err(GatewayFault::invalid(message));
    }
    match key {
        None | Some(KEY_SELECTION) => Ok(()),
        Some(_) => Err(GatewayFault::unsupported("another ApiKeySelectionExpression than the default")),
    }
}

fn checked_address_type(given: Option<String>) -> Result<Option<String>, GatewayFault> {
    match given.as_deref() {
        None | Some("ipv4" | "dualstack") => Ok(given),
        Some(other) => Err(GatewayFault::invalid(format!("Invalid IP address type: {other}"))),
    }
}

/// CreateApi, with an integration, a route and a `$default` stage if a target is given ("quick create").
pub(crate) async fn create(apis: Arc<HttpApis>, call: &Call, input: CreateApi) -> Answer {
    match input.protocol_type.as_str() {
        "HTTP" => {}
        "WEBSOCKET" => return Err(GatewayFault::unsupported("WebSocket APIs (ProtocolType WEBSOCKET)")),
        other => return Err(GatewayFault::invalid(format!("Invalid protocol specified: {other}"))),
    }
    checked_selection(input.route_selection_expression.as_deref(), input.api_key_selection_expression.as_deref())?;
    checked_name(&input.name)?;
    if let Some(cors) = &input.cors_configuration {
        checked_cors(cors)?;
    }
    let id = apis.cloud.ids.lower(10);
    let mut api = Api {
        id: id.clone(),
        name: input.name,
        description: input.description.filter(|text| !text.is_empty()),
        version: input.version.filter(|text| !text.is_empty()),
        created: apis.cloud.clock.now(),
        cors: input.cors_configuration,
        disable_execute_api_endpoint: input.disable_execute_api_endpoint,
        ip_address_type: checked_address_type(input.ip_address_type)?.unwrap_or_else(|| "ipv4".into()),
        tags: input.tags,
        integrations: BTreeMap::new(),
        routes: BTreeMap::new(),
        stages: BTreeMap::new(),
        deployments: BTreeMap::new(),
        made_by: call.request_id.clone(),
    };
    match (input.target, input.route_key) {
        (Some(target), key) => quick_create(&apis, &mut api, target, key)?,
        (None, Some(_)) => return Err(GatewayFault::invalid("routeKey is taken together with target only")),
        (None, None) => {}
    }
    apis.regions
        .change_region(&call.scope, |region| {
            // The same request once more finds what it made.
            if let Some(there) = region.apis.values().find(|api| api.made_by == call.request_id) {
                return Ok(shape(&apis, &call.scope, there));
            }
            let answer = shape(&apis, &call.scope, &api);
            region.apis.insert(id, Shared::new(api));
            Ok(answer)
        })
        .await
}

fn quick_create(apis: &HttpApis, api: &mut Api, target: String, key: Option<String>) -> Result<(), GatewayFault> {
    if target.starts_with("http:") || target.starts_with("https:") {
        return Err(GatewayFault::unsupported("HTTP_PROXY integrations (a target that is a URL)"));
    }
    let integration = integrations::managed(apis, lambda_uri(&target)?);
    let route = routes::managed(apis, key.unwrap_or_else(|| DEFAULT.into()), &integration)?;
    let new = NewStage { name: DEFAULT.into(), auto_deploy: true, managed: true, ..NewStage::default() };
    let stage = new_stage(new, apis.cloud.clock.now())?;
    api.integrations.insert(integration.integration_id.clone(), integration);
    api.routes.insert(route.route_id.clone(), route);
    api.stages.insert(stage.stage_name.clone(), stage);
    api.deploy_itself(apis.fresh());
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Named {
    api_id: String,
}

/// GetApi.
pub(crate) async fn get(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    Ok(shape(&apis, &call.scope, &*apis.api(&call.scope, &input.api_id)?))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct List {
    max_results: Option<String>,
    next_token: Option<String>,
}

/// GetApis.
pub(crate) async fn list(apis: Arc<HttpApis>, call: &Call, input: List) -> Answer {
    let region = apis.regions.region(&call.scope);
    let items = region.apis.values().map(|api| shape(&apis, &call.scope, api)).collect();
    page(items, input.next_token.as_deref(), input.max_results.as_deref())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct UpdateApi {
    api_id: String,
    name: Option<String>,
    description: Option<String>,
    version: Option<String>,
    cors_configuration: Option<Cors>,
    disable_execute_api_endpoint: Option<bool>,
    ip_address_type: Option<String>,
    route_selection_expression: Option<String>,
    api_key_selection_expression: Option<String>,
    route_key: Option<String>,
    target: Option<String>,
}

/// UpdateApi. Target and route key are those of a quick create.
pub(crate) async fn update(apis: Arc<HttpApis>, call: &Call, input: UpdateApi) -> Answer {
    checked_selection(input.route_selection_expression.as_deref(), input.api_key_selection_expression.as_deref())?;
    input.name.as_deref().map_or(Ok(()), checked_name)?;
    input.cors_configuration.as_ref().map_or(Ok(()), checked_cors)?;
    let address_type = checked_address_type(input.ip_address_type)?;
    apis.change_routes(&call.scope, &input.api_id, |api| {
        if let Some(target) = &input.target {
            let uri = lambda_uri(target)?;
            let managed = api.integrations.values_mut().find(|integration| integration.api_gateway_managed);
            managed.ok_or_else(not_quick)?.integration_uri = uri;
        }
        if let Some(key) = input.route_key {
            routes::rekey_managed(api, key).ok_or_else(not_quick)??;
        }
        if let Some(name) = input.name {
            api.name = name;
        }
        set_text(&mut api.description, input.description);
        set_text(&mut api.version, input.version);
        if let Some(cors) = input.cors_configuration {
            api.cors = Some(cors).filter(|cors| *cors != Cors::default());
        }
        if let Some(disabled) = input.disable_execute_api_endpoint {
            api.disable_execute_api_endpoint = disabled;
        }
        if let Some(kind) = address_type {
            api.ip_address_type = kind;
        }
        Ok(shape(&apis, &call.scope, api))
    })
    .await
}

fn not_quick() -> GatewayFault {
    GatewayFault::invalid("target and routeKey can be changed of an API that was created with them only")
}

/// DeleteCorsConfiguration.
pub(crate) async fn delete_cors(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    apis.change_routes(&call.scope, &input.api_id, |api| {
        api.cors = None;
        nothing()
    })
    .await
}

/// DeleteApi, with everything in it.
pub(crate) async fn delete(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    let id = &input.api_id;
    apis.regions
        .change_region(&call.scope, |region| {
            region.apis.remove(id).map(drop).ok_or_else(|| GatewayFault::no_api(&call.scope, id))
        })
        .await?;
    apis.plane.forget(id);
    nothing()
}
