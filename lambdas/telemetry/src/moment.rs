//! RFC 3339 date-times that a DATETIME column can hold.

/// Digits of a fraction that are kept; the column has six.
const LONGEST_FRACTION: usize = 9;

/// The text in the form that the table's `entry_ts` is made from: `T` and `Z` in capitals, at most nine digits of the fraction. A leap
/// second, which no DATETIME can hold, becomes the last microsecond before it.
pub fn normal(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "must be an RFC 3339 date-time with an offset, such as 2023-03-08T17:04:50Z";
    const DAY: &str = "is no day of the calendar";
    const RANGE: &str = "must be from 1000-01-01 to 9999-12-31 in UTC";
    // The shortest is 2023-03-08T17:04:50Z; what is not ASCII is no date-time, and can then be cut at any byte.
    if text.len() < 20 || !text.is_ascii() {
        return Err(FORM);
    }
    let (date, rest) = text.split_at(10);
    let (time, rest) = rest.split_at(9);
    let [year, month, day] = fields(date, b'-').ok_or(FORM)?;
    let [hour, minute, second] = fields(&time[1..], b':').ok_or(FORM)?;
    if !matches!(time.as_bytes()[0], b'T' | b't' | b' ') || hour > 23 || minute > 59 || second > 60 {
        return Err(FORM);
    }
    let (fraction, zone) = fraction(rest).ok_or(FORM)?;
    let offset = offset(zone).ok_or(FORM)?;
    if !(1..=12).contains(&month) || day < 1 || day > days(year, month) {
        return Err(DAY);
    }
    let minutes = i32::from(hour) * 60 + i32::from(minute) - offset;
    let before = minutes < 0 && (year, month, day) == (1000, 1, 1);
    let after = minutes >= 24 * 60 && (year, month, day) == (9999, 12, 31);
    if year < 1000 || before || after {
        return Err(RANGE);
    }
    let (second, fraction) = match second {
        // A leap second is inserted at the end of a day of UTC.
        60 if minutes.rem_euclid(24 * 60) == 24 * 60 - 1 => (59, ".999999"),
        60 => return Err("has a leap second that is not at the end of a day of UTC"),
        second => (second, &fraction[..fraction.len().min(LONGEST_FRACTION + 1)]),
    };
    Ok(format!("{date}T{hour:02}:{minute:02}:{second:02}{fraction}{}", zone.to_ascii_uppercase()))
}

/// Three numbers with a separator between; all but the first have two digits.
fn fields(text: &str, separator: u8) -> Option<[u16; 3]> {
    let mut parts = text.split(char::from(separator));
    let mut next = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse().ok()
    };
    let first = next(text.len().checked_sub(6)?)?;
    let found = [first, next(2)?, next(2)?];
    parts.next().is_none().then_some(found)
}

/// The fraction with its point, or nothing, and what follows it.
fn fraction(rest: &str) -> Option<(&str, &str)> {
    let Some(digits) = rest.strip_prefix('.') else { return Some(("", rest)) };
    let length = digits.find(|c: char| !c.is_ascii_digit())?;
    (length > 0).then(|| rest.split_at(length + 1))
}

/// Minutes east of UTC.
fn offset(zone: &str) -> Option<i32> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, hours, minutes) = match zone.as_bytes() {
        [sign @ (b'+' | b'-'), a, b, b':', c, d] => (*sign, two(*a, *b)?, two(*c, *d)?),
        _ => return None,
    };
    let offset = hours * 60 + minutes;
    (hours < 24 && minutes < 60).then_some(if sign == b'-' { -offset } else { offset })
}

fn two(tens: u8, ones: u8) -> Option<i32> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?)
}

fn days(year: u16, month: u16) -> u16 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {

    use super::normal;

    #[test]
    fn every_form_of_the_rfc_is_taken_and_written_in_one_way() {
        for (given, expected) in [
            ("2023-03-08T17:04:50Z", "2023-03-08T17:04:50Z"),
            ("2023-03-08t17:04:50.5z", "2023-03-08T17:04:50.5Z"),
            ("2023-03-08 17:04:50.123456789123-05:30", "2023-03-08T17:04:50.123456789-05:30"),
            ("2024-02-29T00:00:00+23:59", "2024-02-29T00:00:00+23:59"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z"),
            ("1990-12-31T15:59:60.25-08:00", "1990-12-31T15:59:59.999999-08:00"),
            ("9999-12-31T23:59:59.999999-00:00", "9999-12-31T23:59:59.999999-00:00"),
            ("1000-01-01T00:00:00Z", "1000-01-01T00:00:00Z"),
        ] {
            assert_eq!(normal(given).unwrap(), expected, "{given}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for (given, why) in [
            ("", "RFC 3339"),
            ("now", "RFC 3339"),
            ("2023-03-08", "RFC 3339"),
            ("2023-03-08T17:04:50", "RFC 3339"),
            ("2023-03-08T17:04Z", "RFC 3339"),
            ("2023-03-08T17:04:50.Z", "RFC 3339"),
            ("2023-03-08T17:04:50.5", "RFC 3339"),
            ("2023-03-08T17:04:50+0100", "RFC 3339"),
            ("2023-03-08T17:04:50+24:00", "RFC 3339"),
            ("2023-03-08T24:00:00Z", "RFC 3339"),
            ("2023-03-08T17:60:00Z", "RFC 3339"),
            ("2023-03-08T17:00:61Z", "RFC 3339"),
            ("+023-03-08T17:04:50Z", "RFC 3339"),
            ("20230-3-08T17:04:50Z", "RFC 3339"),
            ("2023-3-008T17:04:50Z", "RFC 3339"),
            ("2023-03-08X17:04:50Z", "RFC 3339"),
            ("2023-03-08T17:04:5éZ", "RFC 3339"),
            ("2023-03-08T17:04:50Zjunk", "RFC 3339"),
            (" 2023-03-08T17:04:50Z", "RFC 3339"),
            ("2023-02-29T00:00:00Z", "calendar"),
            ("2023-13-01T00:00:00Z", "calendar"),
            ("1900-02-29T00:00:00Z", "calendar"),
            ("2023-04-31T00:00:00Z", "calendar"),
            ("2016-12-31T23:58:60Z", "leap second"),
            ("0999-12-31T23:59:59Z", "from 1000"),
            ("0000-01-01T00:00:00Z", "from 1000"),
            ("1000-01-01T00:00:00+00:01", "from 1000"),
            ("9999-12-31T23:59:59-00:01", "from 1000"),
        ] {
            let said = normal(given).unwrap_err();
            assert!(said.contains(why), "{given}: {said}");
        }
    }
}
