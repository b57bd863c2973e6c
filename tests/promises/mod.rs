//! Promises that other emulators break, and bad days.

mod dependencies;
mod functions;
mod local_lifecycle;
mod reference;
mod survival;
