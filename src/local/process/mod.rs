//! The only code that starts a child process: engines and functions.

pub mod engines;
pub mod port;
pub mod ready;
pub mod spawn;

pub use spawn::{Child, ChildSpec, Processes, SpawnError};
