//! CloudWatch Logs: groups and their settings in one document, each stream an append-only file.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::operations;
use crate::resource::ResourceType;
use crate::service::{self, Operation, Service, Support};
use crate::store::StoreError;

mod cfn;
mod faults;
mod ops;
mod pattern;
mod state;
mod stream;
#[cfg(test)]
mod tests;

pub use state::Logs;

/// How often events past their retention are taken off the disk; readers stop seeing them at once.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// The operations that work here.
const OPERATIONS: &[Operation<Logs>] = operations!(Logs;
    Real CreateLogGroup => ops::groups::create,
    Real DeleteLogGroup => ops::groups::delete,
    Real DescribeLogGroups => ops::groups::describe,
    Real PutRetentionPolicy => ops::groups::put_retention,
    Real DeleteRetentionPolicy => ops::groups::delete_retention,
    Modelled AssociateKmsKey => ops::groups::associate_key,
    Modelled DisassociateKmsKey => ops::groups::disassociate_key,
    Real PutLogGroupDeletionProtection => ops::groups::protect,
    Real TagResource => ops::tags::tag,
    Real UntagResource => ops::tags::untag,
    Real ListTagsForResource => ops::tags::list,
    Real TagLogGroup => ops::tags::tag_group,
    Real UntagLogGroup => ops::tags::untag_group,
    Real ListTagsLogGroup => ops::tags::list_group,
    Real CreateLogStream => ops::streams::create,
    Real DeleteLogStream => ops::streams::delete,
    Real DescribeLogStreams => ops::streams::describe,
    Real PutLogEvents => ops::events::put,
    Real GetLogEvents => ops::events::get,
    Real FilterLogEvents => ops::filter::filter,
);

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    Ok(Arc::new(Logs::open(cloud.clone())?))
}

#[async_trait]
impl Service for Logs {
    fn name(&self) -> &'static str {
        "logs"
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

    async fn start(self: Arc<Self>) -> Result<(), Fault> {
        let logs: Weak<Self> = Arc::downgrade(&self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(logs) = logs.upgrade() else { return };
                if let Err(error) = logs.sweep().await {
                    tracing::warn!(%error, "old log events stay on disk");
                }
            }
        });
        Ok(())
    }
}
