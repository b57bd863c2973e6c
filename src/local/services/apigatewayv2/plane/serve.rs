//! One request, from its address to its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};

use super::compile::{Compiled, CompiledRoute};
use super::refusal::Refusal;
use super::request::{Incoming, Landing, Staged};
use super::{answer, authorize, cors, event, log};
use crate::arriving::Arriving;
use crate::execute_api::address::Address;
use crate::execute_api::function::{lambda_arn, with_variables};
use crate::execute_api::request::{read, request_time};
use crate::execute_api::throttle::{ACCOUNT_BURST, ACCOUNT_RATE};
use crate::fault::Fault;
use crate::http::full;
use crate::scope::Scope;
use crate::service::Body;
use crate::services::apigatewayv2::state::{Api, HttpApis, Integration, Regions, Stage};
use crate::tracer::{TRACE_HEADER, TraceHeader};

/// The API that an address names, with its region.
fn located<'r>(regions: &'r Regions, address: &Address) -> Option<(&'r str, &'r Api)> {
    regions.iter().find_map(|(name, region)| Some((name.as_str(), &**region.apis.get(&address.api)?)))
}

/// Whether a request to the data plane is for an HTTP API.
pub(in crate::services::apigatewayv2) fn is_ours(apis: &HttpApis, head: &Parts) -> bool {
    Address::of(&head.uri, &head.headers).is_some_and(|address| located(&apis.regions.get(), &address).is_some())
}

/// Answers a request to the data plane; `None` if it is for nobody here.
pub(in crate::services::apigatewayv2) async fn serve(
    apis: Arc<HttpApis>,
    request: Request<Arriving>,
) -> Option<Response<Body>> {
    let (head, body) = request.into_parts();
    let address = Address::of(&head.uri, &head.headers)?;
    let regions = apis.regions.get();
    let (region, api) = located(&regions, &address)?;
    let now = apis.cloud.clock.now();
    let given = head.headers.get(TRACE_HEADER).and_then(|header| TraceHeader::parse(header.to_str().ok()?));
    let trace = given.unwrap_or_else(|| TraceHeader::begin(now, &apis.cloud.ids));
    let request_id = format!("{}=", apis.cloud.ids.lower(15));
    let body = read(body).await;
    let incoming = |body| Incoming { head, body, request_id: request_id.clone(), trace, at: now };
    let response = match body {
        Err(unread) => Refusal::from(unread).answer(),
        Ok(body) => Gateway { apis: &apis, scope: Scope::root(region), api }.answer(&address, &incoming(body)).await,
    };
    let mut response = response.map(full);
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("apigw-requestid", id);
    }
    Some(response)
}

/// One API, as it was when the request came.
struct Gateway<'g> {
    apis: &'g Arc<HttpApis>,
    scope: Scope,
    api: &'g Api,
}

/// What the access log says of a request besides itself.
#[derive(Default)]
struct Told {
    route_key: Option<String>,
    iam: Option<Value>,
    refusal: Option<Refusal>,
    integration: Option<Integrated>,
}

/// How an integration went.
#[derive(Default)]
struct Integrated {
    took: Duration,
    /// Lambda's own status, and the function's.
    invoked: Option<u16>,
    status: Option<u16>,
    error: Option<String>,
}

