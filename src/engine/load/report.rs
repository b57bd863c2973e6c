//! What a load found: requests, errors by kind, rate, latency.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Latency percentiles in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p66: f64,
    pub p75: f64,
    pub p80: f64,
    pub p90: f64,
    pub p95: f64,
    pub p98: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub p99_99: f64,
    pub max: f64,
}

/// The result of one load.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub requests: u64,
    /// Number of failed requests by kind: `503`, `timeout`, `connection`.
    pub errors: BTreeMap<String, u64>,
    /// Requests per second, failed ones included.
    pub rps: f64,
    pub latency_ms: Latency,
}

/// What one user measured; users are put together at the end.
#[derive(Debug)]
pub struct Tally {
    micros: Histogram<u64>,
    requests: u64,
    errors: BTreeMap<String, u64>,
}

/// Longer answers are counted as this long.
const LONGEST: Duration = Duration::from_secs(120);

impl Default for Tally {
    fn default() -> Self {
        let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
        // The bounds are constants that the library accepts: 1 ≤ low, 2 × low ≤ high, 0 to 5 digits.
        #[expect(clippy::expect_used, reason = "constants, see above")]
        let micros = Histogram::new_with_bounds(1, longest, 3).expect("valid bounds");
        Tally { micros, requests: 0, errors: BTreeMap::new() }
    }
}

impl Tally {
    pub fn answered(&mut self, took: Duration) {
        self.requests += 1;
        self.micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn failed(&mut self, kind: String, took: Duration) {
        self.answered(took);
        *self.errors.entry(kind).or_default() += 1;
    }

    pub fn add(&mut self, other: &Tally) {
        self.requests += other.requests;
        // Both have the same bounds, the only thing that can be wrong.
        let _ = self.micros.add(&other.micros);
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
    }

    pub fn report(&self, took: Duration) -> Report {
        #[expect(clippy::cast_precision_loss, reason = "microseconds below 2^53")]
        let millis = |micros: u64| micros as f64 / 1000.0;
        let at = |quantile: f64| millis(self.micros.value_at_quantile(quantile));
        #[expect(clippy::cast_precision_loss, reason = "a rate, shown with one digit")]
        let rps = if took.is_zero() { 0.0 } else { self.requests as f64 / took.as_secs_f64() };
        Report {
            requests: self.requests,
            errors: self.errors.clone(),
            rps: (rps * 10.0).round() / 10.0,
            latency_ms: Latency {
                p50: at(0.50),
                p66: at(0.66),
                p75: at(0.75),
                p80: at(0.80),
                p90: at(0.90),
                p95: at(0.95),
                p98: at(0.98),
                p99: at(0.99),
                p99_9: at(0.999),
                p99_99: at(0.9999),
                max: millis(self.micros.max()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_errors_of_all_users_are_put_together() {
        let (mut one, mut two) = (Tally::default(), Tally::default());
        (1..=99).for_each(|millis| one.answered(Duration::from_millis(millis)));
        two.failed("503".to_owned(), Duration::from_millis(500));
        one.add(&two);
        let report = one.report(Duration::from_secs(10));
        assert_eq!((report.requests, report.rps, report.errors["503"]), (100, 10.0, 1));
        assert!((report.latency_ms.p50 - 50.0).abs() < 0.1, "{report:?}");
        assert!((report.latency_ms.max - 500.0).abs() < 1.0, "{report:?}");
    }
}
