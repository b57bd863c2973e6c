//! AWS as labctl uses it: the target, and one file per service in labctl's words.

pub mod buckets;
pub mod caches;
pub mod clients;
pub mod config;
pub mod database;
pub mod fault;
pub mod functions;
pub mod gateway;
pub mod identity;
pub mod logs;
pub mod network;
pub mod quotas;
mod secrets;
pub mod signature;
pub mod stacks;
pub mod target;
pub mod traces;

pub use clients::Aws;
pub use fault::AwsError;
pub use target::{Architecture, Finding, Glibc, Need, Target};
