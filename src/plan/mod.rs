//! Pure planning: values in, a plan out; never awaits.

pub mod build;
pub mod cost;
pub mod diff;
pub mod graph;
pub mod names;
pub mod observed;
pub mod step;
#[cfg(test)]
mod tests;
pub mod wanted;
pub mod wiring;

pub use build::Plan;
pub use diff::{ResourceChange, StackChange};
pub use graph::Cycle;
pub use names::Instance;
pub use observed::{Observed, ObservedStack};
pub use step::{Action, Step, StepId, Work};
pub use wanted::{Known, Wanted};
pub use wiring::{Source, Wiring};
