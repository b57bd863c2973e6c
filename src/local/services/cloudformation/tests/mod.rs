//! The engine against a provider that can be told to fail and to hang.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]

mod changes;
mod create;
mod harness;
mod restart;
mod update;
