//! What is wrong with a text, where, and what was probably meant.

use std::fmt;

/// A place in a text. Both numbers start at 1; columns count characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing wrong in a template or manifest. Readers of a text collect all of them before they refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub at: Position,
    /// The path to the place, such as `Resources.Cluster.Properties.EngineMode`; empty for the whole text.
    pub path: String,
    /// What is wrong, in lower case (unless AWS words it), no full stop, without the place.
    pub what: String,
    /// The nearest valid candidate.
    pub near: Option<String>,
}

impl Problem {
    pub fn new(at: Position, path: impl Into<String>, what: impl Into<String>) -> Self {
        Problem { at, path: path.into(), what: what.into(), near: None }
    }

    /// Adds the nearest of the valid candidates to what was written, if one is near enough.
    #[must_use]
    pub fn near<'a>(mut self, written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        self.near = nearest(written, candidates).map(str::to_owned);
        self
    }

    /// The problem without its place: what CloudFormation would put into a message.
    pub fn sentence(&self) -> String {
        let path = if self.path.is_empty() { String::new() } else { format!("{}: ", self.path) };
        let near = self.near.as_ref().map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        format!("{path}{}{near}", self.what)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.sentence())
    }
}

impl std::error::Error for Problem {}

/// Sorts by place and drops repetitions: how problems are shown.
pub fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| (a.at, &a.path, &a.what).cmp(&(b.at, &b.path, &b.what)));
    problems.dedup();
    problems
}

/// The valid candidate that was probably meant: the same letters in another case, or an edit distance under 3 (and less
/// than half of what was written, so that `ab` is not "near" `xy`).
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = written.chars().count();
    let lower = written.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        // A difference in length is a lower bound of the distance: most candidates are told apart without computing it.
        if candidate == written || candidate.chars().count().abs_diff(length) > 2 {
            continue;
        }
        let distance = if candidate.to_lowercase() == lower { 0 } else { strsim::osa_distance(written, candidate) };
        if distance < 3
            && (distance == 0 || distance * 2 < length.max(2))
            && best.is_none_or(|(least, _)| distance < least)
        {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_candidate_is_a_small_edit_or_another_case() {
        let candidates = ["Engine", "EngineMode", "EngineVersion"];
        assert_eq!(nearest("EnginMode", candidates), Some("EngineMode"));
        assert_eq!(nearest("engineversion", candidates), Some("EngineVersion"));
        assert_eq!(nearest("Storage", candidates), None);
        assert_eq!(nearest("ab", ["xy"]), None);
    }
}
