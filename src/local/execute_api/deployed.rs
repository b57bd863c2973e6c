//! Deployments made ready for requests.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// By API and deployment; a deployment never changes.
pub(crate) struct Deployed<C>(RwLock<HashMap<(String, String), Arc<C>>>);

impl<C> Default for Deployed<C> {
    fn default() -> Self {
        Deployed(RwLock::default())
    }
}

impl<C> Deployed<C> {
    /// What is kept of a deployment; what is not yet there is made.
    pub(crate) fn get(&self, api: &str, deployment: &str, make: impl FnOnce() -> C) -> Arc<C> {
        let key = (api.to_owned(), deployment.to_owned());
        if let Some(found) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return found.clone();
        }
        let made = Arc::new(make());
        self.0.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(made).clone()
    }

    /// Drops what is kept of an API that has changed or gone.
    pub(crate) fn forget(&self, api: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|(there, _), _| there != api);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_made_ready_once_until_its_api_changes() {
        let deployed = Deployed::default();
        assert_eq!(
            (*deployed.get("a", "1", || 1), *deployed.get("a", "1", || 2), *deployed.get("b", "1", || 3)),
            (1, 1, 3)
        );
        deployed.forget("a");
        assert_eq!((*deployed.get("a", "1", || 4), *deployed.get("b", "1", || 5)), (4, 3));
    }
}
