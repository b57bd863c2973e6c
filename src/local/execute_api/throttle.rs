//! Token buckets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// "Throttle quota per account: 10,000 requests per second with a burst of 5,000."
pub(crate) const ACCOUNT_RATE: f64 = 10_000.0;
pub(crate) const ACCOUNT_BURST: i64 = 5000;

struct Bucket {
    tokens: f64,
    filled: Instant,
    /// When nothing more fits in, whatever it holds now; never, if it is not refilled.
    full: Option<Instant>,
}

/// All buckets. They start full with the cloud: AWS, too, gives throttling "on a best-effort basis". A full one need not be kept:
/// so those of APIs and keys that are gone do not pile up.
#[derive(Default)]
pub(crate) struct Buckets(Mutex<HashMap<String, Bucket>>);

impl Buckets {
    /// Takes a token of `name`'s bucket; `false`: it is empty.
    pub(crate) fn take(&self, name: &str, rate: f64, burst: i64) -> bool {
        let now = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "a burst is a small number")]
        let most = burst.max(0) as f64;
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = match buckets.get_mut(name) {
            Some(bucket) => bucket,
            None => {
                buckets.retain(|_, bucket| bucket.full.is_none_or(|full| now < full));
                buckets.entry(name.to_owned()).or_insert(Bucket { tokens: most, filled: now, full: Some(now) })
            }
        };
        bucket.tokens = (bucket.tokens + now.duration_since(bucket.filled).as_secs_f64() * rate).min(most);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        let missing = Duration::try_from_secs_f64((most - bucket.tokens) / rate);
        bucket.full = missing.ok().and_then(|missing| now.checked_add(missing));
        true
    }

    /// Takes a token of the account's bucket.
    pub(crate) fn take_of_account(&self) -> bool {
        self.take("account", ACCOUNT_RATE, ACCOUNT_BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst() {
        let buckets = Buckets::default();
        let taken = (0..5).filter(|_| buckets.take("a", 0.0, 3)).count();
        assert_eq!(taken, 3);
        assert!(buckets.take("b", 0.0, 1) && !buckets.take("b", 0.0, 1));
    }

    #[test]
    fn a_bucket_that_is_full_again_is_forgotten() {
        let buckets = Buckets::default();
        assert!(buckets.take("full at once", 1e12, 3) && buckets.take("never full", 0.0, 3));
        assert!(buckets.take("next", 0.0, 3));
        let mut kept: Vec<_> = buckets.0.lock().unwrap().keys().cloned().collect();
        kept.sort();
        assert_eq!(kept, ["never full", "next"]);
    }
}
