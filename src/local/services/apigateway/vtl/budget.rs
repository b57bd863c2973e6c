//! What one rendering may use: a template that runs wild ends as an error, not with the memory or with a worker.

use super::eval::Eval;

/// Some hundred thousand rounds of honest loops, and about a second of a worker.
const MOST_STEPS: usize = 1_000_000;
/// All texts and values that a rendering makes, together; a large body may be copied a few times on top of it.
const MOST_BYTES: usize = 64 << 20;
const COPIES_OF_BODY: usize = 16;

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
}
