//! Java's methods with regular expressions.

use regex::{Captures, Regex, RegexBuilder};

use super::budget::Budget;
use super::eval::Eval;

/// Reading a regular expression takes as long as so many steps; one that takes more memory than most, so many more.
const SMALL_STEPS: usize = 100;
const LARGE_STEPS: usize = 50_000;
const SMALL_BYTES: usize = 64 << 10;
const LARGE_BYTES: usize = 1 << 20;
/// What looking at a character for a large one costs; for a small one, two characters are one look.
const LARGE_LOOKS: usize = 16;
/// What a place that a regular expression finds costs, beside its text.
const PIECE: usize = 64;

/// A regular expression as a method needs it.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    large: bool,
}

impl Pattern {
    /// # Errors
    /// It is none, or has what only Java's have (looking around, back-references).
    pub(super) fn parse(method: &str, pattern: &str) -> Result<Self, regex::Error> {
        let small = build(method, pattern, SMALL_BYTES).map(|regex| Pattern { regex, large: false });
        match small {
            Err(regex::Error::CompiledTooBig(_)) => {
                build(method, pattern, LARGE_BYTES).map(|regex| Pattern { regex, large: true })
            }
            small => small,
        }
    }

    /// One that a template has made.
    pub(super) fn read(method: &str, pattern: &str, budget: &mut Budget) -> Eval<Self> {
        budget.steps(SMALL_STEPS)?;
        budget.looks(4 * pattern.len())?;
        let pattern = Pattern::parse(method, pattern).map_err(|error| error.to_string())?;
        budget.steps(if pattern.large { LARGE_STEPS } else { 0 })?;
        Ok(pattern)
    }

    fn looked(&self, text: &str, budget: &mut Budget) -> Eval<&Regex> {
        let looks = if self.large { text.len().saturating_mul(LARGE_LOOKS) } else { text.len() / 2 };
        budget.looks(looks)?;
        Ok(&self.regex)
    }

    /// Whether all of the text matches, of a pattern that is read for `matches()`.
    pub(super) fn matches(&self, text: &str, budget: &mut Budget) -> Eval<bool> {
        Ok(self.looked(text, budget)?.is_match(text))
    }

    /// As Java splits: an empty match at the very beginning splits nothing, and with a limit of 0 the empty pieces at the
    /// end are left out.
    pub(super) fn split<'t>(&self, text: &'t str, limit: i64, budget: &mut Budget) -> Eval<Vec<&'t str>> {
        let (mut pieces, mut end) = (Vec::new(), 0);
        for found in self.looked(text, budget)?.find_iter(text) {
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

    /// Puts `with` in place of what matches, at most `most` times. In `with`, `$1` and `${name}` are groups, and a
    /// backslash takes the meaning from what follows it.
    pub(super) fn replace(&self, text: &str, with: &str, most: usize, budget: &mut Budget) -> Eval<String> {
        let (mut out, mut end) = (String::new(), 0);
        let groups = with.matches('$').count();
        for found in self.looked(text, budget)?.captures_iter(text).take(most) {
            budget.bytes(PIECE)?;
            let whole = found.get_match();
            out.push_str(&text[end..whole.start()]);
            budget.allows(out.len() + with.len() + groups.saturating_mul(whole.len()))?;
            self.expand(&found, with, &mut out)?;
            end = whole.end();
        }
        out.push_str(&text[end..]);
        Ok(out)
    }

    /// A group that took no part in the match is empty.
    fn expand(&self, found: &Captures<'_>, with: &str, out: &mut String) -> Eval<()> {
        let mut rest = with;
        while let Some(at) = rest.find(['\\', '$']) {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            if rest[at..].starts_with('\\') {
                let escaped = after.chars().next().ok_or("a replacement ends with a backslash")?;
                out.push(escaped);
                rest = &after[escaped.len_utf8()..];
            } else if let Some((name, after)) = after.strip_prefix('{').and_then(|named| named.split_once('}')) {
                if !self.regex.capture_names().flatten().any(|known| known == name) {
                    return Err(format!("no group is named {name}"));
                }
                out.push_str(found.name(name).map_or("", |group| group.as_str()));
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
}

fn build(method: &str, pattern: &str, bytes: usize) -> Result<Regex, regex::Error> {
    let whole = format!("^(?:{pattern})$");
    RegexBuilder::new(if method == "matches" { &whole } else { pattern }).size_limit(bytes).build()
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
