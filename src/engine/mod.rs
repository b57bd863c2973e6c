//! Runs plans: observes what is there, walks the graph, emits typed events.

pub mod event;

pub use event::{Event, Events};
