//! Routes.

use std::sync::Arc;

use serde::Deserialize;

use super::{Answer, List, nothing, only_for_websockets};
use crate::call::Call;
use crate::execute_api::fault::GatewayFault;
use crate::services::apigatewayv2::route_key::RouteKey;
use crate::services::apigatewayv2::state::{Api, HttpApis, Integration, Route, set_text, shown};

/// What CreateRoute and UpdateRoute say.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Put {
    api_id: String,
    route_id: Option<String>,
    route_key: Option<String>,
    target: Option<String>,
    authorization_type: Option<String>,
    api_key_required: Option<bool>,
    operation_name: Option<String>,
}

/// What a quick create makes.
pub(super) fn managed(apis: &HttpApis, key: String, integration: &Integration) -> Result<Route, GatewayFault> {
    RouteKey::parse(&key).map_err(GatewayFault::Invalid)?;
    Ok(Route {
        route_id: apis.cloud.ids.lower(7),
        route_key: key,
        target: Some(format!("integrations/{}", integration.integration_id)),
        authorization_type: "NONE".into(),
        api_gateway_managed: true,
        ..Route::default()
    })
}

fn apply(api: &Api, route: &mut Route, put: Put) -> Result<(), GatewayFault> {
    only_for_websockets("ApiKeyRequired", put.api_key_required == Some(true))?;
    match put.authorization_type.as_deref() {
        None => {}
        Some(kind @ ("NONE" | "AWS_IAM")) => route.authorization_type = kind.into(),
        Some(kind @ ("JWT" | "CUSTOM")) => {
            return Err(GatewayFault::unsupported(format!("routes of HTTP APIs with AuthorizationType {kind}")));
        }
        Some(other) => return Err(GatewayFault::invalid(format!("Invalid authorization type: {other}"))),
    }
    if let Some(key) = put.route_key {
        set_key(api, route, key)?;
    }
    if let Some(target) = put.target.as_deref().filter(|target| !target.is_empty()) {
        let known = target.strip_prefix("integrations/").is_some_and(|id| api.integrations.contains_key(id));
        if !known {
            return Err(GatewayFault::invalid(format!("Invalid target specified: {target}")));
        }
    }
    set_text(&mut route.target, put.target);
    set_text(&mut route.operation_name, put.operation_name);
    Ok(())
}

/// Gives a route a key that no other has.
fn set_key(api: &Api, route: &mut Route, key: String) -> Result<(), GatewayFault> {
    let read = RouteKey::parse(&key).map_err(GatewayFault::Invalid)?;
    let others = api.routes.values().filter(|other| other.route_id != route.route_id);
    if others.filter_map(|other| RouteKey::parse(&other.route_key).ok()).any(|other| other.same(&read)) {
        return Err(GatewayFault::Conflict(format!("Route with key {key} already exists for this API")));
    }
    route.route_key = key;
    Ok(())
}

/// Puts a changed route in the place of what it was. What stages say of it follows its key.
fn replace(api: &mut Api, route: Route) {
    let key = route.route_key.clone();
    let Some(before) = api.routes.insert(route.route_id.clone(), route) else { return };
    for stage in api.stages.values_mut() {
        if let Some(settings) = stage.route_settings.remove(&before.route_key) {
            stage.route_settings.insert(key.clone(), settings);
        }
    }
}

/// Gives the route of a quick create another key; `None`: there is no such route.
pub(super) fn rekey_managed(api: &mut Api, key: String) -> Option<Result<(), GatewayFault>> {
    let mut route = api.routes.values().find(|route| route.api_gateway_managed)?.clone();
    Some(set_key(api, &mut route, key).map(|()| replace(api, route)))
}

/// CreateRoute.
pub(crate) async fn create(apis: Arc<HttpApis>, call: &Call, input: Put) -> Answer {
    let id = apis.cloud.ids.lower(7);
    if input.route_key.is_none() {
        return Err(GatewayFault::invalid("Route key is required"));
    }
    let api = input.api_id.clone();
    apis.change_routes(&call.scope, &api, |api| {
        if let Some(there) = api.routes.values().find(|there| there.made_by == call.request_id) {
            return shown(there);
        }
        let mut route = Route {
            route_id: id.clone(),
            authorization_type: "NONE".into(),
            made_by: call.request_id.clone(),
            ..Route::default()
        };
        apply(api, &mut route, input)?;
        let answer = shown(&route);
        api.routes.insert(id, route);
        answer
    })
    .await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Named {
    api_id: String,
    route_id: String,
}

/// GetRoute.
pub(crate) async fn get(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    let api = apis.api(&call.scope, &input.api_id)?;
    shown(api.routes.get(&input.route_id).ok_or_else(|| GatewayFault::missing("Route"))?)
}

/// GetRoutes.
pub(crate) async fn list(apis: Arc<HttpApis>, call: &Call, input: List) -> Answer {
    let api = apis.api(&call.scope, &input.api_id)?;
    let items = api.routes.values().map(shown).collect::<Result<Vec<_>, _>>()?;
    input.page(items)
}

/// UpdateRoute.
pub(crate) async fn update(apis: Arc<HttpApis>, call: &Call, input: Put) -> Answer {
    let (api, id) = (input.api_id.clone(), input.route_id.clone().unwrap_or_default());
    apis.change_routes(&call.scope, &api, |api| {
        let mut route = api.routes.get(&id).cloned().ok_or_else(|| GatewayFault::missing("Route"))?;
        apply(api, &mut route, input)?;
        let answer = shown(&route);
        replace(api, route);
        answer
    })
    .await
}

/// DeleteRoute, with what stages say of it.
pub(crate) async fn delete(apis: Arc<HttpApis>, call: &Call, input: Named) -> Answer {
    apis.change_routes(&call.scope, &input.api_id, |api| {
        let gone = api.routes.remove(&input.route_id).ok_or_else(|| GatewayFault::missing("Route"))?;
        for stage in api.stages.values_mut() {
            stage.route_settings.remove(&gone.route_key);
        }
        nothing()
    })
    .await
}
