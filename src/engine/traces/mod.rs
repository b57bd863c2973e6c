//! Traces of a lab: which services are traced, the traces they are in, and one trace as a tree of spans.

pub mod find;
pub mod tree;

pub use find::{Find, Traced};
pub use tree::{Mark, Span, Trace};
