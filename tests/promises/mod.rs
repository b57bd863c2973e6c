//! Promises that other emulators break, and bad days.

mod dependencies;
mod functions;
mod input;
mod interrupted;
mod ledger;
mod local_lifecycle;
mod preflight;
mod reference;
mod secrets;
mod survival;
