//! Functions: sources in, a zip for Lambda out: build, glibc check, deterministic zip, content-addressed key.

pub mod build;
pub mod glibc;
pub mod source;
pub mod toolchain;
pub mod zip;

pub use build::{BuildError, Built, Options, build, can_build, digest_of, has_room};
pub use source::Source;
