//! The manifest's text into types: every unknown key, wrong type and wrong value, each with its place and the near miss.

use crate::template::{Position, Problem};

use super::model::Manifest;

/// Reads `lab.yaml`.
pub fn manifest(_text: &str) -> Result<Manifest, Vec<Problem>> {
    Err(vec![Problem::new(Position { line: 1, column: 1 }, "", "not read yet")])
}
