//! What one rendering may use: a template that runs wild ends as an error, not with the memory or with a worker.

use super::eval::Eval;

/// Some hundred thousand rounds of honest loops, and about a second of a worker.
const MOST_STEPS: usize = 1_000_000;
/// In the time of one step so many values, or characters of a path, are only looked at.
const LOOKS_OF_STEP: usize = 16;
/// All texts and values that a rendering makes, together; a large body may be copied a few times on top of it.
const MOST_BYTES: usize = 64 << 20;
const COPIES_OF_BODY: usize = 16;

pub(in crate::services::apigateway) struct Budget {
    looks: usize,
    bytes: usize,
}

impl Budget {
    /// For a request or an answer whose body has this many bytes.
    pub(in crate::services::apigateway) fn for_body(length: usize) -> Self {
        Budget { looks: MOST_STEPS * LOOKS_OF_STEP, bytes: MOST_BYTES + COPIES_OF_BODY * length }
    }

    pub(super) fn steps(&mut self, count: usize) -> Eval<()> {
        self.looks(count.saturating_mul(LOOKS_OF_STEP))
    }

    /// So many values are walked over, which is quicker than to do something with them.
    pub(super) fn looks(&mut self, count: usize) -> Eval<()> {
        self.looks = self.looks.checked_sub(count).ok_or("the template takes too many steps")?;
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
