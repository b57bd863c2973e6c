//! All pools of the cloud, and who may start how many environments.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use super::pool::Pool;
use super::worker::INIT_WITHIN;
use super::{Invocation, Outcome};
use crate::cloud::Cloud;
use crate::services::lambda::code::CodeStore;
use crate::services::lambda::faults::LambdaFault;
use crate::services::lambda::state::{Code, Version};

const TIDY_EVERY: Duration = Duration::from_secs(30);
const LET_GO: Duration = Duration::from_millis(10);

/// How many calls of a function may run at once.
#[derive(Clone, Copy, Debug)]
pub(in crate::services::lambda) struct Limits {
    pub reserved: Option<u32>,
    /// What all functions without a reservation share.
    pub unreserved: u32,
}

/// Every pool, by the version's ARN.
pub(in crate::services::lambda) struct Fleet {
    cloud: Arc<Cloud>,
    pools: RwLock<HashMap<String, Arc<Pool>>>,
    /// Every pool that may still have calls, those too that take no more.
    made: Mutex<Vec<Weak<Pool>>>,
    /// Running calls by function; those without a reservation count in `shared` too.
    running: RwLock<HashMap<String, Arc<AtomicUsize>>>,
    shared: Arc<AtomicUsize>,
}

/// Beside the pool of a version: the one of what it is about to become. No qualifier has this form.
fn next_key(next: &Version) -> String {
    format!("{}:(next)", next.arn())
}

/// The right to one running call; given back when dropped.
struct Permit(Vec<Arc<AtomicUsize>>);

impl Permit {
    fn take(counters: Vec<(Arc<AtomicUsize>, usize, &'static str)>) -> Result<Self, LambdaFault> {
        let mut permit = Permit(Vec::with_capacity(counters.len()));
        for (counter, most, reason) in counters {
            if counter.fetch_add(1, Ordering::AcqRel) >= most {
                counter.fetch_sub(1, Ordering::AcqRel);
                return Err(LambdaFault::Throttled(reason));
            }
            permit.0.push(counter);
        }
        Ok(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        for counter in &self.0 {
            counter.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Fleet {
    pub(in crate::services::lambda) fn new(cloud: Arc<Cloud>) -> Arc<Self> {
        let (pools, running) = (RwLock::default(), RwLock::default());
        Arc::new(Fleet { cloud, pools, made: Mutex::default(), running, shared: Arc::default() })
    }

    /// Ends unused environments from time to time.
    pub(in crate::services::lambda) fn tidy_in_background(self: &Arc<Self>) {
        let fleet: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TIDY_EVERY).await;
                let Some(fleet) = fleet.upgrade() else { return };
                fleet.all().iter().for_each(Pool::tidy);
            }
        });
    }

    fn all(&self) -> Vec<Arc<Pool>> {
        self.pools.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The pool of this revision; one of an older revision takes no new work and ends when its calls have.
    fn pool(&self, version: &Arc<Version>, code: &CodeStore) -> Arc<Pool> {
        let key = version.arn();
        if let Some(pool) = self.pools.read().unwrap_or_else(PoisonError::into_inner).get(&key)
            && pool.version.revision == version.revision
        {
            return pool.clone();
        }
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(&key) {
            // A call that read its version before an update may come after one that read the new: the newer stays.
            if pool.version.revision == version.revision || pool.version.modified > version.modified {
                return pool.clone();
            }
            pool.retire();
        }
        let pool = self.make(version, code);
        pools.insert(key, pool.clone());
        pool
    }

    fn make(&self, version: &Arc<Version>, code: &CodeStore) -> Arc<Pool> {
        let pool = Pool::new(self.cloud.clone(), version.clone(), code.directory(&version.code));
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|pool| pool.strong_count() > 0);
        made.push(Arc::downgrade(&pool));
        pool
    }

    /// The code that processes may run.
    pub(in crate::services::lambda) fn codes(&self) -> Vec<Code> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().filter_map(Weak::upgrade).map(|pool| pool.version.code.clone()).collect()
    }

    /// How many environments of exactly this revision there are.
    pub(in crate::services::lambda) fn warmth(&self, version: &Version) -> usize {
        let pools = self.pools.read().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.get(&version.arn()).filter(|pool| pool.version.revision == version.revision);
        pool.map_or(0, |pool| pool.size())
    }

