//! STS: who the caller is, and temporary credentials for roles whose trust policy lets the caller in.

use std::sync::Arc;

use async_trait::async_trait;

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::operations;
use crate::service::{self, Operation, Service, Support};
use crate::store::StoreError;

mod ops;
mod trust;

/// The operations that work here.
const OPERATIONS: &[Operation<Sts>] = operations!(Sts;
    Real AssumeRole => ops::assume_role,
    Real GetAccessKeyInfo => ops::get_access_key_info,
    Real GetCallerIdentity => ops::get_caller_identity,
    Real GetSessionToken => ops::get_session_token,
);

/// STS keeps nothing: a session's credentials carry all that is to be known of them.
pub struct Sts {
    cloud: Arc<Cloud>,
}

/// Opens the service.
///
/// # Errors
/// None: STS has no state.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    Ok(Arc::new(Sts { cloud: cloud.clone() }))
}

#[async_trait]
impl Service for Sts {
    fn name(&self) -> &'static str {
        "sts"
    }

    fn support(&self) -> Vec<Support> {
        service::support(OPERATIONS)
    }

    async fn call(self: Arc<Self>, call: Call) -> Result<Reply, Fault> {
        service::run(self, OPERATIONS, call).await
    }
}
