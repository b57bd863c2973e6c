//! One request, from its address to its answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};

use super::compile::{Compiled, CompiledMethod};
use super::integration::Passage;
use super::refusal::Refusal;
use super::request::{Incoming, Landing, context};
use super::trace::{Journey, Place};
use crate::arriving::Arriving;
use crate::execute_api::address::Address;
use crate::execute_api::request::{query_pairs, read};
use crate::http::{Peer, full};
use crate::scope::Scope;
use crate::service::Body;
use crate::services::apigateway::state::{Api, ApiGateway, Region, Stage};
use crate::services::apigateway::vtl::{Inputs, Params, Template, render};

/// Where a request has come to, as far as it got.
struct Found<'f> {
    region_name: &'f str,
    region: &'f Region,
    api: &'f Api,
    stage: &'f Stage,
    compiled: Arc<Compiled>,
}

/// Answers a request to the data plane; `None` if it is for nobody here.
pub(in crate::services::apigateway) async fn serve(
    gateway: Arc<ApiGateway>,
    request: Request<Arriving>,
) -> Option<Response<Body>> {
    let (head, body) = request.into_parts();
    let address = Address::of(&head.uri, &head.headers)?;
    let (stage, path) = address.staged();
    let regions = gateway.regions.get();
    let located = regions.iter().find_map(|(name, region)| Some((name, region, region.apis.get(&address.api)?)));
    let request_id = gateway.cloud.ids.uuid();
    let found = located.and_then(|(region_name, region, api)| {
        let stage = api.stages.get(stage)?;
        let deployment = api.deployments.get(&stage.deployment_id)?;
        let compiled = gateway.plane.compiled.get(&api.id, &deployment.id, || Compiled::new(&deployment.snapshot));
        Some(Found { region_name, region, api, stage, compiled }).filter(|_| !api.disable_execute_api_endpoint)
    });
    let place = found.as_ref().map(|found| Place {
        region: found.region_name,
        api: found.api,
        stage: found.stage,
        method: head.method.as_str(),
        path: &path,
    });
    let journey = Journey::of(&gateway.cloud, &head.headers, place);
    let mut response = match (found, read(body).await) {
        (None, _) => Refusal::Forbidden.answer(&BTreeMap::new(), Value::Null),
        (Some(found), Err(unread)) => {
            let context = json!({
                "apiId": found.api.id, "stage": found.stage.stage_name, "requestId": request_id, "httpMethod": head.method.as_str(),
                "path": format!("/{}{path}", found.stage.stage_name),
            });
            let known = json!({"context": context, "stageVariables": found.stage.variables});
            Refusal::from(unread).answer(&found.compiled.gateway_responses, known)
        }
        (Some(found), Ok(body)) => {
            let incoming = incoming(&gateway, head, body, path, request_id.clone());
            handle(&gateway, &found, &incoming, &journey).await
        }
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    if let Ok(trace) = HeaderValue::from_str(&journey.header()) {
        headers.insert("x-amzn-trace-id", trace);
    }
    Some(response.map(full))
}

fn incoming(gateway: &ApiGateway, head: Parts, body: Bytes, path: String, request_id: String) -> Incoming {
    let peer = head.extensions.get::<Peer>().map(|peer| peer.0.ip().to_string());
    Incoming {
        query: query_pairs(head.uri.query()),
        verb: head.method,
        headers: head.headers,
        body,
        path,
        source_ip: peer.unwrap_or_else(|| "127.0.0.1".into()),
        request_id,
        extended_id: format!("{}=", gateway.cloud.ids.lower(15)),
        at: gateway.cloud.clock.now(),
    }
}

async fn handle(
    gateway: &Arc<ApiGateway>,
    found: &Found<'_>,
    request: &Incoming,
    journey: &Journey,
) -> Response<Bytes> {
    let started = std::time::Instant::now();
    let scope = Scope::root(found.region_name);
    let mut landing = Landing {
        account: &scope.account,
        region: found.region_name,
        api: &found.api.id,
        stage: found.stage,
        resource_id: "",
        resource_path: "",
        api_key: None,
    };
    let parts = request.parts();
    let response = match found.compiled.find(&parts) {
        None => Err(Refusal::MissingAuthenticationToken),
        Some((resource, path_parameters)) => {
            (landing.resource_id, landing.resource_path) = (&resource.id, &resource.path);
            let method = resource.methods.get(request.verb.as_str()).or_else(|| resource.methods.get("ANY"));
            match method {
                None => Err(Refusal::MissingAuthenticationToken),
                Some(method) => match admit(gateway, found, request, method, &mut landing, &path_parameters) {
                    Err(refusal) => Err(refusal),
                    Ok(()) => {
                        let passage = Passage {
                            cloud: &gateway.cloud,
                            scope: &scope,
                            request,
                            landing: &landing,
                            method,
                            path_parameters: &path_parameters,
                            binary: &found.compiled.binary_media_types,
                            journey,
                        };
                        passage.run().await
                    }
                },
            }
        }
    };
    let response = response.unwrap_or_else(|refusal| {
        let known = json!({"context": context(request, &landing), "stageVariables": found.stage.variables});
        refusal.answer(&found.compiled.gateway_responses, known)
    });
    log_access(gateway, &scope, request, &landing, &response, started);
    journey.record((&gateway.cloud, &scope, found.api), request, &landing, &response);
    response
}

/// Everything that stands between a method and its integration.
fn admit<'f>(
    gateway: &ApiGateway,
    found: &'f Found<'_>,
    request: &Incoming,
    method: &CompiledMethod,
    landing: &mut Landing<'f>,
    path_parameters: &BTreeMap<String, String>,
) -> Result<(), Refusal> {
    let missing = method.required.iter().filter(|name| !is_given(name, request, path_parameters));
    let missing: Vec<&str> = missing.filter_map(|name| name.rsplit('.').next()).collect();
    if !missing.is_empty() {
        let message = format!("Missing required request parameters: [{}]", missing.join(", "));
        return Err(Refusal::BadParameters(message));
    }
    let at = format!("{}/{}", landing.resource_path, method.method.http_method);
    if method.method.api_key_required {
        landing.api_key = Some(check_key(gateway, found, request, &at)?);
    }
    let buckets = &gateway.plane.throttles.buckets;
    let stage = format!("{}/{}", found.api.id, found.stage.stage_name);
    let own = format!("{}/{}", landing.resource_path.trim_start_matches('/'), method.method.http_method);
    let own = found.stage.method_settings.get(&own);
    let (name, setting) = match own {
        Some(setting) => (format!("method {stage}{at}"), Some(setting)),
        None => (format!("stage {stage}{at}"), found.stage.method_settings.get("*/*")),
    };
    let limited = setting.filter(|setting| setting.throttling_rate_limit >= 0.0);
    let fits = limited.is_none_or(|s| buckets.take(&name, s.throttling_rate_limit, s.throttling_burst_limit));
    if !fits || !buckets.take_of_account() {
        return Err(Refusal::Throttled);
    }
    Ok(())
}

