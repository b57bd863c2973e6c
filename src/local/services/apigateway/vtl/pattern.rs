//! Java's methods with regular expressions.

use regex::{Captures, Regex, RegexBuilder};

use super::budget::Budget;
use super::eval::Eval;

/// Reading a regular expression takes as long as so many steps; it may take so much memory.
const REGEX_STEPS: usize = 100;
const REGEX_BYTES: usize = 1 << 20;
/// What a place that a regular expression finds costs, beside its text.
const PIECE: usize = 64;

/// # Errors
/// It is none, or has what only Java's have (looking around, back-references).
pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(REGEX_BYTES).build()
}

fn read(pattern: &str, budget: &mut Budget) -> Eval<Regex> {
    budget.steps(REGEX_STEPS)?;
    compile(pattern).map_err(|error| error.to_string())
}

/// Whether all of the text matches.
pub(super) fn matches(text: &str, pattern: &str, budget: &mut Budget) -> Eval<bool> {
    Ok(read(&format!("^(?:{pattern})$"), budget)?.is_match(text))
}

/// As Java splits: an empty match at the very beginning splits nothing, and with a limit of 0 the empty pieces at the end
/// are left out.
pub(super) fn split<'t>(text: &'t str, pattern: &str, limit: i64, budget: &mut Budget) -> Eval<Vec<&'t str>> {
    let (mut pieces, mut end) = (Vec::new(), 0);
    for found in read(pattern, budget)?.find_iter(text) {
        let full = usize::try_from(limit).is_ok_and(|limit| limit > 0 && pieces.len() + 1 >= limit);
        if full || found.is_empty() && found.start() == text.len() {
            break;
        }
        if found.end() == 0 {
            continue;
        }
        budget.bytes(PIECE)?;
        pieces.push(&text[end..found.start()]);
        end = found.end();
    }
    if pieces.is_empty() {
        return Ok(vec![text]);
    }
    pieces.push(&text[end..]);
    while limit == 0 && pieces.last().is_some_and(|piece| piece.is_empty()) {
        pieces.pop();
    }
    Ok(pieces)
}

/// Puts `with` in place of what matches, at most `most` times. In `with`, `$1` and `${name}` are groups, and a backslash
/// takes the meaning from what follows it.
pub(super) fn replace(text: &str, pattern: &str, with: &str, most: usize, budget: &mut Budget) -> Eval<String> {
    let (mut out, mut end) = (String::new(), 0);
    let groups = with.matches('$').count();
    for found in read(pattern, budget)?.captures_iter(text).take(most) {
        budget.bytes(PIECE)?;
        let whole = found.get_match();
        out.push_str(&text[end..whole.start()]);
        budget.allows(out.len() + with.len() + groups.saturating_mul(whole.len()))?;
        expand(&found, with, &mut out)?;
        end = whole.end();
    }
    out.push_str(&text[end..]);
    Ok(out)
}

fn expand(found: &Captures<'_>, with: &str, out: &mut String) -> Eval<()> {
    let mut rest = with;
    while let Some(at) = rest.find(['\\', '$']) {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if rest[at..].starts_with('\\') {
            let escaped = after.chars().next().ok_or("a replacement ends with a backslash")?;
            out.push(escaped);
            rest = &after[escaped.len_utf8()..];
        } else if let Some((name, after)) = after.strip_prefix('{').and_then(|named| named.split_once('}')) {
            out.push_str(found.name(name).ok_or_else(|| format!("no group is named {name}"))?.as_str());
            rest = after;
        } else {
            let (group, after) = group(found, after)?;
            out.push_str(found.get(group).map_or("", |group| group.as_str()));
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(())
}

/// The number of a group: as many digits as there are groups for.
fn group<'w>(found: &Captures<'_>, text: &'w str) -> Eval<(usize, &'w str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let known = |length: &usize| text[..*length].parse::<usize>().ok().filter(|group| *group < found.len());
    let (group, length) = (1..=digits.min(3))
        .rev()
        .find_map(|length| Some((known(&length)?, length)))
        .ok_or("a replacement names a group that is not there")?;
    Ok((group, &text[length..]))
}
