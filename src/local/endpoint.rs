//! One request, from its head to its answer: guard, route, verify, decode, dispatch, encode, log.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;

use super::arriving::{Arriving, Interrupted};
use super::call::{Call, Client};
use super::cloud::Cloud;
use super::fault::Fault;
use super::route::{self, Route};
use super::scope::{ACCOUNT, Scope};
use super::serve::{Closed, Open, Supervisor};
use super::service::Body;
use super::tracer::{TRACE_HEADER, TraceHeader};
use super::wire::model::{Model, Operation, Protocol, model};
use super::wire::sigv4::{self, Claim, Message, Refused};
use super::wire::{codec, fault};
use super::{admin, guard, http as listener};

/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// The longest body that a service takes.
const fn longest_body(service: &str) -> usize {
    match service.as_bytes() {
        // CreateFunction takes a zip of 50 MB, in base64.
        b"lambda" => 70_167_211,
        b"rds-data" => 4 * 1024 * 1024,
        _ => 8 * 1024 * 1024,
    }
}

/// Answers one request. A panic below becomes a 500, and a client that goes away does not interrupt what it asked for:
/// the work runs in a task of its own.
pub(super) async fn answer(supervisor: Arc<Supervisor>, request: Request<Arriving>) -> Response<Body> {
    if let Err(refusal) = guard::check(request.uri(), request.headers()) {
        let body = json!({"__type": refusal.code(), "message": refusal.to_string()});
        return listener::json(refusal.status(), &body);
    }
    if request.uri().path().starts_with("/_labctl/") {
        return admin::answer(&supervisor, request).await;
    }
    let open = match supervisor.now_open() {
        Ok(open) => open,
        Err(closed) => return fault::answer(None, &unavailable(&closed), ""),
    };
    let started = Instant::now();
    let mut log = Log { request_id: open.cloud.ids.uuid(), service: "", operation: "", code: String::new() };
    let mut response = exchange(&open, request, &mut log).await;
    if let Ok(id) = HeaderValue::from_str(&log.request_id) {
        response.headers_mut().entry(REQUEST_ID).or_insert(id);
    }
    tracing::info!(
        service = log.service,
        operation = log.operation,
        status = response.status().as_u16(),
        code = log.code,
        us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        request_id = log.request_id,
        "request"
    );
    response
}

