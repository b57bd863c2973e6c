//! API Gateway's HTTP APIs (version 2): the control plane that clients configure and the data plane that answers requests.

use std::sync::Arc;

use async_trait::async_trait;
use http::request::Parts;
use http::{Request, Response};

use crate::arriving::Arriving;
use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::operations;
use crate::resource::ResourceType;
use crate::service::{self, Body, Operation, Service, Support};
use crate::store::StoreError;

mod cfn;
mod ops;
mod plane;
mod route_key;
mod state;
#[cfg(test)]
mod tests;

pub use state::HttpApis;

/// The operations that work here.
const OPERATIONS: &[Operation<HttpApis>] = operations!(HttpApis;
    Real CreateApi => ops::apis::create,
    Real GetApi => ops::apis::get,
    Real GetApis => ops::apis::list,
    Real UpdateApi => ops::apis::update,
    Real DeleteApi => ops::apis::delete,
    Real DeleteCorsConfiguration => ops::apis::delete_cors,
    Real CreateIntegration => ops::integrations::create,
    Real GetIntegration => ops::integrations::get,
    Real GetIntegrations => ops::integrations::list,
    Real UpdateIntegration => ops::integrations::update,
    Real DeleteIntegration => ops::integrations::delete,
    Real CreateRoute => ops::routes::create,
    Real GetRoute => ops::routes::get,
    Real GetRoutes => ops::routes::list,
    Real UpdateRoute => ops::routes::update,
    Real DeleteRoute => ops::routes::delete,
    Real CreateDeployment => ops::deployments::create,
    Real GetDeployment => ops::deployments::get,
    Real GetDeployments => ops::deployments::list,
    Real UpdateDeployment => ops::deployments::update,
    Real DeleteDeployment => ops::deployments::delete,
    Real CreateStage => ops::stages::create,
    Real GetStage => ops::stages::get,
    Real GetStages => ops::stages::list,
    Real UpdateStage => ops::stages::update,
    Real DeleteStage => ops::stages::delete,
    Real DeleteRouteSettings => ops::stages::delete_route_settings,
    Real DeleteAccessLogSettings => ops::stages::delete_access_log,
    Real TagResource => ops::tags::tag,
    Real UntagResource => ops::tags::untag,
    Real GetTags => ops::tags::get,
);

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    Ok(Arc::new(HttpApis::open(cloud.clone())?))
}

#[async_trait]
impl Service for HttpApis {
    fn name(&self) -> &'static str {
        "apigatewayv2"
    }

    fn support(&self) -> Vec<Support> {
        service::support(OPERATIONS)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        service::run(self, OPERATIONS, call).await
    }

    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }

    fn answers(&self, head: &Parts) -> bool {
        plane::is_ours(self, head)
    }

    async fn http(self: Arc<Self>, request: Request<Arriving>) -> Option<Response<Body>> {
        plane::serve(self, request).await
    }

    fn status(&self) -> serde_json::Value {
        let regions = self.regions.get();
        serde_json::json!({"apis": regions.values().map(|region| region.apis.len()).sum::<usize>()})
    }
}