impl Gateway<'_> {
    async fn answer(&self, address: &Address, request: &Incoming) -> Response<Bytes> {
        let started = Instant::now();
        let staged = Staged::of(self.api, address).filter(|_| !self.api.disable_execute_api_endpoint);
        let Some(staged) = staged else { return Refusal::NotFound.answer() };
        let deployment = staged.stage.deployment_id.as_ref().and_then(|id| self.api.deployments.get(id));
        let Some(deployment) = deployment else { return Refusal::NotFound.answer() };
        let compiled =
            self.apis.plane.compiled.get(&self.api.id, &deployment.id, || Compiled::new(&deployment.snapshot));
        let cors = compiled.cors.as_ref();
        if let Some(preflight) =
            cors.and_then(|cors| cors::preflight(cors, &request.head.method, &request.head.headers))
        {
            return preflight;
        }
        let mut told = Told::default();
        let mut response = match self.pass(&compiled, &staged, request, &mut told).await {
            Ok(response) => response,
            Err(refusal) => {
                told.refusal = Some(refusal);
                refusal.answer()
            }
        };
        if let Some(cors) = cors {
            cors::dress(cors, &request.head.headers, response.headers_mut());
        }
        self.log(&staged, request, &told, (&response, started));
        response
    }

    /// Through the route: throttle, signature, function.
    async fn pass(
        &self,
        compiled: &Compiled,
        staged: &Staged<'_>,
        request: &Incoming,
        told: &mut Told,
    ) -> Result<Response<Bytes>, Refusal> {
        let (found, parameters) = compiled.find(request.verb(), &staged.path).ok_or(Refusal::NotFound)?;
        let CompiledRoute { route, integration, .. } = found;
        told.route_key = Some(route.route_key.clone());
        if !self.admits(staged.stage, &route.route_key) {
            return Err(Refusal::Throttled);
        }
        let mut iam = None;
        if route.authorization_type == "AWS_IAM" {
            let signer = authorize::signer(&self.apis.cloud, &self.scope, (&self.api.id, staged), request).await?;
            told.iam = Some(signer.clone());
            iam = Some(signer);
        }
        let landing = Landing { scope: &self.scope, api: &self.api.id, staged, route, parameters, iam };
        let Some(integration) = integration else {
            tracing::warn!(api = self.api.id, route = route.route_key, "a route has no integration");
            return Err(Refusal::Failed);
        };
        let integrated = told.integration.insert(Integrated::default());
        let began = Instant::now();
        let within = Duration::from_millis(u64::from(integration.timeout_in_millis));
        let answered = tokio::time::timeout(within, self.invoke(integration, &landing, request, integrated)).await;
        integrated.took = began.elapsed();
        answered.unwrap_or_else(|_| {
            let why = "The integration took longer than its timeout";
            tracing::info!(api = self.api.id, route = route.route_key, "{why}");
            integrated.error = Some(why.to_owned());
            Err(Refusal::Unavailable)
        })
    }

    fn admits(&self, stage: &Stage, key: &str) -> bool {
        let buckets = &self.apis.plane.buckets;
        let (own, all) = (stage.route_settings.get(key), &stage.default_route_settings);
        let rate = own.and_then(|own| own.throttling_rate_limit).or(all.throttling_rate_limit);
        let burst = own.and_then(|own| own.throttling_burst_limit).or(all.throttling_burst_limit);
        let name = || format!("{}/{}/{key}", self.api.id, stage.stage_name);
        // One of the two alone: the account's stands for the other.
        let fits = (rate.is_none() && burst.is_none())
            || buckets.take(&name(), rate.unwrap_or(ACCOUNT_RATE), burst.unwrap_or(ACCOUNT_BURST));
        fits && buckets.take_of_account()
    }

    /// Invokes the function, whose policy has to let this route, and notes how that went.
    async fn invoke(
        &self,
        integration: &Integration,
        landing: &Landing<'_>,
        request: &Incoming,
        integrated: &mut Integrated,
    ) -> Result<Response<Bytes>, Refusal> {
        let uri = with_variables(&integration.integration_uri, &landing.staged.stage.stage_variables);
        let function = lambda_arn(&uri).unwrap_or(&uri);
        let source = landing.source_arn(request.verb());
        let cloud = &self.apis.cloud;
        let second = integration.payload_format_version == "2.0";
        let make = if second { event::of_format_2 } else { event::of_format_1 };
        let payload = make(request, landing).map_err(|error| {
            tracing::error!(%error, "an event cannot be written");
            integrated.error = Some("The event cannot be written".to_owned());
            Refusal::Failed
        })?;
        let scope = self.scope.as_service("apigateway.amazonaws.com");
        let input = (json!({"FunctionName": function}), payload.into());
        let origin = (request.trace.clone(), source);
        let reply = match cloud.call_for(&scope, ("lambda", "Invoke"), input, origin).await {
            Ok(reply) => reply,
            Err(fault) => {
                integrated.invoked = fault.status;
                let not_permitted = fault.code == "AccessDeniedException";
                integrated.error = Some(if not_permitted { NOT_PERMITTED } else { &fault.message }.to_owned());
                return Err(refused(&fault, function));
            }
        };
        integrated.invoked = Some(reply.status.unwrap_or(200));
        if reply.output.get("FunctionError").is_some() {
            let said: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            integrated.error = Some(said["errorMessage"].as_str().unwrap_or("The function failed").to_owned());
            return Err(Refusal::Failed);
        }
        let answer = if second { answer::of_format_2(&reply.body) } else { answer::of_format_1(&reply.body) };
        match &answer {
            Ok(response) => integrated.status = Some(response.status().as_u16()),
            Err(_) => {
                let why = "The function's response is not of the form that the payload format version asks for";
                integrated.error = Some(why.to_owned());
            }
        }
        answer
    }

    fn log(
        &self,
        staged: &Staged<'_>,
        request: &Incoming,
        told: &Told,
        (response, started): (&Response<Bytes>, Instant),
    ) {
        let settings = staged.stage.access_log_settings.as_ref();
        let Some((format, group)) =
            settings.and_then(|log| Some((log.format.as_deref()?, log.destination_arn.as_deref()?)))
        else {
            return;
        };
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let iam = told.iam.as_ref().unwrap_or(&Value::Null);
        let context = json!({
            "accountId": self.scope.account, "apiId": self.api.id, "stage": staged.stage.stage_name,
            "domainName": format!("{}.execute-api.{}.amazonaws.com", self.api.id, self.scope.region),
            "domainPrefix": self.api.id, "requestId": request.request_id, "extendedRequestId": request.request_id,
            "httpMethod": request.verb(), "path": staged.whole_path(), "protocol": request.protocol(),
            "requestTime": request_time(request.at), "requestTimeEpoch": request.at.millis(), "routeKey": told.route_key,
            "status": response.status().as_u16(), "responseLength": response.body().len(),
            "responseLatency": millis(started.elapsed()),
            "integrationStatus": told.integration.as_ref().and_then(|integrated| integrated.invoked),
            "integrationLatency": told.integration.as_ref().map(|integrated| millis(integrated.took)),
            "integrationErrorMessage": told.integration.as_ref().and_then(|integrated| integrated.error.as_deref()),
            "integration": told.integration.as_ref().map(|integrated| json!({
                "error": integrated.error, "integrationStatus": integrated.invoked, "latency": millis(integrated.took),
                "status": integrated.status,
            })),
            "error": told.refusal.map(|refusal| json!({
                "message": refusal.message(), "responseType": refusal.kind(),
            })),
            "identity": {
                "sourceIp": request.source_ip(), "userAgent": request.header("user-agent"), "accountId": iam["accountId"],
                "caller": iam["callerId"], "user": iam["userId"], "userArn": iam["userArn"],
            },
        });
        self.apis.plane.access_log.write(&self.apis.cloud, &self.scope, group, log::line(format, &context));
    }
}

/// What AWS tells its access log of a function whose policy does not let the API in.
const NOT_PERMITTED: &str = "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration. \
                             Check the permissions and try again.";

/// What a fault of Lambda means to the client.
fn refused(fault: &Fault, function: &str) -> Refusal {
    match fault.code.as_str() {
        "RequestTooLargeException" => Refusal::TooLarge,
        "TooManyRequestsException" => Refusal::Unavailable,
        _ => {
            tracing::warn!(%fault, function, "API Gateway could not invoke the function");
            Refusal::Failed
        }
    }
}
