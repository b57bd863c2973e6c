//! The admin API under `/_labctl/`: JSON over HTTP, for `labctl local` and for people with curl.
//!
//! | request | answer |
//! |---|---|
//! | `GET /_labctl/health` | `{"status": "ok"}`; 503 with the reason while resetting and after a reset that failed |
//! | `GET /_labctl/status` | version, pid, endpoint, home, uptime, engines, services with what each runs |
//! | `POST /_labctl/stop` | 202; the process drains, stops its children and ends |
//! | `POST /_labctl/reset` | 200 when every service is empty again |

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::http::json as answer_json;
use super::process::engines::Engine;
use super::serve::{Closed, Supervisor};
use super::service::Body;

/// Answers one request under `/_labctl/`.
pub(super) async fn answer<B>(supervisor: &Arc<Supervisor>, request: &Request<B>) -> Response<Body> {
    match (request.method(), request.uri().path()) {
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
        _ => answer_json(StatusCode::NOT_FOUND, &json!({"message": "health, status, stop or reset"})),
    }
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
