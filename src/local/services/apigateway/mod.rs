//! API Gateway's REST APIs: the control plane that clients configure and the data plane that answers requests.

use std::sync::Arc;

use async_trait::async_trait;
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
mod faults;
mod ops;
mod patch;
mod plane;
mod state;
#[cfg(test)]
mod tests;
mod vtl;

pub use state::ApiGateway;

/// The operations that work here.
const OPERATIONS: &[Operation<ApiGateway>] = operations!(ApiGateway;
    Real CreateRestApi => ops::apis::create,
    Real GetRestApi => ops::apis::get,
    Real GetRestApis => ops::apis::list,
    Real UpdateRestApi => ops::apis::update,
    Real DeleteRestApi => ops::apis::delete,
    Real CreateResource => ops::resources::create,
    Real GetResource => ops::resources::get,
    Real GetResources => ops::resources::list,
    Real UpdateResource => ops::resources::update,
    Real DeleteResource => ops::resources::delete,
    Real PutMethod => ops::methods::put,
    Real GetMethod => ops::methods::get,
    Real UpdateMethod => ops::methods::update,
    Real DeleteMethod => ops::methods::delete,
    Real PutMethodResponse => ops::methods::put_response,
    Real GetMethodResponse => ops::methods::get_response,
    Real DeleteMethodResponse => ops::methods::delete_response,
    Real PutIntegration => ops::integrations::put,
    Real GetIntegration => ops::integrations::get,
    Real UpdateIntegration => ops::integrations::update,
    Real DeleteIntegration => ops::integrations::delete,
    Real PutIntegrationResponse => ops::integrations::put_response,
    Real GetIntegrationResponse => ops::integrations::get_response,
    Real DeleteIntegrationResponse => ops::integrations::delete_response,
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
    Real CreateApiKey => ops::keys::create,
    Real GetApiKey => ops::keys::get,
    Real GetApiKeys => ops::keys::list,
    Real UpdateApiKey => ops::keys::update,
    Real DeleteApiKey => ops::keys::delete,
    Real CreateUsagePlan => ops::plans::create,
    Real GetUsagePlan => ops::plans::get,
    Real GetUsagePlans => ops::plans::list,
    Real UpdateUsagePlan => ops::plans::update,
    Real DeleteUsagePlan => ops::plans::delete,
    Real CreateUsagePlanKey => ops::plans::create_key,
    Real GetUsagePlanKey => ops::plans::get_key,
    Real GetUsagePlanKeys => ops::plans::list_keys,
    Real DeleteUsagePlanKey => ops::plans::delete_key,
    Real PutGatewayResponse => ops::extras::put_response,
    Real GetGatewayResponse => ops::extras::get_response,
    Real GetGatewayResponses => ops::extras::list_responses,
    Real DeleteGatewayResponse => ops::extras::delete_response,
    Modelled CreateModel => ops::extras::create_model,
    Modelled GetModel => ops::extras::get_model,
    Modelled GetModels => ops::extras::list_models,
    Modelled DeleteModel => ops::extras::delete_model,
    Real CreateRequestValidator => ops::extras::create_validator,
    Real GetRequestValidator => ops::extras::get_validator,
    Real GetRequestValidators => ops::extras::list_validators,
    Real DeleteRequestValidator => ops::extras::delete_validator,
    Real GetAccount => ops::account::get,
    Real UpdateAccount => ops::account::update,
    Real TagResource => ops::tags::tag,
    Real UntagResource => ops::tags::untag,
    Real GetTags => ops::tags::get,
);

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    Ok(Arc::new(ApiGateway::open(cloud.clone())?))
}

#[async_trait]
impl Service for ApiGateway {
    fn name(&self) -> &'static str {
        "apigateway"
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

    async fn http(self: Arc<Self>, request: Request<Arriving>) -> Option<Response<Body>> {
        plane::serve(self, request).await
    }
}
