//! The data plane: requests to deployed stages.

mod answer;
mod authorize;
mod compile;
mod cors;
mod event;
mod log;
mod refusal;
mod request;
mod serve;

pub(super) use serve::{is_ours, serve};

use compile::Compiled;

use crate::execute_api::access_log::AccessLog;
use crate::execute_api::deployed::Deployed;
use crate::execute_api::throttle::Buckets;

/// What requests share: compiled deployments, token buckets, access logs.
#[derive(Default)]
pub(super) struct Plane {
    compiled: Deployed<Compiled>,
    buckets: Buckets,
    access_log: AccessLog,
}

impl Plane {
    /// Drops what is kept of an API that has changed.
    pub(super) fn forget(&self, api: &str) {
        self.compiled.forget(api);
    }
}
