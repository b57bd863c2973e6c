//! `${Name}` in SQL files: outputs and parameters of the lab.

use std::collections::BTreeMap;

use crate::template::names::{Piece, pieces};
use crate::template::problem::nearest;

/// Why a `${…}` cannot be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubstituteError {
    #[error("line {line}: `${{{name}}}` is no output or parameter of the lab{}", near.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown { name: String, line: usize, near: Option<String> },
    #[error("line {line}: the value of `${{{name}}}` has characters that could change the statement: {value}")]
    Unsafe { name: String, line: usize, value: String },
    #[error("line {line}: `${{` without its `}}`")]
    Open { line: usize },
}

impl SubstituteError {
    /// The same with the line counted in the file, where the text begins on line `first`.
    #[must_use]
    pub fn from_line(mut self, first: usize) -> Self {
        match &mut self {
            SubstituteError::Unknown { line, .. }
            | SubstituteError::Unsafe { line, .. }
            | SubstituteError::Open { line } => *line += first - 1,
        }
        self
    }
}

/// Replaces every `${Name}` by its value. A value may hold only what can end neither a string nor an identifier: letters,
/// digits and `_ - . : / @ + =`.
///
/// # Errors
/// Every `${…}` that cannot be filled in.
pub fn substitute(text: &str, values: &BTreeMap<String, String>) -> Result<String, Vec<SubstituteError>> {
    let (mut out, mut errors) = (String::with_capacity(text.len()), Vec::new());
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    for piece in pieces(text) {
        let (name, line) = match piece {
            Piece::Text(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Open { at, .. } => {
                errors.push(SubstituteError::Open { line: line(at) });
                continue;
            }
            Piece::Name { name, at } => (name.to_owned(), line(at)),
        };
        match values.get(&name) {
            Some(value) if value.chars().all(is_harmless) => out.push_str(value),
            Some(value) => errors.push(SubstituteError::Unsafe { name, line, value: value.clone() }),
            None => errors.push(SubstituteError::Unknown { near: near(&name, values), name, line }),
        }
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

fn is_harmless(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_-.:/@+=".contains(letter)
}

fn near(name: &str, values: &BTreeMap<String, String>) -> Option<String> {
    nearest(name, values.keys().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> BTreeMap<String, String> {
        [("LabBucket", "lab-1"), ("Evil", "'; DROP TABLE t")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    }

    #[test]
    fn names_are_replaced_and_everything_wrong_is_told_at_once() {
        assert_eq!(substitute("'s3://${LabBucket}/k' $x {y}", &values()), Ok("'s3://lab-1/k' $x {y}".to_owned()));
        let Err(errors) = substitute("${LabBuckt}\n${Evil}\n${Nothing} ${", &values()) else { panic!() };
        assert_eq!(
            errors,
            [
                SubstituteError::Unknown { name: "LabBuckt".into(), line: 1, near: Some("LabBucket".into()) },
                SubstituteError::Unsafe { name: "Evil".into(), line: 2, value: "'; DROP TABLE t".into() },
                SubstituteError::Unknown { name: "Nothing".into(), line: 3, near: None },
                SubstituteError::Open { line: 3 },
            ]
        );
    }
}
