//! Time, injected: services never ask the operating system.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// The furthest moment from the epoch that a client can name, in milliseconds (275,000 years). What is beyond is taken for it, so
/// that no sum or difference of two moments overflows.
const FURTHEST: f64 = 8.64e15;

/// A moment, in milliseconds since the epoch. Serialised as AWS does in JSON: seconds with a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Timestamp(self.0 + millis)
    }

    pub fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// `2026-11-21T23:20:07.123Z`.
    pub fn iso8601(self) -> String {
        let at = self.date_time();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 fit a double's 53 bits for 285,000 years"
        )]
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let millis = (f64::deserialize(deserializer)? * 1000.0).round();
        #[expect(clippy::cast_possible_truncation, reason = "rounded to whole milliseconds")]
        Ok(Timestamp(millis.clamp(-FURTHEST, FURTHEST) as i64))
    }
}

/// Where time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    /// Stands still until a test moves it.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at`.
    pub fn fixed(at: Timestamp) -> Self {
        Clock::Fixed(Arc::new(AtomicI64::new(at.millis())))
    }

    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => {
                let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
                Timestamp(i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX))
            }
            Clock::Fixed(at) => Timestamp(at.load(Ordering::Relaxed)),
        }
    }

    /// [`Clock::now`] in microseconds: traces tell milliseconds apart.
    pub fn micros(&self) -> i64 {
        match self {
            Clock::System => i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX),
            Clock::Fixed(_) => self.now().millis().saturating_mul(1000),
        }
    }

    /// Moves a fixed clock; the system's clock goes by itself.
    pub fn advance_millis(&self, millis: i64) {
        if let Clock::Fixed(at) = self {
            at.fetch_add(millis, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sum_or_difference_of_moments_that_a_client_can_name_overflows() {
        let read = |text: &str| serde_json::from_str::<Timestamp>(text).unwrap().millis();
        assert_eq!((read("1.5"), read("-1.002")), (1500, -1002));
        let (first, last) = (read("-1e300"), read("1e300"));
        assert!(last - first > 0 && first < 0);
        assert_eq!(Timestamp::from_millis(last).plus_millis(1).millis(), last + 1);
    }
}