fn unavailable(closed: &Closed) -> Fault {
    Fault::new("ServiceUnavailable", closed.to_string()).status(503)
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// What the log says of a request; filled as it becomes known.
struct Log {
    request_id: String,
    service: &'static str,
    operation: &'static str,
    code: String,
}

impl Log {
    fn fault(&mut self, model: Option<&Model>, fault: &Fault) -> Response<Body> {
        self.code.clone_from(&fault.code);
        if fault.status == Some(500) || fault.code == "InternalFailure" {
            tracing::error!(
                service = self.service,
                operation = self.operation,
                message = fault.message,
                "internal failure"
            );
        }
        fault::answer(model, fault, &self.request_id)
    }
}

/// The services whose APIs share one data plane: HTTP APIs know their own, REST APIs answer for what nobody has.
const DATA_PLANE: [&str; 2] = ["apigatewayv2", "apigateway"];

async fn exchange(open: &Open, request: Request<Arriving>, log: &mut Log) -> Response<Body> {
    let (head, body) = request.into_parts();
    if route::is_data_plane(&head) {
        let answers = |name: &&str| open.cloud.service(name).is_some_and(|service| service.answers(&head));
        let name = DATA_PLANE.into_iter().find(answers).unwrap_or(DATA_PLANE[0]);
        return raw(open, name, Request::from_parts(head, body), log).await;
    }
    let claim = sigv4::claim(&head.headers, head.uri.query());
    // S3's crate passes over a header that is signed and was not sent.
    let checked = claim.as_ref().map_err(Clone::clone).and_then(|claim| match claim {
        Some(claim) => claim.check_headers(&head.headers),
        None => Ok(()),
    });
    let route = match (&claim, &checked) {
        (Ok(claim), Ok(())) => route::route(&head, claim.as_ref()),
        // What cannot be read as a signature is refused in the form of the service that is probably meant.
        (_, Err(refused)) | (Err(refused), _) => {
            let model = route::guess(&head).or_else(|| route::scoped(&head)).and_then(model);
            let fault = refusal(model, refused);
            return log.fault(model, &fault);
        }
    };
    match route {
        Ok(Route::Api(service)) => api(open, Api { service, head, body, claim: claim.ok().flatten() }, log).await,
        Ok(Route::S3) => raw(open, "s3", Request::from_parts(head, body), log).await,
        Ok(Route::FunctionCode) => raw(open, "lambda", Request::from_parts(head, body), log).await,
        Err(fault) => log.fault(route::guess(&head).and_then(model), &fault),
    }
}

/// Hands a request to a service that reads HTTP itself.
async fn raw(open: &Open, name: &'static str, request: Request<Arriving>, log: &mut Log) -> Response<Body> {
    log.service = name;
    log.operation = "http";
    let absent =
        || Fault::new("NotImplemented", format!("The local cloud does not have the data plane of {name}.")).status(501);
    let Some(service) = open.cloud.service(name) else { return log.fault(model(name), &absent()) };
    // Only S3 speaks its API itself; the others' are data planes with limits of their own.
    if let Some(fault) = (name == "s3").then(|| open.cloud.drills.throttled(name, "http")).flatten() {
        return log.fault(model(name), &fault);
    }
    match inside(open, service.http(request)).await {
        Ok(Some(response)) => response,
        Ok(None) => log.fault(model(name), &absent()),
        Err(fault) => log.fault(model(name), &fault),
    }
}

/// Does the work in a task of its own that a reset waits for.
async fn inside<R: Send + 'static>(open: &Open, work: impl Future<Output = R> + Send + 'static) -> Result<R, Fault> {
    let resetting = || unavailable(&Closed::Resetting);
    let pass = open.gate.enter().ok_or_else(resetting)?;
    let done = tokio::spawn(pass.run(work)).await.map_err(|panicked| crashed(&panicked))?;
    done.ok_or_else(resetting)
}

fn crashed(error: &tokio::task::JoinError) -> Fault {
    tracing::error!(%error, "a request crashed");
    Fault::internal("The local cloud failed while it answered this request. Its log says more: labctl local logs")
}

/// A request for an operation.
struct Api {
    service: &'static str,
    head: Parts,
    body: Arriving,
    claim: Option<Claim>,
}

async fn api(open: &Open, api: Api, log: &mut Log) -> Response<Body> {
    log.service = api.service;
    // Routes name services that have a model: a test of the table says so.
    let Some(model) = model(api.service) else {
        return log.fault(None, &Fault::unsupported(format!("the service {}", api.service)));
    };
    match operate(open, model, api, log).await {
        Ok(response) => response,
        Err(fault) => log.fault(Some(model), &fault),
    }
}

async fn operate(open: &Open, model: &'static Model, api: Api, log: &mut Log) -> Result<Response<Body>, Fault> {
    let Api { service, head, body, claim } = api;
    let body = collect(body, longest_body(service)).await?;
    let scope = authenticate(&open.cloud, model, claim.as_ref(), &Message::of(&head, &body))?;
    let asked = codec::asked(model, &head, &body)?;
    let operation: &'static Operation = asked.operation;
    log.operation = operation.name;
    if let Some(fault) = open.cloud.drills.throttled(service, operation.name) {
        return Err(fault);
    }
    let (input, payload) = asked.input()?;
    let trace = head.headers.get(TRACE_HEADER).and_then(|header| TraceHeader::parse(header.to_str().ok()?));
    let (_here, client) = Client::new();
    let call = Call {
        service,
        operation: operation.name.to_owned(),
        input,
        body: payload,
        file: None,
        scope,
        request_id: log.request_id.clone(),
        trace,
        source: None,
        client,
    };
    let answering = open.cloud.clone();
    let reply = inside(open, async move { answering.dispatch(call).await }).await??;
    codec::answer(model, operation, reply, &log.request_id)
}

