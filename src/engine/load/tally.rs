//! Counting requests: how many, how long, how many bytes, what went wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::report::{Bytes, Latency};

/// Longer answers are counted as this long.
const LONGEST: Duration = Duration::from_secs(3600);
/// More kinds of errors than a person reads are one.
const MAX_KINDS: usize = 20;
const OTHER: &str = "other";

/// What was measured of some requests; several tallies add up to one.
#[derive(Clone, Debug)]
pub struct Tally {
    micros: Histogram<u64>,
    requests: u64,
    errors: BTreeMap<String, u64>,
    bytes: Bytes,
}

impl Default for Tally {
    fn default() -> Self {
        Tally::precise_to(3)
    }
}

impl Tally {
    /// A tally whose times have so many digits.
    pub(super) fn precise_to(digits: u8) -> Self {
        let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
        // The bounds are constants that the library accepts: 1 ≤ low, 2 × low ≤ high, 0 to 5 digits.
        #[expect(clippy::expect_used, reason = "constants, see above")]
        let micros = Histogram::new_with_bounds(1, longest, digits).expect("valid bounds");
        Tally { micros, requests: 0, errors: BTreeMap::new(), bytes: Bytes::default() }
    }

    pub fn answered(&mut self, took: Duration) {
        self.requests += 1;
        self.micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn failed(&mut self, kind: &str, took: Duration) {
        self.answered(took);
        self.error(kind, 1);
    }

    pub(super) fn transferred(&mut self, sent: usize, received: usize) {
        self.bytes.sent += sent as u64;
        self.bytes.received += received as u64;
    }

    fn error(&mut self, kind: &str, count: u64) {
        match self.errors.get_mut(kind) {
            Some(there) => *there += count,
            None => {
                let kind = if self.errors.len() < MAX_KINDS { kind } else { OTHER };
                *self.errors.entry(kind.to_owned()).or_default() += count;
            }
        }
    }

    pub fn add(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.bytes.sent += other.bytes.sent;
        self.bytes.received += other.bytes.received;
        // Both have the same bounds, the only thing that can be wrong.
        let _ = self.micros.add(&other.micros);
        for (kind, count) in &other.errors {
            self.error(kind, *count);
        }
    }

    pub fn requests(&self) -> u64 {
        self.requests
    }

    pub fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    pub fn bytes(&self) -> Bytes {
        self.bytes
    }

    /// Requests per second of so many seconds, failed ones included.
    pub fn rate(&self, over: Duration) -> f64 {
        let rate = if over.is_zero() { 0.0 } else { self.requests as f64 / over.as_secs_f64() };
        (rate * 10.0).round() / 10.0
    }

    pub fn latency(&self) -> Latency {
        let millis = |micros: u64| micros as f64 / 1000.0;
        let at = |quantile: f64| millis(self.micros.value_at_quantile(quantile));
        Latency {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_errors_and_bytes_of_all_users_are_put_together() {
        let (mut one, mut two) = (Tally::default(), Tally::default());
        (1..=99).for_each(|millis| one.answered(Duration::from_millis(millis)));
        one.transferred(10, 20);
        two.failed("503", Duration::from_millis(500));
        two.transferred(1, 2);
        one.add(&two);
        assert_eq!((one.requests(), one.rate(Duration::from_secs(10)), one.errors()["503"]), (100, 10.0, 1));
        assert_eq!(one.bytes(), Bytes { sent: 11, received: 22 });
        let latency = one.latency();
        let cases = [(latency.p50, 50.0), (latency.p66, 66.0), (latency.p75, 75.0), (latency.p80, 80.0)];
        let cases = cases.into_iter().chain([(latency.p90, 90.0), (latency.p95, 95.0), (latency.p98, 98.0)]);
        for (found, wanted) in cases.chain([(latency.p99, 99.0), (latency.p99_9, 500.0), (latency.max, 500.0)]) {
            assert!((found - wanted).abs() < wanted * 0.002, "{found} is not {wanted}: {latency:?}");
        }
    }

    #[test]
    fn kinds_of_errors_beyond_what_is_read_are_one() {
        let mut tally = Tally::default();
        (0..100).for_each(|kind| tally.failed(&kind.to_string(), Duration::ZERO));
        assert_eq!((tally.errors().len(), tally.errors()[OTHER]), (MAX_KINDS + 1, 100 - MAX_KINDS as u64));
        assert_eq!(Tally::default().latency(), Latency::default());
    }
}
