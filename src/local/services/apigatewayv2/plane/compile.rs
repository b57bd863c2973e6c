//! A deployment made ready for requests: keys read once, routes in the order in which they are tried.

use crate::services::apigatewayv2::route_key::{Parameters, RouteKey};
use crate::services::apigatewayv2::state::{Cors, Integration, Route, Snapshot};

/// A route with what is behind it.
pub(super) struct CompiledRoute {
    key: RouteKey,
    pub route: Route,
    pub integration: Option<Integration>,
}

/// A deployment, ready for requests.
pub(super) struct Compiled {
    routes: Vec<CompiledRoute>,
    pub cors: Option<Cors>,
}

impl Compiled {
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        // Every key was read when it was put: one that cannot be read is not here.
        let read = |route: &Route| Some((RouteKey::parse(&route.route_key).ok()?, route.clone()));
        let with_integration = |(key, route): (RouteKey, Route)| {
            let integration = route.integration().and_then(|id| snapshot.integrations.get(id)).cloned();
            CompiledRoute { key, route, integration }
        };
        let mut routes: Vec<CompiledRoute> = snapshot.routes.values().filter_map(read).map(with_integration).collect();
        routes.sort_by(|one, other| one.key.cmp(&other.key));
        Compiled { routes, cors: snapshot.cors.clone() }
    }

    /// The route that takes the method and the decoded path, with what its parameters hold.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<(&CompiledRoute, Parameters)> {
        self.routes.iter().find_map(|route| Some((route, route.key.fit(method, path)?)))
    }
}
