//! Lambda: a function's own `bootstrap`, run through the real Runtime API by pools of warm processes.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Request, Response, StatusCode};

use crate::arriving::Arriving;
use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::http::full;
use crate::operations;
use crate::resource::ResourceType;
use crate::service::{self, Body, Grade, Operation, Service, Support};
use crate::store::StoreError;

mod cfn;
mod code;
mod faults;
mod names;
mod ops;
mod permission;
mod queue;
mod runtime;
mod state;
mod swap;
#[cfg(test)]
mod tests;

pub use state::Lambda;

/// Where the zip of a function can be fetched, with the link that GetFunction gives.
const CODE_PATH: &str = "/_aws/lambda/code/";

/// The operations that work here. Invoke has a payload and a status of its own, so it stands apart.
const OPERATIONS: &[Operation<Lambda>] = operations!(Lambda;
    Real CreateFunction => ops::create::create,
    Real UpdateFunctionCode => ops::update::code,
    Real UpdateFunctionConfiguration => ops::update::configuration,
    Real GetFunction => ops::functions::get,
    Real GetFunctionConfiguration => ops::functions::configuration,
    Modelled GetFunctionCodeSigningConfig => ops::functions::code_signing,
    Real ListFunctions => ops::functions::list,
    Real DeleteFunction => ops::functions::delete,
    Real PublishVersion => ops::versions::publish,
    Real ListVersionsByFunction => ops::versions::list,
    Real CreateAlias => ops::aliases::create,
    Real UpdateAlias => ops::aliases::update,
    Real GetAlias => ops::aliases::get,
    Real DeleteAlias => ops::aliases::delete,
    Real ListAliases => ops::aliases::list,
    Real AddPermission => ops::policy::add,
    Real RemovePermission => ops::policy::remove,
    Real GetPolicy => ops::policy::get,
    Real PutFunctionConcurrency => ops::concurrency::put,
    Real GetFunctionConcurrency => ops::concurrency::get,
    Real DeleteFunctionConcurrency => ops::concurrency::delete,
    Real GetAccountSettings => ops::concurrency::account,
    Real TagResource => ops::tags::tag,
    Real UntagResource => ops::tags::untag,
    Real ListTags => ops::tags::list,
    Real PutFunctionEventInvokeConfig => ops::events::put,
    Real UpdateFunctionEventInvokeConfig => ops::events::update,
    Real GetFunctionEventInvokeConfig => ops::events::get,
    Real DeleteFunctionEventInvokeConfig => ops::events::delete,
);

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    Ok(Arc::new(Lambda::open(cloud.clone())?))
}

#[async_trait]
impl Service for Lambda {
    fn name(&self) -> &'static str {
        "lambda"
    }

    fn support(&self) -> Vec<Support> {
        let mut all = service::support(OPERATIONS);
        all.push(Support { operation: "Invoke", grade: Grade::Real });
        all
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        match call.operation.as_str() {
            "Invoke" => ops::invoke::invoke(self, call).await,
            _ => service::run(self, OPERATIONS, call).await,
        }
    }

    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }

    async fn http(self: Arc<Self>, request: Request<Arriving>) -> Option<Response<Body>> {
        let found = match self.linked(request.uri().path()) {
            Some(path) => tokio::fs::read(path).await.ok(),
            None => None,
        };
        let status = if found.is_some() { StatusCode::OK } else { StatusCode::FORBIDDEN };
        let mut response = Response::new(full(found.unwrap_or_default()));
        *response.status_mut() = status;
        Some(response)
    }

    async fn start(self: Arc<Self>) -> Result<(), Fault> {
        // What a killed cloud left behind: nobody else writes here.
        let _ = std::fs::remove_dir_all(self.cloud.home.run().join("lambda"));
        swap::finish_all(&self).await?;
        self.remove_unused_code().await.map_err(Fault::internal)?;
        self.fleet.tidy_in_background();
        self.resume_events();
        Ok(())
    }

    async fn stop(self: Arc<Self>) {
        self.fleet.stop().await;
    }
}
