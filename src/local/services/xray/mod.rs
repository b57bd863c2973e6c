//! X-Ray: segment documents by daemon and API, traces put together from them, filters, service graphs, groups and sampling.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::call::{Call, Reply};
use crate::cloud::Cloud;
use crate::fault::Fault;
use crate::operations;
use crate::resource::ResourceType;
use crate::scope::DEFAULT_REGION;
use crate::service::{self, Operation, Service, Support};
use crate::store::StoreError;
use crate::tracer::Recorder;

mod assemble;
mod cfn;
mod daemon;
mod faults;
mod filter;
mod graph;
mod intake;
mod journal;
mod ops;
mod sampling;
mod segment;
mod state;
mod store;
mod summary;
#[cfg(test)]
mod tests;

pub use state::XRay;

/// How often traces past their time are taken off the disk.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// The operations that work here.
const OPERATIONS: &[Operation<XRay>] = operations!(XRay;
    Real PutTraceSegments => ops::segments::put,
    Modelled PutTelemetryRecords => ops::segments::telemetry,
    Real GetTraceSummaries => ops::traces::summaries,
    Real BatchGetTraces => ops::traces::batch,
    Real GetServiceGraph => ops::graph::service,
    Real GetTraceGraph => ops::graph::trace,
    Real CreateGroup => ops::groups::create,
    Real UpdateGroup => ops::groups::update,
    Real GetGroup => ops::groups::get,
    Real GetGroups => ops::groups::list,
    Real DeleteGroup => ops::groups::delete,
    Real CreateSamplingRule => ops::rules::create,
    Real UpdateSamplingRule => ops::rules::update,
    Real DeleteSamplingRule => ops::rules::delete,
    Real GetSamplingRules => ops::rules::list,
    Real GetSamplingTargets => ops::targets::targets,
    Real GetSamplingStatisticSummaries => ops::targets::statistics,
    Real TagResource => ops::tags::tag,
    Real UntagResource => ops::tags::untag,
    Real ListTagsForResource => ops::tags::list,
    Modelled GetEncryptionConfig => ops::encryption::get,
);

/// Opens the service on what an earlier run left.
///
/// # Errors
/// State on disk cannot be read.
pub fn open(cloud: &Arc<Cloud>) -> Result<Arc<dyn Service>, StoreError> {
    XRay::open(cloud.clone()).map(|xray| xray as Arc<dyn Service>)
}

#[async_trait]
impl Service for XRay {
    fn name(&self) -> &'static str {
        "xray"
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

    fn status(&self) -> Value {
        let daemons = self.addresses().into_iter().map(|(region, address)| (region, json!(address.to_string())));
        let (lost, refused) = self.intake.lost();
        json!({
            "traces": self.store.len(), "daemons": daemons.collect::<Map<_, _>>(),
            "documents": {"lost": lost, "refused": refused},
        })
    }

    async fn start(self: Arc<Self>) -> Result<(), Fault> {
        self.intake.start(&self);
        // Without it SDKs outside functions have nowhere to send to.
        self.daemon(DEFAULT_REGION).ok_or_else(|| Fault::internal("the X-Ray daemon cannot listen"))?;
        self.start_daemons();
        let xray: Weak<Self> = Arc::downgrade(&self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SWEEP_EVERY).await;
                let Some(xray) = xray.upgrade() else { return };
                let now = xray.now();
                let swept = tokio::task::spawn_blocking(move || xray.store.expire(now)).await;
                if let Err(error) = swept.map_err(std::io::Error::other).flatten() {
                    tracing::warn!(%error, "old traces stay on disk");
                }
            }
        });
        Ok(())
    }

    async fn stop(self: Arc<Self>) {
        self.close().await;
    }
}
