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

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

pub(super) use serve::serve;

use compile::Compiled;
use throttle::Throttles;

use super::state::Deployment;
use crate::execute_api::access_log::AccessLog;

/// What requests share: compiled deployments, token buckets, access logs.
#[derive(Default)]
pub(super) struct Plane {
    /// By API and deployment; a deployment never changes.
    compiled: RwLock<HashMap<(String, String), Arc<Compiled>>>,
    throttles: Throttles,
    access_log: AccessLog,
}

impl Plane {
    fn compiled(&self, api: &str, deployment: &Deployment) -> Arc<Compiled> {
        let key = (api.to_owned(), deployment.id.clone());
        if let Some(found) = self.compiled.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return found.clone();
        }
        let made = Arc::new(Compiled::new(&deployment.snapshot));
        self.compiled.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(made).clone()
    }

    /// Drops what is kept of a deleted API.
    pub(super) fn forget(&self, api: &str) {
        self.compiled.write().unwrap_or_else(PoisonError::into_inner).retain(|(there, _), _| there != api);
    }
}
