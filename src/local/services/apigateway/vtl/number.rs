//! Numbers as Java has them: whole ones and doubles.

use std::cmp::Ordering;

use serde_json::Number;

/// Below and from these, Java prints a double with an exponent.
const PLAIN: std::ops::Range<f64> = 1e-3..1e7;

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// Whole numbers are compared as such: as doubles, those of 64 bits would be their neighbours.
pub(super) fn order(left: &Number, right: &Number) -> Option<Ordering> {
    match whole(left).zip(whole(right)) {
        Some((left, right)) => Some(left.cmp(&right)),
        None => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

/// `longValue()`: the lowest bits of a whole number, what is next to a double.
#[expect(clippy::cast_possible_truncation, reason = "as Java narrows")]
pub(super) fn long(number: &Number) -> i64 {
    match whole(number) {
        Some(whole) => whole as i64,
        None => number.as_f64().unwrap_or_default() as i64,
    }
}

/// `intValue()`
#[expect(clippy::cast_possible_truncation, reason = "as Java narrows")]
pub(super) fn int(number: &Number) -> i32 {
    match whole(number) {
        Some(whole) => whole as i32,
        None => number.as_f64().unwrap_or_default() as i32,
    }
}

/// As `toString()` writes it: `7`, `2.5`, `1.0E10`.
pub(super) fn print(number: &Number) -> String {
    let double = match (whole(number), number.as_f64()) {
        (None, Some(double)) => double,
        _ => return number.to_string(),
    };
    if double == 0.0 || PLAIN.contains(&double.abs()) {
        return format!("{double:?}");
    }
    let text = format!("{double:E}");
    match text.split_once('E') {
        Some((digits, power)) if !digits.contains('.') => format!("{digits}.0E{power}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_javas() {
        let cases = [
            (2.5, "2.5"),
            (0.0, "0.0"),
            (15.0, "15.0"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (-1.25e10, "-1.25E10"),
        ];
        for (number, expected) in cases {
            assert_eq!(print(&Number::from_f64(number).unwrap()), expected);
        }
        assert_eq!(print(&Number::from(u64::MAX)), "18446744073709551615");
    }

    #[test]
    fn numbers_are_narrowed_as_in_java() {
        let double = Number::from_f64(3e9).unwrap();
        assert_eq!((int(&double), long(&double)), (i32::MAX, 3_000_000_000));
        let whole = Number::from(3_000_000_000_i64);
        assert_eq!((int(&whole), long(&whole)), (-1_294_967_296, 3_000_000_000));
    }
}
