//! One request, from its head to its answer: guard, route, decode, verify, dispatch, encode, log.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use super::serve::Supervisor;
use super::service::Body;
use super::{admin, guard, http as listener};

/// Answers one request. A panic below becomes a 500, and a client that goes away does not interrupt what it asked for:
/// the work runs in a task of its own.
pub(super) async fn answer(supervisor: Arc<Supervisor>, request: Request<Incoming>) -> Response<Body> {
    if let Err(refusal) = guard::check(request.headers()) {
        let body = json!({"__type": "AccessDeniedException", "message": refusal.to_string()});
        return listener::json(refusal.status(), &body);
    }
    if request.uri().path().starts_with("/_labctl/") {
        return admin::answer(&supervisor, &request).await;
    }
    listener::json(StatusCode::NOT_IMPLEMENTED, &json!({"message": "The wire comes next."}))
}
