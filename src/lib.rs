//! labctl takes AWS data labs from nothing to a working, checked endpoint, and back to nothing.
//!
//! Two halves meet only at the AWS wire protocol (`docs/design/`):
//!
//! - the orchestrator: [`cli`], [`ui`], [`lab`], [`plan`], [`engine`], [`aws`], [`package`], [`sql`];
//! - the local cloud: [`local`], an AWS-compatible endpoint on real engines.
//!
//! [`template`] (CloudFormation text, intrinsic functions, property tables) is the one module both share; it does no I/O.
//! `tests/boundary.rs` holds the walls between them.

pub mod env;
pub mod error;

pub mod aws;
pub mod cli;
pub mod engine;
pub mod lab;
pub mod package;
pub mod plan;
pub mod sql;
pub mod ui;

pub use cli::run;
pub use labctl_local as local;
pub use labctl_template as template;