fn is_given(name: &str, request: &Incoming, path_parameters: &BTreeMap<String, String>) -> bool {
    let rest = name.strip_prefix("method.request.").and_then(|rest| rest.split_once('.'));
    match rest {
        Some(("header", name)) => request.header(&name.to_lowercase()).is_some_and(|value| !value.is_empty()),
        Some(("querystring", name)) => request.query.iter().any(|(there, value)| there == name && !value.is_empty()),
        Some(("path", name)) => path_parameters.contains_key(name),
        _ => true,
    }
}

/// The key of a plan that holds this stage, its throttles and its quota.
fn check_key<'f>(
    gateway: &ApiGateway,
    found: &'f Found<'_>,
    request: &Incoming,
    at: &str,
) -> Result<(&'f str, &'f str), Refusal> {
    let given = request.header("x-api-key").ok_or(Refusal::InvalidApiKey)?;
    let key = found
        .region
        .keys
        .values()
        .find(|key| key.value.expose() == given && key.enabled)
        .ok_or(Refusal::InvalidApiKey)?;
    let (api, name) = (&found.api.id, &found.stage.stage_name);
    let plan = found.region.plans.values().find_map(|plan| {
        let stage = plan.api_stages.iter().find(|stage| stage.api_id == *api && stage.stage == *name)?;
        plan.keys.contains(&key.id).then_some((plan, stage))
    });
    let (plan, stage) = plan.ok_or(Refusal::InvalidApiKey)?;
    let throttles = &gateway.plane.throttles;
    let id = format!("{}/{}", plan.id, key.id);
    if let Some(limit) = stage.throttle.get(at)
        && !throttles.buckets.take(&format!("plan {id}{at}"), limit.rate_limit, limit.burst_limit)
    {
        return Err(Refusal::Throttled);
    }
    if let Some(limit) = &plan.throttle
        && !throttles.buckets.take(&format!("plan {id}"), limit.rate_limit, limit.burst_limit)
    {
        return Err(Refusal::Throttled);
    }
    if let Some(quota) = &plan.quota
        && !throttles.count((&plan.id, &key.id), quota, request.at)
    {
        return Err(Refusal::QuotaExceeded);
    }
    Ok((&key.id, key.value.expose()))
}

fn log_access(
    gateway: &ApiGateway,
    scope: &Scope,
    request: &Incoming,
    landing: &Landing<'_>,
    response: &Response<Bytes>,
    started: std::time::Instant,
) {
    let settings = landing.stage.access_log_settings.as_ref();
    let Some((format, group)) =
        settings.and_then(|log| Some((log.format.as_deref()?, log.destination_arn.as_deref()?)))
    else {
        return;
    };
    let mut context = context(request, landing);
    context["status"] = response.status().as_u16().into();
    context["responseLength"] = response.body().len().into();
    context["responseLatency"] = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX).into();
    if let Some(map) = context["identity"].as_object_mut() {
        // The key itself is a secret; its id is enough to know it by.
        map.remove("apiKey");
        map.values_mut().filter(|value| value.is_null()).for_each(|value| *value = "-".into());
    }
    let inputs = Inputs { body: "", params: &Params::default(), context: &context, stage_variables: &Value::Null };
    let line = Template::parse(format).ok().and_then(|template| render(&template, &inputs).ok());
    if let Some(line) = line {
        gateway.plane.access_log.write(&gateway.cloud, scope, group, line.text);
    }
}