    /// Starts environments of what a version is about to become, as many as it has (within reason), and waits for them, but
    /// no longer than an initialisation may take: what does not start tells its caller, as it would without.
    pub(in crate::services::lambda) async fn warm(&self, next: &Arc<Version>, code: &CodeStore, count: usize) {
        let pool = self.make(next, code);
        self.pools.write().unwrap_or_else(PoisonError::into_inner).insert(next_key(next), pool.clone());
        let _ = tokio::time::timeout(INIT_WITHIN, pool.warm(count)).await;
    }

    /// From now on calls go to what was warmed. Gives the pool that now ends.
    pub(in crate::services::lambda) fn switch(&self, next: &Version) -> Option<Retired> {
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        let key = next_key(next);
        // Gone with its function, which may have been made again and be in the middle of an update of its own.
        pools.get(&key).filter(|pool| pool.version.revision == next.revision)?;
        let warmed = pools.remove(&key)?;
        let old = pools.insert(next.arn(), warmed)?;
        old.retire();
        Some(Retired(old))
    }

    /// Ends what was warmed for an update whose function has gone meanwhile, wherever it is by now.
    pub(in crate::services::lambda) fn abandon(&self, next: &Version) {
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        let ours = pools.extract_if(|_, pool| pool.version.revision == next.revision);
        ours.for_each(|(_, pool)| pool.retire());
    }

    fn counter(&self, function: &str) -> Arc<AtomicUsize> {
        if let Some(counter) = self.running.read().unwrap_or_else(PoisonError::into_inner).get(function) {
            return counter.clone();
        }
        self.running.write().unwrap_or_else(PoisonError::into_inner).entry(function.to_owned()).or_default().clone()
    }

    fn permit(&self, version: &Version, limits: Limits) -> Result<Permit, LambdaFault> {
        let function = self.counter(&format!("{}/{}", version.region, version.name));
        Permit::take(match limits.reserved {
            Some(most) => vec![(function, most as usize, "ReservedFunctionConcurrentInvocationLimitExceeded")],
            None => vec![(self.shared.clone(), limits.unreserved as usize, "ConcurrentInvocationLimitExceeded")],
        })
    }

    /// Runs one invocation to its end, whether or not the caller stays.
    pub(in crate::services::lambda) async fn run(
        &self,
        version: &Arc<Version>,
        code: &CodeStore,
        limits: Limits,
        invocation: Invocation,
    ) -> Result<Outcome, LambdaFault> {
        let permit = self.permit(version, limits)?;
        let pool = self.pool(version, code);
        let running = tokio::spawn(async move {
            let outcome = pool.run(invocation).await;
            drop(permit);
            outcome
        });
        match running.await {
            Ok(outcome) => outcome.map_err(LambdaFault::Other),
            Err(error) => Err(LambdaFault::Internal(error.to_string())),
        }
    }

    /// Forgets a version (or, with the function's unqualified ARN, all of them); gives back the pools that now end.
    pub(in crate::services::lambda) fn retire(&self, arn: &str) -> Vec<Retired> {
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        let versions = format!("{arn}:");
        let keys: Vec<String> = pools.keys().filter(|key| *key == arn || key.starts_with(&versions)).cloned().collect();
        let gone: Vec<_> = keys.iter().filter_map(|key| pools.remove(key)).collect();
        gone.iter().for_each(Pool::retire);
        gone.into_iter().map(Retired).collect()
    }

    /// Ends every process, also those of older revisions that were still at work.
    pub(in crate::services::lambda) async fn stop(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for pool in made.iter().filter_map(Weak::upgrade) {
            pool.stop().await;
        }
        self.pools.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A pool that takes no more work.
pub(in crate::services::lambda) struct Retired(Arc<Pool>);

impl Retired {
    /// Waits until its last environment has ended, and nothing uses its code any more.
    pub(in crate::services::lambda) async fn gone(self) {
        self.0.ended().await;
        let pool = Arc::downgrade(&self.0);
        drop(self);
        // Whoever told of the end, or has just been answered, holds it for another moment.
        while pool.strong_count() > 0 {
            tokio::time::sleep(LET_GO).await;
        }
    }
}
