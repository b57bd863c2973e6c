//! AWS as labctl uses it: the target, and one file per service in labctl's words.

pub mod clients;
pub mod config;
pub mod fault;
pub mod target;

pub use clients::Aws;
pub use fault::AwsError;
pub use target::{Architecture, Finding, Glibc, Need, Target};
