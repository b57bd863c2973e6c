//! Bodies of requests: a value with gaps, written out once, whose gaps are filled for each request.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use serde_json::Value;
use time::OffsetDateTime;

use super::dice::Dice;
use crate::lab::model::{Clock, Sample};

/// A body as JSON text with gaps.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Fixed(Vec<u8>),
    Integer {
        from: i64,
        to: i64,
    },
    Decimal {
        least: i64,
        most: i64,
        digits: u32,
    },
    /// The sum of the weights up to and with each body.
    Choice(Vec<(u64, Body)>),
    /// The share of the numbers up to and with each.
    Zipf {
        from: i64,
        upto: Arc<[f64]>,
    },
    /// Within a text there are no quotes around it.
    Now {
        clock: Clock,
        quoted: bool,
    },
}

impl Body {
    pub fn of(sample: &Sample) -> Self {
        Body::within(sample, true)
    }

    /// A text that is no JSON: a path.
    pub fn plain(sample: &Sample) -> Self {
        Body::within(sample, false)
    }

    /// `quoted`: texts have their quotes, because they are not parts of a longer one.
    fn within(sample: &Sample, quoted: bool) -> Self {
        let mut body = Body { parts: Vec::new() };
        body.push(sample, quoted);
        body
    }

    fn push(&mut self, sample: &Sample, quoted: bool) {
        match sample {
            Sample::Constant(value) => self.fixed(&constant(value, quoted)),
            Sample::List(items) => self.list("[", "]", items.iter().map(|item| (String::new(), item)), quoted),
            Sample::Object(members) => {
                let members = members.iter().map(|(name, value)| (format!("{}:", Value::from(name.as_str())), value));
                self.list("{", "}", members, quoted);
            }
            Sample::Text(parts) => {
                let quote = if quoted { "\"" } else { "" };
                self.fixed(quote);
                parts.iter().for_each(|part| self.push(part, false));
                self.fixed(quote);
            }
            Sample::Integer { from, to } => self.parts.push(Part::Integer { from: *from, to: *to }),
            Sample::Decimal { least, most, digits } => {
                self.parts.push(Part::Decimal { least: *least, most: *most, digits: *digits });
            }
            Sample::Choice(values) => {
                let mut sum = 0;
                let upto = values.iter().map(|(weight, value)| {
                    sum += u64::from(*weight);
                    (sum, Body::within(value, quoted))
                });
                self.parts.push(Part::Choice(upto.collect()));
            }
            Sample::Zipf { from, to, exponent } => {
                self.parts.push(Part::Zipf { from: *from, upto: zipf(to.abs_diff(*from) + 1, *exponent) });
            }
            Sample::Now(clock) => self.parts.push(Part::Now { clock: *clock, quoted }),
        }
    }

    fn list<'s>(&mut self, open: &str, close: &str, items: impl Iterator<Item = (String, &'s Sample)>, quoted: bool) {
        self.fixed(open);
        for (index, (name, item)) in items.enumerate() {
            self.fixed(if index > 0 { "," } else { "" });
            self.fixed(&name);
            self.push(item, quoted);
        }
        self.fixed(close);
    }

    fn fixed(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Fixed(bytes)) => bytes.extend_from_slice(text.as_bytes()),
            _ => self.parts.push(Part::Fixed(text.as_bytes().to_vec())),
        }
    }

    /// Writes the body for these dice.
    pub(super) fn write(&self, dice: &mut Dice, into: &mut BytesMut) {
        for part in &self.parts {
            // Writing to memory does not fail.
            let _ = match part {
                Part::Fixed(bytes) => {
                    into.put_slice(bytes);
                    Ok(())
                }
                Part::Integer { from, to } => write!(into, "{}", dice.between(*from, *to)),
                Part::Decimal { least, most, digits } => decimal(into, dice.between(*least, *most), *digits),
                Part::Choice(values) => {
                    let sum = values.last().map_or(1, |(sum, _)| *sum);
                    let drawn = dice.roll() % sum;
                    if let Some((_, body)) = values.iter().find(|(upto, _)| drawn < *upto) {
                        body.write(dice, into);
                    }
                    Ok(())
                }
                Part::Zipf { from, upto } => {
                    let share = dice.share();
                    let above = upto.partition_point(|upto| *upto <= share).min(upto.len() - 1);
                    write!(into, "{}", from.wrapping_add_unsigned(above as u64))
                }
                Part::Now { clock, quoted } => now(into, *clock, *quoted, OffsetDateTime::now_utc()),
            };
        }
    }
}

/// A value as JSON text; as a part of a longer text without its quotes.
fn constant(value: &Value, quoted: bool) -> String {
    let text = value.to_string();
    match value {
        Value::String(_) if !quoted => text[1..text.len() - 1].to_owned(),
        _ => text,
    }
}

/// For each of `count` numbers the share of it and those before it, when the n-th is `n^exponent` times rarer than the first.
fn zipf(count: u64, exponent: f64) -> Arc<[f64]> {
    let weights: Vec<f64> = (1..=count).map(|rank| (rank as f64).powf(-exponent)).collect();
    let sum: f64 = weights.iter().sum();
    let mut upto = 0.0;
    let shares = weights.iter().map(|weight| {
        upto += weight / sum;
        upto
    });
    shares.collect()
}

