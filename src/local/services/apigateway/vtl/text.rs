//! The methods of texts. Java's texts are of UTF-16 units, and so are places in them.

use std::cmp::Ordering;
use std::rc::Rc;

use super::eval::Eval;
use super::heap::{Heap, Held};
use super::methods::{no_method, place};
use super::pattern::Pattern;
use super::tree::Read;

const OF_TEXTS: &[&str] = &[
    "charAt",
    "compareTo",
    "compareToIgnoreCase",
    "concat",
    "contains",
    "endsWith",
    "equalsIgnoreCase",
    "indexOf",
    "isBlank",
    "isEmpty",
    "lastIndexOf",
    "length",
    "matches",
    "repeat",
    "replace",
    "replaceAll",
    "replaceFirst",
    "split",
    "startsWith",
    "strip",
    "substring",
    "toLowerCase",
    "toUpperCase",
    "trim",
];

pub(super) fn of_text(heap: &mut Heap, text: &Rc<str>, name: &str, arguments: &[Held]) -> Eval<Held> {
    heap.budget.scanned(text)?;
    let second = arguments.get(1).and_then(Held::as_index);
    Ok(match (name, arguments, second) {
        ("length", [], _) => units(text).into(),
        ("isEmpty", [], _) => Held::Bool(text.is_empty()),
        ("isBlank", [], _) => Held::Bool(text.trim().is_empty()),
        ("contains", [Held::Text(part)], _) => Held::Bool(text.contains(&**part)),
        ("startsWith", [Held::Text(part)], _) => Held::Bool(text.starts_with(&**part)),
        ("startsWith", [Held::Text(part), _], Some(from)) => {
            let from = usize::try_from(from).ok().filter(|from| *from <= units(text));
            Held::Bool(from.and_then(|from| byte_at(text, from).ok()).is_some_and(|at| text[at..].starts_with(&**part)))
        }
        ("endsWith", [Held::Text(part)], _) => Held::Bool(text.ends_with(&**part)),
        ("equalsIgnoreCase", [Held::Text(other)], _) => Held::Bool(text.to_lowercase() == other.to_lowercase()),
        ("equalsIgnoreCase", [Held::Null], _) => Held::Bool(false),
        ("compareTo", [Held::Text(other)], _) => compare(text, other).into(),
        ("compareToIgnoreCase", [Held::Text(other)], _) => compare(&text.to_lowercase(), &other.to_lowercase()).into(),
        ("indexOf", [Held::Text(part)], _) => position(text, text.find(&**part)),
        ("indexOf", [Held::Text(part), _], Some(from)) => {
            let start = next_byte(text, from);
            position(text, text[start..].find(&**part).map(|at| start + at))
        }
        ("lastIndexOf", [Held::Text(part)], _) => position(text, text.rfind(&**part)),
        ("lastIndexOf", [Held::Text(part), _], Some(from)) => {
            // The last one that begins there, or before.
            let last = next_byte(text, from).saturating_add(part.len()).min(text.len());
            let last = (0..=last).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
            position(text, if from < 0 { None } else { text[..last].rfind(&**part) })
        }
        ("charAt", [Held::Number(index)], _) => {
            let at = byte_at(text, place(index.as_i64().unwrap_or(-1), units(text))?)?;
            let found = text[at..].chars().next().ok_or("charAt() beyond the end")?;
            if found.len_utf16() > 1 {
                return Err(cut());
            }
            heap.text(found.encode_utf8(&mut [0; 4]))?
        }
        _ => match edited(heap, text, name, arguments)? {
            Some(made) => heap.text(&made)?,
            None => no_method(&Held::Text(text.clone()), OF_TEXTS, name, arguments)?,
        },
    })
}

