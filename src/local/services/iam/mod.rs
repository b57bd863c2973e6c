//! Iam in the local cloud.

use std::sync::Arc;

use async_trait::async_trait;

use crate::local::call::{Call, Reply};
use crate::local::cloud::Cloud;
use crate::local::fault::Fault;
use crate::local::service::{self, Operation, Service, Support};
use crate::local::store::StoreError;

/// The operations that work here.
const OPERATIONS: &[Operation<Iam>] = &[];

/// The service's state and what it needs of the cloud.
pub struct Iam {}

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(_cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    Ok(Arc::new(Iam {}))
}

#[async_trait]
impl Service for Iam {
    fn name(&self) -> &'static str {
        "iam"
    }

    fn support(&self) -> Vec<Support> {
        service::support(OPERATIONS)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        service::run(self, OPERATIONS, call).await
    }
}
