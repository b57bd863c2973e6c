//! S3: one plain content file per object version, an index in memory with a journal per bucket, the protocol by the s3s crate.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Request, Response};
use s3s::service::S3Service;

use crate::arriving::Arriving;
use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::resource::ResourceType;
use crate::service::{Body, Grade, Service, Support};
use crate::store::StoreError;

mod bucket;
mod cfn;
mod checksum;
mod configuration;
mod content;
mod faults;
mod front;
mod journal;
mod listing;
mod objects;
mod ops;
mod policy;
mod protocol;
mod record;
mod store;
#[cfg(test)]
mod tests;
mod uploads;

use faults::S3Fault;
use store::Store;

/// Operations on records that nothing here acts upon.
const MODELLED: &[&str] = &["Acl", "Encryption", "Lifecycle", "Cors", "Logging", "Ownership", "Payment", "Accelerate"];

/// The service's state and what it needs of the cloud.
pub struct S3 {
    cloud: Arc<Cloud>,
    store: Arc<Store>,
    protocol: S3Service,
}

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    let store = Arc::new(Store::open(cloud.home.state("s3"), cloud.clock.clone(), cloud.ids.clone())?);
    let protocol = front::service(cloud, &store);
    Ok(Arc::new(S3 { cloud: cloud.clone(), store, protocol }))
}

impl S3 {
    /// Work on the disk, off the event loop.
    async fn blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<R, S3Fault> + Send + 'static,
    ) -> Result<R, S3Fault> {
        let store = self.store.clone();
        tokio::task::spawn_blocking(move || work(&store)).await?
    }
}

#[async_trait]
impl Service for S3 {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn support(&self) -> Vec<Support> {
        let names = protocol::OPERATIONS.iter().filter_map(|input| input.strip_suffix("Input"));
        let grade =
            |name: &str| if MODELLED.iter().any(|part| name.contains(part)) { Grade::Modelled } else { Grade::Real };
        names.map(|operation| Support { operation, grade: grade(operation) }).collect()
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        match ops::find(&call.operation) {
            Some(operation) => (operation.run)(self, call).await,
            None => Err(Fault::unsupported_operation("s3", &call.operation)),
        }
    }

    fn resource_types(&self) -> Vec<ResourceType> {
        cfn::types()
    }

    async fn http(self: Arc<Self>, request: Request<Arriving>) -> Option<Response<Body>> {
        let request_id = self.cloud.ids.upper(16);
        Some(front::answer(&self.protocol, request, &request_id).await)
    }
}
