//! Promises that other emulators break, and bad days.
mod dependencies;
mod functions;
mod reference;
mod survival;