/// Reads a body. One that is too long is read on and thrown away for a while: a client that is still sending when the
/// connection closes would see a reset in place of the answer.
pub(super) async fn collect(mut body: Arriving, longest: usize) -> Result<Bytes, Fault> {
    let too_long = || {
        let message = format!("Request must be smaller than {longest} bytes");
        Fault::new("RequestEntityTooLargeException", message).status(413)
    };
    let late = || Fault::new("RequestTimeout", "The request body did not arrive in time.").status(408);
    let interrupted = |why| match why {
        Interrupted::Late(_) => late(),
        Interrupted::Broken(_) => Fault::new("IncompleteBody", "The request body ended early.").status(400),
    };
    let reading = async {
        let mut held = BytesMut::new();
        let mut thrown_away = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(interrupted)?.into_data() else { continue };
            if thrown_away == 0 && held.len() + data.len() <= longest {
                held.extend_from_slice(&data);
            } else {
                thrown_away += held.len() + data.len();
                held = BytesMut::new();
            }
            if thrown_away > 2 * longest {
                return Err(too_long());
            }
        }
        if thrown_away > 0 { Err(too_long()) } else { Ok(held.freeze()) }
    };
    tokio::time::timeout(BODY_WITHIN, reading).await.map_err(|_| late())?
}

fn authenticate(cloud: &Cloud, model: &Model, claim: Option<&Claim>, message: &Message<'_>) -> Result<Scope, Fault> {
    let verified =
        claim.ok_or(Refused::Missing).and_then(|claim| claim.verify(&cloud.credentials, message, cloud.clock.now()));
    let verified = verified.map_err(|refused| refusal(Some(model), &refused))?;
    Ok(Scope { account: ACCOUNT.to_owned(), region: verified.region, caller: verified.caller })
}

/// Where S3 expects a request that names no bucket to be signed for.
const S3_REGION: &str = "us-east-1";

/// What each protocol calls a signature that it does not accept.
fn refusal(model: Option<&Model>, refused: &Refused) -> Fault {
    use super::credentials::Rejected;
    let (query, json) = match refused {
        Refused::Missing => ("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
        Refused::Incomplete(_) => ("IncompleteSignature", "IncompleteSignatureException"),
        Refused::Key(Rejected::Unknown) => ("InvalidClientTokenId", "UnrecognizedClientException"),
        Refused::Key(Rejected::Expired) => ("ExpiredToken", "ExpiredTokenException"),
        Refused::Mismatch | Refused::Scope(_) | Refused::Expired(_) => {
            ("SignatureDoesNotMatch", "InvalidSignatureException")
        }
    };
    let (code, status) = match (model.map(|model| model.protocol), refused) {
        (Some(Protocol::Ec2), Refused::Key(Rejected::Unknown)) => ("AuthFailure", 401),
        (Some(Protocol::Ec2), Refused::Key(Rejected::Expired) | Refused::Expired(_)) => ("RequestExpired", 400),
        (Some(Protocol::Json), _) => (json, 400),
        (Some(Protocol::RestJson) | None, _) => (json, 403),
        (Some(Protocol::RestXml), Refused::Incomplete(_) | Refused::Scope(_)) => ("AuthorizationHeaderMalformed", 400),
        (_, Refused::Incomplete(_)) => (query, 400),
        (_, _) => (query, 403),
    };
    let message = match code {
        "AuthFailure" => "AWS was not able to validate the provided access credentials".to_owned(),
        "AuthorizationHeaderMalformed" => format!("The authorization header is malformed; {refused}"),
        _ => refused.to_string(),
    };
    let fault = Fault::new(code, message).status(StatusCode::from_u16(status).map_or(403, |status| status.as_u16()));
    match (code, refused) {
        // Clients that sign for S3's oldest names of regions read here which one to sign for.
        ("AuthorizationHeaderMalformed", Refused::Scope(_)) => fault.member("Region", S3_REGION),
        _ => fault,
    }
}
