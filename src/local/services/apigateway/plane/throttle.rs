//! Throttles and quotas.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::execute_api::throttle::Buckets;
use crate::services::apigateway::state::Quota;

/// All buckets and counters.
#[derive(Default)]
pub(super) struct Throttles {
    pub buckets: Buckets,
    /// By plan and key: the period, and how many requests of it were let through.
    used: Mutex<HashMap<(String, String), (i64, u64)>>,
}

impl Throttles {
    /// Counts one request with a plan's key against its quota; `false`: it is used up.
    pub(super) fn count(&self, (plan, key): (&str, &str), quota: &Quota, now: Timestamp) -> bool {
        let period = period(quota, now);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = used.entry((plan.to_owned(), key.to_owned())).or_insert((period, quota.offset));
        if entry.0 != period {
            *entry = (period, 0);
        }
        if entry.1 >= quota.limit {
            return false;
        }
        entry.1 += 1;
        true
    }

    pub(super) fn forget_plan(&self, plan: &str) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| of != plan);
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
    fn a_quota_gives_its_limit_in_each_period() {
        let throttles = Throttles::default();
        let quota = Quota { limit: 2, offset: 0, period: "DAY".into() };
        let now = Timestamp::from_millis(1_700_000_000_000);
        let counted = (0..4).filter(|_| throttles.count(("p", "k"), &quota, now)).count();
        assert_eq!(counted, 2);
        assert!(throttles.count(("p", "other"), &quota, now) && throttles.count(("q", "k"), &quota, now));
        throttles.forget_plan("q");
        assert!(throttles.used.lock().unwrap().keys().all(|(plan, _)| plan == "p"));
        assert!(throttles.count(("p", "k"), &quota, now.plus_millis(86_400_000)));
    }
}
