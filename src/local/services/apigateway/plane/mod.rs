//! The data plane: requests to deployed stages.

mod compile;
mod event;
mod integration;
pub(super) mod mapping;
mod proxy;
mod refusal;
mod request;
mod serve;
mod throttle;
mod trace;

pub(super) use serve::serve;

use compile::Compiled;
use throttle::Throttles;

use crate::execute_api::access_log::AccessLog;
use crate::execute_api::deployed::Deployed;

/// What requests share: compiled deployments, token buckets, access logs.
#[derive(Default)]
pub(super) struct Plane {
    compiled: Deployed<Compiled>,
    throttles: Throttles,
    access_log: AccessLog,
}

impl Plane {
    /// Drops what is kept of an API that is deleted, or of which a deployment is.
    pub(super) fn forget(&self, api: &str) {
        self.compiled.forget(api);
    }

    /// Drops what is counted of a deleted usage plan.
    pub(super) fn forget_plan(&self, plan: &str) {
        self.throttles.forget_plan(plan);
    }
}
