//! Every test that needs more than one module: one binary, in parallel, each test with its own directory, ports and children.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]

mod boundary;
mod conformance;
mod labs;
mod promises;
mod support;
