//! What one rendering may use: a template that runs wild ends as an error, not with the memory or with a worker.

use serde_json::Value;

use super::eval::Eval;

/// Some hundred thousand rounds of honest loops, and about a second of a worker.
const MOST_STEPS: usize = 1_000_000;
/// All texts and values that a rendering makes, together; a large body may be copied a few times on top of it.
const MOST_BYTES: usize = 64 << 20;
const COPIES_OF_BODY: usize = 16;
/// About what a value takes in memory, and an entry of a map beside its value.
const VALUE: usize = 32;
const ENTRY: usize = 64;
/// Values are copied, printed and dropped by recursion. JSON is read to 128 levels.
pub(super) const DEEPEST: usize = 200;

pub(super) struct Budget {
    steps: usize,
    bytes: usize,
}

impl Budget {
    /// For a request or an answer whose body has this many bytes.
    pub(super) fn for_body(length: usize) -> Self {
        Budget { steps: MOST_STEPS, bytes: MOST_BYTES + COPIES_OF_BODY * length }
    }

    pub(super) fn steps(&mut self, count: usize) -> Eval<()> {
        self.steps = self.steps.checked_sub(count).ok_or("the template takes too many steps")?;
        Ok(())
    }

    pub(super) fn bytes(&mut self, count: usize) -> Eval<()> {
        self.allows(count)?;
        self.bytes -= count;
        Ok(())
    }

    /// Whether this many bytes could still be made.
    pub(super) fn allows(&self, count: usize) -> Eval<()> {
        if count > self.bytes { Err("the template makes too much text".into()) } else { Ok(()) }
    }

    /// A text that is looked through, which is quicker than making one.
    pub(super) fn scanned(&mut self, text: &str) -> Eval<()> {
        self.bytes(text.len() / 16)
    }

    /// A value that was made.
    pub(super) fn made(&mut self, value: &Value) -> Eval<()> {
        self.made_at(value, 0)
    }

    fn made_at(&mut self, value: &Value, depth: usize) -> Eval<()> {
        if depth > DEEPEST {
            return Err("a value of the template is nested too deeply".into());
        }
        self.bytes(VALUE)?;
        match value {
            Value::String(text) => self.bytes(text.len()),
            Value::Array(list) => list.iter().try_for_each(|item| self.made_at(item, depth + 1)),
            Value::Object(map) => map.iter().try_for_each(|(key, item)| {
                self.bytes(ENTRY + key.len())?;
                self.made_at(item, depth + 1)
            }),
            _ => Ok(()),
        }
    }
}
