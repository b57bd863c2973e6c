//! Runs plans: observes what is there, walks the graph, emits typed events.

pub mod access;
pub mod call;
pub mod compare;
pub mod entry;
pub mod event;
pub mod follow;
pub mod http;
pub mod leftovers;
pub mod load;
pub mod logs;
pub mod observe;
pub mod outputs;
pub mod references;
pub mod remove;
pub mod run;
pub mod sources;
pub mod steps;
pub mod teardown;
pub mod traces;
pub mod trouble;
pub mod wait;
pub mod walk;

pub use event::{Event, Events};
pub use run::Run;
pub use walk::{Done, Report, Runner, walk};
