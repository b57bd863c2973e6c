//! Ticks at round places, and how they are written.

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;
/// Distances between ticks of a clock. Past the last come multiples of it.
const CLOCK: [f64; 21] = [
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    MINUTE,
    2.0 * MINUTE,
    5.0 * MINUTE,
    10.0 * MINUTE,
    15.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    2.0 * HOUR,
    3.0 * HOUR,
    6.0 * HOUR,
    12.0 * HOUR,
    DAY,
    2.0 * DAY,
    7.0 * DAY,
    28.0 * DAY,
];

const SECONDS: &[FormatItem<'_>] = format_description!("[hour]:[minute]:[second]");
const MINUTES: &[FormatItem<'_>] = format_description!("[hour]:[minute]");
const DATE: &[FormatItem<'_>] = format_description!("[day padding:none] [month repr:short]");
const LONG_DATE: &[FormatItem<'_>] = format_description!("[day padding:none] [month repr:short] [year]");

/// A place along an axis and its label.
pub(super) type Tick = (f64, String);

/// A round distance, so that there are about `most` ticks between two values.
pub(super) fn step_between(low: f64, high: f64, most: usize) -> f64 {
    round_step((high - low) / most.max(1) as f64)
}

/// The multiples of `step` from `low` to `high`.
pub(super) fn numbers(low: f64, high: f64, step: f64) -> Vec<Tick> {
    places(low, high, step).map(|at| (at, number(at, step))).collect()
}

/// The nearest multiples of `step` around two values, so that none lies outside the ticks.
pub(super) fn around(low: f64, high: f64, step: f64) -> (f64, f64) {
    ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step)
}

/// Round moments from `low` to `high`. Midnight is written as its date.
pub(super) fn times(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let least = (high - low) / most.max(1) as f64;
    let longest = CLOCK[CLOCK.len() - 1];
    let step = CLOCK.iter().copied().find(|step| *step >= least).unwrap_or((least / longest).ceil() * longest);
    places(low, high, step).map(|at| (at, moment(at, step, high - low))).collect()
}

/// The date of both, if it is one.
pub(super) fn one_day(low: f64, high: f64) -> Option<String> {
    let (from, to) = (clock(low)?, clock(high)?);
    if from.date() == to.date() { from.format(LONG_DATE).ok() } else { None }
}

/// 1, 2 or 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|one| one * power)
        .into_iter()
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

fn places(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    // Never many: a step is a good part of the whole.
    let count = if last >= first { ((last - first).min(1000.0)) as usize } else { 0 };
    let any = last >= first;
    (0..=count).filter(move |_| any).map(move |index| (first + index as f64) * step)
}

fn clock(at: f64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.round() as i64).ok()
}

fn moment(at: f64, step: f64, span: f64) -> String {
    let Some(time) = clock(at) else { return number(at, step) };
    let midnight = (time.hour(), time.minute(), time.second()) == (0, 0, 0);
    let form = match step {
        _ if span > 300.0 * DAY => LONG_DATE,
        step if step >= DAY || midnight => DATE,
        step if step >= MINUTE => MINUTES,
        _ => SECONDS,
    };
    time.format(form).unwrap_or_else(|_| number(at, step))
}

/// `12,500`, `0.25`: as many digits as tell ticks apart that are `step` from each other.
pub(super) fn number(value: f64, step: f64) -> String {
    if value.abs() >= 1e15 || (step < 1e-6 && value != 0.0) {
        return format!("{value:e}");
    }
    let digits = (-(step * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.digits$}");
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, part) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let mut grouped = String::with_capacity(text.len() + 4);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let zero = rest.chars().all(|sign| matches!(sign, '0' | '.'));
    let sign = if zero { "" } else { sign };
    part.map_or_else(|| format!("{sign}{grouped}"), |part| format!("{sign}{grouped}.{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<Tick>) -> Vec<String> {
        ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn numbers_are_round_and_written_with_the_digits_that_tell_them_apart() {
        assert_eq!(labels(numbers(0.0, 20_000.0, 5_000.0)), ["0", "5,000", "10,000", "15,000", "20,000"]);
        assert_eq!(labels(numbers(0.0, 0.5, step_between(0.0, 0.5, 3))), ["0.0", "0.2", "0.4"]);
        assert_eq!(labels(numbers(-1.0, 1.0, step_between(-1.0, 1.0, 2))), ["-1", "0", "1"]);
        assert_eq!(labels(numbers(3.0, 3.9, step_between(3.0, 3.9, 2))), ["3.0", "3.5"]);
        assert_eq!(around(0.0, 17.0, 5.0), (0.0, 20.0));
        assert_eq!(around(-1.0, 20.0, 5.0), (-5.0, 20.0));
    }

    #[test]
    fn moments_are_round_on_the_clock_and_midnight_is_a_date() {
        // 2026-11-22 22:00 UTC
        let evening = 1_795_384_800.0;
        assert_eq!(
            labels(times(evening, evening + 6.0 * HOUR, 6)),
            ["22:00", "23:00", "23 Nov", "01:00", "02:00", "03:00", "04:00"]
        );
        assert_eq!(labels(times(evening, evening + 30.0, 3)), ["22:00:00", "22:00:10", "22:00:20", "22:00:30"]);
        assert_eq!(labels(times(evening, evening + 3.0 * DAY, 3)), ["23 Nov", "24 Nov", "25 Nov"]);
        assert_eq!(one_day(evening, evening + HOUR).as_deref(), Some("22 Nov 2026"));
        assert_eq!(one_day(evening, evening + 3.0 * HOUR), None);
        // Ten years are as readable as ten hours.
        assert!((2..=8).contains(&times(evening, evening + 3650.0 * DAY, 6).len()));
    }

    #[test]
    fn numbers_beyond_what_can_be_read_keep_their_size() {
        assert_eq!(number(2e15, 1e15), "2e15");
        assert_eq!(number(-0.0, 0.1), "0.0");
        assert_eq!(number(1_234_567.5, 0.5), "1,234,567.5");
    }
}
