//! Timestamps on the wire; inside they are seconds since the epoch, with a fraction.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::model::TimestampFormat;

/// Reads any form that AWS accepts: ISO 8601 (with or without time, fraction, offset), RFC 822, seconds since the epoch.
pub(super) fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some(seconds);
    }
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339))
        .or_else(|_| OffsetDateTime::parse(&format!("{text}T00:00:00Z"), &Rfc3339))
        .or_else(|_| OffsetDateTime::parse(&basic(text).unwrap_or_default(), &Rfc3339))
        .or_else(|_| OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822))
        .ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a double holds milliseconds for 285,000 years")]
    Some((at.unix_timestamp_nanos() / 1_000_000) as f64 / 1000.0)
}

/// `20261121T235959Z` as RFC 3339.
fn basic(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digits =
        |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' || !digits(0..8) || !digits(9..15) {
        return None;
    }
    let part = |range| text.get(range);
    Some(format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(9..11)?,
        part(11..13)?,
        part(13..15)?
    ))
}

/// Writes `value` (seconds as a number; a text is taken as written already) in `format`, outside JSON.
pub(super) fn text(value: &Value, format: TimestampFormat) -> String {
    let Some(seconds) = value.as_f64() else { return value.as_str().unwrap_or_default().to_owned() };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a moment beyond the range of i64 milliseconds is not one of ours"
    )]
    let millis = (seconds * 1000.0).round() as i64;
    let at =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    match format {
        TimestampFormat::UnixTimestamp if millis % 1000 == 0 => (millis / 1000).to_string(),
        TimestampFormat::UnixTimestamp => seconds.to_string(),
        TimestampFormat::Rfc822 => {
            let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
            format!(
                "{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                &weekday[..3],
                at.day(),
                &month[..3],
                at.year(),
                at.hour(),
                at.minute(),
                at.second()
            )
        }
        TimestampFormat::Iso8601 => {
            let (date, time) = (at.date(), at.time());
            let whole = format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                date.year(),
                u8::from(date.month()),
                date.day(),
                time.hour(),
                time.minute(),
                time.second()
            );
            match time.millisecond() {
                0 => format!("{whole}Z"),
                millis => format!("{whole}.{millis:03}Z"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_that_clients_send_is_read() {
        for text in [
            "2026-11-21T10:20:30Z",
            "2026-11-21T10:20:30",
            "20261121T102030Z",
            "1795256430",
            "1795256430.0",
            "Sat, 21 Nov 2026 10:20:30 GMT",
            "2026-11-21T12:20:30+02:00",
        ] {
            assert_eq!(parse(text), Some(1_795_256_430.0), "{text}");
        }
        assert_eq!(parse("2026-11-21"), Some(1_795_219_200.0));
        assert_eq!(parse("2026-11-21T10:20:30.25Z"), Some(1_795_256_430.25));
        for text in ["", "soon", "2026-13-01", "NaN", "inf", "99999999T999999Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_form_that_answers_have_is_written() {
        let at = json!(1_795_256_430.25);
        assert_eq!(text(&at, TimestampFormat::Iso8601), "2026-11-21T10:20:30.250Z");
        assert_eq!(text(&json!(1_795_256_430), TimestampFormat::Iso8601), "2026-11-21T10:20:30Z");
        assert_eq!(text(&at, TimestampFormat::Rfc822), "Sat, 21 Nov 2026 10:20:30 GMT");
        assert_eq!(text(&at, TimestampFormat::UnixTimestamp), "1795256430.25");
    }
}
