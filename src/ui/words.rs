//! Counts, durations, sizes and money as people write them.

use std::borrow::Cow;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `1 stack`, `3 stacks`. Irregular plurals are given with a slash: `entry/entries`.
pub fn count(number: usize, noun: &str) -> String {
    let (one, many) = match noun.split_once('/') {
        Some((one, many)) => (one.to_owned(), many.to_owned()),
        None => (noun.to_owned(), format!("{noun}s")),
    };
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

/// `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`: two units at most.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let pair = |big: u64, big_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        _ => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => pair(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// `512 B`, `1.4 kB`, `3.0 MB`: powers of ten.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `$0.0256`: dollars, with as many digits as small sums need.
pub fn dollars(amount: f64) -> String {
    match amount {
        0.0 => "$0".to_owned(),
        small if small < 0.1 => format!("${small:.4}"),
        usual => format!("${usual:.2}"),
    }
}

/// A text that is at most `width` columns wide; one that was cut ends in `…`.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |sign: &char| {
        let wide = sign.width().unwrap_or(0);
        let fits = wide <= room;
        room = room.saturating_sub(wide);
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// A duration as people type it: `90s`, `30m`, `4h`, `2d`, or several together, `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write 90s, 30m, 4h, 2d or 1h30m");
    let mut total: u64 = 0;
    let mut digits = String::new();
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        total = number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        digits.clear();
    }
    match (digits.is_empty(), total) {
        (true, 1..) => Ok(Duration::from_secs(total)),
        _ => Err(wrong()),
    }
}

/// A moment as people type it: a time ago (`10m`), or a date (`2026-11-22T12:00:00Z`). In milliseconds since the epoch.
pub fn parse_moment(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a moment: write a time ago like 10m, or a date like 2026-11-22T12:00:00Z");
    let millis = |at: OffsetDateTime| i64::try_from(at.unix_timestamp_nanos() / 1_000_000).map_err(|_| wrong());
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return millis(at);
    }
    let ago = parse_duration(text).map_err(|_| wrong())?;
    let at = ago.try_into().ok().and_then(|ago| OffsetDateTime::now_utc().checked_sub(ago));
    millis(at.ok_or_else(wrong)?)
}

/// Milliseconds since the epoch as a date: `2026-11-22T12:00:00.000Z`.
pub fn moment(millis: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000);
    let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.ok().and_then(|at| at.format(form).ok()).unwrap_or_else(|| millis.to_string())
}

/// A word as a POSIX shell has to be given it: quoted, if it holds anything that means something to a shell.
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,:/@%+".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("'{}'", text.replace('\'', "'\\''"))),
    }
}

/// JSON on several lines. Nothing of it is read, so that numbers and texts stay as they were written.
pub fn laid_out(json: &str) -> String {
    let (mut out, mut depth, mut rest) = (String::with_capacity(json.len() * 2), 0, json.chars().peekable());
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(sign) = rest.next() {
        match sign {
            '"' => {
                out.push(sign);
                while let Some(inner) = rest.next() {
                    out.push(inner);
                    match inner {
                        '\\' => out.extend(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(sign);
                while rest.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(sign);
            }
            ',' => {
                out.push(sign);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            blank if blank.is_ascii_whitespace() => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell_are_quoted_when_they_have_to_be() {
        assert_eq!(shell_word("Keep=s3://b/k"), "Keep=s3://b/k");
        assert_eq!(shell_word("Title=it's mine"), "'Title=it'\\''s mine'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn json_is_laid_out_and_stays_what_it_was() {
        let json = r#"{"big":12345678901234567890123,"list":[1, {"a": "b\",[:"}],"none":{},"empty": [ ],"f":1e400}"#;
        let lines = [
            "{",
            r#"  "big": 12345678901234567890123,"#,
            r#"  "list": ["#,
            "    1,",
            "    {",
            r#"      "a": "b\",[:""#,
            "    }",
            "  ],",
            r#"  "none": {},"#,
            r#"  "empty": [],"#,
            r#"  "f": 1e400"#,
            "}",
        ];
        assert_eq!(laid_out(json), lines.join("\n"));
        assert_eq!((laid_out("null").as_str(), laid_out("\"a b\"").as_str()), ("null", "\"a b\""));
    }

    #[test]
    fn counts_have_right_plurals() {
        assert_eq!(count(1, "stack"), "1 stack");
        assert_eq!(count(0, "stack"), "0 stacks");
        assert_eq!(count(2, "entry/entries"), "2 entries");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let cases = [
            (0.04, "0.0 s"),
            (9.94, "9.9 s"),
            (12.7, "12 s"),
            (60.0, "1 min"),
            (185.0, "3 min 5 s"),
            (7800.0, "2 h 10 min"),
            (273_600.0, "3 d 4 h"),
        ];
        for (seconds, words) in cases {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), words);
        }
    }

    #[test]
    fn sizes_are_in_powers_of_ten() {
        let cases =
            [(999, "999 B"), (1000, "1.0 kB"), (1_399, "1.4 kB"), (999_960, "1.0 MB"), (3_000_000_000, "3.0 GB")];
        for (bytes, words) in cases {
            assert_eq!(size(bytes), words);
        }
    }

    #[test]
    fn a_text_is_cut_to_its_width_on_the_screen() {
        for (text, width, cut_to) in
            [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("ab", 0, "…")]
        {
            assert_eq!(cut(text, width), cut_to);
        }
    }

    #[test]
    fn typed_durations_are_read_and_bad_ones_refused() {
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("2d"), Ok(Duration::from_secs(172_800)));
        for bad in ["", "4", "h", "4x", "0h", "99999999999999999999h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_are_read_and_written() {
        assert_eq!(parse_moment("2026-11-22T12:00:00.5+01:00").map(moment).as_deref(), Ok("2026-11-22T11:00:00.500Z"));
        let now = i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap();
        assert!((now - 600_000 - parse_moment("10m").unwrap()).abs() < 10_000);
        for bad in ["", "yesterday", "10", "2026-11-22", "99999999999999d"] {
            assert!(parse_moment(bad).unwrap_err().contains("write a time ago"), "{bad}");
        }
    }

    #[test]
    fn small_sums_keep_their_digits() {
        assert_eq!(dollars(0.0256), "$0.0256");
        assert_eq!(dollars(0.1456), "$0.15");
        assert_eq!(dollars(0.0), "$0");
    }
}
