//! The admin API under `/_labctl/`: JSON over HTTP, for `labctl local` and for people with curl.
//!
//! | request | answer |
//! |---|---|
//! | `GET /_labctl/health` | `{"status": "ok"}`; 503 with the reason while resetting and after a reset that failed |
//! | `GET /_labctl/status` | version, pid, endpoint, home, uptime, engines, services with what each runs |
//! | `POST /_labctl/stop` | 202; the process drains, stops its children and ends |
//! | `POST /_labctl/reset` | 200 when every service is empty again |
//! | `GET /_labctl/faults` | the faults that were added on purpose ([`super::drill`]), and how often each struck |
//! | `POST /_labctl/faults` | 201 and the id of the one in the body: `{"fault": "throttle", "service": "rds-data", "rate": 0.5}` |
//! | `DELETE /_labctl/faults`, `DELETE /_labctl/faults/ID` | how many were taken away |

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::arriving::Arriving;
use super::cloud::Cloud;
use super::drill::Drill;
use super::endpoint::collect;
use super::http::json as answer_json;
use super::process::engines::Engine;
use super::serve::{Closed, Supervisor};
use super::service::Body;
use crate::template::problem::nearest;

/// The longest description of a fault.
const LONGEST_FAULT: usize = 4096;

/// Answers one request under `/_labctl/`.
pub(super) async fn answer(supervisor: &Arc<Supervisor>, request: Request<Arriving>) -> Response<Body> {
    let (head, body) = request.into_parts();
    if let Some(rest) = head.uri.path().strip_prefix("/_labctl/faults") {
        return match supervisor.now_open() {
            Ok(open) => faults(&open.cloud, &head.method, rest, body).await,
            Err(closed) => answer_json(StatusCode::SERVICE_UNAVAILABLE, &json!({"message": closed.to_string()})),
        };
    }
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/_labctl/health") => match supervisor.now_open() {
            Ok(_) => answer_json(StatusCode::OK, &json!({"status": "ok"})),
            Err(closed) => {
                let status = if closed == Closed::Resetting { "resetting" } else { "failed" };
                let body = json!({"status": status, "message": closed.to_string()});
                answer_json(StatusCode::SERVICE_UNAVAILABLE, &body)
            }
        },
        (&Method::GET, "/_labctl/status") => answer_json(StatusCode::OK, &status(supervisor)),
        (&Method::POST, "/_labctl/stop") => {
            supervisor.ask_to_stop();
            answer_json(StatusCode::ACCEPTED, &json!({"status": "stopping", "pid": std::process::id()}))
        }
        (&Method::POST, "/_labctl/reset") => {
            // In a task of its own: who asks may go away, and half a reset is none.
            let resetting = supervisor.clone();
            let reset = tokio::spawn(async move { resetting.reset().await });
            let reset = reset.await.map_err(|crash| crash.to_string());
            match reset.and_then(|reset| reset.map_err(|closed| closed.to_string())) {
                Ok(()) => answer_json(StatusCode::OK, &json!({"status": "ok"})),
                Err(message) => answer_json(StatusCode::INTERNAL_SERVER_ERROR, &json!({"message": message})),
            }
        }
        (_, "/_labctl/health" | "/_labctl/status" | "/_labctl/stop" | "/_labctl/reset") => {
            answer_json(StatusCode::METHOD_NOT_ALLOWED, &json!({"message": "health, status: GET; stop, reset: POST"}))
        }
        _ => answer_json(StatusCode::NOT_FOUND, &json!({"message": "health, status, stop, reset or faults"})),
    }
}

/// The faults on purpose; `rest`: what stands behind `/_labctl/faults`.
async fn faults(cloud: &Cloud, method: &Method, rest: &str, body: Arriving) -> Response<Body> {
    let drills = &cloud.drills;
    let wrong = |message: String| answer_json(StatusCode::BAD_REQUEST, &json!({"message": message}));
    match (method, rest.strip_prefix('/')) {
        (&Method::GET, None) if rest.is_empty() => answer_json(StatusCode::OK, &json!({"faults": drills.list()})),
        (&Method::POST, None) if rest.is_empty() => {
            let read = collect(body, LONGEST_FAULT).await.map_err(|fault| fault.message);
            let drill = read.and_then(|body| {
                serde_json::from_slice::<Drill>(&body).map_err(|error| format!("not a fault: {error}"))
            });
            match drill.and_then(|drill| known(cloud, drill)).and_then(|drill| drills.add(drill)) {
                Ok(id) => answer_json(StatusCode::CREATED, &json!({"id": id})),
                Err(message) => wrong(message),
            }
        }
        (&Method::DELETE, None) if rest.is_empty() => {
            answer_json(StatusCode::OK, &json!({"cleared": drills.clear(None)}))
        }
        (&Method::DELETE, Some(id)) => match drills.clear(Some(id)) {
            0 => answer_json(StatusCode::NOT_FOUND, &json!({"message": format!("there is no fault {id}")})),
            cleared => answer_json(StatusCode::OK, &json!({"cleared": cleared})),
        },
        _ => answer_json(StatusCode::NOT_FOUND, &json!({"message": "faults: GET, POST, DELETE; faults/ID: DELETE"})),
    }
}

/// A fault of a resource type that nobody makes would never strike.
fn known(cloud: &Cloud, drill: Drill) -> Result<Drill, String> {
    let (Drill::Create { kind, .. } | Drill::Delete { kind, .. }) = &drill else { return Ok(drill) };
    if cloud.resource_type(kind).is_some() {
        return Ok(drill);
    }
    let near = nearest(kind, cloud.resource_type_names());
    let near = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
    Err(format!("the local cloud has no resource type {kind}{near}"))
}

fn engine(engine: Option<&Engine>) -> Value {
    engine.map_or(
        Value::Null,
        |engine| json!({"kind": engine.kind.name(), "version": engine.version, "program": engine.program}),
    )
}

fn status(supervisor: &Supervisor) -> Value {
    let open = supervisor.now_open().ok();
    let mut services = Map::new();
    for service in open.iter().flat_map(|open| open.cloud.services()) {
        services.insert(service.name().to_owned(), service.status());
    }
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "endpoint": format!("http://{}", supervisor.address()),
        "home": supervisor.home().root(),
        "started": supervisor.started().iso8601(),
        "uptime_seconds": supervisor.now().seconds() - supervisor.started().seconds(),
        "engines": {"sql": engine(supervisor.engines().mysql.as_ref()), "cache": engine(supervisor.engines().redis.as_ref())},
        "services": services,
    })
}
