//! The only code that starts a child process: engines and functions.

pub mod disk;
pub mod engines;
pub mod install;
pub mod logs;
pub mod port;
pub mod ready;
pub mod reap;
pub mod spawn;

pub use spawn::{Child, ChildSpec, Processes, SpawnError};