fn decimal(into: &mut BytesMut, number: i64, digits: u32) -> std::fmt::Result {
    let power = 10u64.pow(digits);
    let (sign, number) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
    match digits {
        0 => write!(into, "{sign}{number}"),
        _ => write!(into, "{sign}{}.{:0width$}", number / power, number % power, width = digits as usize),
    }
}

fn now(into: &mut BytesMut, clock: Clock, quoted: bool, now: OffsetDateTime) -> std::fmt::Result {
    let quote = if quoted { "\"" } else { "" };
    match clock {
        Clock::Epoch => write!(into, "{}", now.unix_timestamp()),
        Clock::EpochMillis => write!(into, "{}", now.unix_timestamp_nanos() / 1_000_000),
        Clock::Rfc3339 => {
            let (year, month, day) = now.to_calendar_date();
            let (hour, minute, second, milli) = now.to_hms_milli();
            let month = u8::from(month);
            write!(into, "{quote}{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z{quote}")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn written(body: &Body, seed: u64) -> String {
        let mut into = BytesMut::new();
        body.write(&mut Dice::new(seed), &mut into);
        String::from_utf8(into.to_vec()).unwrap()
    }

    fn parsed(body: &Body, seed: u64) -> Value {
        serde_json::from_str(&written(body, seed)).unwrap()
    }

    fn object(members: Vec<(&str, Sample)>) -> Sample {
        Sample::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    #[test]
    fn bodies_differ_by_number_repeat_and_keep_to_their_ranges() {
        let body = Body::of(&object(vec![
            ("id", Sample::Integer { from: -2, to: 28 }),
            ("cpu", Sample::Decimal { least: 0, most: 1000, digits: 3 }),
        ]));
        let all: std::collections::BTreeSet<String> = (0..200).map(|seed| written(&body, seed)).collect();
        assert!(all.len() > 190);
        assert_eq!(written(&body, 7), written(&body, 7));
        for seed in 0..1000 {
            let body = parsed(&body, seed);
            assert!((-2..=28).contains(&body["id"].as_i64().unwrap()), "{body}");
            assert!((0.0..=1.0).contains(&body["cpu"].as_f64().unwrap()), "{body}");
        }
        let wide = Body::of(&Sample::Integer { from: i64::MIN, to: i64::MAX });
        assert!(parsed(&wide, 1).is_i64());
    }

    #[test]
    fn texts_are_joined_and_escaped() {
        let text = Sample::Text(vec![
            Sample::Constant(json!("a\"b\n")),
            Sample::Integer { from: 7, to: 7 },
            Sample::Constant(json!(true)),
            Sample::Text(vec![Sample::Constant(json!("é"))]),
            Sample::Choice(vec![(1, Sample::Constant(json!("x")))]),
        ]);
        let body = Body::of(&object(vec![("\"k\"", text), ("l", Sample::List(vec![]))]));
        assert_eq!(parsed(&body, 1), json!({"\"k\"": "a\"b\n7trueéx", "l": []}));
    }

    #[test]
    fn choices_come_by_their_weights_and_zipf_by_rank() {
        let sample = object(vec![
            (
                "who",
                Sample::Choice(vec![(9, Sample::Constant(json!("often"))), (1, Sample::Constant(json!("rarely")))]),
            ),
            ("rank", Sample::Zipf { from: 1, to: 100, exponent: 1.0 }),
        ]);
        let (body, mut who, mut rank) = (Body::of(&sample), BTreeMap::new(), BTreeMap::new());
        for seed in 0..20_000 {
            let body = parsed(&body, seed);
            *who.entry(body["who"].as_str().unwrap().to_owned()).or_insert(0) += 1;
            *rank.entry(body["rank"].as_i64().unwrap()).or_insert(0) += 1;
        }
        assert!((1_800..2_200).contains(&who["rarely"]), "{who:?}");
        // Of 1 to 100 the first has 1 / 5.19 of all, the second half as many.
        assert!((3_600..4_100).contains(&rank[&1]) && (1_750..2_100).contains(&rank[&2]), "{rank:?}");
        assert!(rank.keys().all(|rank| (1..=100).contains(rank)));
    }

    #[test]
    fn the_clock_is_written_as_asked() {
        let form = |clock, quoted| {
            let mut into = BytesMut::new();
            now(&mut into, clock, quoted, datetime!(2026-11-22 10:15:00.1234 UTC)).unwrap();
            String::from_utf8(into.to_vec()).unwrap()
        };
        assert_eq!(form(Clock::Rfc3339, true), "\"2026-11-22T10:15:00.123Z\"");
        assert_eq!(form(Clock::Rfc3339, false), "2026-11-22T10:15:00.123Z");
        assert_eq!(
            (form(Clock::Epoch, true), form(Clock::EpochMillis, true)),
            ("1795342500".into(), "1795342500123".into())
        );
    }

    #[test]
    fn decimals_have_their_digits_and_sign() {
        let form = |number, digits| {
            let mut into = BytesMut::new();
            decimal(&mut into, number, digits).unwrap();
            String::from_utf8(into.to_vec()).unwrap()
        };
        assert_eq!([form(5, 2), form(-5, 2), form(123, 0), form(1000, 3)], ["0.05", "-0.05", "123", "1.000"]);
    }
}
