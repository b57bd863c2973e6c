//! Pure planning: values in, a plan out; never awaits.

pub mod graph;
pub mod step;

pub use graph::Cycle;
pub use step::{Action, Step, StepId, Work};
