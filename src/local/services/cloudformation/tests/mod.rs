//! The engine against a provider that can be told to fail and to hang.

mod changes;
mod contract;
mod create;
mod harness;
mod language;
mod restart;
mod update;
