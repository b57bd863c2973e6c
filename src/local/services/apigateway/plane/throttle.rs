//! Token buckets and quotas.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::clock::Timestamp;
use crate::services::apigateway::state::Quota;

struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// All buckets and counters. They start full with the cloud: AWS, too, gives throttling "on a best-effort basis".
#[derive(Default)]
pub(super) struct Throttles {
    buckets: Mutex<HashMap<String, Bucket>>,
    used: Mutex<HashMap<String, (i64, u64)>>,
}

impl Throttles {
    /// Takes a token of `name`'s bucket; `false`: it is empty.
    pub(super) fn take(&self, name: &str, rate: f64, burst: i64) -> bool {
        let now = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "a burst is a small number")]
        let most = burst.max(0) as f64;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = match buckets.get_mut(name) {
            Some(bucket) => bucket,
            None => buckets.entry(name.to_owned()).or_insert(Bucket { tokens: most, filled: now }),
        };
        bucket.tokens = (bucket.tokens + now.duration_since(bucket.filled).as_secs_f64() * rate).min(most);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// Counts one request of `name` against a quota; `false`: it is used up.
    pub(super) fn count(&self, name: &str, quota: &Quota, now: Timestamp) -> bool {
        let period = period(quota, now);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = used.entry(name.to_owned()).or_insert((period, quota.offset));
        if entry.0 != period {
            *entry = (period, 0);
        }
        if entry.1 >= quota.limit {
            return false;
        }
        entry.1 += 1;
        true
    }
}

/// The number of the day, week (from Sunday) or month that a moment is in.
fn period(quota: &Quota, now: Timestamp) -> i64 {
    let days = now.seconds().div_euclid(86_400);
    match quota.period.as_str() {
        "DAY" => days,
        // The epoch was a Thursday.
        "WEEK" => (days + 4).div_euclid(7),
        _ => {
            let date = now.date_time();
            i64::from(date.year()) * 12 + i64::from(u8::from(date.month()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_a_quota_its_limit() {
        let throttles = Throttles::default();
        let taken = (0..5).filter(|_| throttles.take("a", 0.0, 3)).count();
        assert_eq!(taken, 3);
        assert!(throttles.take("b", 0.0, 1) && !throttles.take("b", 0.0, 1));
        let quota = Quota { limit: 2, offset: 0, period: "DAY".into() };
        let now = Timestamp::from_millis(1_700_000_000_000);
        let counted = (0..4).filter(|_| throttles.count("k", &quota, now)).count();
        assert_eq!(counted, 2);
        assert!(throttles.count("k", &quota, now.plus_millis(86_400_000)));
    }
}