/// The methods that make another text.
fn edited(heap: &mut Heap, text: &str, name: &str, arguments: &[Held]) -> Eval<Option<String>> {
    Ok(Some(match (name, arguments) {
        ("replace", [Held::Text(from), Held::Text(to)]) => {
            heap.budget.allows(text.len() + text.matches(&**from).count().saturating_mul(to.len()))?;
            text.replace(&**from, to)
        }
        ("concat", [Held::Text(other)]) => format!("{text}{other}"),
        ("repeat", [Held::Number(times)]) => {
            let times = times.as_u64().and_then(|times| usize::try_from(times).ok());
            let times = times.ok_or("repeat() less than no times")?;
            heap.budget.allows(text.len().saturating_mul(times))?;
            text.repeat(times)
        }
        ("toLowerCase", []) => text.to_lowercase(),
        ("toUpperCase", []) => text.to_uppercase(),
        // What Java trims are controls as well, and not all that Unicode calls blank.
        ("trim", []) => text.trim_matches(|c| c <= ' ').to_owned(),
        ("strip", []) => text.trim().to_owned(),
        ("substring", [Held::Number(from)]) => {
            let from = place(from.as_i64().unwrap_or(-1), units(text))?;
            text[byte_at(text, from)?..].to_owned()
        }
        ("substring", [Held::Number(from), Held::Number(to)]) => {
            let length = units(text);
            let from = byte_at(text, place(from.as_i64().unwrap_or(-1), length)?)?;
            let to = byte_at(text, place(to.as_i64().unwrap_or(-1), length)?)?;
            text.get(from..to).ok_or("substring() ends before it begins")?.to_owned()
        }
        _ => return Ok(None),
    }))
}

/// The methods with a regular expression, which is in `read` if the template has it as it is.
pub(super) fn by_pattern(
    heap: &mut Heap,
    text: &Rc<str>,
    name: &str,
    arguments: &[Held],
    read: Option<&Read>,
) -> Eval<Held> {
    let no_method = || no_method(&Held::Text(text.clone()), OF_TEXTS, name, arguments);
    let Some(Held::Text(pattern)) = arguments.first() else { return no_method() };
    heap.budget.scanned(text)?;
    let made;
    let pattern = match read {
        Some(Read::Pattern(pattern)) => pattern,
        _ => {
            made = Pattern::read(name, pattern, &mut heap.budget)?;
            &made
        }
    };
    let budget = &mut heap.budget;
    match (name, &arguments[1..]) {
        ("matches", []) => Ok(Held::Bool(pattern.matches(text, budget)?)),
        ("replaceAll", [Held::Text(with)]) => {
            let made = pattern.replace(text, with, usize::MAX, budget)?;
            heap.text(&made)
        }
        ("replaceFirst", [Held::Text(with)]) => {
            let made = pattern.replace(text, with, 1, budget)?;
            heap.text(&made)
        }
        ("split", []) => split(heap, text, pattern, 0),
        ("split", [Held::Number(limit)]) => split(heap, text, pattern, limit.as_i64().unwrap_or_default()),
        _ => no_method(),
    }
}

fn split(heap: &mut Heap, text: &str, pattern: &Pattern, limit: i64) -> Eval<Held> {
    let pieces = pattern.split(text, limit, &mut heap.budget)?;
    let pieces = pieces.into_iter().map(|piece| heap.text(piece)).collect::<Eval<_>>()?;
    heap.list(pieces)
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn cut() -> String {
    "a place in a text that cuts a character in two is not supported by the local cloud".into()
}

/// Where so many units of a text end, in bytes.
fn byte_at(text: &str, units: usize) -> Eval<usize> {
    let at = next_byte(text, i64::try_from(units).unwrap_or(i64::MAX));
    if self::units(&text[..at]) == units { Ok(at) } else { Err(cut()) }
}

/// The same, or after the character that is cut there, or at the end.
fn next_byte(text: &str, units: i64) -> usize {
    let mut before = 0;
    let mut chars = text.char_indices();
    let found = chars.find(|(_, c)| {
        let here = before >= units;
        before += if c.len_utf16() > 1 { 2 } else { 1 };
        here
    });
    found.map_or(text.len(), |(at, _)| at)
}

/// A byte's place in units; -1 of none.
fn position(text: &str, found: Option<usize>) -> Held {
    found.map_or(Held::from(-1_i64), |at| units(&text[..at]).into())
}

/// As Java compares: the difference of the first units that differ, or of the lengths.
fn compare(left: &str, right: &str) -> i64 {
    let mut pairs = left.encode_utf16().zip(right.encode_utf16());
    match pairs.find(|(left, right)| left.cmp(right) != Ordering::Equal) {
        Some((left, right)) => i64::from(left) - i64::from(right),
        None => i64::try_from(units(left)).unwrap_or(i64::MAX) - i64::try_from(units(right)).unwrap_or(i64::MAX),
    }
}
