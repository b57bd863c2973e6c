//! Promises that other emulators break, and bad days.

mod dependencies;
mod disk_full;
mod front_door;
mod functions;
mod heroes;
mod hostile;
mod local_lifecycle;
mod reference;
mod survival;
