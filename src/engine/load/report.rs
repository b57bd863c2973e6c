//! What a load found: requests, errors by kind, rate, latency.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::tally::Tally;

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

impl Latency {
    /// Each percentile with its name, as people write it.
    pub fn named(&self) -> [(&'static str, f64); 11] {
        [
            ("p50", self.p50),
            ("p66", self.p66),
            ("p75", self.p75),
            ("p80", self.p80),
            ("p90", self.p90),
            ("p95", self.p95),
            ("p98", self.p98),
            ("p99", self.p99),
            ("p99.9", self.p99_9),
            ("p99.99", self.p99_99),
            ("max", self.max),
        ]
    }
}

/// Bytes of bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bytes {
    pub sent: u64,
    pub received: u64,
}

/// The result of some requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub requests: u64,
    /// Number of failed requests by kind: `503`, `timeout`, `connect`.
    pub errors: BTreeMap<String, u64>,
    /// Requests per second, failed ones included.
    pub rps: f64,
    /// Of failed requests too.
    pub latency_ms: Latency,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// How long it was measured.
    pub seconds: f64,
}

impl Report {
    pub fn of(tally: &Tally, over: Duration) -> Self {
        Report {
            requests: tally.requests(),
            errors: tally.errors().clone(),
            rps: tally.rate(over),
            latency_ms: tally.latency(),
            bytes: Some(tally.bytes()),
            seconds: (over.as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }

    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// Requests of a constant rate that did not begin in time. Their latency is counted from when they should have begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Late {
    pub requests: u64,
    /// Of these, how many had a connection free: this machine was too slow, and not the lab.
    pub by_generator: u64,
    pub max_ms: f64,
    /// Requests that found no connection before the end; they are among the errors.
    pub unsent: u64,
}

/// What happened in one short while.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Moment {
    /// Seconds from the beginning to its end.
    pub s: f64,
    pub requests: u64,
    pub errors: u64,
    pub rps: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

impl Moment {
    pub(super) fn of(tally: &Tally, until: Duration, over: Duration) -> Self {
        let Latency { p50, p90, p99, max, .. } = tally.latency();
        let s = (until.as_secs_f64() * 1000.0).round() / 1000.0;
        let errors = tally.errors().values().sum();
        Moment { s, requests: tally.requests(), errors, rps: tally.rate(over), p50, p90, p99, max }
    }
}
