//! A request as the gateway sees it, and where it has come to.

use bytes::Bytes;
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::execute_api::address::Address;
use crate::http::Peer;
use crate::scope::Scope;
use crate::services::apigatewayv2::route_key::{DEFAULT, Parameters};
use crate::services::apigatewayv2::state::{Api, Route, Stage};
use crate::tracer::TraceHeader;

/// A request to an API.
pub(super) struct Incoming {
    pub head: Parts,
    pub body: Bytes,
    pub request_id: String,
    /// As it came, or begun here: HTTP APIs write no segments.
    pub trace: TraceHeader,
    pub at: Timestamp,
}

impl Incoming {
    pub(super) fn verb(&self) -> &str {
        self.head.method.as_str()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn source_ip(&self) -> String {
        let peer = self.head.extensions.get::<Peer>();
        peer.map_or_else(|| "127.0.0.1".to_owned(), |peer| peer.0.ip().to_string())
    }

    pub(super) fn protocol(&self) -> &'static str {
        if self.head.version == http::Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" }
    }

    /// The query as it came.
    pub(super) fn raw_query(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }
}

/// The stage that a request is for: the one that the path begins with, else the default one.
pub(super) struct Staged<'s> {
    pub stage: &'s Stage,
    /// Below the stage, decoded: HTTP APIs hand it on so.
    pub path: String,
}

impl<'s> Staged<'s> {
    pub(super) fn of(api: &'s Api, address: &Address) -> Option<Self> {
        let decoded = |path: &str| percent_decode_str(path).decode_utf8_lossy().into_owned();
        let (first, rest) = address.staged();
        match api.stages.get(first).filter(|stage| stage.stage_name != DEFAULT) {
            Some(stage) => Some(Staged { stage, path: decoded(&rest) }),
            None => {
                let path = decoded(&format!("/{}", address.rest));
                api.stages.get(DEFAULT).map(|stage| Staged { stage, path })
            }
        }
    }

    /// With the stage's segment, if it has one.
    pub(super) fn whole_path(&self) -> String {
        match self.stage.stage_name.as_str() {
            DEFAULT => self.path.clone(),
            name => format!("/{name}{}", self.path),
        }
    }
}

/// Where a request has come to.
pub(super) struct Landing<'l> {
    /// The API's account and region.
    pub scope: &'l Scope,
    pub api: &'l str,
    pub staged: &'l Staged<'l>,
    pub route: &'l Route,
    pub parameters: Parameters,
    /// Who signed, on a route that asks for it: `authorizer.iam`.
    pub iam: Option<Value>,
}

impl Landing<'_> {
    pub(super) fn domain(&self) -> String {
        format!("{}.execute-api.{}.amazonaws.com", self.api, self.scope.region)
    }

    /// The route's path, of the default route its key.
    pub(super) fn resource(&self) -> &str {
        self.route.route_key.split_once(' ').map_or(DEFAULT, |(_, path)| path)
    }

    /// What a function's policy sees as the source: method and path of the route.
    pub(super) fn source_arn(&self, verb: &str) -> String {
        let stage = &self.staged.stage.stage_name;
        let below = match self.resource() {
            DEFAULT => format!("/{DEFAULT}"),
            path => format!("/{verb}{path}"),
        };
        self.scope.arn("execute-api", format!("{}/{stage}{below}", self.api))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::apigatewayv2::tests::api_with_stages;

    fn found(stages: &[&str], rest: &str) -> Option<(String, String, String)> {
        let api = api_with_stages(stages);
        let address = Address { api: "a".into(), rest: rest.into() };
        let staged = Staged::of(&api, &address)?;
        Some((staged.stage.stage_name.clone(), staged.path.clone(), staged.whole_path()))
    }

    #[test]
    fn a_named_stage_has_a_segment_and_the_default_one_has_none() {
        let texts = |a: &str, b: &str, c: &str| Some((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(found(&["$default"], "pets/1%202"), texts("$default", "/pets/1 2", "/pets/1 2"));
        assert_eq!(found(&["$default", "pets"], "pets/dog"), texts("pets", "/dog", "/pets/dog"));
        assert_eq!(found(&["$default"], ""), texts("$default", "/", "/"));
        assert_eq!(found(&["$default"], "$default/x"), texts("$default", "/$default/x", "/$default/x"));
        assert_eq!(found(&["live"], "dead/x"), None);
        assert_eq!(found(&["live"], "live"), texts("live", "/", "/live/"));
    }
}
